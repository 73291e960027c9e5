package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/connect"
	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/provider/builtin"
	"patchbay/internal/seal"
	"patchbay/internal/store/storetest"
)

const (
	rotate         = `mutation { rotateEncryptionKey { id total done failed finishedAt } }`
	rotationStatus = `{ encryptionStatus { currentKeyId sealedRows { keyId rows } unreadable rotation { id total done failed finishedAt } } }`
)

// keyID is the id of a key that is given as text.
func keyID(t testing.TB, text string) string {
	t.Helper()
	key, err := seal.ParseKey(seal.NewSecret(text))
	if err != nil {
		t.Fatal(err)
	}
	return key.ID()
}

// awaitRotation waits until the rotation of the client's organisation is finished, and returns it.
func (c *client) awaitRotation(t testing.TB, within time.Duration) map[string]any {
	t.Helper()
	var rotation map[string]any
	eventually(t, within, "the rotation to be finished", func() bool {
		a := c.ask(t, c.key, `{ encryptionStatus { rotation { id total done failed finishedAt } } }`, nil)
		rotation, _ = a.get(t, "encryptionStatus", "rotation").(map[string]any)
		return rotation != nil && rotation["finishedAt"] != nil
	})
	return rotation
}

// revealed are an integration's secrets, by its id.
func (c *client) revealed(t testing.TB, id string) map[string]any {
	t.Helper()
	return c.ask(t, c.key, reveal, map[string]any{"id": id}).get(t, "revealSettings").(map[string]any)
}

func TestWhoRotates(t *testing.T) {
	t.Parallel()
	w := newTenants(t)
	// A test before may have left entries in this server's trail.
	rotated, opened := len(w.trail(t, `, filter: {action: "key.rotate"}`)), len(w.trail(t, `, filter: {action: "secrets.open"}`))
	limited := w.as(w.limited)
	limited.try(t, rotate).wantErrors(t, "FORBIDDEN")
	a := limited.do(t, rotationStatus)
	want(t, a.get(t, "encryptionStatus", "sealedRows"), any([]any{})) // none in the other project
	want(t, a.get(t, "encryptionStatus", "rotation"), nil)

	first := w.do(t, rotate)
	want(t, first.get(t, "rotateEncryptionKey", "total"), any(0.0))
	w.awaitRotation(t, 20*time.Second)
	a = w.do(t, rotationStatus)
	want(t, a.get(t, "encryptionStatus", "currentKeyId"), any(testRing().CurrentID()))
	want(t, a.get(t, "encryptionStatus", "sealedRows"), any([]any{map[string]any{"keyId": testRing().CurrentID(), "rows": 1.0}}))
	want(t, a.get(t, "encryptionStatus", "unreadable"), any(0.0))
	want(t, a.get(t, "encryptionStatus", "rotation", "id"), first.get(t, "rotateEncryptionKey", "id"))
	want(t, limited.do(t, rotationStatus).get(t, "encryptionStatus", "rotation"), nil)
	want(t, w.as(w.foreign).do(t, rotationStatus).get(t, "encryptionStatus", "rotation"), nil)

	trail := w.trail(t, `, filter: {action: "key.rotate"}`)
	if len(trail) != rotated+1 || !strings.HasSuffix(trail[0], "map[key:"+testRing().CurrentID()+"]") {
		t.Errorf("the trail tells %q", trail)
	}
	want(t, len(w.trail(t, `, filter: {action: "secrets.open"}`)), opened+4) // the rotation, and three counts of what opens
}

// Servers that have another encryption key, while a new one is rolled out, share a token's limit with those that have not.
func TestALimitIsSharedWhateverTheEncryptionKey(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	other := startServer(t, c.db, "INTEGRATION_ENCRYPTION_KEY="+seal.GenerateKey().Expose(), "INTEGRATION_ENCRYPTION_PREVIOUS_KEYS="+testKey)
	for _, s := range []*server{c.server, other} {
		one := *c
		one.server = s
		tested := one.do(t, `mutation ($s: Map!) { testSettings(provider: "clickup", settings: $s) { ok } }`, map[string]any{"s": clickUp().settings()})
		want(t, tested.get(t, "testSettings", "ok"), any(true))
	}
	var rows int
	if err := c.db.Connect(t, "", "").QueryRow(t.Context(), `SELECT count(*) FROM kb.rate_limits`).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	want(t, rows, 1)
}

// Three organisations rotate while clients make, change and delete integrations: nothing is lost, everything ends under
// the new key, and the old one is not needed any more.
func TestRotationWhileClientsWork(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	s := startServer(t, db)
	const each = 120
	clients := make([]*client, 3)
	// What the clients believe to be stored: the token by the integration's name.
	type model struct {
		sync.Mutex
		tokens map[string]string
		ids    map[string]string
	}
	models := make([]*model, len(clients))
	for i := range clients {
		c := &client{server: s, db: db, org: fmt.Sprintf("org-%d", i)}
		c.key = s.key(t, c.org, "admin")
		c.project = s.project(t, c.key, c.org)
		clients[i], models[i] = c, &model{tokens: map[string]string{}, ids: map[string]string{}}
	}
	put := func(i int, name, token string) {
		a := clients[i].create(t, map[string]any{"name": name, "provider": "linear", "settings": map[string]any{"api_key": token}})
		if len(a.Errors) > 0 {
			t.Errorf("create %s: %s", name, a.raw)
			return
		}
		models[i].Lock()
		defer models[i].Unlock()
		models[i].tokens[name], models[i].ids[name] = token, a.text(t, "createIntegration", "id")
	}
	token := func(name string, n int) string { return fmt.Sprintf("lin_api_%s_%04d_ABCDEFGHIJKL", name, n) }
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for n := range each {
				name := fmt.Sprintf("i-%d-%d", n%8, n)
				put(i, name, token(name, 0))
			}
		})
	}
	wg.Wait()
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	text := seal.GenerateKey().Expose()
	s = startServer(t, db, "INTEGRATION_ENCRYPTION_KEY="+text, "INTEGRATION_ENCRYPTION_PREVIOUS_KEYS="+testKey)
	for _, c := range clients {
		c.server = s
	}

	var rotated atomic.Bool
	for g := range 8 {
		wg.Go(func() { // each goroutine owns the names that begin with its number
			for n := 0; n < 30 || !rotated.Load(); n++ {
				i := (g + n) % len(clients)
				c, m := clients[i], models[i]
				switch fresh := fmt.Sprintf("i-%d-new-%d", g, n); n % 4 {
				case 0:
					put(i, fresh, token(fresh, n))
				case 1, 2:
					name := fmt.Sprintf("i-%d-%d", g, g+8*(n%10))
					next := token(name, n+1)
					a := c.update(t, name, map[string]any{"settings": map[string]any{"api_key": next}})
					if n%4 == 2 {
						a = c.update(t, name, map[string]any{"settings": map[string]any{"import_comments": n%8 == 2}})
					}
					m.Lock()
					_, exists := m.tokens[name]
					if len(a.Errors) > 0 && exists {
						t.Errorf("update %s: %s", name, a.raw)
					} else if exists {
						m.tokens[name] = next
					}
					m.Unlock()
				case 3:
					name := fmt.Sprintf("i-%d-%d", g, g+8*(10+n/4%4))
					c.try(t, `mutation($org: ID!, $p: UUID!, $n: String!) { deleteIntegration(orgId: $org, projectId: $p, name: $n) }`, map[string]any{"n": name})
					m.Lock()
					delete(m.tokens, name)
					m.Unlock()
				}
			}
		})
	}
	for _, c := range clients {
		c.do(t, rotate)
	}
	for _, c := range clients {
		if r := c.awaitRotation(t, 60*time.Second); r["failed"] != 0.0 {
			t.Errorf("%s: %v", c.org, r)
		}
	}
	rotated.Store(true)
	wg.Wait()
	want(t, rows(t, db, `SELECT DISTINCT key_id FROM kb.integrations`), []string{keyID(t, text)})
	if err := s.end(); err != nil {
		t.Fatal(err)
	}

	// The old key is needed no more.
	s = startServer(t, db, "INTEGRATION_ENCRYPTION_KEY="+text, "PATCHBAY_REVEAL_SETTINGS=true")
	for i, c := range clients {
		c.server = s
		want(t, c.do(t, rotationStatus).get(t, "encryptionStatus", "unreadable"), any(0.0))
		want(t, rows(t, db, `SELECT count(*)::text FROM kb.integrations WHERE org_id = $1`, c.org), []string{fmt.Sprint(len(models[i].tokens))})
		for name, token := range models[i].tokens {
			if got := c.revealed(t, models[i].ids[name])["api_key"]; got != token {
				t.Errorf("%s of %s holds another token than was stored last", name, c.org)
			}
		}
	}
	if strings.Contains(s.log.String()+strings.Join(rows(t, db, `SELECT j::text FROM river.river_job j`), ""), "lin_api_") {
		t.Error("a token is in the log or among the jobs")
	}
}

// fill makes integrations of acme directly in the database, sealed under testKey; each holds the token of its number.
func fill(t testing.TB, c *client, count int) {
	t.Helper()
	ctx := context.Background()
	conn := c.db.Connect(t, "", "")
	var ids, names, settings, webhooks []string
	for n := range count {
		id := uuid.Must(uuid.NewV7())
		cell := seal.Cell{Table: "kb.integrations", Column: "settings", Row: id, Org: c.org}
		pass, err := testRing().Passphrase(testRing().CurrentID(), cell)
		if err != nil {
			t.Fatal(err)
		}
		cell.Column = "webhook_secret"
		webhook, err := testRing().Passphrase(testRing().CurrentID(), cell)
		if err != nil {
			t.Fatal(err)
		}
		ids, names = append(ids, id.String()), append(names, fmt.Sprintf("linear-%d", n))
		settings, webhooks = append(settings, pass.Expose()), append(webhooks, webhook.Expose())
	}
	if _, err := conn.Exec(ctx, `
		WITH created AS (
			INSERT INTO kb.integrations (id, project_id, org_id, name, provider, display_name, key_id, configured_secrets, settings, webhook_secret)
			SELECT g.id, $1, $2, g.name, 'linear', 'Linear', $3, '{api_key}', kb.seal('{"api_key": "token of ' || g.name || '"}', g.settings), kb.seal('webhook secret', g.webhook)
			FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[]) AS g (id, name, settings, webhook)
			RETURNING id, org_id, project_id)
		INSERT INTO kb.sync_states (integration_id, org_id, project_id)
		SELECT id, org_id, project_id FROM created`,
		c.project, c.org, testRing().CurrentID(), ids, names, settings, webhooks); err != nil {
		t.Fatal(err)
	}
}

// process starts a built program with arguments, in a process of its own, until the test ends.
func process(t testing.TB, path string, env []string, args ...string) (*exec.Cmd, *output) {
	t.Helper()
	p, out := exec.Command(path, args...), &output{}
	p.Env, p.Stdout, p.Stderr = append(os.Environ(), env...), out, out
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Kill() // it may have ended
		_ = p.Wait()
	})
	return p, out
}

// A worker is killed in the middle of a rotation; another one takes it up, and every row is counted once.
func TestRotationOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	const count = 8000
	db := storetest.New(t)
	s := startServer(t, db)
	c := &client{server: s, db: db, org: "acme", key: s.key(t, "acme", "admin")}
	c.project = s.project(t, c.key, c.org)
	fill(t, c, count)
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	text := seal.GenerateKey().Expose()
	env := []string{"DATABASE_URL=" + db.URL, "INTEGRATION_ENCRYPTION_KEY=" + text, "INTEGRATION_ENCRYPTION_PREVIOUS_KEYS=" + testKey}
	// Each row takes its time, so that there is a middle to be killed in.
	rows(t, db, `CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END'`)
	rows(t, db, `CREATE TRIGGER slow BEFORE UPDATE ON kb.integrations FOR EACH ROW EXECUTE FUNCTION public.slow()`)
	path := program(t)
	victim, _ := process(t, path, env, "work")
	startRotation(t, db, c.org, text)
	done := func() string { return rows(t, db, `SELECT done::text FROM kb.key_rotations`)[0] }
	eventually(t, 30*time.Second, "the worker to begin", func() bool { return done() != "0" })
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait()
	killed := time.Now()
	// What was in flight is rolled back; then it rests.
	eventually(t, 10*time.Second, "the database to notice", func() bool {
		return rows(t, db, `SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND query ILIKE '%reseal%' AND pid <> pg_backend_pid()`)[0] == "0"
	})
	rested := done()
	if rested == fmt.Sprint(count) {
		t.Fatal("there was no middle")
	}
	rows(t, db, `DROP TRIGGER slow ON kb.integrations`)
	heir, heirs := process(t, path, env, "work")
	eventually(t, time.Until(killed.Add(20*time.Second)), "another worker to go on", func() bool { return done() != rested })
	t.Logf("%s of %d were done; taken up %s after the kill", rested, count, time.Since(killed).Round(100*time.Millisecond))
	eventually(t, 60*time.Second, "the rotation to be finished", func() bool {
		return rows(t, db, `SELECT (finished_at IS NOT NULL)::text FROM kb.key_rotations`)[0] == "true"
	})
	want(t, rows(t, db, `SELECT concat_ws(' ', total, done, failed) FROM kb.key_rotations`), []string{fmt.Sprintf("%d %d 0", count, count)})
	want(t, rows(t, db, `SELECT key_id || ' ' || count(*) FROM kb.integrations GROUP BY key_id`), []string{fmt.Sprintf("%s %d", keyID(t, text), count)})
	// Asked to end, a worker ends well.
	if err := heir.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := heir.Wait(); err != nil {
		t.Errorf("the worker ended with %v\n%s", err, heirs)
	}
	if text := heirs.String(); strings.Contains(text, "token of") {
		t.Error("the worker's log has a secret")
	}

	s = startServer(t, db, "INTEGRATION_ENCRYPTION_KEY="+text)
	c.server = s
	want(t, c.do(t, rotationStatus).get(t, "encryptionStatus", "unreadable"), any(0.0))
}

// startRotation begins a rotation of an organisation to a key, and works on none of it.
func startRotation(t testing.TB, db *storetest.Database, org, text string) {
	t.Helper()
	key, err := seal.ParseKey(seal.NewSecret(text))
	if err != nil {
		t.Fatal(err)
	}
	before, err := seal.ParseKey(seal.NewSecret(testKey))
	if err != nil {
		t.Fatal(err)
	}
	providers, err := provider.NewRegistry("", builtin.All()...)
	if err != nil {
		t.Fatal(err)
	}
	service, err := connect.New(context.Background(), db.Open(t, providers.Catalogue(), nil), seal.NewRing(key, before), providers, connect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := service.RotateKey(context.Background(), integration.Principal{Subject: "test", Org: org, Role: integration.RoleAdmin}); err != nil {
		t.Fatal(err)
	}
}

func TestRotateKeyCommand(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	s := startServer(t, db)
	var ids []string
	for _, org := range []string{"acme", "other"} {
		c := &client{server: s, db: db, org: org, key: s.key(t, org, "admin")}
		c.project = s.project(t, c.key, org)
		for n := range 3 {
			a := c.create(t, map[string]any{"name": fmt.Sprintf("linear-%d", n), "provider": "linear", "settings": map[string]any{"api_key": "lin_api_ABCDEFGHIJKL"}})
			ids = append(ids, a.text(t, "createIntegration", "id"))
		}
	}
	if got := s.command(t, "rotate-key"); got != "everything is sealed under the current key" {
		t.Errorf("with nothing to do it printed %s", got)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	rows(t, db, `UPDATE kb.integrations SET settings = (SELECT settings FROM kb.integrations WHERE id = $2) WHERE id = $1`, ids[0], ids[1])
	text := seal.GenerateKey().Expose()
	env := []string{"DATABASE_URL=" + db.URL, "INTEGRATION_ENCRYPTION_KEY=" + text, "INTEGRATION_ENCRYPTION_PREVIOUS_KEYS=" + testKey}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out, log bytes.Buffer
	err := run(ctx, []string{"rotate-key"}, env, &out, &log)
	if err == nil || !strings.Contains(err.Error(), "1 integrations did not open") {
		t.Errorf("with a damaged row: %v", err)
	}
	if !strings.HasSuffix(out.String(), "5 of 6 integrations sealed anew, 2 of 2 organisations finished\n") {
		t.Errorf("it printed\n%s", out.String())
	}
	if !strings.Contains(log.String(), ids[0]) || strings.Contains(log.String(), ids[1]) || strings.Contains(log.String(), "lin_api_") {
		t.Errorf("the log is\n%s", log.String())
	}
	// The owner mends it by giving the secrets anew; then the old key can go.
	s = startServer(t, db, env[1:]...)
	key := s.key(t, "acme", "editor")
	project := rows(t, db, `SELECT project_id::text FROM kb.integrations WHERE id = $1`, ids[0])[0]
	s.must(t, key, `mutation ($p: UUID!) { updateIntegration(orgId: "acme", projectId: $p, name: "linear-0", input: {settings: {api_key: "lin_api_MNOPQRSTUVWX"}, webhookSecret: "whsec_1234567890"}) { id } }`,
		map[string]any{"p": project})
	if got := s.command(t, "rotate-key"); got != "everything is sealed under the current key" {
		t.Errorf("afterwards it printed %s", got)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	startServer(t, db, "INTEGRATION_ENCRYPTION_KEY="+text)
}
