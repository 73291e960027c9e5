package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"patchbay/internal/provider/clickup/clickuptest"
)

// clickupActions are what scenarios may have happen at ClickUp. present is the trouble that it has, which another one takes the
// place of: where several fit a request, the oldest counts.
func clickupActions(t *testing.T, clickup *clickuptest.Server, present *clickuptest.Trouble) map[string]func() {
	var release func()
	usual := present.Fault
	set := func(f clickuptest.Fault) {
		present.Lift()
		if release != nil {
			release()
			release = nil
		}
		present = clickup.Fail(f)
	}
	const tasks = "GET /api/v2/list/{list_id}/task"
	workspace := clickup.Workspaces()[0].ID
	deliver := func() {
		for _, d := range clickup.Deliveries() {
			if _, err := clickup.Deliver(t.Context(), http.DefaultClient, d); err != nil {
				t.Errorf("deliver: %v", err)
			}
		}
	}
	renamed := 0
	t.Cleanup(func() { set(usual) }) // or requests that are held would hold the server's end up
	return map[string]func(){
		"clickup recovers":          func() { set(usual) },
		"clickup refuses the token": func() { set(clickuptest.Fault{Status: 401, Code: "OAUTH_025", Text: "Token invalid"}) },
		"clickup hides some lists": func() {
			set(clickuptest.Fault{Route: tasks, Every: 3, Status: 403, Code: "ACCESS_001", Text: "no access"})
		},
		"clickup holds tasks back": func() {
			held := make(chan struct{})
			set(clickuptest.Fault{Route: tasks, Skip: 2, Until: held})
			release = func() { close(held) }
		},
		"clickup garbles the comments of a task": func() {
			present.Lift()
			clickup.Fail(clickuptest.Fault{Route: "GET /api/v2/task/{task_id}/comment", Status: 200, Body: `{"comments": 7}`, Times: 1})
			present = clickup.Fail(usual)
		},
		"clickup revokes the token": func() { clickup.Revoke(clickup.Token()) },
		"clickup tells of changes": func() {
			clickup.Churn(rand.New(rand.NewPCG(1, 1)), 3)
			deliver()
		},
		"clickup renames a task": func() {
			renamed++
			clickup.UpdateTask(clickup.Snapshot(workspace, clickuptest.Selection{}).Tasks[0].ID, func(task *clickuptest.Task) {
				task.Name, task.Markdown = fmt.Sprintf("Renamed (%d)", renamed), fmt.Sprintf("This was renamed (%d)", renamed)
			})
			deliver()
		},
		"clickup archives a list": func() {
			clickup.UpdateList(clickup.Lists(workspace)[0].ID, func(l *clickuptest.List) { l.Archived = true })
		},
		"clickup loses a space":      func() { clickup.DeleteSpace(clickup.Snapshot(workspace, clickuptest.Selection{}).Spaces[0].ID) },
		"clickup's limit is used up": func() { clickup.SetRateLimit(3, 10*time.Minute) },
	}
}
