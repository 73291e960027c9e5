package clickup_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/provider/clickup/clickuptest"
)

// changesSince imports what changed, and gives the tasks' ids.
func changesSince(t *testing.T, c provider.Connection, plan provider.Plan, since int64) *imported {
	t.Helper()
	at := time.UnixMilli(since)
	plan.Since = &at
	got := read(t, c, plan, nil)
	if got.err != nil {
		t.Fatal(got.err)
	}
	if len(got.covered) > 0 {
		t.Errorf("a run of changes covers %v", got.covered)
	}
	return got
}

func TestAnIncrementalRunReadsWhatChanged(t *testing.T) {
	t.Parallel()
	for _, oldestFirst := range []bool{false, true} {
		o := clickuptest.Small(12)
		o.OldestFirst, o.TasksPerList = oldestFirst, 60
		srv := newServer(o)
		c := connected(t, srv)
		snap := srv.Snapshot(workspace(srv), clickuptest.Selection{})
		slices.SortFunc(snap.Tasks, func(a, b clickuptest.Task) int { return int(a.Updated - b.Updated) })
		for _, n := range []int{0, 1, 99, 100, 101, 250, len(snap.Tasks)} {
			since := snap.Tasks[len(snap.Tasks)-1].Updated + 1
			if n > 0 {
				since = snap.Tasks[len(snap.Tasks)-n].Updated
			}
			want := []string{}
			for _, task := range snap.Tasks {
				if task.Updated >= since && !task.Archived {
					want = append(want, task.ID)
				}
			}
			slices.Sort(want)
			plan := provider.Plan{Options: provider.Options{BatchSize: 30}}
			got := changesSince(t, c, plan, since)
			if diff := cmp.Diff(want, got.ids("task")); diff != "" {
				t.Errorf("oldest first %v, %d changes: %s", oldestFirst, n, diff)
			}
			for _, task := range snap.Tasks {
				if o, has := got.objects[task.ID]; has && o.OnlyKnown != (task.Status.Type == "closed") {
					t.Errorf("task %s with status %s is only kept up to date: %v", task.ID, task.Status.Type, o.OnlyKnown)
				}
			}
		}
	}
}

// An answer of changes that cannot be used ends neither the run nor, for the others, what is read of them; it is told as what hides other changes.
func TestAnAnswerOfChangesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, selection := range map[string]func(clickuptest.Snapshot) []string{
		"everything":  func(clickuptest.Snapshot) []string { return nil },
		"a selection": func(s clickuptest.Snapshot) []string { return []string{s.Spaces[0].ID, s.Spaces[1].ID} },
	} {
		// More lists than one request asks for.
		srv := newServer(clickuptest.Options{Seed: 13, Members: 2, Spaces: 2, Folders: 4, Lists: 9, FolderlessLists: 3, TasksPerList: 4, Docs: 2, Plain: true})
		snap := srv.Snapshot(workspace(srv), clickuptest.Selection{})
		plan := provider.Plan{Options: provider.Options{BatchSize: 100}, Selection: selection(snap)}
		first := true
		srv.Fail(clickuptest.Fault{Status: 200, Body: `{}`, Match: func(r *http.Request) bool {
			fails := first && strings.HasSuffix(r.URL.Path, "/task")
			first = first && !fails
			return fails
		}})
		got := changesSince(t, connected(t, srv), plan, 1)
		if len(got.failed) != 1 || got.failed[0].Type != integration.ObjectOrganization || !got.failed[0].Broken {
			t.Errorf("%s: failed: %v", name, got.failed)
		}
		if tasks := len(got.ids("task")); len(got.ids("doc")) == 0 || (tasks == 0) != (plan.Selection == nil) {
			t.Errorf("%s: %d tasks, %d documents", name, tasks, len(got.ids("doc")))
		}
	}
}

func TestAnIncrementalRunOfASelectionReadsItsListsOnly(t *testing.T) {
	t.Parallel()
	// More lists than one request asks for.
	srv := newServer(clickuptest.Options{Seed: 13, Members: 2, Spaces: 3, Folders: 4, Lists: 9, FolderlessLists: 3, TasksPerList: 4, Plain: true})
	snap := srv.Snapshot(workspace(srv), clickuptest.Selection{})
	other := snap.Lists[len(snap.Lists)-1]
	selection := []string{snap.Spaces[0].ID, snap.Spaces[1].ID, other.ID}
	plan := provider.Plan{Options: provider.Options{BatchSize: 100}, Selection: selection}
	got := changesSince(t, connected(t, srv), plan, 1)
	want := []string{}
	for _, task := range snap.Tasks {
		for _, l := range snap.Lists {
			if l.ID == task.ListID && (slices.Contains(selection[:2], l.SpaceID) || l.ID == other.ID) {
				want = append(want, task.ID)
			}
		}
	}
	if diff := cmp.Diff(want, got.ids("task")); diff != "" {
		t.Error(diff)
	}
	for _, r := range srv.Requests() {
		if len(r.URI) > 2000 {
			t.Errorf("a URL of %d characters", len(r.URI))
		}
	}
}

func TestChangesThatMoveWhileTheyAreReadAreNotMissed(t *testing.T) {
	t.Parallel()
	for _, oldestFirst := range []bool{false, true} {
		srv := newServer(clickuptest.Options{Seed: 14, Members: 2, Spaces: 1, FolderlessLists: 1, TasksPerList: 350, Plain: true, OldestFirst: oldestFirst})
		c := connected(t, srv)
		snap := srv.Snapshot(workspace(srv), clickuptest.Selection{})
		slices.SortFunc(snap.Tasks, func(a, b clickuptest.Task) int { return int(a.Updated - b.Updated) })
		since := time.UnixMilli(1)
		in, edited := nothing(), 0
		for p, err := range c.Import(t.Context(), provider.Plan{Options: provider.Options{BatchSize: 100}, Since: &since}, nil) {
			if err != nil {
				t.Fatal(err)
			}
			in.take(p)
			if p.Step == "changed tasks" && edited < 40 {
				for range 20 { // what was read already, if the first changes come first
					srv.UpdateTask(snap.Tasks[edited].ID, func(task *clickuptest.Task) { task.Name += " again" })
					edited++
				}
			}
		}
		for i, task := range snap.Tasks {
			if _, ok := in.objects[task.ID]; !ok {
				t.Errorf("oldest first %v: the task that was %d in order is missing", oldestFirst, i)
			}
		}
	}
}

func TestTasksThatAllChangedAtOnceAreRead(t *testing.T) {
	t.Parallel()
	for _, oldestFirst := range []bool{false, true} {
		now := time.UnixMilli(1_800_000_000_000)
		srv := newServer(clickuptest.Options{Seed: 15, Members: 1, Spaces: 1, FolderlessLists: 1, Plain: true, OldestFirst: oldestFirst})
		list := srv.Lists(workspace(srv))[0]
		for range 230 {
			srv.CreateTask(list.ID, clickuptest.Task{Name: "one"})
		}
		// The server gives each change a time of its own: here all have one.
		web := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			recorded := httptest.NewRecorder()
			if strings.HasSuffix(r.URL.Path, "/task") {
				query := r.URL.Query()
				query.Del("date_updated_gt")
				if r.URL.Query().Get("date_updated_gt") >= fmt.Sprint(now.UnixMilli()) {
					query.Set("page", "99")
				}
				r.URL.RawQuery = query.Encode()
			}
			srv.ServeHTTP(recorded, r)
			body := recorded.Body.String()
			var answer map[string]any
			if strings.HasSuffix(r.URL.Path, "/task") && json.Unmarshal([]byte(body), &answer) == nil {
				for _, one := range answer["tasks"].([]any) {
					one.(map[string]any)["date_updated"] = fmt.Sprint(now.UnixMilli())
				}
				changed, _ := json.Marshal(answer)
				body = string(changed)
			}
			maps.Copy(w.Header(), recorded.Header())
			w.Header().Del("Content-Length")
			w.WriteHeader(recorded.Code)
			_, _ = w.Write([]byte(body))
		})
		c := connectHandler(t, web, srv)
		got := changesSince(t, c, provider.Plan{Options: provider.Options{BatchSize: 100}}, now.UnixMilli()-1000)
		if n := len(got.ids("task")); n != 230 {
			t.Errorf("%d of 230 tasks", n)
		}
	}
}
