package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	attempts, err := tenant.WaitSyncRun(ctx, run, store.FirstFence, time.Now(), "waiting", true)
	nothing("WaitSyncRun", err, attempts != -1)
	pending, err := tenant.PendingDetails(ctx, id, "", 5)
	nothing("PendingDetails", err, len(pending) > 0)
	left, err := tenant.CountPendingDetails(ctx, id, "")
	nothing("CountPendingDetails", err, left > 0)
	objects, err := tenant.CountObjects(ctx, id)
	nothing("CountObjects", err, objects > 0)
	doomed, err := tenant.CountDoomed(ctx, run, store.FirstFence)
	nothing("CountDoomed", err, doomed > 0)
	nothing("RestartSyncRun", tenant.RestartSyncRun(ctx, run, store.FirstFence))
	nothing("NoteAllDetails", tenant.NoteAllDetails(ctx, run, store.FirstFence))
	swept, err := tenant.BeginSweep(ctx, run, store.FirstFence, store.SweepRules{Completed: true})
	nothing("BeginSweep", err, swept != store.SweepCount{})
	missing, err := tenant.Unconfirmed(ctx, run, 5)
	nothing("Unconfirmed", err, len(missing) > 0)
	held, err = tenant.EndSyncRun(ctx, run, store.FirstFence, store.SyncEnd{Status: integration.SyncSuccess, Tombstone: true})
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
	nothing("Relate", tenant.Relate(ctx, []*integration.SyncedObject{o}), len(o.Relationships) > 0)
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
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	run := begin(t, w.tenant, id)
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
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	w := newWorkspace(t, nil)
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
		"NoteAllDetails": func(tx *store.Tenant) error { return tx.NoteAllDetails(ctx, run, store.FirstFence) },
	} {
		silent()
		beaten := make(chan error, 1)
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
			time.Sleep(time.Second) // the lease of this test
			return ctx.Err()
		})
		if err := errors.Join(err, <-beaten); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		takeOver(time.Second, 0)
	}
	silent()
	takeOver(time.Minute, store.FirstFence+1)
}

// Objects are numbered in the order of commits: who reads on from the last number misses none, however many write.
func TestNoChangeIsSkipped(t *testing.T) {
	t.Parallel()
	const writers, steps, perStep = 4, 25, 7
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	run := begin(t, w.tenant, id)
	var all sync.WaitGroup
	for n := range writers {
		all.Go(func() {
			for i := range steps {
				var step store.SyncStep
				for j := range perStep {
					step.Objects = append(step.Objects, task(fmt.Sprintf("%d-%d", n, j), fmt.Sprint(i)))
				}
				commit(t, w.tenant, run, step)
			}
		})
	}
	written := make(chan struct{})
	go func() { all.Wait(); close(written) }()
	latest := map[string]string{}
	var after *string
	seen := int64(0)
	for done := false; ; {
		select {
		case <-written:
			done = true
		default:
		}
		page, err := w.tenant.SyncedObjects(ctx, id, integration.SyncedObjectFilter{}, integration.PageArgs{First: 5, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			latest[item.Node.ExternalID] = item.Node.Title
			keys, err := integration.DecodeCursor("after", "syncedObjects", item.Cursor, 1)
			if err != nil {
				t.Fatal(err)
			}
			seq, err := strconv.ParseInt(keys[0], 10, 64)
			if err != nil || seq <= seen {
				t.Fatalf("%d after %d, %v", seq, seen, err)
			}
			seen, after = seq, &item.Cursor
		}
		if len(page.Items) == 0 && done {
			break
		}
	}
	if len(latest) != writers*perStep {
		t.Errorf("%d objects were read, want %d", len(latest), writers*perStep)
	}
	for id, title := range latest {
		if title != fmt.Sprint(steps-1) {
			t.Errorf("the last change of %s that was read is %s", id, title)
		}
	}
}

func TestWhatReadersSee(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	run := begin(t, w.tenant, id)
	list := task("list", "The list")
	list.Type, list.Relations, list.HasDetails = integration.ObjectCollection, nil, false
	about := task("t3", "About blue whales")
	about.Content = ptr("They sing, and are rarely seen.")
	commit(t, w.tenant, run, store.SyncStep{
		Objects: []store.ImportedObject{list, task("t1", "Blue paint"), task("t2", "Red paint"), about}, Seen: []string{"list", "t1", "t3"}, Covered: []string{"tasks"},
	})
	age(t, w.root)
	if _, err := w.tenant.BeginSweep(ctx, run, store.FirstFence, store.SweepRules{}); err != nil {
		t.Fatal(err)
	}
	if held, err := w.tenant.EndSyncRun(ctx, run, store.FirstFence, store.SyncEnd{Status: integration.SyncSuccess, Tombstone: true}); !held || err != nil {
		t.Fatal(held, err)
	}
	for _, c := range []struct {
		filter integration.SyncedObjectFilter
		want   string
	}{
		{integration.SyncedObjectFilter{}, "list t1 t3"},
		{integration.SyncedObjectFilter{IncludeDeleted: true}, "list t1 t3 t2"}, // deleting is a change
		{integration.SyncedObjectFilter{Type: ptr(integration.ObjectTask)}, "t1 t3"},
		{integration.SyncedObjectFilter{Search: ptr("BLUE")}, "t1 t3"},
		{integration.SyncedObjectFilter{Search: ptr("blue -paint")}, "t3"},
		{integration.SyncedObjectFilter{Search: ptr(`"rarely seen"`)}, "t3"},
		{integration.SyncedObjectFilter{Search: ptr("paint"), IncludeDeleted: true}, "t1 t2"},
		{integration.SyncedObjectFilter{Search: ptr("list"), Type: ptr(integration.ObjectTask)}, ""},
		{integration.SyncedObjectFilter{Search: ptr("' & | ! ( :*")}, ""},
	} {
		var got []string
		var after *string
		for {
			page, err := w.tenant.SyncedObjects(ctx, id, c.filter, integration.PageArgs{First: 1, After: after, CountTotal: true})
			if err != nil {
				t.Fatalf("%+v: %v", c.filter, err)
			}
			if want := len(strings.Fields(c.want)); page.Total != want {
				t.Errorf("%+v: the total is %d, want %d", c.filter, page.Total, want)
			}
			for _, item := range page.Items {
				got, after = append(got, item.Node.ExternalID), &item.Cursor
			}
			if !page.HasNext {
				break
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", toJSON(t, c.filter), got, c.want)
		}
	}
	page, err := w.tenant.SyncedObjects(ctx, id, integration.SyncedObjectFilter{}, integration.PageArgs{First: 5})
	if err != nil {
		t.Fatal(err)
	}
	var objects []*integration.SyncedObject
	for _, item := range page.Items {
		objects = append(objects, item.Node)
	}
	if err := w.tenant.Relate(ctx, objects); err != nil {
		t.Fatal(err)
	}
	related := map[string][]string{}
	for _, o := range objects {
		for _, r := range o.Relationships {
			related[o.ExternalID] = append(related[o.ExternalID], string(r.Type)+" "+r.Target.Title)
		}
	}
	if diff := cmp.Diff(map[string][]string{"t1": {"BELONGS_TO The list"}, "t3": {"BELONGS_TO The list"}}, related); diff != "" {
		t.Error(diff)
	}
	if o := objects[2]; *o.Content != *about.Content || o.ExternalSource != "clickup" || o.Properties["a"] != 1.0 {
		t.Errorf("%+v", o)
	}
}

// What somebody else stores while a run is under way is not missed, whatever listing it is in and whatever it is below; the rest is.
func TestWhatWasStoredMeanwhileIsNotMissed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	below := func(id, parent string) store.ImportedObject {
		o := task(id, "Task")
		o.ParentID, o.Listing = &parent, "below "+parent
		return o
	}
	run := begin(t, w.tenant, id)
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("gone", "Task"), below("old", "gone"), task("back", "Task"), below("with", "back")}})
	age(t, w.root)
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("new", "Task"), below("moved", "gone")}}) // unseen, as by another
	commit(t, w.tenant, run, store.SyncStep{Covered: []string{"tasks"}})
	if n, err := w.tenant.BeginSweep(ctx, run, store.FirstFence, store.SweepRules{}); n != (store.SweepCount{Covered: 5, Missing: 4}) || err != nil {
		t.Error(n, err)
	}
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("back", "Is back")}})
	if held, err := w.tenant.EndSyncRun(ctx, run, store.FirstFence, store.SyncEnd{Status: integration.SyncSuccess, Tombstone: true}); !held || err != nil {
		t.Error(held, err)
	}
	left := column[string](t, w.root, `SELECT external_id FROM kb.synced_objects WHERE deleted_at IS NULL ORDER BY 1`)
	if diff := cmp.Diff([]string{"back", "moved", "new", "with"}, left); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What came below an object that is marked as deleted is missed by full runs, although no listing that it is in is covered any more.
func TestWhatIsLeftBelowTheDeletedIsMissed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	below := func(id, parent string) store.ImportedObject {
		o := task(id, "Task")
		o.ParentID, o.Listing = &parent, "below "+parent
		return o
	}
	run := begin(t, w.tenant, id)
	closed := below("closed", "gone")
	closed.Completed = true
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("gone", "Task"), below("left", "gone"), below("lower", "left"), below("seen", "gone"), closed}})
	age(t, w.root)
	execute(t, w.root, `UPDATE kb.synced_objects SET deleted_at = now() WHERE external_id = 'gone'`)
	commit(t, w.tenant, run, store.SyncStep{Seen: []string{"seen"}, Objects: []store.ImportedObject{below("new", "gone")}})
	rules := store.SweepRules{Confirm: []integration.ObjectType{integration.ObjectTask}} // that there is more than none of what it does not list
	if n, err := w.tenant.BeginSweep(ctx, run, store.FirstFence, rules); n != (store.SweepCount{Covered: 2, Missing: 2}) || err != nil {
		t.Error(n, err)
	}
	asked, err := w.tenant.Unconfirmed(ctx, run, 10)
	if diff := cmp.Diff([]store.NamedObject{{Type: integration.ObjectTask, ExternalID: "left"}}, asked); diff != "" || err != nil {
		t.Errorf("to be asked for, %v (-want +got):\n%s", err, diff)
	}
	execute(t, w.root, `DELETE FROM kb.sync_run_missing`)
	rules.MostExcluded = 1
	if n, err := w.tenant.BeginSweep(ctx, run, store.FirstFence, rules); n != (store.SweepCount{Covered: 3, Missing: 3}) || err != nil {
		t.Errorf("with what it does not list: %v, %v", n, err)
	}
	execute(t, w.root, `DELETE FROM kb.sync_run_missing`)
	execute(t, w.root, `UPDATE kb.sync_runs SET mode = 'INCREMENTAL'`)
	if n, err := w.tenant.BeginSweep(ctx, run, store.FirstFence, rules); n != (store.SweepCount{}) || err != nil {
		t.Errorf("an incremental run: %v, %v", n, err)
	}
}

// Of what is below something missing and is not listed, so much is asked for and more is left alone, with what is below it.
func TestManyThatAreNotListedAreLeftAlone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	below := func(id, parent string, completed bool) store.ImportedObject {
		o := task(id, "Task")
		o.ParentID, o.Listing, o.Completed = &parent, "below "+parent, completed
		return o
	}
	run := begin(t, w.tenant, id)
	commit(t, w.tenant, run, store.SyncStep{Covered: []string{"tasks"}, Objects: []store.ImportedObject{
		task("gone", "Task"), below("open", "gone", false), below("closed1", "gone", true), below("closed2", "open", true), below("lower", "closed1", false),
	}})
	age(t, w.root)
	for _, c := range []struct {
		most, unconfirmed int
		want              store.SweepCount
	}{{2, 2, store.SweepCount{Covered: 5, Missing: 5}}, {1, 0, store.SweepCount{Covered: 2, Missing: 2}}} {
		execute(t, w.root, `DELETE FROM kb.sync_run_missing`)
		n, err := w.tenant.BeginSweep(ctx, run, store.FirstFence, store.SweepRules{MostExcluded: c.most})
		if n != c.want || err != nil {
			t.Errorf("%d: %+v, %v", c.most, n, err)
		}
		if asked, err := w.tenant.Unconfirmed(ctx, run, 10); len(asked) != c.unconfirmed || err != nil {
			t.Errorf("%d: %v are asked for, %v", c.most, asked, err)
		}
	}
}

// An object has its relationships to what is there, however many others it had.
func TestRelationshipsToTheLiving(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	run := begin(t, w.tenant, id)
	hub := task("hub", "Hub")
	hub.Relations = nil
	step := store.SyncStep{}
	for i := range 250 {
		o := task(fmt.Sprintf("t%03d", i), "Task")
		o.Relations = nil
		step.Objects = append(step.Objects, o)
		hub.Relations = append(hub.Relations, store.ImportedRelation{Type: integration.RelParentOf, Source: "hub", Target: o.ExternalID})
	}
	step.Objects = append(step.Objects, hub)
	commit(t, w.tenant, run, step)
	execute(t, w.root, `UPDATE kb.synced_objects SET deleted_at = now() WHERE external_id < 't140' AND external_id > 't'`)
	o, err := w.tenant.SyncedObject(ctx, id, "hub")
	if err == nil {
		err = w.tenant.Relate(ctx, []*integration.SyncedObject{o})
	}
	if err != nil {
		t.Fatal(err)
	}
	if n := len(o.Relationships); n != 100 || o.Relationships[0].Target.ExternalID != "t140" || o.Relationships[99].Target.ExternalID != "t239" {
		t.Errorf("%d relationships", n)
	}
}

// That a run began or ended is told by the transaction in which it did: no process can die between the two.
func TestBeginningsAndEndsAreToldWithTheirTransaction(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	execute(t, w.root, `LISTEN patchbay_sync`)
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

// What no text search of PostgreSQL's takes whole is stored all the same, and what it refuses is told apart.
func TestLargeTexts(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	run := begin(t, w.tenant, id)
	var compound strings.Builder
	for i := range 30_000 {
		fmt.Fprintf(&compound, "漢%d-字%d ", i, i)
	}
	large := task("t1", strings.Repeat("Ж", 4000))
	large.Content = ptr(compound.String())
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{large}})
	bad := task("t2", "Task")
	bad.Properties = []byte(`{"a": "\u0000"}`)
	_, _, err := w.tenant.CommitSync(ctx, run, store.FirstFence, store.SyncStep{Stage: store.StageImport, Objects: []store.ImportedObject{bad}})
	if !store.IsValueRefused(err) {
		t.Errorf("a value that cannot be stored: %v", err)
	}
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

// With 200,000 objects a search reads a small part of them, and so does following changes.
func TestObjectsAreFoundByIndex(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	execute(t, w.root, `SET synchronous_commit = on`) // or VACUUM could not mark pages as visible to all
	execute(t, w.root, `
		INSERT INTO kb.synced_objects (id, integration_id, org_id, project_id, type, external_id, title, content, properties, listing, content_hash, change_seq)
		SELECT gen_random_uuid(), $1, $2, $3, CASE n % 10000 WHEN 0 THEN 'USER' ELSE 'TASK' END, n, 'Task number' || n, 'word' || n % 5000 || ' and more text to fill it', jsonb_build_object('much', repeat('x', 600)), 'tasks', decode(repeat('ab', 32), 'hex'), n
		FROM generate_series(1, 200000) n`, id, org, w.project)
	execute(t, w.root, `VACUUM ANALYZE kb.synced_objects`)
	for name, c := range map[string]struct {
		filter integration.SyncedObjectFilter
		want   int
		total  int // 0 is not asked for
		most   int // buffers; the table has some 20,000
	}{
		"a rare word":                     {integration.SyncedObjectFilter{Search: ptr("word4321")}, 40, 0, 1000},
		"two words":                       {integration.SyncedObjectFilter{Search: ptr("word4321 number4321")}, 0, 0, 1000},
		"a phrase of all":                 {integration.SyncedObjectFilter{Search: ptr(`"more text" -word1`)}, 50, 0, 1000},
		"no search":                       {integration.SyncedObjectFilter{}, 50, 0, 1000},
		"a rare type":                     {integration.SyncedObjectFilter{Type: ptr(integration.ObjectUser)}, 20, 20, 4000}, // the index is as large as that
		"all":                             {integration.SyncedObjectFilter{}, 50, 200_000, 4000},
		"all with those that are deleted": {integration.SyncedObjectFilter{IncludeDeleted: true}, 50, 0, 1000},
	} {
		tr := &tracer{}
		tenant := w.db.Open(t, catalogue, tr).Tenant(integration.Scope{Org: org, Projects: []uuid.UUID{w.project}})
		after := integration.EncodeCursor("syncedObjects", "1000")
		page, err := tenant.SyncedObjects(ctx, id, c.filter, integration.PageArgs{First: 50, After: &after, CountTotal: c.total > 0})
		if err != nil || len(page.Items) != c.want && c.want != 0 || page.Total != c.total {
			t.Fatalf("%s: %d of %d found, %v", name, len(page.Items), page.Total, err)
		}
		serve := w.db.Connect(t, "", "")
		execute(t, serve, "SET ROLE patchbay_serve")
		for _, sent := range tr.take() {
			for i, sql := range sent.sql {
				if !strings.Contains(sql, "kb.synced_objects") {
					continue
				}
				for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
					tx, err := serve.Begin(ctx)
					if err != nil {
						t.Fatal(err)
					}
					execute(t, tx, store.SetScope, sent.args[0]...)
					execute(t, tx, `SELECT set_config('plan_cache_mode', $1, true), set_config('enable_seqscan', 'off', true)`, mode) // as byIndex does
					plan := strings.Join(column[string](t, tx, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) "+sql, sent.args[i]...), "\n")
					if n := buffers(t, plan); n > c.most {
						t.Errorf("%s with %s touches %d buffers:\n%s", name, mode, n, plan)
					}
					if err := tx.Rollback(ctx); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}

var hits = regexp.MustCompile(`Buffers: shared hit=(\d+)(?: read=(\d+))?`)

// buffers is how many blocks the statement of a plan touched.
func buffers(t testing.TB, plan string) (n int) {
	t.Helper()
	first := hits.FindStringSubmatch(plan)
	if first == nil {
		t.Fatalf("no buffers in the plan:\n%s", plan)
	}
	for _, number := range first[1:] {
		k, _ := strconv.Atoi(number) // empty where nothing was read
		n += k
	}
	return n
}

// What a large import left is removed in steps, after its integration, and nobody else's.
func TestLargeImportsGoInSteps(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	large := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	other := createIntegration(t, w.tenant, newIntegration(w.project, "clickup-2")).ID
	fill := func(id uuid.UUID, n int) {
		execute(t, w.root, `
			INSERT INTO kb.synced_objects (id, integration_id, org_id, project_id, type, external_id, title, listing, content_hash, change_seq)
			SELECT gen_random_uuid(), $1, $2, $3, 'TASK', n, 'Task', 'tasks', decode(repeat('ab', 32), 'hex'), n
			FROM generate_series(1, $4) n`, id, org, w.project, n)
		execute(t, w.root, `
			INSERT INTO kb.synced_relationships (integration_id, org_id, project_id, source_id, type, target_id, stated_by)
			SELECT $1, $2, $3, n, 'BELONGS_TO', 'list', n
			FROM generate_series(1, $4) n`, id, org, w.project, n)
	}
	fill(large, 12_000)
	fill(other, 10)
	left := func(id uuid.UUID) []int {
		return column[int](t, w.root, `
			SELECT count(*)::int FROM kb.synced_objects WHERE integration_id = $1
			UNION ALL
			SELECT count(*)::int FROM kb.synced_relationships WHERE integration_id = $1`, id)
	}
	if deleted, err := w.tenant.DeleteIntegration(ctx, w.project, "clickup"); err != nil || *deleted != large {
		t.Fatal(deleted, err)
	}
	if diff := cmp.Diff([]int{7000, 7000}, left(large)); diff != "" {
		t.Errorf("after the deletion (-want +got):\n%s", diff)
	}
	db := w.db.Open(t, catalogue, nil)
	for steps := 0; ; steps++ {
		more, err := db.ForgetMore(ctx, 5000)
		if err != nil || steps > 5 {
			t.Fatal(steps, err)
		}
		if !more {
			break
		}
	}
	if diff := cmp.Diff([]int{0, 0, 10, 10}, append(left(large), left(other)...)); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
}
