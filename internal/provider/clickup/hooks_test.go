package clickup_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/provider/clickup/clickuptest"
)

const hookURL = "https://patchbay.example.com/webhooks/clickup/0198c0de-7a3b-7c2d-9e4f-5a6b7c8d9e0f"

func keeper(t *testing.T, srv *clickuptest.Server, token string, settings map[string]any) provider.HookKeeper {
	t.Helper()
	return connectTo(t, srv, token, settings).(provider.HookKeeper)
}

// hooks lists those at hookURL.
func hooks(t *testing.T, k provider.HookKeeper) []provider.Hook {
	t.Helper()
	all, err := k.Hooks(t.Context(), hookURL)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAWebhookIsMadeFoundAndRemoved(t *testing.T) {
	t.Parallel()
	srv := newServer(tiny(60))
	k := keeper(t, srv, srv.Token(), nil)
	if all := hooks(t, k); len(all) != 0 {
		t.Fatalf("there are %+v", all)
	}
	made, err := k.MakeHook(t.Context(), hookURL)
	if err != nil || made.ID == "" || len(made.Secret.Expose()) < 32 || made.URL != hookURL || !made.Active {
		t.Fatalf("made %+v, %v", made, err)
	}
	if _, err := k.MakeHook(t.Context(), "https://elsewhere.example.com/"); err != nil {
		t.Fatal(err)
	}
	if all := hooks(t, k); len(all) != 1 || all[0].ID != made.ID || all[0].Secret.Expose() != made.Secret.Expose() || !all[0].Active {
		t.Errorf("found %+v, made %+v", all, made)
	}
	if _, err := k.MakeHook(t.Context(), hookURL); !integration.IsKind(err, integration.KindProvider) {
		t.Errorf("a second one for the URL: %v", err)
	}
	for range 2 { // it is no error that it is gone already
		if err := k.RemoveHook(t.Context(), made.ID); err != nil {
			t.Error(err)
		}
	}
	if all := hooks(t, k); len(all) != 0 {
		t.Errorf("still there: %+v", all)
	}
}

func TestItsDeliveriesAreSignedAndKnown(t *testing.T) {
	t.Parallel()
	srv := newServer(tiny(61))
	made, err := keeper(t, srv, srv.Token(), nil).MakeHook(t.Context(), hookURL)
	if err != nil {
		t.Fatal(err)
	}
	list := srv.Snapshot(workspace(srv), clickuptest.Selection{}).Lists[0].ID
	created := srv.CreateTask(list, clickuptest.Task{Name: "New"})
	srv.UpdateTask(created.ID, func(task *clickuptest.Task) { task.Name, task.Due = "Changed", 1_700_000_000_000 })
	srv.DeleteTask(created.ID)
	var events []string
	for _, d := range srv.Deliveries() {
		events = append(events, d.Event)
		if !webhooks.Verify(signed(d.Signature), d.Body, secrets(made.Secret.Expose()), time.Time{}) {
			t.Errorf("%s is refused", d.Body)
		}
		if got := readHook(t, string(d.Body)); got.Ignored || got.Event != d.Event {
			t.Errorf("%s is read as %+v", d.Body, got)
		}
	}
	if want := []string{"taskCreated", "taskUpdated", "taskDueDateUpdated", "taskUpdated", "taskDeleted"}; !slices.Equal(events, want) {
		t.Errorf("the events are %v", events)
	}
}

func TestASuspendedWebhookIsWoken(t *testing.T) {
	t.Parallel()
	srv := newServer(tiny(62))
	k := keeper(t, srv, srv.Token(), nil)
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	t.Cleanup(gone.Close)
	made, err := k.MakeHook(t.Context(), gone.URL)
	if err != nil {
		t.Fatal(err)
	}
	list := srv.Snapshot(workspace(srv), clickuptest.Selection{}).Lists[0].ID
	srv.CreateTask(list, clickuptest.Task{Name: "New"})
	if status, err := srv.Deliver(t.Context(), gone.Client(), srv.Deliveries()[0]); status != http.StatusGone || err != nil {
		t.Fatal(status, err)
	}
	active := func() bool {
		all, err := k.Hooks(t.Context(), gone.URL)
		if err != nil || len(all) != 1 {
			t.Fatalf("found %+v, %v", all, err)
		}
		return all[0].Active
	}
	if active() {
		t.Error("it counts as active")
	}
	if err := k.WakeHook(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	if !active() {
		t.Error("it is not active again")
	}
	srv.CreateTask(list, clickuptest.Task{Name: "Another"})
	if n := len(srv.Deliveries()); n != 1 {
		t.Errorf("it gets %d deliveries", n)
	}
	if err := k.WakeHook(t.Context(), provider.Hook{ID: "gone", URL: gone.URL}); !integration.IsProviderReason(err, integration.ReasonNotFound) {
		t.Errorf("one that is gone: %v", err)
	}
}

// Nothing is taken for gone because of a list that may be without what is there.
func TestAListOfWebhooksThatMayNotBeWhole(t *testing.T) {
	t.Parallel()
	srv := newServer(tiny(64))
	k := keeper(t, srv, srv.Token(), nil)
	for _, body := range []string{`{"webhooks":null}`, `{}`, `{"webhooks":[null]}`, `{"webhooks":[{"endpoint":"` + hookURL + `"}]}`} {
		fault := srv.Fail(clickuptest.Fault{Route: "GET /api/v2/team/{team_id}/webhook", Status: http.StatusOK, Body: body})
		if all, err := k.Hooks(t.Context(), hookURL); !integration.IsProviderReason(err, integration.ReasonUnavailable) {
			t.Errorf("%s: %+v, %v", body, all, err)
		}
		fault.Lift()
	}
}

func TestWebhooksNeedAWorkspaceThatTheTokenReaches(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 63, Workspaces: 2, Members: 1, Spaces: 1})
	for name, test := range map[string]struct {
		token, workspace string
		kind             integration.Kind
	}{
		"a draft":           {srv.Token(), "", integration.KindInvalid},
		"another Workspace": {srv.AddToken(srv.Workspaces()[1].ID), workspace(srv), integration.KindProvider},
		"unknown token":     {"pk_1_NONE", workspace(srv), integration.KindProvider},
	} {
		k := keeper(t, srv, test.token, map[string]any{"workspace_id": test.workspace})
		_, listed := k.Hooks(t.Context(), hookURL)
		_, made := k.MakeHook(t.Context(), hookURL)
		for _, err := range []error{listed, made} {
			var shown *integration.Error
			if !errors.As(err, &shown) || shown.Kind != test.kind || strings.Contains(shown.Message, test.token) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
