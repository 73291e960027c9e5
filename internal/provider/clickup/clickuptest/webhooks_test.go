package clickuptest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchbay/internal/provider/clickup/clickuptest"
)

const contracts = "../../../../../shared/contracts"

// published reads a file of ClickUp's own, which is not ours to copy into the repository.
func published(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(contracts, name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not in ../shared/contracts beside the repository", name)
	}
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSignaturesAreClickUps(t *testing.T) {
	t.Parallel()
	var vectors []struct{ Provider, Secret, Body, Value string }
	published(t, "signature-vectors.json", &vectors)
	i := slices.IndexFunc(vectors, func(v struct{ Provider, Secret, Body, Value string }) bool { return v.Provider == "clickup" })
	if v := vectors[i]; clickuptest.Sign(v.Secret, []byte(v.Body)) != v.Value {
		t.Errorf("signed as %s, want %s", clickuptest.Sign(v.Secret, []byte(v.Body)), v.Value)
	}
}

func TestWebhooksAreMadeListedChangedAndDeleted(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Small(1))
	path := "/api/v2/team/" + c.workspace() + "/webhook"
	status, _, made := c.ask(http.MethodPost, path, `{"endpoint":"https://example.com/a","events":["taskCreated","taskDeleted"],"list_id":`+c.aList()+`}`)
	hook, _ := made["webhook"].(map[string]any)
	if status != 200 || hook["id"] != made["id"] || len(hook["secret"].(string)) < 32 || hook["list_id"] != c.aList() || fmt.Sprint(hook["health"]) != "map[fail_count:0 status:active]" {
		t.Fatalf("%d %v", status, made)
	}
	for _, wrong := range []string{
		`{"endpoint":"https://example.com/a","events":["taskCreated"],"list_id":` + c.aList() + `}`, // there already
		`{"endpoint":"nowhere","events":["taskCreated"]}`, `{"endpoint":"https://example.com/b","events":["taskEaten"]}`, `{"endpoint":"https://example.com/b","events":[]}`,
	} {
		if status, _, body := c.ask(http.MethodPost, path, wrong); status != http.StatusBadRequest {
			t.Errorf("%s: %d %v", wrong, status, body)
		}
	}
	id := made["id"].(string)
	if status, _, body := c.ask(http.MethodPut, "/api/v2/webhook/"+id, `{"endpoint":"https://example.com/c","events":"*","status":"active"}`); status != 200 || len(body["webhook"].(map[string]any)["events"].([]any)) != len(clickuptest.Events) {
		t.Errorf("%d %v", status, body)
	}
	other := *c
	other.token = c.srv.AddToken(c.workspace())
	if all := objects(other.get("%s", path)["webhooks"]); len(all) != 0 {
		t.Errorf("another user sees %v", all)
	}
	if all := objects(c.get("%s", path)["webhooks"]); len(all) != 1 || all[0]["endpoint"] != "https://example.com/c" || all[0]["secret"] != hook["secret"] {
		t.Errorf("%v", all)
	}
	c.ask(http.MethodDelete, "/api/v2/webhook/"+id, "")
	if status, _, _ := c.ask(http.MethodDelete, "/api/v2/webhook/"+id, ""); status != http.StatusNotFound || len(objects(c.get("%s", path)["webhooks"])) != 0 {
		t.Errorf("deleting it twice: %d", status)
	}
}

// hook makes a webhook for everything, or for what the place names, and gives its id and secret.
func (c *client) hook(endpoint, place string) (id, secret string) {
	c.t.Helper()
	status, _, made := c.ask(http.MethodPost, "/api/v2/team/"+c.workspace()+"/webhook", `{"endpoint":"`+endpoint+`","events":"*"`+place+`}`)
	if status != http.StatusOK {
		c.t.Fatalf("%d %v", status, made)
	}
	return made["id"].(string), made["webhook"].(map[string]any)["secret"].(string)
}

func TestChangesSendTheEventsThatClickUpPublishes(t *testing.T) {
	t.Parallel()
	var examples []map[string]any
	published(t, "clickup/webhooks/published-examples.json", &examples)
	shapes := map[string]map[string]any{}
	for _, e := range examples {
		shapes[e["event"].(string)] = e
	}
	c := start(t, clickuptest.Small(1))
	_, secret := c.hook("https://example.com/all", "")
	ws, lists := c.workspace(), c.srv.Lists(c.workspace())
	task := c.srv.Snapshot(ws, clickuptest.Selection{}).Tasks[2].ID
	users := c.srv.Snapshot(ws, clickuptest.Selection{}).Users
	c.srv.UpdateTask(task, func(t *clickuptest.Task) { t.Assignees = []int64{users[0].ID} })
	c.srv.Deliveries()
	edit := func(f func(*clickuptest.Task)) func() { return func() { c.srv.UpdateTask(task, f) } }
	for _, change := range []struct {
		do   func()
		want string
	}{
		{func() { c.srv.CreateTask(lists[0].ID, clickuptest.Task{Name: "New"}) }, "taskCreated"},
		{edit(func(t *clickuptest.Task) { t.Name = "Newer" }), "taskUpdated"},
		{edit(func(t *clickuptest.Task) { t.Priority = t.Priority%4 + 1 }), "taskPriorityUpdated taskUpdated"},
		{edit(func(t *clickuptest.Task) { t.Assignees = append(t.Assignees, users[1].ID); t.Due++ }), "taskAssigneeUpdated taskUpdated taskDueDateUpdated taskUpdated"},
		{edit(func(t *clickuptest.Task) { t.Tags = []string{"new"} }), "taskTagUpdated taskUpdated"},
		{edit(func(t *clickuptest.Task) { t.Estimate += 60_000 }), "taskTimeEstimateUpdated taskUpdated"},
		{func() { c.srv.SetStatus(task, "closed") }, "taskStatusUpdated taskUpdated"},
		{func() { c.srv.MoveTask(task, lists[4].ID) }, "taskMoved"},
		{func() { c.srv.UpdateComment(c.srv.AddComment(task, "Hm").ID, "Aha") }, "taskCommentPosted taskUpdated taskCommentUpdated taskUpdated"},
		{func() { c.srv.DeleteTask(task) }, "taskDeleted"},
		{func() { c.srv.CreateList(lists[0].SpaceID, "L") }, "listCreated"},
		{func() { c.srv.UpdateList(lists[0].ID, func(l *clickuptest.List) { l.Name = "M" }) }, "listUpdated"},
		{func() { c.srv.DeleteList(lists[0].ID) }, "listDeleted"},
		{func() { c.srv.DeleteFolder(c.srv.CreateFolder(lists[1].SpaceID, "F").ID) }, "folderCreated folderDeleted"},
		{func() { c.srv.DeleteSpace(c.srv.CreateSpace(ws, "S").ID) }, "spaceCreated spaceDeleted"},
		{func() { c.srv.UpdateSpace(lists[1].SpaceID, func(s *clickuptest.Space) { s.Archived = true }) }, "spaceUpdated"},
	} {
		change.do()
		var got []string
		seen := map[string]string{}
		for _, d := range c.srv.Deliveries() {
			got = append(got, d.Event)
			if d.Signature != clickuptest.Sign(secret, d.Body) {
				t.Errorf("%s is not signed with the webhook's secret", d.Event)
			}
			var body map[string]any
			if err := json.Unmarshal(d.Body, &body); err != nil {
				t.Fatal(err)
			}
			sameKeys(t, d.Event, shapes[d.Event], body)
			if items := objects(body["history_items"]); len(items) > 0 {
				if wanted := objects(shapes[d.Event]["history_items"]); d.Event != "taskUpdated" {
					sameKeys(t, d.Event+"'s history", wanted[0], items[0])
				}
				if d.Event == "taskUpdated" && seen["id"] != "" && seen["event"] != "taskUpdated" && items[0]["id"] != seen["id"] {
					t.Errorf("taskUpdated has the history item %v, and the event before it %s", items[0]["id"], seen["id"])
				}
				seen["id"], seen["event"] = items[0]["id"].(string), d.Event
			}
		}
		if strings.Join(got, " ") != change.want {
			t.Errorf("sent %v, want %s", got, change.want)
		}
	}
}

// sameKeys fails where ours has a key that the published one has not, or the other way round. What ClickUp leaves out where it is
// null, it may.
func sameKeys(t *testing.T, of string, want, got map[string]any) {
	t.Helper()
	for k := range got {
		if _, there := want[k]; !there && got[k] != nil {
			t.Errorf("%s: ClickUp's has no %s", of, k)
		}
	}
	for k := range want {
		if _, there := got[k]; !there {
			t.Errorf("%s: ClickUp's has %s", of, k)
		}
	}
}

func TestAWebhookHearsOfItsPlaceOnly(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Small(1))
	lists := c.srv.Lists(c.workspace())
	one, _ := c.hook("https://example.com/list", `,"list_id":`+lists[0].ID)
	space, _ := c.hook("https://example.com/space", `,"space_id":`+lists[0].SpaceID)
	all, _ := c.hook("https://example.com/all", "")
	elsewhere := slices.IndexFunc(lists, func(l clickuptest.List) bool { return l.SpaceID != lists[0].SpaceID })
	for i, want := range map[int][]string{0: {one, space, all}, 1: {space, all}, elsewhere: {all}} {
		c.srv.CreateTask(lists[i].ID, clickuptest.Task{Name: "New"})
		var got []string
		for _, d := range c.srv.Deliveries() {
			got = append(got, d.WebhookID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("list %d: %v, want %v", i, got, want)
		}
	}
	c.srv.Revoke(c.token)
	c.srv.CreateTask(lists[0].ID, clickuptest.Task{Name: "New"})
	if due := c.srv.Deliveries(); len(due) != 0 {
		t.Errorf("the webhooks of a user who is gone still fire: %v", due)
	}
}

func TestFailuresSuspendAWebhook(t *testing.T) {
	t.Parallel()
	answer := http.StatusInternalServerError
	received := 0
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Signature") != "" && json.Valid(body) {
			received++
		}
		w.WriteHeader(answer)
	}))
	defer listener.Close()
	c := start(t, clickuptest.Small(1))
	health := func() string {
		return fmt.Sprint(objects(c.get("/api/v2/team/%s/webhook", c.workspace())["webhooks"])[0]["health"])
	}
	id, _ := c.hook(listener.URL, "")
	c.srv.CreateTask(c.aList(), clickuptest.Task{Name: "New"})
	delivery := c.srv.Deliveries()[0]
	send := func() {
		if _, err := c.srv.Deliver(t.Context(), listener.Client(), delivery); err != nil {
			t.Fatal(err)
		}
	}
	send()
	if got := health(); got != "map[fail_count:1 status:failing]" {
		t.Error(got)
	}
	answer = http.StatusOK
	send()
	if got := health(); got != "map[fail_count:0 status:active]" {
		t.Error(got)
	}
	answer = http.StatusBadGateway
	for range 100 {
		send()
	}
	if got := health(); got != "map[fail_count:100 status:suspended]" || received != 102 {
		t.Error(got, received)
	}
	c.srv.CreateTask(c.aList(), clickuptest.Task{Name: "New"})
	if due := c.srv.Deliveries(); len(due) != 0 {
		t.Errorf("a suspended webhook fires: %v", due)
	}
	c.ask(http.MethodPut, "/api/v2/webhook/"+id, `{"endpoint":"`+listener.URL+`","events":"*","status":"active"}`)
	answer = http.StatusGone
	send()
	if got := health(); got != "map[fail_count:1 status:suspended]" {
		t.Error(got)
	}
}
