package httpd

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// pingTimeout bounds how long readiness waits for the database.
const pingTimeout = 2 * time.Second

// Health answers /healthz and /readyz.
type Health struct {
	// Ping asks the database.
	Ping     func(context.Context) error
	draining atomic.Bool
}

// Drain makes the server unready, so that no new traffic is sent to it while it ends.
func (h *Health) Drain() { h.draining.Store(true) }

func (h *Health) live(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }

func (h *Health) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), pingTimeout)
	defer cancel()
	switch {
	case h.draining.Load():
		http.Error(w, "ending", http.StatusServiceUnavailable)
	case h.Ping(ctx) != nil:
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
	default:
		_, _ = w.Write([]byte("ready\n"))
	}
}
