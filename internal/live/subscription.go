package live

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"patchbay/internal/integration"
)

// Topic is what a subscription hears of.
type Topic struct {
	id     uuid.UUID
	itself bool
}

// Run is what a run does.
func Run(id uuid.UUID) Topic { return Topic{id: id} }

// States is how a project's integrations and their synchronisations stand.
func States(project uuid.UUID) Topic { return Topic{id: project} }

// Integrations is which integrations a project has, how they are configured, and when their webhooks deliver.
func Integrations(project uuid.UUID) Topic { return Topic{id: project, itself: true} }

// Subscription is somebody's wish to hear of one topic. What happened since it was last taken is one set of integrations,
// whose size is bounded.
type Subscription struct {
	hub     *Hub
	topic   Topic
	release func()
	news    chan struct{}
	changed map[uuid.UUID]struct{} // guarded by hub.mu, like all
	all     bool
}

// Subscribe hears of a topic until Close. It takes one of the principal's slots. Whether the
// principal may see the topic is the caller's to check, after this: what happens in between is then heard.
func (h *Hub) Subscribe(p integration.Principal, topic Topic) (*Subscription, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	release, err := h.slot(p)
	if err != nil {
		return nil, err
	}
	s := &Subscription{hub: h, topic: topic, release: release, news: make(chan struct{}, 1), changed: map[uuid.UUID]struct{}{}}
	if h.subscriptions[topic] == nil {
		h.subscriptions[topic] = map[*Subscription]struct{}{}
	}
	h.subscriptions[topic][s] = struct{}{}
	return s, nil
}

// wake is called under hub.mu.
func (s *Subscription) wake() {
	select {
	case s.news <- struct{}{}:
	default: // it has not looked yet
	}
}

// News receives when there is something to Take.
func (s *Subscription) News() <-chan struct{} { return s.news }

// Take returns the integrations that something happened to since the last call. With all, any may have changed.
func (s *Subscription) Take() (changed []uuid.UUID, all bool) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	changed, all = slices.Collect(maps.Keys(s.changed)), s.all
	clear(s.changed)
	s.all = false
	return changed, all
}

// Close ends the subscription. It may be called again.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	if subscriptions := s.hub.subscriptions[s.topic]; subscriptions != nil {
		delete(subscriptions, s)
		if len(subscriptions) == 0 {
			delete(s.hub.subscriptions, s.topic)
		}
	}
	s.hub.mu.Unlock()
	s.release()
}
