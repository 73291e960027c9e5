package webhook

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

const (
	// publishEvery bounds how often subscribers are told of an integration's objects.
	publishEvery = 250 * time.Millisecond
	// watchEvery is how often every process that works on jobs looks for objects whose worker died, and for integrations that were
	// enabled. With the lease it bounds how long an object rests after its worker was killed.
	watchEvery = 3 * time.Second
	// noteEvery is how often it is written, and told to subscribers, when deliveries came, and how many nobody signed.
	noteEvery = 5 * time.Second
	// notesAtOnce bounds one statement.
	notesAtOnce = 1000
	// lastNotes is how long writing that may take as the process ends.
	lastNotes = 5 * time.Second
	// netEvery is how often objects are looked for that no job is queued for, and netAge how long none has been heard of.
	netEvery = time.Minute
	netAge   = time.Minute
	// netAtOnce bounds one look.
	netAtOnce = 500
	// pruneEvery is how often old deliveries are removed.
	pruneEvery = time.Hour
	// historyAge is how long deliveries are kept.
	historyAge = 14 * 24 * time.Hour
	// pruneAtOnce bounds one statement.
	pruneAtOnce = 1000
	// unparkAtOnce bounds one transaction.
	unparkAtOnce = 500
)

// Watch keeps webhooks going until ctx ends. Each process that receives deliveries, or works on jobs, runs one.
func (s *Service) Watch(ctx context.Context) {
	publish, watch, notes := time.NewTicker(publishEvery), time.NewTicker(watchEvery), time.NewTicker(noteEvery)
	defer publish.Stop()
	defer watch.Stop()
	defer notes.Stop()
	try := func(what string, fn func(context.Context) error) {
		if err := fn(ctx); err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, what+"; it is tried again", "error", err)
		}
	}
	var pruning sync.WaitGroup // which may take long, and holds up nothing else
	defer pruning.Wait()
	pruning.Go(func() {
		tick := time.NewTicker(pruneEvery)
		defer tick.Stop()
		for ctx.Err() == nil {
			try("old deliveries cannot be removed", s.prune)
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	})
	var caught time.Time
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastNotes)
			defer cancel()
			s.publish(last)
			if err := s.writeNotes(last); err != nil {
				s.Log.ErrorContext(last, "when the last deliveries of webhooks came cannot be noted", "error", err)
			}
			return
		case <-publish.C:
			s.publish(ctx)
		case <-watch.C:
			try("objects whose worker died cannot be taken over", s.takeOver)
			try("parked deliveries cannot be taken up", s.unpark)
			s.closeIdle()
			if time.Since(caught) > netEvery {
				caught = time.Now()
				try("objects without a job cannot be taken over", s.catchJobless)
			}
		case <-notes.C:
			try("when deliveries of webhooks came cannot be noted", s.writeNotes)
		}
	}
}

// takeOver gives objects whose worker died to new jobs.
func (s *Service) takeOver(ctx context.Context) error {
	orphans, err := s.db.OrphanedWebhookObjects(ctx, lease)
	return errors.Join(err, s.renew(ctx, orphans, lease, "an object that a webhook told of had lost its worker"))
}

// catchJobless gives objects to new jobs whose job is not there any more, as after somebody emptied the queue.
func (s *Service) catchJobless(ctx context.Context) error {
	jobless, err := s.db.JoblessWebhookObjects(ctx, netAge, netAtOnce)
	return errors.Join(err, s.renew(ctx, jobless, netAge, "an object that a webhook told of had lost its job"))
}

// renew gives objects that no worker has held for so long to new jobs. One that fails leaves the others.
func (s *Service) renew(ctx context.Context, orphans []store.OrphanedWebhookObject, since time.Duration, what string) (failed error) {
	for _, o := range orphans {
		failed = errors.Join(failed, s.db.Tenant(integration.Scope{Org: o.Org}).InTx(ctx, func(tx *store.Tenant) error {
			fence, err := tx.TakeOverWebhookObject(ctx, o.ID, since)
			if err != nil || fence == 0 {
				return err
			}
			s.Log.WarnContext(ctx, what, "object", o.ID)
			return tx.Enqueue(ctx, objectArgs{Org: o.Org, Object: o.ID, Fence: fence})
		}))
	}
	return failed
}

// unpark takes up the deliveries of integrations that were enabled. One that fails leaves the others.
func (s *Service) unpark(ctx context.Context) error {
	parked, failed := s.db.ParkedWebhooks(ctx, unparkAtOnce)
	for _, p := range parked {
		failed = errors.Join(failed, s.db.Tenant(integration.Scope{Org: p.Org}).InTx(ctx, func(tx *store.Tenant) error {
			objects, err := tx.UnparkWebhook(ctx, p.ID, unparkAtOnce)
			if err != nil {
				return err
			}
			for _, object := range objects {
				if err := tx.Enqueue(ctx, objectArgs{Org: p.Org, Object: object, Fence: store.FirstFence}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return failed
}

// prune removes deliveries that came long ago, whatever became of them. An organisation's that fail leave the others'.
func (s *Service) prune(ctx context.Context) error {
	before := time.Now().Add(-historyAge)
	orgs, failed := s.db.OrganisationsWithOldDeliveries(ctx, before)
	for _, org := range orgs {
		for removed := pruneAtOnce; removed == pruneAtOnce; {
			var err error
			removed, err = s.db.Tenant(integration.Scope{Org: org}).PruneDeliveries(ctx, before, pruneAtOnce)
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// change notes that subscribers are to be told of an integration's objects.
func (s *Service) change(work *store.WebhookWork) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed[work.IntegrationID] = work.ProjectID
}

// publish tells subscribers of what changed. Should that fail, they see the change with the next one.
func (s *Service) publish(ctx context.Context) {
	s.mu.Lock()
	changed := s.changed
	s.changed = map[uuid.UUID]uuid.UUID{}
	s.mu.Unlock()
	for id, project := range changed {
		if err := s.db.Publish(ctx, store.Event{Project: project, Integration: id}); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "subscribers cannot be told of a change", "integration", id, "error", err)
		}
	}
}
