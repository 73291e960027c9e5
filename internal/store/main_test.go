package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

var catalogue = integration.NewCatalogue(
	&integration.Provider{
		Name:             "clickup",
		DisplayName:      "ClickUp",
		SecretSettings:   []string{"api_token", "other_token"},
		RequiredSettings: []string{"api_token", "workspace_id"},
		Capabilities:     integration.ProviderCapabilities{SupportsWebhooks: true, SupportsWebhookRegistration: true},
	},
	&integration.Provider{Name: "github", DisplayName: "GitHub", SecretSettings: []string{"token"}, RequiredSettings: []string{"token"}},
)

// masterTexts are two master keys as an operator would give them; keys are the same, parsed once, which takes a while.
var (
	masterTexts = []seal.Secret{seal.GenerateKey(), seal.GenerateKey()}
	keys        = sync.OnceValue(func() []seal.Key {
		parsed := make([]seal.Key, len(masterTexts))
		var all sync.WaitGroup
		for i, text := range masterTexts {
			all.Go(func() {
				k, err := seal.ParseKey(text)
				if err != nil {
					panic(err)
				}
				parsed[i] = k
			})
		}
		all.Wait()
		return parsed
	})
	ring = sync.OnceValue(func() *seal.Ring { return seal.NewRing(keys()[0]) })
)

// webhookSecret is that of every integration that newIntegration describes.
const webhookSecret = "the webhook secret of tests"

// newIntegration describes an integration with one public and one secret setting.
func newIntegration(project uuid.UUID, name string) store.NewIntegration {
	return store.NewIntegration{
		ID:             uuid.Must(uuid.NewV7()),
		ProjectID:      project,
		Name:           name,
		Provider:       "clickup",
		DisplayName:    "Display " + name,
		Enabled:        true,
		PublicSettings: map[string]any{"workspace_id": "w1"},
		Secrets:        secrets("api_token", "token of "+name),
		WebhookSecret:  seal.NewSecret(webhookSecret),
	}
}

// secrets makes a map of names and values in turn.
func secrets(pairs ...string) map[string]seal.Secret {
	m := map[string]seal.Secret{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = seal.NewSecret(pairs[i+1])
	}
	return m
}

func createProject(t testing.TB, tenant *store.Tenant, name string) uuid.UUID {
	t.Helper()
	p, err := tenant.CreateProject(context.Background(), uuid.Must(uuid.NewV7()), name)
	if err != nil {
		t.Fatalf("create project %q: %v", name, err)
	}
	return p.ID
}

func createIntegration(t testing.TB, tenant *store.Tenant, n store.NewIntegration) *integration.PublicIntegration {
	t.Helper()
	i, err := tenant.CreateIntegration(context.Background(), ring(), n, store.With{State: true})
	if err != nil {
		t.Fatalf("create integration %q: %v", n.Name, err)
	}
	return i
}

// workspace is a migrated database with one organisation and one project in it.
type workspace struct {
	db      *storetest.Database
	store   *store.DB
	tenant  *store.Tenant
	project uuid.UUID
	root    *pgx.Conn // superuser
}

const org = "org-a"

func newWorkspace(t testing.TB, tracer pgx.QueryTracer) *workspace {
	t.Helper()
	w := &workspace{db: storetest.New(t)}
	w.store = w.db.Open(t, catalogue, tracer)
	w.tenant = w.store.Tenant(integration.Scope{Org: org})
	w.project = createProject(t, w.tenant, "Project")
	w.root = w.db.Connect(t, "", "")
	return w
}

// querier is a connection, a pool or a transaction.
type querier interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	Query(context.Context, string, ...any) (pgx.Rows, error)
}

func execute(t testing.TB, q querier, sql string, args ...any) int64 {
	t.Helper()
	tag, err := q.Exec(context.Background(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return tag.RowsAffected()
}

// one returns the one value that a query selects.
func one[T any](t testing.TB, q querier, sql string, args ...any) T {
	t.Helper()
	rows, err := q.Query(context.Background(), sql, args...)
	if err == nil {
		var v T
		if v, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[T]); err == nil {
			return v
		}
	}
	t.Fatalf("%s: %v", sql, err)
	panic("unreachable")
}

// column returns the column that a query selects.
func column[T any](t testing.TB, q querier, sql string, args ...any) []T {
	t.Helper()
	rows, err := q.Query(context.Background(), sql, args...)
	if err == nil {
		var v []T
		if v, err = pgx.CollectRows(rows, pgx.RowTo[T]); err == nil {
			return v
		}
	}
	t.Fatalf("%s: %v", sql, err)
	panic("unreachable")
}

// sqlState is the code of PostgreSQL's error, or "" where err is none.
func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

func wantKind(t testing.TB, err error, kind integration.Kind, field string) {
	t.Helper()
	var e *integration.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Field != field {
		t.Errorf("error %v, want kind %d with field %q", err, kind, field)
	}
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func ptr[T any](v T) *T { return &v }
