package store_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/riverqueue/river"

	"patchbay/internal/store"
)

// strange is a worker that ends its job and then panics with a secret, or waits to be let go.
type strange struct {
	river.WorkerDefaults[rotationJob]
	began, release chan bool
}

func (s *strange) Work(context.Context, *river.Job[rotationJob]) error {
	s.began <- true
	<-s.release
	panic("hunter2hunter2")
}

// Stop waits for what runs, may be called twice, and a panic's value is kept nowhere.
func TestWorkStopsAndKeepsNoPanic(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	worker := &strange{began: make(chan bool), release: make(chan bool)}
	var log bytes.Buffer
	crew, err := w.store.Work(ctx, slog.New(slog.NewTextHandler(&log, nil)), func(ws *river.Workers) { river.AddWorker(ws, worker) })
	if err != nil {
		t.Fatal(err)
	}
	if err := w.tenant.InTx(ctx, func(tx *store.Tenant) error { return tx.Enqueue(ctx, rotationJob{}) }); err != nil {
		t.Fatal(err)
	}
	<-worker.began
	stopped := make(chan error)
	go func() { stopped <- crew.Stop() }()
	select {
	case err := <-stopped:
		t.Fatalf("Stop did not wait: %v", err)
	case worker.release <- true:
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if err := crew.Stop(); err != nil {
		t.Errorf("again: %v", err)
	}
	kept := one[string](t, w.root, `SELECT to_jsonb(j)::text FROM river.river_job j`)
	if !strings.Contains(kept, "panic of type string") || strings.Contains(kept+log.String(), "hunter2") {
		t.Errorf("kept %s\nlogged %s", kept, log.String())
	}
}
