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
