// Package live tells who waits for news about integrations and their synchronisations that there are some, whichever process made
// them. It says what changed, not how: who hears it reads that, under a scope of its own.
package live

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

const (
	// MaxSlots and MaxSlotsEach bound what this process, and one principal in it, may have open: subscriptions and
	// WebSocket connections count one each.
	MaxSlots     = 10_000
	MaxSlotsEach = 2_000
	// retryAfter is what is said to who finds no slot: streams end when they end.
	retryAfter = 10 * time.Second

	// maxChanged is how many integrations a subscription remembers before it is told to look at all of them.
	maxChanged = 100
	// maxReads is how many subscriptions may read at the same time, half of the connections that the pool has by default: the
	// others are for requests.
	maxReads = 4

	// firstPause and longestPause bound how long it takes to listen again after the connection broke.
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// Hub hands events to subscriptions. It holds no event for anybody: a subscription that does not keep up finds all that
// happened meanwhile as one.
type Hub struct {
	database store.Options
	log      *slog.Logger
	draining context.Context
	drain    context.CancelFunc
	reads    chan struct{}

	mu            sync.Mutex
	subscriptions map[Topic]map[*Subscription]struct{}
	slots         int
	slotsEach     map[string]int // by principal
	empty         chan struct{}  // closed once no slot is taken; nil unless somebody waits
}

// New makes a hub that hears what is published in a database. Listen makes it hear.
func New(database store.Options, log *slog.Logger) *Hub {
	h := &Hub{
		database:      database,
		log:           log,
		reads:         make(chan struct{}, maxReads),
		subscriptions: map[Topic]map[*Subscription]struct{}{},
		slotsEach:     map[string]int{},
	}
	h.draining, h.drain = context.WithCancel(context.Background())
	return h
}

// Listen hears events until ctx ends. Where the connection breaks it connects again, and tells every subscription that it
// may have missed something.
func (h *Hub) Listen(ctx context.Context) {
	pause := firstPause
	for {
		err := store.Listen(ctx, h.database, func() {
			pause = firstPause
			h.missed()
		}, h.heard)
		if ctx.Err() != nil {
			return
		}
		h.log.WarnContext(ctx, "cannot hear of what other processes do: subscriptions lag until that works again", "error", err, "again_in", pause.String())
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// heard wakes the subscriptions to an event's topics.
func (h *Hub) heard(e store.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	topics := []Topic{Run(e.Run), States(e.Project)}
	if e.Itself {
		topics = append(topics, Integrations(e.Project))
	}
	for _, topic := range topics {
		for s := range h.subscriptions[topic] {
			if s.changed[e.Integration] = struct{}{}; len(s.changed) > maxChanged {
				clear(s.changed)
				s.all = true
			}
			s.wake()
		}
	}
}

// missed wakes every subscription.
func (h *Hub) missed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, subscriptions := range h.subscriptions {
		for s := range subscriptions {
			s.all = true
			s.wake()
		}
	}
}

// Drain refuses further slots, ends Draining, and waits until every slot is released or ctx ends.
func (h *Hub) Drain(ctx context.Context) {
	h.mu.Lock()
	h.drain()
	if h.empty == nil {
		h.empty = make(chan struct{})
		if h.slots == 0 {
			close(h.empty)
		}
	}
	h.mu.Unlock()
	select {
	case <-h.empty:
	case <-ctx.Done():
	}
}

// Draining ends when what is open has to end, because the process does.
func (h *Hub) Draining() context.Context { return h.draining }

// Slot takes one of the principal's slots until release, which may be called again. With none free it is RateLimited.
func (h *Hub) Slot(p integration.Principal) (release func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.slot(p)
}

func (h *Hub) slot(p integration.Principal) (release func(), err error) {
	principal := p.Org + "\x00" + p.Subject
	switch {
	case h.draining.Err() != nil:
		return nil, integration.RateLimited(retryAfter, "this server is ending: connect again")
	case h.slots >= MaxSlots:
		return nil, integration.RateLimited(retryAfter, "this server has %d subscriptions and connections open, and no more are allowed: try again later", MaxSlots)
	case h.slotsEach[principal] >= MaxSlotsEach:
		return nil, integration.RateLimited(retryAfter, "%s has %d subscriptions and connections open, and no more are allowed: end some first", p.Subject, MaxSlotsEach)
	}
	h.slots++
	h.slotsEach[principal]++
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.slots--
		if h.slotsEach[principal]--; h.slotsEach[principal] == 0 {
			delete(h.slotsEach, principal)
		}
		if h.slots == 0 && h.empty != nil {
			close(h.empty)
		}
	}), nil
}

// Read calls fn when few others read, unless ctx ends before.
func (h *Hub) Read(ctx context.Context, fn func() error) error {
	select {
	case h.reads <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.reads }()
	return fn()
}
