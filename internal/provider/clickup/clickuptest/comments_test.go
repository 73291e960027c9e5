package clickuptest_test

import (
	"fmt"
	"strconv"
	"testing"

	"patchbay/internal/provider/clickup/clickuptest"
)

// conversation reads all pages of a task's comments, by their sizes.
func (c *client) conversation(task string) (all []map[string]any, sizes []int) {
	c.t.Helper()
	for after := ""; ; {
		said := objects(c.get("/api/v2/task/%s/comment?%s", task, after)["comments"])
		all, sizes = append(all, said...), append(sizes, len(said))
		if len(said) < 25 {
			return all, sizes
		}
		after = fmt.Sprintf("start=%s&start_id=%s", said[24]["date"], said[24]["id"])
	}
}

func TestPagesOfCommentsEndWhereTheyShould(t *testing.T) {
	t.Parallel()
	for n, want := range map[int][]int{0: {0}, 1: {1}, 24: {24}, 25: {25, 0}, 26: {25, 1}, 50: {25, 25, 0}, 51: {25, 25, 1}} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			c := start(t, clickuptest.Options{Spaces: 1, FolderlessLists: 1})
			task := c.srv.CreateTask(c.aList(), clickuptest.Task{Name: "Talk"}).ID
			for i := range n {
				c.srv.AddComment(task, strconv.Itoa(i))
			}
			all, sizes := c.conversation(task)
			if fmt.Sprint(sizes) != fmt.Sprint(want) || len(ids(all)) != n {
				t.Errorf("pages of %v, %d ids; want %v", sizes, len(ids(all)), want)
			}
			for i, one := range all {
				if one["comment_text"] != strconv.Itoa(n-1-i) {
					t.Errorf("comment %d says %v: they come newest first", i, one["comment_text"])
				}
			}
		})
	}
}

func TestCommentsOfOneMomentNeedBothStartAndItsID(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Options{Seed: 4, Spaces: 1, FolderlessLists: 1, TasksPerList: 30, CommentsPerTask: 40})
	longest, task := 0, ""
	snap := c.srv.Snapshot(c.workspace(), clickuptest.Selection{})
	counts := map[string]int{}
	for _, one := range snap.Comments {
		if one.Parent == "" {
			counts[one.TaskID]++
		}
	}
	for id, n := range counts {
		if n > longest {
			longest, task = n, id
		}
	}
	all, sizes := c.conversation(task)
	if len(ids(all)) != longest || len(sizes) < 3 {
		t.Errorf("%d comments on pages of %v, want %d", len(ids(all)), sizes, longest)
	}
	if a, b := all[23]["date"], all[24]["date"]; a != b && all[24]["date"] != all[25]["date"] {
		t.Errorf("no two comments beside the end of the page are of one moment: %v, %v, %v", a, b, all[25]["date"])
	}
	// The comment that a page ended with is deleted: the next page begins where it would have.
	c.srv.DeleteComment(all[24]["id"].(string))
	next := objects(c.get("/api/v2/task/%s/comment?start=%s&start_id=%s", task, all[24]["date"], all[24]["id"])["comments"])
	if next[0]["id"] != all[25]["id"] {
		t.Errorf("the next page begins with %v, want %v", next[0]["id"], all[25]["id"])
	}
}

func TestAnIDOfACommentIsNeverGivenTwice(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Small(2))
	task := c.srv.Snapshot(c.workspace(), clickuptest.Selection{}).Tasks[0].ID
	first := c.srv.AddComment(task, "one")
	reply := c.srv.AddReply(first.ID, "two")
	if said := objects(c.get("/api/v2/task/%s/comment", task)["comments"]); said[0]["reply_count"] != "1" || said[0]["id"] != first.ID {
		t.Errorf("%v", said[0])
	}
	c.srv.DeleteComment(first.ID)
	c.refused(404, "/api/v2/comment/%s/reply", first.ID)
	second := c.srv.AddComment(task, "three")
	if again := c.srv.AddReply(second.ID, "four"); second.ID == first.ID || again.ID == reply.ID {
		t.Errorf("%s after %s, %s after %s", second.ID, first.ID, again.ID, reply.ID)
	}
}
