package clickup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/provider/clickup"
	"patchbay/internal/provider/clickup/clickuptest"
	"patchbay/internal/provider/clickup/clickuptest/contract"
	"patchbay/internal/seal"
)

// everything is a full run that leaves out nothing.
var everything = provider.Plan{Options: provider.Options{IncludeCompleted: true, IncludeArchived: true, BatchSize: 100}}

// workspace is the one that most tests import.
func workspace(srv *clickuptest.Server) string { return srv.Workspaces()[0].ID }

// newServer makes a server with a limit that tests do not reach: without one the client keeps to the lowest that ClickUp publishes.
func newServer(o clickuptest.Options) *clickuptest.Server {
	o.RateLimit = 1_000_000
	return clickuptest.New(o)
}

// tiny is a Workspace with some of everything and few tasks.
func tiny(seed uint64) clickuptest.Options {
	o := clickuptest.Small(seed)
	o.TasksPerList = 4
	return o
}

// connectTo makes a connection with the server's own token, or another; settings are over the defaults.
func connectTo(t *testing.T, srv *clickuptest.Server, token string, settings map[string]any) provider.Connection {
	t.Helper()
	web := httptest.NewServer(contract.Checked(t, srv))
	t.Cleanup(web.Close)
	all := map[string]any{"import_completed_tasks": false, "import_comments": true, "import_custom_fields": true, "batch_size": int64(100), "workspace_id": workspace(srv)}
	maps.Copy(all, settings)
	connection, err := clickup.Declaration().Connect(provider.Access{
		Settings: all, Secrets: map[string]seal.Secret{"api_token": seal.NewSecret(token)}, Origin: web.URL, Network: provider.NewNetwork(provider.NetworkOptions{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return connection
}

func connected(t *testing.T, srv *clickuptest.Server) provider.Connection {
	t.Helper()
	return connectTo(t, srv, srv.Token(), nil)
}

// imported is what a reader has after some pages.
type imported struct {
	objects map[string]provider.Object
	covered map[string]bool
	failed  []integration.SyncFailure
	done    map[provider.Ref]int
	gone    map[provider.Ref]int
	pages   []*provider.Page
	err     error
}

func nothing() *imported {
	return &imported{objects: map[string]provider.Object{}, covered: map[string]bool{}, done: map[provider.Ref]int{}, gone: map[provider.Ref]int{}}
}

func (in *imported) take(p *provider.Page) {
	for _, o := range p.Objects {
		in.objects[o.ExternalID] = o
	}
	for _, key := range p.Covered {
		in.covered[key] = true
	}
	for _, ref := range p.Done {
		in.done[ref]++
	}
	for _, ref := range p.Gone {
		in.gone[ref]++
	}
	in.failed = append(in.failed, p.Failed...)
	in.pages = append(in.pages, p)
}

func (in *imported) ids(kind string) []string {
	ids := []string{}
	for id, o := range in.objects {
		if o.Kind == kind {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// read imports from a cursor on, without details.
func read(t *testing.T, c provider.Connection, plan provider.Plan, from []byte) *imported {
	t.Helper()
	in := nothing()
	for p, err := range c.Import(t.Context(), plan, from) {
		if err != nil {
			in.err = err
			return in
		}
		if len(p.Objects)+len(p.Failed) > plan.BatchSize && !strings.HasPrefix(p.Step, "document ") {
			t.Errorf("a page has %d objects", len(p.Objects))
		}
		if !json.Valid(p.Cursor) || len(p.Cursor) > 2000 {
			t.Errorf("the cursor is %s", p.Cursor)
		}
		in.take(p)
	}
	return in
}

// readAll imports with details, which must succeed.
func readAll(t *testing.T, c provider.Connection, plan provider.Plan) *imported {
	t.Helper()
	in := read(t, c, plan, nil)
	if in.err != nil {
		t.Fatal(in.err)
	}
	for p, err := range c.Details(t.Context(), plan, in.detailed()) {
		if err != nil {
			t.Fatal(err)
		}
		in.take(p)
	}
	return in
}

// detailed are the objects that ask for details, in an order.
func (in *imported) detailed() []provider.Ref {
	var refs []provider.Ref
	for _, id := range slices.Sorted(maps.Keys(in.objects)) {
		if o := in.objects[id]; o.HasDetails {
			refs = append(refs, provider.Ref{Type: o.Type, ExternalID: id})
		}
	}
	return refs
}

// escaped is what Markdown would take for HTML in the server's comments.
var escaped = strings.NewReplacer("<null>", `\<null>`, "<b>", `\<b>`, "</b>", `\</b>`)

// expected is what a snapshot becomes, apart from properties.
func expected(snap clickuptest.Snapshot) map[string]provider.Object {
	all := map[string]provider.Object{}
	add := func(o provider.Object) { all[o.ExternalID] = o }
	belongs := func(to ...string) (relations []provider.Relation) {
		for _, id := range to {
			relations = append(relations, provider.Relation{Type: integration.RelBelongsTo, To: id})
		}
		return relations
	}
	w := snap.Workspace.ID
	app := "https://app.clickup.com"
	at := func(ms int64) *time.Time { moment := time.UnixMilli(ms).UTC(); return &moment }
	add(provider.Object{Type: integration.ObjectOrganization, Kind: "workspace", ExternalID: w, Title: snap.Workspace.Name, URL: app + "/" + w})
	for _, u := range snap.Users {
		add(provider.Object{Type: integration.ObjectUser, Kind: "user", ExternalID: fmt.Sprint("user:", u.ID), Title: u.Username, Listing: "workspace:" + w + "/members"})
	}
	for _, s := range snap.Spaces {
		add(provider.Object{
			Type: integration.ObjectProject, Kind: "space", ExternalID: s.ID, Title: s.Name, URL: app + "/t/" + w + "/v/s/" + s.ID, ParentID: w, Archived: s.Archived,
			Relations: belongs(w), Listing: "workspace:" + w + "/spaces",
		})
	}
	for _, f := range snap.Folders {
		add(provider.Object{
			Type: integration.ObjectCollection, Kind: "folder", ExternalID: f.ID, Title: f.Name, URL: app + "/t/" + w + "/v/f/" + f.ID, ParentID: f.SpaceID, Archived: f.Archived,
			Relations: belongs(f.SpaceID), Listing: "space:" + f.SpaceID + "/folders",
		})
	}
	for _, l := range snap.Lists {
		o := provider.Object{
			Type: integration.ObjectCollection, Kind: "list", ExternalID: l.ID, Title: l.Name, Content: l.Content, URL: app + "/t/" + w + "/v/li/" + l.ID, Archived: l.Archived,
			ParentID: l.SpaceID, Relations: belongs(l.SpaceID), Listing: "space:" + l.SpaceID + "/lists",
		}
		if l.FolderID != "" {
			o.ParentID, o.Relations, o.Listing = l.FolderID, belongs(l.FolderID), "folder:"+l.FolderID+"/lists"
		}
		add(o)
	}
	for _, task := range snap.Tasks {
		o := provider.Object{
			Type: integration.ObjectTask, Kind: "task", ExternalID: task.ID, Title: task.Name, Content: task.Markdown, URL: app + "/t/" + task.ID, ParentID: task.ListID,
			UpdatedAt: at(task.Updated), Completed: task.Status.Type == "closed", Archived: task.Archived, Relations: belongs(append([]string{task.ListID}, task.AlsoIn...)...),
			Listing: "list:" + task.ListID + "/tasks", HasDetails: true,
		}
		for _, list := range task.Checklists {
			o.Content = strings.TrimSpace(strings.TrimRight(o.Content, " \n")+"\n\n## "+list.Name) + "\n\n"
			for _, one := range list.Items {
				o.Content += map[bool]string{false: "- [ ] ", true: "- [x] "}[one.Resolved] + one.Name + "\n"
			}
		}
		if task.Parent != "" {
			o.ParentID = task.Parent
			o.Relations = append(o.Relations, provider.Relation{Type: integration.RelParentOf, From: task.Parent})
		}
		for _, u := range task.Assignees {
			o.Relations = append(o.Relations, provider.Relation{Type: integration.RelAssignedTo, To: fmt.Sprint("user:", u)})
		}
		add(o)
	}
	for _, c := range snap.Comments {
		o := provider.Object{
			Type: integration.ObjectComment, Kind: "comment", ExternalID: "comment:" + c.ID, Content: escaped.Replace(c.Text), ParentID: c.TaskID,
			URL: app + "/t/" + c.TaskID + "?comment=" + c.ID, UpdatedAt: at(c.Date), Relations: []provider.Relation{{Type: integration.RelCommentOn, To: c.TaskID}},
			Listing: "task:" + c.TaskID + "/comments",
		}
		for _, u := range snap.Users {
			if u.ID == c.User {
				o.Title = "Comment by " + u.Username
			}
		}
		if c.Parent != "" {
			o.ParentID, o.URL = "comment:"+c.Parent, app+"/t/"+c.TaskID+"?comment="+c.Parent
		}
		add(o)
	}
	for _, d := range snap.Docs {
		add(provider.Object{
			Type: integration.ObjectDocument, Kind: "doc", ExternalID: d.ID, Title: d.Name, URL: app + "/" + w + "/v/dc/" + d.ID, ParentID: d.ParentID, UpdatedAt: at(d.Updated),
			Archived: d.Archived, Relations: belongs(d.ParentID), Listing: "workspace:" + w + "/docs",
		})
	}
	for _, p := range snap.Pages {
		parent := p.DocID
		if p.Parent != "" {
			parent += "/" + p.Parent
		}
		add(provider.Object{
			Type: integration.ObjectDocument, Kind: "page", ExternalID: p.DocID + "/" + p.ID, Title: p.Name, Content: p.Content, ParentID: parent, UpdatedAt: at(p.Updated),
			URL: app + "/" + w + "/v/dc/" + p.DocID + "/" + p.ID, Relations: []provider.Relation{{Type: integration.RelParentOf, From: parent}}, Listing: "doc:" + p.DocID + "/pages",
		})
	}
	return all
}

// differs reports where an import is not as it should be; listings are compared by those who care.
func differs(t *testing.T, want, got map[string]provider.Object, ignore ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(provider.Object{}, append(ignore, "Properties")...)); diff != "" {
		t.Errorf("%d objects instead of %d:\n%.4000s", len(got), len(want), diff)
	}
}

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

func TestDocumentsFollowTheSelection(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 10, Members: 2, Spaces: 2, Folders: 1, Lists: 1, Plain: true})
	w := workspace(srv)
	snap := srv.Snapshot(w, clickuptest.Selection{})
	list := snap.Lists[0]
	inList, inFolder, inSpace := srv.CreateDoc(w, list.ID, "of the list"), srv.CreateDoc(w, list.FolderID, "of the folder"), srv.CreateDoc(w, list.SpaceID, "of the space")
	srv.CreateDoc(w, w, "of the Workspace")
	for _, test := range []struct{ selection, want []string }{
		{[]string{list.ID}, []string{inList.ID}},
		{[]string{list.FolderID}, []string{inList.ID, inFolder.ID}},
		{[]string{list.SpaceID}, []string{inList.ID, inFolder.ID, inSpace.ID}},
	} {
		plan := everything
		plan.Selection = test.selection
		got := read(t, connected(t, srv), plan, nil)
		slices.Sort(test.want)
		if diff := cmp.Diff(test.want, got.ids("doc")); diff != "" {
			t.Errorf("%v: %s", test.selection, diff)
		}
		for _, id := range test.want {
			if !got.covered[got.objects[id].Listing] || !got.covered["doc:"+id+"/pages"] {
				t.Errorf("%s is not covered: %v", id, got.covered)
			}
		}
	}
}

// A list of documents that is refused, or that cannot be used, is one failure: the rest of the run goes on, and no document is missed.
func TestDocumentsThatCannotBeListed(t *testing.T) {
	t.Parallel()
	since := time.UnixMilli(1)
	for name, test := range map[string]struct {
		fault  clickuptest.Fault
		broken bool
	}{
		"refused":        {clickuptest.Fault{Status: 403, Code: "ACCESS_003"}, false},
		"not there":      {clickuptest.Fault{Status: 404}, false},
		"of no use":      {clickuptest.Fault{Status: 200, Body: `{}`}, true},
		"not all of it":  {clickuptest.Fault{Status: 404, Skip: 1}, false},
		"never answered": {clickuptest.Fault{Status: 503}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(clickuptest.Options{Seed: 3, Members: 1, Spaces: 1, FolderlessLists: 2, TasksPerList: 3, Docs: 3, Plain: true})
			test.fault.Route = "GET /api/v3/workspaces/{workspace_id}/docs"
			trouble := srv.Fail(test.fault)
			for _, plan := range []provider.Plan{everything, {Options: everything.Options, Since: &since}} {
				got := read(t, connected(t, srv), plan, nil)
				if trouble.Hits() == 0 {
					t.Fatal("the list of documents was not asked for")
				}
				if name == "never answered" {
					if !integration.IsProviderReason(got.err, integration.ReasonUnavailable) {
						t.Errorf("the run goes on after %v", got.err)
					}
					continue
				}
				if got.err != nil || len(got.ids("task")) != 6 {
					t.Fatalf("%v, %d tasks", got.err, len(got.ids("task")))
				}
				if len(got.failed) != 1 || got.failed[0].Type != integration.ObjectDocument || got.failed[0].ExternalID != workspace(srv) || got.failed[0].Broken != test.broken {
					t.Errorf("failed: %+v", got.failed)
				}
				if got.covered["workspace:"+workspace(srv)+"/docs"] {
					t.Error("the documents are covered")
				}
			}
		})
	}
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

// connectHandler is a connection to a handler that stands before the server.
func connectHandler(t *testing.T, h http.Handler, srv *clickuptest.Server) provider.Connection {
	t.Helper()
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	c, err := clickup.Declaration().Connect(provider.Access{
		Settings: map[string]any{"workspace_id": workspace(srv), "import_comments": true, "import_custom_fields": true, "batch_size": 100.0},
		Secrets:  map[string]seal.Secret{"api_token": seal.NewSecret(srv.Token())}, Origin: web.URL, Network: provider.NewNetwork(provider.NetworkOptions{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDocumentsThatChangedComeWithTheirPages(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Small(16))
	snap := srv.Snapshot(workspace(srv), clickuptest.Selection{NoArchived: true})
	doc := snap.Docs[0]
	c := connected(t, srv)
	plan := provider.Plan{Options: provider.Options{BatchSize: 100}}
	full := read(t, c, plan, nil)
	changed := srv.UpdateDoc(doc.ID, func(d *clickuptest.Doc) { d.Name = "Renamed" })
	got := changesSince(t, c, plan, changed.Updated)
	want := []string{}
	for _, p := range snap.Pages {
		if p.DocID == doc.ID {
			want = append(want, p.DocID+"/"+p.ID)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff([]string{doc.ID}, got.ids("doc")) + cmp.Diff(want, got.ids("page")); diff != "" {
		t.Fatal(diff)
	}
	for _, id := range append(want, doc.ID) { // or each run would rewrite what the other kind stored
		was, is := full.objects[id], got.objects[id]
		if id == doc.ID {
			was.Title, was.UpdatedAt = is.Title, is.UpdatedAt
		}
		if diff := cmp.Diff(was, is); diff != "" {
			t.Errorf("%s is another thing in a run of changes: %s", id, diff)
		}
	}
}

// Each document outside the selection may cost a request, and there are more of them than a window of the limit has.
func TestDocumentsOutsideTheSelectionLetARunGoOn(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 50, Members: 1, Spaces: 2, FolderlessLists: 60, Plain: true})
	w := workspace(srv)
	lists := srv.Lists(w)
	mine := srv.CreateDoc(w, lists[len(lists)-1].ID, "mine").ID
	for _, l := range lists[:len(lists)-1] {
		srv.CreateDoc(w, l.ID, "of "+l.Name)
	}
	plan := everything
	plan.Selection = []string{lists[len(lists)-1].ID}
	whole := read(t, connected(t, srv), plan, nil)
	if n := srv.Counts()["GET /api/v2/list/{list_id}"]; n != 0 {
		t.Errorf("%d lists were asked for though the walk came by them", n)
	}
	if diff := cmp.Diff([]string{mine}, whole.ids("doc")); diff != "" {
		t.Fatal(diff)
	}
	i := slices.IndexFunc(whole.pages, func(p *provider.Page) bool { return strings.Contains(string(p.Cursor), `"stage":"docs"`) })
	cursor, in := whole.pages[i].Cursor, nothing()
	for round := 0; ; round++ { // each time by another process, which has not walked
		if round == 50 {
			t.Fatalf("it does not end, at %s", cursor)
		}
		srv.SetRateLimit(20, time.Hour)
		part := read(t, connected(t, srv), plan, cursor)
		for _, p := range part.pages {
			in.take(p)
			cursor = p.Cursor
		}
		if part.err == nil {
			break
		}
	}
	if diff := cmp.Diff([]string{mine}, in.ids("doc")); diff != "" {
		t.Error(diff)
	}
}

func TestMoreDocumentsThanAnAnswerHas(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 17, Members: 1, Docs: 230, PagesPerDoc: 1, Plain: true})
	got := read(t, connected(t, srv), everything, nil)
	if got.err != nil || len(got.ids("doc")) != 230 || len(got.ids("page")) != 230 {
		t.Errorf("%d documents, %d pages, %v", len(got.ids("doc")), len(got.ids("page")), got.err)
	}
	middle := got.pages[len(got.pages)/2]
	rest := read(t, connected(t, srv), everything, middle.Cursor)
	if want := len(got.pages) - len(got.pages)/2 - 1; len(rest.pages) != want {
		t.Errorf("%d pages remain instead of %d", len(rest.pages), want)
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
