package clickuptest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"patchbay/internal/provider/clickup/clickuptest"
)

// read goes through a Workspace as an import does, and gives a line for everything that it finds, by id.
func (c *client) read(workspace string) map[string]string {
	c.t.Helper()
	found := map[string]string{}
	add := func(kind string, about map[string]any, texts ...any) {
		id := kind + " " + about["id"].(string)
		if kind == "task" && found[id] != "" && !strings.HasPrefix(found[id], fmt.Sprint(texts...)) {
			c.t.Errorf("%s is told in two ways: %s and %s", id, found[id], fmt.Sprint(texts...))
		}
		found[id] = fmt.Sprint(texts...)
	}
	lists := func(path string) {
		for _, archived := range []bool{false, true} {
			for _, l := range objects(c.get("%s?archived=%v", path, archived)["lists"]) {
				add("list", l, l["name"], " ", l["archived"], " ", l["space"].(map[string]any)["id"])
				for _, old := range []bool{false, true} {
					tasks, _ := c.all(l["id"].(string), fmt.Sprintf("%s&include_markdown_description=true&archived=%v", everything, old))
					for _, t := range tasks {
						add("task", t, t["name"], " ", t["markdown_description"], " ", t["parent"], " ", t["list"].(map[string]any)["id"], " ", t["status"].(map[string]any)["status"], " ", t["archived"], " ", t["date_updated"])
						c.readComments(t["id"].(string), add)
					}
				}
			}
		}
	}
	for _, archived := range []bool{false, true} {
		for _, sp := range objects(c.get("/api/v2/team/%s/space?archived=%v", workspace, archived)["spaces"]) {
			add("space", sp, sp["name"], " ", sp["archived"])
			lists("/api/v2/space/" + sp["id"].(string) + "/list")
			for _, old := range []bool{false, true} {
				for _, f := range objects(c.get("/api/v2/space/%s/folder?archived=%v", sp["id"], old)["folders"]) {
					add("folder", f, f["name"], " ", f["archived"])
					lists("/api/v2/folder/" + f["id"].(string) + "/list")
				}
			}
		}
		for cursor, more := "", true; more; {
			body := c.get("/api/v3/workspaces/%s/docs?limit=10&archived=%v%s", workspace, archived, cursor)
			for _, d := range objects(body["docs"]) {
				add("doc", d, d["name"], " ", d["archived"])
				c.readPages(workspace, d["id"].(string), add)
			}
			next, ok := body["next_cursor"].(string)
			cursor, more = "&cursor="+next, ok
		}
	}
	return found
}

func (c *client) readComments(task string, add func(string, map[string]any, ...any)) {
	c.t.Helper()
	for after := ""; ; {
		said := objects(c.get("/api/v2/task/%s/comment?%s", task, after)["comments"])
		for _, one := range said {
			add("comment", one, one["comment_text"], " ", one["date"])
			if one["reply_count"] != "0" {
				for _, reply := range objects(c.get("/api/v2/comment/%s/reply", one["id"])["comments"]) {
					add("comment", reply, reply["comment_text"], " ", reply["date"])
				}
			}
		}
		if len(said) < 25 {
			return
		}
		last := said[len(said)-1]
		after = fmt.Sprintf("start=%s&start_id=%s", last["date"], last["id"])
	}
}

func (c *client) readPages(workspace, doc string, add func(string, map[string]any, ...any)) {
	c.t.Helper()
	var down func([]map[string]any)
	down = func(pages []map[string]any) {
		for _, p := range pages {
			add("page", p, p["name"], " ", p["content"], " ", p["parent_page_id"])
			down(objects(p["pages"]))
		}
	}
	down(c.array("/api/v3/workspaces/%s/docs/%s/pages?max_page_depth=-1&content_format=text/md", workspace, doc))
}

func objects(v any) []map[string]any {
	all, _ := v.([]any)
	var found []map[string]any
	for _, one := range all {
		found = append(found, one.(map[string]any))
	}
	return found
}

// told is what read finds where everything is as the snapshot says.
func told(snap clickuptest.Snapshot) map[string]string {
	all := map[string]string{}
	orNil := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	for _, sp := range snap.Spaces {
		all["space "+sp.ID] = fmt.Sprint(sp.Name, " ", sp.Archived)
	}
	for _, f := range snap.Folders {
		all["folder "+f.ID] = fmt.Sprint(f.Name, " ", f.Archived)
	}
	for _, l := range snap.Lists {
		all["list "+l.ID] = fmt.Sprint(l.Name, " ", l.Archived, " ", l.SpaceID)
	}
	for _, t := range snap.Tasks {
		all["task "+t.ID] = fmt.Sprint(t.Name, " ", t.Markdown, " ", orNil(t.Parent), " ", t.ListID, " ", t.Status.Name, " ", t.Archived, " ", fmt.Sprint(t.Updated))
	}
	for _, c := range snap.Comments {
		all["comment "+c.ID] = fmt.Sprint(c.Text, " ", fmt.Sprint(c.Date))
	}
	for _, d := range snap.Docs {
		all["doc "+d.ID] = fmt.Sprint(d.Name, " ", d.Archived)
	}
	for _, p := range snap.Pages {
		all["page "+p.ID] = fmt.Sprint(p.Name, " ", p.Content, " ", orNil(p.Parent))
	}
	return all
}

func TestReadingEverythingGivesTheSnapshot(t *testing.T) {
	t.Parallel()
	o := clickuptest.Small(11)
	o.CommentsPerTask, o.Docs, o.FolderlessLists, o.Folders = 30, 23, 7, 1
	c := start(t, o)
	if diff := cmp.Diff(told(c.srv.Snapshot(c.workspace(), clickuptest.Selection{})), c.read(c.workspace())); diff != "" {
		t.Error(diff)
	}
}

// TestWhateverChangesReadersSeeTheSnapshot also shows that random changes can be repeated.
func TestWhateverChangesReadersSeeTheSnapshot(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		o := clickuptest.Options{
			Seed: rapid.Uint64Range(0, 50).Draw(rt, "seed"), Workspaces: 2, Spaces: 1, Folders: 1, Lists: 2, FolderlessLists: 1, TasksPerList: 11, CommentsPerTask: 2,
			Docs: 2, PagesPerDoc: 3,
		}
		source := rapid.Uint64().Draw(rt, "changes")
		n := rapid.IntRange(1, 120).Draw(rt, "how many")
		c := unchecked(t, o)
		done := c.srv.Churn(rand.New(rand.NewPCG(source, 1)), n)
		for _, w := range c.srv.Workspaces() {
			if diff := cmp.Diff(told(c.srv.Snapshot(w.ID, clickuptest.Selection{})), c.read(w.ID)); diff != "" {
				rt.Fatalf("after\n%s\n%s", strings.Join(done, "\n"), diff)
			}
		}
		again := clickuptest.New(o).Churn(rand.New(rand.NewPCG(source, 1)), n)
		if diff := cmp.Diff(done, again); diff != "" {
			rt.Fatalf("the same numbers made other changes: %s", diff)
		}
	})
}

func TestChangesMeetReadersWithoutRaces(t *testing.T) {
	t.Parallel()
	c := unchecked(t, clickuptest.Small(3))
	var wg sync.WaitGroup
	wg.Go(func() { c.srv.Churn(rand.New(rand.NewPCG(1, 2)), 300) })
	for range 3 {
		wg.Go(func() {
			for page := range 60 {
				c.ask(http.MethodGet, fmt.Sprintf("/api/v2/team/%s/task?subtasks=true&include_closed=true&page=%d", c.workspace(), page%4), "")
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff(told(c.srv.Snapshot(c.workspace(), clickuptest.Selection{})), c.read(c.workspace())); diff != "" {
		t.Error(diff)
	}
}

func TestEveryChangeMovesDateUpdatedForward(t *testing.T) {
	t.Parallel()
	for _, quiet := range []bool{false, true} {
		o := clickuptest.Small(6)
		o.QuietComments = quiet
		c := start(t, o)
		task := c.srv.Snapshot(c.workspace(), clickuptest.Selection{}).Tasks[0]
		before := task.Updated
		for _, change := range []struct {
			name  string
			do    func()
			stays bool
		}{
			{"name", func() { c.srv.UpdateTask(task.ID, func(t *clickuptest.Task) { t.Name = "New" }) }, false},
			{"status", func() { c.srv.SetStatus(task.ID, "closed") }, false},
			{"move", func() { c.srv.MoveTask(task.ID, c.srv.Lists(c.workspace())[3].ID) }, false},
			{"comment", func() { c.srv.AddComment(task.ID, "Hm") }, quiet},
			{"list", func() { c.srv.UpdateList(c.aList(), func(l *clickuptest.List) { l.Name = "New" }) }, true},
		} {
			change.do()
			now, _ := c.srv.Task(task.ID)
			if now.Updated < before || (now.Updated == before) != change.stays {
				t.Errorf("%s, quiet comments %v: updated from %d to %d", change.name, quiet, before, now.Updated)
			}
			before = now.Updated
		}
		if closed, _ := c.srv.Task(task.ID); closed.Closed == 0 || closed.Status.Type != "closed" {
			t.Errorf("closed at %d, status %v", closed.Closed, closed.Status)
		}
	}
}

func TestWhatWasDeletedIsGoneWithWhatIsInIt(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Small(3))
	snap := c.srv.Snapshot(c.workspace(), clickuptest.Selection{})
	space, folder, list := snap.Spaces[0], snap.Folders[len(snap.Folders)-1], snap.Lists[len(snap.Lists)-1]
	if folder.SpaceID == space.ID || list.SpaceID == space.ID || list.FolderID == folder.ID {
		t.Fatalf("they overlap: %+v %+v %+v", space, folder, list)
	}
	c.srv.DeleteSpace(space.ID)
	c.srv.DeleteFolder(folder.ID)
	c.srv.DeleteList(list.ID)
	doomed := map[string]bool{}
	for _, l := range snap.Lists {
		if l.SpaceID == space.ID || l.FolderID == folder.ID || l.ID == list.ID {
			doomed[l.ID] = true
			if code := c.refused(http.StatusNotFound, "/api/v2/list/%s/task", l.ID); code != "ITEM_013" {
				t.Errorf("list %s: %s", l.ID, code)
			}
		}
	}
	c.refused(http.StatusNotFound, "/api/v2/space/%s", space.ID)
	c.refused(http.StatusNotFound, "/api/v2/folder/%s/list", folder.ID)
	for _, task := range snap.Tasks {
		if doomed[task.ListID] {
			c.refused(http.StatusNotFound, "/api/v2/task/%s", task.ID)
		} else {
			c.get("/api/v2/task/%s", task.ID)
		}
	}
	if left := c.srv.Snapshot(c.workspace(), clickuptest.Selection{}); len(left.Tasks) == 0 || len(left.Tasks) == len(snap.Tasks) {
		t.Errorf("%d of %d tasks are left", len(left.Tasks), len(snap.Tasks))
	}
}

func TestASubtaskGoesWithItsParent(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Small(3))
	family := map[string]bool{}
	root := ""
	for _, task := range c.srv.Snapshot(c.workspace(), clickuptest.Selection{}).Tasks {
		if task.Parent != task.TopParent && root == "" {
			root = task.TopParent
		}
	}
	for _, task := range c.srv.Snapshot(c.workspace(), clickuptest.Selection{}).Tasks {
		if task.TopParent == root {
			family[task.ID] = true
		}
	}
	elsewhere := c.srv.Lists(c.workspace())[4].ID
	c.srv.MoveTask(root, elsewhere)
	for id := range family {
		if moved, _ := c.srv.Task(id); moved.ListID != elsewhere {
			t.Errorf("task %s did not move along", id)
		}
	}
	c.srv.DeleteTask(root)
	for id := range maps.Keys(family) {
		c.refused(http.StatusNotFound, "/api/v2/task/%s", id)
	}
	if len(family) != 3 {
		t.Errorf("a family of %d", len(family))
	}
}

func TestASelectionLeavesOut(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Small(3))
	all := c.srv.Snapshot(c.workspace(), clickuptest.Selection{})
	one := c.srv.Snapshot(c.workspace(), clickuptest.Selection{Lists: []string{all.Lists[1].ID}, OpenOnly: true, NoArchived: true, NoComments: true, NoDocs: true})
	if len(one.Lists) != 1 || len(one.Spaces) != 1 || len(one.Folders) != 1 || len(one.Docs)+len(one.Pages)+len(one.Comments) != 0 || len(one.Tasks) == 0 {
		t.Errorf("%d lists, %d spaces, %d folders, %d tasks", len(one.Lists), len(one.Spaces), len(one.Folders), len(one.Tasks))
	}
	for _, task := range one.Tasks {
		if task.Archived || task.Status.Type == "closed" || task.ListID != all.Lists[1].ID {
			t.Errorf("%+v", task)
		}
	}
}

func TestATaskAddedToAListShowsThereOnlyIfAskedFor(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Small(3))
	lists := c.srv.Lists(c.workspace())
	task := c.srv.CreateTask(lists[0].ID, clickuptest.Task{Name: "Shared"}).ID
	shown := func(list, query string) bool {
		found, _ := c.all(list, query)
		return ids(found)[task]
	}
	c.srv.AddToList(task, lists[3].ID)
	if !shown(lists[0].ID, "") || shown(lists[3].ID, "") || !shown(lists[3].ID, "&include_timl=true") {
		t.Error("it should show at home, and in the other list with include_timl")
	}
	c.srv.RemoveFromList(task, lists[3].ID)
	if shown(lists[3].ID, "&include_timl=true") {
		t.Error("it still shows in a list that it was taken out of")
	}
}

func TestASubtaskInAnotherListGoesWithItsParentsList(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Small(3))
	lists := c.srv.Lists(c.workspace())
	parent := c.srv.Snapshot(c.workspace(), clickuptest.Selection{Lists: []string{lists[0].ID}}).Tasks[0].ID
	child := c.srv.CreateTask(lists[1].ID, clickuptest.Task{Name: "Child", Parent: parent})
	c.srv.DeleteList(lists[0].ID)
	c.refused(http.StatusNotFound, "/api/v2/task/%s", child.ID)
	c.get("/api/v2/list/%s/task", lists[1].ID)
}
