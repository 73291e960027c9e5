package e2e

import (
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
		"clickup archives a list": func() {
			clickup.UpdateList(clickup.Lists(workspace)[0].ID, func(l *clickuptest.List) { l.Archived = true })
		},
		"clickup loses a space":      func() { clickup.DeleteSpace(clickup.Snapshot(workspace, clickuptest.Selection{}).Spaces[0].ID) },
		"clickup's limit is used up": func() { clickup.SetRateLimit(3, 10*time.Minute) },
	}
}
