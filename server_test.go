package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/internal/seal"
	"patchbay/internal/store/storetest"
)

const createClickUp = `mutation ($org: ID!, $project: UUID!, $settings: Map) {
	createIntegration(input: {orgId: $org, projectId: $project, name: "clickup", settings: $settings}) { id }
}`

// servedBefore leaves behind a database that a server made and sealed an integration in. The server has ended; its
// environment, an editor's key of acme and the project are returned.
func servedBefore(t *testing.T, db *storetest.Database) (s *server, key, project string) {
	t.Helper()
	s = startServer(t, db)
	key = s.key(t, "acme", "editor")
	project = s.project(t, key, "acme")
	s.must(t, key, createClickUp, map[string]any{"org": "acme", "project": project, "settings": map[string]any{"api_token": "pk_1_ABCDEFGHIJKL"}})
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	return s, key, project
}

func TestTwoServersStartAtOnceOnAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	db := storetest.Empty(t)
	servers := make([]*server, 2)
	var wg sync.WaitGroup
	for i := range servers {
		wg.Go(func() { servers[i] = startServer(t, db) })
	}
	wg.Wait()
	key := servers[0].key(t, "acme", "editor")
	project := servers[0].project(t, key, "acme")
	a := servers[1].must(t, key, `{ projects(orgId: "acme") { nodes { id } } }`, nil)
	if got := a.text(t, "projects", "nodes", 0, "id"); got != project {
		t.Errorf("the second server sees project %s, not %s", got, project)
	}
}

func TestServerRefusesToStart(t *testing.T) {
	t.Parallel()
	db := storetest.Empty(t)
	s, _, _ := servedBefore(t, db)
	used, err := seal.ParseKey(seal.NewSecret(testKey))
	if err != nil {
		t.Fatal(err)
	}
	otherText := seal.GenerateKey().Expose()
	other, err := seal.ParseKey(seal.NewSecret(otherText))
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // after the parallel subtests

	for _, test := range []struct {
		name string
		env  []string
		want string
	}{
		{"without a key", []string{"INTEGRATION_ENCRYPTION_KEY="}, "INTEGRATION_ENCRYPTION_KEY is not set"},
		{"with a weak key", []string{"INTEGRATION_ENCRYPTION_KEY=" + strings.Repeat("a", 64)}, "INTEGRATION_ENCRYPTION_KEY: the encryption key is too weak"},
		{
			"with a key that did not seal what is stored",
			[]string{"INTEGRATION_ENCRYPTION_KEY=" + otherText},
			fmt.Sprintf("stored secrets were sealed with encryption keys that this server does not have: %s (1 integrations); it has %s. "+
				"Set INTEGRATION_ENCRYPTION_KEY to the key that sealed them, or add that key to INTEGRATION_ENCRYPTION_PREVIOUS_KEYS", used.ID(), other.ID()),
		},
		{"on an address that is taken", []string{"PATCHBAY_ADDR=" + taken.Addr().String()}, "PATCHBAY_ADDR: listen tcp " + taken.Addr().String()},
		{"with a database that is not there", []string{"DATABASE_URL=postgres://nobody:hunter2hunter2@127.0.0.1:1/none"}, "connect to the database"},
		{"with a connection string that is none", []string{"DATABASE_URL=hunter2hunter2"}, "DATABASE_URL"},
		{"with a login to listen and no other", []string{"DATABASE_URL=", "PATCHBAY_LISTEN_DATABASE_URL=" + db.URL}, "PATCHBAY_LISTEN_DATABASE_URL is set and DATABASE_URL is not"},
		{"with a login to listen that cannot be read", []string{"PATCHBAY_LISTEN_DATABASE_URL=postgres://patchbay:SECRET@db:port/x"}, "PATCHBAY_LISTEN_DATABASE_URL: "},
		{"with an owner's login and no other", []string{"DATABASE_URL=", "PATCHBAY_MIGRATE_DATABASE_URL=" + db.URL}, "PATCHBAY_MIGRATE_DATABASE_URL is set and DATABASE_URL is not"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			var out, log bytes.Buffer
			err := run(ctx, []string{"serve"}, append(s.env[:len(s.env):len(s.env)], test.env...), &out, &log)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
			if strings.Contains(fmt.Sprint(err, out.String(), log.String()), "hunter2") {
				t.Errorf("a password shows: %v\n%s%s", err, out.String(), log.String())
			}
		})
	}
}

// TestKeyIsChanged: with the old key among the previous ones the server starts, opens what the old one sealed, and seals
// what is saved under the new one.
func TestKeyIsChanged(t *testing.T) {
	t.Parallel()
	db := storetest.Empty(t)
	_, key, project := servedBefore(t, db)
	text := seal.GenerateKey().Expose()
	want, err := seal.ParseKey(seal.NewSecret(text))
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t, db, "INTEGRATION_ENCRYPTION_KEY="+text, "INTEGRATION_ENCRYPTION_PREVIOUS_KEYS="+testKey)
	s.must(t, key, `mutation ($p: UUID!) { updateIntegration(orgId: "acme", projectId: $p, name: "clickup", input: {webhookSecret: "whsec_1234567890"}) { id } }`,
		map[string]any{"p": project})
	var id string
	if err := db.Connect(t, "", "").QueryRow(context.Background(), `SELECT key_id FROM kb.integrations`).Scan(&id); err != nil || id != want.ID() {
		t.Errorf("sealed under %s, %v, not under %s", id, err, want.ID())
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	// The old key is needed no more: the update sealed the token, which it did not change, anew too.
	startServer(t, db, "INTEGRATION_ENCRYPTION_KEY="+text).must(t, key,
		`mutation ($p: UUID!) { updateIntegration(orgId: "acme", projectId: $p, name: "clickup", input: {settings: {batch_size: 20}}) { id } }`,
		map[string]any{"p": project})
}

func TestRestartKeepsData(t *testing.T) {
	t.Parallel()
	db := storetest.Empty(t)
	s := startServer(t, db)
	key := s.key(t, "acme", "editor")
	project := s.project(t, key, "acme")
	s.must(t, key, createClickUp, map[string]any{"org": "acme", "project": project, "settings": map[string]any{"api_token": "pk_1_ABCDEFGHIJKL"}})
	const read = `query ($p: UUID!) { integrations(orgId: "acme", projectId: $p) { nodes { id name configuredSecrets updatedAt revision } } }`
	before := s.must(t, key, read, map[string]any{"p": project})
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	after := startServer(t, db).must(t, key, read, map[string]any{"p": project})
	if before.raw != after.raw {
		t.Errorf("before %s\nafter  %s", before.raw, after.raw)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := startServer(t, storetest.New(t))
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
		status, body := get(t, s.URL+path)
		if status != http.StatusOK || body != want {
			t.Errorf("%s answers %d %q", path, status, body)
		}
	}
}

// TestDrain: a request that runs when the server is asked to end gets its answer, and what comes then gets none.
func TestDrain(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	s := startServer(t, db)
	key := s.key(t, "acme", "viewer")
	blocker := db.Connect(t, "", "")
	ctx := context.Background()
	if _, err := blocker.Exec(ctx, `BEGIN; LOCK TABLE kb.projects IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	answered := make(chan answer, 1)
	go func() { answered <- s.ask(t, key, `{ projects(orgId: "acme") { totalCount } }`, nil) }()
	eventually(t, 20*time.Second, "the request to wait for the lock", func() bool {
		var waiting int
		// In a transaction pg_stat_activity is a snapshot; this one ends with the statement.
		if err := blocker.QueryRow(ctx, `SELECT pg_stat_clear_snapshot()::text, count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`).Scan(nil, &waiting); err != nil {
			t.Fatal(err)
		}
		return waiting > 0
	})
	ended := make(chan error, 1)
	go func() { ended <- s.end() }()
	eventually(t, 20*time.Second, "the server to take no more connections", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	if _, err := blocker.Exec(ctx, `COMMIT`); err != nil {
		t.Fatal(err)
	}
	if a := <-answered; a.raw != `{"data":{"projects":{"totalCount":0}}}` {
		t.Errorf("the request was answered %s", a.raw)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestPrivateDatabase: data, the key and API keys outlive a restart; the link signs in once; a lost key is not replaced.
func TestPrivateDatabase(t *testing.T) {
	t.Parallel()
	state := filepath.Join(openDir(t), "state")
	env := []string{"DATABASE_URL=", "INTEGRATION_ENCRYPTION_KEY=", "PATCHBAY_STATE_DIR=" + state}
	none := storetest.Database{}

	var out, log bytes.Buffer
	err := run(context.Background(), []string{"serve"}, env, &out, &log)
	if err == nil || !strings.Contains(err.Error(), "INTEGRATION_ENCRYPTION_KEY is not set") {
		t.Fatalf("without --generate-key and without a key: %v", err)
	}

	s := startServer(t, &none, env...)
	file := filepath.Join(state, "encryption-key")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key's file: %v, %v", info, err)
	}
	generated, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	key := s.key(t, "local", "editor") // attaches while the server runs
	a := s.must(t, key, `{ projects(orgId: "local") { nodes { id name } totalCount } }`, nil)
	if a.text(t, "projects", "nodes", 0, "name") != "First project" {
		t.Errorf("projects: %s", a.raw)
	}
	link := regexp.MustCompile(`Open (\S+/sign-in\?token=\S+)`).FindStringSubmatch(s.out.String())
	if link == nil {
		t.Fatalf("no link in %s", s.out)
	}
	if status, _ := get(t, link[1]); status != http.StatusOK && status != http.StatusServiceUnavailable { // without web pages
		t.Errorf("the link leads to %d", status)
	}
	if status, body := get(t, link[1]); status != http.StatusForbidden || !strings.Contains(body, "has been used") {
		t.Errorf("the link, used again, answers %d %s", status, body)
	}
	token := link[1][strings.Index(link[1], "=")+1:]
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(s.log.String(), token) || strings.Contains(s.log.String(), strings.TrimSpace(string(generated))) {
		t.Error("the log has the sign-in token or the encryption key")
	}

	s = startServer(t, &none, env...)
	if again := s.must(t, key, `{ projects(orgId: "local") { nodes { id name } totalCount } }`, nil); again.raw != a.raw {
		t.Errorf("after a restart %s, before %s", again.raw, a.raw)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	err = run(context.Background(), []string{"serve", "--generate-key"}, s.env, &out, &log)
	if err == nil || !strings.Contains(err.Error(), "bring the file back") {
		t.Errorf("without the key's file: %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("another key was made beside data that it did not seal")
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	db := storetest.Empty(t)
	s := &server{env: []string{"DATABASE_URL=" + db.URL}, log: &output{}}
	fails := func(want string, args ...string) {
		t.Helper()
		var out bytes.Buffer
		err := run(context.Background(), args, s.env, &out, s.log)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("patchbay %v: error %v, want %s", args, err, want)
		}
		if out.Len() > 0 {
			t.Errorf("patchbay %v printed %s", args, out.String())
		}
	}
	fails("run `patchbay migrate up`", "apikey", "create", "--org", "acme", "--role", "admin", "--name", "CI")
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.command(t, "migrate", "status"); strings.Count(got, "pending") != len(files) {
		t.Errorf("before migrating: %s", got)
	}
	if got := s.command(t, "migrate", "up"); strings.Count(got, ".sql") != len(files) {
		t.Errorf("migrating printed %s", got)
	}
	if got := s.command(t, "migrate"); got != "nothing is pending" {
		t.Errorf("migrating again printed %s", got)
	}
	if got := s.command(t, "migrate", "status"); strings.Contains(got, "pending") {
		t.Errorf("after migrating: %s", got)
	}
	if got := s.key(t, "acme", "viewer"); !regexp.MustCompile(`^pb_[a-z2-7]{52}$`).MatchString(got) {
		t.Errorf("a key is %s", got)
	}
	fails("must be one of", "apikey", "create", "--org", "acme", "--role", "owner", "--name", "CI")
	fails("--org", "apikey", "create", "--role", "admin", "--name", "CI")
	fails("does not exist", "apikey", "create", "--org", "acme", "--role", "admin", "--name", "CI", "--project", "0198c0de-7a3b-7c2d-9e4f-5a6b7c8d9e0f")
	fails("invalid UUID", "apikey", "create", "--org", "acme", "--role", "admin", "--name", "CI", "--project", "x")
	fails("DATABASE_URL is set", "postgres", "url")
	if got := s.command(t, "key", "generate"); len(got) != 44 {
		t.Errorf("an encryption key has %d characters", len(got))
	}
	if got := s.command(t, "version"); !strings.HasPrefix(got, "patchbay ") {
		t.Errorf("version: %s", got)
	}
	if got := s.command(t, "--help"); !strings.Contains(got, "serve") {
		t.Errorf("help: %s", got)
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, b.String()
}
