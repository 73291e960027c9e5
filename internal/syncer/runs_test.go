package syncer_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

func TestAFullRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 7)
	w.source.fill("b", 4)
	s, _ := w.works()

	run := w.run(s, full())
	w.want([...]any{run.Status, run.Mode, run.Trigger, run.Error}, [...]any{integration.SyncSuccess, integration.SyncFull, integration.TriggerManual, (*string)(nil)})
	w.wantObjects()
	w.want(count(run, integration.ObjectTask), integration.SyncCount{Type: integration.ObjectTask, Created: 11})
	w.want(count(run, integration.ObjectComment), integration.SyncCount{Type: integration.ObjectComment, Created: 6})
	w.want([...]int{run.Processed, *run.Total}, [...]int{24, 24}) // lists, tasks, and tasks whose comments were read
	state := w.state()
	w.want([...]any{state.Status, state.TotalSynced, *state.WorkspaceName, state.ConsecutiveFailures}, [...]any{integration.SyncSuccess, 19, "Works", 0})
	if state.LastSyncAt == nil || state.LastSuccessfulSync == nil {
		t.Errorf("the state has no times: %+v", state)
	}

	again := w.run(s, full())
	w.want(count(again, integration.ObjectTask), integration.SyncCount{Type: integration.ObjectTask, Unchanged: 11})
	w.want(w.source.count("comments"), 11) // of the first run
}

// A run with nothing new writes no object and no relationship.
func TestARunThatFindsNothingNewWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 20)
	s, _ := w.works()
	w.run(s, full())
	versions := func() (list []string) {
		rows, err := w.root.Query(t.Context(), `
			SELECT xmin::text || ctid::text FROM kb.synced_objects UNION ALL SELECT xmin::text || ctid::text FROM kb.synced_relationships ORDER BY 1`)
		w.must(err)
		for rows.Next() {
			var v string
			w.must(rows.Scan(&v))
			list = append(list, v)
		}
		w.must(rows.Err())
		return list
	}
	before := versions()
	if run := w.run(s, full()); run.Status != integration.SyncSuccess {
		t.Fatalf("%+v", run)
	}
	w.want(versions(), before)
}

func TestIncrementalRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 5)
	s, _ := w.works()
	first := w.run(s, incremental())
	w.want(first.Mode, integration.SyncFull) // there is nothing to begin at

	w.source.edit("a", 3, "Edited")
	w.source.change(func() { w.source.comments["a-003"] = []string{"new", "newer"} })
	w.source.remove("a", 0) // which only a full run finds
	run := w.run(s, incremental())
	w.want([...]any{run.Mode, run.Status}, [...]any{integration.SyncIncremental, integration.SyncSuccess})
	w.want([...]int{count(run, integration.ObjectTask).Created, count(run, integration.ObjectTask).Updated}, [...]int{0, 1})
	w.want(count(run, integration.ObjectComment), integration.SyncCount{Type: integration.ObjectComment, Created: 2})
	if _, still := w.objects()["a-000"]; !still {
		t.Error("an incremental run marked a task as deleted")
	}
	// A comment that is gone from its task, which changed, is gone.
	w.source.edit("a", 2, "Edited again")
	w.source.change(func() { w.source.comments["a-003"] = []string{"new"} })
	w.run(s, incremental())
	if _, still := w.objects()["comment:a-003:1"]; still {
		t.Error("the deleted comment stays")
	}
	w.run(s, full())
	w.wantObjects()
}

func TestTombstones(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 6)
	w.source.fill("b", 6)
	w.source.fill("c", 2)
	s, _ := w.works()
	w.run(s, full())

	w.source.remove("a", 2)
	w.source.remove("b", 2)
	w.source.change(func() { delete(w.source.lists, "c") })

	// A run that fails on its way marks nothing.
	w.source.onRequest(func(_ context.Context, request string) error {
		if request == "tasks" && w.source.count("tasks") > 7 {
			return integration.ProviderFailed("works", integration.ReasonAuthFailed, "refused")
		}
		return nil
	})
	if run := w.run(s, full()); run.Status != integration.SyncError {
		t.Fatalf("%+v", run)
	}
	w.want(len(w.objects()), 3+14+7)
	w.source.onRequest(nil)

	// One of a selection looks at nothing else.
	run := w.run(s, integration.StartSync{Mode: integration.SyncFull, Selection: ptr([]string{"a"})})
	w.want(count(run, integration.ObjectTask).Deleted, 1+2) // with those of the list that is gone
	w.want(w.state().Selection, []string{"a"})
	if _, still := w.objects()["b-002"]; !still {
		t.Error("a run marked what is outside its selection")
	}
	run = w.run(s, integration.StartSync{Mode: integration.SyncFull, Selection: ptr([]string(nil))})
	w.want(run.Status, integration.SyncSuccess)
	w.wantObjects()
	w.want(w.state().TotalSynced, len(w.objects()))

	// What was deleted and is there again, is there again.
	w.source.fill("c", 2)
	w.run(s, full())
	w.wantObjects()
}

// Listings in numbered pages can miss a task while another one is deleted: it is asked for before it is taken for deleted.
func TestATaskThatAListingMissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 9)
	s, _ := w.works()
	w.run(s, full())
	var once sync.Once
	w.source.onRequest(func(_ context.Context, request string) error {
		if request == "tasks" && w.source.count("tasks") == 3+2 { // the first page has been read
			once.Do(func() { w.source.remove("a", 0) })
		}
		return nil
	})
	run := w.run(s, full())
	w.want(run.Status, integration.SyncSuccess)
	w.want(w.source.count("one"), 1)
	if _, still := w.objects()["a-003"]; !still {
		t.Error("the missed task is marked as deleted")
	}
}

func TestManyDeletionsNeedAWord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.perPage = 100
	w.source.fill("a", 300)
	s, _ := w.works()
	w.run(s, full())
	w.source.change(func() { w.source.lists["a"] = w.source.lists["a"][:150] })
	run := w.run(s, full())
	if run.Status != integration.SyncPartial || run.Error == nil || !strings.Contains(*run.Error, "225 of 376 objects") { // with their comments, after they were asked for
		t.Errorf("%s: %v", run.Status, *run.Error)
	}
	w.want(len(w.objects()), 1+300+150)
	in := full()
	in.ConfirmDeletions = true
	w.want(w.run(s, in).Status, integration.SyncSuccess)
	w.wantObjects()
}

func TestCompletedItems(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 4)
	w.source.change(func() { w.source.lists["a"][1].closed = true })
	s, _ := w.works()
	w.run(s, full())
	w.want(len(w.objects()), 1+3+2)
	w.source.change(func() { w.source.lists["a"][2].closed = true })
	w.run(s, full())
	w.want(len(w.objects()), 1+3+2) // it is known, and stays
	in := full()
	in.IncludeCompleted = ptr(true)
	w.run(s, in)
	w.wantObjects()
}

func TestItemsThatFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 5)
	w.source.edit("a", 2, "broken")
	s, _ := w.works()
	run := w.run(s, full())
	w.want(run.Status, integration.SyncPartial)
	w.want(*run.Error, "1 item could not be imported: task a-002 (it is broken)")
	w.want(run.Failures, []integration.SyncFailure{{Type: integration.ObjectTask, ExternalID: "a-002", Reason: "it is broken"}})
	w.want(w.state().Status, integration.SyncPartial)
	if w.state().LastSuccessfulSync != nil {
		t.Error("a partial run counts as successful")
	}
	// It is tried again when it changes, and by the next full run.
	w.source.change(func() { w.source.lists["a"][2].title = "Mended" })
	w.want(w.run(s, full()).Status, integration.SyncSuccess)
	w.wantObjects()
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 30)
	s, _ := w.works()
	reached, release := make(chan struct{}), make(chan struct{})
	w.source.onRequest(func(ctx context.Context, request string) error {
		if request == "tasks" && w.source.count("tasks") == 5 {
			close(reached)
			select {
			case <-release:
			case <-ctx.Done(): // by the heartbeat
				return ctx.Err()
			}
		}
		return nil
	})
	run := w.start(s, full())
	<-reached
	cancelled, err := s.CancelSync(t.Context(), w.admin, run.ID)
	w.must(err)
	w.want(cancelled.Status, integration.SyncCancelled)
	stored := len(w.objects())
	close(release)
	again, err := s.CancelSync(t.Context(), w.admin, run.ID)
	w.must(err)
	w.want(again.Status, integration.SyncCancelled)

	w.source.onRequest(nil)
	next := w.run(s, full()) // at once
	w.want(next.Status, integration.SyncSuccess)
	w.wantObjects()
	w.want(w.until(run, (*integration.SyncRun).Ended).Status, integration.SyncCancelled)
	if stored >= 30 {
		t.Errorf("%d objects were stored before the end", stored)
	}
	_, err = s.CancelSync(t.Context(), w.admin, next.ID)
	w.wantKind(err, integration.KindConflict)
}

func TestOneRunAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 3)
	s, _ := w.works()
	release := make(chan struct{})
	w.source.onRequest(func(ctx context.Context, _ string) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	var begun, refused int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := s.StartSync(t.Context(), w.admin, w.integration.ID, full())
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				begun++
			case integration.IsKind(err, integration.KindConflict):
				refused++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.want([...]int{begun, refused}, [...]int{1, 7})
	_, err := s.ResetSyncState(t.Context(), w.admin, w.integration.ID)
	w.wantKind(err, integration.KindConflict)
	close(release)
}

func TestWrongCredentialsEndARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 3)
	s, _ := w.works()
	w.run(s, full())
	before := w.state()
	w.source.onRequest(func(context.Context, string) error {
		return integration.ProviderFailed("works", integration.ReasonAuthFailed, "Works refused the token")
	})
	run := w.run(s, incremental())
	w.want([...]any{run.Status, *run.Error}, [...]any{integration.SyncError, "Works refused the token (PROVIDER_ERROR, auth_failed)"})
	after := w.state()
	w.want([...]any{after.Status, after.ConsecutiveFailures, after.LastSuccessfulSync}, [...]any{integration.SyncError, 1, before.LastSuccessfulSync})
	w.want(w.source.count("lists"), 2) // once more, and not again

	w.source.onRequest(nil)
	w.source.edit("a", 0, "Edited")
	run = w.run(s, incremental())
	w.want([...]any{run.Mode, run.Status, count(run, integration.ObjectTask).Updated}, [...]any{integration.SyncIncremental, integration.SyncSuccess, 1})
	w.want(w.state().ConsecutiveFailures, 0)
}

func TestARunWaitsWithoutAWorker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 9)
	s, _ := w.works()
	var begin sync.Once
	var until time.Time
	w.source.onRequest(func(_ context.Context, request string) error {
		if request != "comments" || w.source.count("comments") <= 2 {
			return nil
		}
		begin.Do(func() { until = time.Now().Add(4 * time.Second) })
		if time.Now().Before(until) {
			return &provider.Wait{Until: until, Cause: integration.ProviderFailed("works", integration.ReasonRateLimited, "used up")}
		}
		return nil
	})
	run := w.start(s, full())
	waiting := w.until(run, func(r *integration.SyncRun) bool { return r.WaitingUntil != nil })
	w.want([...]any{waiting.Status, *waiting.Step}, [...]any{integration.SyncRunning, "waiting for the rate limit of Works"})
	w.want(waiting.EstimatedSecondsLeft(), (*int)(nil))
	w.want(count(waiting, integration.ObjectComment).Created, 1) // what was read before is stored
	w.want(w.ended(run).Status, integration.SyncSuccess)
	w.wantObjects()
}

func TestFailuresThatPass(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 9)
	s, _ := w.works()
	w.source.onRequest(func(_ context.Context, request string) error {
		if request == "tasks" && w.source.count("tasks") == 2 {
			return integration.ProviderFailed("works", integration.ReasonUnavailable, "Works answered 503")
		}
		return nil
	})
	run := w.start(s, full())
	waiting := w.until(run, func(r *integration.SyncRun) bool { return r.WaitingUntil != nil })
	w.want(*waiting.Step, "trying again after: Works answered 503 (PROVIDER_ERROR, unavailable)")
	w.want(w.ended(run).Status, integration.SyncSuccess)
	w.wantObjects()
}

func TestADisabledIntegration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 3)
	s, _ := w.works()
	reached := make(chan struct{})
	var once sync.Once
	w.source.onRequest(func(ctx context.Context, request string) error {
		if request == "tasks" {
			once.Do(func() { close(reached) })
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
	run := w.start(s, full())
	<-reached
	_, err := w.root.Exec(t.Context(), `UPDATE kb.integrations SET enabled = false`)
	w.must(err)
	ended := w.ended(run)
	w.want([...]any{ended.Status, *ended.Error}, [...]any{integration.SyncCancelled, "the integration was disabled"})
	_, err = s.StartSync(t.Context(), w.admin, w.integration.ID, full())
	w.wantKind(err, integration.KindInvalid)
}

// A worker that dies leaves its run to another one, at the page that it had reached.
func TestAWorkerThatDies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 30)
	s, stop := w.works()
	reached, dead := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(dead) })
	w.source.onRequest(func(ctx context.Context, request string) error {
		if request == "tasks" && w.source.count("tasks") == 6 {
			close(reached)
			<-ctx.Done() // it is told to end, and does not commit
			return errors.New("the process is gone")
		}
		return nil
	})
	run := w.start(s, full())
	<-reached
	stop()
	w.source.onRequest(nil)
	read := w.source.count("tasks")
	w.works()
	ended := w.ended(run)
	w.want(ended.Status, integration.SyncSuccess)
	w.wantObjects()
	if again := w.source.count("tasks") - read; again > 7 { // ten pages, of which three were stored
		t.Errorf("%d pages were read after the death", again)
	}
}

// A list that nobody may read, such as one that was chosen and is archived, keeps no run from what changed elsewhere.
func TestAListThatStaysUnread(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 3)
	w.source.fill("b", 3)
	w.source.change(func() { w.source.unread = "b" })
	s, _ := w.works()
	since := w.since()
	for _, mode := range []integration.SyncMode{integration.SyncFull, integration.SyncIncremental, integration.SyncIncremental} {
		run := w.run(s, incremental())
		w.want([...]any{run.Mode, run.Status}, [...]any{mode, integration.SyncPartial})
		before := since
		if since = w.since(); since == nil || before != nil && !since.After(*before) {
			t.Errorf("the run after a %s one begins at %v, and that one did at %v", mode, since, before)
		}
		w.later(time.Hour)
		since = w.since()
	}
}

// What a broken list hides is read by the next run. Where it stays broken, the second full run goes on all the same.
func TestAListThatIsBroken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 3)
	w.source.fill("b", 3)
	s, _ := w.works()
	breaks := func(list string) { w.source.change(func() { w.source.unread, w.source.broken = list, true }) }
	breaks("b")
	w.want(w.run(s, incremental()).Mode, integration.SyncFull) // there is nothing to begin at
	w.want(w.run(s, incremental()).Mode, integration.SyncFull)
	w.want(w.run(s, incremental()).Mode, integration.SyncIncremental)
	breaks("")
	w.run(s, full())
	w.wantObjects()

	w.later(time.Hour)
	since := *w.since()
	breaks("b")
	w.source.edit("b", 1, "Edited")
	w.run(s, full())
	w.want(w.since().Equal(since), true)
	w.run(s, incremental())
	w.want(w.since().Equal(since), true)
	breaks("")
	w.run(s, incremental())
	w.wantObjects()
	w.want(w.since().After(since), true)

	w.later(time.Hour)
	breaks("b")
	for _, moves := range []bool{false, true, false, true} { // one full run after the other
		since := *w.since()
		w.run(s, full())
		w.want(w.since().After(since), moves)
		w.later(time.Minute)
	}
}

// since is where the next incremental run begins.
func (w *world) since() (since *time.Time) {
	w.t.Helper()
	w.must(w.root.QueryRow(w.t.Context(), `SELECT (cursor ->> 'since')::timestamptz FROM kb.sync_states`).Scan(&since))
	return since
}

// later makes what was kept so much older.
func (w *world) later(by time.Duration) {
	w.t.Helper()
	_, err := w.root.Exec(w.t.Context(), `UPDATE kb.sync_states SET cursor = cursor || jsonb_build_object('since', (cursor ->> 'since')::timestamptz - $1::interval)`, by)
	w.must(err)
}

// After a change of the selection or the settings only a full run is complete, even where the run that brought the change did not
// end well.
func TestWhatMakesARunFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 3)
	w.source.fill("b", 3)
	s, _ := w.works()
	w.run(s, integration.StartSync{Mode: integration.SyncFull, Selection: ptr([]string{"b", "a"})})
	w.want(w.run(s, integration.StartSync{Mode: integration.SyncIncremental, Selection: ptr([]string{"a", "b", "a"})}).Mode, integration.SyncIncremental)
	w.want(w.state().Selection, []string{"a", "b"})
	w.run(s, integration.StartSync{Mode: integration.SyncFull, Selection: ptr([]string{"a"})})
	w.want(w.run(s, incremental()).Mode, integration.SyncIncremental)
	w.source.onRequest(func(context.Context, string) error {
		return integration.ProviderFailed("works", integration.ReasonAuthFailed, "refused")
	})
	failed := w.run(s, integration.StartSync{Mode: integration.SyncIncremental, Selection: ptr([]string(nil))})
	w.want([...]any{failed.Mode, failed.Status}, [...]any{integration.SyncFull, integration.SyncError})
	w.source.onRequest(nil)
	w.want(w.run(s, incremental()).Mode, integration.SyncFull)
	w.wantObjects()
	w.want(w.run(s, incremental()).Mode, integration.SyncIncremental)
	_, err := w.root.Exec(t.Context(), `UPDATE kb.integrations SET public_settings = '{"workspace": "another"}'`)
	w.must(err)
	w.want(w.run(s, incremental()).Mode, integration.SyncFull)
	w.want(w.run(s, incremental()).Mode, integration.SyncIncremental)
}
