package syncer_test

import (
	"context"
	"sync"
	"testing"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
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
	_, err := w.root.Exec(t.Context(), `UPDATE kb.sync_runs SET attempts = 7`)
	w.must(err)
	ended := w.ended(run)
	w.want([...]any{ended.Status, *ended.Error}, [...]any{integration.SyncError, "given up after 8 attempts without progress: Works answered 503 (PROVIDER_ERROR, unavailable)"})
	w.want(failures, 2)
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
	_, err := w.root.Exec(t.Context(), `UPDATE kb.sync_runs SET attempts = 20, heartbeat_at = now() - interval '1 hour', started_at = now(), status = 'RUNNING'`)
	w.must(err)
	_, err = w.root.Exec(t.Context(), `UPDATE river.river_job SET state = 'running', attempted_at = now()`) // by a process that is gone
	w.must(err)
	w.works()
	ended := w.ended(run)
	w.want([...]any{ended.Status, *ended.Error}, [...]any{integration.SyncError, "the run stalled: its worker was lost 21 times without progress"})
	w.want(w.state().Status, integration.SyncError)
}
