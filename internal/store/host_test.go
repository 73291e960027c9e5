package store_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

// testInTheWay migrates a database that has the earlier module's tables.
func testInTheWay(t *testing.T, db *storetest.Database) {
	root := db.Connect(t, "", "")
	execute(t, root, `
		CREATE SCHEMA kb;
		CREATE TABLE kb.projects (id uuid PRIMARY KEY, org_id uuid);
		CREATE TABLE kb.integrations (
			id uuid PRIMARY KEY, name varchar(50), settings bytea, org_id text, project_id uuid REFERENCES kb.projects);
		CREATE TABLE kb.clickup_sync_state (id uuid PRIMARY KEY, integration_id uuid REFERENCES kb.integrations);
		INSERT INTO kb.projects VALUES (gen_random_uuid(), gen_random_uuid());
		INSERT INTO kb.integrations SELECT gen_random_uuid(), 'clickup', 'x', 'org', id FROM kb.projects`)
	before := catalogListing(t, root)
	rows := one[string](t, root, `SELECT i::text FROM kb.integrations i`)

	err := migrate(t, db.URL)
	if err == nil {
		t.Fatal("migrated over tables of somebody else")
	}
	for _, part := range []string{"kb.clickup_sync_state, kb.integrations", "patchbay adopt --in-place", "nothing was changed"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
	if diff := cmp.Diff(before, catalogListing(t, root)); diff != "" {
		t.Errorf("the database was changed:\n%s", diff)
	}
	if got := one[string](t, root, `SELECT i::text FROM kb.integrations i`); got != rows {
		t.Errorf("the row was changed: %s", got)
	}
}

// projectsListing tells all of a host's table that we could have changed.
func projectsListing(t testing.TB, q querier) []string {
	t.Helper()
	return column[string](t, q, `
		SELECT format('table %s %s %s', relowner::regrole, relrowsecurity, relforcerowsecurity) FROM pg_class WHERE oid = 'kb.projects'::regclass
		UNION ALL SELECT format('column %s %s %s %s', attname, atttypid::regtype, attnotnull, attacl) FROM pg_attribute
			WHERE attrelid = 'kb.projects'::regclass AND attnum > 0
		UNION ALL SELECT 'policy ' || polname FROM pg_policy WHERE polrelid = 'kb.projects'::regclass
		UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = 'kb.projects'::regclass AND NOT tgisinternal
		UNION ALL SELECT 'index ' || indexrelid::regclass FROM pg_index WHERE indrelid = 'kb.projects'::regclass
		UNION ALL SELECT format('constraint %s', conname) FROM pg_constraint WHERE conrelid = 'kb.projects'::regclass AND contype <> 'n'
		ORDER BY 1`)
}

// A host product owns the schema and its projects; its login is the one that migrates.
func TestHostProjects(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	host, password := storetest.Login(t, "")
	db := storetest.Empty(t)
	root := db.Connect(t, "", "")
	execute(t, root, "GRANT patchbay_owner, patchbay_serve TO "+host)
	execute(t, root, "GRANT CREATE ON DATABASE "+db.Name+" TO "+host+" WITH GRANT OPTION")
	theirs := db.Connect(t, host, password)
	execute(t, theirs, `
		CREATE SCHEMA kb;
		CREATE TABLE kb.projects (id uuid PRIMARY KEY, org_id text, budget numeric, settings jsonb);
		CREATE INDEX ON kb.projects (budget)`)
	id, other := uuid.New(), uuid.New()
	execute(t, theirs, `INSERT INTO kb.projects VALUES ($1, 'org-a', 12.5), ($2, 'org-b', 1)`, id, other)
	before := projectsListing(t, root)

	if err := migrate(t, db.As(host, password)); err != nil {
		t.Fatal(err)
	}
	if err := migrate(t, db.As(host, password)); err != nil {
		t.Errorf("again: %v", err)
	}
	if diff := cmp.Diff(before, projectsListing(t, root)); diff != "" {
		t.Errorf("the host's table was changed (-before +after):\n%s", diff)
	}
	privileges := column[string](t, root, `
		SELECT format('%s %s', a.grantee::regrole, a.privilege_type)
		FROM pg_class c, aclexplode(c.relacl) a
		WHERE c.oid = 'kb.projects'::regclass AND a.grantee <> c.relowner
		ORDER BY 1`)
	if diff := cmp.Diff([]string{"patchbay_owner REFERENCES", "patchbay_serve SELECT"}, privileges); diff != "" {
		t.Errorf("privileges on the host's table (-want +got):\n%s", diff)
	}

	opened, err := open(t, db.As(host, password), false)
	if err != nil {
		t.Fatal(err)
	}
	tenant := opened.Tenant(integration.Scope{Org: org})
	page, err := tenant.Projects(ctx, integration.PageArgs{First: 10, CountTotal: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) != 1 || page.Total != 1 || page.Items[0].Node.ID != id || page.Items[0].Node.Name != id.String() {
		t.Errorf("projects: %s", toJSON(t, page))
	}
	createIntegration(t, tenant, newIntegration(id, "clickup"))
	_, err = tenant.CreateIntegration(ctx, ring(), newIntegration(other, "clickup"), store.With{})
	wantKind(t, err, integration.KindNotFound, "")
	_, err = tenant.CreateProject(ctx, uuid.New(), "Mine")
	wantKind(t, err, integration.KindForbidden, "")

	// The host's own deletion takes the integrations along.
	execute(t, theirs, `DELETE FROM kb.projects WHERE id = $1`, id)
	if n := one[int](t, root, `SELECT count(*) FROM kb.integrations`); n != 0 {
		t.Errorf("%d integrations are left of a project that is gone", n)
	}
}

func TestHostProjectsThatDoNotFit(t *testing.T) {
	t.Parallel()
	for name, columns := range map[string]string{
		"without org_id":      "id uuid PRIMARY KEY, name text",
		"id of another type":  "id bigint PRIMARY KEY, org_id text",
		"org of another type": "id uuid PRIMARY KEY, org_id uuid",
		"id that may repeat":  "id uuid, org_id text",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := storetest.Empty(t)
			root := db.Connect(t, "", "")
			execute(t, root, `CREATE SCHEMA kb; CREATE TABLE kb.projects (`+columns+`)`)
			err := migrate(t, db.URL)
			if err == nil || !strings.Contains(err.Error(), "kb.projects") || !strings.Contains(err.Error(), "needs") {
				t.Errorf("error: %v", err)
			}
			// It can be mended, and the migration run again.
			execute(t, root, `DROP TABLE kb.projects; CREATE TABLE kb.projects (id uuid PRIMARY KEY, org_id varchar(40))`)
			if err := migrate(t, db.URL); err != nil {
				t.Errorf("after the table was mended: %v", err)
			}
		})
	}
}

// pgcrypto may be there already, in a schema that nobody else may use.
func TestPgcryptoElsewhere(t *testing.T) {
	t.Parallel()
	db := storetest.Empty(t)
	execute(t, db.Connect(t, "", ""), `CREATE SCHEMA "Their extensions"; CREATE EXTENSION pgcrypto SCHEMA "Their extensions"`)
	if err := migrate(t, db.URL); err != nil {
		t.Fatal(err)
	}
	serves(t, db.URL, false)
}

// Another product that queues its jobs in a schema of River's name keeps them to itself.
func TestSomebodyElsesJobs(t *testing.T) {
	t.Parallel()
	db := storetest.Empty(t)
	root := db.Connect(t, "", "")
	execute(t, root, `CREATE SCHEMA river; CREATE TABLE river.river_job (id bigint)`)
	before := catalogListing(t, root)
	err := migrate(t, db.URL)
	if err == nil || !strings.Contains(err.Error(), "river.river_job; nothing was changed") {
		t.Errorf("error: %v", err)
	}
	if diff := cmp.Diff(before, catalogListing(t, root)); diff != "" {
		t.Errorf("the database was changed:\n%s", diff)
	}
}
