package clickup_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/provider/clickup/clickuptest"
)

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// last is the error that a reading ends with.
func last(pages iter.Seq2[*provider.Page, error]) (end error) {
	for _, err := range pages {
		end = err
	}
	return end
}

func collect(pages iter.Seq2[*provider.Page, error]) *imported {
	in := nothing()
	for p, err := range pages {
		if err != nil {
			in.err = err
			break
		}
		in.take(p)
	}
	return in
}

func taskRef(id string) provider.Ref {
	return provider.Ref{Type: integration.ObjectTask, ExternalID: id}
}

func TestAllCommentsOfATaskAreRead(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 30, Members: 2, Spaces: 1, FolderlessLists: 1, Plain: true})
	list := srv.Lists(workspace(srv))[0]
	c := connected(t, srv)
	for _, n := range []int{0, 1, 24, 25, 26, 50, 60} {
		task := srv.CreateTask(list.ID, clickuptest.Task{Name: "talk"})
		var want []string
		for i := range n {
			comment := srv.AddComment(task.ID, fmt.Sprint("comment ", i))
			want = append(want, "comment:"+comment.ID)
			if i%10 == 3 {
				want = append(want, "comment:"+srv.AddReply(comment.ID, "reply").ID)
			}
		}
		got := collect(c.Details(t.Context(), everything, []provider.Ref{taskRef(task.ID)}))
		slices.Sort(want)
		if diff := cmp.Diff(append([]string{}, want...), got.ids("comment")); diff != "" {
			t.Errorf("%d comments: %s", n, diff)
		}
		if got.err != nil || got.done[taskRef(task.ID)] != 1 || !got.covered["task:"+task.ID+"/comments"] {
			t.Errorf("%d comments: done %v, covered %v, %v", n, got.done, got.covered, got.err)
		}
	}
}

func TestCommentsAreNotAskedForUnlessTheyAreImported(t *testing.T) {
	t.Parallel()
	srv := newServer(tiny(31))
	got := read(t, connectTo(t, srv, srv.Token(), map[string]any{"import_comments": false}), everything, nil)
	if refs := got.detailed(); len(refs) > 0 {
		t.Errorf("details are asked for: %v", refs)
	}
	task := taskRef(srv.Snapshot(workspace(srv), clickuptest.Selection{}).Tasks[0].ID) // as if it had been asked for before they were turned off
	late := collect(connectTo(t, srv, srv.Token(), map[string]any{"import_comments": false}).Details(t.Context(), everything, []provider.Ref{task}))
	if late.err != nil || late.done[task] != 1 || len(late.objects)+len(late.covered) > 0 || srv.Counts()["GET /api/v2/task/{task_id}/comment"] > 0 {
		t.Errorf("%+v", late)
	}
}

// A task whose comments need more requests than a window of the limit has is read over several.
func TestMoreCommentsThanTheLimitAllowsAreRead(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 37, Members: 1, Spaces: 1, FolderlessLists: 1, Plain: true})
	task := srv.CreateTask(srv.Lists(workspace(srv))[0].ID, clickuptest.Task{Name: "talk"})
	want := []string{}
	for i := range 40 {
		comment := srv.AddComment(task.ID, fmt.Sprint("comment ", i))
		want = append(want, "comment:"+comment.ID, "comment:"+srv.AddReply(comment.ID, "reply").ID)
	}
	slices.Sort(want)
	c := connected(t, srv)
	for round := 0; ; round++ {
		if round == 30 {
			t.Fatalf("it does not end: %d requests", len(srv.Requests()))
		}
		ctx, cancel := context.WithCancel(t.Context())
		left := 12
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { // as a window's end does, without waiting for it
			if left--; left < 0 {
				cancel()
			}
		}})
		got := collect(c.Details(ctx, everything, []provider.Ref{taskRef(task.ID)}))
		cancel()
		if got.err != nil && len(got.done)+len(got.covered) > 0 {
			t.Errorf("done %v, covered %v, though it ends with %v", got.done, got.covered, got.err)
		}
		if got.err == nil {
			if diff := cmp.Diff(want, got.ids("comment")); diff != "" || got.done[taskRef(task.ID)] != 1 {
				t.Error(diff)
			}
			break
		}
	}
	again := srv.Counts()["GET /api/v2/comment/{comment_id}/reply"]
	if collect(c.Details(t.Context(), everything, []provider.Ref{taskRef(task.ID)})); srv.Counts()["GET /api/v2/comment/{comment_id}/reply"] == again {
		t.Error("what was read to its end is not read anew")
	}
}

// What was read before something was told does not answer that.
func TestAnotherReadingBeginsAnew(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 38, Members: 1, Spaces: 1, FolderlessLists: 1, Plain: true})
	task := srv.CreateTask(srv.Lists(workspace(srv))[0].ID, clickuptest.Task{Name: "talk"})
	for i := range 60 {
		srv.AddComment(task.ID, fmt.Sprint("comment ", i))
	}
	c := connected(t, srv)
	comments := func(reading string, requests int) *imported {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
			if requests--; requests < 0 {
				cancel()
			}
		}})
		return collect(c.Details(ctx, provider.Plan{Reading: reading}, []provider.Ref{taskRef(task.ID)}))
	}
	if got := comments("first", 2); got.err == nil {
		t.Fatal("two requests were enough")
	}
	newest := srv.AddComment(task.ID, "the newest")
	if got := comments("second", 100); got.err != nil || got.objects["comment:"+newest.ID].ExternalID == "" {
		t.Errorf("the newest comment is missing; %v", got.err)
	}
}

func TestALimitInTheMiddleKeepsWhatWasRead(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 32, Members: 2, Spaces: 1, FolderlessLists: 1, TasksPerList: 60, CommentsPerTask: 1, Plain: true})
	c := connected(t, srv)
	refs := read(t, c, everything, nil).detailed()
	srv.SetRateLimit(20, time.Hour)
	got := collect(c.Details(t.Context(), everything, refs))
	var wait *provider.Wait
	if !errors.As(got.err, &wait) || time.Until(wait.Until) < time.Second {
		t.Fatalf("it ends with %v", got.err)
	}
	if len(got.done) < 5 || len(got.done) > 20 {
		t.Errorf("%d tasks were done with 20 requests", len(got.done))
	}
	srv.SetRateLimit(0, time.Hour)
	rest := collect(connected(t, srv).Details(t.Context(), everything, slices.DeleteFunc(slices.Clone(refs), func(r provider.Ref) bool { return got.done[r] > 0 })))
	if rest.err != nil || len(got.done)+len(rest.done) != len(refs) {
		t.Errorf("%d and %d of %d tasks were done, %v", len(got.done), len(rest.done), len(refs), rest.err)
	}
}

func TestDetailsOfOneObjectThatFailLeaveTheOthers(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Options{Seed: 33, Members: 2, Spaces: 1, FolderlessLists: 1, TasksPerList: 12, CommentsPerTask: 2, Plain: true})
	c := connected(t, srv)
	refs := read(t, c, everything, nil).detailed()
	srv.DeleteTask(refs[3].ExternalID)
	srv.Fail(clickuptest.Fault{
		Match: func(r *http.Request) bool { return strings.Contains(r.URL.Path, refs[5].ExternalID) }, Status: 403, Code: "ACCESS_083", Text: "no",
	})
	got := collect(c.Details(t.Context(), everything, refs))
	if got.err != nil {
		t.Fatal(got.err)
	}
	if len(got.done) != 12 || got.done[refs[3]] != 1 || got.done[refs[5]] != 1 || got.covered["task:"+refs[5].ExternalID+"/comments"] || got.covered["task:"+refs[3].ExternalID+"/comments"] {
		t.Errorf("done: %v, covered: %v", got.done, got.covered)
	}
	if len(got.failed) != 1 || got.failed[0].ExternalID != refs[5].ExternalID {
		t.Errorf("failed: %v", got.failed)
	}
}

func TestFetchTellsWhatIsThereFromWhatIsGone(t *testing.T) {
	t.Parallel()
	srv := newServer(clickuptest.Small(34))
	c := connected(t, srv)
	all := readAll(t, c, everything)
	snap := srv.Snapshot(workspace(srv), clickuptest.Selection{})
	gone := map[provider.Ref]bool{}
	deleted := func(kind integration.ObjectType, id string) { gone[provider.Ref{Type: kind, ExternalID: id}] = true }
	for _, task := range snap.Tasks[:5] {
		if _, there := srv.Task(task.ID); there { // and not gone with the one above it
			srv.DeleteTask(task.ID)
		}
	}
	for _, task := range snap.Tasks { // those below them too
		if _, there := srv.Task(task.ID); !there {
			deleted(integration.ObjectTask, task.ID)
		}
	}
	srv.DeleteDoc(snap.Docs[0].ID)
	deleted(integration.ObjectDocument, snap.Docs[0].ID)
	for _, p := range snap.Pages {
		if p.DocID == snap.Docs[0].ID {
			deleted(integration.ObjectDocument, p.DocID+"/"+p.ID)
		}
	}
	for _, never := range []provider.Ref{
		taskRef("zzz"), taskRef(".."), {Type: integration.ObjectCollection, ExternalID: "77"}, {Type: integration.ObjectProject, ExternalID: "78"},
		{Type: integration.ObjectDocument, ExternalID: "x-1"}, {Type: integration.ObjectUser, ExternalID: "user:1"},
	} {
		deleted(never.Type, never.ExternalID)
	}
	var refs []provider.Ref
	for id, o := range all.objects {
		if o.Type != integration.ObjectComment && !gone[provider.Ref{Type: o.Type, ExternalID: id}] {
			refs = append(refs, provider.Ref{Type: o.Type, ExternalID: id})
		}
	}
	there := len(refs)
	for ref := range gone {
		refs = append(refs, ref)
	}
	got := collect(c.Fetch(t.Context(), everything, refs))
	if got.err != nil || len(got.failed) > 0 {
		t.Fatalf("%v, failed: %v", got.err, got.failed)
	}
	if len(got.objects) != there || len(got.done) != len(refs) {
		t.Errorf("%d objects instead of %d; %d of %d done", len(got.objects), there, len(got.done), len(refs))
	}
	for _, ref := range refs {
		if got.done[ref] != 1 || (got.gone[ref] == 1) != gone[ref] {
			t.Errorf("%v: done %d times, gone %d times", ref, got.done[ref], got.gone[ref])
		}
	}
	for id, o := range got.objects { // as the import has them
		if diff := cmp.Diff(all.objects[id], o); diff != "" {
			t.Errorf("%s is another thing alone: %s", id, diff)
		}
	}
}

// A token may reach several Workspaces: a task of another one than the settings' is not imported.
func TestATaskOfAnotherWorkspaceIsOutside(t *testing.T) {
	t.Parallel()
	o := tiny(37)
	o.Workspaces = 2
	srv := newServer(o)
	c := connected(t, srv)
	for i, w := range srv.Workspaces() {
		ref := taskRef(srv.Snapshot(w.ID, clickuptest.Selection{}).Tasks[0].ID)
		got := collect(c.Fetch(t.Context(), everything, []provider.Ref{ref}))
		if got.err != nil || got.done[ref] != 1 || got.objects[ref.ExternalID].Outside != (i == 1) {
			t.Errorf("in Workspace %d: %+v", i, got)
		}
	}
}

func TestACommentCannotBeFetched(t *testing.T) {
	t.Parallel()
	srv := newServer(tiny(35))
	ref := provider.Ref{Type: integration.ObjectComment, ExternalID: "comment:1"}
	got := collect(connected(t, srv).Fetch(t.Context(), everything, []provider.Ref{ref}))
	if got.err != nil || len(got.failed) != 1 || got.done[ref] != 1 || len(got.gone) != 0 {
		t.Errorf("%+v", got)
	}
}

// An answer that cannot be used is neither the object's end nor its last word.
func TestAnOddAnswerAboutAnObjectLeavesItUndone(t *testing.T) {
	t.Parallel()
	srv := newServer(tiny(36))
	task := srv.Snapshot(workspace(srv), clickuptest.Selection{}).Tasks[0].ID
	odd := clickuptest.HTMLPage(http.StatusOK)
	for name, fault := range map[string]clickuptest.Fault{"a proxy's page": odd, "no task": {Status: http.StatusOK, Body: `{"ok":true}`}} {
		fault.Route, fault.Times = "GET /api/v2/task/{task_id}", 1
		srv.Fail(fault)
		c := connected(t, srv)
		got := collect(c.Fetch(t.Context(), everything, []provider.Ref{taskRef(task)}))
		if got.err != nil || len(got.failed) != 1 || len(got.done)+len(got.gone)+len(got.objects) != 0 {
			t.Errorf("%s: %+v", name, got)
		}
		if got = collect(c.Fetch(t.Context(), everything, []provider.Ref{taskRef(task)})); got.err != nil || got.done[taskRef(task)] != 1 || len(got.objects) != 1 {
			t.Errorf("after %s: %+v", name, got)
		}
	}
}

func TestALostAuthorisationIsNoDeletion(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*clickuptest.Server){
		"token revoked": func(srv *clickuptest.Server) { srv.Revoke(srv.Token()) },
		"Workspace not authorised any more": func(srv *clickuptest.Server) {
			srv.Fail(clickuptest.Fault{Status: 401, Code: "OAUTH_027", Text: "Team not authorized"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(tiny(36))
			c := connected(t, srv)
			whole := read(t, c, everything, nil)
			lose(srv)
			for what, in := range map[string]*imported{
				"fetch":         collect(c.Fetch(t.Context(), everything, whole.detailed())),
				"fetch of all":  collect(c.Fetch(t.Context(), everything, []provider.Ref{{Type: integration.ObjectUser, ExternalID: "user:1"}})),
				"details":       collect(c.Details(t.Context(), everything, whole.detailed())),
				"import":        collect(c.Import(t.Context(), everything, nil)),
				"rest of tasks": collect(c.Import(t.Context(), everything, whole.pages[len(whole.pages)/2].Cursor)),
			} {
				if in.err == nil || len(in.gone)+len(in.done)+len(in.covered) > 0 {
					t.Errorf("%s: gone %v, done %v, covered %v, error %v", what, in.gone, in.done, in.covered, in.err)
				}
			}
		})
	}
}

// An answer that is not understood may be without what is there: nothing may be taken for deleted for it.
func TestAnOddAnswerCoversNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ route, body, key string }{
		"no members":            {"GET /api/v2/team", `{"teams":[{"id":"WORKSPACE","name":"W","members":null}]}`, "workspace:WORKSPACE/members"},
		"a member without id":   {"GET /api/v2/team", `{"teams":[{"id":"WORKSPACE","name":"W","members":[{"user":{"username":"A"}}]}]}`, "workspace:WORKSPACE/members"},
		"no spaces":             {"GET /api/v2/team/{team_id}/space", `{"spaces":null}`, "workspace:WORKSPACE/spaces"},
		"a space without id":    {"GET /api/v2/team/{team_id}/space", `{"spaces":[{"name":"S"}]}`, "workspace:WORKSPACE/spaces"},
		"no folders":            {"GET /api/v2/space/{space_id}/folder", `{"folders":null}`, "space:SPACE/folders"},
		"no loose lists":        {"GET /api/v2/space/{space_id}/list", `{"lists":null}`, "space:SPACE/lists"},
		"no tasks":              {"GET /api/v2/list/{list_id}/task", `{"tasks":null,"last_page":true}`, "list:LIST/tasks"},
		"a task without id":     {"GET /api/v2/list/{list_id}/task", `{"tasks":[{"name":"T"}],"last_page":true}`, "list:LIST/tasks"},
		"no documents":          {"GET /api/v3/workspaces/{workspace_id}/docs", `{"docs":null}`, "workspace:WORKSPACE/docs"},
		"a document without id": {"GET /api/v3/workspaces/{workspace_id}/docs", `{"docs":[{"name":"D"}]}`, "workspace:WORKSPACE/docs"},
		"no pages":              {"GET /api/v3/workspaces/{workspace_id}/docs/{doc_id}/pages", `null`, "doc:DOC/pages"},
		"a page without id":     {"GET /api/v3/workspaces/{workspace_id}/docs/{doc_id}/pages", `[{"name":"P"}]`, "doc:DOC/pages"},
		"no comments":           {"GET /api/v2/task/{task_id}/comment", `{"comments":null}`, "task:TASK/comments"},
		"a comment without id":  {"GET /api/v2/task/{task_id}/comment", `{"comments":[{"comment_text":"C"}]}`, "task:TASK/comments"},
		"no replies":            {"GET /api/v2/comment/{comment_id}/reply", `{"comments":null}`, "task:TASK/comments"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(clickuptest.Options{Seed: 38, Members: 2, Spaces: 1, FolderlessLists: 1, Docs: 1, PagesPerDoc: 1, Plain: true})
			snap := srv.Snapshot(workspace(srv), clickuptest.Selection{})
			task := srv.CreateTask(snap.Lists[0].ID, clickuptest.Task{Name: "task"})
			srv.AddReply(srv.AddComment(task.ID, "said").ID, "answered")
			read := func() *imported {
				in := collect(connected(t, srv).Import(t.Context(), everything, nil))
				details := collect(connected(t, srv).Details(t.Context(), everything, []provider.Ref{taskRef(task.ID)}))
				if in.err != nil || details.err != nil {
					t.Fatal(in.err, details.err)
				}
				for key := range details.covered {
					in.covered[key] = true
				}
				return in
			}
			fill := strings.NewReplacer("WORKSPACE", workspace(srv), "SPACE", snap.Spaces[0].ID, "LIST", snap.Lists[0].ID, "TASK", task.ID, "DOC", snap.Docs[0].ID).Replace
			if key := fill(test.key); !read().covered[key] {
				t.Fatalf("%s is not covered though all is well", key)
			}
			srv.Fail(clickuptest.Fault{Route: test.route, Status: 200, Body: fill(test.body)})
			if key := fill(test.key); read().covered[key] {
				t.Errorf("%s is covered", key)
			}
			if test.route == "GET /api/v2/team" {
				user := provider.Ref{Type: integration.ObjectUser, ExternalID: fmt.Sprint("user:", snap.Users[0].ID)}
				if got := collect(connected(t, srv).Fetch(t.Context(), everything, []provider.Ref{user})); got.err != nil || len(got.gone) > 0 {
					t.Errorf("fetched: %+v", got)
				}
			}
		})
	}
}

// What is read alone says whether the selection holds it, also below a place that is mapped, and after that was moved.
func TestFetchSaysWhatIsOutside(t *testing.T) {
	t.Parallel()
	srv := clickuptest.New(clickuptest.Small(36))
	snap := srv.Snapshot(srv.Workspaces()[0].ID, clickuptest.Selection{})
	in, out := snap.Spaces[0].ID, snap.Spaces[1].ID
	folder := srv.CreateFolder(in, "Folder")
	list, other := srv.CreateList(folder.ID, "List"), srv.CreateList(in, "Other")
	inside, outside := srv.CreateTask(list.ID, clickuptest.Task{Name: "Inside"}), srv.CreateTask(other.ID, clickuptest.Task{Name: "Outside"})
	plan := provider.Plan{Selection: []string{folder.ID}, Mappings: []integration.SyncMapping{
		{Kind: integration.MapList, ExternalID: list.ID, Target: "a board"}, {Kind: integration.MapFolder, ExternalID: folder.ID, Target: "an area"},
	}}
	c := connected(t, srv)
	said := func() map[string]bool {
		all := map[string]bool{}
		for id, o := range collect(c.Fetch(t.Context(), plan, []provider.Ref{
			{Type: integration.ObjectProject, ExternalID: in}, {Type: integration.ObjectProject, ExternalID: out},
			{Type: integration.ObjectCollection, ExternalID: folder.ID}, {Type: integration.ObjectCollection, ExternalID: list.ID},
			{Type: integration.ObjectCollection, ExternalID: other.ID}, taskRef(inside.ID), taskRef(outside.ID),
		})).objects {
			all[id] = o.Outside
		}
		return all
	}
	want := map[string]bool{in: true, out: true, folder.ID: false, list.ID: false, other.ID: true, inside.ID: false, outside.ID: true}
	if diff := cmp.Diff(want, said()); diff != "" {
		t.Error(diff)
	}
	srv.MoveList(other.ID, folder.ID)
	collect(c.Fetch(t.Context(), plan, []provider.Ref{{Type: integration.ObjectCollection, ExternalID: other.ID}})) // as its event has it read
	want[other.ID], want[outside.ID] = false, false
	if diff := cmp.Diff(want, said()); diff != "" {
		t.Errorf("after the list was moved: %s", diff)
	}
}
