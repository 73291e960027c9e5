package syncer_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/syncer"
)

// What is closed, archived or moved is no deletion, however much of it there is: it is asked for before anybody is asked for a word.
func TestManyItemsThatAreStillThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.perPage = 100
	w.source.fill("a", 150)
	w.source.fill("b", 1)
	s, _ := w.works()
	w.run(s, full())
	w.source.change(func() { // of a list that the next run does not read
		w.source.lists["b"] = append(w.source.lists["b"], w.source.lists["a"][:130]...)
		w.source.lists["a"] = w.source.lists["a"][130:]
	})
	run := w.run(s, integration.StartSync{Mode: integration.SyncFull, Selection: ptr([]string{"a"})})
	w.want([...]any{run.Status, count(run, integration.ObjectTask).Deleted}, [...]any{integration.SyncSuccess, 0})
	w.wantObjects()
}

// A selected list that is gone takes a large part of everything with it: an incremental run too marks nothing without a word.
// A listing that misses much is read again with what options leave out: few requests find what was archived, and only the rest is asked for.
func TestMuchThatIsArchivedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.perPage, w.source.silent, w.source.relists = 1000, true, true
	w.source.fill("a", 2500)
	w.source.fill("b", 80)
	s, _ := w.works()
	w.run(s, integration.StartSync{Mode: integration.SyncFull, BatchSize: ptr(1000)})
	w.source.change(func() { // of a, most; of b, few
		w.source.comments = nil
		for list, n := range map[string]int{"a": 2300, "b": 40} {
			for i := range n {
				w.source.lists[list][i].archived = true
			}
		}
	})
	w.source.remove("a", 7)
	failed := false
	w.source.onRequest(func(_ context.Context, request string) error {
		if request == "again" && w.source.count("again") == 12 && !failed {
			failed = true
			return integration.ProviderFailed("works", integration.ReasonUnavailable, "Works answered 503")
		}
		return nil
	})
	run := w.run(s, full())
	w.want([...]any{run.Status, run.Error, count(run, integration.ObjectTask).Deleted}, [...]any{integration.SyncSuccess, (*string)(nil), 1})
	if again := w.source.count("again"); again < 25+1 || again > 25+10 { // it went on where it was stored
		t.Errorf("it read the listing with %d requests", again)
	}
	w.want(w.source.count("one"), 1+40)
	w.wantObjects()
	run = w.run(s, full()) // which knows what is archived
	w.want([...]any{run.Status, w.source.count("one")}, [...]any{integration.SyncSuccess, 1 + 40})
}

// A listing that gives much and not what is missing is not read to its end.
func TestMuchThatNoListingHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.perPage, w.source.silent, w.source.relists = 1000, true, true
	w.source.fill("a", 6060)
	s, _ := w.works()
	w.run(s, integration.StartSync{Mode: integration.SyncFull, BatchSize: ptr(1000)})
	w.source.change(func() { w.source.lists["a"] = w.source.lists["a"][:6000] })
	run := w.run(s, full())
	w.want([...]any{run.Status, count(run, integration.ObjectTask).Deleted}, [...]any{integration.SyncSuccess, 60})
	w.want(w.source.count("one"), 60)
	if again := w.source.count("again"); again < 30 || again > 32 {
		t.Errorf("it read the listing with %d requests", again)
	}
}

func TestAnIncrementalRunThatMissesMuch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.perPage = 100
	w.source.fill("a", 120)
	w.source.fill("b", 20)
	s, _ := w.works()
	in := full()
	in.Selection = ptr([]string{"a", "b"})
	w.run(s, in)
	w.source.change(func() { delete(w.source.lists, "a") })
	run := w.run(s, incremental())
	if run.Status != integration.SyncPartial || run.Error == nil || !strings.Contains(*run.Error, "181 of 212 objects") {
		t.Errorf("%s: %v", run.Status, run.Error)
	}
	w.want(len(w.objects()), 212)
	in = incremental()
	in.ConfirmDeletions = true
	w.want(w.run(s, in).Status, integration.SyncSuccess)
	w.wantObjects()
}

// What is below something that was deleted, and that the run does not list, may have been moved: it is asked for, and stays if nobody can tell.
func TestWhatNoListingTellsOfBelowTheDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 6)
	w.source.fill("b", 1)
	w.source.fill("c", 1)
	w.source.change(func() {
		for i := range 4 {
			w.source.lists["a"][i].closed = true
		}
	})
	s, _ := w.works()
	in := full()
	in.IncludeCompleted = ptr(true)
	w.run(s, in)
	w.source.change(func() {
		w.source.lists["a"][3].title = "broken"
		w.source.lists["c"] = append(w.source.lists["c"], w.source.lists["a"][1], w.source.lists["a"][3])
		delete(w.source.lists, "a")
	})
	for range 2 {
		w.run(s, integration.StartSync{Mode: integration.SyncFull, Selection: ptr([]string{"b"})})
		left := w.objects()
		for id, want := range map[string]bool{"a": false, "a-000": false, "comment:a-000:0": false, "a-001": true, "a-002": false, "a-003": true, "a-004": false, "a-005": false} {
			if _, there := left[id]; there != want {
				t.Errorf("%s is there: %t", id, there)
			}
		}
	}
	w.want(w.source.count("one"), 1+4+1) // the list, what it had closed, and what nobody could tell of again
}

// Details are read of what the run is limited to, and what fails of them makes nobody take their object for seen.
func TestDetailsOfASelection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 4)
	w.source.fill("b", 20)
	s, _ := w.works()
	w.run(s, full())
	read := w.source.count("comments")
	_, err := w.root.Exec(t.Context(), `UPDATE kb.sync_states SET details_swept_at = now() - interval '8 days'`)
	w.must(err)
	w.run(s, integration.StartSync{Mode: integration.SyncFull, Selection: ptr([]string{"a"})})
	w.want(w.source.count("comments")-read, 4)
}

// The details that a run had read before it ended early are not read again by the next one, neither of the first import nor of the weekly sweep;
// a reset has all of them read.
func TestDetailsGoOnWhereARunEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 12)
	s, _ := w.works()
	for _, before := range []string{"", `UPDATE kb.sync_states SET details_swept_at = now() - interval '8 days'`, "reset"} {
		read := w.source.count("comments")
		switch {
		case before == "reset":
			_, err := s.ResetSyncState(t.Context(), w.admin, w.integration.ID)
			w.must(err)
		case before != "":
			_, err := w.root.Exec(t.Context(), before)
			w.must(err)
		}
		w.source.onRequest(func(_ context.Context, request string) error {
			if request == "comments" && w.source.count("comments") > read+7 {
				return integration.ProviderFailed("works", integration.ReasonAuthFailed, "refused")
			}
			return nil
		})
		w.want(w.run(s, full()).Status, integration.SyncError)
		w.source.onRequest(nil)
		w.want(w.run(s, full()).Status, integration.SyncSuccess)
		w.want(w.source.count("comments")-read, 12+1) // and the one that was refused
		w.wantObjects()
	}
}

// All details are read anew part by part, by runs of either kind: each ends in time, reads what is new first, and takes for deleted only what
// hung on objects that it has read.
func TestDetailsAreReadAnewInParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 12)
	s, _ := w.works()
	const part = 2 * time.Second
	s.SweepFor(part)
	w.run(s, full())
	_, err := w.root.Exec(t.Context(), `UPDATE kb.sync_states SET details_swept_at = now() - interval '8 days'`)
	w.must(err)
	w.source.change(func() { delete(w.source.comments, "a-000"); delete(w.source.comments, "a-010"); w.source.odd = "a-001" })
	begun := w.source.count("comments")
	w.source.onRequest(func(_ context.Context, request string) error {
		if request == "comments" && (w.source.count("comments")-begun)%5 == 0 {
			time.Sleep(part) // so that it is the run's last one
		}
		return nil
	})
	run := w.start(s, full())
	w.until(run, func(r *integration.SyncRun) bool {
		return r.Step != nil && *r.Step == "details, such as comments, of 12 objects are read anew"
	})
	w.want(w.ended(run).Status, integration.SyncPartial) // for the odd one
	w.want(w.source.count("comments")-begun, 5)
	there := func(id string) bool { _, there := w.objects()[id]; return there }
	w.want([...]bool{there("comment:a-000:0"), there("comment:a-010:0")}, [...]bool{false, true})

	w.source.edit("a", 11, "Edited")
	w.source.change(func() { w.source.comments["a-011"] = []string{"new"}; w.source.odd = "" })
	w.want(w.run(s, incremental()).Status, integration.SyncSuccess)
	w.want([...]bool{there("comment:a-011:0"), there("comment:a-010:0")}, [...]bool{true, true})
	swept := func() (yes bool) {
		w.must(w.root.QueryRow(t.Context(), `SELECT details_sweep_after IS NULL AND details_swept_at > now() - interval '1 minute' FROM kb.sync_states`).Scan(&yes))
		return yes
	}
	for !swept() {
		w.run(s, incremental())
	}
	w.wantObjects()
	w.want(w.source.count("comments")-begun, 12+2) // the odd one, and the one that changed, were read twice
	w.run(s, incremental())
	w.want(w.source.count("comments")-begun, 12+2)
}

// A part of reading all details anew ends before the next run is due, but is never so short that it gets nowhere.
func TestHowLongDetailsAreReadAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := syncer.New(w.db, w.connect, slog.New(slog.DiscardHandler))
	now := time.Now()
	w.want(s.AnewUntil(now, nil).Sub(now), time.Hour)
	for next, want := range map[time.Duration]time.Duration{
		2 * time.Hour: time.Hour, 5 * time.Minute: 4*time.Minute + 30*time.Second, time.Minute: time.Minute, -time.Hour: time.Minute,
	} {
		w.want(s.AnewUntil(now, ptr(now.Add(next))).Sub(now), want)
	}
}

// Details that are refused are told of once, and a reset forgets what was still to be read.
func TestDetailsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 3)
	w.source.refused = "a-001"
	s, _ := w.works()
	run := w.run(s, full())
	w.want([...]any{run.Status, len(run.Failures)}, [...]any{integration.SyncPartial, 1})
	w.want(w.run(s, incremental()).Status, integration.SyncSuccess)
	_, err := w.root.Exec(t.Context(), `INSERT INTO kb.sync_pending SELECT integration_id, org_id, project_id, 'TASK', 'elsewhere' FROM kb.sync_states`)
	w.must(err)
	_, err = s.ResetSyncState(t.Context(), w.admin, w.integration.ID)
	w.must(err)
	pending, err := w.tenant().CountPendingDetails(t.Context(), w.integration.ID, "")
	w.must(err)
	w.want(pending, 0)
}

// Details that are imported from now on are read of all objects, changed or not; those that are not any more stay as they are.
func TestDetailsThatAreTurnedOnLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 6)
	w.source.silent = true
	s, _ := w.works()
	w.run(s, full())
	w.want(len(w.objects()), 1+6)
	w.source.change(func() { w.source.silent = false })
	w.run(s, full())
	w.wantObjects()
	w.source.change(func() { w.source.silent = true })
	w.run(s, full())
	w.wantObjects()
}

// A single item that fails again and again makes no run of another kind than was asked for.
func TestAnItemThatAlwaysFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 6)
	w.source.edit("a", 2, "broken")
	s, _ := w.works()
	w.run(s, full())
	w.want(w.run(s, incremental()).Mode, integration.SyncIncremental)
	w.source.change(func() { w.source.lists["a"][2].title = "Mended" })
	w.run(s, full())
	w.wantObjects()
}

// An object that the database refuses is a failure; what came with it is stored.
func TestAnObjectThatCannotBeStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 9)
	_, err := w.root.Exec(t.Context(), `
		CREATE FUNCTION kb.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.external_id = 'a-004' THEN RAISE EXCEPTION 'too long' USING ERRCODE = '54000'; END IF; RETURN NEW; END $$;
		CREATE TRIGGER refuse BEFORE INSERT ON kb.synced_objects FOR EACH ROW EXECUTE FUNCTION kb.refuse()`)
	w.must(err)
	s, _ := w.works()
	run := w.run(s, full())
	w.want(run.Status, integration.SyncPartial)
	w.want(run.Failures, []integration.SyncFailure{{Type: integration.ObjectTask, ExternalID: "a-004", Reason: "it is too large, or has something in it that cannot be stored"}})
	there := w.source.there()
	delete(there, "a-004")
	delete(there, "comment:a-004:0")
	w.want(w.objects(), there)
}

// Settings that change in the middle make a run begin again: what it had read was of another place.
func TestSettingsThatChangeMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 9)
	w.source.edit("a", 3, "broken")
	s, _ := w.works()
	var once sync.Once
	w.source.onRequest(func(ctx context.Context, request string) error {
		var err error
		if request == "tasks" && w.source.count("tasks") == 3 {
			once.Do(func() {
				_, err = w.root.Exec(ctx, `UPDATE kb.integrations SET public_settings = '{"workspace": "another"}', revision = revision + 1`)
				w.source.change(func() { w.source.lists = map[string][]task{"z": w.source.lists["a"][:2]}; w.source.comments = nil })
				if err == nil {
					err = integration.ProviderFailed("works", integration.ReasonUnavailable, "Works answered 503") // so that there is a next slice
				}
			})
		}
		return err
	})
	run := w.run(s, full())
	w.want([...]any{run.Status, len(run.Failures), run.Processed == *run.Total}, [...]any{integration.SyncSuccess, 0, true}) // with nothing of the first pass
	for id := range w.source.there() {
		if _, ok := w.objects()[id]; !ok {
			t.Errorf("%s was not imported", id)
		}
	}
	w.want(w.run(s, incremental()).Mode, integration.SyncIncremental)
}

// How many objects are written together is no reason to read them again.
func TestABatchSizeThatChangesMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 9)
	s, _ := w.works()
	resize := func(to int) {
		_, err := w.root.Exec(t.Context(), `UPDATE kb.integrations SET public_settings = jsonb_build_object('batch_size', $1::integer), revision = revision + 1`, to)
		w.must(err)
	}
	resize(10)
	var once sync.Once
	w.source.onRequest(func(_ context.Context, request string) (err error) {
		if request == "tasks" && w.source.count("tasks") == 3 {
			once.Do(func() {
				resize(20)
				err = integration.ProviderFailed("works", integration.ReasonUnavailable, "Works answered 503") // so that there is a next slice
			})
		}
		return err
	})
	w.want(w.run(s, full()).Status, integration.SyncSuccess)
	w.want(w.source.count("tasks"), 4) // of three pages
	resize(30)
	w.want(w.run(s, incremental()).Mode, integration.SyncIncremental)
	_, err := w.root.Exec(t.Context(), `UPDATE kb.sync_states s SET cursor = cursor || jsonb_build_object('settings', md5(i.public_settings::text)) FROM kb.integrations i`)
	w.must(err)
	w.want(w.run(s, incremental()).Mode, integration.SyncIncremental) // after one of the release before
}

// Deleting an integration, and starting a run, wait for the run that stores a page, and it for them, never both.
func TestDeletingInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 400)
	s, _ := w.works()
	w.start(s, integration.StartSync{Mode: integration.SyncFull, BatchSize: ptr(10)})
	for len(w.objects()) == 0 {
	}
	_, err := w.connect.DeleteIntegration(t.Context(), w.admin, w.integration.ProjectID, "works")
	w.must(err)
	w.want(len(w.objects()), 0)
}

// A schedule reads everything now and then, since nothing else finds what was deleted.
func TestSchedulesFindDeletions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 6)
	s, _ := w.works()
	w.run(s, full())
	w.source.remove("a", 3)
	_, err := s.SetSyncSchedule(t.Context(), w.admin, w.integration.ID, &integration.SyncSchedule{EveryMinutes: ptr(60)})
	w.must(err)
	for _, mode := range []integration.SyncMode{integration.SyncIncremental, integration.SyncFull} {
		if mode == integration.SyncFull {
			_, err := w.root.Exec(t.Context(), `UPDATE kb.sync_states SET fully_read_at = now() - interval '25 hours'`)
			w.must(err)
		}
		before := len(w.runs())
		w.due()
		for len(w.runs()) == before {
		}
		w.want(w.ended(w.runs()[before]).Mode, mode)
	}
	w.wantObjects()
}

// What a run does, and what failed of it, is no longer than people read, whatever a provider says.
func TestWordsAreClipped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill(strings.Repeat("ä", 120), 1)
	s, _ := w.works()
	run := w.start(s, full())
	w.until(run, func(r *integration.SyncRun) bool {
		if r.Step != nil && len(*r.Step) > 200 {
			t.Fatalf("the step has %d bytes", len(*r.Step))
		}
		return r.Ended()
	})
}

// A run that is cancelled while it marks what is gone stops after the step that it is at; the next one marks the rest, with no change lost.
func TestMarkingThatIsCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.perPage = 100
	w.source.fill("a", 240)
	s, _ := w.works()
	w.run(s, full())
	w.source.change(func() { w.source.lists["a"] = w.source.lists["a"][:40] })
	_, err := w.root.Exec(t.Context(), `
		CREATE FUNCTION kb.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NULL; END $$;
		CREATE TRIGGER slow AFTER UPDATE ON kb.synced_objects FOR EACH ROW WHEN (NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION kb.slow()`)
	w.must(err)
	const all = 1 + 240 + 120
	in := full()
	in.ConfirmDeletions = true
	run := w.start(s, in)
	w.until(run, func(*integration.SyncRun) bool { return len(w.objects()) < all })
	_, err = s.CancelSync(t.Context(), w.admin, run.ID)
	w.must(err)
	left := len(w.objects())
	if marked := all - left; marked%20 != 0 || marked > 280 { // of 300, in steps of 20
		t.Errorf("%d objects were marked", marked)
	}
	time.Sleep(300 * time.Millisecond) // longer than a step takes
	w.want(len(w.objects()), left)
	w.want(w.state().TotalSynced, left)
	next := w.run(s, in)
	w.want(next.Status, integration.SyncSuccess)
	w.wantObjects()
	w.want(w.state().TotalSynced, len(w.objects()))
	var changes, last int
	w.must(w.root.QueryRow(t.Context(), `
		SELECT count(DISTINCT o.change_seq), max(s.change_seq) FROM kb.synced_objects o JOIN kb.sync_states s USING (integration_id)`).Scan(&changes, &last))
	w.want([...]int{changes, last}, [...]int{all, all + 300}) // each was stored once, and 300 were marked once
}
