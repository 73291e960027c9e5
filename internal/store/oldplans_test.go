package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

// A connection keeps the plans of statements. Those that it made while little was imported must do once much is.
func TestPlansFromTheFirstPageDoLater(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, id, run := newRun(t)
	list := store.ImportedObject{Type: integration.ObjectCollection, ExternalID: "list", Kind: "list", Title: "List", Properties: []byte(`{}`), Listing: "lists", ContentHash: []byte("12345678901234567890123456789012")}
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{list, task("t1", "Task"), task("t2", "Another")}})
	read := func() (related int) {
		t.Helper()
		page, err := w.tenant.SyncedObjects(ctx, id, integration.SyncedObjectFilter{}, integration.PageArgs{First: 200})
		if err != nil {
			t.Fatal(err)
		}
		var objects []*integration.SyncedObject
		for _, i := range page.Items {
			objects = append(objects, i.Node)
		}
		if _, err := w.tenant.Relate(ctx, objects, true); err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			related += len(o.Relationships)
		}
		return related
	}
	for range 12 { // from the sixth time on, PostgreSQL may keep one plan
		read()
	}
	execute(t, w.root, `
		INSERT INTO kb.synced_objects (id, integration_id, org_id, project_id, type, external_id, title, properties, listing, content_hash, change_seq)
		SELECT gen_random_uuid(), $1, $2, $3, 'TASK', 'n' || n, 'Task', '{}', 'tasks', decode(repeat('ab', 32), 'hex'), n + 100
		FROM generate_series(1, 20000) n`, id, org, w.project)
	execute(t, w.root, `
		INSERT INTO kb.synced_relationships (integration_id, org_id, project_id, source_id, type, target_id, stated_by)
		SELECT $1, $2, $3, 'n' || n, 'BELONGS_TO', 'n' || n + 1, 'n' || n
		FROM generate_series(1, 19999) n`, id, org, w.project)
	// How many rows were read, and how often an index was used; servers tell their statistics once they are idle.
	statistics := func() (rows, lookups int) {
		t.Helper()
		if err := w.root.QueryRow(ctx, `
			SELECT sum(seq_tup_read + idx_tup_fetch)::int, sum(idx_scan)::int
			FROM pg_stat_user_tables
			WHERE relid IN ('kb.synced_objects'::regclass, 'kb.synced_relationships'::regclass)`).Scan(&rows, &lookups); err != nil {
			t.Fatal(err)
		}
		return rows, lookups
	}
	time.Sleep(2 * time.Second)
	before, used := statistics()
	if n := read(); n != 199 { // the list has none
		t.Errorf("%d relationships", n)
	}
	after, lookups := statistics()
	for wait := time.Now().Add(30 * time.Second); lookups == used && time.Now().Before(wait); after, lookups = statistics() {
		time.Sleep(100 * time.Millisecond)
	}
	if lookups == used || after-before > 10_000 {
		t.Errorf("a page read %d rows, and used indexes %d times", after-before, lookups-used)
	}
}

// What a run costs at its end follows what it covered, however much there is besides, of its integration and of others.
func TestASweepReadsWhatItsRunCovered(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tr := &tracer{}
	w := newWorkspace(t, tr)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	for at, org := range map[uuid.UUID]string{id: org, uuid.New(): "org-b"} {
		execute(t, w.root, `
			INSERT INTO kb.synced_objects (id, integration_id, org_id, project_id, type, external_id, title, external_parent_id, listing, has_details, content_hash, change_seq, synced_at)
			SELECT gen_random_uuid(), $1, $2, $3, 'COMMENT', 'c' || n, 'Comment', 't' || n / 3, 'comments of t' || n / 3, n % 3 = 0, decode(repeat('ab', 32), 'hex'), n, now() - interval '1 day'
			FROM generate_series(1, 20000) n`, at, org, w.project)
	}
	execute(t, w.root, `VACUUM ANALYZE kb.synced_objects`)
	run := begin(t, w.tenant, id)
	commit(t, w.tenant, run, store.SyncStep{Seen: []string{"c9", "c10", "c12"}, Covered: []string{"comments of t3", "comments of t4"}})
	tr.take()
	if n, err := w.tenant.BeginSweep(ctx, run, store.FirstFence, store.SweepRules{}); n != (store.SweepCount{Covered: 6, Missing: 3}) || err != nil {
		t.Fatal(n, err)
	}
	execute(t, w.root, `UPDATE kb.sync_states SET details_swept_at = 'epoch'`)
	if to, err := w.tenant.SweepDetails(ctx, run, store.FirstFence, time.Hour); to == nil || err != nil {
		t.Fatal(to, err)
	}
	if n, err := w.tenant.CountDetailsAnew(ctx, id, ""); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if page, err := w.tenant.DetailsAnew(ctx, id, "c11999", 1); len(page) != 1 || page[0].ExternalID != "c12" || err != nil {
		t.Fatal(page, err)
	}
	serve := w.db.Connect(t, "", "")
	execute(t, serve, "SET ROLE patchbay_serve")
	var sent []trip
	for _, tr := range tr.take() { // each in a transaction of its own, which measure begins and sets the scope of
		if tr.batch {
			sent = append(sent, trip{true, append([]string{store.SetScope}, tr.sql...), append([][]any{{org, ""}}, tr.args...)})
		}
	}
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		for _, done := range measure(t, serve, sent, mode) {
			if done.Buffers > 300 { // the table has some 1,500
				t.Errorf("with %s a statement touches %d buffers:\n%s", mode, done.Buffers, strings.Join(done.Plan, "\n"))
			}
		}
	}
}
