package storetest

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

const setTenant = `SELECT set_config('app.org', $1, true), set_config('app.projects', $2, true)`

// send shows statements to a checker as one batch that begins with a tenant.
func send(s *Statements, conn *pgx.Conn, org, sql string, args ...any) {
	b := &pgx.Batch{}
	b.Queue(setTenant, org, "")
	b.Queue(sql, args...)
	s.TraceBatchStart(context.Background(), conn, pgx.TraceBatchStartData{Batch: b})
}

func TestStatementsOfOneTenantPass(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{
		`SELECT i.id FROM kb.integrations i WHERE i.org_id = $1 AND ($2::uuid[] IS NULL OR i.project_id = ANY ($2))`,
		`SELECT id FROM kb.api_keys WHERE id = $2 AND org_id = $1`,
		`SELECT i.id FROM kb.integrations i JOIN kb.sync_states s ON s.integration_id = i.id AND s.org_id = i.org_id WHERE i.org_id = $1`,
		`SELECT EXISTS (SELECT FROM kb.projects p WHERE p.org_id = $1::text)`,
		`UPDATE kb.integrations i SET enabled = true WHERE i.org_id = $1`,
		`DELETE FROM kb.integrations i WHERE i.org_id = $1`,
		`INSERT INTO kb.projects (id, org_id, name) VALUES ($2, $1, coalesce($3, 'a, b'))`,
		"WITH made AS (\nINSERT INTO kb.projects (id, org_id) VALUES ($2, $1) RETURNING *)\nINSERT INTO kb.audit_events (id, org_id)\nSELECT $3, org_id\nFROM made",
		`SELECT kb.extend_audit_chain($2)`,
		`SELECT kb.seal($2, $3)`,
		`UPDATE river.river_job SET state = 'completed' WHERE id = $1`,
	} {
		s := &Statements{}
		send(s, nil, "org-a", sql, "org-a", nil, nil)
		for _, fault := range s.Faults() {
			t.Error(fault)
		}
	}
}

func TestStatementsOfSeveralTenantsAreFaults(t *testing.T) {
	t.Parallel()
	for sql, fault := range map[string]string{
		`SELECT i.id FROM kb.integrations i WHERE i.id = $1`:                                                                                      "kb.integrations is not limited",
		`SELECT i.id FROM kb.integrations i WHERE i.org_id = $2`:                                                                                  "$2 is not the tenant",
		`SELECT i.id FROM kb.integrations i WHERE i.org_id = $1 OR i.enabled`:                                                                     "OR stands beside",
		`SELECT i.id FROM kb.integrations i WHERE (i.org_id = $1 OR i.enabled)`:                                                                   "kb.integrations is not limited",
		`SELECT i.id FROM kb.integrations i, kb.projects p WHERE p.org_id = $1`:                                                                   "kb.integrations is not limited",
		`SELECT i.id FROM kb.integrations i JOIN kb.sync_states s ON s.integration_id = i.id WHERE i.org_id = $1`:                                 "kb.sync_states is not limited",
		`SELECT i.id FROM kb.integrations i JOIN kb.sync_states s ON s.org_id = i.org_id`:                                                         "kb.sync_states is not limited",
		`SELECT id FROM kb.api_keys WHERE org_id = $1 UNION ALL SELECT id FROM kb.api_keys`:                                                       "kb.api_keys is not limited",
		`SELECT (SELECT count(*) FROM kb.projects) FROM kb.integrations i WHERE i.org_id = $1`:                                                    "kb.projects is not limited",
		`WITH l AS (SELECT i.id FROM kb.integrations i WHERE i.org_id = $1) UPDATE kb.integrations i SET enabled = true FROM l WHERE i.id = l.id`: "kb.integrations is not limited",
		`UPDATE kb.integrations SET org_id = $1`:                                                                                                  "kb.integrations is not limited",
		`DELETE FROM kb.integrations`:                                                                                                             "kb.integrations is not limited",
		`TRUNCATE kb.integrations`:                                                                                                                "1 tables of tenants are mentioned, and 0",
		`INSERT INTO kb.projects (id, org_id) VALUES ($1, $2)`:                                                                                    "$2 is not the tenant",
		`INSERT INTO kb.projects (id, org_id) VALUES ($1, 'org-b')`:                                                                               "kb.projects is not limited",
		`INSERT INTO kb.projects (id) VALUES ($1)`:                                                                                                "kb.projects is not limited",
		`INSERT INTO kb.projects SELECT * FROM kb.projects p WHERE p.org_id = $1`:                                                                 "kb.projects is not limited",
		`SELECT id FROM "kb"."integrations"`:                                                                                                      "the schema is quoted",
		`SELECT kb.everything()`:                                                                                                                  "the function kb.everything is not known",
		`SELECT ')', id FROM kb.integrations i WHERE i.id = (SELECT '(' WHERE true)`:                                                              "kb.integrations is not limited",
		`SELECT i.id FROM kb.integrations AS i LEFT JOIN kb.projects ON org_id = $1 `:                                                             "kb.integrations is not limited",
	} {
		s := &Statements{}
		send(s, nil, "org-a", sql, "org-a", "org-b")
		if found := strings.Join(s.Faults(), "\n"); !strings.Contains(found, fault) {
			t.Errorf("%s: %q", sql, found)
		}
	}
}

func TestStatementsNeedATenantInTheirTransaction(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const list = `SELECT i.id FROM kb.integrations i WHERE i.org_id = $1`
	query := func(s *Statements, conn *pgx.Conn, sql string, args ...any) {
		s.TraceQueryStart(ctx, conn, pgx.TraceQueryStartData{SQL: sql, Args: args})
	}
	a, b := &pgx.Conn{}, &pgx.Conn{}
	for name, test := range map[string]struct {
		sent  func(*Statements)
		fault string
	}{
		"none":             {func(s *Statements) { query(s, a, list, "org-a") }, "no tenant is set"},
		"a function alone": {func(s *Statements) { query(s, a, `SELECT kb.extend_audit_chain($1)`, 5) }, "no tenant is set"},
		"in the batch before": {func(s *Statements) {
			send(s, a, "org-a", list, "org-a")
			query(s, a, list, "org-a")
		}, "no tenant is set"},
		"on another connection": {func(s *Statements) {
			query(s, a, "begin")
			query(s, a, setTenant, "org-a", "")
			query(s, b, list, "org-a")
		}, "no tenant is set"},
		"in the transaction before": {func(s *Statements) {
			query(s, a, "begin")
			query(s, a, setTenant, "org-a", "")
			query(s, a, list, "org-a")
			query(s, a, "commit")
			query(s, a, "begin")
			query(s, a, list, "org-a")
		}, "no tenant is set"},
		"a copy": {func(s *Statements) {
			s.TraceCopyFromStart(ctx, a, pgx.TraceCopyFromStartData{TableName: pgx.Identifier{"kb", "integrations"}})
		}, "1 tables of tenants are mentioned, and 0"},
		"two": {func(s *Statements) {
			query(s, a, "begin")
			query(s, a, setTenant, "org-a", "")
			query(s, a, setTenant, "org-b", "")
		}, "two tenants are set"},
		"in the transaction": {func(s *Statements) {
			query(s, a, "begin")
			query(s, a, setTenant, "org-a", "")
			query(s, a, "savepoint sp_1")
			query(s, a, "rollback to savepoint sp_1")
			query(s, a, list, "org-a")
			query(s, a, "rollback")
			query(s, a, `SELECT org_id FROM kb.organisations_to_chain()`)
		}, ""},
	} {
		s := &Statements{}
		test.sent(s)
		if found := strings.Join(s.Faults(), "\n"); !strings.Contains(found, test.fault) || test.fault == "" && found != "" {
			t.Errorf("%s: %q", name, found)
		}
	}
}
