package clickup_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"patchbay/internal/provider"
	"patchbay/internal/provider/clickup/clickuptest"
)

func TestASelectionReadsWhatIsBelowIt(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Small(9))
	c := connected(t, srv)
	w := workspace(srv)
	snap := srv.Snapshot(w, clickuptest.Selection{})
	folder := snap.Folders[len(snap.Folders)-1]
	var loose clickuptest.List
	for _, l := range snap.Lists {
		if l.FolderID == "" {
			loose = l
		}
	}
	for name, test := range map[string]struct {
		selection []string
		in        func(clickuptest.List) bool
		lost      int
	}{
		"everything":         {[]string{w}, func(clickuptest.List) bool { return true }, 0},
		"a space":            {[]string{snap.Spaces[0].ID}, func(l clickuptest.List) bool { return l.SpaceID == snap.Spaces[0].ID }, 0},
		"a folder":           {[]string{folder.ID}, func(l clickuptest.List) bool { return l.FolderID == folder.ID }, 0},
		"a list":             {[]string{loose.ID}, func(l clickuptest.List) bool { return l.ID == loose.ID }, 0},
		"a folder and list":  {[]string{loose.ID, folder.ID, loose.ID}, func(l clickuptest.List) bool { return l.ID == loose.ID || l.FolderID == folder.ID }, 0},
		"a list and nothing": {[]string{"123", loose.ID, "x"}, func(l clickuptest.List) bool { return l.ID == loose.ID }, 2},
		"nothing that is":    {[]string{"123", "", "user:1", "../x"}, func(clickuptest.List) bool { return false }, 4},
		"nothing":            {[]string{}, func(clickuptest.List) bool { return false }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := everything
			plan.Selection = test.selection
			got := read(t, c, plan, nil)
			if got.err != nil {
				t.Fatal(got.err)
			}
			if len(got.failed) != test.lost {
				t.Errorf("failed: %v", got.failed)
			}
			var lists []string
			for _, l := range snap.Lists {
				if test.in(l) {
					lists = append(lists, l.ID)
				}
			}
			slices.Sort(lists)
			if diff := cmp.Diff(lists, got.ids("list"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("lists: %s", diff)
			}
			for _, task := range snap.Tasks {
				want := slices.ContainsFunc(append([]string{task.ListID}, task.AlsoIn...), func(id string) bool { return slices.Contains(lists, id) })
				o, has := got.objects[task.ID]
				if has != want {
					t.Errorf("task %s of %s and %v is in: %v", task.ID, task.ListID, task.AlsoIn, has)
				} else if has && !got.covered[o.Listing] {
					t.Errorf("task %s is in %s, which was not covered", task.ID, o.Listing)
				}
			}
			for id, o := range got.objects {
				if o.ParentID != "" && o.Kind != "task" && got.objects[o.ParentID].ExternalID == "" {
					t.Errorf("%s %s is in %s, which is not there", o.Kind, id, o.ParentID)
				}
			}
			if whole := slices.Contains(test.selection, w); got.covered["workspace:"+w+"/spaces"] != whole || got.covered["workspace:"+w+"/docs"] != whole {
				t.Errorf("covered: %v", got.covered)
			}
			for key := range got.covered {
				if strings.HasSuffix(key, "/lists") && name == "a list" {
					t.Errorf("%s is covered, though only one list of it is selected", key)
				}
			}
		})
	}
}

// A task that several selected lists show, its home not being one, is the same object however it is read.
func TestATaskOfSeveralSelectedListsIsInOneListing(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 54, Members: 1, Spaces: 1, Folders: 1, Lists: 2, FolderlessLists: 2, Plain: true})
	lists := srv.Lists(workspace(srv))
	slices.SortFunc(lists, func(a, b clickuptest.List) int { return strings.Compare(a.FolderID, b.FolderID) })
	home, loose, inFolder := lists[0], lists[1], lists[2:]
	task := srv.CreateTask(home.ID, clickuptest.Task{Name: "shared"})
	for _, l := range []clickuptest.List{inFolder[1], loose, inFolder[0]} {
		srv.AddToList(task.ID, l.ID)
	}
	for name, test := range map[string]struct{ selection, among []string }{
		"lists":             {[]string{inFolder[1].ID, loose.ID}, []string{inFolder[1].ID, loose.ID}},
		"a folder":          {[]string{inFolder[0].FolderID}, []string{inFolder[0].ID, inFolder[1].ID}},
		"a folder and list": {[]string{inFolder[0].FolderID, loose.ID}, []string{inFolder[0].ID, inFolder[1].ID, loose.ID}},
	} {
		want := "list:" + slices.Min(test.among) + "/tasks" // ids of one length
		plan := everything
		plan.Selection = test.selection
		full := read(t, connected(t, srv), plan, nil)
		for _, p := range full.pages {
			for _, o := range p.Objects {
				if o.ExternalID == task.ID && o.Listing != want {
					t.Errorf("%s: in %s, and in %s it is in %s", name, want, p.Step, o.Listing)
				}
			}
		}
		fetched := collect(connected(t, srv).Fetch(t.Context(), plan, []provider.Ref{taskRef(task.ID)}))
		if diff := cmp.Diff(full.objects[task.ID], fetched.objects[task.ID]); diff != "" {
			t.Errorf("%s: alone it is another thing: %s", name, diff)
		}
	}
}

func TestASelectedPlaceThatWasDeletedIsGone(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 53, Members: 1, Spaces: 3, Folders: 2, Lists: 1, FolderlessLists: 2, TasksPerList: 2, Plain: true})
	snap := srv.Snapshot(workspace(srv), clickuptest.Selection{})
	list, folder, space := snap.Lists[0].ID, snap.Folders[1].ID, snap.Spaces[1].ID
	hidden, refused := snap.Lists[len(snap.Lists)-1].ID, snap.Lists[len(snap.Lists)-2].ID
	srv.DeleteList(list)
	srv.DeleteFolder(folder)
	srv.DeleteSpace(space)
	srv.UpdateList(hidden, func(l *clickuptest.List) { l.Archived = true })
	srv.UpdateList(refused, func(l *clickuptest.List) { l.Archived = true })
	srv.Fail(clickuptest.Fault{Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/list/"+refused) }, Status: 401, Code: "OAUTH_027"})
	since := time.UnixMilli(1)
	for name, plan := range map[string]provider.Plan{"full": {}, "changes": {Since: &since}} {
		plan.Options = provider.Options{BatchSize: 100}
		plan.Selection = []string{list, folder, space, hidden, refused, "123", "x"}
		whole := read(t, connected(t, srv), plan, nil)
		if whole.err != nil {
			t.Fatal(whole.err)
		}
		gone, failed, reasons := map[string]bool{}, map[string]bool{}, map[string]string{}
		for ref := range whole.gone {
			gone[ref.ExternalID] = true
		}
		for _, f := range whole.failed {
			failed[f.ExternalID], reasons[f.ExternalID] = true, f.Reason
			if f.Broken {
				t.Errorf("%s: %v keeps what changed from being taken for read", name, f)
			}
		}
		if !strings.Contains(reasons[hidden], "this list is archived, which only runs with includeArchived read") {
			t.Errorf("%s: it fails for %q", name, reasons[hidden])
		}
		if diff := cmp.Diff(map[string]bool{list: true, folder: true, space: true}, gone); diff != "" {
			t.Errorf("%s: gone: %s", name, diff)
		}
		if diff := cmp.Diff(map[string]bool{hidden: true, refused: true, "123": true, "x": true}, failed); diff != "" {
			t.Errorf("%s: failed: %s", name, diff)
		}
		for i, p := range whole.pages { // it goes on after each of them
			rest := read(t, connected(t, srv), plan, p.Cursor)
			if rest.err != nil || len(rest.pages) != len(whole.pages)-i-1 {
				t.Errorf("%s: after page %d there are %d pages instead of %d, %v", name, i, len(rest.pages), len(whole.pages)-i-1, rest.err)
			}
		}
	}
}
