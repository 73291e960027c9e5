package clickuptest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/provider/clickup/clickuptest"
)

func TestASeedAlwaysMakesTheSame(t *testing.T) {
	t.Parallel()
	make := func(seed uint64) clickuptest.Snapshot {
		srv := clickuptest.New(clickuptest.Small(seed))
		return srv.Snapshot(srv.Workspaces()[0].ID, clickuptest.Selection{})
	}
	first := make(7)
	if diff := cmp.Diff(first, make(7)); diff != "" {
		t.Errorf("a second server of one seed differs:\n%s", diff)
	}
	if cmp.Equal(first.Tasks, make(8).Tasks) {
		t.Error("another seed makes the same tasks")
	}
	if len(first.Lists) != 10 || len(first.Tasks) != 250 || len(first.Docs) != 4 || len(first.Pages) != 20 {
		t.Errorf("%d lists, %d tasks, %d docs, %d pages", len(first.Lists), len(first.Tasks), len(first.Docs), len(first.Pages))
	}
	closed, archived, below, shared, ids := 0, 0, 0, 0, map[string]bool{}
	for _, task := range first.Tasks {
		ids[task.ID] = true
		if task.Status.Type == "closed" {
			closed++
		}
		if task.Archived {
			archived++
		}
		if task.Parent != task.TopParent {
			below++ // a subtask of a subtask
		}
		shared += len(task.AlsoIn)
	}
	if closed == 0 || archived == 0 || below == 0 || shared == 0 || len(ids) != len(first.Tasks) {
		t.Errorf("%d closed, %d archived, %d nested twice, %d in several lists, %d ids", closed, archived, below, shared, len(ids))
	}
}
