package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// works starts to work on what webhooks tell; it ends with the test, or by what is returned.
func (w *world) works() (stop func()) {
	w.t.Helper()
	crew, err := w.db.Work(context.Background(), slog.New(slog.DiscardHandler), w.service.Workers())
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { w.service.Watch(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		watching.Wait()
		if err := crew.Stop(); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// tell tells of an object.
func (w *world) tell(event string, kind integration.ObjectType, object string) {
	w.t.Helper()
	told.Lock()
	told.n++
	id := fmt.Sprintf("m%d", told.n)
	told.Unlock()
	w.send(message{ID: id, Event: event, Type: kind, Object: object})
}

var told struct {
	sync.Mutex
	n int
}

func (w *world) tellTask(event, object string) { w.tell(event, integration.ObjectTask, object) }

// settled waits until no delivery is to be worked on.
func (w *world) settled() {
	w.t.Helper()
	w.eventually("every delivery to be worked on", func() bool { return w.deliveries()["RECEIVED"] == 0 })
}

// wake has jobs go on that rest.
func (w *world) wake() {
	w.t.Helper()
	w.eventually("the job to rest", func() bool {
		tag, err := w.root.Exec(context.Background(), `UPDATE river.river_job SET state = 'available', scheduled_at = now() WHERE queue = 'webhook' AND scheduled_at > now()`)
		w.must(err)
		return tag.RowsAffected() > 0
	})
}

// objects lists what is stored, title by external id, those marked as deleted left out.
func (w *world) objects() map[string]string {
	w.t.Helper()
	rows, err := w.root.Query(context.Background(), `SELECT external_id, title FROM kb.synced_objects WHERE deleted_at IS NULL`)
	w.must(err)
	all := map[string]string{}
	var id, title string
	_, err = pgx.ForEachRow(rows, []any{&id, &title}, func() error { all[id] = title; return nil })
	w.must(err)
	return all
}

func TestADeliveryBringsWhatItTellsOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.works()
	w.source.task("a", "A")
	w.source.change(func() { w.source.comments["a"] = []string{"one", "two"} })
	w.tellTask("commented", "a")
	w.settled()
	want := map[string]string{"a": "A", "list": "List", "space": "Space", "comment:one": "one", "comment:two": "two"} // with what it is in
	w.want(w.objects(), want)
	w.want(value[int](w, `SELECT count(*) FROM kb.synced_relationships WHERE source_id = 'a' AND type = 'BELONGS_TO' AND target_id = 'list'`), 1)
	w.want(value[int](w, `SELECT count(*) FROM kb.sync_pending`), 0)
	w.want(value[int64](w, `SELECT change_seq FROM kb.sync_states`), value[int64](w, `SELECT max(change_seq) FROM kb.synced_objects`))
	w.want(value[int](w, `SELECT total_synced FROM kb.sync_states`), 5)

	w.source.task("a", "A, changed")
	w.source.change(func() { w.source.comments["a"] = []string{"two"} })
	w.tellTask("commented", "a")
	w.settled()
	want["a"] = "A, changed"
	delete(want, "comment:one")
	w.want(w.objects(), want)

	w.source.remove("a")
	w.tellTask("deleted", "a")
	w.settled()
	w.want(w.objects(), map[string]string{"list": "List", "space": "Space"}) // and what was below it is gone
	w.want(w.deliveries(), map[string]int{"PROCESSED": 3})
	w.want(value[int](w, `SELECT count(*) FROM kb.webhook_objects`), 0)
	w.want(value[int](w, `SELECT count(*) FROM kb.audit_events WHERE action = 'secrets.open' AND changes ? 'settings'`), 1)
}

// A hundred updates of one task make few reads.
func TestABurstMakesFewReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.works()
	begun := time.Now()
	var senders sync.WaitGroup
	for i := range 100 {
		w.source.task("a", fmt.Sprint(i))
		senders.Go(func() { w.tellTask("changed", "a") })
	}
	senders.Wait()
	most := 4 + int(time.Since(begun)/time.Second) // one follows each second of it
	w.settled()
	w.want(w.objects()["a"], "99")
	w.want(w.deliveries(), map[string]int{"PROCESSED": 100})
	if n := w.source.count("a"); n > most {
		t.Errorf("the task was read %d times, not %d at most", n, most)
	}
	w.want(func() int { w.source.mu.Lock(); defer w.source.mu.Unlock(); return w.source.opened }(), 1)
}

// Where nothing but the body tells deliveries apart, the same one again may tell of another change: it is worked on once more, also while
// the one before is.
func TestTheSameBodyTellsOfAnotherChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.works()
	space := message{Event: "changed", Type: integration.ObjectProject, Object: "space"}
	w.source.put("space", integration.ObjectProject, "", "First")
	w.send(space)
	w.settled()
	w.source.put("space", integration.ObjectProject, "", "Second")
	w.send(space)
	w.settled()
	w.want(w.objects()["space"], "Second")

	reading, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.source.onRead(func(context.Context, string) error { // after it was read, before it is answered
		once.Do(func() { close(reading); <-goOn })
		return nil
	})
	w.source.put("space", integration.ObjectProject, "", "Third")
	w.send(space)
	<-reading
	w.source.put("space", integration.ObjectProject, "", "Fourth")
	w.send(space)
	close(goOn)
	w.settled()
	w.want(w.objects()["space"], "Fourth")

	// A task is deleted, restored, and deleted again.
	w.source.task("a", "A")
	w.tellTask("changed", "a")
	w.settled()
	deleted := message{Event: "deleted", Type: integration.ObjectTask, Object: "a"}
	for range 2 {
		w.source.remove("a")
		w.send(deleted)
		w.settled()
		w.want(w.objects()["a"], "")
		w.source.task("a", "A, restored")
		w.tellTask("changed", "a")
		w.settled()
		w.want(w.objects()["a"], "A, restored")
	}
	w.want(w.deliveries(), map[string]int{"PROCESSED": 5}) // each body once
	w.want(value[int](w, `SELECT count(*) FROM kb.webhook_objects`), 0)
}

// Many who send one body at once neither wait for each other for ever nor for the job that works on it.
func TestTheSameBodyFromMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.works()
	body, err := json.Marshal(message{Event: "changed", Type: integration.ObjectProject, Object: "space"})
	w.must(err)
	var senders sync.WaitGroup
	for range 16 {
		senders.Go(func() {
			for range 50 {
				if status, text, err := w.tryPost(w.path(), body, signature(w.secret, body)); status != http.StatusOK || err != nil {
					t.Errorf("status %d: %s, %v", status, text, err)
				}
			}
		})
	}
	senders.Wait()
	w.settled()
	w.want(w.deliveries(), map[string]int{"PROCESSED": 1})
	if log := w.log.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("it is logged:\n%s", log)
	}
}

// What was deleted by one and made again since stays.
func TestADeletionThatIsNotTrueAnyMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.works()
	w.source.task("a", "A")
	w.tellTask("changed", "a")
	w.settled()
	w.tellTask("deleted", "a")
	w.settled()
	w.want(w.objects()["a"], "A")
	w.source.remove("a")
	w.tellTask("changed", "a") // an update that came late
	w.settled()
	if _, ok := w.objects()["a"]; ok {
		t.Error("what is not there any more stayed")
	}
}

// Only what the integration selected is imported; what is stored is kept up wherever it is.
func TestASelection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.source.put("other", integration.ObjectCollection, "space", "Other")
	_, err := w.root.Exec(t.Context(), `UPDATE kb.sync_states SET selection = '{list}'`)
	w.must(err)
	w.works()
	w.source.task("a", "A")
	w.source.put("b", integration.ObjectTask, "other", "B")
	w.source.put("c", integration.ObjectTask, "a", "Subtask")
	w.tellTask("changed", "a")
	w.tellTask("changed", "b")
	w.tellTask("changed", "c")
	w.settled()
	w.want(w.objects(), map[string]string{"a": "A", "c": "Subtask", "list": "List"})
	w.want(w.deliveries(), map[string]int{"PROCESSED": 3})
	w.want(w.source.count("other"), 0) // nobody asks where it lies that is outside
	w.source.put("a", integration.ObjectTask, "other", "A, elsewhere")
	w.tellTask("changed", "a")
	w.settled()
	w.want(w.objects()["a"], "A, elsewhere")
	if _, ok := w.objects()["other"]; ok {
		t.Error("a list that is not selected was imported")
	}
}

// A place that comes into the selection has things in it that no webhook tells of: a full run finds them. One that was made just now has none.
func TestAPlaceThatMovesIntoTheSelection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, err := w.root.Exec(t.Context(), `UPDATE kb.sync_states SET selection = '{space}'`)
	w.must(err)
	w.source.put("elsewhere", integration.ObjectProject, "", "Elsewhere")
	w.source.put("other", integration.ObjectCollection, "elsewhere", "Other")
	w.works()
	asked := func(want bool) {
		t.Helper()
		w.settled()
		w.want(value[int](w, `SELECT count(*) FROM kb.webhooks WHERE catch_up_at > now() AND catch_up_full`) == 1, want)
		_, err := w.root.Exec(t.Context(), `UPDATE kb.webhooks SET catch_up_at = NULL, catch_up_full = false`)
		w.must(err)
	}
	w.tell("created", integration.ObjectCollection, "list")
	w.tell("created", integration.ObjectProject, "space")
	asked(false)
	w.tell("changed", integration.ObjectCollection, "list")
	asked(false)
	w.tell("changed", integration.ObjectCollection, "other")
	asked(false) // it is outside
	w.source.put("other", integration.ObjectCollection, "space", "Other")
	w.tell("changed", integration.ObjectCollection, "other")
	asked(true)
	w.tell("changed", integration.ObjectCollection, "other")
	asked(false)
	w.source.remove("other")
	w.tell("deleted", integration.ObjectCollection, "other")
	asked(false)
	w.source.put("other", integration.ObjectCollection, "space", "Other, restored")
	w.tell("changed", integration.ObjectCollection, "other")
	asked(true)
	w.source.task("a", "A") // which is no place
	w.tellTask("changed", "a")
	asked(false)
}

// What a selected place is mapped to does not put what is in it outside, and is not asked for.
func TestASelectionWithMappings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, err := w.root.Exec(t.Context(), `UPDATE kb.sync_states SET selection = '{space}', mappings = '{"LIST": {"list": "board 7"}}'`)
	w.must(err)
	w.works()
	w.tell("changed", integration.ObjectCollection, "list")
	w.settled()
	w.source.task("a", "A")
	w.tellTask("changed", "a")
	w.settled()
	w.want(w.objects(), map[string]string{"a": "A", "list": "List"})
	w.want(w.source.count("board 7"), 0)
}

// With a list that moved, what is stored below it is read anew.
func TestWhatMovesAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.works()
	w.source.task("a", "A")
	w.tellTask("changed", "a")
	w.settled()
	w.source.task("a", "A, moved along")
	w.tell("moved", integration.ObjectCollection, "list")
	w.settled()
	w.want(w.objects()["a"], "A, moved along")
}

// Where what a task was in is deleted before its move is worked on, what is below the task comes back with it.
func TestWhatIsRestoredComesWithWhatIsBelow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.source.put("other", integration.ObjectCollection, "space", "Other")
	w.source.task("a", "A")
	w.source.put("b", integration.ObjectTask, "a", "B")
	w.source.put("c", integration.ObjectTask, "b", "C")
	w.source.put("d", integration.ObjectTask, "b", "D")
	w.works()
	for _, event := range []string{"changed", "moved"} { // whether the move is told as such or not
		for _, id := range []string{"a", "b", "c", "d"} {
			w.tellTask("changed", id)
			w.settled()
		}
		w.source.change(func() { delete(w.source.things, "list") })
		w.source.put("a", integration.ObjectTask, "other", "A, moved")
		w.source.remove("d")
		w.tell("deleted", integration.ObjectCollection, "list")
		w.settled()
		w.want(w.objects(), map[string]string{"space": "Space"})
		w.tellTask(event, "a")
		w.settled()
		w.want(w.objects(), map[string]string{"space": "Space", "other": "Other", "a": "A, moved", "b": "B", "c": "C"})
		w.source.put("list", integration.ObjectCollection, "space", "List")
		w.source.task("a", "A")
		w.source.put("d", integration.ObjectTask, "b", "D")
		w.source.remove("other")
		w.tell("deleted", integration.ObjectCollection, "other")
		w.settled()
		w.source.put("other", integration.ObjectCollection, "space", "Other")
	}
}

// Work that needs more requests than the limit allows at once advances all the same.
func TestWorkOfAnySizeEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const below, allowed = 90, 40
	w.source.task("a", "A")
	w.tellTask("changed", "a")
	for i := range below {
		w.source.put(task(i), integration.ObjectTask, "a", "Old")
		w.tellTask("changed", task(i))
	}
	w.works()
	w.settled()
	for i := range below {
		w.source.put(task(i), integration.ObjectTask, "a", "Moved along")
	}
	used, until := 0, time.Time{}
	w.source.onRead(func(context.Context, string) error {
		w.source.mu.Lock()
		defer w.source.mu.Unlock()
		if time.Now().After(until) {
			used, until = 0, time.Now().Add(500*time.Millisecond)
		}
		if used++; used > allowed {
			return &provider.Wait{Until: until, Cause: integration.ProviderFailed("works", integration.ReasonRateLimited, "too much")}
		}
		return nil
	})
	w.tellTask("moved", "a")
	w.settled()
	objects := w.objects()
	for i := range below {
		if title := objects[task(i)]; title != "Moved along" {
			t.Fatalf("%s is %q", task(i), title)
		}
	}
}

// What is older than stored is not stored, and where times do not tell, what was read last is.
func TestNothingOlderIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.source.task("a", "A")
	old := w.source.things["a"]
	w.source.task("a", "A, newer")
	w.works()
	w.tellTask("changed", "a")
	w.settled()
	w.source.change(func() { w.source.things["a"] = old }) // as a replica that lags behind has it
	w.tellTask("changed", "a")
	w.settled()
	w.want(w.objects()["a"], "A, newer")

	w.source.put("x", integration.ObjectCollection, "space", "X")
	w.source.change(func() { x := w.source.things["x"]; x.updated = nil; w.source.things["x"] = x })
	w.tell("changed", integration.ObjectCollection, "x")
	w.settled()
	reading, written := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.source.onRead(func(ctx context.Context, id string) error { // after it was read, before it is answered
		if id == "x" {
			once.Do(func() { close(reading); <-written })
		}
		return nil
	})
	w.tell("changed", integration.ObjectCollection, "x")
	<-reading
	w.source.change(func() { x := w.source.things["x"]; x.title = "X, newest"; w.source.things["x"] = x })
	_, err := w.root.Exec(t.Context(), `UPDATE kb.synced_objects SET title = 'X, newest', content_hash = sha256('x'), synced_at = now() WHERE external_id = 'x'`) // as another does
	w.must(err)
	close(written)
	w.settled()
	w.want(w.objects()["x"], "X, newest")
}

// While a run is under way that may have listed it before, what was deleted waits for its end, and is then asked for once more.
func TestADeletionDuringARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.works()
	w.source.task("a", "A")
	w.tellTask("changed", "a")
	w.settled()
	run := func(sql string) {
		t.Helper()
		_, err := w.root.Exec(t.Context(), sql)
		w.must(err)
	}
	run(`INSERT INTO kb.sync_runs (id, integration_id, org_id, project_id, mode, trigger) SELECT gen_random_uuid(), id, org_id, project_id, 'FULL', 'MANUAL' FROM kb.integrations`)
	w.source.remove("a")
	w.tellTask("deleted", "a")
	w.eventually("the task to be deleted", func() bool { _, ok := w.objects()["a"]; return !ok })
	w.want(w.deliveries(), map[string]int{"PROCESSED": 1, "RECEIVED": 1})
	asked := w.source.count("a")
	w.wake()
	w.eventually("the job to rest again", func() bool {
		return value[int](w, `SELECT count(*) FROM river.river_job WHERE queue = 'webhook' AND scheduled_at > now() AND (metadata ->> 'snoozes')::int = 2`) == 1
	})
	w.want(w.source.count("a"), asked)
	run(`UPDATE kb.synced_objects SET deleted_at = NULL WHERE external_id = 'a'`) // as the run does with a page from before
	run(`UPDATE kb.sync_runs SET status = 'SUCCESS', finished_at = now()`)
	w.wake()
	w.settled()
	if _, ok := w.objects()["a"]; ok {
		t.Error("what a run stored again stayed")
	}
	w.want(w.source.count("a"), asked+1)
}
