package clickuptest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"patchbay/internal/provider/clickup/clickuptest"
)

func TestPagesOfTasksEndWhereTheyShould(t *testing.T) {
	t.Parallel()
	for tasks, pages := range map[int]int{0: 1, 1: 1, 99: 1, 100: 1, 101: 2, 200: 2, 201: 3} {
		t.Run(strconv.Itoa(tasks), func(t *testing.T) {
			t.Parallel()
			c := start(t, clickuptest.Options{Spaces: 1, FolderlessLists: 1, TasksPerList: tasks, Plain: true})
			found, read := c.all(c.aList(), "")
			if len(found) != tasks || len(ids(found)) != tasks || read != pages {
				t.Errorf("%d tasks (%d ids) on %d pages", len(found), len(ids(found)), read)
			}
			beyond := c.get("/api/v2/list/%s/task?page=7", c.aList())
			if len(beyond["tasks"].([]any)) != 0 || beyond["last_page"] != true {
				t.Errorf("a page beyond the end: %v", beyond)
			}
			team := c.get("/api/v2/team/%s/task?page=0", c.workspace())
			if _, told := team["last_page"]; told || len(team["tasks"].([]any)) != min(100, tasks) {
				t.Errorf("the Workspace's page has %d tasks, last_page: %v", len(team["tasks"].([]any)), told)
			}
		})
	}
}

func TestDefaultsLeaveOutSubtasksClosedSharedAndArchivedTasks(t *testing.T) {
	t.Parallel()
	o := clickuptest.Small(5)
	o.TasksPerList = 150
	c := unchecked(t, o)
	snap := c.srv.Snapshot(c.workspace(), clickuptest.Selection{NoComments: true})
	for _, l := range snap.Lists {
		for query, admits := range map[string]func(clickuptest.Task) bool{
			"": func(t clickuptest.Task) bool {
				return !t.Archived && t.ListID == l.ID && t.Parent == "" && t.Status.Type != "closed"
			},
			"&subtasks=true":              func(t clickuptest.Task) bool { return !t.Archived && t.ListID == l.ID && t.Status.Type != "closed" },
			"&include_closed=true":        func(t clickuptest.Task) bool { return !t.Archived && t.ListID == l.ID && t.Parent == "" },
			"&include_timl=true":          func(t clickuptest.Task) bool { return !t.Archived && t.Parent == "" && t.Status.Type != "closed" },
			everything:                    func(t clickuptest.Task) bool { return !t.Archived },
			everything + "&archived=true": func(t clickuptest.Task) bool { return t.Archived },
			everything + "&statuses[]=in%20review&statuses[]=done": func(t clickuptest.Task) bool {
				return !t.Archived && (t.Status.Name == "in review" || t.Status.Name == "done")
			},
			everything + "&tags[]=bug":       func(t clickuptest.Task) bool { return !t.Archived && slices.Contains(t.Tags, "bug") },
			everything + "&custom_items[]=1": func(t clickuptest.Task) bool { return !t.Archived && t.Type == 1 },
			everything + "&date_updated_gt=1730000000000&date_updated_lt=1740000000000": func(t clickuptest.Task) bool {
				return !t.Archived && t.Updated > 1730000000000 && t.Updated < 1740000000000
			},
			everything + fmt.Sprintf("&assignees[]=%d", snap.Users[0].ID): func(t clickuptest.Task) bool { return !t.Archived && slices.Contains(t.Assignees, snap.Users[0].ID) },
		} {
			want := map[string]bool{}
			for _, task := range snap.Tasks {
				if (task.ListID == l.ID || slices.Contains(task.AlsoIn, l.ID)) && admits(task) {
					want[task.ID] = true
				}
			}
			found, _ := c.all(l.ID, query)
			if got := ids(found); len(found) != len(got) || len(got) != len(want) || len(want) == 0 && query == everything {
				t.Errorf("list %s%s: %d tasks, %d of them different, want %d", l.ID, query, len(found), len(got), len(want))
			}
			for id := range ids(found) {
				if !want[id] {
					t.Errorf("list %s%s: task %s should not be there", l.ID, query, id)
				}
			}
		}
	}
}

func TestTasksComeInTheOrderAskedFor(t *testing.T) {
	t.Parallel()
	for _, oldestFirst := range []bool{false, true} {
		c := unchecked(t, clickuptest.Options{Seed: 2, Spaces: 1, FolderlessLists: 1, TasksPerList: 300, OldestFirst: oldestFirst})
		for order, key := range map[string]string{"created": "date_created", "updated": "date_updated", "due_date": "due_date", "id": "id"} {
			for _, reverse := range []bool{false, true} {
				found, _ := c.all(c.aList(), fmt.Sprintf("%s&order_by=%s&reverse=%v", everything, order, reverse))
				text := func(t map[string]any) string { s, _ := t[key].(string); return fmt.Sprintf("%20s", s) }
				inOrder := slices.IsSortedFunc(found, func(a, b map[string]any) int {
					if reverse == oldestFirst {
						a, b = b, a
					}
					if text(a) < text(b) {
						return -1
					}
					return map[bool]int{true: 0, false: 1}[text(a) == text(b)]
				})
				if !inOrder || len(found) < 200 {
					t.Errorf("%d tasks by %s, reverse=%v, oldest first by default %v: not in order", len(found), order, reverse, oldestFirst)
				}
			}
		}
	}
}

func TestManyTasksShareOneMomentOfUpdate(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Options{Seed: 2, Spaces: 1, FolderlessLists: 1, TasksPerList: 1000})
	found, _ := c.all(c.aList(), everything+"&order_by=updated")
	if first, later := found[0]["date_updated"], found[110]["date_updated"]; first != later {
		t.Errorf("the newest tasks were updated at %v and %v: a reader that pages by date meets no page of equal ones", first, later)
	}
	moment, _ := strconv.ParseInt(found[0]["date_updated"].(string), 10, 64)
	if after, _ := c.all(c.aList(), fmt.Sprintf("%s&date_updated_gt=%d", everything, moment)); len(after) != 0 {
		t.Errorf("%d tasks were updated after the latest update", len(after))
	}
	if after, _ := c.all(c.aList(), fmt.Sprintf("%s&date_updated_gt=%d", everything, moment-1)); len(after) < 111 {
		t.Errorf("%d tasks were updated at the latest update", len(after))
	}
}

func TestATaskTellsWhatTheSnapshotSays(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Small(9))
	for _, want := range c.srv.Snapshot(c.workspace(), clickuptest.Selection{}).Tasks {
		raw, err := json.Marshal(c.get("/api/v2/task/%s?include_markdown_description=true&include_subtasks=true", want.ID))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			ID, Name, Description, Parent, URL string
			Markdown                           string `json:"markdown_description"`
			Updated                            string `json:"date_updated"`
			Status                             struct{ ID, Status, Type string }
			Assignees                          []struct{ ID int64 }
			Tags                               []struct{ Name string }
			List, Space                        struct{ ID string }
			Fields                             []struct {
				ID    string
				Value json.RawMessage
			} `json:"custom_fields"`
			Checklists []struct{ Items []struct{ Name string } }
			Subtasks   []struct{ Parent string }
		}
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		values := 0
		for _, f := range got.Fields {
			if f.Value != nil {
				values++
			}
		}
		if got.ID != want.ID || got.Name != want.Name || got.Markdown != want.Markdown || got.Parent != want.Parent || got.Updated != strconv.FormatInt(want.Updated, 10) ||
			got.Status.Type != want.Status.Type || len(got.Assignees) != len(want.Assignees) || len(got.Tags) != len(want.Tags) || got.List.ID != want.ListID ||
			values != len(want.Values) || len(got.Checklists) != len(want.Checklists) || got.URL != "https://app.clickup.com/t/"+want.ID {
			t.Errorf("got %s\nwant %+v", raw, want)
		}
		for _, sub := range got.Subtasks {
			if sub.Parent != want.ID {
				t.Errorf("task %s has a subtask whose parent is %s", want.ID, sub.Parent)
			}
		}
	}
}

func TestATaskIsFoundByItsWorkspacesOwnID(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Small(9))
	tasks := c.srv.Snapshot(c.workspace(), clickuptest.Selection{NoComments: true}).Tasks
	i := slices.IndexFunc(tasks, func(t clickuptest.Task) bool { return t.CustomID != "" })
	if got := c.get("/api/v2/task/%s?custom_task_ids=true&team_id=%s", tasks[i].CustomID, c.workspace())["id"]; got != tasks[i].ID {
		t.Errorf("%s is %v, want %s", tasks[i].CustomID, got, tasks[i].ID)
	}
	if code := c.refused(http.StatusUnauthorized, "/api/v2/task/%s", tasks[i].CustomID); code != "OAUTH_027" {
		t.Errorf("without custom_task_ids: %s", code)
	}
}

func TestTheWorkspacesTasksAreThoseOfTheListsAskedFor(t *testing.T) {
	t.Parallel()
	o := clickuptest.Small(4)
	o.Plain = true
	c := start(t, o)
	snap := c.srv.Snapshot(c.workspace(), clickuptest.Selection{NoComments: true})
	space, folder, list := snap.Spaces[1].ID, snap.Folders[0].ID, snap.Lists[3].ID
	for query, admits := range map[string]func(clickuptest.List) bool{
		"space_ids[]=" + space:                         func(l clickuptest.List) bool { return l.SpaceID == space },
		"project_ids[]=" + folder:                      func(l clickuptest.List) bool { return l.FolderID == folder },
		"list_ids[]=" + list:                           func(l clickuptest.List) bool { return l.ID == list },
		"list_ids[]=" + list + "&space_ids[]=" + space: func(l clickuptest.List) bool { return l.ID == list && l.SpaceID == space },
	} {
		want := 0
		for _, l := range snap.Lists {
			if admits(l) {
				want += o.TasksPerList
			}
		}
		got := 0
		for page := 0; ; page++ {
			n := len(c.get("/api/v2/team/%s/task?%s&page=%d", c.workspace(), query, page)["tasks"].([]any))
			got += n
			if n < 100 {
				break
			}
		}
		if got != want {
			t.Errorf("%s: %d tasks, want %d", query, got, want)
		}
	}
}
