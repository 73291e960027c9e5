package syncer

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/provider"
	"patchbay/internal/store"
)

// anew is a run's cursor while it reads a part of all details anew, until a time. How far these have come is the integration's; so many were left as
// the run began with them.
type anew struct {
	Until *time.Time
	Left  int
}

func (a anew) step() string {
	return fmt.Sprintf("details, such as comments, of %d objects are read anew", a.Left)
}

// readDetails reads what hangs on new and changed objects, from the run's cursor on, and then a part of what is read anew. What fails is left to
// the next run.
func (r *run) readDetails(ctx context.Context) error {
	var part anew
	if json.Unmarshal(r.work.Cursor, &part) == nil && part.Until != nil {
		return r.readAnew(ctx, part)
	}
	var after string
	if r.work.Cursor != nil {
		if err := json.Unmarshal(r.work.Cursor, &after); err != nil {
			return fmt.Errorf("the cursor of the run %s: %w", r.work.ID, err)
		}
	}
	left, err := r.tenant.CountPendingDetails(ctx, r.work.IntegrationID, after)
	if err != nil {
		return err
	}
	if left > 0 {
		total := r.work.Processed + left
		if err := r.commit(ctx, store.SyncStep{Stage: store.StageDetails, Cursor: r.work.Cursor, Step: fmt.Sprintf("details of %d more", left), Total: &total}); err != nil {
			return err
		}
	}
	err = r.read(ctx, source{
		ahead: detailsAhead,
		pages: func(ctx context.Context) iter.Seq2[*provider.Page, error] {
			return r.detailsAfter(ctx, after, r.tenant.PendingDetails)
		},
		complete: func(step *store.SyncStep) { step.Stage, step.Processed = store.StageDetails, len(step.Done) },
	})
	if err != nil {
		return err
	}
	if r.work.SweptTo == nil {
		return r.commit(ctx, store.SyncStep{Stage: store.StageSweep, Step: lookingForDeletions})
	}
	if part.Left, err = r.tenant.CountDetailsAnew(ctx, r.work.IntegrationID, *r.work.SweptTo); err != nil {
		return err
	}
	until := r.anewUntil(time.Now())
	part.Until = &until
	cursor, err := json.Marshal(part)
	if err != nil {
		return err
	}
	total := r.work.Processed + part.Left
	return r.commit(ctx, store.SyncStep{Stage: store.StageDetails, Cursor: cursor, Step: part.step(), Total: &total})
}

// anewUntil is when a run that begins now to read details anew is to end that.
func (r *run) anewUntil(now time.Time) time.Time {
	until := now.Add(r.service.sweepFor)
	if next := r.work.NextSyncAt; next != nil && next.Add(-sweepBefore).Before(until) {
		until = next.Add(-sweepBefore)
		if least := now.Add(min(sweepAtLeast, r.service.sweepFor)); until.Before(least) {
			until = least
		}
	}
	return until
}

// readAnew reads details, changed or not, from where the run before ended that, until the part's time is over.
func (r *run) readAnew(ctx context.Context, part anew) error {
	cursor, from, all := r.work.Cursor, r.work.SweptTo, false // all is written before the pages end
	err := r.read(ctx, source{
		ahead: detailsAhead,
		pages: func(ctx context.Context) iter.Seq2[*provider.Page, error] {
			return func(yield func(*provider.Page, error) bool) {
				if from == nil || time.Now().After(*part.Until) {
					return
				}
				for page, err := range r.detailsAfter(ctx, *from, r.tenant.DetailsAnew) {
					if !yield(page, err) || err != nil || time.Now().After(*part.Until) {
						return
					}
				}
				all = ctx.Err() == nil
			}
		},
		complete: func(step *store.SyncStep) {
			var last string
			if json.Unmarshal(step.Cursor, &last) == nil { // and not the run's own
				step.SweptTo = &last
			}
			for _, f := range step.Failures {
				if !slices.Contains(step.Done, f.ExternalID) {
					step.Pending = append(step.Pending, f.ExternalID)
				}
			}
			step.Stage, step.Cursor, step.Step, step.Processed = store.StageDetails, cursor, part.step(), len(step.Done)
			step.Done = nil // what was noted meanwhile may be newer
		},
	})
	if err != nil {
		return err
	}
	return r.commit(ctx, store.SyncStep{Stage: store.StageSweep, Step: lookingForDeletions, SweptAll: all, Total: &r.work.Processed})
}

// detailsAfter reads the details of all objects that are listed, from behind one on. A page's cursor is before the first object that
// is neither read nor failed by then.
func (r *run) detailsAfter(ctx context.Context, after string, list func(context.Context, uuid.UUID, string, int) ([]store.NamedObject, error)) iter.Seq2[*provider.Page, error] {
	return func(yield func(*provider.Page, error) bool) {
		for {
			pending, err := list(ctx, r.work.IntegrationID, after, detailsAtOnce)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(pending) == 0 {
				return
			}
			settled, next := map[string]bool{}, 0
			for page, err := range r.connection.Details(ctx, r.plan, refs(pending)) {
				if err == nil {
					for _, done := range page.Done {
						settled[done.ExternalID] = true
					}
					for _, failed := range page.Failed {
						settled[failed.ExternalID] = true
					}
					before := next
					for next < len(pending) && settled[pending[next].ExternalID] {
						next++
					}
					page.Cursor = nil
					if next > before {
						page.Cursor, err = json.Marshal(pending[next-1].ExternalID)
					}
				}
				if !yield(page, err) || err != nil {
					return
				}
			}
			if ctx.Err() != nil {
				return
			}
			after = pending[len(pending)-1].ExternalID
			if next < len(pending) { // what the provider did not tell of is not asked for again
				cursor, err := json.Marshal(after)
				if !yield(&provider.Page{Cursor: cursor}, err) || err != nil {
					return
				}
			}
		}
	}
}

func refs(named []store.NamedObject) []provider.Ref {
	list := make([]provider.Ref, len(named))
	for i, n := range named {
		list[i] = provider.Ref(n)
	}
	return list
}
