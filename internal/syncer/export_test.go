package syncer

import (
	"context"
	"time"

	"patchbay/internal/store"
)

func init() { markedAtOnce = 20 } // so that tests' runs take several steps

// Conclude ends a slice of a run with an error.
func (s *Service) Conclude(ctx context.Context, tenant *store.Tenant, work *store.SyncWork, err error) error {
	r := &run{service: s, tenant: tenant, work: work, fence: store.FirstFence}
	return r.conclude(ctx, err)
}

// SweepFor bounds what each run reads anew of details; before any begins.
func (s *Service) SweepFor(d time.Duration) { s.sweepFor = d }

// AnewUntil is when a run ends to read details anew.
func (s *Service) AnewUntil(now time.Time, next *time.Time) time.Time {
	return (&run{service: s, work: &store.SyncWork{NextSyncAt: next}}).anewUntil(now)
}
