package syncer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"patchbay/internal/connect"
	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/store"
	"patchbay/internal/syncer"
)

// due makes the integration's schedule due now.
func (w *world) due() {
	w.t.Helper()
	_, err := w.root.Exec(w.t.Context(), `UPDATE kb.sync_states SET next_sync_at = now() - interval '1 minute'`)
	w.must(err)
}

// runs lists all runs, oldest first.
func (w *world) runs() (list []*integration.SyncRun) {
	w.t.Helper()
	page, err := w.tenant().SyncRuns(w.t.Context(), w.integration.ID, integration.PageArgs{First: 200})
	w.must(err)
	for i := range page.Items {
		list = append(list, page.Items[len(page.Items)-1-i].Node)
	}
	return list
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 3)
	s, _ := w.works()
	state, err := s.SetSyncSchedule(t.Context(), w.admin, w.integration.ID, &integration.SyncSchedule{EveryMinutes: ptr(60)})
	w.must(err)
	if state.NextSyncAt == nil {
		t.Fatalf("%+v", state)
	}
	w.works() // a second process
	w.due()
	var first *integration.SyncRun
	for first == nil {
		if all := w.runs(); len(all) > 0 {
			first = all[0]
		}
	}
	first = w.ended(first)
	w.want([...]any{first.Trigger, first.Status, *first.RequestedBy}, [...]any{integration.TriggerSchedule, integration.SyncSuccess, "schedule"})
	w.want(len(w.runs()), 1) // of two processes
	if !w.state().NextSyncAt.After(first.QueuedAt) {
		t.Errorf("it is due again at %s", w.state().NextSyncAt)
	}

	state, err = s.SetSyncSchedule(t.Context(), w.admin, w.integration.ID, nil)
	w.must(err)
	if state.Schedule != nil || state.NextSyncAt != nil {
		t.Errorf("%+v", state)
	}
}

func TestADisabledIntegrationsScheduleRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, _ := w.works()
	_, err := s.SetSyncSchedule(t.Context(), w.admin, w.integration.ID, &integration.SyncSchedule{Cron: ptr("0 0 1 1 *")})
	w.must(err)
	_, err = w.root.Exec(t.Context(), `UPDATE kb.integrations SET enabled = false`)
	w.must(err)
	w.due()
	due, err := w.db.DueSyncs(t.Context(), 10)
	w.must(err)
	w.want(len(due), 0)
	_, err = w.root.Exec(t.Context(), `UPDATE kb.integrations SET enabled = true`)
	w.must(err)
	for len(w.runs()) == 0 { // it is made up for
	}
}

// A schedule whose runs cannot succeed any more says so, and backs off.
func TestAnIncompleteIntegrationsSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 3)
	s, _ := w.works()
	w.run(s, full())
	without := ptr(integration.NewSettings(map[string]any{"token": nil}))
	_, err := w.connect.UpdateIntegration(t.Context(), w.admin, w.integration.ProjectID, "works", connect.IntegrationPatch{Settings: &without}, store.With{})
	w.must(err)
	_, err = s.SetSyncSchedule(t.Context(), w.admin, w.integration.ID, &integration.SyncSchedule{EveryMinutes: ptr(1)})
	w.must(err)
	for failures := range 2 {
		w.due()
		for deadline := time.Now().Add(15 * time.Second); len(w.runs()) < failures+2; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the schedule rests")
			}
		}
		run := w.ended(w.runs()[failures+1])
		w.want([...]any{run.Status, *run.Error}, [...]any{integration.SyncError, "the integration needs these settings first: token"})
		state := w.state()
		w.want([...]any{state.Status, state.ConsecutiveFailures, *state.Error}, [...]any{integration.SyncError, failures + 1, "the integration needs these settings first: token"})
	}
	if rests := time.Until(*w.state().NextSyncAt); rests < 90*time.Second { // after one failure
		t.Errorf("it is due again after %s", rests)
	}
}

func TestMappings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, _ := w.works()
	mappings := []integration.SyncMapping{
		{Kind: integration.MapCustomField, ExternalID: "f1", Target: "estimate"},
		{Kind: integration.MapList, ExternalID: "a", Target: "b"},
	}
	state, err := s.UpdateSyncMappings(t.Context(), w.admin, w.integration.ID, mappings)
	w.must(err)
	w.want(state.Mappings, mappings)
	for _, bad := range [][]integration.SyncMapping{
		{{Kind: "TEAM", ExternalID: "a", Target: "b"}},
		{{Kind: integration.MapList, Target: "b"}},
		{{Kind: integration.MapList, ExternalID: "a"}},
		{{Kind: integration.MapList, ExternalID: "a", Target: "a"}},
		{{Kind: integration.MapList, ExternalID: "a", Target: "b"}, {Kind: integration.MapList, ExternalID: "a", Target: "c"}},
	} {
		if _, err := s.UpdateSyncMappings(t.Context(), w.admin, w.integration.ID, bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	w.want(w.state().Mappings, mappings)
}

// A run that never gets anywhere is given up, and said to be.
func TestARunWithoutProgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 3)
	s, _ := w.works()
	var mu sync.Mutex
	failures := 0
	w.source.onRequest(func(context.Context, string) error {
		mu.Lock()
		defer mu.Unlock()
		failures++
		return integration.ProviderFailed("works", integration.ReasonUnavailable, "Works answered 503")
	})
	run := w.start(s, full())
	waiting := w.until(run, func(r *integration.SyncRun) bool { return r.WaitingUntil != nil })
	w.want(waiting.Status, integration.SyncRunning)
	_, err := w.root.Exec(t.Context(), `UPDATE kb.sync_runs SET attempts = 7, lost = 7`)
	w.must(err)
	ended := w.ended(run)
	w.want([...]any{ended.Status, *ended.Error}, [...]any{integration.SyncError, "given up after 8 attempts without progress: Works answered 503 (PROVIDER_ERROR, unavailable)"})
	w.want(failures, 2)
}

// A third party that fails and says for how long is tried again no sooner, and not for ever.
func TestAFailureThatNamesATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := syncer.New(w.db, w.connect, slog.New(slog.DiscardHandler))
	run := w.start(s, full())
	for attempts, c := range []struct{ asks, rests time.Duration }{{time.Second, 5 * time.Second}, {time.Hour, time.Hour}, {0, 20 * time.Second}} {
		work, err := w.tenant().ClaimSyncRun(t.Context(), run.ID, store.FirstFence)
		w.must(err)
		w.want(work.Attempts, attempts)
		failed := &provider.Wait{Until: time.Now().Add(c.asks), Cause: integration.ProviderFailed("works", integration.ReasonUnavailable, "Works answered 503")}
		var rests *river.JobSnoozeError
		if err := s.Conclude(t.Context(), w.tenant(), work, fmt.Errorf("read: %w", failed)); !errors.As(err, &rests) || rests.Duration.Round(time.Second) != c.rests {
			t.Errorf("after attempt %d it rests for %v, want %s", attempts, err, c.rests)
		}
		waiting := w.until(run, func(r *integration.SyncRun) bool { return r.WaitingUntil != nil })
		w.want(*waiting.Step, "trying again after: Works answered 503 (PROVIDER_ERROR, unavailable)")
	}
	_, err := w.root.Exec(t.Context(), `UPDATE kb.sync_runs SET attempts = 7`)
	w.must(err)
	w.must(s.Conclude(t.Context(), w.tenant(), &store.SyncWork{ID: run.ID}, &provider.Wait{Cause: integration.ProviderFailed("works", integration.ReasonUnavailable, "Works answered 503")}))
	w.want(*w.ended(run).Error, "given up after 8 attempts without progress: Works answered 503 (PROVIDER_ERROR, unavailable)")
}

// A limit that lets nothing through for a day ends a run; it is no failure before that.
func TestALimitThatNeverEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 9)
	s, _ := w.works()
	w.source.onRequest(func(_ context.Context, request string) error {
		if request == "tasks" && w.source.count("tasks") != 2 {
			return &provider.Wait{Until: time.Now().Add(500 * time.Millisecond), Cause: integration.ProviderFailed("works", integration.ReasonRateLimited, "used up")}
		}
		return nil
	})
	run := w.start(s, full())
	limited := func() (since *time.Time) {
		w.must(w.root.QueryRow(t.Context(), `SELECT limited_since FROM kb.sync_runs`).Scan(&since))
		return since
	}
	first := limited()
	for ; first == nil; first = limited() {
		w.until(run, func(r *integration.SyncRun) bool { return r.WaitingUntil != nil })
	}
	_, err := w.root.Exec(t.Context(), `UPDATE kb.sync_runs SET limited_since = now() - interval '23 hours'`)
	w.must(err)
	w.until(run, func(r *integration.SyncRun) bool { return r.Processed > 1 && r.WaitingUntil != nil }) // the second request went through
	if since := limited(); since == nil || !since.After(*first) {
		t.Errorf("it has waited since %s", since)
	}
	_, err = w.root.Exec(t.Context(), `UPDATE kb.sync_runs SET limited_since = now() - interval '25 hours'`)
	w.must(err)
	ended := w.ended(run)
	w.want([...]any{ended.Status, *ended.Error}, [...]any{integration.SyncError, "given up after 25 hours in which the rate limit of Works let nothing through (PROVIDER_ERROR, rate_limited)"})
}

// A worker that is lost is no failure of its run, and what takes too long is one; the end of a process is neither.
func TestWhatCountsAsAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := syncer.New(w.db, w.connect, slog.New(slog.DiscardHandler))
	run := w.start(s, full())
	work, err := w.tenant().ClaimSyncRun(t.Context(), run.ID, store.FirstFence)
	w.must(err)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	for _, c := range []struct {
		ctx    context.Context
		counts string
	}{{cancelled, "0 0"}, {late, "1 0"}} {
		var rests *river.JobSnoozeError
		if err := s.Conclude(c.ctx, w.tenant(), work, c.ctx.Err()); !errors.As(err, &rests) {
			t.Error(err)
		}
		var counts string
		w.must(w.root.QueryRow(t.Context(), `SELECT attempts || ' ' || lost FROM kb.sync_runs`).Scan(&counts))
		w.want(counts, c.counts)
	}
	_, err = w.root.Exec(t.Context(), `UPDATE kb.sync_runs SET waiting_until = NULL, heartbeat_at = now() - interval '1 hour'`)
	w.must(err)
	fence, lost, err := w.tenant().TakeOverSyncRun(t.Context(), run.ID, time.Minute)
	w.must(err)
	rested, err := w.tenant().WaitSyncRun(t.Context(), run.ID, fence, time.Now(), "rests", true)
	w.must(err)
	w.want([...]int{lost, rested.Attempts}, [...]int{1, 2})
}

// An integration that no run can be started for does not keep others from theirs.
func TestCatchingUpIsEachIntegrationsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, stop := w.works()
	w.run(s, full())
	stop()
	settings := integration.NewSettings(map[string]any{"token": "a token of tests"})
	bad, err := w.connect.CreateIntegration(t.Context(), w.admin, connect.NewIntegration{ProjectID: w.integration.ProjectID, Name: "works-2", Provider: ptr("works"), Settings: &settings}, store.With{})
	w.must(err)
	for _, sql := range []string{
		`UPDATE kb.sync_states SET cursor = '{"since": "2026-01-01T00:00:00Z"}'`,
		`INSERT INTO kb.webhooks (integration_id, org_id, project_id, catch_up_at)
		SELECT id, org_id, project_id, now() - CASE name WHEN 'works' THEN interval '1 hour' ELSE interval '2 hours' END FROM kb.integrations
		ON CONFLICT (integration_id) DO UPDATE SET catch_up_at = excluded.catch_up_at`,
		`CREATE FUNCTION kb.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.integration_id = '` + bad.ID.String() + `' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$`,
		`CREATE TRIGGER refuse BEFORE INSERT ON kb.sync_runs FOR EACH ROW EXECUTE FUNCTION kb.refuse()`,
	} {
		_, err := w.root.Exec(t.Context(), sql)
		w.must(err)
	}
	w.works()
	for deadline := time.Now().Add(10 * time.Second); len(w.runs()) < 2; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the other integration got no run")
		}
	}
}

// An integration that lacks a setting says so where it is to catch up, and still is to.
func TestCatchingUpWithoutASetting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, stop := w.works()
	w.run(s, full())
	stop()
	for _, sql := range []string{
		`UPDATE kb.integrations SET configured_secrets = '{}', settings = NULL`,
		`INSERT INTO kb.webhooks (integration_id, org_id, project_id, catch_up_at, catch_up_full) SELECT id, org_id, project_id, now(), true FROM kb.integrations`,
	} {
		_, err := w.root.Exec(t.Context(), sql)
		w.must(err)
	}
	w.works()
	var waits bool
	for deadline := time.Now().Add(10 * time.Second); !waits; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is not to catch up any more")
		}
		w.must(w.root.QueryRow(t.Context(), `SELECT coalesce(catch_up_at > now() AND catch_up_full, false) FROM kb.webhooks`).Scan(&waits))
	}
	w.want(len(w.runs()), 2)
	w.want(w.state().Status, integration.SyncError)
}

// A panic in a provider's code is a failure like others, and tells nothing of its value.
func TestAProviderThatPanics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 3)
	s, _ := w.works()
	w.source.onRequest(func(context.Context, string) error { panic("a secret") })
	run := w.start(s, full())
	waiting := w.until(run, func(r *integration.SyncRun) bool { return r.WaitingUntil != nil })
	w.want(*waiting.Step, "trying again after: an internal error; the server's log says more under the run's id")
	w.source.onRequest(nil)
	w.want(w.ended(run).Status, integration.SyncSuccess)
}

var _ provider.Connection = account{}

// A run that loses every worker is given up too.
func TestARunThatLosesItsWorkers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fill("a", 3)
	s, stop := w.works()
	stop()
	run := w.start(s, full())
	_, err := w.root.Exec(t.Context(), `UPDATE kb.sync_runs SET lost = 20, heartbeat_at = now() - interval '1 hour', started_at = now(), status = 'RUNNING'`)
	w.must(err)
	_, err = w.root.Exec(t.Context(), `UPDATE river.river_job SET state = 'running', attempted_at = now()`) // by a process that is gone
	w.must(err)
	w.works()
	ended := w.ended(run)
	w.want([...]any{ended.Status, *ended.Error}, [...]any{integration.SyncError, "the run stalled: its worker was lost 21 times without progress"})
	w.want(w.state().Status, integration.SyncError)
}
