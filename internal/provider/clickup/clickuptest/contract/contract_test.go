package contract_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"patchbay/internal/provider/clickup/clickuptest"
	"patchbay/internal/provider/clickup/clickuptest/contract"
)

func open(t *testing.T) *contract.Contract {
	t.Helper()
	c, err := contract.Open()
	if errors.Is(err, contract.ErrAbsent) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTheFakeKeepsClickUpsContract asks for everything that the fake serves, of a Workspace where everything occurs.
func TestTheFakeKeepsClickUpsContract(t *testing.T) {
	t.Parallel()
	options := clickuptest.Small(3)
	options.TasksPerList, options.CommentsPerTask = 60, 9
	srv := clickuptest.New(options)
	web := httptest.NewServer(open(t).Wrap(srv, func(err error) { t.Errorf("%.2000s", err) }))
	t.Cleanup(web.Close)
	ask := asker(t, web.URL, srv.Token())

	ws := srv.Workspaces()[0].ID
	snap := srv.Snapshot(ws, clickuptest.Selection{})
	ask("GET", "/api/v2/user", "")
	ask("GET", "/api/v2/team", "")
	for _, path := range []string{"space", "space?archived=true", "field", "custom_item", "shared", "task?page=0&subtasks=true&include_closed=true&include_markdown_description=true&order_by=updated&reverse=true&date_updated_gt=1"} {
		ask("GET", "/api/v2/team/"+ws+"/"+path, "")
	}
	for _, sp := range snap.Spaces {
		for _, path := range []string{"", "/folder?archived=false", "/folder?archived=true", "/list?archived=false", "/list", "/tag", "/field"} {
			ask("GET", "/api/v2/space/"+sp.ID+path, "")
		}
	}
	for _, f := range snap.Folders {
		for _, path := range []string{"", "/list?archived=true", "/list", "/field"} {
			ask("GET", "/api/v2/folder/"+f.ID+path, "")
		}
	}
	for _, l := range snap.Lists {
		for _, path := range []string{
			"", "/field", "/member", "/task", "/task?page=0&subtasks=true&include_closed=true&include_timl=true&include_markdown_description=true&archived=false",
			"/task?page=0&subtasks=true&include_closed=true&include_timl=true&archived=true", "/task?statuses[]=to%20do&statuses[]=in%20review&assignees[]=81003001&tags[]=bug&custom_items[]=1",
		} {
			ask("GET", "/api/v2/list/"+l.ID+path, "")
		}
	}
	for i, task := range snap.Tasks {
		if i%10 < 4 {
			ask("GET", "/api/v2/task/"+task.ID+"?include_subtasks=true&include_markdown_description=true", "")
			ask("GET", "/api/v2/task/"+task.ID+"/comment", "")
		}
	}
	for i, c := range snap.Comments {
		if i%20 == 0 {
			ask("GET", "/api/v2/comment/"+c.ID+"/reply", "")
			ask("GET", "/api/v2/task/"+c.TaskID+"/comment?start=1800000000000&start_id="+c.ID, "")
		}
	}

	ask("GET", "/api/v3/workspaces/"+ws+"/docs?limit=10&archived=false&deleted=false&parent_type=SPACE", "")
	ask("GET", "/api/v3/workspaces/"+ws+"/docs", "")
	for _, d := range snap.Docs {
		for _, path := range []string{"", "/page_listing?max_page_depth=-1", "/pages?max_page_depth=-1&content_format=text/md", "/pages?max_page_depth=0&content_format=text/plain"} {
			ask("GET", "/api/v3/workspaces/"+ws+"/docs/"+d.ID+path, "")
		}
	}
	for _, p := range snap.Pages {
		ask("GET", "/api/v3/workspaces/"+ws+"/docs/"+p.DocID+"/pages/"+p.ID+"?content_format=text/md", "")
	}

	made := ask("POST", "/api/v2/team/"+ws+"/webhook", `{"endpoint":"https://example.com/hook","events":["taskCreated"],"list_id":`+snap.Lists[0].ID+`}`)
	_, id, _ := strings.Cut(made, `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	ask("POST", "/api/v2/team/"+ws+"/webhook", `{"endpoint":"https://example.com/all","events":"*"}`)
	ask("GET", "/api/v2/team/"+ws+"/webhook", "")
	ask("PUT", "/api/v2/webhook/"+id, `{"endpoint":"https://example.com/hook","events":"*","status":"active"}`)
	ask("PUT", "/api/v2/webhook/"+id, `{"endpoint":"https://example.com/hook","events":["taskUpdated"],"status":"active"}`)
	ask("DELETE", "/api/v2/webhook/"+id, "")
	ask("POST", "/api/v2/oauth/token", `{"client_id":"a","client_secret":"b","code":"`+srv.AddCode(ws)+`"}`)

	for _, wrong := range []string{"/api/v2/task/nothing", "/api/v2/list/1", "/api/v2/team/1/space", "/api/v3/workspaces/1/docs", "/api/v3/workspaces/" + ws + "/docs/1", "/api/v2/comment/1/reply"} {
		ask("GET", wrong, "")
	}
	srv.DeleteTask(snap.Tasks[0].ID)
	ask("GET", "/api/v2/task/"+snap.Tasks[0].ID, "")
	srv.SetRateLimit(1, 0)
	ask("GET", "/api/v2/user", "")
	ask("GET", "/api/v2/user", "")

	for route, n := range srv.Counts() {
		if n == 0 || route == "unknown path" {
			t.Errorf("%s was asked for %d times", route, n)
		}
	}
	if asked := len(srv.Counts()); asked != 32 {
		t.Errorf("%d of the fake's 32 routes were asked for", asked)
	}
}

// asker sends requests, and gives the bodies of the answers.
func asker(t *testing.T, origin, token string) func(method, path, body string) string {
	return func(method, path, body string) string {
		t.Helper()
		r, err := http.NewRequest(method, origin+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", token)
		r.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func TestWhatBreaksTheContractIsReported(t *testing.T) {
	t.Parallel()
	c := open(t)
	for name, test := range map[string]struct{ method, path, body, answer, want string }{
		"unknown path":        {"GET", "/api/v2/lists/1", "", `{}`, "has no such path"},
		"unknown parameter":   {"GET", "/api/v2/list/1/task?updated_gt=1", "", `{}`, "parameter updated_gt is not known"},
		"archived for a team": {"GET", "/api/v2/team/1/task?archived=true", "", `{"tasks":[]}`, "parameter archived is not known"},
		"page":                {"GET", "/api/v2/list/1/task?page=one", "", `{}`, `page is "one", which is no integer`},
		"boolean":             {"GET", "/api/v2/list/1/task?subtasks=1", "", `{}`, `subtasks is "1", which is no boolean`},
		"id":                  {"GET", "/api/v2/list/abc/task", "", `{}`, `list_id is "abc", which is no number`},
		"limit":               {"GET", "/api/v3/workspaces/1/docs?limit=500", "", `{"docs":[]}`, "limit is 500, which is out of bounds"},
		"enumeration":         {"GET", "/api/v3/workspaces/1/docs?parent_type=TASK", "", `{"docs":[]}`, `parent_type is "TASK"`},
		"body":                {"POST", "/api/v2/team/1/webhook", `{"endpoint":"https://example.com"}`, `{}`, "missing property 'events'"},
		"answer":              {"GET", "/api/v2/list/1/task", "", `{"tasks":[{"id":7}],"last_page":true}`, "/tasks/0/id"},
		"answer, no JSON":     {"GET", "/api/v2/list/1/task", "", `{"tasks":`, "not valid JSON"},
		"nothing":             {"GET", "/api/v2/list/1/task?page=0&statuses[]=to+do", "", `{"tasks":[],"last_page":true}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			h := c.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, test.answer) }), func(err error) { got = append(got, err.Error()) })
			r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
			r.Header.Set("Authorization", "pk_1")
			r.Header.Set("Content-Type", "application/json")
			h.ServeHTTP(httptest.NewRecorder(), r)
			if all := strings.Join(got, "\n"); test.want == "" && all != "" || !strings.Contains(all, test.want) {
				t.Errorf("reported %q, want %q", all, test.want)
			}
		})
	}
}

func TestATokenIsPartOfTheContract(t *testing.T) {
	t.Parallel()
	var got error
	h := open(t).Wrap(clickuptest.New(clickuptest.Small(1)), func(err error) { got = err })
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/api/v2/user", nil))
	if got == nil || !strings.Contains(got.Error(), "Authorization is missing") {
		t.Errorf("reported %v", got)
	}
}
