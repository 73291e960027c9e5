package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

func TestConcurrentMergesLoseNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	n := newIntegration(w.project, "clickup")
	n.Secrets = nil
	createIntegration(t, w.tenant, n)

	const writers = 20
	want := map[string]string{}
	var all sync.WaitGroup
	for i := range writers {
		name := fmt.Sprintf("secret_%02d", i)
		want[name] = "value of " + name
		all.Go(func() {
			for {
				v, err := w.tenant.IntegrationVersion(ctx, w.project, "clickup")
				if err == nil {
					_, err = w.tenant.UpdateIntegration(ctx, ring(), v, store.IntegrationUpdate{Secrets: secrets(name, "value of "+name)}, store.With{})
				}
				if !errors.Is(err, store.ErrStale) {
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
					return
				}
			}
		})
	}
	all.Wait()
	row := readSealed(t, w.root, n.ID)
	settings, _ := row.open(t, w.root, ring())
	if diff := cmp.Diff(want, settings); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if row.Revision != 1+writers {
		t.Errorf("revision %d, want %d", row.Revision, 1+writers)
	}
}

// What an import is storing while its integration is deleted goes with it, although no foreign key sees to that.
func TestDeletedWhileItImports(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	n := createIntegration(t, w.tenant, newIntegration(w.project, "clickup"))
	run := begin(t, w.tenant, n.ID)
	deleted := make(chan error, 1)
	err := w.tenant.InTx(ctx, func(tx *store.Tenant) error {
		if held, _, err := tx.CommitSync(ctx, run, store.FirstFence, store.SyncStep{Stage: store.StageImport, Objects: []store.ImportedObject{task("t1", "Task")}}); !held || err != nil {
			return fmt.Errorf("commit: %t, %w", held, err)
		}
		go func() {
			_, err := w.tenant.DeleteIntegration(ctx, w.project, "clickup")
			deleted <- err
		}()
		for column[int](t, w.root, `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)[0] == 0 {
			select {
			case err := <-deleted:
				return fmt.Errorf("the deletion did not wait for the import's lock: %w", err)
			case <-time.After(time.Millisecond):
			}
		}
		return nil
	})
	if err := errors.Join(err, <-deleted); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"integrations", "sync_states", "sync_runs", "synced_objects", "synced_relationships", "sync_pending"} {
		if left := column[int](t, w.root, `SELECT count(*)::int FROM kb.`+table)[0]; left > 0 {
			t.Errorf("%d rows are left in %s", left, table)
		}
	}
	if held, _, err := w.tenant.CommitSync(ctx, run, store.FirstFence, store.SyncStep{Stage: store.StageImport, Objects: []store.ImportedObject{task("t2", "Task")}}); held || err != nil {
		t.Errorf("a commit after it: %t, %v", held, err)
	}
}

// A run that is asked for while the live one's worker stores something is refused at once: were it to wait for that worker, the
// worker would wait for it too.
func TestStartWhileAWorkerStores(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	n := createIntegration(t, w.tenant, newIntegration(w.project, "clickup"))
	run := begin(t, w.tenant, n.ID)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := w.tenant.InTx(ctx, func(tx *store.Tenant) error {
		if _, err := tx.WaitSyncRun(ctx, run, store.FirstFence, time.Now(), "Rests", false); err != nil { // holds the run, and not yet the state
			return err
		}
		_, err := startRun(ctx, w.tenant, n.ID)
		if !integration.IsKind(err, integration.KindConflict) {
			return fmt.Errorf("a second run: %w", err)
		}
		held, _, err := tx.CommitSync(ctx, run, store.FirstFence, store.SyncStep{Stage: store.StageImport})
		if !held {
			return fmt.Errorf("the worker's own commit: %w", err)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestStaleUpdates(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	createIntegration(t, w.tenant, newIntegration(w.project, "clickup"))
	v, err := w.tenant.IntegrationVersion(ctx, w.project, "clickup")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.tenant.UpdateIntegration(ctx, ring(), v, store.IntegrationUpdate{Enabled: ptr(false)}, store.With{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tenant.UpdateIntegration(ctx, ring(), v, store.IntegrationUpdate{Enabled: ptr(true)}, store.With{}); !errors.Is(err, store.ErrStale) {
		t.Errorf("an update of an older revision: %v", err)
	}
	if i, err := w.tenant.Integration(ctx, w.project, "clickup", store.With{}); err != nil || i.Enabled || i.Revision != 2 {
		t.Errorf("%+v, %v", i, err)
	}
	v.Revision = 2
	if _, err := w.tenant.DeleteIntegration(ctx, w.project, "clickup"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tenant.UpdateIntegration(ctx, ring(), v, store.IntegrationUpdate{Enabled: ptr(true)}, store.With{}); !errors.Is(err, store.ErrStale) {
		t.Errorf("an update of what is gone: %v", err)
	}
}
