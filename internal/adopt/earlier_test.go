package adopt

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/provider"
	"patchbay/internal/provider/builtin"
	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

// oldKey is the earlier module's: too weak to be one of ours.
const oldKey = "hunter2"

var ring = sync.OnceValue(func() *seal.Ring {
	key, err := seal.ParseKey(seal.GenerateKey())
	if err != nil {
		panic(err)
	}
	return seal.NewRing(key)
})

// tables are the earlier module's, by generation.
var tables = map[int]string{
	1: `CREATE TABLE kb.integrations (
		id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name varchar(50) NOT NULL, display_name varchar(255) NOT NULL, description text,
		enabled boolean DEFAULT true, org_id varchar(255) NOT NULL, project_id uuid NOT NULL, settings text, logo_url varchar(512),
		webhook_secret varchar(255), created_at timestamp DEFAULT now(), updated_at timestamp DEFAULT now(), created_by varchar(255))`,
	2: `CREATE TABLE kb.integrations (
		id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name varchar(100) NOT NULL, display_name varchar(255) NOT NULL, description text,
		enabled boolean DEFAULT true, org_id text NOT NULL, project_id uuid NOT NULL, settings_encrypted bytea, logo_url text,
		webhook_secret text, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(), created_by text)`,
}

const syncStates = `CREATE TABLE kb.clickup_sync_state (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(), integration_id uuid NOT NULL REFERENCES kb.integrations (id) ON DELETE CASCADE, project_id uuid NOT NULL,
	last_sync_at timestamp, last_successful_sync timestamp, sync_status varchar(50) DEFAULT 'pending', sync_error text, total_synced integer DEFAULT 0,
	last_task_synced_id varchar(255), last_doc_synced_id varchar(255), last_list_synced_id varchar(255), last_folder_synced_id varchar(255),
	last_space_synced_id varchar(255), created_at timestamp DEFAULT now(), updated_at timestamp DEFAULT now(), workspace_id varchar(255),
	workspace_name varchar(255), space_mappings jsonb DEFAULT '{}', list_mappings jsonb DEFAULT '{}', folder_mappings jsonb DEFAULT '{}',
	user_mappings jsonb DEFAULT '{}', custom_field_mappings jsonb)`

// earlier is a database of the earlier module's.
type earlier struct {
	*storetest.Database
	root       *pgx.Conn
	generation int
	project    uuid.UUID
}

const org = "acme"

func newEarlier(t testing.TB, generation int) *earlier {
	t.Helper()
	e := &earlier{Database: storetest.Empty(t), generation: generation, project: uuid.New()}
	e.root = e.Connect(t, "", "")
	e.exec(t, `CREATE EXTENSION pgcrypto`)
	e.exec(t, `CREATE SCHEMA kb`)
	e.exec(t, tables[generation])
	e.exec(t, `CREATE INDEX integrations_name_idx ON kb.integrations (name)`) // as one of ours is called
	e.exec(t, syncStates)
	e.exec(t, `CREATE TABLE kb.projects (id uuid PRIMARY KEY, org_id text NOT NULL, name text)`)
	e.exec(t, `INSERT INTO kb.projects VALUES ($1, $2, 'The project')`, e.project, org)
	return e
}

func (e *earlier) exec(t testing.TB, sql string, args ...any) { execute(t, e.root, sql, args...) }

func execute(t testing.TB, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func one[T any](t testing.TB, conn *pgx.Conn, sql string, args ...any) T {
	t.Helper()
	rows, err := conn.Query(context.Background(), sql, args...)
	if err == nil {
		var v T
		if v, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[T]); err == nil {
			return v
		}
	}
	t.Fatalf("%s: %v", sql, err)
	panic("unreachable")
}

// forms are the SQL expressions that make the bytes which the earlier module stored; $1 is the JSON, $2 the key.
var forms = map[string]string{
	"OpenPGP":           `pgp_sym_encrypt($1::text, $2::text)`,
	"OpenPGP in base64": `convert_to(encode(pgp_sym_encrypt($1::text, $2::text), 'base64'), 'UTF8')`,
	"CBC in base64":     `convert_to(encode(encrypt(convert_to($1::text, 'UTF8'), digest($2::text, 'sha256'), 'aes-cbc'), 'base64'), 'UTF8')`,
	"plain":             `convert_to($1::text || coalesce(nullif($2::text, $2::text), ''), 'UTF8')`,
}

// add inserts an integration whose settings are in one of the forms; an empty key is oldKey.
func (e *earlier) add(t testing.TB, form, name, settings string, set ...string) uuid.UUID {
	t.Helper()
	id := uuid.New()
	column, value := "settings_encrypted", forms[form]
	if e.generation == 1 {
		column = "settings"
		if form == "OpenPGP" {
			value = value + "::text" // \x…
		} else {
			value = "convert_from(" + value + ", 'UTF8')"
		}
	}
	e.exec(t, `INSERT INTO kb.integrations (id, name, display_name, org_id, project_id, `+column+`, webhook_secret, created_by)
		VALUES ($3, $4::text, 'Display ' || $4::text, $5, $6, `+value+`, 'webhook-secret-of-' || $4::text, 'ada')`, settings, oldKey, id, name, org, e.project)
	for _, s := range set {
		e.exec(t, `UPDATE kb.integrations SET `+s+` WHERE id = $1`, id)
	}
	return id
}

func (e *earlier) addState(t testing.TB, integration uuid.UUID, set ...string) uuid.UUID {
	t.Helper()
	id := uuid.New()
	e.exec(t, `INSERT INTO kb.clickup_sync_state (id, integration_id, project_id) VALUES ($1, $2, $3)`, id, integration, e.project)
	for _, s := range set {
		e.exec(t, `UPDATE kb.clickup_sync_state SET `+s+` WHERE id = $1`, id)
	}
	return id
}

// adopt runs an adoption into a database, by default in place.
func (e *earlier) adopt(t testing.TB, into *storetest.Database, change ...func(*Options)) (*Report, error) {
	t.Helper()
	ctx := context.Background()
	m, err := store.OpenMigrator(ctx, seal.NewSecret(into.URL), false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	providers, err := provider.NewRegistry("", builtin.All()...)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Target: m, Source: seal.NewSecret(e.URL), InPlace: into == e.Database, TimeZone: "UTC", Key: seal.NewSecret(oldKey), Ring: ring(), Providers: providers}
	for _, c := range change {
		c(&o)
	}
	return Run(ctx, o)
}

func (e *earlier) must(t testing.TB, into *storetest.Database, change ...func(*Options)) *Report {
	t.Helper()
	report, err := e.adopt(t, into, change...)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// adopted is an integration as it is here.
type adopted struct {
	Name, Provider, Display string
	Public                  map[string]any
	Configured              []string
	Secrets                 map[string]string
	Webhook                 string
}

func open(t testing.TB, db *storetest.Database, id uuid.UUID) adopted {
	t.Helper()
	conn := db.Connect(t, "", "")
	var a adopted
	var settings *string
	var key, webhook, org string
	err := conn.QueryRow(context.Background(), `
		SELECT name, provider, display_name, public_settings, configured_secrets, settings, webhook_secret, key_id, org_id FROM kb.integrations WHERE id = $1`, id,
	).Scan(&a.Name, &a.Provider, &a.Display, &a.Public, &a.Configured, &settings, &webhook, &key, &org)
	if err != nil {
		t.Fatalf("integration %s: %v", id, err)
	}
	if key != ring().CurrentID() {
		t.Errorf("sealed under %s", key)
	}
	pass := func(column string) string {
		p, err := ring().Passphrase(key, seal.Cell{Table: "kb.integrations", Column: column, Row: id, Org: org})
		if err != nil {
			t.Fatal(err)
		}
		return p.Expose()
	}
	if settings != nil {
		if err := json.Unmarshal([]byte(one[string](t, conn, `SELECT kb.unseal($1, $2)`, *settings, pass("settings"))), &a.Secrets); err != nil {
			t.Fatal(err)
		}
	}
	a.Webhook = one[string](t, conn, `SELECT kb.unseal($1, $2)`, webhook, pass("webhook_secret"))
	return a
}

// text is a report as it is printed.
func text(r *Report) string {
	var b bytes.Buffer
	_, _ = r.WriteTo(&b)
	return b.String()
}

// listing is everything in a database that an adoption could change: roles, catalogue and rows.
func listing(t testing.TB, conn *pgx.Conn) []string {
	t.Helper()
	var all []string
	collect := func(sql string) []string {
		rows, err := conn.Query(context.Background(), sql)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return lines
	}
	all = collect(`
		SELECT format('%s %s %s %s %s', c.oid, c.oid::regclass, c.relkind, c.relowner::regrole, c.relacl) FROM pg_class c WHERE relnamespace = to_regnamespace('kb')
		UNION ALL SELECT format('schema %s %s', nspname, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_'
		UNION ALL SELECT 'extension ' || extname FROM pg_extension
		UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_proc WHERE pronamespace = to_regnamespace('kb')
		UNION ALL SELECT format('database %s', datacl) FROM pg_database WHERE datname = current_database()
		ORDER BY 1`)
	for _, table := range collect(`SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace('kb') AND relkind = 'r' ORDER BY 1`) {
		all = append(all, collect(`SELECT '`+table+` ' || xmin::text || t::text FROM kb.`+table+` t ORDER BY 1`)...)
	}
	return all
}

func want(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
