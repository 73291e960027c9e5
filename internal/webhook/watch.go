package webhook

import (
	"context"
	"errors"
	"time"
)

const (
	// noteEvery is how often it is written when deliveries came, and how many nobody signed.
	noteEvery = 5 * time.Second
	// lastNotes is how long writing that may take as the process ends.
	lastNotes = 5 * time.Second
)

// Watch keeps the webhooks' books until ctx ends. Each process that works on jobs runs one.
func (s *Service) Watch(ctx context.Context) {
	tick := time.NewTicker(noteEvery)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		}
		writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastNotes)
		if err := s.writeNotes(writing); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			s.Log.ErrorContext(ctx, "when webhooks' deliveries came cannot be noted; it is tried again", "error", err)
		}
		cancel()
	}
}
