package webhook

import (
	"context"
	"sync"
	"time"

	"patchbay/internal/provider"
	"patchbay/internal/store"
)

// keepOpen is how long an integration's connection is kept after its last use, so that a burst opens its secrets once.
const keepOpen = 5 * time.Minute

// opened is an integration's connection. Its lock is held while it is opened, so that others wait for that instead of doing the same.
type opened struct {
	mu         sync.Mutex
	connection provider.Connection // nil before
	revision   int                 // of the integration
	used       time.Time           // under the Service's lock
}

// connection connects to the integration that work is of, with its last connection if it is as it was.
func (s *Service) connection(ctx context.Context, tenant *store.Tenant, work *store.WebhookWork) (provider.Connection, error) {
	s.mu.Lock()
	o := s.open[work.IntegrationID]
	if o == nil {
		o = &opened{}
		s.open[work.IntegrationID] = o
	}
	o.used = time.Now()
	s.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.connection == nil || o.revision != work.Revision {
		connection, err := s.connect.Open(ctx, tenant, work.IntegrationID, "webhook")
		if err != nil {
			return nil, err
		}
		o.connection, o.revision = connection, work.Revision
	}
	return o.connection, nil
}

// closeIdle drops connections that were not used for a while.
func (s *Service) closeIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, o := range s.open {
		if time.Since(o.used) > keepOpen {
			delete(s.open, id)
		}
	}
}
