// Package audit keeps the audit trail's hash chains up to date, so that a removed or altered entry shows.
package audit

import (
	"context"
	"log/slog"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

const (
	// interval is how long an entry may stay outside its chain, and could be altered without a trace.
	interval = time.Second
	// batch bounds one transaction, in entries.
	batch = 500
)

// Chain appends new entries of every organisation's trail to its chain, one organisation at a time, until ctx ends.
// Each replica runs one; they share the work without harm.
func Chain(ctx context.Context, db *store.DB, log *slog.Logger) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := extend(ctx, db); err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "the audit trail's chain cannot be extended; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func extend(ctx context.Context, db *store.DB) error {
	orgs, err := db.OrganisationsToChain(ctx)
	if err != nil {
		return err
	}
	for _, org := range orgs {
		for added := batch; added == batch; {
			if added, err = db.Tenant(integration.Scope{Org: org}).ExtendAuditChain(ctx, batch); err != nil {
				return err
			}
		}
	}
	return nil
}
