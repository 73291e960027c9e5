// Package e2e tests what needs Node.js and a real browser, against the program as its users run it: the built binary
// with its private database. `make test` installs what is needed; where something is missing, the tests are skipped,
// or fail if PATCHBAY_E2E_REQUIRED=1 is set.
package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "patchbay-e2e-*")
	if err == nil {
		err = os.Chmod(dir, 0o755) // PostgreSQL's account must get in
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	tempDir = dir
	return m.Run()
}

// The number of audits: a release of theirs with more or fewer is looked at before it counts.
const wantAudits = 61

// TestAudits runs the audits of the GraphQL over HTTP specification.
func TestAudits(t *testing.T) {
	t.Parallel()
	node := needNode(t)
	s := start(t, binary(t))
	for _, test := range []struct{ name, key string }{
		{"with a key", s.key(t, "admin")},
		{"without", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if n := node.run(t, "audits.mjs", nil, "PATCHBAY_URL="+s.URL, "API_KEY="+test.key); n != wantAudits {
				t.Errorf("%d audits ran, want %d", n, wantAudits)
			}
		})
	}
}

// TestBrowser runs each scenario on a server of its own.
func TestBrowser(t *testing.T) {
	t.Parallel()
	node := needNode(t)
	browser := needBrowser(t)
	needWeb(t)
	const token = "pk_12345_SECRETOFTHEE2ETEST0123456789"
	for _, test := range []struct {
		script string
		env    func(t *testing.T, s *server) []string
	}{
		{"sign-in.mjs", nil},
		{"examples.mjs", func(*testing.T, *server) []string { return []string{"CLICKUP_TOKEN=" + token} }},
		{"keys.mjs", func(t *testing.T, s *server) []string {
			return []string{"EDITOR_KEY=" + s.key(t, "editor"), "VIEWER_KEY=" + s.key(t, "viewer")}
		}},
		{"workers.mjs", nil},
		{"restart.mjs", nil},
		{"looks.mjs", func(t *testing.T, s *server) []string { return []string{"ADMIN_KEY=" + s.key(t, "admin")} }},
	} {
		t.Run(strings.TrimSuffix(test.script, ".mjs"), func(t *testing.T) {
			t.Parallel()
			s := start(t, binary(t))
			env := []string{"PATCHBAY_URL=" + s.URL, "SIGN_IN_LINK=" + s.link, "CHROMIUM=" + browser}
			if test.env != nil {
				env = append(env, test.env(t, s)...)
			}
			actions := map[string]func(){
				"stop":  func() { s.stop(t) },
				"start": func() { s.start(t) },
			}
			node.run(t, filepath.Join("browser", test.script), actions, env...)
			s.stop(t)
			for _, secret := range append(s.secrets, token) {
				if strings.Contains(s.log.String(), secret) {
					t.Error("the server's log holds a secret")
				}
			}
		})
	}
}

// TestWithoutThePages builds the program as it is before `make web`: the API works, and the pages say what to do.
func TestWithoutThePages(t *testing.T) {
	t.Parallel()
	page, err := filepath.Abs("../web/dist/gallery/index.html")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{page: ""}}) // as if it were not there
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, build(t, "without-pages", "-overlay", file))

	status, body := s.get(t, "/graphiql")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "make web") {
		t.Errorf("/graphiql answered %d: %s", status, body)
	}
	request, err := http.NewRequest(http.MethodPost, s.URL+"/graphql", strings.NewReader(`{"query": "{ viewer { role } }"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+s.key(t, "viewer"))
	status, body = do(t, request)
	if status != http.StatusOK || body != `{"data":{"viewer":{"role":"VIEWER"}}}` {
		t.Errorf("/graphql answered %d: %s", status, body)
	}
	if !strings.Contains(s.log.String(), "make web") {
		t.Error("the log does not say how to build the pages")
	}
}

func (s *server) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, request)
}

func do(t *testing.T, request *http.Request) (status int, body string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(b))
}
