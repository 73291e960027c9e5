package webhook

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
	// jobLimit ends a job's context: reading one object may take some requests that are repeated.
	jobLimit = 5 * time.Minute
	// beatEvery is how often a worker tells that it is alive.
	beatEvery = 2 * time.Second
	// lease is how long an object may be without a heartbeat before another worker takes it over.
	lease = 8 * time.Second
	// gather is how long an object rests after it was read while more was told of it: a burst makes few reads.
	gather = time.Second
	// unsure is how long an object that was deleted rests until it is looked whether a run that may store it again has ended.
	unsure = 30 * time.Second
	// troubled is how long a job rests that the database failed, or that found its integration being written.
	troubled = 3 * time.Second
	// maxAttempts is how often in a row reading an object may fail.
	maxAttempts = 8
	// maxContended is how often in a row it is read anew because somebody else stored it meanwhile.
	maxContended = 5
)

// backOff is how long an object rests after it failed so often in a row.
func backOff(attempts int) time.Duration {
	return min(5*time.Second<<max(0, attempts-1), 5*time.Minute)
}

// objectArgs is the job that works on what deliveries tell of one object.
type objectArgs struct {
	Org    string    `json:"org"`
	Object uuid.UUID `json:"object"` // its row
	Fence  int       `json:"fence"`  // of this job alone
}

// Kind implements river.JobArgs.
func (objectArgs) Kind() string { return "webhook_object" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (objectArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: store.WebhookQueue} }

// Workers adds the workers of the Service's jobs.
func (s *Service) Workers() func(*river.Workers) {
	return func(w *river.Workers) { river.AddWorker(w, &worker{service: s}) }
}

// worker works on objectArgs.
type worker struct {
	river.WorkerDefaults[objectArgs]
	service *Service
}

// Timeout implements river.Worker.
func (*worker) Timeout(*river.Job[objectArgs]) time.Duration { return jobLimit }

// errLost is where the object is done, or is another job's by now.
var errLost = errors.New("webhook: the object is another job's")

// Work reads an object anew for all deliveries about it so far. A job whose fence is not the object's any more ends without doing
// anything. It never fails, as River would give a failing job up in the end.
func (w *worker) Work(ctx context.Context, job *river.Job[objectArgs]) error {
	s, args := w.service, job.Args
	tenant := s.db.Tenant(integration.Scope{Org: args.Org, Actor: actor})
	rest, err := s.work(ctx, tenant, args)
	switch {
	case errors.Is(err, errLost):
		return nil
	case errors.Is(err, store.ErrBusy): // which is no failure
		return river.JobSnooze(troubled)
	case err != nil && ctx.Err() != nil: // the process ends
		return river.JobSnooze(0)
	case err != nil:
		s.Log.ErrorContext(ctx, "an object that a webhook told of cannot be worked on; it is tried again", "object", args.Object, "error", err)
		return river.JobSnooze(troubled)
	case rest >= 0:
		return river.JobSnooze(rest)
	}
	return nil
}

// done is the rest of an object that nothing is left to do for.
const done = time.Duration(-1)

// work returns how long the object is to rest, or done.
func (s *Service) work(ctx context.Context, tenant *store.Tenant, args objectArgs) (rest time.Duration, err error) {
	work, err := tenant.ClaimWebhookObject(ctx, args.Object, args.Fence)
	switch {
	case err != nil:
		return 0, err
	case work == nil:
		return 0, errLost
	case !work.Enabled:
		return done, tenant.ParkWebhookObject(ctx, args.Object, args.Fence)
	case work.Waits:
		return unsure, nil
	}
	end, err := s.read(ctx, tenant, args, work)
	switch {
	case errors.Is(err, store.ErrDisabled):
		return done, tenant.ParkWebhookObject(ctx, args.Object, args.Fence)
	case err != nil:
		return s.failed(ctx, tenant, args, work, err)
	}
	if end.Changed > 0 {
		s.change(work)
	}
	if end.Again > 0 {
		s.measures.work(ctx, work, "retried")
		return backOff(end.Again), nil
	}
	if end.Unsure {
		return unsure, nil
	}
	outcome := "processed"
	if end.Failed {
		outcome = "failed"
	}
	s.measures.work(ctx, work, outcome)
	if end.Left {
		return gather, nil
	}
	return done, nil
}

// read reads the object while the job's heart beats, and stores it, part by part where there is much.
func (s *Service) read(ctx context.Context, tenant *store.Tenant, args objectArgs, work *store.WebhookWork) (end store.WebhookEnd, err error) {
	held, lose := context.WithCancelCause(ctx)
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		s.beat(held, tenant, args, lose)
	}()
	defer func() {
		if value := recover(); value != nil { // which may quote anything
			err = fmt.Errorf("panic of type %T", value)
		}
		if errors.Is(context.Cause(held), errLost) {
			err = errLost
		}
		lose(nil)
		<-beating
	}()
	connection, err := s.connection(held, tenant, work)
	if err != nil {
		return end, err
	}
	var creates []string
	if hooks := s.connect.Webhooks(work.Provider); hooks != nil {
		creates = hooks.Creates
	}
	for contended := 0; contended < maxContended; {
		commit, err := gatherAll(held, tenant, connection, creates, work)
		if err != nil {
			return end, err
		}
		err = tenant.InTx(held, func(tx *store.Tenant) (err error) {
			end, err = tx.CommitWebhook(held, args.Object, args.Fence, commit)
			return err
		})
		switch {
		case errors.Is(err, store.ErrContended):
			contended++
		case err != nil:
			return end, err
		case !end.Held:
			return end, errLost
		case commit.Rest == nil || commit.Again != "":
			return end, nil
		default:
			contended = 0
			if end.Changed > 0 {
				s.change(work)
			}
		}
		again, err := tenant.ClaimWebhookObject(held, args.Object, args.Fence)
		switch {
		case err != nil:
			return end, err
		case again == nil:
			return end, errLost
		case !again.Enabled:
			return end, store.ErrDisabled
		}
		*work = *again
	}
	return end, integration.Conflict("", "the object was changed by others each time that it was read")
}

// beat tells the database, every beatEvery, that the object's worker is alive.
func (s *Service) beat(ctx context.Context, tenant *store.Tenant, args objectArgs, lose context.CancelCauseFunc) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			held, err := tenant.BeatWebhookObject(ctx, args.Object, args.Fence)
			switch {
			case err != nil && ctx.Err() == nil: // the commit looks too
				s.Log.WarnContext(ctx, "the worker of an object cannot tell that it is alive", "object", args.Object, "error", err)
			case err == nil && !held:
				lose(errLost)
				return
			}
		}
	}
}

// givenUp is why deliveries FAILED after so many attempts.
func givenUp(attempts int, reason string) string {
	return fmt.Sprintf("given up after %d attempts: %s", attempts, reason)
}

// failed decides how an object goes on that could not be read.
func (s *Service) failed(ctx context.Context, tenant *store.Tenant, args objectArgs, work *store.WebhookWork, err error) (rest time.Duration, _ error) {
	var wait *provider.Wait
	var shown *integration.Error
	switch {
	case errors.Is(err, errLost), errors.Is(err, store.ErrBusy):
		return 0, err
	case errors.As(err, &wait) && wait.Limited():
		return max(0, time.Until(wait.Until)), nil
	case errors.Is(ctx.Err(), context.Canceled): // the process ends
		return 0, err
	}
	ctx = context.WithoutCancel(ctx) // the time of the job may be over
	reason, final := "an internal error; the server's log says more under the object's id", work.Attempts+1 >= maxAttempts
	if errors.As(err, &shown) {
		reason = shown.Message
		final = final || shown.Kind == integration.KindProvider && shown.Reason != integration.ReasonUnavailable && shown.Reason != integration.ReasonRateLimited ||
			shown.Kind == integration.KindInvalid || shown.Kind == integration.KindUnreadable
	} else {
		s.Log.ErrorContext(ctx, "an object that a webhook told of cannot be read", "object", args.Object, "integration", work.IntegrationID, "error", err)
	}
	if final && work.Attempts > 0 {
		reason = givenUp(work.Attempts+1, reason)
	}
	ids := make([]uuid.UUID, len(work.Deliveries))
	for i, d := range work.Deliveries {
		ids[i] = d.ID
	}
	left, err := tenant.EndWebhookAttempt(ctx, args.Object, args.Fence, store.WebhookAttempt{
		Deliveries: ids, ReadAt: work.At, Failure: reason, Final: final,
		Lost: final, Full: work.NeedsFull(), // what is wrong with the object itself fails its deliveries alone, in CommitWebhook
	})
	if err != nil {
		return 0, err
	}
	if !final {
		s.measures.work(ctx, work, "retried")
		rest = backOff(work.Attempts + 1)
		if wait != nil { // the third party said for how long it fails
			rest = max(rest, time.Until(wait.Until))
		}
		return rest, nil
	}
	s.measures.work(ctx, work, "failed")
	if left {
		return gather, nil
	}
	return done, nil
}
