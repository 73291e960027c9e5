package clickuptest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"patchbay/internal/provider/clickup/clickuptest"
)

// over asks through a real connection, and gives the status, the body and what went wrong while reading it.
func over(t *testing.T, srv *clickuptest.Server, path string) (int, http.Header, string, error) {
	t.Helper()
	web := httptest.NewServer(srv)
	defer web.Close()
	r, err := http.NewRequest(http.MethodGet, web.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", srv.Token())
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, string(body), err
}

func TestTroublesOnDemand(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault clickuptest.Fault
		right func(status int, header http.Header, body string, err error) bool
	}{
		"unavailable": {clickuptest.Fault{Status: 503, Header: http.Header{"Retry-After": {"7"}}}, func(status int, h http.Header, body string, err error) bool {
			return status == 503 && h.Get("Retry-After") == "7" && strings.Contains(body, `"err":"Service Unavailable"`)
		}},
		"HTML": {clickuptest.HTMLPage(502), func(status int, h http.Header, body string, err error) bool {
			return status == 502 && h.Get("Content-Type") == "text/html" && strings.HasPrefix(body, "<html>")
		}},
		"cut": {clickuptest.Fault{Cut: true}, func(status int, _ http.Header, body string, err error) bool {
			return status == 200 && err != nil && body != ""
		}},
		"drop": {clickuptest.Fault{Drop: true}, func(status int, _ http.Header, _ string, err error) bool { return status == 0 && err != nil }},
		"garble": {clickuptest.Fault{Garble: true}, func(status int, _ http.Header, body string, err error) bool {
			return status == 200 && err == nil && body != "" && !json.Valid([]byte(body))
		}},
		"huge": {clickuptest.Fault{Pad: 3 << 20}, func(status int, _ http.Header, body string, err error) bool {
			return err == nil && len(body) > 3<<20 && json.Valid([]byte(body))
		}},
		"none": {clickuptest.Fault{Route: "GET /api/v2/team"}, func(status int, h http.Header, body string, err error) bool {
			return status == 200 && err == nil && json.Valid([]byte(body)) && h.Get(clickuptest.TroubleHeader) == ""
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := clickuptest.New(clickuptest.Options{})
			trouble := srv.Fail(test.fault)
			status, header, body, err := over(t, srv, "/api/v2/user")
			if !test.right(status, header, body, err) {
				t.Errorf("%d %v %.200s %v", status, header, body, err)
			}
			trouble.Lift()
			if status, _, _, err := over(t, srv, "/api/v2/user"); status != 200 || err != nil {
				t.Errorf("once it is over: %d %v", status, err)
			}
		})
	}
}

func TestATroubleStrikesWhatItShould(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Options{})
	trouble := c.srv.Fail(clickuptest.Fault{Route: "GET /api/v2/user", Skip: 2, Every: 3, Times: 2, Status: 500})
	struck := ""
	for range 14 {
		c.get("/api/v2/team")
		status, _, _ := c.ask(http.MethodGet, "/api/v2/user", "")
		struck += map[bool]string{true: "x", false: "."}[status == 500]
	}
	if struck != "....x..x......" || trouble.Hits() != 2 {
		t.Errorf("%s, %d hits", struck, trouble.Hits())
	}
}

func TestAnAnswerWaitsUntilItMayGo(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Options{})
	go1, answered := make(chan struct{}), make(chan struct{})
	trouble := c.srv.Fail(clickuptest.Fault{Until: go1, Times: 1})
	go func() {
		defer close(answered)
		c.ask(http.MethodGet, "/api/v2/user", "")
	}()
	for trouble.Hits() == 0 {
		time.Sleep(time.Millisecond)
	}
	c.get("/api/v2/user") // others are not held up
	select {
	case <-answered:
		t.Error("it was answered at once")
	default:
	}
	close(go1)
	<-answered
}

func TestAHookMayDeleteBetweenListAndGet(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Small(2))
	tasks, _ := c.all(c.aList(), "")
	id := tasks[0]["id"].(string)
	c.srv.Before(func(r *http.Request) {
		if r.Pattern == "GET /api/v2/task/{task_id}" {
			c.srv.DeleteTask(r.PathValue("task_id"))
		}
	})
	if code := c.refused(http.StatusNotFound, "/api/v2/task/%s", id); code != "ITEM_013" {
		t.Error(code)
	}
}
