package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"patchbay/internal/provider/clickup/clickuptest"
	"patchbay/internal/seal"
	"patchbay/internal/store/storetest"
)

func TestMain(m *testing.M) {
	tracer = storetest.Tracer()
	code := storetest.Run(m)
	_ = os.RemoveAll(programDir) // "" is nothing
	os.Exit(code)
}

// programDir is the folder of the built program; empty before a test asks for that.
var programDir string

// built builds the program, once, for the tests that need it in processes of its own.
var built = sync.OnceValues(func() (path string, err error) {
	if programDir, err = os.MkdirTemp("", "patchbay-test-*"); err != nil {
		return "", err
	}
	path = filepath.Join(programDir, "patchbay")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
})

// program is the path of the built program.
func program(t testing.TB) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// testKey is the encryption key of servers under test.
var testKey = seal.GenerateKey().Expose()

// server is the whole program, run as its users run it, in this process.
type server struct {
	URL string
	env []string
	out *output // stdout
	log *output // stderr
	end func() error
}

// startServer runs `patchbay serve` on a database until the test ends, and waits until it answers. Further variables
// come after the usual ones and win.
func startServer(t testing.TB, db *storetest.Database, env ...string) *server {
	t.Helper()
	s := &server{out: &output{}, log: &output{}}
	s.env = append([]string{
		"DATABASE_URL=" + db.URL,
		"PATCHBAY_ADDR=127.0.0.1:0",
		"PATCHBAY_LOG_LEVEL=debug",
		"INTEGRATION_ENCRYPTION_KEY=" + testKey,
		"PATCHBAY_AUTH_FAILURE_LIMIT=0", // tests show many bad keys
		"CLICKUP_API_URL=" + clickUp().url,
	}, env...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"serve", "--generate-key"}, s.env, s.out, s.log) }()
	s.end = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(30 * time.Second):
			return errors.New("the server did not end within 30 s")
		}
	})
	t.Cleanup(func() {
		if err := s.end(); err != nil {
			t.Errorf("end the server: %v", err)
		}
	})
	listening := regexp.MustCompile(`Patchbay listens on (\S+)\n`)
	for deadline := time.Now().Add(60 * time.Second); ; {
		if m := listening.FindStringSubmatch(s.out.String()); m != nil {
			s.URL = m[1]
			return s
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the server ended instead of serving: %v\n%s", err, s.log)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not serve\n%s", s.log)
		}
	}
}

// command runs another subcommand with the server's environment, and returns what it printed on stdout.
func (s *server) command(t testing.TB, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(context.Background(), args, s.env, &out, s.log); err != nil {
		t.Fatalf("patchbay %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// key makes an API key with the command line. role is viewer, editor or admin.
func (s *server) key(t testing.TB, org, role string, projects ...string) string {
	t.Helper()
	args := []string{"apikey", "create", "--org", org, "--role", role, "--name", "test " + role}
	for _, p := range projects {
		args = append(args, "--project", p)
	}
	return s.command(t, args...)
}

// answer is a GraphQL response.
type answer struct {
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
	raw string
}

// codes are the errors' codes, in order, each with its field behind a space where it has one.
func (a answer) codes() []string {
	var list []string
	for _, e := range a.Errors {
		code, _ := e.Extensions["code"].(string)
		if field, ok := e.Extensions["field"].(string); ok {
			code += " " + field
		}
		list = append(list, code)
	}
	return list
}

// get walks into Data by keys and indexes.
func (a answer) get(t testing.TB, path ...any) any {
	t.Helper()
	var v any = a.Data
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("no %v on the path %v in %s", p, path, a.raw)
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || p >= len(l) {
				t.Fatalf("no item %v on the path %v in %s", p, path, a.raw)
			}
			v = l[p]
		}
	}
	return v
}

// text is get for a string that must be there.
func (a answer) text(t testing.TB, path ...any) string {
	t.Helper()
	s, ok := a.get(t, path...).(string)
	if !ok {
		t.Fatalf("no text at %v in %s", path, a.raw)
	}
	return s
}

// ask sends an operation with a key; an empty key sends none.
func (s *server) ask(t testing.TB, key, query string, variables map[string]any) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	status, text := s.post(t, key, "application/json", bytes.NewReader(body))
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, text)
	}
	a := answer{raw: text}
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("the answer is no JSON: %v\n%s", err, text)
	}
	return a
}

// must is ask for an operation that has to succeed.
func (s *server) must(t testing.TB, key, query string, variables map[string]any) answer {
	t.Helper()
	a := s.ask(t, key, query, variables)
	if len(a.Errors) > 0 {
		t.Fatalf("%s\nanswered %s", query, a.raw)
	}
	return a
}

// post sends a body to /graphql.
func (s *server) post(t testing.TB, key, contentType string, body io.Reader) (status int, text string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.URL+"/graphql", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// project makes a project and returns its id.
func (s *server) project(t testing.TB, key, org string) string {
	t.Helper()
	return s.must(t, key, `mutation($org: ID!) { createProject(input: {orgId: $org, name: "Test"}) { id } }`,
		map[string]any{"org": org}).text(t, "createProject", "id")
}

// send sends any request to a path of the server.
func (s *server) send(t testing.TB, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// client is somebody who works on one project with one key.
type client struct {
	*server
	db      *storetest.Database
	key     string
	org     string
	project string
}

// newClient has a project and an administrator's key on an empty database with a server. Stretching the encryption key
// makes starting one expensive, so a server goes from test to test; who breaks the database or reads the log needs
// newClientAlone.
func newClient(t testing.TB) *client {
	t.Helper()
	c := takeIdle()
	if c == nil {
		c = &client{db: storetest.New(lasting{t})}
		c.server = startServer(lasting{t}, c.db)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			rows(t, c.db, `TRUNCATE kb.projects, kb.api_keys, kb.key_rotations, kb.synced_objects, kb.synced_relationships, kb.sync_pending CASCADE`)
			idle.Lock()
			defer idle.Unlock()
			idle.list = append(idle.list, &client{db: c.db, server: c.server})
		}
	})
	c.moveIn(t)
	return c
}

// thirdParty is a stand-in for ClickUp.
type thirdParty struct {
	*clickuptest.Server
	url string
}

// clickUp is what tests' servers reach as ClickUp unless they say otherwise.
var clickUp = sync.OnceValue(func() *thirdParty { return serveClickUp(clickuptest.Small(1)) })

// serveClickUp serves one as long as the tests run.
func serveClickUp(o clickuptest.Options) *thirdParty {
	if o.RateLimit == 0 {
		o.RateLimit = 1_000_000 // as its answers say
	}
	s := clickuptest.New(o)
	return &thirdParty{s, httptest.NewServer(s).URL}
}

// settings are an integration's of its first Workspace.
func (p *thirdParty) settings() map[string]any {
	return map[string]any{"api_token": p.Token(), "workspace_id": p.Workspaces()[0].ID}
}

// newClientAlone is newClient with a server that no other test uses, and variables for it.
func newClientAlone(t testing.TB, env ...string) *client {
	t.Helper()
	c := &client{db: storetest.New(t)}
	c.server = startServer(t, c.db, env...)
	c.moveIn(t)
	return c
}

func (c *client) moveIn(t testing.TB) {
	t.Helper()
	c.org = "acme"
	c.key = c.server.key(t, c.org, "admin")
	c.project = c.server.project(t, c.key, c.org)
}

// idle are servers, each with its empty database, that no test uses at present.
var idle struct {
	sync.Mutex
	list []*client
}

func takeIdle() *client {
	idle.Lock()
	defer idle.Unlock()
	n := len(idle.list)
	if n == 0 {
		return nil
	}
	c := idle.list[n-1]
	idle.list = idle.list[:n-1]
	return c
}

// lasting is a test whose servers and databases outlast it: they end with the process and its PostgreSQL.
type lasting struct{ testing.TB }

func (lasting) Cleanup(func()) {}

// as is the same client with another key.
func (c *client) as(key string) *client {
	other := *c
	other.key = key
	return &other
}

// try sends an operation that may declare $org and $p, the client's organisation and project, and further variables.
func (c *client) try(t testing.TB, query string, variables ...map[string]any) answer {
	t.Helper()
	all := map[string]any{"org": c.org, "p": c.project}
	for _, v := range variables {
		maps.Copy(all, v)
	}
	return c.ask(t, c.key, query, all)
}

// do is try for an operation that has to succeed.
func (c *client) do(t testing.TB, query string, variables ...map[string]any) answer {
	t.Helper()
	a := c.try(t, query, variables...)
	if len(a.Errors) > 0 {
		t.Fatalf("%s\nanswered %s", query, a.raw)
	}
	return a
}

// create makes an integration of the client's project; input holds what CreateIntegrationInput asks for beside it.
func (c *client) create(t testing.TB, input map[string]any) answer {
	t.Helper()
	all := map[string]any{"orgId": c.org, "projectId": c.project}
	maps.Copy(all, input)
	return c.try(t, `mutation($i: CreateIntegrationInput!) { createIntegration(input: $i) { `+integrationFields+` } }`, map[string]any{"i": all})
}

// update changes an integration of the client's project.
func (c *client) update(t testing.TB, name string, input map[string]any) answer {
	t.Helper()
	return c.try(t, `mutation($org: ID!, $p: UUID!, $name: String!, $i: UpdateIntegrationInput!) {
		updateIntegration(orgId: $org, projectId: $p, name: $name, input: $i) { `+integrationFields+` } }`,
		map[string]any{"name": name, "i": input})
}

// integrationFields are all of an integration's scalars but the times.
const integrationFields = `id name displayName description enabled orgId projectId logoUrl createdBy revision settings
	configuredSecrets hasConfiguration provider { name } syncState { integrationId projectId status }`

// want compares what came with what should have come.
func want(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// wantErrors compares an answer's error codes, and the fields behind them.
func (a answer) wantErrors(t testing.TB, codes ...string) {
	t.Helper()
	if diff := cmp.Diff(codes, a.codes()); diff != "" {
		t.Errorf("-want +got:\n%s\nin %s", diff, a.raw)
	}
}

// rows runs a statement as the superuser and returns the first column of its rows, as text.
func rows(t testing.TB, db *storetest.Database, statement string, args ...any) []string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	found, err := conn.Query(ctx, statement, args...)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return list
}

// contents is every row of Patchbay's tables as text, by table, without the time that a key was used last, and without
// the audit trail, which tells of refusals too, and the API's use.
func contents(t testing.TB, db *storetest.Database) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, table := range rows(t, db, `SELECT tablename::text FROM pg_tables WHERE schemaname = 'kb' AND tablename NOT LIKE 'audit%' AND tablename NOT IN ('api_usage', 'rate_limits') ORDER BY 1`) {
		all[table] = rows(t, db, `SELECT (to_jsonb(t) - 'last_used_at')::text FROM kb.`+table+` t ORDER BY 1`)
	}
	return all
}

// openDir is a folder that PostgreSQL's account can enter; that of t.TempDir it cannot, under root.
func openDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "patchbay-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// eventually waits for what takes an unknown, but bounded time.
func eventually(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// output is a buffer that a server writes while a test reads.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// schema reads schema.graphqls, or a file beside it.
func schema(t testing.TB) *ast.Schema { return schemaFrom(t, "schema.graphqls") }

func schemaFrom(t testing.TB, file string) *ast.Schema {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := gqlparser.LoadSchema(&ast.Source{Name: file, Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
