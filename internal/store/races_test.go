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

// However long a run looks for what is gone, nobody waits for that, and what was cancelled meanwhile keeps nothing of it.
func TestNobodyWaitsForASweep(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	run := begin(t, w.tenant, id)
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("gone", "Task"), task("t1", "Task")}, Seen: []string{"t1"}, Covered: []string{"tasks"}})
	age(t, w.root)
	execute(t, w.root, `
		CREATE FUNCTION kb.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
		CREATE TRIGGER wait AFTER INSERT ON kb.sync_run_missing FOR EACH ROW EXECUTE FUNCTION kb.wait();
		SELECT pg_advisory_lock(7)`)
	swept := make(chan error, 1)
	go func() {
		n, err := w.tenant.BeginSweep(ctx, run, store.FirstFence, store.SweepRules{})
		if n != (store.SweepCount{}) {
			err = fmt.Errorf("%+v, %w", n, err)
		}
		swept <- err
	}()
	for one[int](t, w.root, `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 && ctx.Err() == nil {
	}
	if held, err := w.tenant.BeatSyncRun(ctx, run, store.FirstFence); !held || err != nil {
		t.Errorf("a heartbeat: %t, %v", held, err)
	}
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("t2", "Task")}})
	if state, err := w.tenant.SetSyncMappings(ctx, id, nil); state == nil || err != nil {
		t.Errorf("a change of the state: %v, %v", state, err)
	}
	if r, err := w.tenant.CancelSyncRun(ctx, run); err != nil || r.Status != integration.SyncCancelled {
		t.Errorf("a cancellation: %+v, %v", r, err)
	}
	execute(t, w.root, `SELECT pg_advisory_unlock(7)`)
	if err := <-swept; err != nil {
		t.Error(err)
	}
	if left := one[int](t, w.root, `SELECT count(*)::int FROM kb.sync_run_missing`); left != 0 {
		t.Errorf("%d objects are noted for the run that was cancelled", left)
	}
}

// Whoever finds an integration's state locked for long is told so, and gives the connection back.
func TestWaitsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	run := begin(t, w.tenant, id)
	object, err := w.tenant.StoreDelivery(ctx, newDelivery(id, "first"))
	if err != nil {
		t.Fatal(err)
	}
	other := createIntegration(t, w.tenant, newIntegration(w.project, "another"))
	execute(t, w.root, `BEGIN; SELECT FROM kb.sync_states FOR UPDATE`)
	var all sync.WaitGroup
	for name, call := range map[string]func() error{
		"StartSyncRun":    func() error { _, err := startRun(ctx, w.tenant, other.ID); return err },
		"CancelSyncRun":   func() error { _, err := w.tenant.CancelSyncRun(ctx, run); return err },
		"SetSyncMappings": func() error { _, err := w.tenant.SetSyncMappings(ctx, id, nil); return err },
		"CommitWebhook": func() error {
			return w.tenant.InTx(ctx, func(tx *store.Tenant) error {
				_, err := tx.CommitWebhook(ctx, *object, store.FirstFence, store.WebhookCommit{ReadAt: time.Now()})
				return err
			})
		},
		"EndWebhookAttempt": func() error {
			_, err := w.tenant.EndWebhookAttempt(ctx, *object, store.FirstFence, store.WebhookAttempt{})
			return err
		},
		"ParkWebhookObject": func() error { return w.tenant.ParkWebhookObject(ctx, *object, store.FirstFence) },
		"DeleteIntegration": func() error { _, err := w.tenant.DeleteIntegration(ctx, w.project, "another"); return err },
	} {
		all.Go(func() {
			if err := call(); !errors.Is(err, store.ErrBusy) || !integration.IsKind(err, integration.KindConflict) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
	execute(t, w.root, `ROLLBACK`)
	if _, err := w.tenant.CancelSyncRun(ctx, run); err != nil {
		t.Error(err)
	}
}

// A reset that comes while a run begins is refused: the run would undo it at its end.
func TestResetWhileARunBegins(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	n := createIntegration(t, w.tenant, newIntegration(w.project, "clickup"))
	reset := make(chan error, 1)
	err := w.tenant.InTx(ctx, func(tx *store.Tenant) error {
		if _, err := startRun(ctx, tx, n.ID); err != nil {
			return err
		}
		go func() {
			_, err := w.tenant.ResetSyncState(ctx, n.ID)
			reset <- err
		}()
		for column[int](t, w.root, `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)[0] == 0 {
			select {
			case err := <-reset:
				return fmt.Errorf("the reset did not wait for the run's lock: %w", err)
			case <-time.After(time.Millisecond):
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-reset; !integration.IsKind(err, integration.KindConflict) {
		t.Errorf("the reset: %v", err)
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
