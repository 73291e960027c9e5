package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

// lookups are what a principal can ask about by ids, each with a project and an id of an integration or key.
var lookups = map[string]func(ctx context.Context, t *store.Tenant, project, id uuid.UUID) error{
	"IntegrationByID": func(ctx context.Context, t *store.Tenant, _, id uuid.UUID) error {
		_, err := t.IntegrationByID(ctx, id, store.With{State: true})
		return err
	},
	"IntegrationVersionByID": func(ctx context.Context, t *store.Tenant, _, id uuid.UUID) error {
		_, err := t.IntegrationVersionByID(ctx, id)
		return err
	},
	"Integration": func(ctx context.Context, t *store.Tenant, project, _ uuid.UUID) error {
		_, err := t.Integration(ctx, project, "name-1", store.With{State: true})
		return err
	},
	"IntegrationVersion": func(ctx context.Context, t *store.Tenant, project, _ uuid.UUID) error {
		_, err := t.IntegrationVersion(ctx, project, "name-1")
		return err
	},
	"DeleteIntegration": func(ctx context.Context, t *store.Tenant, project, _ uuid.UUID) error {
		_, err := t.DeleteIntegration(ctx, project, "name-1")
		return err
	},
	"CreateIntegration": func(ctx context.Context, t *store.Tenant, project, _ uuid.UUID) error {
		_, err := t.CreateIntegration(ctx, ring(), newIntegration(project, "another"), store.With{State: true})
		return err
	},
	"CheckProject": func(ctx context.Context, t *store.Tenant, project, _ uuid.UUID) error {
		return t.CheckProject(ctx, project)
	},
	"Integrations": func(ctx context.Context, t *store.Tenant, project, _ uuid.UUID) error {
		_, err := t.Integrations(ctx, project, integration.Filter{}, integration.PageArgs{First: 50, CountTotal: true}, store.With{State: true})
		return err
	},
	"ProjectIntegrations": func(ctx context.Context, t *store.Tenant, project, _ uuid.UUID) error {
		_, err := t.ProjectIntegrations(ctx, project, store.With{State: true})
		return err
	},
	"SyncStates": func(ctx context.Context, t *store.Tenant, project, _ uuid.UUID) error {
		_, err := t.SyncStates(ctx, project, nil)
		return err
	},
	"AuditEvents": func(ctx context.Context, t *store.Tenant, project, id uuid.UUID) error {
		_, err := t.AuditEvents(ctx, integration.AuditFilter{ProjectID: &project, IntegrationID: &id}, integration.PageArgs{First: 50})
		return err
	},
	"CreateAPIKey": func(ctx context.Context, t *store.Tenant, project, _ uuid.UUID) error {
		_, err := t.CreateAPIKey(ctx, newKey([]uuid.UUID{project}))
		return err
	},
	"RevokeAPIKey": func(ctx context.Context, t *store.Tenant, _, id uuid.UUID) error {
		_, err := t.RevokeAPIKey(ctx, id)
		return err
	},
	"KeyRotation": func(ctx context.Context, t *store.Tenant, _, id uuid.UUID) error {
		_, err := t.KeyRotation(ctx, id)
		return err
	},
}

// work is what the database did for one statement.
type work struct {
	Plan    []string // its nodes, with what they scan
	Buffers int
}

// measure runs what a call sent once more, as the serving role, and returns the work done for each statement. mode is
// PostgreSQL's plan_cache_mode.
func measure(t testing.TB, serve *pgx.Conn, sent []trip, mode string) (done []work) {
	t.Helper()
	ctx := context.Background()
	for _, tr := range sent {
		tx, err := serve.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		execute(t, tx, `SELECT set_config('plan_cache_mode', $1, true)`, mode)
		for i, sql := range tr.sql {
			if sql == store.SetScope {
				execute(t, tx, sql, tr.args[i]...)
				continue
			}
			run := "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) " + prepared(t, serve, sql, tr.args[i])
			var w work
			for range 2 { // the second time everything is in memory
				text := one[string](t, tx, run)
				var plans []struct{ Plan node }
				if err := json.Unmarshal([]byte(text), &plans); err != nil {
					t.Fatal(err)
				}
				w = work{plans[0].Plan.lines(""), plans[0].Plan.Hit + plans[0].Plan.Read}
			}
			done = append(done, w)
		}
		if err := tx.Rollback(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return done
}

// prepared prepares a statement, since only then there are generic plans, and returns the EXECUTE of it.
func prepared(t testing.TB, conn *pgx.Conn, sql string, args []any) string {
	t.Helper()
	name := fmt.Sprintf("measured_%x", sha256.Sum256([]byte(sql)))[:40]
	statement, err := conn.Prepare(context.Background(), name, sql)
	if err != nil {
		t.Fatal(err)
	}
	literals := make([]string, len(args))
	for i, arg := range args {
		text, err := conn.TypeMap().Encode(statement.ParamOIDs[i], pgx.TextFormatCode, arg, []byte{})
		switch {
		case err != nil:
			t.Fatal(err)
		case text == nil:
			literals[i] = "NULL"
		default:
			literals[i] = "'" + strings.ReplaceAll(string(text), "'", "''") + "'"
		}
	}
	if len(literals) == 0 {
		return "EXECUTE " + name
	}
	return "EXECUTE " + name + " (" + strings.Join(literals, ", ") + ")"
}

// node is one of a plan's.
type node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Hit      int     `json:"Shared Hit Blocks"`
	Read     int     `json:"Shared Read Blocks"`
	Plans    []node
}

func (n node) lines(indent string) []string {
	all := []string{fmt.Sprintf("%s%s %s %s rows=%v loops=%v", indent, n.Type, n.Relation, n.Index, n.Rows, n.Loops)}
	for _, below := range n.Plans {
		all = append(all, below.lines(indent+" ")...)
	}
	return all
}

// What another organisation has takes the very same work as what nobody has: statements, plans, rows and pages. For a
// principal of some projects, what its own organisation has in others may take two pages more, those of a row and its index.
func TestForeignAndMissingAreTheSameWork(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tr := &tracer{}
	w := newWorkspace(t, tr)
	for _, sql := range []string{
		`INSERT INTO kb.projects (id, org_id, name)
		SELECT gen_random_uuid(), 'org-' || chr(97 + n % 4), 'Project ' || n FROM generate_series(1, 199) n`,
		`INSERT INTO kb.integrations (name, provider, display_name, org_id, project_id)
		SELECT 'name-' || n, 'clickup', 'Name', p.org_id, p.id FROM kb.projects p, generate_series(1, 100) n`,
		`INSERT INTO kb.sync_states (integration_id, org_id, project_id) SELECT id, org_id, project_id FROM kb.integrations`,
		`INSERT INTO kb.api_keys (org_id, name, prefix, hash, role, project_ids)
		SELECT p.org_id, 'key', 'pb_x', sha256((p.id::text || n)::bytea), 'VIEWER', ARRAY[p.id] FROM kb.projects p, generate_series(1, 20) n`,
		`INSERT INTO kb.audit_events (id, org_id, project_id, integration_id, actor, action, changes)
		SELECT gen_random_uuid(), org_id, project_id, id, 'a', 'integration.create', '{}' FROM kb.integrations`,
		`VACUUM ANALYZE`,
	} {
		execute(t, w.root, sql)
	}
	serve := w.db.Connect(t, "", "")
	execute(t, serve, "SET ROLE patchbay_serve")
	for _, asker := range []struct {
		name   string
		scope  integration.Scope
		victim string // whose
		pages  int    // more
	}{
		{"another organisation's", integration.Scope{Org: org}, "org-b", 0},
		{"another organisation's, asked by a principal of a project", integration.Scope{Org: org, Projects: []uuid.UUID{w.project}}, "org-b", 0},
		{"another project's", integration.Scope{Org: org, Projects: []uuid.UUID{w.project}}, org, 2},
	} {
		rotation := uuid.New()
		if asker.victim != org {
			r, _, err := w.store.Tenant(integration.Scope{Org: asker.victim}).StartKeyRotation(ctx, nextRing().CurrentID())
			if err != nil {
				t.Fatal(err)
			}
			rotation = r.ID
		}
		project := one[uuid.UUID](t, w.root, `SELECT id FROM kb.projects WHERE org_id = $1 AND id <> $2 LIMIT 1`, asker.victim, w.project)
		for name, lookup := range lookups {
			id := one[uuid.UUID](t, w.root, `SELECT id FROM kb.integrations WHERE project_id = $1 AND name = 'name-1'`, project)
			switch name {
			case "RevokeAPIKey":
				id = one[uuid.UUID](t, w.root, `SELECT id FROM kb.api_keys WHERE project_ids = ARRAY[$1::uuid] LIMIT 1`, project)
			case "KeyRotation":
				id = rotation
			}
			tr.take()
			ask := func(project, id uuid.UUID) (sent []trip, said string) {
				err := lookup(ctx, w.store.Tenant(asker.scope), project, id)
				return tr.take(), strings.NewReplacer(project.String(), "P", id.String(), "I").Replace(fmt.Sprint(err))
			}
			exists, said := ask(project, id)
			missing, saidMissing := ask(uuid.New(), uuid.New())
			if said != saidMissing {
				t.Errorf("%s %s: %s, and %s", asker.name, name, said, saidMissing)
			}
			for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
				want, got := measure(t, serve, missing, mode), measure(t, serve, exists, mode)
				for i := range min(len(want), len(got)) {
					if more := got[i].Buffers - want[i].Buffers; more > 0 && more <= asker.pages {
						got[i] = want[i]
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s %s with %s (-missing +foreign)\n%s", asker.name, name, mode, diff)
				}
			}
		}
	}
}
