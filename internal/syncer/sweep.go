package syncer

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/store"
)

const (
	// A run that misses more than both of these needs confirmDeletions. Of what it misses it asks for mostAsked before, so that
	// what was only moved, completed or archived does not count. Of what its options leave out and is below something that is gone it asks for
	// no more either.
	mostMissing      = 100
	mostMissingShare = 0.3
	mostAsked        = 2000
	// lookingForDeletions, relists and asksOne are steps of a run that does, and of one that reads listings again.
	lookingForDeletions = "looking for what was deleted"
	relists             = "reading again what much is missing from"
	asksOne             = "asking for what was not listed"
	// refsAtOnce is how many single objects are asked for together.
	refsAtOnce = 50

	// A listing that more than mostSingly objects are missing from is read again with what options leave out, until it has given relistFor
	// objects for each missing one: where a hundred come with a request, that takes half as many requests as to ask for each.
	mostSingly = 50
	relistFor  = 50
	// listingsAtOnce is how many such listings are looked up together.
	listingsAtOnce = 1000
)

// markedAtOnce is how many objects one transaction marks as deleted: others wait for it, and each costs some 75 µs.
var markedAtOnce = 5000

// position is where a sweep stands: the run's cursor.
type position struct {
	Covered int             `json:"covered"` // objects that the run covers
	Missing int             `json:"missing"` // those of them that were missing at first
	Listing string          `json:"listing,omitempty"`
	At      json.RawMessage `json:"at,omitempty"`   // in Listing, as the provider says it; empty where that was read
	Left    int             `json:"left,omitempty"` // objects that Listing may still give
}

func (p position) cursor() []byte {
	cursor, _ := json.Marshal(p) // never fails: At is JSON
	return cursor
}

// decodePosition reads a cursor; that of the release before was the number of what is covered.
func decodePosition(cursor []byte) (p position, err error) {
	if json.Unmarshal(cursor, &p.Covered) != nil {
		err = json.Unmarshal(cursor, &p)
	}
	return p, err
}

// confirmed are the types of objects that may exist although no listing had them: tasks come in numbered pages, which shift
// while something is deleted, and options leave out what was archived or completed since.
var confirmed = []integration.ObjectType{integration.ObjectProject, integration.ObjectCollection, integration.ObjectTask, integration.ObjectDocument}

// sweep finds what is gone at its source, marks it, and ends the run. Nothing is taken for deleted unless its listing was read to the end.
func (r *run) sweep(ctx context.Context) error {
	if r.work.Marking { // which was decided before
		return r.mark(ctx)
	}
	rules := store.SweepRules{Completed: r.plan.IncludeCompleted, Archived: r.plan.IncludeArchived, Confirm: confirmed, MostExcluded: mostAsked}
	if r.work.Cursor == nil {
		n, err := r.tenant.BeginSweep(ctx, r.work.ID, r.fence, rules)
		if err != nil {
			return err
		}
		if r.work.Mode == integration.SyncIncremental && n.Missing > mostMissing { // it covers next to nothing but what it misses
			if n.Covered, err = r.tenant.CountObjects(ctx, r.work.IntegrationID); err != nil {
				return err
			}
		}
		cursor := position{Covered: n.Covered, Missing: n.Missing}.cursor()
		if err := r.commit(ctx, store.SyncStep{Stage: store.StageSweep, Cursor: cursor, Step: lookingForDeletions}); err != nil {
			return err
		}
	}
	at, err := decodePosition(r.work.Cursor)
	if err != nil {
		return fmt.Errorf("the cursor of the run %s: %w", r.work.ID, err)
	}
	if err := r.relist(ctx, &at); err != nil {
		return err
	}
	if at.Missing > mostAsked {
		left, err := r.tenant.CountDoomed(ctx, r.work.ID, r.fence, false)
		if err != nil {
			return err
		}
		if left > mostAsked && r.tooMany(left, at.Covered) {
			return r.finish(ctx, tooMany(left, at.Covered))
		}
	}
	for {
		missing, err := r.tenant.Unconfirmed(ctx, r.work.ID, refsAtOnce)
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			break
		}
		if err := r.confirm(ctx, missing); err != nil {
			return err
		}
		if r.over() {
			return errSliceOver
		}
	}
	gone, err := r.tenant.CountDoomed(ctx, r.work.ID, r.fence, true)
	if err != nil {
		return err
	}
	if r.tooMany(gone, at.Covered) {
		return r.finish(ctx, tooMany(gone, at.Covered))
	}
	if gone == 0 {
		return r.finish(ctx, "")
	}
	if held, err := r.tenant.NoteDoomed(ctx, r.work.ID, r.fence, fmt.Sprintf("marking %d objects as deleted", gone)); err != nil {
		return err
	} else if !held {
		return errLost
	}
	return r.mark(ctx)
}

// mark marks what is gone as deleted, in steps, and ends the run.
func (r *run) mark(ctx context.Context) error {
	for left := true; left; {
		r.changed.Store(true)
		if r.over() {
			return errSliceOver
		}
		held := false
		var err error
		if held, left, err = r.tenant.TombstoneSome(ctx, r.work.ID, r.fence, markedAtOnce); err != nil {
			return fmt.Errorf("mark what the run %s found to be gone: %w", r.work.ID, err)
		}
		if !held {
			return errLost
		}
	}
	return r.finish(ctx, "")
}

// tooMany reports whether so many of the objects that a run covers, or that an integration has, are gone that it needs confirmDeletions.
func (r *run) tooMany(gone, covered int) bool {
	return !r.work.ConfirmDeletions && gone > mostMissing && float64(gone) > mostMissingShare*float64(covered)
}

func tooMany(gone, covered int) string {
	return fmt.Sprintf("%d of %d objects were not found any more: nothing was marked as deleted; "+
		"if they were deleted indeed, start a full run with confirmDeletions", gone, covered)
}

// relist reads the listings again that much is missing from, with what options leave out: what was archived or completed is found so, a hundred
// with a request. What stays missing is asked for one by one.
func (r *run) relist(ctx context.Context, at *position) error {
	relister, ok := r.connection.(provider.Relister)
	if !ok || at.Missing <= mostSingly {
		return nil
	}
	for {
		listings, err := r.tenant.MissedListings(ctx, r.work.ID, at.Listing, mostSingly, listingsAtOnce)
		if err != nil {
			return err
		}
		read := false
		for _, l := range listings {
			if l.Listing == at.Listing && at.At == nil {
				continue // it was read
			}
			if l.Listing != at.Listing {
				at.Listing, at.At, at.Left = l.Listing, nil, relistFor*l.Missing
			}
			if err := r.relistOne(ctx, relister, at); err != nil {
				return err
			}
			read = true
		}
		if !read {
			return nil
		}
	}
}

// relistOne goes on with the listing of a position, to its end.
func (r *run) relistOne(ctx context.Context, relister provider.Relister, at *position) error {
	listing, from, left := at.Listing, at.At, at.Left
	err := r.read(ctx, source{
		ahead: pagesAhead,
		pages: func(ctx context.Context) iter.Seq2[*provider.Page, error] {
			return func(yield func(*provider.Page, error) bool) {
				for page, err := range relister.Relist(ctx, r.plan, listing, from) {
					if left <= 0 {
						return
					}
					if err == nil {
						left -= len(page.Objects)
					}
					if !yield(page, err) {
						return
					}
				}
			}
		},
		complete: func(step *store.SyncStep) {
			for _, o := range step.Objects {
				step.Found = append(step.Found, o.ExternalID)
			}
			at.At, at.Left = step.Cursor, at.Left-len(step.Objects)
			step.Cursor = at.cursor()
			// What cannot be read is asked for by itself, and fails then.
			step.Failures, step.Covered, step.Total, step.Workspace = nil, nil, nil, nil
			step.Stage, step.Step = store.StageSweep, relists
		},
	})
	if err != nil {
		return err
	}
	at.At, at.Left = nil, 0
	return r.commit(ctx, store.SyncStep{Stage: store.StageSweep, Cursor: at.cursor(), Step: relists})
}

// confirm asks for missing objects one by one. Those that can neither be found nor be said to be gone are left as they are, whatever
// they are below.
func (r *run) confirm(ctx context.Context, missing []store.NamedObject) error {
	cursor := r.work.Cursor
	unsettled := map[string]integration.ObjectType{}
	for _, m := range missing {
		unsettled[m.ExternalID] = m.Type
	}
	err := r.read(ctx, source{
		ahead: pagesAhead,
		pages: func(ctx context.Context) iter.Seq2[*provider.Page, error] {
			return r.connection.Fetch(ctx, r.plan, refs(missing))
		},
		complete: func(step *store.SyncStep) {
			for _, gone := range step.Gone {
				delete(unsettled, gone)
			}
			for _, done := range step.Done {
				if _, open := unsettled[done]; open {
					step.Found, step.Seen = append(step.Found, done), append(step.Seen, done)
					delete(unsettled, done)
				}
			}
			step.Done = nil
			step.Stage, step.Step = store.StageSweep, asksOne
		},
	})
	if err != nil || len(unsettled) == 0 {
		return err
	}
	left := slices.Collect(maps.Keys(unsettled))
	return r.commit(ctx, store.SyncStep{Stage: store.StageSweep, Cursor: cursor, Step: asksOne, Found: left, Seen: left})
}
