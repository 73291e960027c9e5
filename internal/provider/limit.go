package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Ledger keeps what the processes that share a token know of its limit. store.DB is one.
type Ledger interface {
	// ChangeRateLimit gives change the time and the state that is kept for a token, and keeps what it returns. For one
	// token no two changes happen at once, in whichever process. The first state is an empty JSON object.
	ChangeRateLimit(ctx context.Context, fingerprint string, change func(now time.Time, state []byte) ([]byte, error)) error
}

const (
	// pollProbe is how often a process looks whether another one's probe was answered.
	pollProbe = 50 * time.Millisecond
	// reportTimeout is for telling the ledger what an answer told, which outlives the request.
	reportTimeout = 5 * time.Second
	// clockMargin is what the clocks of a third party's servers may differ by.
	clockMargin = 100 * time.Millisecond
	// clockAge is how long the best reading of a third party's clock counts.
	clockAge = 10 * time.Minute
	// maxWindow bounds what an answer may say of a window's end: no provider's is longer than an hour.
	maxWindow = 2 * time.Hour
	// unpublished stands for a limit that a provider does not publish: its answers will tell.
	unpublished = 1 << 20
)

// limiter hands out permits for one token's requests in this process.
type limiter struct {
	ledger      Ledger
	fingerprint string
	log         *slog.Logger
	limit       Limit // the declared one

	mu         sync.Mutex
	generation int64
	named      bool
	permits    int
	probe      bool      // permits is one, and a probe
	owed       int       // permits to be given up for what was sent without one
	until      time.Time // permits are void
	opens      time.Time // before then the ledger has none
	polls      bool      // opens is when to look again whether a probe was answered
	shut       int64     // the last generation that a request was refused in
	seen       int       // the least that an answer of this generation said is left; -1 where none did
	flights    map[int64]int
	asking     bool
	changed    chan struct{} // closed, and made anew, when any of this changed for the better

	// behind is how far this process's clock is behind the third party's at least, which is as close as readings in whole
	// seconds get, and readAt when that was read; zero while it was not.
	behind time.Duration
	readAt time.Time
}

// permit is the right to send one request.
type permit struct {
	generation int64
	probe      bool
	stragglers int // requests of earlier generations that had no answer then
}

func newLimiter(ledger Ledger, fingerprint string, log *slog.Logger, limit Limit) *limiter {
	if limit.Requests <= 0 {
		limit.Requests = unpublished
	}
	if limit.Window <= 0 {
		limit.Window = time.Minute
	}
	return &limiter{ledger: ledger, fingerprint: fingerprint, log: log, limit: limit, seen: -1, flights: map[int64]int{}, changed: make(chan struct{})}
}

// take waits for a permit for a few seconds at most. ok is false where it would take longer; retry is the time to ask
// again then. The permit is to be handed to one of the other methods once the request is over.
func (l *limiter) take(ctx context.Context) (p permit, retry time.Time, ok bool, err error) {
	gives := time.Now().Add(patience)
	for {
		l.mu.Lock()
		now := time.Now()
		if l.permits > 0 && now.Before(l.until) {
			if l.owed > 0 && !l.probe {
				n := min(l.owed, l.permits)
				l.owed, l.permits = l.owed-n, l.permits-n
				l.mu.Unlock()
				continue
			}
			p = l.spend()
			l.mu.Unlock()
			return p, time.Time{}, true, nil
		}
		wait, changed := l.opens.Sub(now), l.changed
		switch {
		case l.asking:
			wait = gives.Sub(now)
		case wait <= 0:
			l.asking = true
			l.mu.Unlock()
			if err := l.ask(ctx); err != nil {
				return permit{}, time.Time{}, false, err
			}
			continue
		case l.polls:
			wait = min(wait, gives.Sub(now))
		}
		l.mu.Unlock()
		if wait <= 0 {
			return permit{}, now.Add(time.Second), false, nil // no answer to a probe yet
		}
		if now.Add(wait).After(gives) {
			return permit{}, now.Add(wait), false, nil
		}
		timer := time.NewTimer(wait + rand.N(wait/20+time.Millisecond))
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
		if err := ctx.Err(); err != nil {
			return permit{}, time.Time{}, false, err
		}
	}
}

// spend uses a permit; the caller holds the lock.
func (l *limiter) spend() permit {
	p := permit{generation: l.generation, probe: l.probe}
	l.permits--
	l.probe = false
	if p.probe {
		for generation, n := range l.flights {
			if generation < l.generation {
				p.stragglers += n
			}
		}
	}
	l.flights[p.generation]++
	return p
}

// owe has so many permits given up, if any, before others are spent.
func (l *limiter) owe(permits int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owed += max(0, permits)
}

// ask takes permits from the ledger and gives back what is left. One goroutine at a time does.
func (l *limiter) ask(ctx context.Context) error {
	l.mu.Lock()
	a := ask{limit: l.limit, generation: l.generation, unspent: l.permits, probe: l.probe, seen: l.seen}
	l.permits, l.probe = 0, false
	l.mu.Unlock()

	var g grant
	var at time.Time
	before := time.Now()
	err := l.change(ctx, func(now time.Time, w *window) {
		at, g = now, w.take(now, a)
	})
	after := time.Now()

	l.mu.Lock()
	defer l.mu.Unlock()
	l.asking = false
	l.wake()
	if err != nil {
		return err
	}
	if g.generation != l.generation {
		l.seen = -1
	}
	if g.permits > 0 && g.generation == l.shut {
		return nil // refused while the ledger was asked
	}
	l.generation, l.named = g.generation, g.named
	l.permits, l.probe = g.permits, g.probe
	// The ledger's clock is another one. It was read between before and after.
	l.until = before.Add(g.until.Sub(at))
	if g.permits == 0 {
		l.opens, l.polls = after.Add(g.wait.Sub(at)), g.probing
		if g.probing {
			l.opens = earlier(l.opens, after.Add(pollProbe))
		}
	}
	return nil
}

// wake lets those look again who wait; the caller holds the lock.
func (l *limiter) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *limiter) change(ctx context.Context, fn func(now time.Time, w *window)) error {
	err := l.ledger.ChangeRateLimit(ctx, l.fingerprint, func(now time.Time, state []byte) ([]byte, error) {
		var w window
		if err := json.Unmarshal(state, &w); err != nil {
			return nil, err
		}
		fn(now, &w)
		return json.Marshal(w)
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("take part in a token's rate limit: %w", err)
	}
	return err
}

// report changes the ledger after an answer, whatever became of the request's context.
func (l *limiter) report(ctx context.Context, fn func(now time.Time, w *window)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
	defer cancel()
	if err := l.change(ctx, fn); err != nil {
		l.log.WarnContext(ctx, "a rate limit could not be noted", "error", err)
	}
}

// unanswered ends a request that had no answer.
func (l *limiter) unanswered(ctx context.Context, p permit) {
	l.mu.Lock()
	l.land(p)
	l.mu.Unlock()
	if p.probe {
		l.report(ctx, func(now time.Time, w *window) { w.lost(now, p.generation) })
		l.reopen(p.generation)
	}
}

// answered ends a request whose answer told this, or nothing. failed is an answer that another server may have given in
// the place of the one that counts.
func (l *limiter) answered(ctx context.Context, p permit, h http.Header, q Quota, told, failed bool) {
	l.mu.Lock()
	now := time.Now()
	l.land(p)
	l.readClock(now, h)
	early, late := l.windowEnds(now, q)
	news := p.probe || told && !l.named
	if told && p.generation == l.generation {
		l.permits = min(l.permits, max(0, q.Remaining))
		if l.seen < 0 || q.Remaining < l.seen {
			l.seen = max(0, q.Remaining)
		}
		l.named = true
	}
	l.mu.Unlock()
	if !news {
		return
	}
	l.report(ctx, func(at time.Time, w *window) {
		switch {
		case told:
			w.told(at, p.generation, q.Limit, q.Remaining, p.stragglers, at.Add(early), at.Add(late))
		case failed:
			w.lost(at, p.generation)
		default:
			w.silent(at, p.generation, l.limit)
		}
	})
	l.reopen(p.generation)
}

// refused ends a request that was refused for the limit, and returns when the token may be used again.
func (l *limiter) refused(ctx context.Context, p permit, h http.Header, q Quota, told bool) time.Time {
	l.mu.Lock()
	now := time.Now()
	l.land(p)
	l.readClock(now, h)
	pause, ok := retryAfter(h)
	if _, late := l.windowEnds(now, q); told && q.Remaining <= 0 {
		pause, ok = max(pause, late), true
	}
	if !ok {
		pause = l.limit.Window
	}
	pause = max(pause, leaseFor+quiet)
	l.shut = max(l.shut, p.generation)
	if p.generation == l.generation {
		l.permits, l.opens, l.polls = 0, later(l.opens, now.Add(pause)), false
	}
	opens := later(l.opens, now.Add(time.Second)) // there may be permits anew, if the refusal comes late
	l.mu.Unlock()
	l.report(ctx, func(at time.Time, w *window) { w.shut(at, p.generation, pause) })
	return opens
}

// land notes that a request is over; the caller holds the lock.
func (l *limiter) land(p permit) {
	if l.flights[p.generation]--; l.flights[p.generation] == 0 {
		delete(l.flights, p.generation)
	}
}

// reopen lets the ledger be asked at once, now that a probe is over.
func (l *limiter) reopen(generation int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if generation == l.generation {
		l.opens = time.Time{}
		l.wake()
	}
}

// readClock compares an answer's date with the clock; the caller holds the lock. A date is cut to seconds, so of several
// readings the one that is furthest ahead is the best.
func (l *limiter) readClock(now time.Time, h http.Header) {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	if behind := date.Sub(now); l.readAt.IsZero() || behind > l.behind || now.Sub(l.readAt) > clockAge {
		l.behind, l.readAt = behind, now
	}
}

// windowEnds is how long the third party's window probably, and at most, still lasts; the caller holds the lock.
func (l *limiter) windowEnds(now time.Time, q Quota) (early, late time.Duration) {
	late = q.Reset.Add(-l.behind).Sub(now) + clockMargin
	if l.readAt.IsZero() {
		late += 2 * time.Second
	}
	early = late
	if q.Reset.Nanosecond() == 0 { // it may have been cut to seconds
		late += time.Second
	}
	clamp := func(d time.Duration) time.Duration { return min(max(d, 2*quiet), maxWindow) }
	return clamp(early), clamp(late)
}
