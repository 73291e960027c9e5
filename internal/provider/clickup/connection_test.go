package clickup_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/provider/clickup"
	"patchbay/internal/provider/clickup/clickuptest"
	"patchbay/internal/provider/clickup/clickuptest/contract"
	"patchbay/internal/seal"
)

func TestTryingAConnection(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 40, Workspaces: 2, Members: 2, Spaces: 1})
	first, second := srv.Workspaces()[0], srv.Workspaces()[1]
	revoked := srv.AddToken(first.ID)
	srv.Revoke(revoked)
	for name, test := range map[string]struct {
		token, workspace string
		reason           integration.ProviderReason // empty where it succeeds
		workspaces       []string
		text             string // that the error has
	}{
		"all is well":             {srv.Token(), first.ID, "", []string{first.ID, second.ID}, ""},
		"no Workspace chosen yet": {srv.Token(), "", "", []string{first.ID, second.ID}, ""},
		"another Workspace":       {srv.AddToken(second.ID), first.ID, integration.ReasonPermission, []string{second.ID}, second.Name},
		"no Workspace at all":     {srv.AddToken(), first.ID, integration.ReasonPermission, nil, "no Workspace"},
		"unknown token":           {"pk_1_NONE", first.ID, integration.ReasonAuthFailed, nil, "401"},
		"unknown OAuth token":     {"1_none", first.ID, integration.ReasonAuthFailed, nil, "401"},
		"revoked token":           {revoked, first.ID, integration.ReasonAuthFailed, nil, "401"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			account, err := connectTo(t, srv, test.token, map[string]any{"workspace_id": test.workspace}).Test(t.Context())
			if test.reason == "" && err != nil || test.reason != "" && (!integration.IsProviderReason(err, test.reason) || !strings.Contains(err.Error(), test.text)) {
				t.Errorf("the error is %v", err)
			}
			var ids []string
			for _, w := range account.Workspaces {
				ids = append(ids, w.ID)
			}
			if !slices.Equal(ids, test.workspaces) {
				t.Errorf("it reaches %v", account.Workspaces)
			}
			if known := test.reason != integration.ReasonAuthFailed; known == (account.Name == "") {
				t.Errorf("the account is %q", account.Name)
			}
			if err != nil && strings.Contains(err.Error(), test.token) {
				t.Error("the error shows the token")
			}
		})
	}
}

func TestADraftHasNothingToImport(t *testing.T) {
	t.Parallel()
	if _, err := clickup.Declaration().Connect(provider.Access{Network: provider.NewNetwork(provider.NetworkOptions{})}); !integration.IsKind(err, integration.KindInvalid) {
		t.Errorf("without a token: %v", err)
	}
	srv := newServer(clickuptest.Small(41))
	c := connectTo(t, srv, srv.Token(), map[string]any{"workspace_id": ""})
	if err := last(c.Import(t.Context(), everything, nil)); !integration.IsKind(err, integration.KindInvalid) {
		t.Errorf("import without a Workspace: %v", err)
	}
	if _, err := c.Structure(t.Context()); !integration.IsKind(err, integration.KindInvalid) {
		t.Errorf("structure without a Workspace: %v", err)
	}
}

func TestSettingsAreTheOptionsOfARun(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Small(42))
	for _, test := range []struct {
		settings map[string]any
		want     provider.Options
	}{
		{nil, provider.Options{BatchSize: 100}},
		{map[string]any{"batch_size": 250.0, "import_completed_tasks": true}, provider.Options{BatchSize: 250, IncludeCompleted: true}},
		{map[string]any{"batch_size": int64(10)}, provider.Options{BatchSize: 10}},
	} {
		if got := connectTo(t, srv, srv.Token(), test.settings).Options(); got != test.want {
			t.Errorf("%v: %+v", test.settings, got)
		}
	}
}

func TestTheStructureHasParentsFirst(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Small(43))
	w := workspace(srv)
	snap := srv.Snapshot(w, clickuptest.Selection{})
	nodes, err := connected(t, srv).Structure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen, kinds, archived := map[string]integration.ExternalNode{}, map[string]int{}, 0
	for _, n := range nodes {
		if n.ParentExternalID != nil && seen[*n.ParentExternalID].ExternalID == "" {
			t.Errorf("%s %s comes before its parent", n.Kind, n.ExternalID)
		}
		if !n.Selectable || n.Name == "" || (n.ItemCount == nil) != (n.Kind != "list") {
			t.Errorf("%+v", n)
		}
		if n.Archived {
			archived++
		}
		seen[n.ExternalID] = n
		kinds[n.Kind]++
	}
	if kinds["workspace"] != 1 || kinds["space"] != len(snap.Spaces) || kinds["folder"] != len(snap.Folders) || kinds["list"] != len(snap.Lists) {
		t.Errorf("%v", kinds)
	}
	want := 0
	for _, l := range snap.Lists {
		if l.Archived {
			want++
		}
		above := l.FolderID
		if above == "" {
			above = l.SpaceID
		}
		if *seen[l.ID].ParentExternalID != above || seen[l.ID].Name != l.Name {
			t.Errorf("list %s: %+v", l.ID, seen[l.ID])
		}
	}
	for _, f := range snap.Folders {
		if f.Archived {
			want++
		}
	}
	for _, s := range snap.Spaces {
		if s.Archived {
			want++
		}
	}
	if archived != want {
		t.Errorf("%d archived places instead of %d", archived, want)
	}
}

// A structure that needs more requests than a window of the limit has is there after some tries, each of a connection of its own.
func TestAStructureLargerThanTheLimitIsReadAtLast(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 49, Members: 1, Spaces: 6, Folders: 8, Lists: 3, FolderlessLists: 1, Plain: true})
	web := httptest.NewServer(contract.Checked(t, srv))
	t.Cleanup(web.Close)
	declaration := clickup.Declaration()
	ask := func() ([]integration.ExternalNode, error) {
		c, err := declaration.Connect(provider.Access{
			Settings: map[string]any{"workspace_id": workspace(srv)}, Secrets: map[string]seal.Secret{"api_token": seal.NewSecret(srv.Token())}, Origin: web.URL,
			Network: provider.NewNetwork(provider.NetworkOptions{}),
		})
		if err != nil {
			t.Fatal(err)
		}
		return c.Structure(t.Context())
	}
	want, err := ask()
	if err != nil || len(want) != 1+6*(1+8*(1+3)+1) {
		t.Fatalf("%d nodes, %v", len(want), err)
	}
	if n := len(srv.Requests()); n > 80 { // of the 100 that a minute has on the cheaper plans
		t.Errorf("it took %d requests", n)
	}
	for round := 0; ; round++ {
		if round == 10 {
			t.Fatal("it is never there")
		}
		srv.SetRateLimit(24, time.Hour)
		got, err := ask()
		if err == nil {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			break
		}
		if !integration.IsProviderReason(err, integration.ReasonRateLimited) {
			t.Fatal(err)
		}
	}
}

func TestAListThatCannotBeReadIsLeftOut(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Small(44))
	snap := srv.Snapshot(workspace(srv), clickuptest.Selection{})
	private, broken := snap.Lists[0].ID, snap.Lists[1].ID
	of := func(id string) func(*http.Request) bool {
		return func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/list/"+id+"/task") }
	}
	srv.Fail(clickuptest.Fault{Match: of(private), Status: 403, Code: "ACCESS_001", Text: "no"})
	srv.Fail(clickuptest.Fault{Match: of(broken), Status: 404, Code: "SUBCAT_016", Text: "gone"})
	got := read(t, connected(t, srv), everything, nil)
	if got.err != nil || len(got.failed) != 1 || got.failed[0].ExternalID != private || got.failed[0].Reason == "" {
		t.Fatalf("%v, failed: %v", got.err, got.failed)
	}
	if got.covered["list:"+private+"/tasks"] || got.covered["list:"+broken+"/tasks"] || !got.covered["list:"+snap.Lists[2].ID+"/tasks"] {
		t.Errorf("covered: %v", got.covered)
	}
	for _, task := range snap.Tasks {
		if _, has := got.objects[task.ID]; !has && task.ListID != private && task.ListID != broken {
			t.Errorf("task %s of list %s is missing", task.ID, task.ListID)
		}
	}
}

// A place that cannot be read is told of once, however many parts a run is read in; what fails later only is told too.
func TestPlacesThatCannotBeReadAreToldOfOnce(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 46, Members: 1, Spaces: 3, Folders: 3, Lists: 2, FolderlessLists: 1, TasksPerList: 2, Plain: true})
	snap := srv.Snapshot(workspace(srv), clickuptest.Selection{})
	private, later := snap.Spaces[0].ID, snap.Spaces[1].ID
	srv.Fail(clickuptest.Fault{Match: func(r *http.Request) bool { return r.URL.Path == "/api/v2/space/"+private+"/folder" }, Status: 401, Code: "OAUTH_027"})
	places := true // are read
	srv.Fail(clickuptest.Fault{Status: 200, Body: `{}`, Match: func(r *http.Request) bool { return !places && r.URL.Path == "/api/v2/space/"+later+"/folder" }})
	c := connected(t, srv)
	since := time.UnixMilli(1)
	for name, plan := range map[string]provider.Plan{"full": {}, "changes of a selection": {Since: &since, Selection: []string{private, later}}} {
		plan.Options = everything.Options
		told := map[string]int{}
		places = true
		var cursor []byte
		for more := true; more; {
			more = false
			for p, err := range c.Import(t.Context(), plan, cursor) { // its first page is one part
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range p.Failed {
					told[f.ExternalID]++
				}
				places = strings.Contains(string(p.Cursor), `"stage":"places"`)
				cursor, more = p.Cursor, true
				break
			}
		}
		if told[private] != 1 || told[later] != 1 || len(told) != 2 {
			t.Errorf("%s: told of %v", name, told)
		}
	}
}

func TestASpaceThatCannotBeReadIsLeftOut(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Small(45))
	snap := srv.Snapshot(workspace(srv), clickuptest.Selection{})
	private := snap.Spaces[0].ID
	srv.Fail(clickuptest.Fault{Match: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/v2/space/"+private+"/") }, Status: 401, Code: "OAUTH_027"})
	c := connected(t, srv)
	got := read(t, c, everything, nil)
	if got.err != nil || len(got.failed) == 0 || got.covered["space:"+private+"/lists"] || got.covered["space:"+private+"/folders"] || !got.covered["space:"+snap.Spaces[1].ID+"/folders"] {
		t.Fatalf("%v, failed: %v, covered: %v", got.err, got.failed, got.covered)
	}
	if _, has := got.objects[private]; !has || len(got.ids("task")) == 0 {
		t.Error("the rest of the Workspace is missing")
	}
	if nodes, err := c.Structure(t.Context()); err != nil || len(nodes) < 5 {
		t.Errorf("structure: %d, %v", len(nodes), err)
	}
}

func TestErrorsOfTheWholeEndARun(t *testing.T) {
	t.Parallel()
	srv := newServer(tiny(46))
	c := connected(t, srv)
	whole := read(t, c, everything, nil)
	for name, test := range map[string]struct {
		fault  clickuptest.Fault
		reason integration.ProviderReason
	}{
		"token revoked":     {clickuptest.Fault{Status: 401, Code: "OAUTH_019"}, integration.ReasonAuthFailed},
		"a page of a proxy": {clickuptest.HTMLPage(400), integration.ReasonUnavailable},
	} {
		trouble := srv.Fail(clickuptest.Fault{
			Route: "GET /api/v2/list/{list_id}/task", Skip: 2, Status: test.fault.Status, Code: test.fault.Code, Body: test.fault.Body, ContentType: test.fault.ContentType,
		})
		got := read(t, c, everything, nil)
		trouble.Lift()
		if !integration.IsProviderReason(got.err, test.reason) || len(got.pages) == 0 {
			t.Errorf("%s: %v after %d pages", name, got.err, len(got.pages))
			continue
		}
		rest := read(t, c, everything, got.pages[len(got.pages)-1].Cursor)
		if rest.err != nil || len(got.pages)+len(rest.pages) != len(whole.pages) {
			t.Errorf("%s: %d and %d pages instead of %d, %v", name, len(got.pages), len(rest.pages), len(whole.pages), rest.err)
		}
	}
}

func TestAnAnswerThatCannotBeUsedLeavesTheOthers(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]clickuptest.Fault{
		"no list in it":         {Status: 200, Body: `{}`},
		"not what it should be": {Status: 200, Body: `"x"`},
		"a page of a proxy":     clickuptest.HTMLPage(200),
		"too large":             {Pad: 33 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(clickuptest.Options{Seed: 55, Members: 1, Spaces: 1, FolderlessLists: 3, TasksPerList: 3, CommentsPerTask: 1, Docs: 3, PagesPerDoc: 1, Plain: true})
			c := connected(t, srv)
			whole := read(t, c, everything, nil)
			snap := srv.Snapshot(workspace(srv), clickuptest.Selection{})
			list, doc, task := snap.Lists[1].ID, snap.Docs[1].ID, snap.Tasks[1].ID
			fault.Match = func(r *http.Request) bool {
				return strings.HasSuffix(r.URL.Path, "/list/"+list+"/task") || strings.Contains(r.URL.Path, "/docs/"+doc) || strings.Contains(r.URL.Path, "/task/"+task)
			}
			srv.Fail(fault)
			got := read(t, c, everything, nil)
			if got.err != nil || len(got.failed) != 2 || got.failed[0].ExternalID != list || got.failed[1].ExternalID != doc || got.failed[0].Reason == "" {
				t.Fatalf("%v, failed: %v", got.err, got.failed)
			}
			if got.covered["list:"+list+"/tasks"] || got.covered["doc:"+doc+"/pages"] || len(got.covered) != len(whole.covered)-2 {
				t.Errorf("covered: %v", got.covered)
			}
			if len(got.ids("task")) != 6 || len(got.ids("doc")) != 3 || len(got.ids("page")) != 2 {
				t.Errorf("%d tasks, %d documents, %d pages", len(got.ids("task")), len(got.ids("doc")), len(got.ids("page")))
			}
			refs := whole.detailed()
			for how, in := range map[string]*imported{"details": collect(c.Details(t.Context(), everything, refs)), "fetch": collect(c.Fetch(t.Context(), everything, refs))} {
				if in.err != nil || len(in.done) != len(refs)-1 || in.done[taskRef(task)] != 0 || len(in.failed) != 1 || len(in.gone) != 0 {
					t.Errorf("%s: %v, %d done, failed: %v", how, in.err, len(in.done), in.failed)
				}
			}
		})
	}
}

func TestAnItemThatCannotBeReadLeavesTheOthers(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 47, Members: 1, Spaces: 1, FolderlessLists: 1, TasksPerList: 1, Plain: true})
	srv.Fail(clickuptest.Fault{
		Route: "GET /api/v2/list/{list_id}/task", Match: func(r *http.Request) bool { return r.URL.Query().Get("archived") == "false" },
		Status: 200, Body: `{"tasks":[{"id":"a","name":"one"},7,null,{"name":"no id"},{"id":"b","list":{"id":"9"}}],"last_page":true}`,
	})
	got := read(t, connected(t, srv), everything, nil)
	if got.err != nil || !slices.Equal(got.ids("task"), []string{"a", "b"}) || len(got.failed) != 3 {
		t.Errorf("%v, tasks %v, failed: %v", got.err, got.ids("task"), got.failed)
	}
}

// A run that needs more requests than a window of the limit has still ends: what it read before a wait is not read again.
func TestARunLargerThanTheLimitEnds(t *testing.T) {
	t.Parallel()
	o := clickuptest.Options{Seed: 48, Members: 2, Spaces: 6, Folders: 8, Lists: 2, FolderlessLists: 1, TasksPerList: 1, Docs: 20, PagesPerDoc: 1, Plain: true}
	srv := newServer(o)
	snap := srv.Snapshot(workspace(srv), clickuptest.Selection{})
	since := time.UnixMilli(1)
	var selection []string
	for _, l := range snap.Lists {
		selection = append(selection, l.ID)
	}
	for name, plan := range map[string]provider.Plan{"full": {}, "changes of a selection": {Since: &since, Selection: selection}} {
		plan.Options = everything.Options
		in := nothing()
		var cursor []byte
		for round := 0; ; round++ {
			if round == 100 {
				t.Fatalf("%s: it does not end, at %s", name, cursor)
			}
			srv.SetRateLimit(24, time.Hour)
			part := read(t, connected(t, srv), plan, cursor)
			for _, p := range part.pages {
				in.take(p)
				cursor = p.Cursor
			}
			if part.err == nil {
				break
			}
		}
		if len(in.ids("task")) != len(snap.Tasks) || len(in.ids("list")) != len(snap.Lists) {
			t.Errorf("%s: %d of %d tasks", name, len(in.ids("task")), len(snap.Tasks))
		}
	}
}
