package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

// newDelivery is one about a task.
func newDelivery(id uuid.UUID, key string) store.NewDelivery {
	return store.NewDelivery{
		ID: uuid.Must(uuid.NewV7()), IntegrationID: id, Key: sha256.Sum256([]byte(key)), DeliveryID: key, Event: "changed", Object: "TASK/a",
		Reads: store.DeliveryReads{Changed: []store.NamedObject{{Type: integration.ObjectTask, ExternalID: "a"}}}, Payload: []byte("{}"),
	}
}

// tell stores a delivery of an integration, and notes that it came.
func tell(t testing.TB, tenant *store.Tenant, id uuid.UUID) {
	t.Helper()
	if object, err := tenant.StoreDelivery(context.Background(), newDelivery(id, "first")); object == nil || err != nil {
		t.Fatalf("a delivery is worked on by %v, %v", object, err)
	}
	if err := tenant.NoteWebhooks(context.Background(), []store.WebhookNote{{IntegrationID: id, Latest: ptr(time.Now()), Refused: 1}}); err != nil {
		t.Fatal(err)
	}
}

// receives calls what has to do with deliveries as a tenant that has not the integration: nothing is found or done.
func receives(t testing.TB, tenant *store.Tenant, id, delivery, object uuid.UUID) {
	t.Helper()
	ctx := context.Background()
	if row, err := tenant.StoreDelivery(ctx, newDelivery(id, "another")); row != nil || err != nil {
		t.Errorf("StoreDelivery: %v, %v", row, err)
	}
	if _, err := tenant.WebhookDeliveries(ctx, id, nil, integration.PageArgs{First: 5}); !integration.IsKind(err, integration.KindNotFound) {
		t.Errorf("WebhookDeliveries: %v", err)
	}
	if content, err := tenant.DeliveryContent(ctx, delivery); content != nil || err != nil {
		t.Errorf("DeliveryContent: %v, %v", content, err)
	}
	if d, row, err := tenant.ReplayDelivery(ctx, delivery, "x", "TASK/b", store.DeliveryReads{}); d != nil || row != nil || err != nil {
		t.Errorf("ReplayDelivery: %v, %v, %v", d, row, err)
	}
	if n, err := tenant.PruneDeliveries(ctx, time.Now().Add(time.Hour), 100); err != nil {
		t.Errorf("PruneDeliveries: %d, %v", n, err)
	}
	if err := tenant.NoteWebhooks(ctx, []store.WebhookNote{{IntegrationID: id, Refused: 100}}); err != nil {
		t.Errorf("NoteWebhooks: %v", err)
	}
	if work, err := tenant.ClaimWebhookObject(ctx, object, store.FirstFence); work != nil || err != nil {
		t.Errorf("ClaimWebhookObject: %v, %v", work, err)
	}
	if held, err := tenant.BeatWebhookObject(ctx, object, store.FirstFence); held || err != nil {
		t.Errorf("BeatWebhookObject: %t, %v", held, err)
	}
	if fence, err := tenant.TakeOverWebhookObject(ctx, object, 0); fence != 0 || err != nil {
		t.Errorf("TakeOverWebhookObject: %d, %v", fence, err)
	}
	if _, err := tenant.EndWebhookAttempt(ctx, object, store.FirstFence, store.WebhookAttempt{Deliveries: []uuid.UUID{delivery}, ReadAt: time.Now(), Failure: "it failed", Final: true}); err != nil {
		t.Errorf("EndWebhookAttempt: %v", err)
	}
	if err := tenant.ParkWebhookObject(ctx, object, store.FirstFence); err != nil {
		t.Errorf("ParkWebhookObject: %v", err)
	}
	if stored, err := tenant.StoredObjects(ctx, id, []string{"t1"}); len(stored) > 0 || err != nil {
		t.Errorf("StoredObjects: %v, %v", stored, err)
	}
	if below, err := tenant.ObjectsBelow(ctx, id, []string{"l1"}); len(below) > 0 || err != nil {
		t.Errorf("ObjectsBelow: %v, %v", below, err)
	}
	if err := tenant.InTx(ctx, func(tx *store.Tenant) error {
		if objects, err := tx.UnparkWebhook(ctx, id, 5); len(objects) > 0 || err != nil {
			t.Errorf("UnparkWebhook: %v, %v", objects, err)
		}
		if err := tx.DropDeliveries(ctx, id); err != nil {
			t.Errorf("DropDeliveries: %v", err)
		}
		c := store.WebhookCommit{Objects: []store.ImportedObject{task("t2", "Task")}, ReadAt: time.Now(), Gone: []string{"t1"}, Deliveries: []uuid.UUID{delivery}}
		if end, err := tx.CommitWebhook(ctx, object, store.FirstFence, c); end.Held || err != nil {
			t.Errorf("CommitWebhook: %+v, %v", end, err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	v := &store.IntegrationVersion{ID: id, KeyID: ptr(ring().CurrentID()), HasWebhookSecret: true}
	if _, err := tenant.OpenWebhookSecrets(ctx, ring(), v, "test"); err != store.ErrStale {
		t.Errorf("OpenWebhookSecrets: %v", err)
	}
}

// A run that has read an object before a webhook did leaves the newer one.
func TestARunLeavesWhatIsNewer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, id, run := newRun(t)
	at := time.Now().Truncate(time.Second)
	older, newer := task("t1", "Older"), task("t1", "Newer")
	older.UpdatedAt, newer.UpdatedAt = ptr(at.Add(-time.Minute)), &at

	object, err := w.tenant.StoreDelivery(ctx, newDelivery(id, "first"))
	if object == nil || err != nil {
		t.Fatal(object, err)
	}
	work, err := w.tenant.ClaimWebhookObject(ctx, *object, store.FirstFence)
	if err != nil || len(work.Deliveries) != 1 || work.Deliveries[0].Reads.Changed[0].ExternalID != "a" {
		t.Fatalf("%+v, %v", work, err)
	}
	save := func(fence int, o store.ImportedObject) (end store.WebhookEnd, err error) {
		err = w.tenant.InTx(ctx, func(tx *store.Tenant) error {
			end, err = tx.CommitWebhook(ctx, *object, fence, store.WebhookCommit{
				Objects: []store.ImportedObject{o}, ReadAt: work.At, Deliveries: []uuid.UUID{work.Deliveries[0].ID},
			})
			return err
		})
		return end, err
	}
	if end, err := save(store.FirstFence+1, newer); end.Held || err != nil {
		t.Errorf("with another's fence: %+v, %v", end, err)
	}
	if end, err := save(store.FirstFence, newer); err != nil || end != (store.WebhookEnd{Held: true, Changed: 1}) {
		t.Errorf("%+v, %v", end, err)
	}
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{older}})
	if title := one[string](t, w.root, `SELECT title FROM kb.synced_objects`); title != "Newer" {
		t.Errorf("the run stored %q", title)
	}
	if counted := one[string](t, w.root, `SELECT concat_ws(' ', created, updated, unchanged) FROM kb.sync_run_counts WHERE run_id = $1`, run); counted != "0 0 1" {
		t.Errorf("the run counted %s", counted)
	}
	// Where the times do not tell, what was read last counts.
	work2, err := w.tenant.ClaimSyncRun(ctx, run, store.FirstFence)
	if err != nil {
		t.Fatal(err)
	}
	other := task("t1", "Other")
	other.UpdatedAt = &at
	for _, c := range []struct {
		readAt time.Time
		want   string
	}{{work.At, "Newer"}, {work2.At, "Other"}} {
		commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{other}, ReadAt: &c.readAt})
		if title := one[string](t, w.root, `SELECT title FROM kb.synced_objects`); title != c.want {
			t.Errorf("the run stored %q, want %s", title, c.want)
		}
	}
	execute(t, w.root, `UPDATE kb.synced_objects SET deleted_at = now()`)
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{other}, ReadAt: &work2.At})
	if deleted := one[bool](t, w.root, `SELECT deleted_at IS NOT NULL FROM kb.synced_objects`); !deleted {
		t.Error("what was found to be deleted after it was read is there again")
	}
	if counted := one[string](t, w.root, `SELECT concat_ws(' ', created, updated, unchanged) FROM kb.sync_run_counts WHERE run_id = $1`, run); counted != "0 1 3" {
		t.Errorf("the run counted %s", counted)
	}
	if end, err := save(store.FirstFence, newer); end.Held || err != nil {
		t.Errorf("once it is done: %+v, %v", end, err)
	}
}

// at stores what was read of the object of a test's delivery.
func (w *workspace) at(t testing.TB, object uuid.UUID, c store.WebhookCommit) (end store.WebhookEnd, err error) {
	t.Helper()
	err = w.tenant.InTx(context.Background(), func(tx *store.Tenant) error {
		end, err = tx.CommitWebhook(context.Background(), object, store.FirstFence, c)
		return err
	})
	return end, err
}

// What is below something that was deleted goes with it, though that had been marked as deleted before; and nothing is stored below
// what another deleted since it was read.
func TestNothingStaysBelowWhatIsDeleted(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	object, err := w.tenant.StoreDelivery(ctx, newDelivery(id, "first"))
	if err != nil {
		t.Fatal(err)
	}
	list, above, below, late := task("l1", "List"), task("t1", "Task"), task("t2", "Subtask"), task("t3", "Late")
	list.ParentID = nil
	above.ParentID, below.ParentID, late.ParentID = ptr("l1"), ptr("t1"), ptr("l1")
	readAt := time.Now().Add(-time.Minute)
	if _, err := w.at(t, *object, store.WebhookCommit{Objects: []store.ImportedObject{list, above, below}, ReadAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	execute(t, w.root, `UPDATE kb.synced_objects SET deleted_at = now() WHERE external_id IN ('l1', 't1')`)
	if _, err := w.at(t, *object, store.WebhookCommit{Objects: []store.ImportedObject{late}, ReadAt: readAt}); !errors.Is(err, store.ErrContended) {
		t.Errorf("below a list that was deleted since: %v", err)
	}
	if _, err := w.at(t, *object, store.WebhookCommit{Gone: []string{"l1"}, ReadAt: time.Now().Add(time.Minute)}); err != nil {
		t.Error(err)
	}
	if left := one[int](t, w.root, `SELECT count(*) FROM kb.synced_objects WHERE deleted_at IS NULL`); left != 0 {
		t.Errorf("%d objects are left", left)
	}
}

// A listing's end says nothing of what another stored since it was read.
func TestAListingLeavesWhatIsNewer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	object, err := w.tenant.StoreDelivery(ctx, newDelivery(id, "first"))
	if err != nil {
		t.Fatal(err)
	}
	readAt := time.Now().Add(-time.Minute)
	older, newer := task("t1", "Older"), task("t2", "Newer")
	older.Listing, newer.Listing = "list", "list"
	if _, err := w.at(t, *object, store.WebhookCommit{Objects: []store.ImportedObject{older, newer}, ReadAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	execute(t, w.root, `UPDATE kb.synced_objects SET synced_at = now() - interval '1 hour' WHERE external_id = 't1'`)
	if _, err := w.at(t, *object, store.WebhookCommit{Covered: []string{"list"}, ReadAt: readAt}); err != nil {
		t.Fatal(err)
	}
	if left := one[string](t, w.root, `SELECT external_id FROM kb.synced_objects WHERE deleted_at IS NULL`); left != "t2" {
		t.Errorf("%s is left", left)
	}
}

// While somebody else takes up what was parked, nothing that is left is forgotten.
func TestUnparkingForgetsNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	for _, object := range []string{"TASK/a", "TASK/b"} {
		n := newDelivery(id, object)
		n.Object = object
		row, err := w.tenant.StoreDelivery(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.tenant.ParkWebhookObject(ctx, *row, store.FirstFence); err != nil {
			t.Fatal(err)
		}
	}
	others, err := w.db.Connect(t, "", "").Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range []string{"TASK/a", "TASK/b"} {
		if _, err := others.Exec(ctx, `INSERT INTO kb.webhook_objects (id, integration_id, org_id, project_id, object) SELECT gen_random_uuid(), id, org_id, project_id, $1 FROM kb.integrations`, object); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error)
	go func() {
		done <- w.tenant.InTx(ctx, func(tx *store.Tenant) error {
			_, err := tx.UnparkWebhook(ctx, id, 1)
			return err
		})
	}()
	for one[int](t, w.root, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := others.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !one[bool](t, w.root, `SELECT parked FROM kb.webhooks`) {
		t.Error("what is left is not parked any more")
	}
}

// The deliveries of one status are found without reading those of the others.
func TestDeliveriesOfOneStatusAreFoundByIndex(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	execute(t, w.root, `
		INSERT INTO kb.webhook_deliveries (id, integration_id, org_id, project_id, delivery_key, delivery_id, event, status, object, reads, payload, headers, processed_at)
		SELECT gen_random_uuid(), i.id, i.org_id, i.project_id, sha256(n::text::bytea), n::text, 'changed', CASE WHEN n = 7 THEN 'FAILED' ELSE 'PROCESSED' END, 'TASK/a', '{}', '', '{}', now()
		FROM kb.integrations i, generate_series(1, 20000) n`)
	execute(t, w.root, `ANALYZE kb.webhook_deliveries`)
	failed := integration.DeliveryFailed
	page, err := w.tenant.WebhookDeliveries(ctx, id, &failed, integration.PageArgs{First: 5, CountTotal: true})
	if err != nil || page.Total != 1 || len(page.Items) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	var plan string
	rows, err := w.root.Query(ctx, `
		EXPLAIN SELECT id FROM kb.webhook_deliveries
		WHERE org_id = $1 AND integration_id = $2 AND status = 'FAILED'
		ORDER BY received_at DESC, id DESC
		LIMIT 5`, org, id)
	if err == nil {
		var line string
		_, err = pgx.ForEachRow(rows, []any{&line}, func() error { plan += line + "\n"; return nil })
	}
	if err != nil || !strings.Contains(plan, "webhook_deliveries_status_idx") {
		t.Errorf("it is found by\n%s%v", plan, err)
	}
}
