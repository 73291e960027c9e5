package store_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

// below is a task in a listing of what is below another.
func below(id, parent string) store.ImportedObject {
	o := task(id, "Task")
	o.ParentID, o.Listing = &parent, "below "+parent
	return o
}

// What somebody else stores while a run is under way is not missed, whatever listing it is in and whatever it is below; the rest is.
func TestWhatWasStoredMeanwhileIsNotMissed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, _, run := newRun(t)
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("gone", "Task"), below("old", "gone"), task("back", "Task"), below("with", "back")}})
	age(t, w.root)
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("new", "Task"), below("moved", "gone")}}) // unseen, as by another
	commit(t, w.tenant, run, store.SyncStep{Covered: []string{"tasks"}})
	if n, err := w.tenant.BeginSweep(ctx, run, store.FirstFence, store.SweepRules{}); n != (store.SweepCount{Covered: 5, Missing: 4}) || err != nil {
		t.Error(n, err)
	}
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("back", "Is back")}})
	tombstone(t, w.tenant, run)
	left := column[string](t, w.root, `SELECT external_id FROM kb.synced_objects WHERE deleted_at IS NULL ORDER BY 1`)
	if diff := cmp.Diff([]string{"back", "moved", "new", "with"}, left); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What came below an object that is marked as deleted is missed by full runs, although no listing that it is in is covered any more.
func TestWhatIsLeftBelowTheDeletedIsMissed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, _, run := newRun(t)
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

// What a webhook marks as deleted while a run asks for it is settled by that: the run would ask for it for ever.
func TestWhatIsMarkedMeanwhileIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, _, run := newRun(t)
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("marked", "Task"), task("gone", "Task"), task("there", "Task"), task("open", "Task")}})
	age(t, w.root)
	commit(t, w.tenant, run, store.SyncStep{Covered: []string{"tasks"}})
	rules := store.SweepRules{Confirm: []integration.ObjectType{integration.ObjectTask}}
	if n, err := w.tenant.BeginSweep(ctx, run, store.FirstFence, rules); n.Missing != 4 || err != nil {
		t.Fatal(n, err)
	}
	execute(t, w.root, `UPDATE kb.synced_objects SET deleted_at = now() WHERE external_id = 'marked'`)
	commit(t, w.tenant, run, store.SyncStep{Gone: []string{"gone", "marked"}, Found: []string{"there"}})
	asked, err := w.tenant.Unconfirmed(ctx, run, 10)
	if diff := cmp.Diff([]store.NamedObject{{Type: integration.ObjectTask, ExternalID: "open"}}, asked); diff != "" || err != nil {
		t.Errorf("to be asked for, %v (-want +got):\n%s", err, diff)
	}
	if n, err := w.tenant.CountDoomed(ctx, run, store.FirstFence, true); n != 1 || err != nil {
		t.Errorf("%d objects are gone, %v", n, err)
	}
}

// Of what is below something missing and is not listed, so much is asked for and more is left alone, with what is below it.
func TestManyThatAreNotListedAreLeftAlone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	closed1, closed2 := below("closed1", "gone"), below("closed2", "open")
	closed1.Completed, closed2.Completed = true, true
	run := begin(t, w.tenant, id)
	commit(t, w.tenant, run, store.SyncStep{Covered: []string{"tasks"}, Objects: []store.ImportedObject{
		task("gone", "Task"), below("open", "gone"), closed1, closed2, below("lower", "closed1"),
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

// Below what was deleted long ago a full run has looked: the next ones do not, unless that ended badly or listed less.
func TestNothingIsLookedAtTwiceBelowTheDeleted(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, id, run := newRun(t)
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{task("old", "Task"), below("left", "old"), task("recent", "Task"), below("lower", "recent")}})
	age(t, w.root)
	if _, err := w.tenant.EndSyncRun(ctx, run, store.FirstFence, store.SyncEnd{Status: integration.SyncSuccess}); err != nil {
		t.Fatal(err)
	}
	execute(t, w.root, `UPDATE kb.synced_objects SET deleted_at = now() - interval '25 hours' WHERE external_id = 'old'`)
	execute(t, w.root, `UPDATE kb.synced_objects SET deleted_at = now() - interval '23 hours' WHERE external_id = 'recent'`)
	run = begin(t, w.tenant, id)
	for _, c := range []struct {
		before string
		want   int
	}{
		{`SELECT`, 1},
		{`UPDATE kb.sync_runs SET status = 'PARTIAL' WHERE finished_at IS NOT NULL`, 2},
		{`UPDATE kb.sync_runs SET status = 'SUCCESS', include_completed = false WHERE finished_at IS NOT NULL`, 2},
		{`UPDATE kb.sync_runs SET include_completed = NULL, settings_hash = 'others' WHERE finished_at IS NOT NULL`, 2},
		{`UPDATE kb.sync_runs SET settings_hash = (SELECT settings_hash FROM kb.sync_runs WHERE finished_at IS NULL), mode = 'INCREMENTAL' WHERE finished_at IS NOT NULL`, 2},
	} {
		execute(t, w.root, `DELETE FROM kb.sync_run_missing`)
		execute(t, w.root, c.before)
		if n, err := w.tenant.BeginSweep(ctx, run, store.FirstFence, store.SweepRules{}); n.Missing != c.want || err != nil {
			t.Errorf("after %s: %d, %v; want %d", c.before, n.Missing, err, c.want)
		}
	}
}
