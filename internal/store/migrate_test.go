package store_test

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
	"patchbay/migrations"
)

// rowsSince puts a row into each table that a migration makes; every new table needs one.
var rowsSince = map[int64]string{
	2: `INSERT INTO kb.projects (id, org_id, name) VALUES ('00000000-0000-7000-8000-000000000001', 'org', 'Project')`,
	3: `INSERT INTO kb.integrations (id, name, provider, display_name, org_id, project_id, settings, webhook_secret,
			previous_webhook_secret, previous_webhook_secret_until, key_id, configured_secrets)
		VALUES ('00000000-0000-7000-8000-000000000002', 'clickup', 'clickup', 'ClickUp', 'org', '00000000-0000-7000-8000-000000000001',
			'c2VhbGVk', 'c2VhbGVk', 'c2VhbGVk', '2030-01-01', '0123456789abcdef', '{api_token}')`,
	4: `INSERT INTO kb.sync_states (integration_id, org_id, project_id)
		VALUES ('00000000-0000-7000-8000-000000000002', 'org', '00000000-0000-7000-8000-000000000001')`,
	5: `INSERT INTO kb.api_keys (org_id, name, prefix, hash, role) VALUES ('org', 'key', 'pb_x', decode(repeat('ab', 32), 'hex'), 'VIEWER')`,
	6: `INSERT INTO kb.audit_events (id, org_id, actor, action, changes) VALUES ('00000000-0000-7000-8000-000000000003', 'org', 'a', 'project.create', '{}');
		INSERT INTO kb.audit_chain (org_id, position, event_id, hash) VALUES ('org', 1, '00000000-0000-7000-8000-000000000003', decode(repeat('ab', 32), 'hex'))`,
	8: `INSERT INTO kb.key_rotations (id, org_id, key_id, total, requested_by) VALUES ('00000000-0000-7000-8000-000000000004', 'org', '0123456789abcdef', 1, 'a')`,
	10: `INSERT INTO kb.sync_runs (id, integration_id, org_id, project_id, mode, trigger)
		VALUES ('00000000-0000-7000-8000-000000000005', '00000000-0000-7000-8000-000000000002', 'org', '00000000-0000-7000-8000-000000000001', 'FULL', 'MANUAL');
		INSERT INTO kb.sync_run_counts (run_id, org_id, project_id, type)
		VALUES ('00000000-0000-7000-8000-000000000005', 'org', '00000000-0000-7000-8000-000000000001', 'TASK');
		INSERT INTO kb.sync_run_pages (run_id, org_id, project_id, seen, covered)
		VALUES ('00000000-0000-7000-8000-000000000005', 'org', '00000000-0000-7000-8000-000000000001', '{a}', '{b}');
		INSERT INTO kb.sync_run_missing (run_id, org_id, project_id, type, external_id, confirmed)
		VALUES ('00000000-0000-7000-8000-000000000005', 'org', '00000000-0000-7000-8000-000000000001', 'TASK', 'a', true);
		INSERT INTO kb.sync_pending (integration_id, org_id, project_id, type, external_id)
		VALUES ('00000000-0000-7000-8000-000000000002', 'org', '00000000-0000-7000-8000-000000000001', 'TASK', 'a');
		INSERT INTO kb.synced_objects (id, integration_id, org_id, project_id, type, external_id, title, listing, content_hash, change_seq)
		VALUES ('00000000-0000-7000-8000-000000000006', '00000000-0000-7000-8000-000000000002', 'org', '00000000-0000-7000-8000-000000000001',
			'TASK', 'a', 'A', 'b', decode(repeat('ab', 32), 'hex'), 1);
		INSERT INTO kb.synced_relationships (integration_id, org_id, project_id, source_id, type, target_id, stated_by)
		VALUES ('00000000-0000-7000-8000-000000000002', 'org', '00000000-0000-7000-8000-000000000001', 'a', 'BELONGS_TO', 'b', 'a')`,
	9: `INSERT INTO kb.api_usage (account, points, at) VALUES (decode(repeat('ab', 32), 'hex'), 1, now())`,
	12: `INSERT INTO kb.webhooks (integration_id, org_id, project_id)
		VALUES ('00000000-0000-7000-8000-000000000002', 'org', '00000000-0000-7000-8000-000000000001');
		INSERT INTO kb.webhook_deliveries (id, integration_id, org_id, project_id, delivery_key, delivery_id, event, status, object, reads, payload, headers)
		VALUES ('00000000-0000-7000-8000-000000000007', '00000000-0000-7000-8000-000000000002', 'org', '00000000-0000-7000-8000-000000000001',
			decode(repeat('ab', 32), 'hex'), 'a', 'b', 'RECEIVED', 'TASK/a', '{}', '{}', '{}');
		INSERT INTO kb.webhook_objects (id, integration_id, org_id, project_id, object)
		VALUES ('00000000-0000-7000-8000-000000000008', '00000000-0000-7000-8000-000000000002', 'org', '00000000-0000-7000-8000-000000000001', 'TASK/a')`,
	11: `INSERT INTO kb.rate_limits (fingerprint, state) VALUES ('0123456789abcdef', '{"Permits": 1}')`,
	22: `SELECT`, // the migration makes its only row
	18: `INSERT INTO kb.forgotten_integrations (integration_id) VALUES ('00000000-0000-7000-8000-000000000009')`,
}

// versions are those of the migrations' files.
func versions(t testing.TB) []int64 {
	t.Helper()
	files, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	all := make([]int64, len(files))
	for i, name := range files {
		if _, err := fmt.Sscanf(name, "%d_", &all[i]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return all
}

func openMigrator(t testing.TB, url string) *store.Migrator {
	t.Helper()
	m, err := store.OpenMigrator(context.Background(), seal.NewSecret(url), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func applied(steps []store.Migration) []int64 {
	done := []int64{}
	for _, s := range steps {
		if s.AppliedAt != nil {
			done = append(done, s.Version)
		}
	}
	return done
}

// allTables are the tables in schema kb but the migrations' own.
func allTables(t testing.TB, q querier) []string {
	t.Helper()
	return column[string](t, q, `
		SELECT 'kb.' || relname FROM pg_class
		WHERE relnamespace = 'kb'::regnamespace AND relkind IN ('r', 'p') AND 'kb.' || relname <> $1
		ORDER BY relname`, store.MigrationsTable)
}

// tenantTables are all but those whose rows belong to no tenant.
func tenantTables(t testing.TB, q querier) []string {
	t.Helper()
	return slices.DeleteFunc(allTables(t, q), func(table string) bool { return sharedTables[table] != nil })
}

func TestMigrateFromEmptyAndAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := storetest.Empty(t)
	m := openMigrator(t, db.URL)
	all := versions(t)

	ran, err := m.Up(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, applied(ran)); diff != "" {
		t.Errorf("migrations that ran (-want +got):\n%s", diff)
	}
	if ran, err = m.Up(ctx); err != nil || len(ran) != 0 {
		t.Errorf("again: %v, %v", ran, err)
	}
	status, err := m.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, applied(status)); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	serves(t, db.URL, false)
}

// Each migration keeps what the one before it left.
func TestEachMigrationKeepsRows(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := storetest.Empty(t)
	m := openMigrator(t, db.URL)
	root := db.Connect(t, "", "")
	snapshot := func() map[string][]map[string]any {
		rows := map[string][]map[string]any{}
		if len(column[string](t, root, `SELECT nspname FROM pg_namespace WHERE nspname = 'kb'`)) == 0 {
			return rows
		}
		for _, table := range allTables(t, root) {
			rows[table] = column[map[string]any](t, root, `SELECT to_jsonb(r) FROM `+table+` r ORDER BY r::text`)
			if len(rows[table]) == 0 {
				t.Errorf("%s has no row: add one to rowsSince", table)
			}
		}
		return rows
	}
	for _, version := range versions(t) {
		before := snapshot()
		ran, err := m.UpTo(ctx, version)
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if diff := cmp.Diff([]int64{version}, applied(ran)); diff != "" {
			t.Errorf("migrations that ran (-want +got):\n%s", diff)
		}
		if sql := rowsSince[version]; sql != "" {
			execute(t, root, sql)
		}
		after := snapshot()
		for table, rows := range before {
			// A column more is no loss.
			sameColumns := cmp.FilterPath(func(p cmp.Path) bool {
				index, ok := p.Last().(cmp.MapIndex)
				if !ok {
					return false
				}
				_, had := rows[0][index.Key().String()]
				return !had
			}, cmp.Ignore())
			if diff := cmp.Diff(rows, after[table], sameColumns); diff != "" {
				t.Errorf("version %d changed %s (-before +after):\n%s", version, table, diff)
			}
		}
	}
}

func TestTwoMigratorsAtOnce(t *testing.T) {
	t.Parallel()
	db := storetest.Empty(t)
	migrateAtOnce(t, len(versions(t)), db.URL, db.URL)
	serves(t, db.URL, false)
}

// migrateAtOnce runs a migrator for each connection string, all at the same time. Together they run so many migrations.
func migrateAtOnce(t *testing.T, want int, urls ...string) {
	t.Helper()
	type result struct {
		ran []store.Migration
		err error
	}
	results := make(chan result)
	for _, url := range urls {
		m := openMigrator(t, url)
		go func() {
			ran, err := m.Up(context.Background())
			results <- result{ran, err}
		}()
	}
	got := 0
	for range urls {
		r := <-results
		if r.err != nil {
			t.Errorf("one of %d at once: %v", len(urls), r.err)
		}
		got += len(r.ran)
	}
	if got != want {
		t.Errorf("%d migrations ran, want %d", got, want)
	}
}

func TestMigrationStatus(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := storetest.Empty(t)
	m := openMigrator(t, db.URL)
	root := db.Connect(t, "", "")
	all := versions(t)

	before := catalogListing(t, root)
	for want := range len(all) + 1 {
		if want > 0 {
			if _, err := m.UpTo(ctx, all[want-1]); err != nil {
				t.Fatal(err)
			}
		}
		status, err := m.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(status) != len(all) {
			t.Fatalf("status lists %d migrations, want %d", len(status), len(all))
		}
		if diff := cmp.Diff(append([]int64{}, all[:want]...), applied(status)); diff != "" {
			t.Errorf("after %d migrations (-want +got):\n%s", want, diff)
		}
		for i, s := range status {
			if s.Version != all[i] || !strings.HasSuffix(s.Name, ".sql") {
				t.Errorf("entry %d of the status is %+v", i, s)
			}
		}
		if want == 0 {
			if diff := cmp.Diff(before, catalogListing(t, root)); diff != "" {
				t.Errorf("status changed an empty database:\n%s", diff)
			}
		}
	}
}

// catalogListing is everything that the database's catalog tells of its objects and our roles, a line each.
func catalogListing(t testing.TB, q querier) []string {
	t.Helper()
	var all []string
	for _, sql := range []string{
		`SELECT 'schema ' || to_jsonb(x)::text FROM pg_namespace x WHERE nspname !~ '^pg_(toast_)?temp_'`,
		`SELECT 'class ' || (to_jsonb(x) - '{relpages,reltuples,relallvisible,relallfrozen,relfrozenxid,relminmxid,relhasindex}'::text[])::text FROM pg_class x
			WHERE oid >= 16384`,
		`SELECT 'column ' || to_jsonb(x)::text FROM pg_attribute x WHERE attrelid >= 16384`,
		`SELECT 'default ' || to_jsonb(x)::text FROM pg_attrdef x`,
		`SELECT 'constraint ' || to_jsonb(x)::text FROM pg_constraint x WHERE oid >= 16384`,
		`SELECT 'index ' || to_jsonb(x)::text FROM pg_index x WHERE indexrelid >= 16384`,
		`SELECT 'function ' || to_jsonb(x)::text FROM pg_proc x WHERE oid >= 16384`,
		`SELECT 'trigger ' || to_jsonb(x)::text FROM pg_trigger x`,
		`SELECT 'policy ' || to_jsonb(x)::text FROM pg_policy x`,
		`SELECT 'rule ' || to_jsonb(x)::text FROM pg_rewrite x WHERE oid >= 16384`,
		`SELECT 'type ' || to_jsonb(x)::text FROM pg_type x WHERE oid >= 16384`,
		`SELECT 'extension ' || to_jsonb(x)::text FROM pg_extension x`,
		`SELECT 'default privileges ' || to_jsonb(x)::text FROM pg_default_acl x`,
		`SELECT 'setting ' || to_jsonb(x)::text FROM pg_db_role_setting x JOIN pg_database d ON d.oid = x.setdatabase WHERE datname = current_database()`,
		`SELECT format('database %s %s', datdba, datacl) FROM pg_database WHERE datname = current_database()`,
		`SELECT 'role ' || to_jsonb(x)::text FROM pg_roles x WHERE rolname IN ('patchbay_owner', 'patchbay_serve')`,
		`SELECT 'member ' || to_jsonb(x)::text FROM pg_auth_members x JOIN pg_database d ON d.datdba = x.member WHERE datname = current_database()`,
	} {
		all = append(all, column[string](t, q, sql+` ORDER BY 1`)...)
	}
	return all
}
