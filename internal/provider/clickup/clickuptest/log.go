package clickuptest

import (
	"maps"
	"net/http"
	"sync"
)

// A Request is an entry of a server's log.
type Request struct {
	Method string
	URI    string
	Route  string // such as "GET /api/v2/list/{list_id}/task"; "unknown path" for others
	Status int
}

// logged is how many requests a server remembers.
const logged = 2000

type requestLog struct {
	mu     sync.Mutex
	counts map[string]int64 // by route
	latest []Request        // a ring once it is full
	next   int
}

// Counts tells how often each route was asked for.
func (s *Server) Counts() map[string]int64 {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return maps.Clone(s.log.counts)
}

// Requests are the latest 2,000 requests, oldest first.
func (s *Server) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return append(append([]Request{}, s.log.latest[s.log.next:]...), s.log.latest[:s.log.next]...)
}

func (l *requestLog) add(r *http.Request, route string, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[route]++
	entry := Request{Method: r.Method, URI: r.URL.RequestURI(), Route: route, Status: status}
	if len(l.latest) < logged {
		l.latest = append(l.latest, entry)
		return
	}
	l.latest[l.next] = entry
	l.next = (l.next + 1) % logged
}
