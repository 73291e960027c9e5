package graph

import (
	"context"
	"hash/maphash"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"patchbay/graph/model"
	"patchbay/internal/auth"
	"patchbay/internal/integration"
	"patchbay/internal/live"
	"patchbay/internal/store"
)

const (
	// runPatience is how long a run's silence is believed: a process may die between what it does and the word of it.
	runPatience = time.Minute
	// readPause is how long a subscription waits after it could not read.
	readPause = time.Second
	// fewStates is up to how many states are read one by one.
	fewStates = 5
)

func (s subscription) SyncRunProgress(ctx context.Context, runID uuid.UUID) (<-chan *integration.SyncRun, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	tenant := s.DB.Tenant(p.Scope())
	return follow(ctx, s.Resolver, p, live.Run(runID), &feed[integration.SyncRun]{
		patience: runPatience,
		read: func(ctx context.Context, _ []uuid.UUID, _ bool) ([]*integration.SyncRun, error) {
			run, err := tenant.SyncRun(ctx, runID)
			if err == nil && run == nil {
				err = integration.NotFound("no such run")
			}
			return []*integration.SyncRun{run}, err
		},
		id:    func(run *integration.SyncRun) uuid.UUID { return run.ID },
		ended: (*integration.SyncRun).Ended,
	})
}

func (s subscription) SyncStateChanged(ctx context.Context, orgID string, projectID uuid.UUID) (<-chan *integration.SyncState, error) {
	tenant, err := s.tenant(ctx, orgID)
	if err != nil {
		return nil, err
	}
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return follow(ctx, s.Resolver, p, live.States(projectID), &feed[integration.SyncState]{
		quiet: true,
		read: func(ctx context.Context, changed []uuid.UUID, all bool) ([]*integration.SyncState, error) {
			return readStates(ctx, tenant, projectID, changed, all)
		},
		id:    func(state *integration.SyncState) uuid.UUID { return state.IntegrationID },
		ended: func(*integration.SyncState) bool { return false },
	})
}

func (s subscription) IntegrationChanged(ctx context.Context, orgID string, projectID uuid.UUID) (<-chan *model.IntegrationChange, error) {
	tenant, err := s.tenant(ctx, orgID)
	if err != nil {
		return nil, err
	}
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	there := integrations{tenant: tenant, project: projectID, with: with(ctx), known: map[uuid.UUID]struct{}{}}
	return follow(ctx, s.Resolver, p, live.Integrations(projectID), &feed[model.IntegrationChange]{
		quiet: true,
		read:  there.read,
		id:    func(c *model.IntegrationChange) uuid.UUID { return c.IntegrationID },
		ended: func(*model.IntegrationChange) bool { return false },
	})
}

// integrations reads which integrations a project has, for one subscriber.
type integrations struct {
	tenant  *store.Tenant
	project uuid.UUID
	with    store.With
	known   map[uuid.UUID]struct{} // those that were there when it read last
}

func (r *integrations) read(ctx context.Context, changed []uuid.UUID, all bool) ([]*model.IntegrationChange, error) {
	var found []*integration.PublicIntegration
	if all || len(changed) > fewStates {
		var err error
		if found, err = r.tenant.ProjectIntegrations(ctx, r.project, r.with); err != nil {
			return nil, err
		}
		changed = slices.Collect(maps.Keys(r.known))
	} else {
		for _, id := range changed {
			i, err := r.tenant.IntegrationByID(ctx, id, r.with)
			if err != nil {
				return nil, err
			}
			if i != nil {
				found = append(found, i)
			}
		}
	}
	if err := withIntegrationRuns(ctx, r.tenant, found...); err != nil {
		return nil, err
	}
	var news []*model.IntegrationChange
	here := map[uuid.UUID]struct{}{}
	for _, i := range found {
		here[i.ID], r.known[i.ID] = struct{}{}, struct{}{}
		news = append(news, &model.IntegrationChange{IntegrationID: i.ID, Integration: i})
	}
	for _, id := range changed {
		_, still := here[id]
		if _, was := r.known[id]; was && !still {
			delete(r.known, id)
			news = append(news, &model.IntegrationChange{IntegrationID: id})
		}
	}
	return news, nil
}

// readStates reads the states that may have changed. Of an integration that is gone there is none.
func readStates(ctx context.Context, tenant *store.Tenant, project uuid.UUID, changed []uuid.UUID, all bool) (states []*integration.SyncState, err error) {
	if all || len(changed) > fewStates {
		if states, err = tenant.SyncStates(ctx, project, nil); err != nil {
			return nil, err
		}
		return states, withRuns(ctx, tenant, states...)
	}
	for _, id := range changed {
		state, err := tenant.SyncState(ctx, id)
		if err != nil {
			return nil, err
		}
		if state != nil {
			states = append(states, state)
		}
	}
	return states, withRuns(ctx, tenant, states...)
}

// feed is what a subscription sends.
type feed[T any] struct {
	// read returns what there is to see, under the subscriber's own scope; with all, not only of what changed.
	read func(ctx context.Context, changed []uuid.UUID, all bool) ([]*T, error)
	id   func(*T) uuid.UUID
	// ended tells whether nothing more happens to it.
	ended func(*T) bool
	// quiet keeps what is there in the beginning back.
	quiet bool
	// patience is after how long without news it is read anyway; 0 is never.
	patience time.Duration

	sent map[uuid.UUID]uint64 // a hash of what the subscriber knows
}

// follow subscribes to a topic and sends what the feed reads, until ctx or the feed ends. It reads after it has subscribed, so
// that nothing gets lost in between, and sends nothing twice. A subscriber that is slower than the changes gets fewer of them,
// and always the last.
func follow[T any](ctx context.Context, r *Resolver, p integration.Principal, topic live.Topic, f *feed[T]) (<-chan *T, error) {
	s, err := r.Live.Subscribe(p, topic)
	if err != nil {
		return nil, err
	}
	out, begun := make(chan *T), make(chan error, 1)
	go func() {
		defer close(out)
		defer s.Close()
		defer func() {
			if v := recover(); v != nil {
				begun <- recovered(r.Log)(ctx, v)
			}
		}()
		fresh, err := f.begin(ctx)
		if begun <- err; err != nil {
			return
		}
		for f.send(ctx, out, fresh) {
			if fresh, err = f.next(ctx, r, s); err != nil {
				return
			}
		}
	}()
	// It reads over there, because a stack that has grown with that stays large where it is deep anyway: 8 KB each.
	if err := <-begun; err != nil {
		return nil, err
	}
	tellBegun(ctx)
	return out, nil
}

// begin reads what there is to see at first.
func (f *feed[T]) begin(ctx context.Context) ([]*T, error) {
	first, err := f.read(ctx, nil, true)
	if err != nil {
		return nil, err
	}
	f.sent = make(map[uuid.UUID]uint64, len(first))
	if first = f.fresh(first); f.quiet {
		return nil, nil
	}
	return first, nil
}

// send reports whether to go on.
func (f *feed[T]) send(ctx context.Context, out chan<- *T, fresh []*T) bool {
	for _, v := range fresh {
		select {
		case out <- v:
		case <-ctx.Done():
			return false
		}
		if f.ended(v) {
			return false
		}
	}
	return true
}

// next waits for news and reads them. A failure other than that there is nothing any more may pass: it reads again.
func (f *feed[T]) next(ctx context.Context, r *Resolver, s *live.Subscription) (fresh []*T, err error) {
	var late <-chan time.Time
	if f.patience > 0 {
		timer := time.NewTimer(f.patience)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-s.News():
	case <-late:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	changed, all := s.Take()
	for {
		err := r.Live.Read(ctx, func() (err error) {
			fresh, err = f.read(ctx, changed, all)
			return err
		})
		if err == nil {
			return f.fresh(fresh), nil
		}
		if ctx.Err() != nil || integration.IsKind(err, integration.KindNotFound) {
			return nil, err
		}
		r.Log.WarnContext(ctx, "a subscription cannot read", "error", err, "again_in", readPause.String())
		select {
		case <-time.After(readPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

var seed = maphash.MakeSeed()

// fresh are those that the subscriber does not know yet.
func (f *feed[T]) fresh(all []*T) (fresh []*T) {
	for _, v := range all {
		hash := maphash.Bytes(seed, mustMarshal(v))
		if known, ok := f.sent[f.id(v)]; !ok || known != hash {
			f.sent[f.id(v)] = hash
			fresh = append(fresh, v)
		}
	}
	return fresh
}
