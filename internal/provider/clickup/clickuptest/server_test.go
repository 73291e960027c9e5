package clickuptest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"patchbay/internal/provider/clickup/clickuptest"
	"patchbay/internal/provider/clickup/clickuptest/contract"
)

// A client asks a server, whose contract is checked, and reads its answers.
type client struct {
	t       *testing.T
	srv     *clickuptest.Server
	handler http.Handler
	token   string
}

func start(t *testing.T, o clickuptest.Options) *client {
	t.Helper()
	srv := clickuptest.New(o)
	return &client{t: t, srv: srv, handler: contract.Checked(t, srv), token: srv.Token()}
}

// unchecked is for tests that read so much that checking the contract, which others do, would take most of their time.
func unchecked(t *testing.T, o clickuptest.Options) *client {
	t.Helper()
	srv := clickuptest.New(o)
	return &client{t: t, srv: srv, handler: srv, token: srv.Token()}
}

// ask gives the status, the headers and the decoded body.
func (c *client) ask(method, path, body string) (int, http.Header, map[string]any) {
	c.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", c.token)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	var v any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		c.t.Fatalf("%s %s: %v in %.200s", method, path, err, w.Body)
	}
	object, _ := v.(map[string]any)
	return w.Code, w.Header(), object
}

// get is the body of an answer that must be 200.
func (c *client) get(path string, arguments ...any) map[string]any {
	c.t.Helper()
	status, _, body := c.ask(http.MethodGet, fmt.Sprintf(path, arguments...), "")
	if status != http.StatusOK {
		c.t.Fatalf("GET %s: %d %v", path, status, body)
	}
	return body
}

// refused is the ECODE of an answer that must have the status.
func (c *client) refused(status int, path string, arguments ...any) string {
	c.t.Helper()
	got, _, body := c.ask(http.MethodGet, fmt.Sprintf(path, arguments...), "")
	if got != status {
		c.t.Fatalf("GET %s: %d %v, want %d", path, got, body, status)
	}
	code, _ := body["ECODE"].(string)
	return code
}

// all reads every page of a list's tasks.
func (c *client) all(list, query string) (tasks []map[string]any, pages int) {
	c.t.Helper()
	for page := 0; ; page++ {
		body := c.get("/api/v2/list/%s/task?page=%d%s", list, page, query)
		for _, one := range body["tasks"].([]any) {
			tasks = append(tasks, one.(map[string]any))
		}
		if body["last_page"] == true {
			return tasks, page + 1
		}
	}
}

const everything = "&subtasks=true&include_closed=true&include_timl=true"

func ids(tasks []map[string]any) map[string]bool {
	all := map[string]bool{}
	for _, t := range tasks {
		all[t["id"].(string)] = true
	}
	return all
}

func (c *client) workspace() string { return c.srv.Workspaces()[0].ID }

// aList is the first list of the first Workspace.
func (c *client) aList() string { return c.srv.Lists(c.workspace())[0].ID }

func TestAnUnknownPathIsAPage(t *testing.T) {
	t.Parallel()
	srv := clickuptest.New(clickuptest.Options{})
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v2/nothing", nil))
	if body, _ := io.ReadAll(w.Body); w.Code != http.StatusNotFound || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") || !strings.Contains(string(body), "<html>") {
		t.Errorf("%d %s %s", w.Code, w.Header(), body)
	}
}

func TestRequestsAreCountedAndTheLatestRemembered(t *testing.T) {
	t.Parallel()
	c := unchecked(t, clickuptest.Options{})
	for i := range 2003 {
		c.get("/api/v2/team/%s/task?page=%d", c.workspace(), i)
	}
	latest := c.srv.Requests()
	if n := c.srv.Counts()["GET /api/v2/team/{team_id}/task"]; n != 2003 || len(latest) != 2000 {
		t.Errorf("%d counted, %d remembered", n, len(latest))
	}
	if first, last := latest[0].URI, latest[1999].URI; !strings.HasSuffix(first, "page=3") || !strings.HasSuffix(last, "page=2002") {
		t.Errorf("remembered from %s to %s", first, last)
	}
}

// array is the body of an answer that is no object.
func (c *client) array(path string, arguments ...any) []map[string]any {
	c.t.Helper()
	r := httptest.NewRequest(http.MethodGet, fmt.Sprintf(path, arguments...), nil)
	r.Header.Set("Authorization", c.token)
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	var all []map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil || w.Code != http.StatusOK {
		c.t.Fatalf("GET %s: %d %v", path, w.Code, err)
	}
	return all
}
