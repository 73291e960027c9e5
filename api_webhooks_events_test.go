package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"

	"patchbay/internal/provider/clickup/clickuptest"
)

// storedAs is how an object is stored: its title, parent and content. "deleted" is one that is marked as such, "none" one that never was.
func (c *client) storedAs(t testing.TB, integration, external string) string {
	t.Helper()
	found := rows(t, c.db, `
		SELECT CASE WHEN deleted_at IS NOT NULL THEN 'deleted' ELSE concat_ws(' in ', title, external_parent_id) || coalesce(': ' || nullif(content, ''), '') END
		FROM kb.synced_objects
		WHERE integration_id = $1 AND external_id = $2`, integration, external)
	return cmp.Or(strings.Join(found, ""), "none")
}

// deliver sends deliveries to where they lead, and waits until they were worked on.
func (c *client) deliver(t testing.TB, to *thirdParty, due ...clickuptest.Delivery) {
	t.Helper()
	if len(due) == 0 {
		t.Fatal("nothing is due")
	}
	for _, d := range due {
		if status, err := to.Deliver(t.Context(), http.DefaultClient, d); status != http.StatusOK || err != nil {
			t.Fatalf("%s is answered %d, %v", d.Event, status, err)
		}
	}
	c.settled(t)
}

// Each payload that ClickUp publishes, with ids of a stand-in's, has the effect of what it tells of.
func TestEveryPublishedPayloadHasItsEffect(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../shared/contracts/clickup/webhooks/published-examples.json")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("ClickUp's published payloads are not in ../shared/contracts, see docs/architecture.md#tests")
	}
	var published []map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(raw, &published)
	}
	if err != nil {
		t.Fatal(err)
	}
	to := newClickUp(t, clickuptest.Small(78))
	c := newClientAlone(t, "CLICKUP_API_URL="+to.url)
	id := c.connect(t, "clickup", to)
	url := c.registered(t, id)
	hook := to.hook(t, url)
	workspace := to.Workspaces()[0].ID
	space := to.CreateSpace(workspace, "Space")
	folder := to.CreateFolder(space.ID, "Folder")
	from, into := to.CreateList(folder.ID, "From"), to.CreateList(folder.ID, "Into")
	task := to.CreateTask(from.ID, clickuptest.Task{Name: "Task"})
	c.deliver(t, to, to.Deliveries()...)
	var comment clickuptest.Comment
	home := from.ID
	seen := map[string]bool{}
	for _, payload := range published {
		var event string
		if err := json.Unmarshal(payload["event"], &event); err != nil {
			t.Fatal(err)
		}
		seen[event] = true
		about, external, want := "task_id", task.ID, ""
		named := "After " + event
		switch event {
		case "taskCreated":
			external = to.CreateTask(from.ID, clickuptest.Task{Name: named}).ID
			want = named + " in " + from.ID
		case "taskDeleted":
			external = to.CreateTask(from.ID, clickuptest.Task{Name: named}).ID
			c.deliver(t, to, to.Deliveries()...)
			to.DeleteTask(external)
			want = "deleted"
		case "taskMoved":
			to.UpdateTask(task.ID, func(t *clickuptest.Task) { t.Name = named })
			to.MoveTask(task.ID, into.ID)
			home = into.ID
			want = named + " in " + home
		case "taskCommentPosted":
			comment = to.AddComment(task.ID, named)
		case "taskCommentUpdated":
			to.UpdateComment(comment.ID, named)
		case "listCreated":
			about, external = "list_id", to.CreateList(folder.ID, named).ID
			want = named + " in " + folder.ID
		case "listUpdated":
			about, external = "list_id", into.ID
			to.UpdateList(external, func(l *clickuptest.List) { l.Name = named })
			want = named + " in " + folder.ID
		case "listDeleted":
			about, external, want = "list_id", from.ID, "deleted"
			to.DeleteList(external)
		case "folderCreated":
			about, external = "folder_id", to.CreateFolder(space.ID, named).ID
			want = named + " in " + space.ID
		case "folderUpdated":
			about, external = "folder_id", folder.ID
			to.UpdateFolder(external, func(f *clickuptest.Folder) { f.Name = named })
			want = named + " in " + space.ID
		case "folderDeleted":
			about, external, want = "folder_id", folder.ID, "deleted"
			to.DeleteFolder(external)
		case "spaceCreated":
			about, external = "space_id", to.CreateSpace(workspace, named).ID
			want = named + " in " + workspace
		case "spaceUpdated":
			about, external = "space_id", space.ID
			to.UpdateSpace(external, func(s *clickuptest.Space) { s.Name = named })
			want = named + " in " + workspace
		case "spaceDeleted":
			about, external, want = "space_id", space.ID, "deleted"
			to.DeleteSpace(external)
		default:
			to.UpdateTask(task.ID, func(t *clickuptest.Task) { t.Name = named })
			want = named + " in " + home
		}
		to.Deliveries() // what it would send itself
		if payload[about] == nil {
			t.Fatalf("%s has no %s", event, about)
		}
		for name, value := range map[string]string{about: external, "webhook_id": hook.ID} {
			payload[name], _ = json.Marshal(value)
		}
		body, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		c.deliver(t, to, clickuptest.Delivery{WebhookID: hook.ID, Event: event, Endpoint: url, Body: body, Signature: clickuptest.Sign(hook.Secret, body)})
		if strings.HasPrefix(event, "taskComment") {
			external, want = "comment:"+comment.ID, named
		}
		if got := c.storedAs(t, id, external); want != "deleted" && !strings.Contains(got, want) || want == "deleted" && got != want {
			t.Errorf("after %s, %s is %q, want %q", event, external, got, want)
		}
	}
	want(t, c.storedAs(t, id, task.ID), "deleted") // with its space
	for _, event := range hook.Events {
		if !seen[event] {
			t.Errorf("%s is not among the published payloads", event)
		}
	}
}

// ClickUp's events of spaces and folders have the same body each time.
func TestEveryChangeOfASpaceOrFolderIsRead(t *testing.T) {
	t.Parallel()
	to := newClickUp(t, clickuptest.Small(79))
	c := newClientAlone(t, "CLICKUP_API_URL="+to.url)
	id := c.connect(t, "clickup", to)
	c.registered(t, id)
	space := to.CreateSpace(to.Workspaces()[0].ID, "Space")
	folder := to.CreateFolder(space.ID, "Folder")
	c.deliver(t, to, to.Deliveries()...)
	for _, name := range []string{"First", "Second", "Third"} {
		to.UpdateSpace(space.ID, func(s *clickuptest.Space) { s.Name = name })
		to.UpdateFolder(folder.ID, func(f *clickuptest.Folder) { f.Name = name })
		c.deliver(t, to, to.Deliveries()...)
		want(t, c.storedAs(t, id, space.ID), name+" in "+to.Workspaces()[0].ID)
		want(t, c.storedAs(t, id, folder.ID), name+" in "+space.ID)
	}
	want(t, rows(t, c.db, `SELECT count(*)::text FROM kb.webhook_deliveries WHERE event LIKE '%Updated'`), []string{"2"})
}

// Webhooks lead to where the operator says that third parties reach the server.
func TestAWebhookLeadsToTheConfiguredAddress(t *testing.T) {
	t.Parallel()
	to := newClickUp(t, clickuptest.Small(80))
	c := newClientAlone(t, "CLICKUP_API_URL="+to.url, "PATCHBAY_WEBHOOK_URL=https://hooks.example.com/")
	id := c.connect(t, "clickup", to)
	url := "https://hooks.example.com/webhooks/clickup/" + id
	a := c.do(t, registerWebhook, map[string]any{"id": id})
	want(t, a.get(t, "registerWebhook", "webhook", "url"), any(url))
	want(t, c.openedColumn(t, "clickup", "webhook_secret"), to.hook(t, url).Secret)
}
