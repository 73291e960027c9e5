package syncer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/store"
)

const (
	// sliceTime is how long a job goes on before it makes room for other runs.
	sliceTime = 30 * time.Second
	// sliceLimit ends a job's context. A slice ends between two pages, and a page may take some requests that are repeated.
	sliceLimit = 10 * time.Minute
	// beatEvery is how often a worker tells that it is alive, and looks whether its run was cancelled.
	beatEvery = 2 * time.Second
	// lease is how long a run may be without a heartbeat before another worker takes it over.
	lease = 8 * time.Second
	// publishEvery bounds how often a run tells of its progress.
	publishEvery = 250 * time.Millisecond
	// maxAttempts is how often in a row a run may fail without having advanced, and maxLost how often it may lose its worker: that
	// is rarely the run's fault.
	maxAttempts = 8
	maxLost     = 20
	// maxLimited is how long a run may wait for the third party's limit without having advanced: no limit's window is that long.
	maxLimited = 24 * time.Hour
)

// backOff is how long a run rests after it failed so often in a row.
func backOff(attempts int) time.Duration {
	return min(5*time.Second<<max(0, attempts-1), 5*time.Minute)
}

// runArgs is the job that goes on with a run.
type runArgs struct {
	Org   string    `json:"org"`
	Run   uuid.UUID `json:"run"`
	Fence int       `json:"fence"` // of this job alone
}

// Kind implements river.JobArgs.
func (runArgs) Kind() string { return "sync_run" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (runArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: store.SyncQueue} }

// Workers adds the workers of the Service's jobs.
func (s *Service) Workers() func(*river.Workers) {
	return func(w *river.Workers) { river.AddWorker(w, &runner{service: s}) }
}

// Drain makes the slices that run end after the page that they are at; before the jobs are stopped.
func (s *Service) Drain() { s.draining.Store(true) }

// runner works on runArgs.
type runner struct {
	river.WorkerDefaults[runArgs]
	service *Service
}

// Timeout implements river.Worker.
func (*runner) Timeout(*river.Job[runArgs]) time.Duration { return sliceLimit }

// Reasons for which a slice ends while the run goes on.
var (
	errSliceOver = errors.New("syncer: the slice is over")
	errLost      = errors.New("syncer: the run has ended, or is another job's")
)

// Work goes on with a run for a slice of time. A job whose fence is not the run's any more ends without doing anything.
func (w *runner) Work(ctx context.Context, job *river.Job[runArgs]) error {
	s, args := w.service, job.Args
	tenant := s.db.Tenant(integration.Scope{Org: args.Org, Actor: "sync run " + args.Run.String()})
	work, err := tenant.ClaimSyncRun(ctx, args.Run, args.Fence)
	if err != nil {
		return fmt.Errorf("claim the run %s: %w", args.Run, err)
	}
	if work == nil {
		s.forget(args.Run)
		return nil
	}
	r := &run{service: s, tenant: tenant, work: work, fence: args.Fence, deadline: time.Now().Add(sliceTime)}
	if !work.Enabled {
		return r.end(ctx, store.SyncEnd{Status: integration.SyncCancelled, Error: "the integration was disabled"})
	}
	if work.SettingsChanged {
		if err := tenant.RestartSyncRun(ctx, args.Run, args.Fence); err != nil {
			return fmt.Errorf("begin the run %s again: %w", args.Run, err)
		}
		return river.JobSnooze(0)
	}
	return r.conclude(ctx, r.slice(ctx))
}

// slice advances the run while its heart beats.
func (r *run) slice(ctx context.Context) (err error) {
	held, lose := context.WithCancelCause(ctx)
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		r.beat(held, lose)
	}()
	defer func() {
		if value := recover(); value != nil { // which may quote anything
			err = fmt.Errorf("panic of type %T", value)
		}
		if cause := context.Cause(held); errors.Is(cause, errLost) {
			err = errLost
		}
		lose(nil)
		<-beating
	}()
	r.changed.Store(true)
	return r.advance(held)
}

// beat tells the database, every beatEvery, that the run's worker is alive, and subscribers of what changed. It cancels the
// slice where the run is not this job's any more.
func (r *run) beat(ctx context.Context, lose context.CancelCauseFunc) {
	publish, beat := time.NewTicker(publishEvery), time.NewTicker(beatEvery)
	defer publish.Stop()
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-publish.C:
			if r.changed.Swap(false) {
				r.publish(ctx)
			}
		case <-beat.C:
			held, err := r.tenant.BeatSyncRun(ctx, r.work.ID, r.fence)
			switch {
			case err != nil && ctx.Err() == nil: // each page looks too
				r.service.log.WarnContext(ctx, "a run cannot tell that it is alive", "run", r.work.ID, "error", err)
			case err == nil && !held:
				lose(errLost)
				return
			}
		}
	}
}

// conclude decides how a run goes on after a slice.
func (r *run) conclude(ctx context.Context, err error) error {
	var wait *provider.Wait
	var shown *integration.Error
	switch {
	case err == nil:
		r.service.forget(r.work.ID)
		return nil
	case errors.Is(err, errSliceOver):
		return river.JobSnooze(0)
	case errors.Is(err, errLost):
		return river.JobSnooze(0) // the next slice finds out why
	case errors.As(err, &wait) && wait.Limited():
		return r.rest(ctx, wait)
	case errors.Is(ctx.Err(), context.Canceled): // the process ends
		return river.JobSnooze(0)
	case errors.As(err, &shown) && final(shown):
		return r.end(ctx, store.SyncEnd{Status: integration.SyncError, Error: describe(shown)})
	}
	if shown == nil {
		r.service.log.ErrorContext(ctx, "a run failed", "run", r.work.ID, "error", err)
	}
	var notBefore time.Time
	if wait != nil {
		notBefore = wait.Until
	}
	return r.retry(ctx, shown, notBefore)
}

// final reports whether trying again could not help.
func final(err *integration.Error) bool {
	return err.Kind != integration.KindProvider || err.Reason != integration.ReasonUnavailable && err.Reason != integration.ReasonRateLimited
}

// describe is what a run's error says.
func describe(err *integration.Error) string {
	switch err.Kind {
	case integration.KindProvider:
		return fmt.Sprintf("%s (PROVIDER_ERROR, %s)", err.Message, err.Reason)
	case integration.KindUnreadable:
		return err.Message + " (CREDENTIALS_UNREADABLE)"
	default:
		return err.Message
	}
}

// rest lets the run wait for the limit without a worker, and ends it where that lets nothing through any more.
func (r *run) rest(ctx context.Context, wait *provider.Wait) error {
	ctx = context.WithoutCancel(ctx)
	step := fmt.Sprintf("waiting for the rate limit of %s", r.providerName())
	rested, err := r.tenant.WaitSyncRun(ctx, r.work.ID, r.fence, wait.Until, step, false)
	switch {
	case err != nil:
		return err
	case rested.Limited >= maxLimited:
		return r.end(ctx, store.SyncEnd{Status: integration.SyncError, Error: fmt.Sprintf("given up after %.0f hours in which the rate limit of %s let nothing through (PROVIDER_ERROR, %s)",
			rested.Limited.Hours(), r.providerName(), integration.ReasonRateLimited)})
	}
	r.publish(ctx)
	return river.JobSnooze(max(0, time.Until(wait.Until)))
}

// retry lets the run rest after a failure, for as long as the third party asked at least, or ends it after too many in a row.
func (r *run) retry(ctx context.Context, shown *integration.Error, notBefore time.Time) error {
	ctx = context.WithoutCancel(ctx)
	message := "an internal error; the server's log says more under the run's id"
	if shown != nil {
		message = describe(shown)
	}
	until := time.Now().Add(backOff(r.work.Attempts + 1))
	if until.Before(notBefore) {
		until = notBefore
	}
	rested, err := r.tenant.WaitSyncRun(ctx, r.work.ID, r.fence, until, "trying again after: "+message, true)
	switch {
	case err != nil:
		return err
	case rested.Attempts >= maxAttempts:
		return r.end(ctx, store.SyncEnd{Status: integration.SyncError, Error: fmt.Sprintf("given up after %d attempts without progress: %s", rested.Attempts, message)})
	}
	r.publish(ctx)
	return river.JobSnooze(max(0, time.Until(until)))
}

// end ends the run, of which its transaction tells.
func (r *run) end(ctx context.Context, end store.SyncEnd) error {
	ctx = context.WithoutCancel(ctx)
	defer r.service.forget(r.work.ID)
	held, err := r.tenant.EndSyncRun(ctx, r.work.ID, r.fence, end)
	if err != nil {
		return fmt.Errorf("end the run %s: %w", r.work.ID, err)
	}
	if held {
		r.service.log.InfoContext(ctx, "a run has ended", "run", r.work.ID, "integration", r.work.IntegrationID, "status", end.Status)
	}
	return nil
}

func (r *run) publish(ctx context.Context) {
	r.service.publish(ctx, r.work.ProjectID, r.work.IntegrationID, r.work.ID)
}
