package connect

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

const (
	// rotationBatch is how many rows one transaction seals anew.
	rotationBatch = 500
	// rotationSlice is how long one job goes on before it queues the next: what a shutdown waits for.
	rotationSlice = 3 * time.Second
	// rotationLease is how long a rotation may stand still before another worker takes it over. A batch takes a small
	// part of that.
	rotationLease = 10 * time.Second
	// rotationWatch is how often every worker looks for rotations that stand still. With the lease and the wait for a
	// free worker it bounds how long a rotation rests after its worker was killed.
	rotationWatch = 3 * time.Second
)

// rotateArgs is the job that goes on with a key rotation.
type rotateArgs struct {
	Org      string    `json:"org"`
	Rotation uuid.UUID `json:"rotation"`
	Fence    int       `json:"fence"` // of this job alone
}

// Kind implements river.JobArgs.
func (rotateArgs) Kind() string { return "rotate_key" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (rotateArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: store.RotationQueue} }

// RotateKey begins to seal every secret of the principal's organisation anew under the current key, as jobs. Where that
// is going on already, it returns how far it is.
func (s *Service) RotateKey(ctx context.Context, p integration.Principal) (r *integration.KeyRotation, err error) {
	if p.Projects != nil {
		return nil, integration.Forbidden("this principal is limited to some projects, and a key is the whole organisation's")
	}
	err = s.db.Tenant(p.Scope()).InTx(ctx, func(tx *store.Tenant) error {
		var started bool
		if r, started, err = tx.StartKeyRotation(ctx, s.ring.CurrentID()); err != nil || !started {
			return err
		}
		return tx.Enqueue(ctx, rotateArgs{p.Org, r.ID, store.FirstFence})
	})
	return r, err
}

// OrganisationsToRotate names the organisations with rows that another key than the current one sealed.
func (s *Service) OrganisationsToRotate(ctx context.Context) ([]string, error) {
	return s.db.OrganisationsToRotate(ctx, s.ring.CurrentID())
}

// EncryptionStatus tells which keys sealed what the principal has access to. Only with unreadable does it count the rows
// that do not open, which takes as long as opening them all.
func (s *Service) EncryptionStatus(ctx context.Context, p integration.Principal, unreadable bool) (*integration.EncryptionStatus, error) {
	tenant := s.db.Tenant(p.Scope())
	status, err := tenant.EncryptionStatus(ctx)
	if err != nil {
		return nil, err
	}
	status.CurrentKeyID = s.ring.CurrentID()
	if unreadable {
		status.Unreadable, err = tenant.CountUnreadable(ctx, s.ring, rotationBatch)
	}
	return status, err
}

// Workers adds the workers of the Service's jobs.
func (s *Service) Workers(log *slog.Logger) func(*river.Workers) {
	return func(w *river.Workers) {
		river.AddWorker(w, &rotator{service: s, log: log})
		river.AddWorker(w, &hookChecker{service: s})
	}
}

// rotator works on rotateArgs.
type rotator struct {
	river.WorkerDefaults[rotateArgs]
	service *Service
	log     *slog.Logger
}

// Work seals batches for a slice of time and queues the next job in the last one's transaction. A job whose fence is not
// the rotation's any more ends without doing anything.
func (w *rotator) Work(ctx context.Context, job *river.Job[rotateArgs]) error {
	args := job.Args
	tenant := w.service.db.Tenant(integration.Scope{Org: args.Org})
	for end := time.Now().Add(rotationSlice); ; {
		var step store.RotationStep
		handedOn := false
		err := tenant.InTx(ctx, func(tx *store.Tenant) (err error) {
			step, err = tx.AdvanceKeyRotation(ctx, w.service.ring, args.Rotation, args.Fence, rotationBatch)
			if err != nil || step.Lost || step.Finished || time.Now().Before(end) {
				return err
			}
			handedOn = true
			next, err := tx.HandOnKeyRotation(ctx, args.Rotation, args.Fence)
			if err != nil {
				return err
			}
			return tx.Enqueue(ctx, rotateArgs{args.Org, args.Rotation, next})
		})
		if err != nil {
			return err
		}
		if len(step.Failed) > 0 {
			w.log.WarnContext(ctx, "secrets do not open and stay under their key: give every secret setting and webhookSecret anew",
				"organisation", args.Org, "rotation", args.Rotation, "integrations", step.Failed)
		}
		if step.Finished {
			w.log.InfoContext(ctx, "a key rotation is finished", "organisation", args.Org, "rotation", args.Rotation)
		}
		if step.Lost || step.Finished || handedOn {
			return nil
		}
	}
}

// WatchRotations gives rotations whose worker has died to new jobs, until ctx ends. Each process that works on jobs runs
// one.
func (s *Service) WatchRotations(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(rotationWatch)
	defer tick.Stop()
	for {
		if err := s.takeOverRotations(ctx); err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "key rotations that stand still cannot be taken over; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) takeOverRotations(ctx context.Context) error {
	orphans, err := s.db.OrphanedRotations(ctx, rotationLease)
	if err != nil {
		return err
	}
	for _, o := range orphans {
		err := s.db.Tenant(integration.Scope{Org: o.Org}).InTx(ctx, func(tx *store.Tenant) error {
			fence, err := tx.TakeOverKeyRotation(ctx, s.ring, o.ID, rotationLease)
			if err != nil || fence == 0 {
				return err
			}
			return tx.Enqueue(ctx, rotateArgs{o.Org, o.ID, fence})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
