package embedpg

import (
	"context"
	"time"
)

// Waits between attempts to get postgres running again: doubled from the first to the last.
const (
	firstBackoff = 200 * time.Millisecond
	lastBackoff  = 15 * time.Second
	// steady is how long postgres must have run for the next crash to count as a first one.
	steady = time.Minute
)

// supervise keeps postgres running until ctx ends: attached, it waits for the owner to go and takes over; as owner,
// it starts postgres again when that dies. It leaves a running child to Stop.
func (s *Server) supervise(ctx context.Context) {
	defer close(s.watched)
	backoff := firstBackoff
	for ctx.Err() == nil {
		s.mu.Lock()
		c := s.child
		s.mu.Unlock()
		if c == nil {
			s.watchOwner(ctx, &backoff)
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-c.exited:
		}
		if ctx.Err() != nil {
			return
		}
		s.log.Error("private PostgreSQL ended by itself; starting it again",
			"dir", s.dir, "how", c.how(), "log", s.LogFile())
		if time.Since(c.started) > steady {
			backoff = firstBackoff
		}
		s.restart(ctx, &backoff)
	}
}

// watchOwner waits for the lock to become free and takes over. A takeover that fails gives the lock back, since
// another attached process may do better.
func (s *Server) watchOwner(ctx context.Context, backoff *time.Duration) {
	if sleep(ctx, watchInterval) != nil {
		return
	}
	got, err := s.lock.try()
	if err == nil && !got {
		return
	}
	if err == nil {
		s.log.Info("the owner of the private PostgreSQL is gone; taking over", "dir", s.dir)
		var c *child
		if c, err = s.becomeOwner(ctx); err == nil {
			s.own(c)
			*backoff = firstBackoff
			return
		}
		_ = s.lock.release()
	}
	if ctx.Err() == nil {
		s.log.Error("cannot take over the private PostgreSQL", "dir", s.dir, "error", err)
		wait(ctx, backoff)
	}
}

// restart boots postgres until it runs or ctx ends, and holds the lock meanwhile.
func (s *Server) restart(ctx context.Context, backoff *time.Duration) {
	for {
		wait(ctx, backoff)
		if ctx.Err() != nil {
			return
		}
		c, err := s.becomeOwner(ctx)
		if err == nil {
			s.own(c)
			return
		}
		if ctx.Err() == nil {
			s.log.Error("cannot start the private PostgreSQL again", "dir", s.dir, "error", err)
		}
	}
}

// wait sleeps for the back-off, and doubles it for the next time.
func wait(ctx context.Context, backoff *time.Duration) {
	_ = sleep(ctx, *backoff)
	*backoff = min(2**backoff, lastBackoff)
}
