package syncer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/store"
)

const (
	// overlap is how far an incremental run reaches back behind the one before: listings of third parties lag behind, and clocks
	// differ.
	overlap = 15 * time.Minute
	// sweepEvery is how old details may become before all of them are read anew, from a full run on: they may change without their object.
	sweepEvery = 7 * 24 * time.Hour
	// Each run reads a part of them: for so long, or until so long before the next one is due by the schedule, but for this long at least.
	sweepFor, sweepBefore, sweepAtLeast = time.Hour, 30 * time.Second, time.Minute
	// maxStep is how long the words for what a run does may be, in bytes.
	maxStep = 200
	// detailsAtOnce is how many objects' details are asked for together. Where a slice ends among them, the next one goes on
	// behind those that are settled.
	detailsAtOnce = 1000
	// pagesAhead and detailsAhead are how many pages are read while others are stored. A page of details is one object's.
	pagesAhead   = 1
	detailsAhead = 64
)

// run is one slice of a run.
type run struct {
	service  *Service
	tenant   *store.Tenant
	work     *store.SyncWork
	fence    int
	deadline time.Time // of the slice
	changed  atomic.Bool

	connection provider.Connection
	plan       provider.Plan
	pending    int        // objects whose details are to be read, while listings are
	storing    chan error // of the step that is being stored; nil while none is
}

// opened is an integration's connection for as long as one of its runs lasts, so that its secrets are opened once.
type opened struct {
	connection provider.Connection
	revision   int // of the integration
	used       time.Time
}

// openFor is how long the connection of a run that goes on elsewhere, or rests, is kept.
const openFor = 5 * time.Minute

// closeUnused closes the connections of runs that this process has not worked on for a while.
func (s *Service) closeUnused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.open, func(_ uuid.UUID, o *opened) bool { return time.Since(o.used) > openFor })
}

// open connects, with the connection of the run's last slice if the integration is as it was.
func (r *run) open(ctx context.Context) error {
	s := r.service
	s.mu.Lock()
	o := s.open[r.work.ID]
	s.mu.Unlock()
	if o == nil || o.revision != r.work.Revision {
		connection, err := s.connect.Open(ctx, r.tenant, r.work.IntegrationID, "sync")
		if err != nil {
			return err
		}
		o = &opened{connection: connection, revision: r.work.Revision}
	}
	s.mu.Lock()
	o.used = time.Now()
	s.open[r.work.ID] = o
	s.mu.Unlock()
	r.connection = o.connection
	r.plan = provider.Plan{Options: o.connection.Options(), Since: r.work.Since, Selection: r.work.Selection, Mappings: r.work.Mappings}
	if v := r.work.IncludeCompleted; v != nil {
		r.plan.IncludeCompleted = *v
	}
	if v := r.work.IncludeArchived; v != nil {
		r.plan.IncludeArchived = *v
	}
	if v := r.work.BatchSize; v != nil {
		r.plan.BatchSize = *v
	}
	return nil
}

// forget closes what a run had open.
func (s *Service) forget(run uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, run)
}

func (r *run) providerName() string { return r.service.connect.ProviderName(r.work.Provider) }

// advance goes through the run's stages. It returns nil once the run has ended.
func (r *run) advance(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	for {
		var err error
		switch r.work.Stage {
		case store.StageImport:
			err = r.importAll(ctx)
		case store.StageDetails:
			err = r.readDetails(ctx)
		case store.StageSweep:
			return r.sweep(ctx)
		default:
			err = fmt.Errorf("a run in the stage %q", r.work.Stage)
		}
		if err != nil {
			return err
		}
	}
}

// over reports whether the slice should end.
func (r *run) over() bool { return r.service.draining.Load() || time.Now().After(r.deadline) }

// commitLater stores a step while its caller goes on. Until settle has returned, the caller leaves alone what commit changes.
func (r *run) commitLater(ctx context.Context, step store.SyncStep) {
	storing := make(chan error, 1)
	r.storing = storing
	go func() {
		defer func() {
			if value := recover(); value != nil { // which may quote anything
				storing <- fmt.Errorf("panic of type %T", value)
			}
		}()
		storing <- r.commit(ctx, step)
	}()
}

// settle waits for the step that is being stored, if any.
func (r *run) settle() (err error) {
	if r.storing != nil {
		err = <-r.storing
		r.storing = nil
	}
	return err
}

// commit stores a step, and with it where the run stands. An object that the database refuses is a failure, and the others
// are stored.
func (r *run) commit(ctx context.Context, step store.SyncStep) error {
	step.ReadAt = &r.work.At
	held, noted, err := r.tenant.CommitSync(ctx, r.work.ID, r.fence, step)
	switch n := len(step.Objects); {
	case err == nil && !held:
		return errLost
	case store.IsValueRefused(err) && n == 1:
		refused := step.Objects[0]
		step.Objects = nil
		step.Failures = append(step.Failures, integration.SyncFailure{Type: refused.Type, ExternalID: refused.ExternalID, Reason: "it is too large, or has something in it that cannot be stored"})
		return r.commit(ctx, step)
	case store.IsValueRefused(err) && n > 1:
		first := store.SyncStep{Stage: r.work.Stage, Cursor: r.work.Cursor, Objects: step.Objects[:n/2], Step: step.Step}
		if err := r.commit(ctx, first); err != nil {
			return err
		}
		step.Objects = step.Objects[n/2:]
		return r.commit(ctx, step)
	case err != nil:
		return fmt.Errorf("store a page of the run %s: %w", r.work.ID, err)
	}
	r.work.Stage, r.work.Cursor = step.Stage, step.Cursor
	r.work.Processed, r.pending = r.work.Processed+step.Processed, r.pending+noted
	if step.SweptTo != nil {
		r.work.SweptTo = step.SweptTo
	}
	if at := step.SeenUntil; at != nil && (r.work.SeenUntil == nil || at.After(*r.work.SeenUntil)) {
		r.work.SeenUntil = at
	}
	r.changed.Store(true)
	return nil
}

// source is where pages come from, and what becomes of them.
type source struct {
	ahead  int  // how many pages are read while others are stored
	listed bool // they are of listings
	pages  func(context.Context) iter.Seq2[*provider.Page, error]
	// complete makes what was gathered a step of the stage; nothing else is being stored then. A step without a cursor gets that of
	// the one before.
	complete func(*store.SyncStep)
}

// read reads pages ahead of those that it stores, until the slice is over. When it returns, all that was read is stored.
func (r *run) read(ctx context.Context, from source) (err error) {
	type result struct {
		page *provider.Page
		err  error
	}
	reading, stop := context.WithCancel(ctx)
	ahead := make(chan result, from.ahead)
	ended := false // whether pages came to their end; written before ahead is closed
	go func() {
		defer close(ahead)
		defer func() {
			if value := recover(); value != nil {
				ahead <- result{err: fmt.Errorf("panic of type %T in a provider", value)}
			}
		}()
		for page, err := range from.pages(reading) {
			select {
			case ahead <- result{page, err}:
			case <-reading.Done():
				return
			}
			if err != nil || r.over() {
				return
			}
		}
		ended = true
	}()
	defer func() {
		stop()
		for range ahead { // until the reader has ended
		}
		err = errors.Join(err, r.settle())
	}()
	b, cursor, size := newBatch(from.listed), r.work.Cursor, r.plan.BatchSize
	flush := func() error {
		if err := r.settle(); err != nil || b.empty() {
			return err
		}
		step := b.step
		b = newBatch(from.listed)
		if step.Cursor == nil {
			step.Cursor = cursor
		}
		cursor = step.Cursor
		from.complete(&step)
		r.commitLater(ctx, step)
		return nil
	}
	for more := true; more; {
		select {
		case next, open := <-ahead:
			if more = open; !more {
				break
			}
			if next.err != nil {
				return errors.Join(next.err, flush())
			}
			b.add(next.page)
		case err := <-r.storing:
			r.storing = nil
			if err != nil {
				return err
			}
		}
		if b.ready(size) && r.storing == nil || b.full(size) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(flush(), r.settle()); err != nil {
		return err
	}
	if !ended {
		if err := ctx.Err(); err != nil {
			return err
		}
		return errSliceOver
	}
	return nil
}

// importAll reads the listings from the run's cursor on.
func (r *run) importAll(ctx context.Context) error {
	from := r.work.Cursor
	var err error
	if r.pending, err = r.tenant.CountPendingDetails(ctx, r.work.IntegrationID, ""); err != nil {
		return err
	}
	err = r.read(ctx, source{
		ahead:  pagesAhead,
		listed: true,
		pages: func(ctx context.Context) iter.Seq2[*provider.Page, error] {
			return r.connection.Import(ctx, r.plan, from)
		},
		complete: func(step *store.SyncStep) {
			step.Stage = store.StageImport
			step.Processed = len(step.Objects) + len(step.Failures)
			step.Incomplete = slices.ContainsFunc(step.Failures, func(f integration.SyncFailure) bool { return f.Broken })
			step.Total = r.expect(step.Total, step.Processed)
			if r.work.Mode != integration.SyncFull {
				step.Seen, step.Covered = nil, nil // it lists only what changed
			}
		},
	})
	if err != nil {
		return err
	}
	if r.work.Mode == integration.SyncFull {
		if r.work.SweptTo, err = r.tenant.SweepDetails(ctx, r.work.ID, r.fence, sweepEvery); err != nil {
			return err
		}
	}
	return r.commit(ctx, store.SyncStep{Stage: store.StageDetails})
}

// expect adds to the number of items that are listed those whose details will be read, as many as there were so far among them.
func (r *run) expect(listed *int, processing int) *int {
	if listed == nil {
		return nil
	}
	total := *listed + r.pending*max(*listed, 1)/max(r.work.Processed+processing, 1)
	return &total
}

// finish ends a run that went through all of its stages.
func (r *run) finish(ctx context.Context, problem string) error {
	now, err := r.tenant.SyncRun(ctx, r.work.ID)
	if err != nil {
		return err
	}
	if now == nil {
		return errLost
	}
	var problems []string
	if failed := failures(now); failed != "" {
		problems = append(problems, failed)
	}
	if problem != "" {
		problems = append(problems, problem)
	}
	end := store.SyncEnd{Status: integration.SyncSuccess, FullyRead: r.work.Mode == integration.SyncFull}
	if len(problems) > 0 {
		end.Status, end.Error = integration.SyncPartial, strings.Join(problems, "; ")
	}
	end.Since = r.nextSince()
	return r.end(ctx, end)
}

// nextSince is where the next incremental run begins: at the latest change that was seen, or the beginning of this run,
// whichever is earlier, with an overlap, and never before where this run began.
func (r *run) nextSince() *time.Time {
	next := r.work.StartedAt
	if seen := r.work.SeenUntil; seen != nil && seen.Before(next) {
		next = *seen
	} else if seen == nil && r.work.Since != nil {
		return r.work.Since
	}
	next = next.Add(-overlap)
	if r.work.Since != nil && next.Before(*r.work.Since) {
		next = *r.work.Since
	}
	return &next
}

// shownFailures is how many failed items a run's error names.
const shownFailures = 5

// failures tells how many items of a run failed, and which; empty where none did.
func failures(run *integration.SyncRun) string {
	n := 0
	for _, c := range run.Counts {
		n += c.Failed
	}
	if n == 0 {
		return ""
	}
	var named []string
	for _, f := range run.Failures[:min(len(run.Failures), shownFailures)] {
		named = append(named, fmt.Sprintf("%s %s (%s)", strings.ToLower(string(f.Type)), f.ExternalID, f.Reason))
	}
	if n > len(named) {
		named = append(named, fmt.Sprintf("and %d more", n-len(named)))
	}
	noun := "items"
	if n == 1 {
		noun = "item"
	}
	return fmt.Sprintf("%d %s could not be imported: %s", n, noun, strings.Join(named, ", "))
}
