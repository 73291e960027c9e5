package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

// task is one in the listing "tasks".
func task(id, title string) store.ImportedObject {
	hash := sha256.Sum256([]byte(id + title))
	return store.ImportedObject{
		Type: integration.ObjectTask, ExternalID: id, Kind: "task", Title: title, Properties: []byte(`{"a": 1}`), Listing: "tasks",
		ContentHash: hash[:], HasDetails: true, Relations: []store.ImportedRelation{{Type: integration.RelBelongsTo, Source: id, Target: "list"}},
	}
}

func startRun(ctx context.Context, t *store.Tenant, id uuid.UUID) (*integration.SyncRun, error) {
	return t.StartSyncRun(ctx, store.NewSyncRun{
		ID: uuid.Must(uuid.NewV7()), IntegrationID: id, Trigger: integration.TriggerManual, StartSync: integration.StartSync{Mode: integration.SyncFull},
	})
}

func commit(t testing.TB, tenant *store.Tenant, run uuid.UUID, step store.SyncStep) {
	t.Helper()
	step.Stage = store.StageImport
	if held, _, err := tenant.CommitSync(context.Background(), run, store.FirstFence, step); !held || err != nil {
		t.Fatalf("commit: %t, %v", held, err)
	}
}

// newRun begins a run of an integration in a workspace of its own.
func newRun(t testing.TB) (w *workspace, id, run uuid.UUID) {
	t.Helper()
	w = newWorkspace(t, nil)
	id = createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	return w, id, begin(t, w.tenant, id)
}

// begin starts and claims a run.
func begin(t testing.TB, tenant *store.Tenant, id uuid.UUID) uuid.UUID {
	t.Helper()
	run, err := startRun(context.Background(), tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	if work, err := tenant.ClaimSyncRun(context.Background(), run.ID, store.FirstFence); work == nil || err != nil {
		t.Fatalf("claim: %v, %v", work, err)
	}
	return run.ID
}

// tombstone marks what a run found to be gone, one by one.
func tombstone(t testing.TB, tenant *store.Tenant, run uuid.UUID) {
	t.Helper()
	if held, err := tenant.NoteDoomed(context.Background(), run, store.FirstFence, "marking"); !held || err != nil {
		t.Fatal(held, err)
	}
	for left := true; left; {
		var held bool
		var err error
		if held, left, err = tenant.TombstoneSome(context.Background(), run, store.FirstFence, 1); !held || err != nil {
			t.Fatal(held, err)
		}
	}
}

// age makes what is stored older than every run.
func age(t testing.TB, q querier) {
	t.Helper()
	execute(t, q, `UPDATE kb.synced_objects SET synced_at = synced_at - interval '1 day'`)
}

// synchronise leaves a live run with rows in every table of its own.
func synchronise(t testing.TB, tenant *store.Tenant, id uuid.UUID) {
	t.Helper()
	run, err := startRun(context.Background(), tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tenant, run.ID, store.SyncStep{Objects: []store.ImportedObject{task("t1", "Task"), task("t2", "Another")}, Seen: []string{"t1"}, Covered: []string{"tasks"}})
	if _, err := tenant.ClaimSyncRun(context.Background(), run.ID, store.FirstFence); err != nil { // the objects are older than its beginning
		t.Fatal(err)
	}
	if n, err := tenant.BeginSweep(context.Background(), run.ID, store.FirstFence, store.SweepRules{}); n != (store.SweepCount{Covered: 2, Missing: 1}) || err != nil {
		t.Fatalf("sweep: %+v, %v", n, err)
	}
}

// synchronises tries everything of a run that is not the tenant's.
func synchronises(t testing.TB, tenant *store.Tenant, id, run uuid.UUID) {
	t.Helper()
	ctx := context.Background()
	nothing := func(what string, err error, found ...bool) {
		t.Helper()
		if err != nil || slices.Contains(found, true) {
			t.Errorf("%s: %v, %v", what, found, err)
		}
	}
	notFound := func(what string, err error) {
		t.Helper()
		if !integration.IsKind(err, integration.KindNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := startRun(ctx, tenant, id)
	notFound("StartSyncRun", err)
	_, err = tenant.SyncRuns(ctx, id, integration.PageArgs{First: 5})
	notFound("SyncRuns", err)
	_, err = tenant.SyncedObjects(ctx, id, integration.SyncedObjectFilter{}, integration.PageArgs{First: 5})
	notFound("SyncedObjects", err)
	o, err := tenant.SyncedObject(ctx, id, "t1")
	nothing("SyncedObject", err, o != nil)
	r, err := tenant.CancelSyncRun(ctx, run)
	nothing("CancelSyncRun", err, r != nil)
	r, err = tenant.SyncRun(ctx, run)
	nothing("SyncRun", err, r != nil)
	live, err := tenant.LiveSyncRuns(ctx, []uuid.UUID{id})
	nothing("LiveSyncRuns", err, len(live) > 0)
	n, err := tenant.PruneSyncRuns(ctx, time.Now().Add(time.Hour), 0, 5)
	nothing("PruneSyncRuns", err, n > 0)
	work, err := tenant.ClaimSyncRun(ctx, run, store.FirstFence)
	nothing("ClaimSyncRun", err, work != nil)
	held, err := tenant.BeatSyncRun(ctx, run, store.FirstFence)
	nothing("BeatSyncRun", err, held)
	held, _, err = tenant.CommitSync(ctx, run, store.FirstFence, store.SyncStep{Stage: store.StageImport, Objects: []store.ImportedObject{task("t1", "Mine")}})
	nothing("CommitSync", err, held)
	rested, err := tenant.WaitSyncRun(ctx, run, store.FirstFence, time.Now(), "waiting", true)
	nothing("WaitSyncRun", err, rested.Attempts != -1)
	pending, err := tenant.PendingDetails(ctx, id, "", 5)
	nothing("PendingDetails", err, len(pending) > 0)
	left, err := tenant.CountPendingDetails(ctx, id, "")
	nothing("CountPendingDetails", err, left > 0)
	objects, err := tenant.CountObjects(ctx, id)
	nothing("CountObjects", err, objects > 0)
	doomed, err := tenant.CountDoomed(ctx, run, store.FirstFence, true)
	nothing("CountDoomed", err, doomed > 0)
	nothing("RestartSyncRun", tenant.RestartSyncRun(ctx, run, store.FirstFence))
	to, err := tenant.SweepDetails(ctx, run, store.FirstFence, 0)
	nothing("SweepDetails", err, to != nil)
	again, err := tenant.DetailsAnew(ctx, id, "", 5)
	nothing("DetailsAnew", err, len(again) > 0)
	left, err = tenant.CountDetailsAnew(ctx, id, "")
	nothing("CountDetailsAnew", err, left > 0)
	swept, err := tenant.BeginSweep(ctx, run, store.FirstFence, store.SweepRules{Completed: true})
	nothing("BeginSweep", err, swept != store.SweepCount{})
	missing, err := tenant.Unconfirmed(ctx, run, 5)
	nothing("Unconfirmed", err, len(missing) > 0)
	listings, err := tenant.MissedListings(ctx, run, "", 0, 5)
	nothing("MissedListings", err, len(listings) > 0)
	held, err = tenant.NoteDoomed(ctx, run, store.FirstFence, "marking")
	nothing("NoteDoomed", err, held)
	held, marked, err := tenant.TombstoneSome(ctx, run, store.FirstFence, 5)
	nothing("TombstoneSome", err, held, marked)
	held, err = tenant.EndSyncRun(ctx, run, store.FirstFence, store.SyncEnd{Status: integration.SyncSuccess})
	nothing("EndSyncRun", err, held)
	fence, _, err := tenant.TakeOverSyncRun(ctx, run, 0)
	nothing("TakeOverSyncRun", err, fence != 0)
	state, err := tenant.SyncState(ctx, id)
	nothing("SyncState", err, state != nil)
	state, err = tenant.ResetSyncState(ctx, id)
	nothing("ResetSyncState", err, state != nil)
	state, err = tenant.SetSyncSchedule(ctx, id, nil, nil)
	nothing("SetSyncSchedule", err, state != nil)
	state, err = tenant.SetSyncMappings(ctx, id, nil)
	nothing("SetSyncMappings", err, state != nil)
	state, err = tenant.TakeDueSync(ctx, id)
	nothing("TakeDueSync", err, state != nil)
	nothing("SetNextSync", tenant.SetNextSync(ctx, id, ptr(time.Now())))
	o = &integration.SyncedObject{IntegrationID: id, ExternalID: "t1"}
	_, err = tenant.Relate(ctx, []*integration.SyncedObject{o}, true)
	nothing("Relate", err, len(o.Relationships) > 0)
}

// everythingOf is all that is stored of an integration's synchronisation.
func everythingOf(t testing.TB, q querier, id uuid.UUID) (rows []string) {
	t.Helper()
	for _, from := range []string{
		`kb.sync_states x WHERE integration_id = $1`, `kb.sync_runs x WHERE integration_id = $1`, `kb.synced_objects x WHERE integration_id = $1`,
		`kb.webhooks x WHERE integration_id = $1`, `kb.webhook_deliveries x WHERE integration_id = $1`, `kb.webhook_objects x WHERE integration_id = $1`,
		`kb.synced_relationships x WHERE integration_id = $1`, `kb.sync_pending x WHERE integration_id = $1`,
		`kb.sync_run_pages x WHERE run_id IN (SELECT id FROM kb.sync_runs WHERE integration_id = $1)`,
		`kb.sync_run_missing x WHERE run_id IN (SELECT id FROM kb.sync_runs WHERE integration_id = $1)`,
		`kb.sync_run_counts x WHERE run_id IN (SELECT id FROM kb.sync_runs WHERE integration_id = $1)`,
	} {
		rows = append(rows, column[string](t, q, `SELECT to_jsonb(x)::text FROM `+from+` ORDER BY 1`, id)...)
	}
	return rows
}

// A worker that lost its run to another one stores nothing.
func TestAFenceKeepsWorkersApart(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, id, run := newRun(t)
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("t1", "Task")}})
	fence, attempts, err := w.tenant.TakeOverSyncRun(ctx, run, 0)
	if fence != store.FirstFence+1 || attempts != 1 || err != nil {
		t.Fatal(fence, attempts, err)
	}
	before := everythingOf(t, w.root, id)
	step := store.SyncStep{Stage: store.StageSweep, Objects: []store.ImportedObject{task("t1", "Late"), task("t2", "Late")}, Seen: []string{"t2"}, Done: []string{"t1"}}
	if held, _, err := w.tenant.CommitSync(ctx, run, store.FirstFence, step); held || err != nil {
		t.Errorf("a late commit: %t, %v", held, err)
	}
	if held, left, err := w.tenant.TombstoneSome(ctx, run, store.FirstFence, 5); held || left || err != nil {
		t.Errorf("late tombstones: %t, %t, %v", held, left, err)
	}
	if held, err := w.tenant.EndSyncRun(ctx, run, store.FirstFence, store.SyncEnd{Status: integration.SyncSuccess}); held || err != nil {
		t.Errorf("a late end: %t, %v", held, err)
	}
	if held, err := w.tenant.BeatSyncRun(ctx, run, store.FirstFence); held || err != nil {
		t.Errorf("a late heartbeat: %t, %v", held, err)
	}
	if diff := cmp.Diff(before, everythingOf(t, w.root, id)); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
	if fence, _, err := w.tenant.TakeOverSyncRun(ctx, run, time.Hour); fence != 0 || err != nil {
		t.Errorf("a run that beats was taken over: %d, %v", fence, err)
	}
}

// A worker that locks its run for longer than its lease keeps it, and its heartbeat is not older than that afterwards.
func TestALongTransactionKeepsItsRun(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	run := begin(t, w.tenant, createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID)
	takeOver := func(after time.Duration, want int) {
		t.Helper()
		if fence, _, err := w.tenant.TakeOverSyncRun(ctx, run, after); fence != want || err != nil {
			t.Errorf("taken over with %d, %v; want %d", fence, err, want)
		}
	}
	silent := func() { execute(t, w.root, `UPDATE kb.sync_runs SET heartbeat_at = now() - interval '1 hour'`) }
	for name, do := range map[string]func(*store.Tenant) error{
		"BeginSweep": func(tx *store.Tenant) error {
			_, err := tx.BeginSweep(ctx, run, store.FirstFence, store.SweepRules{})
			return err
		},
		"NoteDoomed": func(tx *store.Tenant) error {
			_, err := tx.NoteDoomed(ctx, run, store.FirstFence, "marking")
			return err
		},
	} {
		silent()
		beaten := make(chan error, 1)
		var released time.Time
		err := w.tenant.InTx(ctx, func(tx *store.Tenant) error {
			if err := do(tx); err != nil {
				return err
			}
			takeOver(time.Minute, 0)
			go func() {
				_, err := w.tenant.BeatSyncRun(ctx, run, store.FirstFence)
				beaten <- err
			}()
			for one[int](t, w.root, `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 && ctx.Err() == nil {
			}
			released = one[time.Time](t, w.root, `SELECT clock_timestamp()`)
			return ctx.Err()
		})
		if err := errors.Join(err, <-beaten); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if beat := one[time.Time](t, w.root, `SELECT heartbeat_at FROM kb.sync_runs`); beat.Before(released) {
			t.Errorf("%s: the heartbeat is %s older than the lock's end", name, released.Sub(beat))
		}
	}
	silent()
	takeOver(time.Minute, store.FirstFence+1)
}

// A run that begins again counts anew what it does to objects; what it created stays created.
func TestCountsOfARunThatBeginsAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	run := begin(t, w.tenant, createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID)
	for _, title := range []string{"A", "A", "B"} {
		commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("t1", title)}, Failures: []integration.SyncFailure{{Type: integration.ObjectTask, ExternalID: "t2"}}})
	}
	for _, want := range []integration.SyncCount{{Created: 1, Updated: 1, Unchanged: 1, Failed: 3}, {Created: 1}} {
		now, err := w.tenant.SyncRun(ctx, run)
		if err != nil {
			t.Fatal(err)
		}
		want.Type = integration.ObjectTask
		if len(now.Counts) != 1 || now.Counts[0] != want {
			t.Errorf("counts are %+v, want %+v", now.Counts, want)
		}
		if err := w.tenant.RestartSyncRun(ctx, run, store.FirstFence); err != nil {
			t.Fatal(err)
		}
	}
}

// A run that goes on does not say that it waits, whoever goes on with it.
func TestARunThatGoesOnSaysNothingOfItsRest(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	run := begin(t, w.tenant, createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID)
	step := func() *string {
		t.Helper()
		now, err := w.tenant.SyncRun(ctx, run)
		if err != nil || now.WaitingUntil != nil {
			t.Fatalf("%+v, %v", now, err)
		}
		return now.Step
	}
	for name, goOn := range map[string]func() error{
		"claimed": func() error {
			_, err := w.tenant.ClaimSyncRun(ctx, run, store.FirstFence)
			return err
		},
		"taken over": func() error {
			_, _, err := w.tenant.TakeOverSyncRun(ctx, run, 0)
			execute(t, w.root, `UPDATE kb.sync_runs SET fence = 1`)
			return err
		},
	} {
		if held, _, err := w.tenant.CommitSync(ctx, run, store.FirstFence, store.SyncStep{Stage: store.StageImport, Step: "tasks"}); !held || err != nil {
			t.Fatalf("%s: %t, %v", name, held, err)
		}
		if err := goOn(); err != nil || step() == nil {
			t.Errorf("%s: its step is gone, %v", name, err)
		}
		if _, err := w.tenant.WaitSyncRun(ctx, run, store.FirstFence, time.Now(), "waiting", false); err != nil {
			t.Fatal(err)
		}
		if err := goOn(); err != nil || step() != nil {
			t.Errorf("%s: it still says that it waits, %v", name, err)
		}
	}
}

// That a run began or ended is told by the transaction in which it did: no process can die between the two.
func TestBeginningsAndEndsAreToldWithTheirTransaction(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	execute(t, w.root, `LISTEN patchbay_sync`)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	told := func(what string, run uuid.UUID) {
		t.Helper()
		n, err := w.root.WaitForNotification(ctx)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		var got store.Event
		if err := json.Unmarshal([]byte(n.Payload), &got); err != nil || got != (store.Event{Project: w.project, Integration: id, Run: run}) {
			t.Errorf("%s was told as %s, %v", what, n.Payload, err)
		}
	}
	run := begin(t, w.tenant, id)
	told("the start", run)
	if _, err := w.tenant.EndSyncRun(ctx, run, store.FirstFence, store.SyncEnd{Status: integration.SyncSuccess}); err != nil {
		t.Fatal(err)
	}
	told("the end", run)
	run = begin(t, w.tenant, id)
	told("the next start", run)
	if _, err := w.tenant.CancelSyncRun(ctx, run); err != nil {
		t.Fatal(err)
	}
	told("the cancellation", run)
}

// The view that readers of the earlier module know.
func TestTheEarlierViewTellsTheTruth(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	look := func() (r map[string]any) {
		if err := json.Unmarshal([]byte(one[string](t, w.root, `SELECT to_jsonb(v)::text FROM kb.clickup_sync_state v WHERE integration_id = $1`, id)), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	want := func(status string, err any) map[string]any {
		t.Helper()
		r := look()
		if r["sync_status"] != status || r["sync_error"] != err {
			t.Errorf("%v, %v; want %s, %v", r["sync_status"], r["sync_error"], status, err)
		}
		return r
	}
	want("pending", nil)
	run := begin(t, w.tenant, id)
	want("running", nil)
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("t1", "Task")}, Workspace: &integration.ExternalAccount{ID: "w9", Name: "Nine"}})
	if _, err := w.tenant.EndSyncRun(ctx, run, store.FirstFence, store.SyncEnd{Status: integration.SyncPartial, Error: "some failed"}); err != nil {
		t.Fatal(err)
	}
	r := want("error", "some failed")
	if r["last_task_synced_id"] != "t1" || r["last_doc_synced_id"] != nil || r["total_synced"] != 1.0 || r["workspace_id"] != "w9" || r["workspace_name"] != "Nine" || r["last_successful_sync"] != nil {
		t.Errorf("%v", r)
	}
	run = begin(t, w.tenant, id)
	if _, err := w.tenant.CancelSyncRun(ctx, run); err != nil {
		t.Fatal(err)
	}
	want("pending", nil)
	run = begin(t, w.tenant, id)
	if _, err := w.tenant.EndSyncRun(ctx, run, store.FirstFence, store.SyncEnd{Status: integration.SyncSuccess}); err != nil {
		t.Fatal(err)
	}
	if r := want("success", nil); r["last_successful_sync"] == nil {
		t.Errorf("%v", r)
	}
	if _, err := w.tenant.SetSyncMappings(ctx, id, []integration.SyncMapping{{Kind: integration.MapList, ExternalID: "1", Target: "2"}}); err != nil {
		t.Fatal(err)
	}
	if r := look(); fmt.Sprint(r["list_mappings"], r["space_mappings"]) != "map[1:2] map[]" {
		t.Errorf("%v", r)
	}
}

func TestOldRunsArePruned(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	for range 6 {
		run := begin(t, w.tenant, id)
		commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("t1", "Task")}, Seen: []string{"t1"}})
		if _, err := w.tenant.EndSyncRun(ctx, run, store.FirstFence, store.SyncEnd{Status: integration.SyncSuccess}); err != nil {
			t.Fatal(err)
		}
	}
	execute(t, w.root, `UPDATE kb.sync_runs SET finished_at = now() - interval '100 days' WHERE id <> (SELECT max(id::text)::uuid FROM kb.sync_runs)`)
	live := begin(t, w.tenant, id)
	if orgs, err := w.store.OrganisationsWithOldSyncRuns(ctx, time.Now().Add(-90*24*time.Hour)); err != nil || !slices.Equal(orgs, []string{org}) {
		t.Fatal(orgs, err)
	}
	if n, err := w.tenant.PruneSyncRuns(ctx, time.Now().Add(-90*24*time.Hour), 4, 10); n != 3 || err != nil { // of seven
		t.Errorf("%d were removed, %v", n, err)
	}
	if r, err := w.tenant.SyncRun(ctx, live); r == nil || err != nil {
		t.Errorf("the live run: %v, %v", r, err)
	}
	if left := one[int](t, w.root, `SELECT count(*) FROM kb.sync_run_pages`); left != 0 {
		t.Errorf("%d pages are left of runs that ended", left)
	}
}
