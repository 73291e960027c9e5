package clickup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/provider/clickup/clickuptest"
)

func TestAFullImportIsAFaithfulCopy(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2} {
		for _, batch := range []int{10, 100, 1000} {
			srv := newServer(clickuptest.Small(seed))
			plan := everything
			plan.BatchSize = batch
			got := readAll(t, connected(t, srv), plan)
			differs(t, expected(srv.Snapshot(workspace(srv), clickuptest.Selection{})), got.objects)
			if len(got.failed) > 0 {
				t.Errorf("failed: %v", got.failed)
			}
			for id, o := range got.objects {
				if o.Listing != "" && !got.covered[o.Listing] {
					t.Errorf("%s is in %s, which was not covered", id, o.Listing)
				}
			}
			first := got.pages[0]
			if first.Workspace == nil || first.Workspace.ID != workspace(srv) || first.Workspace.Name != srv.Workspaces()[0].Name {
				t.Errorf("the first page is of %v", first.Workspace)
			}
		}
	}
}

func TestAListLongerThanAnAnswerIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 99, 100, 101, 200, 250} {
		srv := newServer(clickuptest.Options{Seed: 4, Workspaces: 1, Members: 2, Spaces: 1, FolderlessLists: 1, TasksPerList: n, Plain: true})
		got := read(t, connected(t, srv), everything, nil)
		if len(got.ids("task")) != n {
			t.Errorf("%d tasks of %d", len(got.ids("task")), n)
		}
		if last := got.pages[len(got.pages)-1]; last.Total == nil || *last.Total != len(got.objects) {
			t.Errorf("the total is %v, and there are %d objects", last.Total, len(got.objects))
		}
	}
}

func TestTasksThatAreDeletedWhileAListIsReadHideNoOthers(t *testing.T) {
	t.Parallel()
	for _, oldestFirst := range []bool{false, true} {
		srv := newServer(clickuptest.Options{Seed: 51, Members: 1, Spaces: 1, FolderlessLists: 1, TasksPerList: 450, Plain: true, OldestFirst: oldestFirst})
		c := connected(t, srv)
		plan := everything
		plan.IncludeArchived, plan.IncludeCompleted = false, false
		if whole := read(t, c, plan, nil); whole.err != nil || srv.Counts()["GET /api/v2/list/{list_id}/task"] > 6 { // one more where the order turns out to be the other
			t.Errorf("oldest first %v: %d requests for 450 tasks, %v", oldestFirst, srv.Counts()["GET /api/v2/list/{list_id}/task"], whole.err)
		}
		in := nothing()
		for p, err := range c.Import(t.Context(), plan, nil) {
			if err != nil {
				t.Fatal(err)
			}
			in.take(p)
			if deleted := 0; strings.HasPrefix(p.Step, "tasks of list") {
				for _, o := range p.Objects[:min(len(p.Objects), 20)] { // what was read moves out of the first pages
					if deleted++; deleted%2 == 0 {
						srv.DeleteTask(o.ExternalID)
					} else {
						srv.SetStatus(o.ExternalID, "closed")
					}
				}
			}
		}
		for _, task := range srv.Snapshot(workspace(srv), clickuptest.Selection{}).Tasks {
			if _, ok := in.objects[task.ID]; !ok {
				t.Errorf("oldest first %v: task %s is there and was not read", oldestFirst, task.ID)
			}
		}
		count := 0
		for _, p := range in.pages {
			count += len(p.Objects)
		}
		if count != len(in.objects) {
			t.Errorf("oldest first %v: %d objects were given %d times", oldestFirst, len(in.objects), count)
		}
	}
}

func TestTasksThatWereAllCreatedAtOnceAreRead(t *testing.T) {
	t.Parallel()
	for _, oldestFirst := range []bool{false, true} {
		at := time.UnixMilli(1_800_000_000_000)
		srv := newServer(clickuptest.Options{Seed: 52, Members: 1, Spaces: 1, FolderlessLists: 1, Plain: true, OldestFirst: oldestFirst, Now: func() time.Time { return at }})
		list := srv.Lists(workspace(srv))[0]
		for i := range 330 {
			created := at.UnixMilli() - 1000
			if i >= 250 {
				created += int64(i)
			}
			task := srv.CreateTask(list.ID, clickuptest.Task{Name: "one"})
			srv.UpdateTask(task.ID, func(t *clickuptest.Task) { t.Created = created })
		}
		if got := read(t, connected(t, srv), everything, nil); got.err != nil || len(got.ids("task")) != 330 {
			t.Errorf("oldest first %v: %d of 330 tasks, %v", oldestFirst, len(got.ids("task")), got.err)
		}
	}
}

func TestOptionsLeaveOutWhatIsClosedOrArchived(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Small(5))
	c := connected(t, srv)
	for _, options := range []provider.Options{{}, {IncludeCompleted: true}, {IncludeArchived: true}} {
		options.BatchSize = 50
		got := readAll(t, c, provider.Plan{Options: options})
		snap := srv.Snapshot(workspace(srv), clickuptest.Selection{OpenOnly: !options.IncludeCompleted, NoArchived: !options.IncludeArchived})
		differs(t, expected(snap), got.objects)
	}
}

func TestARunGoesOnFromEveryCursor(t *testing.T) {
	t.Parallel()
	o := clickuptest.Small(6)
	o.TasksPerList, o.Docs = 6, 3
	srv := newServer(o)
	c := connected(t, srv)
	snap := srv.Snapshot(workspace(srv), clickuptest.Selection{})
	since := time.UnixMilli(snap.Tasks[len(snap.Tasks)/2].Updated)
	selected := []string{snap.Spaces[0].ID, snap.Lists[len(snap.Lists)-1].ID, "nothing"}
	for name, plan := range map[string]provider.Plan{
		"full":                     {},
		"full, selected":           {Selection: selected},
		"incremental":              {Since: &since},
		"incremental and selected": {Since: &since, Selection: selected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan.Options = provider.Options{IncludeCompleted: true, IncludeArchived: true, BatchSize: 10}
			whole := read(t, c, plan, nil)
			if whole.err != nil || len(whole.pages) < 10 {
				t.Fatalf("%d pages, %v", len(whole.pages), whole.err)
			}
			for i, page := range whole.pages {
				if testing.Short() && i%5 != 0 {
					continue
				}
				rest := read(t, c, plan, page.Cursor)
				if rest.err != nil {
					t.Fatal(rest.err)
				}
				both := nothing()
				for _, p := range append(slices.Clone(whole.pages[:i+1]), rest.pages...) {
					both.take(p)
				}
				differs(t, whole.objects, both.objects)
				if diff := cmp.Diff(whole.covered, both.covered); diff != "" {
					t.Errorf("after page %d other listings are covered: %s", i, diff)
				}
				if got, want := len(both.pages), len(whole.pages); got != want {
					t.Errorf("after page %d there are %d pages instead of %d", i, got, want)
				}
				if a, b := rest.pages, whole.pages[i+1:]; len(a) > 0 && len(a) == len(b) && !bytes.Equal(a[len(a)-1].Cursor, b[len(b)-1].Cursor) {
					t.Errorf("after page %d the last cursor is another", i)
				}
			}
		})
	}
}

func TestACursorThatIsNoneBeginsAnew(t *testing.T) {
	t.Parallel()
	srv := newServer(tiny(7))
	c := connected(t, srv)
	whole := read(t, c, everything, nil)
	for _, cursor := range []string{"", "{}", "null", "7", `{"v":1,"stage":"unknown"}`, `{"v":1,"stage":"tasks"}`, "\xff"} {
		differs(t, whole.objects, read(t, c, everything, []byte(cursor)).objects)
	}
}

func TestPlacesThatComeAndGoMoveNothing(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Small(8))
	c := connected(t, srv)
	plan := everything
	plan.BatchSize = 10
	in, steps := nothing(), 0
	var cursor []byte
	deleted := map[string]bool{}
	for { // each page by a new reader, while lists come and go
		more := false
		for p, err := range c.Import(t.Context(), plan, cursor) {
			if err != nil {
				t.Fatal(err)
			}
			in.take(p)
			cursor, more = p.Cursor, true
			break
		}
		if !more {
			break
		}
		if steps++; steps%6 == 0 && len(deleted) < 3 && strings.Contains(in.pages[len(in.pages)-1].Step, "tasks of") {
			lists := srv.Lists(workspace(srv))
			gone := lists[len(lists)/2]
			srv.DeleteList(gone.ID)
			srv.CreateList(gone.SpaceID, "New")
			deleted[gone.ID] = true
		}
		if steps > 1000 {
			t.Fatal("it does not end")
		}
	}
	if len(deleted) != 3 {
		t.Fatalf("%d lists were deleted", len(deleted))
	}
	for _, task := range srv.Snapshot(workspace(srv), clickuptest.Selection{}).Tasks {
		if _, ok := in.objects[task.ID]; !ok {
			t.Errorf("task %s of list %s is missing", task.ID, task.ListID)
		}
	}
	if len(in.failed) > 0 {
		t.Errorf("failed: %v", in.failed)
	}
	for id := range deleted {
		if in.covered["list:"+id+"/tasks"] && !seen(in, id) {
			t.Errorf("deleted list %s is covered", id)
		}
	}
}

// seen reports whether a task of the list was read.
func seen(in *imported, list string) bool {
	for _, o := range in.objects {
		if o.Listing == "list:"+list+"/tasks" {
			return true
		}
	}
	return false
}

// A list is read again with what options leave out, which stays left out unless it is known; from each cursor on; and nothing else is.
func TestAListIsReadAgainWithEverything(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 4, Members: 1, Spaces: 1, FolderlessLists: 1, TasksPerList: 250, Plain: true})
	tasks := srv.Snapshot(workspace(srv), clickuptest.Selection{}).Tasks
	list := tasks[0].ListID
	for i, task := range tasks {
		switch {
		case i%5 == 1:
			srv.UpdateTask(task.ID, func(task *clickuptest.Task) { task.Archived = true })
		case i%5 == 2:
			srv.SetStatus(task.ID, "closed")
		case i%5 == 3:
			srv.SetStatus(task.ID, "closed")
			srv.UpdateTask(task.ID, func(task *clickuptest.Task) { task.Archived = true })
		}
	}
	c := connected(t, srv).(provider.Relister)
	again := func(plan provider.Plan, listing string, from []byte) *imported {
		in := nothing()
		for p, err := range c.Relist(t.Context(), plan, listing, from) {
			if err != nil {
				t.Fatal(err)
			}
			in.take(p)
		}
		return in
	}
	for name, test := range map[string]struct {
		options provider.Options
		gives   int
	}{
		"neither":   {provider.Options{}, 250},
		"completed": {provider.Options{IncludeCompleted: true}, 100}, // what is archived
		"archived":  {provider.Options{IncludeArchived: true}, 250},
		"both":      {provider.Options{IncludeCompleted: true, IncludeArchived: true}, 0},
	} {
		test.options.BatchSize = 40
		plan := provider.Plan{Options: test.options}
		got := again(plan, "list:"+list+"/tasks", nil)
		if len(got.objects) != test.gives || len(got.failed) > 0 {
			t.Errorf("%s: it gives %d tasks, failed: %v", name, len(got.objects), got.failed)
		}
		for _, o := range got.objects {
			if o.OnlyKnown != (o.Completed && !plan.IncludeCompleted || o.Archived && !plan.IncludeArchived) || o.Listing != "list:"+list+"/tasks" {
				t.Errorf("%s: %+v", name, o)
			}
		}
		for i, p := range got.pages {
			both := nothing()
			for _, p := range append(slices.Clone(got.pages[:i+1]), again(plan, "list:"+list+"/tasks", p.Cursor).pages...) {
				both.take(p)
			}
			differs(t, got.objects, both.objects)
			if len(both.pages) != len(got.pages) {
				t.Errorf("%s: after page %d there are %d pages instead of %d", name, i, len(both.pages), len(got.pages))
			}
		}
	}
	for _, listing := range []string{"list:123/tasks", "space:123/lists", "workspace:" + workspace(srv) + "/docs", ""} {
		if got := again(provider.Plan{Options: provider.Options{BatchSize: 40}}, listing, nil); len(got.objects) > 0 {
			t.Errorf("%s gives %d objects", listing, len(got.objects))
		}
	}
}

func TestMappingsMovePlacesAndNamePeople(t *testing.T) {
	t.Parallel()
	srv := newServer(tiny(11))
	snap := srv.Snapshot(workspace(srv), clickuptest.Selection{})
	user := fmt.Sprint(snap.Users[0].ID)
	plan := everything
	plan.Mappings = []integration.SyncMapping{
		{Kind: integration.MapFolder, ExternalID: snap.Folders[0].ID, Target: "host-folder"}, {Kind: integration.MapList, ExternalID: snap.Lists[0].ID, Target: "host-list"},
		{Kind: integration.MapSpace, ExternalID: snap.Spaces[0].ID, Target: "host-space"}, {Kind: integration.MapUser, ExternalID: user, Target: "ada"},
	}
	got := read(t, connected(t, srv), plan, nil)
	for id, target := range map[string]string{snap.Spaces[0].ID: "host-space", snap.Folders[0].ID: "host-folder", snap.Lists[0].ID: "host-list"} {
		o := got.objects[id]
		if o.ParentID != target || !cmp.Equal(o.Relations, []provider.Relation{{Type: integration.RelBelongsTo, To: target}}) {
			t.Errorf("%s is in %q with %v", id, o.ParentID, o.Relations)
		}
	}
	if p := got.objects["user:"+user].Properties; p["hostUserId"] != "ada" || p["email"] != snap.Users[0].Email {
		t.Errorf("the user has %v", p)
	}
}

func TestChurnIsCopiedFaithfully(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		srv := newServer(clickuptest.Small(20 + seed))
		what := srv.Churn(source(seed), 300)
		got := readAll(t, connected(t, srv), everything)
		differs(t, expected(srv.Snapshot(workspace(srv), clickuptest.Selection{})), got.objects, "Listing")
		if t.Failed() {
			t.Logf("changes: %s", strings.Join(what, "\n"))
			return
		}
	}
}

func TestTheReaderMayStopAtAnyPage(t *testing.T) {
	t.Parallel()
	srv := newServer(tiny(18))
	c := connected(t, srv)
	whole := read(t, c, everything, nil)
	for stop := range whole.pages {
		n := 0
		for range c.Import(t.Context(), everything, nil) {
			if n++; n > stop {
				break
			}
		}
	}
	for range c.Details(t.Context(), everything, whole.detailed()) {
		break
	}
	for range c.Fetch(t.Context(), everything, whole.detailed()) {
		break
	}
}

func TestACancelledRunEndsWithItsReason(t *testing.T) {
	t.Parallel()
	srv := newServer(tiny(19))
	c := connected(t, srv)
	refs := read(t, c, everything, nil).detailed()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, read := range map[string]func() error{
		"import":  func() error { return last(c.Import(ctx, everything, nil)) },
		"details": func() error { return last(c.Details(ctx, everything, refs)) },
		"fetch":   func() error { return last(c.Fetch(ctx, everything, refs)) },
	} {
		if err := read(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s ends with %v", name, err)
		}
	}
}
