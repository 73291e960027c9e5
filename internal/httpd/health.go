package httpd

import (
	"context"
	"log/slog"
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
	Log      *slog.Logger
	draining atomic.Bool
}

// Drain makes the server unready, so that no new traffic is sent to it while it ends.
func (h *Health) Drain() { h.draining.Store(true) }

func (h *Health) live(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }

func (h *Health) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), pingTimeout)
	defer cancel()
	if h.draining.Load() {
		http.Error(w, "ending", http.StatusServiceUnavailable)
		return
	}
	if err := h.Ping(ctx); err != nil {
		h.Log.WarnContext(ctx, "not ready", "error", err)
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}
