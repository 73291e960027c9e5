package clickup_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/provider/clickup/clickuptest"
)

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
