package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/store/storetest"
)

// earlierModule makes a database as the earlier module left it, with three integrations of one project. The secrets in
// it are canaries; jira's was encrypted with another key.
func earlierModule(t *testing.T, c *canaries, key string) (db *storetest.Database, project string, secrets map[string]string) {
	t.Helper()
	db = storetest.Empty(t)
	rows(t, db, `CREATE SCHEMA kb`)
	rows(t, db, `CREATE EXTENSION pgcrypto WITH SCHEMA public`)
	rows(t, db, `CREATE TABLE kb.integrations (
		id uuid PRIMARY KEY, name varchar(50) NOT NULL, display_name varchar(255) NOT NULL, description text, enabled boolean DEFAULT true,
		org_id varchar(255) NOT NULL, project_id uuid NOT NULL, settings text, logo_url varchar(512), webhook_secret varchar(255),
		created_at timestamp, updated_at timestamp, created_by varchar(255))`)
	project, secrets = uuid.NewString(), map[string]string{}
	for name, form := range map[string]string{
		"clickup": `encode(pgp_sym_encrypt($2::text, $3::text), 'base64')`,
		"github":  `coalesce($2::text, $3::text)`,
		"linear":  `encode(encrypt(convert_to($2::text, 'UTF8'), digest($3::text, 'sha256'), 'aes-cbc'), 'base64')`,
		"jira":    `encode(pgp_sym_encrypt($2::text, 'x' || $3::text), 'base64')`,
	} {
		token, webhook := c.fresh(name), c.fresh(name+" webhook")
		settings := map[string]string{
			"clickup": fmt.Sprintf(`{"apiToken": %q, "workspace_id": "9001", "more": %q}`, token, c.fresh("unknown setting")),
			"github":  fmt.Sprintf(`{"token": %q, "organization": "acme"}`, token),
			"linear":  fmt.Sprintf(`{"apiKey": %q, "team_keys": %q}`, token, c.fresh("secret in a wrong place")),
			"jira":    fmt.Sprintf(`{"api_token": %q}`, token),
		}[name]
		secrets[name], secrets[name+" webhook"] = token, webhook
		rows(t, db, `INSERT INTO kb.integrations VALUES (gen_random_uuid(), $1, $1, NULL, true, 'acme', $4, `+form+`, NULL, $5, '2024-07-01 12:00', '2024-07-01 12:00', 'ada')`,
			name, settings, key, project, webhook)
	}
	return db, project, secrets
}

func TestAdoptedIntegrationsAreServed(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"--in-place", "--from"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			c := &canaries{parts: map[string]string{}}
			oldKey := c.fresh("the old key")
			earlier, project, secrets := earlierModule(t, c, oldKey)
			db, args := earlier, []string{"adopt", "--in-place", "--time-zone", "Europe/Berlin"}
			if place == "--from" {
				db = storetest.Empty(t)
				args = []string{"adopt", "--from", earlier.URL, "--time-zone", "Europe/Berlin"}
			}
			for _, d := range []*storetest.Database{earlier, db} { // parameters too: adopt has to keep them out
				rows(t, d, `DO $do$ BEGIN
					EXECUTE format('ALTER DATABASE %I SET log_statement = ''all''', current_database());
					EXECUTE format('ALTER DATABASE %I SET log_error_verbosity = ''verbose''', current_database());
					EXECUTE format('ALTER DATABASE %I SET log_parameter_max_length = -1', current_database());
					EXECUTE format('ALTER DATABASE %I SET log_parameter_max_length_on_error = -1', current_database());
				END $do$`)
			}
			var out, log bytes.Buffer
			told := ""
			adopt := func(args []string, env ...string) error {
				err := run(context.Background(), args, append([]string{"DATABASE_URL=" + db.URL, "PATCHBAY_LOG_LEVEL=debug", "INTEGRATION_ENCRYPTION_KEY=" + testKey}, env...), &out, &log)
				told += fmt.Sprintln(err)
				return err
			}
			dry := append(args[:len(args):len(args)], "--dry-run")
			for _, attempt := range []struct {
				args []string
				key  string
				left int
			}{{dry, "another key", 3}, {dry, oldKey, 1}, {args, "another key", 3}, {args, oldKey, 1}, {args, oldKey, 1}} {
				err := adopt(attempt.args, "PATCHBAY_ADOPT_KEY="+attempt.key)
				if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("%d rows were left", attempt.left)) {
					t.Fatalf("error %v, want %d rows left\n%s", err, attempt.left, out.String())
				}
			}
			for _, line := range []string{"integrations: 3 adopted, 0 here before, 1 left\n", "integrations: 0 adopted, 3 here before, 1 left\n", `"jira": its settings do not open with PATCHBAY_ADOPT_KEY`,
				`"clickup": the setting more is not known to this server: it was kept as a secret`, `"linear": the setting team_keys was left out`} {
				if !strings.Contains(out.String(), line) {
					t.Errorf("the reports do not say %q:\n%s", line, out.String())
				}
			}
			const last = "the last statement of this adoption"
			rows(t, db, `SELECT '`+last+`'`)
			for place, text := range map[string]string{"stdout": out.String(), "stderr": log.String(), "errors": told, "PostgreSQL's log": databaseLog(t, db, last)} {
				if found := c.in(text); len(found) > 0 {
					t.Errorf("%s: holds %q", place, found)
				}
			}

			for _, d := range []*storetest.Database{earlier, db} {
				rows(t, d, `DO $do$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END $do$`)
			}
			want(t, rows(t, db, `SELECT count(*)::text FROM kb.webhooks WHERE check_at <= now()`), []string{"3"}) // their webhooks are looked for
			s := startServer(t, db)
			who := &client{server: s, db: db, org: "acme", project: project, key: s.key(t, "acme", "admin")}
			a := who.do(t, `query($org: ID!, $p: UUID!) { integrations(orgId: $org, projectId: $p) { nodes { name hasConfiguration createdAt createdBy syncState { status } } } }`)
			node := func(name string) map[string]any {
				return map[string]any{"name": name, "hasConfiguration": true, "createdAt": "2024-07-01T10:00:00.000000Z", "createdBy": "ada", "syncState": map[string]any{"status": "PENDING"}}
			}
			want(t, a.get(t, "integrations", "nodes"), any([]any{node("clickup"), node("github"), node("linear")}))
			for name, setting := range map[string]string{"clickup": "api_token", "github": "access_token", "linear": "api_key"} {
				settings, webhook := who.opened(t, name)
				want(t, settings[setting], any(secrets[name]))
				want(t, webhook, secrets[name+" webhook"])
			}
			who.update(t, "clickup", map[string]any{"settings": map[string]any{"batch_size": 200, "api_token": token}}).wantErrors(t)
			settings, _ := who.opened(t, "clickup")
			want(t, len(settings), 2) // the unknown one is still there
		})
	}
}

func TestAdoptRefusesWhatItCannotMean(t *testing.T) {
	t.Parallel()
	db := storetest.Empty(t)
	for _, test := range []struct {
		args []string
		env  string
		want string
	}{
		{[]string{}, "", "--from"},
		{[]string{"--from", "postgres://a:hunter2@127.0.0.1/b", "--in-place"}, "", "can't be used together"},
		{[]string{"--from", ""}, "", "--from: it is empty"},
		{[]string{"--from", "hunter2hunter2"}, "", "--from: it cannot be read"},
		{[]string{"--from", "postgres://a:hunter2@127.0.0.1:1/b"}, "", "cannot connect"},
		{[]string{"--from", db.URL}, "", "no table kb.integrations"},
		{[]string{"--in-place", "--time-zone", "Nowhere"}, "", `"Nowhere" is no time zone`},
		{[]string{"--in-place"}, "INTEGRATION_ENCRYPTION_KEY=weak", "INTEGRATION_ENCRYPTION_KEY: the encryption key is too weak"},
		{[]string{"--in-place"}, "INTEGRATION_ENCRYPTION_KEY=", "INTEGRATION_ENCRYPTION_KEY is not set"},
	} {
		var out, log bytes.Buffer
		err := run(context.Background(), append([]string{"adopt"}, test.args...), []string{"DATABASE_URL=" + db.URL, "INTEGRATION_ENCRYPTION_KEY=" + testKey, test.env}, &out, &log)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want %s", test.args, err, test.want)
		}
		if strings.Contains(fmt.Sprint(err, out.String(), log.String()), "hunter2") {
			t.Errorf("%q: a password shows: %v\n%s%s", test.args, err, out.String(), log.String())
		}
	}
	want(t, rows(t, db, `SELECT nspname::text FROM pg_namespace WHERE nspname = 'kb'`), []string{})
}

// TestAdoptIsResumedAfterAKill kills the program itself, with -9, wherever it has got to by then.
func TestAdoptIsResumedAfterAKill(t *testing.T) {
	t.Parallel()
	c := &canaries{parts: map[string]string{}}
	db, project, _ := earlierModule(t, c, "old")
	rows(t, db, `DELETE FROM kb.integrations WHERE name = 'jira'`)
	const total = 403
	rows(t, db, `INSERT INTO kb.integrations (id, name, display_name, org_id, project_id, settings, created_at)
		SELECT gen_random_uuid(), 'clickup-' || n, 'ClickUp', 'acme', $1, encode(pgp_sym_encrypt('{"api_token": "pk_' || n || '"}', 'old'), 'base64'), now()
		FROM generate_series(1, 400) n`, project)
	program := filepath.Join(binary(t), "bin", "patchbay")
	adopt := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), program, "adopt", "--in-place")
		cmd.Env = []string{"DATABASE_URL=" + db.URL, "INTEGRATION_ENCRYPTION_KEY=" + testKey, "PATCHBAY_ADOPT_KEY=old"}
		return cmd
	}
	for _, reached := range []string{
		`SELECT 'x' WHERE to_regclass('kb.integrations_before_patchbay') IS NOT NULL`,
		`SELECT 'x' FROM pg_class WHERE oid = to_regclass('kb.sync_states') AND pg_relation_size(oid) > 0`,
		`SELECT 'x' FROM pg_class WHERE oid = to_regclass('kb.integrations') AND pg_relation_size(oid) > 100000`,
	} {
		cmd := adopt()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, 30*time.Second, reached, func() bool { return len(rows(t, db, reached)) > 0 })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
	}
	if n := rows(t, db, `SELECT count(*)::text FROM kb.integrations`)[0]; n == fmt.Sprint(total) {
		t.Log("the last kill came too late to cut anything off")
	}
	if out, err := adopt().CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want(t, rows(t, db, `SELECT count(*)::text FROM kb.integrations i JOIN kb.sync_states s ON s.integration_id = i.id JOIN kb.integrations_before_patchbay b ON b.id = i.id`), []string{fmt.Sprint(total)})
	who := &client{db: db, org: "acme", project: project}
	for _, n := range []string{"1", "200", "400"} {
		settings, _ := who.opened(t, "clickup-"+n)
		want(t, settings, map[string]any{"api_token": "pk_" + n})
	}
}
