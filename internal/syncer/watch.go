package syncer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

const (
	// watchEvery is how often every process that works on jobs looks for runs whose worker died, and for schedules that are
	// due. With the lease and the wait for a free worker it bounds how long a run rests after its worker was killed.
	watchEvery = 3 * time.Second
	// pruneEvery is how often old runs are removed.
	pruneEvery = time.Hour
	// historyAge is how long runs are kept, and historyLength how many of each integration's are kept longer.
	historyAge    = 90 * 24 * time.Hour
	historyLength = 20
	// pruneAtOnce bounds one statement.
	pruneAtOnce = 1000
	// forgetAtOnce bounds one statement that removes what deleted integrations had imported, and forgetFor how long others wait
	// for these.
	forgetAtOnce = 5000
	forgetFor    = time.Second
)

// Watch keeps runs going until ctx ends. Each process that works on jobs runs one.
func (s *Service) Watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var pruned time.Time
	try := func(what string, fn func(context.Context) error) {
		if err := fn(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, what+"; it is tried again", "error", err)
		}
	}
	for {
		try("runs whose worker died cannot be taken over", s.takeOver)
		s.closeUnused()
		try("scheduled runs cannot be started", s.startDue)
		try("runs that find what webhooks did not tell cannot be started", s.catchUp)
		try("what deleted integrations had imported cannot be removed", s.forgetDeleted)
		if time.Since(pruned) > pruneEvery {
			pruned = time.Now()
			try("old runs cannot be removed", s.prune)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// takeOver gives runs whose worker died to new jobs, and ends those that have lost too many.
func (s *Service) takeOver(ctx context.Context) error {
	orphans, err := s.db.OrphanedSyncRuns(ctx, lease)
	if err != nil {
		return err
	}
	var failed []error
	for _, o := range orphans {
		tenant := s.db.Tenant(integration.Scope{Org: o.Org})
		taken, stalled := false, false
		err := tenant.InTx(ctx, func(tx *store.Tenant) error {
			fence, lost, err := tx.TakeOverSyncRun(ctx, o.ID, lease)
			if err != nil || fence == 0 {
				return err
			}
			taken = true
			if stalled = lost > maxLost; stalled {
				_, err := tx.EndSyncRun(ctx, o.ID, fence, store.SyncEnd{
					Status: integration.SyncError,
					Error:  fmt.Sprintf("the run stalled: its worker was lost %d times without progress", lost),
				})
				return err
			}
			return tx.Enqueue(ctx, runArgs{Org: o.Org, Run: o.ID, Fence: fence})
		})
		if err != nil {
			failed = append(failed, fmt.Errorf("run %s: %w", o.ID, err))
			continue
		}
		if !taken {
			continue
		}
		s.log.WarnContext(ctx, "a run had lost its worker", "run", o.ID, "given_up", stalled)
		if stalled {
			continue // which has been told of
		}
		if run, err := tenant.SyncRun(ctx, o.ID); err == nil && run != nil {
			s.publish(ctx, run.ProjectID, run.IntegrationID, run.ID)
		}
	}
	return errors.Join(failed...)
}

// forgetDeleted removes, for a while, what deleted integrations had imported.
func (s *Service) forgetDeleted(ctx context.Context) error {
	for began := time.Now(); time.Since(began) < forgetFor; {
		if more, err := s.db.ForgetMore(ctx, forgetAtOnce); err != nil || !more {
			return err
		}
	}
	return nil
}

// prune removes runs that ended long ago.
func (s *Service) prune(ctx context.Context) error {
	before := time.Now().Add(-historyAge)
	orgs, err := s.db.OrganisationsWithOldSyncRuns(ctx, before)
	if err != nil {
		return err
	}
	var failed []error
	for _, org := range orgs {
		for removed := pruneAtOnce; removed == pruneAtOnce; {
			if removed, err = s.db.Tenant(integration.Scope{Org: org}).PruneSyncRuns(ctx, before, historyLength, pruneAtOnce); err != nil {
				failed = append(failed, fmt.Errorf("organisation %q: %w", org, err))
			}
		}
	}
	return errors.Join(failed...)
}
