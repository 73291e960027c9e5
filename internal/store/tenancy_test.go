package store_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

// refused are the SQLSTATEs of a privilege or policy that refuses, and of a view that cannot be written.
var refused = map[string]bool{"42501": true, "55000": true}

// towns is a database with rows of two organisations in every table.
type towns struct {
	db    *storetest.Database
	root  *pgx.Conn // superuser
	serve *pgx.Conn // SET ROLE patchbay_serve
	a, b  []uuid.UUID
}

func newTowns(t testing.TB) *towns {
	t.Helper()
	ctx := context.Background()
	d := &towns{db: storetest.New(t)}
	s := d.db.Open(t, catalogue, nil)
	for org, projects := range map[string]*[]uuid.UUID{"org-a": &d.a, "org-b": &d.b} {
		tenant := s.Tenant(integration.Scope{Org: org})
		for i := range 3 {
			p := createProject(t, tenant, fmt.Sprintf("Project %d", i))
			*projects = append(*projects, p)
			id := createIntegration(t, tenant, newIntegration(p, "clickup")).ID
			synchronise(t, tenant, id)
			tell(t, tenant, id)
			createIntegration(t, tenant, newIntegration(p, "clickup-2"))
			createKey(t, tenant, []uuid.UUID{p})
		}
		createKey(t, tenant, nil)
		createKey(t, tenant, (*projects)[:2])
		if n, err := tenant.ExtendAuditChain(ctx, 5); n != 5 || err != nil { // and some are left
			t.Fatalf("%d events were chained, %v", n, err)
		}
		if _, started, err := tenant.StartKeyRotation(ctx, "another key"); !started || err != nil {
			t.Fatalf("a rotation was started: %t, %v", started, err)
		}
	}
	d.root = d.db.Connect(t, "", "")
	d.serve = d.db.Connect(t, "", "")
	if _, err := d.serve.Exec(ctx, "SET ROLE patchbay_serve"); err != nil {
		t.Fatal(err)
	}
	return d
}

// relations are all tables and views of ours but the migrations' own table.
func (d *towns) relations(t testing.TB) []string {
	t.Helper()
	return append(tenantTables(t, d.root), column[string](t, d.root, `
		SELECT 'kb.' || relname FROM pg_class WHERE relnamespace = 'kb'::regnamespace AND relkind IN ('v', 'm') ORDER BY 1`)...)
}

// count counts a relation's rows of an organisation and, where projects is not nil, of these projects, as superuser.
func (d *towns) count(t testing.TB, relation, org string, projects []uuid.UUID) int {
	t.Helper()
	has := map[string]bool{}
	for _, c := range column[string](t, d.root, `SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0`, relation) {
		has[c] = true
	}
	var own, project string
	switch {
	case has["org_id"]:
		own = "org_id = $1"
	case has["project_id"]:
		own = "project_id IN (SELECT id FROM kb.projects WHERE org_id = $1)"
	default:
		t.Fatalf("%s has neither org_id nor project_id: whose are its rows?", relation)
	}
	switch {
	case relation == "kb.projects":
		project = "id = ANY ($2)"
	case has["project_id"]:
		project = "project_id = ANY ($2)"
	case orgWide[relation]:
		project = "false"
	case has["project_ids"]:
		project = "project_ids IS NOT NULL AND project_ids <@ $2"
	default:
		t.Fatalf("%s has neither project_id nor project_ids: how does a limit to some projects apply?", relation)
	}
	return one[int](t, d.root, `SELECT count(*) FROM `+relation+` WHERE `+own+` AND ($2::uuid[] IS NULL OR `+project+`)`, org, projects)
}

// orgWide tables have rows of whole organisations only, which a limit to some projects hides.
var orgWide = map[string]bool{"kb.audit_chain": true, "kb.audit_pending": true, "kb.key_rotations": true}

// anyProject tables take rows of the organisation that are in no project the writer is limited to.
var anyProject = map[string]bool{"kb.audit_events": true, "kb.audit_pending": true}

// sharedTables have rows that belong to no tenant, and so no column that could tell of one: these are all that they have.
var sharedTables = map[string][]string{
	"kb.api_usage":              {"account", "points", "at"}, // hashes of principals
	"kb.rate_limits":            {"fingerprint", "state", "changed_at"},
	"kb.fingerprint_key":        {"key"},
	"kb.forgotten_integrations": {"integration_id"}, // which nobody can ask about any more
}

func TestSharedTablesTellOfNoTenant(t *testing.T) {
	t.Parallel()
	root := storetest.New(t).Connect(t, "", "")
	for table, want := range sharedTables {
		got := column[string](t, root, `SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum`, table)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("columns of %s (-want +got):\n%s", table, diff)
		}
	}
}

// as runs fn in a transaction of the serving role, with the settings of a scope unless org is "", and rolls it back.
func (d *towns) as(t testing.TB, org, projects string, fn func(pgx.Tx)) {
	t.Helper()
	ctx := context.Background()
	tx, err := d.serve.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if org != "" {
		execute(t, tx, store.SetScope, org, projects)
	}
	fn(tx)
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
}

// try runs a statement and undoes it; it returns the number of rows that it touched.
func try(t testing.TB, tx pgx.Tx, sql string, args ...any) (int64, error) {
	t.Helper()
	ctx := context.Background()
	inner, err := tx.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := inner.Exec(ctx, sql, args...)
	if back := inner.Rollback(ctx); back != nil {
		t.Fatal(back)
	}
	return tag.RowsAffected(), err
}

// intrude tries to insert into a relation a copy of a row of an organisation.
func (d *towns) intrude(t testing.TB, tx pgx.Tx, relation, org string) {
	t.Helper()
	key := "org_id = $1"
	if strings.HasSuffix(relation, "_sync_state") {
		key = "project_id IN (SELECT id FROM kb.projects WHERE org_id = $1)"
	}
	row := one[map[string]any](t, d.root, `SELECT to_jsonb(r) FROM `+relation+` r WHERE `+key+` LIMIT 1`, org)
	if _, ok := row["id"]; ok {
		row["id"] = uuid.NewString()
	}
	columns := strings.Join(column[string](t, d.root, `
		SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`, relation), ", ")
	n, err := try(t, tx, `INSERT INTO `+relation+` (`+columns+`) SELECT `+columns+` FROM jsonb_populate_record(NULL::`+relation+`, $1)`, row)
	if !refused[sqlState(err)] {
		t.Errorf("%s took a row of %s: %d rows, %v", relation, org, n, err)
	}
}

func TestWithoutTenantThereIsNothing(t *testing.T) {
	t.Parallel()
	d := newTowns(t)
	for _, relation := range d.relations(t) {
		if n := one[int](t, d.root, `SELECT count(*) FROM `+relation); n == 0 {
			t.Errorf("%s has no rows: give newTowns some", relation)
			continue
		}
		updatable := column[string](t, d.root, `
			SELECT attname::text FROM pg_attribute
			WHERE attrelid = $1::regclass AND attnum > 0 AND has_column_privilege('patchbay_serve', attrelid, attnum, 'UPDATE')
			ORDER BY attnum LIMIT 1`, relation)
		if len(updatable) == 0 {
			updatable = column[string](t, d.root, `SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum = 1`, relation)
		}
		for _, scope := range []struct{ org, projects string }{{}, {" ", ""}, {"org-c", ""}, {"org-a", "{}"}, {"org-a", "{" + d.b[0].String() + "}"}} {
			d.as(t, scope.org, scope.projects, func(tx pgx.Tx) {
				name := fmt.Sprintf("%s as %q", relation, scope)
				if n := one[int](t, tx, `SELECT count(*) FROM `+relation); n != 0 {
					t.Errorf("%s: %d rows are seen", name, n)
				}
				for _, sql := range []string{
					fmt.Sprintf(`UPDATE %s SET %s = %s`, relation, updatable[0], updatable[0]),
					`DELETE FROM ` + relation,
					`TRUNCATE ` + relation,
				} {
					if n, err := try(t, tx, sql); n != 0 || err != nil && !refused[sqlState(err)] && sqlState(err) != "42809" {
						t.Errorf("%s: %s: %d rows, %v", name, sql, n, err)
					}
				}
				d.intrude(t, tx, relation, "org-b")
				if (scope.projects != "" && !(anyProject[relation] && scope.org == "org-a")) || scope.org == "" {
					d.intrude(t, tx, relation, "org-a")
				}
			})
		}
	}
}

func TestTenantSeesItsOwnRows(t *testing.T) {
	t.Parallel()
	d := newTowns(t)
	for _, relation := range d.relations(t) {
		for _, projects := range [][]uuid.UUID{nil, d.a[:1], d.a[1:], {d.a[0], d.b[0]}} {
			want := d.count(t, relation, "org-a", projects)
			if want == 0 && !(orgWide[relation] && projects != nil) {
				t.Errorf("%s has no rows of %v: give newTowns some", relation, projects)
			}
			d.as(t, "org-a", limit(projects), func(tx pgx.Tx) {
				if got := one[int](t, tx, `SELECT count(*) FROM `+relation); got != want {
					t.Errorf("%s limited to %v: %d rows, want %d", relation, projects, got, want)
				}
				d.intrude(t, tx, relation, "org-b")
			})
		}
	}
	d.as(t, "org-a", "", func(tx pgx.Tx) {
		_, err := try(t, tx, `UPDATE kb.integrations SET org_id = 'org-b'`)
		if sqlState(err) != "42501" {
			t.Errorf("rows were given to another organisation: %v", err)
		}
	})
	d.as(t, "org-a", limit(d.a[:1]), func(tx pgx.Tx) {
		_, err := try(t, tx, `UPDATE kb.integrations SET project_id = $1`, d.a[1])
		if sqlState(err) != "42501" {
			t.Errorf("rows were given to a project outside the limit: %v", err)
		}
	})
}

// limit is app.projects for some projects.
func limit(projects []uuid.UUID) string {
	if projects == nil {
		return ""
	}
	ids := make([]string, len(projects))
	for i, id := range projects {
		ids[i] = id.String()
	}
	return "{" + strings.Join(ids, ",") + "}"
}

// The methods name the scope themselves: they keep to it without row-level security too.
func TestMethodsNameTheScope(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newTowns(t)
	s := d.db.Open(t, catalogue, nil)
	for _, table := range tenantTables(t, d.root) {
		execute(t, d.root, `ALTER TABLE `+table+` DISABLE ROW LEVEL SECURITY`)
	}
	for _, scope := range []integration.Scope{{Org: "org-b"}, {Org: "org-a", Projects: []uuid.UUID{}}, {Org: "org-a", Projects: d.a[1:]}, {}} {
		tenant := s.Tenant(scope)
		project := d.a[0]
		if _, err := tenant.Integrations(ctx, project, integration.Filter{}, integration.PageArgs{First: 5}, store.With{}); !integration.IsKind(err, integration.KindNotFound) {
			t.Errorf("Integrations: %v", err)
		}
		if _, err := tenant.ProjectIntegrations(ctx, project, store.With{}); !integration.IsKind(err, integration.KindNotFound) {
			t.Errorf("ProjectIntegrations: %v", err)
		}
		if _, err := tenant.SyncStates(ctx, project, nil); !integration.IsKind(err, integration.KindNotFound) {
			t.Errorf("SyncStates: %v", err)
		}
		if err := tenant.CheckProject(ctx, project); !integration.IsKind(err, integration.KindNotFound) {
			t.Errorf("CheckProject: %v", err)
		}
		if i, err := tenant.Integration(ctx, project, "clickup", store.With{State: true}); i != nil || err != nil {
			t.Errorf("Integration: %v, %v", i, err)
		}
		if v, err := tenant.IntegrationVersion(ctx, project, "clickup"); v != nil || err != nil {
			t.Errorf("IntegrationVersion: %v, %v", v, err)
		}
		if id, err := tenant.DeleteIntegration(ctx, project, "clickup"); id != nil || err != nil {
			t.Errorf("DeleteIntegration: %v, %v", id, err)
		}
		if _, err := tenant.CreateIntegration(ctx, ring(), newIntegration(project, "another"), store.With{}); !integration.IsKind(err, integration.KindNotFound) {
			t.Errorf("CreateIntegration: %v", err)
		}
		id := one[uuid.UUID](t, d.root, `SELECT id FROM kb.integrations WHERE project_id = $1 AND name = 'clickup'`, project)
		if i, err := tenant.IntegrationByID(ctx, id, store.With{State: true}); i != nil || err != nil {
			t.Errorf("IntegrationByID: %v, %v", i, err)
		}
		if r, started, err := tenant.StartKeyRotation(ctx, "yet another key"); scope.Org == "org-a" && (r != nil || started || err != nil) {
			t.Errorf("StartKeyRotation: %v, %t, %v", r, started, err)
		}
		rotation := one[uuid.UUID](t, d.root, `SELECT id FROM kb.key_rotations WHERE org_id = 'org-a'`)
		if r, err := tenant.KeyRotation(ctx, rotation); r != nil || err != nil {
			t.Errorf("KeyRotation: %v, %v", r, err)
		}
		if next, err := tenant.HandOnKeyRotation(ctx, rotation, store.FirstFence); next != 0 || err != nil {
			t.Errorf("HandOnKeyRotation: %d, %v", next, err)
		}
		if next, err := tenant.TakeOverKeyRotation(ctx, seal.NewRing(keys()[0]), rotation, 0); next != 0 || err != nil {
			t.Errorf("TakeOverKeyRotation: %d, %v", next, err)
		}
		if err := tenant.InTx(ctx, func(tx *store.Tenant) error {
			if _, err := tx.ForgetKey(ctx, ring().CurrentID()); err != nil {
				t.Errorf("ForgetKey: %v", err)
			}
			if step, err := tx.AdvanceKeyRotation(ctx, ring(), rotation, store.FirstFence, 5); !step.Lost || err != nil {
				t.Errorf("AdvanceKeyRotation: %+v, %v", step, err)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if n := one[int](t, d.root, `SELECT count(*) FROM kb.integrations WHERE project_id = $1 AND key_id IS NOT NULL`, project); n != 2 {
			t.Errorf("ForgetKey: %d of 2 integrations have their secrets", n)
		}
		run := one[uuid.UUID](t, d.root, `SELECT id FROM kb.sync_runs WHERE integration_id = $1`, id)
		before := everythingOf(t, d.root, id)
		synchronises(t, tenant, id, run)
		delivery := one[uuid.UUID](t, d.root, `SELECT id FROM kb.webhook_deliveries WHERE integration_id = $1`, id)
		object := one[uuid.UUID](t, d.root, `SELECT id FROM kb.webhook_objects WHERE integration_id = $1`, id)
		receives(t, tenant, id, delivery, object)
		if diff := cmp.Diff(before, everythingOf(t, d.root, id)); diff != "" {
			t.Errorf("as %+v the runs of another tenant were changed (-before +after):\n%s", scope, diff)
		}
		v := &store.IntegrationVersion{ID: id, Provider: "clickup", Revision: 1}
		if _, err := tenant.UpdateIntegration(ctx, ring(), v, store.IntegrationUpdate{DisplayName: ptr("Mine")}, store.With{}); err != store.ErrStale {
			t.Errorf("UpdateIntegration: %v", err)
		}
		if _, err := tenant.RotateWebhookSecret(ctx, ring(), v, seal.GenerateWebhookSecret(), time.Hour); err != store.ErrStale {
			t.Errorf("RotateWebhookSecret: %v", err)
		}
	}
}

func TestScopeEndsWithTheCall(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newTowns(t)
	s, err := open(t, d.db.URL+"&pool_max_conns=1", false)
	if err != nil {
		t.Fatal(err)
	}
	tenant := s.Tenant(integration.Scope{Org: "org-a", Projects: d.a[:1]})
	unseen := func(after string) {
		t.Helper()
		if n := one[int](t, s.Pool(), `SELECT count(*) FROM kb.integrations`); n != 0 {
			t.Errorf("after %s a connection still sees %d rows", after, n)
		}
		if left := one[string](t, s.Pool(), `SELECT concat(current_setting('app.org', true), current_setting('app.projects', true))`); left != "" {
			t.Errorf("after %s a connection still has the scope %q", after, left)
		}
	}
	if all, err := tenant.ProjectIntegrations(ctx, d.a[0], store.With{State: true}); err != nil || len(all) != 2 {
		t.Fatalf("%d integrations, %v", len(all), err)
	}
	unseen("a list")
	if _, err := tenant.CreateIntegration(ctx, ring(), newIntegration(d.a[0], "clickup"), store.With{State: true}); !integration.IsKind(err, integration.KindConflict) {
		t.Errorf("a second integration of a name: %v", err)
	}
	unseen("a failed insert")
	if err := tenant.InTx(ctx, func(tx *store.Tenant) error {
		_, err := tx.ProjectIntegrations(ctx, d.a[0], store.With{State: true})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	unseen("a transaction")
	cancelled := fmt.Errorf("no")
	if err := tenant.InTx(ctx, func(tx *store.Tenant) error {
		if _, err := tx.DeleteIntegration(ctx, d.a[0], "clickup"); err != nil {
			return err
		}
		return cancelled
	}); err != cancelled {
		t.Errorf("the transaction returned %v", err)
	}
	unseen("a transaction that failed")
	if n := d.count(t, "kb.integrations", "org-a", d.a[:1]); n != 2 {
		t.Errorf("%d integrations are left after a rollback, want 2", n)
	}
	if err := tenant.InTx(ctx, func(tx *store.Tenant) error {
		return tx.InTx(ctx, func(*store.Tenant) error { return nil })
	}); err == nil || !strings.Contains(err.Error(), "InTx inside InTx") {
		t.Errorf("a transaction in another: %v", err)
	}
}

func TestWhatTheServingRoleMayDo(t *testing.T) {
	t.Parallel()
	d := newTowns(t)
	for _, sql := range []string{
		`SELECT hash FROM kb.api_keys`,
		`SELECT * FROM kb.api_keys`,
		`SELECT count(*) FROM kb.api_keys WHERE hash = '\x00'`,
		`UPDATE kb.api_keys SET revoked_at = now() RETURNING hash`,
		`UPDATE kb.api_keys SET role = 'ADMIN'`,
		`DELETE FROM kb.api_keys`,
		`UPDATE kb.projects SET name = 'x'`,
		`DELETE FROM kb.projects`,
		`SELECT * FROM ` + store.MigrationsTable,
		`CREATE TABLE kb.mine ()`,
		`CREATE TABLE public.mine ()`,
		`UPDATE kb.audit_events SET actor = 'x'`,
		`DELETE FROM kb.audit_events`,
		`TRUNCATE kb.audit_events`,
		`UPDATE kb.audit_chain SET hash = hash`,
		`DELETE FROM kb.audit_chain`,
		`ALTER TABLE kb.integrations DISABLE ROW LEVEL SECURITY`,
		`DELETE FROM kb.key_rotations`,
		`SELECT * FROM river.river_migration`,
		`TRUNCATE river.river_job`,
		`CREATE TABLE river.mine ()`,
		`REINDEX INDEX river.river_job_kind`,
	} {
		d.as(t, "org-a", "", func(tx pgx.Tx) {
			if _, err := try(t, tx, sql); sqlState(err) != "42501" {
				t.Errorf("%s: %v", sql, err)
			}
		})
	}
	d.as(t, "org-a", "", func(tx pgx.Tx) { // row_security = off makes a query fail; it opens nothing
		if _, err := try(t, tx, `SET LOCAL row_security = off; SELECT * FROM kb.integrations`); sqlState(err) != "42501" {
			t.Errorf("row_security = off: %v", err)
		}
	})
}

func TestCatalogOfRights(t *testing.T) {
	t.Parallel()
	root := storetest.New(t).Connect(t, "", "")
	same := func(what, sql string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(append([]string{}, want...), append([]string{}, column[string](t, root, sql)...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	same("SECURITY DEFINER functions", `
		SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.prosecdef ORDER BY 1`,
		"kb.authenticate_api_key(bytea)", "kb.due_catch_ups(integer)", "kb.due_syncs(integer)", "kb.due_webhook_checks(interval,integer)", "kb.forget_more(integer)", "kb.forget_synced()", "kb.jobless_webhook_objects(interval,integer)",
		"kb.organisations_to_chain()", "kb.organisations_to_rotate(text)",
		"kb.organisations_with_old_deliveries(timestamp with time zone)", "kb.organisations_with_old_runs(timestamp with time zone)",
		"kb.orphaned_rotations(interval)", "kb.orphaned_runs(interval)", "kb.orphaned_webhook_objects(interval)", "kb.parked_webhooks(integer)", "kb.prune_sessions(interval,integer)", "kb.sealing_keys()",
		"kb.search_objects(uuid,tsquery,text,boolean,bigint,integer)", "kb.the_fingerprint_key()", "kb.webhook_target(uuid)", "kb.webhook_targets_by_hook(text,text)")
	same("what the serving role may do with River's tables", `
		SELECT c.relname || ' ' || string_agg(a.privilege_type, ' ' ORDER BY a.privilege_type)
		FROM pg_class c, aclexplode(c.relacl) a
		WHERE c.relnamespace = 'river'::regnamespace AND a.grantee = 'patchbay_serve'::regrole
		GROUP BY c.relname
		ORDER BY 1`,
		"river_job DELETE INSERT SELECT UPDATE", "river_job_id_seq USAGE", "river_leader DELETE INSERT SELECT UPDATE",
		"river_notification DELETE INSERT SELECT UPDATE", "river_notification_id_seq USAGE", "river_queue DELETE INSERT SELECT UPDATE")
	same("tables of River's that are not the owner's", `
		SELECT relname::text FROM pg_class WHERE relnamespace = 'river'::regnamespace AND relowner <> 'patchbay_owner'::regrole`)
	same("what everybody may do in River's schema", `
		SELECT a.privilege_type FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'river' AND a.grantee = 0`)
	same("SECURITY DEFINER functions of another owner, or without a fixed search_path", `
		SELECT p.oid::regprocedure::text FROM pg_proc p
		WHERE p.prosecdef
			AND (p.proowner <> 'patchbay_owner'::regrole OR NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}')))`)
	same("SECURITY DEFINER and sealing functions that PUBLIC may execute", `
		SELECT p.oid::regprocedure::text
		FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
		WHERE (p.prosecdef OR p.proname IN ('seal', 'unseal', 'reseal', 'opens') AND p.pronamespace = 'kb'::regnamespace)
			AND a.grantee = 0 AND a.privilege_type = 'EXECUTE'`)
	same("functions of ours without a fixed search_path", `
		SELECT p.oid::regprocedure::text FROM pg_proc p
		WHERE p.pronamespace = 'kb'::regnamespace AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}'))
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')`)
	same("tables with org_id whose row-level security is off, forced or without a policy", `
		SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relkind IN ('r', 'p') AND a.attname = 'org_id'
			AND (NOT c.relrowsecurity OR c.relforcerowsecurity OR NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))`)
	same("tables in kb without org_id", `
		SELECT c.relname::text FROM pg_class c
		WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'kb'::regnamespace
			AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'org_id')
		ORDER BY 1`,
		"api_usage", "fingerprint_key", "forgotten_integrations", "patchbay_migrations", "rate_limits")
	same("what the serving role may do with tables without row-level security", `
		SELECT c.relname || ' ' || string_agg(a.privilege_type, ' ' ORDER BY a.privilege_type)
		FROM pg_class c, aclexplode(c.relacl) a
		WHERE c.relnamespace = 'kb'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity AND a.grantee = 'patchbay_serve'::regrole
		GROUP BY c.relname
		ORDER BY 1`,
		"api_usage DELETE INSERT SELECT UPDATE")
	same("views that do not run as who asks", `
		SELECT c.relname::text FROM pg_class c
		WHERE c.relkind IN ('v', 'm') AND c.relnamespace = 'kb'::regnamespace
			AND NOT 'security_invoker=true' = ANY (coalesce(c.reloptions, '{}'))`)
	same("what the serving role owns", `
		SELECT d.classid::regclass || ' ' || d.objid FROM pg_shdepend d
		WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = 'patchbay_serve'::regrole AND d.deptype = 'o'`)
	same("roles with more rights than they need", `
		SELECT rolname::text FROM pg_roles
		WHERE rolname IN ('patchbay_owner', 'patchbay_serve')
			AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolcanlogin OR rolreplication)`)
	same("memberships of the two roles", `
		SELECT m.member::regrole::text FROM pg_auth_members m WHERE m.member IN ('patchbay_owner'::regrole, 'patchbay_serve'::regrole)`)
	same("columns of the earlier module's view", `
		SELECT attname::text FROM pg_attribute WHERE attrelid = 'kb.clickup_sync_state'::regclass ORDER BY attnum`,
		"id", "integration_id", "project_id", "last_sync_at", "last_successful_sync", "sync_status", "sync_error",
		"total_synced", "last_task_synced_id", "last_doc_synced_id", "last_list_synced_id", "last_folder_synced_id", "last_space_synced_id",
		"created_at", "updated_at", "workspace_id", "workspace_name", "space_mappings", "list_mappings", "folder_mappings", "user_mappings",
		"custom_field_mappings")
}

// Forced row-level security would make the owner's own dump fail.
func TestOwnerCanDump(t *testing.T) {
	t.Parallel()
	program := filepath.Join(storetest.BinDir(), "pg_dump")
	if storetest.BinDir() == "" {
		program = "pg_dump"
	}
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%v: install PostgreSQL's client programs to run this test", err)
	}
	user, password := storetest.Login(t, "")
	d := newTowns(t)
	execute(t, d.root, "GRANT patchbay_owner TO "+user)
	dump := exec.Command(program, "--role=patchbay_owner", "--schema=kb", d.db.As(user, password))
	dump.Env = append(os.Environ(), "LC_ALL=C")
	var stderr strings.Builder
	dump.Stderr = &stderr
	out, err := dump.Output()
	if err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, stderr.String())
	}
	for _, id := range append(d.a, d.b...) {
		if n := strings.Count(string(out), id.String()); n < 5 { // the project, its integrations, their states
			t.Errorf("the dump has project %s %d times", id, n)
		}
	}
}
