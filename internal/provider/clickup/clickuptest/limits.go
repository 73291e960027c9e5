package clickuptest

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// limits count requests by token. A window begins with a token's first request.
type limits struct {
	mu       sync.Mutex
	requests int // a window; 0 is no limit
	window   time.Duration
	tokens   map[string]*allowance
	beyond   int
}

type allowance struct {
	ends time.Time
	used int
}

// SetRateLimit changes the limit, and begins every window anew. 0 requests is no limit. Because the API tells the end of a
// window in whole seconds, that is when it ends.
func (s *Server) SetRateLimit(requests int, window time.Duration) { s.limits.set(requests, window) }

// BeyondLimit counts the requests that were answered 429. A client that heeds the headers leaves it at 0.
func (s *Server) BeyondLimit() int {
	s.limits.mu.Lock()
	defer s.limits.mu.Unlock()
	return s.limits.beyond
}

func (l *limits) set(requests int, window time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests, l.window, l.tokens = requests, window, map[string]*allowance{}
}

// take counts a request and says in the headers what is left. It is false for one too many.
func (l *limits) take(header http.Header, token string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.requests == 0 {
		return true
	}
	a := l.tokens[token]
	if a == nil || !now.Before(a.ends) {
		a = &allowance{ends: now.Add(l.window + time.Second - time.Nanosecond).Truncate(time.Second)}
		l.tokens[token] = a
	}
	a.used++
	header.Set("X-RateLimit-Limit", strconv.Itoa(l.requests))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(max(0, l.requests-a.used)))
	header.Set("X-RateLimit-Reset", strconv.FormatInt(a.ends.Unix(), 10))
	if a.used > l.requests {
		l.beyond++
		return false
	}
	return true
}
