package provider_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"patchbay/internal/provider"
	"patchbay/internal/seal"
)

// metered is a third party that limits a token's requests, counts those beyond, and tells its limit as ClickUp does.
type metered struct {
	limit   int
	window  time.Duration
	first   bool          // a window begins with its first request; else all are aligned
	cut     time.Duration // the reset is cut to that
	up      bool          // and rounded up instead
	ahead   time.Duration // of our clock
	latency time.Duration // at most, each way
	silent  bool          // tells nothing of its limit
	fail    func(n int) bool
	during  func(context.Context) // what happens meanwhile; may be nil

	mu       sync.Mutex
	ends     time.Time
	inWindow int
	total    int
	beyond   int
}

func (m *metered) count() (status int, h http.Header) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now().Add(m.ahead)
	if !now.Before(m.ends) {
		m.inWindow = 0
		m.ends = now.Add(m.window)
		if !m.first {
			m.ends = now.Truncate(m.window).Add(m.window)
		}
	}
	m.inWindow++
	m.total++
	status = http.StatusOK
	h = http.Header{"Date": {now.UTC().Format(http.TimeFormat)}}
	reset := m.ends.Truncate(m.cut)
	if m.up && reset.Before(m.ends) {
		reset = reset.Add(m.cut)
	}
	if !m.silent {
		h.Set("X-RateLimit-Limit", strconv.Itoa(m.limit))
		h.Set("X-RateLimit-Remaining", strconv.Itoa(max(0, m.limit-m.inWindow)))
		h.Set("X-RateLimit-Reset", strconv.FormatInt(reset.UnixMilli(), 10))
	}
	if m.inWindow > m.limit {
		m.beyond++
		m.total--
		return http.StatusTooManyRequests, h
	}
	if m.fail != nil && m.fail(m.total) {
		return 0, nil
	}
	return status, h
}

func (m *metered) RoundTrip(r *http.Request) (*http.Response, error) {
	lag := func() { time.Sleep(m.latency/2 + rand.N(m.latency/2+1)) }
	lag()
	status, h := m.count()
	lag()
	if status == 0 {
		return nil, errors.New("the connection broke")
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

// readQuota reads what metered tells.
func readQuota(h http.Header) (q provider.Quota, told bool) {
	limit, err := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	if err != nil {
		return q, false
	}
	remaining, _ := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	reset, _ := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	return provider.Quota{Limit: limit, Remaining: remaining, Reset: time.UnixMilli(reset)}, true
}

func (m *metered) client(n *provider.Network, declared provider.Limit) *provider.Client {
	c := n.Client(provider.ClientOptions{
		Provider: "acme", Origin: "https://api.acme.example", Token: seal.NewSecret(canary), Limit: declared, Quota: readQuota,
	})
	c.Through(m)
	return c
}

// work sends requests from so many goroutines until ctx ends, as syncs do.
func work(ctx context.Context, c *provider.Client, goroutines int, problem func(error)) *sync.WaitGroup {
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for ctx.Err() == nil {
				err := c.Get(ctx, "/", nil, nil)
				var wait *provider.Wait
				switch {
				case errors.As(err, &wait):
					select {
					case <-time.After(time.Until(wait.Until)):
					case <-ctx.Done():
					}
				case err != nil && ctx.Err() == nil:
					problem(err)
				}
			}
		})
	}
	return &all
}

// processes runs so many processes with two integrations of one token each, for so long.
func processes(t *testing.T, m *metered, n int, declared provider.Limit, during time.Duration, problem func(error)) {
	synctest.Test(t, func(t *testing.T) {
		ledger := provider.NewMemory()
		ctx, cancel := context.WithTimeout(t.Context(), during)
		defer cancel()
		var workers []*sync.WaitGroup
		for range n {
			n := provider.NewNetwork(provider.NetworkOptions{Ledger: ledger, Fingerprint: func(seal.Secret) string { return "f" }})
			for range 2 {
				workers = append(workers, work(ctx, m.client(n, declared), 6, problem))
			}
		}
		if m.during != nil {
			var meanwhile sync.WaitGroup
			meanwhile.Go(func() { m.during(ctx) })
			workers = append(workers, &meanwhile)
		}
		for _, w := range workers {
			w.Wait()
		}
	})
}

// Several processes and integrations use one token as fast as they can: whatever the third party's windows are, nothing is
// sent beyond its limit, and most of it is used.
func TestNothingIsSentBeyondTheLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &metered{
			limit:   rapid.IntRange(5, 150).Draw(rt, "limit"),
			window:  time.Duration(rapid.SampledFrom([]int{2, 3, 5, 10, 60, 3600}).Draw(rt, "window")) * time.Second,
			first:   rapid.Bool().Draw(rt, "windows begin with a request"),
			cut:     rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second}).Draw(rt, "reset's unit"),
			up:      rapid.Bool().Draw(rt, "reset rounded up"),
			ahead:   time.Duration(rapid.IntRange(-90_000, 90_000).Draw(rt, "clock")) * time.Millisecond,
			latency: time.Duration(rapid.IntRange(2, 100).Draw(rt, "latency")) * time.Millisecond,
		}
		n := rapid.IntRange(1, 3).Draw(rt, "processes")
		processes(t, m, n, provider.Limit{Requests: min(100, m.limit), Window: time.Minute}, 6*m.window, func(err error) { t.Error(err) })
		if m.beyond > 0 {
			rt.Fatalf("%d requests were beyond the limit, %d within", m.beyond, m.total)
		}
		share := float64(m.total) / float64(6*m.limit)
		if least := map[bool]float64{true: 0.8, false: 0.5}[m.window >= 10*time.Second]; share < least {
			rt.Fatalf("only %.0f %% of the limit were used", 100*share)
		}
	})
}

// Some answers get lost on the way, the first of windows too.
func TestLostAnswersCount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		every := rapid.IntRange(3, 20).Draw(rt, "every so many")
		m := &metered{
			limit: rapid.IntRange(20, 200).Draw(rt, "limit"), window: 10 * time.Second, first: rapid.Bool().Draw(rt, "windows begin with a request"),
			cut: time.Second, latency: 50 * time.Millisecond, fail: func(n int) bool { return n%every == 0 },
		}
		processes(t, m, 2, provider.Limit{Requests: 20, Window: 10 * time.Second}, 6*m.window, func(error) {})
		if m.beyond > 0 || m.total < 3*m.limit {
			rt.Fatalf("%d requests were beyond the limit, %d within", m.beyond, m.total)
		}
	})
}

// A third party that tells nothing gets what it publishes, wherever its windows lie.
func TestWithoutAnswersThatTellTheDeclaredLimitHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &metered{
			limit: 100, window: time.Minute, first: rapid.Bool().Draw(rt, "windows begin with a request"), cut: time.Second, silent: true,
			latency: time.Duration(rapid.IntRange(2, 2000).Draw(rt, "latency")) * time.Millisecond,
			ahead:   time.Duration(rapid.IntRange(0, 60_000).Draw(rt, "clock")) * time.Millisecond,
		}
		processes(t, m, 2, provider.Limit{Requests: 100, Window: time.Minute}, 10*time.Minute, func(err error) { t.Error(err) })
		if m.beyond > 0 {
			rt.Fatalf("%d requests were beyond the limit, %d within", m.beyond, m.total)
		}
		if m.total < 500 {
			rt.Fatalf("only %d requests were sent", m.total)
		}
	})
}

// Somebody else uses the same token, half of its limit, and nobody tells us: what answers say is left counts, and refusals
// are few.
func TestOthersWhoUseATokenAreCounted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &metered{
			limit: rapid.IntRange(60, 150).Draw(rt, "limit"), window: time.Minute, cut: time.Second, latency: 100 * time.Millisecond,
			first: rapid.Bool().Draw(rt, "windows begin with a request"),
		}
		theirs, refused := 0, 0
		m.during = func(ctx context.Context) {
			for ctx.Err() == nil {
				time.Sleep(rand.N(4 * m.window / time.Duration(m.limit)))
				if status, _ := m.count(); status == http.StatusOK {
					theirs++
				} else {
					refused++
				}
			}
		}
		const windows = 5
		processes(t, m, 2, provider.Limit{Requests: 20, Window: time.Minute}, windows*m.window, func(err error) { t.Error(err) })
		if ours := m.beyond - refused; ours > 12*windows {
			rt.Fatalf("%d of our requests were refused", ours)
		}
		if m.total < windows*m.limit*7/10 {
			rt.Fatalf("only %d requests were sent, %d of them by others", m.total, theirs)
		}
	})
}
