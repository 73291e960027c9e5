package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/internal/doctor"
	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

func TestAHealthyDatabase(t *testing.T) {
	t.Parallel()
	p := newPatient(t, storetest.New(t))
	p.connectIntegration(t, keys()[0])
	p.options.Private = true
	p.options.StateDir = t.TempDir()
	r := p.examine(t)
	wantBad(t, r)
	var checks []string
	for _, f := range r.Findings {
		checks = append(checks, f.Check)
		if f.Message == "" || f.Severity == doctor.OK && f.Remedy != "" {
			t.Errorf("finding %+v", f)
		}
	}
	for _, check := range []string{"encryption-key", "database-connection", "owner-connection", "server-version", "tls", "log-parameters",
		"log-parameters-on-error", "statement-text", "clock", "migrations", "roles", "row-security", "views", "definer-functions", "ownership",
		"public-rights", "database-size", "keys-in-use", "sealing", "sealed-rows", "disk"} {
		if !slices.Contains(checks, check) {
			t.Errorf("nothing was said about %s: %v", check, checks)
		}
	}
	if got := finding(t, r, "sealed-rows").Message; got != "Every sealed value opens, in 1 row." {
		t.Error(got)
	}
}

func TestAHealthyDatabaseWithTwoLogins(t *testing.T) {
	t.Parallel()
	user, password := storetest.Login(t, "")
	p := newPatient(t, storetest.New(t))
	p.exec(t, "GRANT patchbay_serve TO "+user)
	p.options.Serving.URL, p.options.Serving.OwnLogin = seal.NewSecret(p.As(user, password)), true
	r := p.examine(t)
	wantBad(t, r)
	n := 0
	for _, f := range r.Findings {
		if f.Check == "log-parameters" {
			n++
		}
		if f.Check == "one-login" {
			t.Error("there are two logins")
		}
	}
	if n != 2 {
		t.Errorf("the logging settings of %d logins were looked at", n)
	}
}

// What a host product has beside Patchbay, in a schema of its own, is no finding.
func TestAHealthyDatabaseOfAHostProduct(t *testing.T) {
	t.Parallel()
	p := newPatient(t, storetest.Empty(t))
	p.exec(t, `CREATE SCHEMA kb`, `GRANT USAGE ON SCHEMA kb TO PUBLIC`,
		`CREATE TABLE kb.projects (id uuid PRIMARY KEY, org_id text)`, `GRANT SELECT ON kb.projects TO PUBLIC`,
		`CREATE VIEW kb.names AS SELECT id FROM kb.projects`,
		`CREATE FUNCTION kb.hosts() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'`)
	m, err := store.OpenMigrator(context.Background(), seal.NewSecret(p.URL), false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Up(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantBad(t, p.examine(t))
}

// Each fault gives its own finding and no other, and its remedy, run as it stands, mends it.
func TestFaultsAndTheirRemedies(t *testing.T) {
	t.Parallel()
	const strangers = "CREATE FUNCTION kb.%s RETURNS int LANGUAGE sql SECURITY DEFINER %s AS 'SELECT 1'; REVOKE ALL ON FUNCTION kb.%[1]s FROM PUBLIC"
	for _, test := range []struct {
		name  string
		fault []string
		want  string
		fix   string // a statement that the remedy has
	}{
		{"row-level security off", []string{`ALTER TABLE kb.integrations DISABLE ROW LEVEL SECURITY`},
			"severe row-security", `ALTER TABLE kb.integrations ENABLE ROW LEVEL SECURITY;`},
		{"row-level security forced", []string{`ALTER TABLE kb.api_keys FORCE ROW LEVEL SECURITY`},
			"warning row-security", `ALTER TABLE kb.api_keys NO FORCE ROW LEVEL SECURITY;`},
		{"a policy that opens all", []string{`CREATE POLICY all_of_it ON kb.sync_states USING (true)`},
			"severe row-security", `DROP POLICY all_of_it ON kb.sync_states;`},
		{"a plain view", []string{`ALTER VIEW kb.clickup_sync_state RESET (security_invoker)`},
			"severe views", `ALTER VIEW kb.clickup_sync_state SET (security_invoker = true);`},
		{"a plain view elsewhere, of a view", []string{`CREATE VIEW public."My View" AS SELECT id FROM kb.clickup_sync_state`},
			"severe views", `ALTER VIEW public."My View" SET (security_invoker = true);`},
		{"a materialized view", []string{`CREATE MATERIALIZED VIEW kb.copy AS SELECT id, org_id FROM kb.integrations`},
			"severe views", `DROP MATERIALIZED VIEW kb.copy;`},
		{"a stranger's SECURITY DEFINER function", []string{fmt.Sprintf(strangers, "stranger()", "SET search_path = pg_catalog, pg_temp")},
			"severe definer-functions", `DROP FUNCTION kb.stranger();`},
		{"a second function of a known name", []string{fmt.Sprintf(strangers, "sealing_keys(text)", "SET search_path = pg_catalog, pg_temp")},
			"severe definer-functions", `DROP FUNCTION kb.sealing_keys(text);`},
		{"a SECURITY DEFINER function without a search_path", []string{`ALTER FUNCTION kb.sealing_keys() RESET search_path`},
			"severe definer-functions", `ALTER FUNCTION kb.sealing_keys() SET search_path = pg_catalog, pg_temp;`},
		{"a SECURITY DEFINER function of another owner", []string{`ALTER FUNCTION kb.authenticate_api_key(bytea) OWNER TO CURRENT_USER`},
			"severe definer-functions", `ALTER FUNCTION kb.authenticate_api_key(key_hash bytea) OWNER TO patchbay_owner;`},
		{"a table of the serving role", []string{`CREATE TABLE public.mine (x int)`, `ALTER TABLE public.mine OWNER TO patchbay_serve`},
			"severe ownership", `REASSIGN OWNED BY patchbay_serve TO patchbay_owner;`},
		{"the schema open to PUBLIC", []string{`GRANT USAGE ON SCHEMA kb TO PUBLIC`},
			"severe public-rights", `REVOKE ALL ON SCHEMA kb FROM PUBLIC;`},
		{"a table open to PUBLIC", []string{`GRANT SELECT ON kb.integrations TO PUBLIC`},
			"severe public-rights", `REVOKE ALL ON TABLE kb.integrations FROM PUBLIC;`},
		{"a column open to PUBLIC", []string{`GRANT SELECT (hash) ON kb.api_keys TO PUBLIC`},
			"severe public-rights", `REVOKE ALL ON TABLE kb.api_keys FROM PUBLIC;`},
		{"a function open to PUBLIC", []string{`GRANT EXECUTE ON FUNCTION kb.unseal(text, text) TO PUBLIC`},
			"severe public-rights", `REVOKE ALL ON FUNCTION kb.unseal(sealed text, passphrase text) FROM PUBLIC;`},
		{"statements logged with parameters", []string{`ALTER DATABASE %[1]s SET log_statement = 'mod'`, `ALTER DATABASE %[1]s SET log_parameter_max_length = 50`},
			"severe log-parameters", `ALTER DATABASE %s SET log_parameter_max_length = 0;`},
		{"slow statements logged with parameters", []string{`ALTER DATABASE %[1]s SET log_min_duration_statement = '1h'`, `ALTER DATABASE %[1]s SET log_parameter_max_length = -1`},
			"severe log-parameters", `ALTER DATABASE %s SET log_parameter_max_length = 0;`},
		{"sampled statements logged with parameters", []string{`ALTER DATABASE %[1]s SET log_transaction_sample_rate = 0.00001`, `ALTER DATABASE %[1]s SET log_parameter_max_length = -1`},
			"severe log-parameters", `ALTER DATABASE %s SET log_parameter_max_length = 0;`},
		{"failed statements logged with parameters", []string{`ALTER DATABASE %[1]s SET log_parameter_max_length_on_error = -1`},
			"severe log-parameters-on-error", `ALTER DATABASE %s SET log_parameter_max_length_on_error = 0;`},
		{"plans printed", []string{`ALTER DATABASE %[1]s SET debug_print_plan = on`},
			"severe debug-print-plan", `ALTER DATABASE %s SET debug_print_plan = off;`},
		{"plans explained", []string{`ALTER DATABASE %[1]s SET session_preload_libraries = 'auto_explain'`, `ALTER DATABASE %[1]s SET auto_explain.log_min_duration = '1h'`,
			`ALTER DATABASE %[1]s SET auto_explain.log_verbose = on`},
			"severe auto-explain", `ALTER DATABASE %s SET auto_explain.log_verbose = off;`},
		{"a policy gone", []string{`DROP POLICY integrations_tenant ON kb.integrations`}, "severe row-security", ""},
		{"a function gone", []string{`DROP FUNCTION kb.authenticate_api_key(bytea)`}, "severe definer-functions", ""},
		{"a newer program", []string{`INSERT INTO kb.patchbay_migrations (version_id, is_applied) VALUES (99999, true)`},
			"warning newer-migrations", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t, storetest.New(t))
			p.connectIntegration(t, keys()[0])
			for _, s := range test.fault {
				p.exec(t, strings.ReplaceAll(s, "%[1]s", p.Name))
			}
			r := p.examine(t)
			wantBad(t, r, test.want)
			_, check, _ := strings.Cut(test.want, " ")
			f := finding(t, r, check)
			if f.Remedy == "" {
				t.Errorf("no remedy in %+v", f)
			}
			if test.fix == "" {
				return
			}
			fix := statements(f.Remedy)
			if want := strings.ReplaceAll(test.fix, "%s", p.Name); !slices.Contains(fix, want) {
				t.Errorf("the remedy\n%s\nhas not the statement %s", f.Remedy, want)
			}
			p.exec(t, fix...)
			wantBad(t, p.examine(t))
		})
	}
}

// What belongs to the whole cluster, or to its configuration, as PostgreSQL comes.
func TestFaultsOfACluster(t *testing.T) {
	t.Parallel()
	cluster := storetest.NewCluster(t, "log_parameter_max_length", "log_parameter_max_length_on_error", "log_min_error_statement", "log_min_messages")
	db := cluster.Empty(t)
	p := newPatient(t, db)
	m, err := store.OpenMigrator(context.Background(), seal.NewSecret(db.URL), false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()

	r := p.examine(t)
	wantBad(t, r, "severe migrations")
	if f := finding(t, r, "database-connection"); f.Severity != doctor.Info || !strings.Contains(f.Message, "not migrated") {
		t.Errorf("before migrating: %+v", f)
	}
	if _, err := m.Up(context.Background()); err != nil {
		t.Fatal(err)
	}
	r = p.examine(t)
	wantBad(t, r)
	if f := finding(t, r, "log-parameters"); f.Severity != doctor.Info || !slices.Contains(statements(f.Remedy), "ALTER SYSTEM SET log_parameter_max_length = 0;") {
		t.Errorf("PostgreSQL's own settings: %+v", f)
	}

	for _, test := range []struct {
		name  string
		fault string
		want  []string
	}{
		{"every statement", `ALTER SYSTEM SET log_statement = 'all'`, []string{"severe log-parameters"}},
		{"parameters of failures", `ALTER SYSTEM SET log_parameter_max_length_on_error = 100`, []string{"severe log-parameters-on-error"}},
		{"plans", `ALTER SYSTEM SET debug_print_plan = on`, []string{"severe debug-print-plan"}},
		{"a role's own setting", `ALTER ROLE postgres SET debug_print_plan = on`, []string{"severe debug-print-plan"}},
		{"an attribute", `ALTER ROLE patchbay_serve CREATEDB REPLICATION`, []string{"severe roles"}},
		{"a membership", `GRANT pg_read_all_data TO patchbay_serve`, []string{"severe roles"}},
		{"row-level security bypassed", `ALTER ROLE patchbay_serve BYPASSRLS`, []string{"severe roles", "severe database-connection"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.exec(t, test.fault, `SELECT pg_reload_conf()`)
			r := p.settled(t, test.want)
			_, check, _ := strings.Cut(test.want[0], " ")
			fix := statements(finding(t, r, check).Remedy)
			if len(fix) == 0 {
				t.Fatalf("no statement in %+v", finding(t, r, check))
			}
			p.exec(t, fix...)
			p.settled(t, nil)
		})
	}
}

// settled examines until what is worse than info is as wanted: a reload of the configuration takes a moment.
func (p *patient) settled(t *testing.T, want []string) *doctor.Report {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r := p.examine(t)
		if slices.Equal(bad(r), want) {
			return r
		}
		if time.Now().After(deadline) {
			wantBad(t, r, want...)
			t.FailNow()
		}
	}
}

func TestPendingMigration(t *testing.T) {
	t.Parallel()
	p := newPatient(t, storetest.New(t))
	p.exec(t, `DELETE FROM kb.patchbay_migrations WHERE version_id = 23`) // the last one, which can be applied again
	r := p.examine(t)
	wantBad(t, r, "warning migrations")
	if f := finding(t, r, "migrations"); !strings.Contains(f.Remedy, "patchbay migrate up") {
		t.Errorf("%+v", f)
	}
	m, err := store.OpenMigrator(context.Background(), seal.NewSecret(p.URL), false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Up(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantBad(t, p.examine(t))
}

func TestRowsThatDoNotOpen(t *testing.T) {
	t.Parallel()
	p := newPatient(t, storetest.New(t))
	good, damaged, copied := p.connectIntegration(t, keys()[0]), p.connectIntegration(t, keys()[0]), p.connectIntegration(t, keys()[0])
	noBase64 := p.connectIntegration(t, keys()[0])
	before := p.text(t, fmt.Sprintf(`SELECT settings FROM kb.integrations WHERE id = '%s'`, damaged))
	p.exec(t,
		fmt.Sprintf(`UPDATE kb.integrations SET settings = overlay(settings PLACING 'AAAA' FROM 60) WHERE id = '%s'`, damaged),
		fmt.Sprintf(`UPDATE kb.integrations c SET webhook_secret = g.webhook_secret FROM kb.integrations g WHERE c.id = '%s' AND g.id = '%s'`, copied, good),
		fmt.Sprintf(`UPDATE kb.integrations SET settings = '*', webhook_secret = '',
			previous_webhook_secret = '*', previous_webhook_secret_until = now() + interval '1 hour' WHERE id = '%s'`, noBase64),
		fmt.Sprintf(`UPDATE kb.integrations SET previous_webhook_secret = '*', previous_webhook_secret_until = now() WHERE id = '%s'`, good)) // ended
	r := p.examine(t)
	wantBad(t, r, "severe sealed-rows")
	want := fmt.Sprintf("Of 4 rows with sealed values, 3 hold what does not open, damaged or copied from another row: "+
		"kb.integrations %s (settings); kb.integrations %s (webhook_secret); kb.integrations %s (settings, webhook_secret, previous_webhook_secret).", damaged, copied, noBase64)
	if got := finding(t, r, "sealed-rows").Message; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	p.exec(t, fmt.Sprintf(`UPDATE kb.integrations SET settings = '%s' WHERE id = '%s'`, before, damaged),
		fmt.Sprintf(`DELETE FROM kb.integrations WHERE id IN ('%s', '%s')`, copied, noBase64))
	wantBad(t, p.examine(t))
}

// More rows than are tried at once, and more that do not open than are named.
func TestManyRowsThatDoNotOpen(t *testing.T) {
	t.Parallel()
	p := newPatient(t, storetest.New(t))
	id := p.connectIntegration(t, keys()[0])
	p.exec(t, fmt.Sprintf(`
		INSERT INTO kb.integrations (id, name, provider, display_name, org_id, project_id, webhook_secret, key_id)
		SELECT gen_random_uuid(), 'copy-' || n, provider, display_name, org_id, project_id, webhook_secret, key_id
		FROM kb.integrations, generate_series(1, 1100) n
		WHERE id = '%s'`, id))
	r := p.examine(t)
	wantBad(t, r, "severe sealed-rows")
	got := finding(t, r, "sealed-rows").Message
	if !strings.HasPrefix(got, "Of 1101 rows with sealed values, 1100 hold") || strings.Count(got, "kb.integrations") != 5 || !strings.HasSuffix(got, "; and 1095 more.") {
		t.Error(got)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	p := newPatient(t, storetest.New(t))
	p.connectIntegration(t, keys()[1])

	r := p.examine(t)
	wantBad(t, r, "severe keys-in-use")
	if f := finding(t, r, "keys-in-use"); !strings.Contains(f.Message, keys()[1].ID()+" (1 integration)") || !strings.Contains(f.Remedy, "INTEGRATION_ENCRYPTION_PREVIOUS_KEYS") {
		t.Errorf("a missing key: %+v", f)
	}
	p.options.Keys.Ring = seal.NewRing(keys()[0], keys()[1])
	r = p.examine(t)
	wantBad(t, r)
	if f := finding(t, r, "previous-keys"); f.Severity != doctor.Info || !strings.Contains(f.Message, "still opens 1 integration") {
		t.Errorf("a previous key in use: %+v", f)
	}
	p.options.Keys.Ring = seal.NewRing(keys()[1], keys()[0])
	r = p.examine(t)
	wantBad(t, r)
	if f := finding(t, r, "previous-keys"); f.Severity != doctor.Info || !strings.Contains(f.Message, keys()[0].ID()) || !strings.Contains(f.Remedy, "may be dropped") {
		t.Errorf("a previous key that nothing needs: %+v", f)
	}
	p.options.Keys.Unencoded = []string{"INTEGRATION_ENCRYPTION_KEY"}
	wantBad(t, p.examine(t), "warning encryption-key-form")
	p.options.Keys = doctor.Keys{Err: errors.New("INTEGRATION_ENCRYPTION_KEY is not set")}
	wantBad(t, p.examine(t), "severe encryption-key", "severe keys-in-use")
}

// Where parameters are logged, the rows' passphrases are kept back.
func TestNoPassphraseTravelsToALog(t *testing.T) {
	t.Parallel()
	p := newPatient(t, storetest.New(t))
	p.connectIntegration(t, keys()[0])
	p.exec(t, `ALTER DATABASE `+p.Name+` SET log_statement = 'all'`, `ALTER DATABASE `+p.Name+` SET log_parameter_max_length = -1`)
	if f := finding(t, p.examine(t), "sealed-rows"); f.Severity != doctor.Info || !strings.Contains(f.Message, "Not checked") {
		t.Errorf("%+v", f)
	}
}

func TestSealingThatIsNotWhatItWas(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ body, want string }{
		"AES-128":    {`RETURN encode(kb.pgp_sym_encrypt(plaintext, passphrase), 'base64');`, "algorithm 7"},
		"plain text": {`RETURN encode(convert_to(plaintext, 'UTF8'), 'base64');`, "does not make an OpenPGP message"},
		"one key":    {`RETURN encode(kb.pgp_sym_encrypt(plaintext, 'the same', 'cipher-algo=aes256'), 'base64');`, "does not open"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t, storetest.New(t))
			p.exec(t, `CREATE OR REPLACE FUNCTION kb.seal(plaintext text, passphrase text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
				AS $$ BEGIN `+test.body+` END $$`)
			r := p.examine(t)
			wantBad(t, r, "severe sealing")
			if f := finding(t, r, "sealing"); !strings.Contains(f.Message, test.want) {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	p := newPatient(t, storetest.New(t))
	for off, want := range map[time.Duration][]string{
		4 * time.Second:   nil,
		-10 * time.Second: {"warning clock"},
		10 * time.Second:  {"warning clock"},
		5 * time.Minute:   {"severe clock"},
		-2 * time.Hour:    {"severe clock"},
	} {
		p.options.Now = func() time.Time { return time.Now().Add(off) }
		wantBad(t, p.examine(t), want...)
	}
}

func TestSecretsInTheTextOfStatements(t *testing.T) {
	t.Parallel()
	p := newPatient(t, storetest.New(t))
	separator := "?"
	if strings.Contains(p.URL, "?") {
		separator = "&"
	}
	p.options.Serving.URL = seal.NewSecret(p.URL + separator + "default_query_exec_mode=simple_protocol")
	r := p.examine(t)
	wantBad(t, r, "severe statement-text")
	if f := finding(t, r, "statement-text"); !strings.Contains(f.Remedy, "default_query_exec_mode") {
		t.Errorf("%+v", f)
	}
}

func TestNoDatabase(t *testing.T) {
	t.Parallel()
	p := newPatient(t, &storetest.Database{URL: "postgres://nobody:hunter2hunter2@127.0.0.1:1/none"})
	r := p.examine(t)
	wantBad(t, r, "severe database-connection")
	if strings.Contains(fmt.Sprint(r.Findings), "hunter2") {
		t.Error("a password shows")
	}
	p.options.DatabaseErr = errors.New("it is Sunday")
	wantBad(t, p.examine(t), "severe database-connection")
}

// The owner's login may fail where the serving one works: what can be checked still is.
func TestNoOwner(t *testing.T) {
	t.Parallel()
	user, password := storetest.Login(t, "")
	p := newPatient(t, storetest.New(t))
	p.exec(t, "GRANT patchbay_serve TO "+user, `ALTER TABLE kb.integrations DISABLE ROW LEVEL SECURITY`)
	p.options.Serving.URL, p.options.Serving.OwnLogin = seal.NewSecret(p.As(user, password)), true
	p.options.OwnerURL = seal.NewSecret("postgres://nobody@127.0.0.1:1/none")
	wantBad(t, p.examine(t), "severe owner-connection", "severe row-security")
}
