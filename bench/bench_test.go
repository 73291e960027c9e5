// Package bench measures Patchbay against floors in the same run: machines are noisy, ratios less so. Nothing here is a
// test with a time limit. Run it with make bench.
package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"patchbay/graph"
	"patchbay/internal/auth"
	"patchbay/internal/connect"
	"patchbay/internal/httpd"
	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/provider/builtin"
	"patchbay/internal/ratelimit"
	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if size := os.Getenv("BENCH_CLICKUP"); size != "" {
		serveClickUp(size)
		return
	}
	os.Exit(storetest.Run(m))
}

// connections is how many clients ask at once, and slice how long each contender works before the other gets its turn.
const (
	connections = 16
	slice       = 250 * time.Millisecond
)

// world is a server's parts on a database with one project of integrations.
type world struct {
	database *storetest.Database
	handler  http.Handler
	// unlimited is handler without the limits on who may ask how much.
	unlimited http.Handler
	key       string
	project   uuid.UUID
	service   *connect.Service
	db        *store.DB
	editor    integration.Principal
	master    seal.Secret
}

func newWorld(b *testing.B, integrations int) *world {
	b.Helper()
	ctx := context.Background()
	registry, err := provider.NewRegistry("http://localhost", builtin.All()...)
	if err != nil {
		b.Fatal(err)
	}
	generated := seal.GenerateKey()
	master, err := seal.ParseKey(generated)
	if err != nil {
		b.Fatal(err)
	}
	w := &world{database: storetest.New(b), master: generated, editor: integration.Principal{Subject: "bench", Org: "bench", Role: integration.RoleAdmin}}
	db := w.database.Open(b, registry.Catalogue(), nil)
	w.db = db
	if w.service, err = connect.New(ctx, db, seal.NewRing(master), registry, connect.Options{}); err != nil {
		b.Fatal(err)
	}
	project, err := w.service.CreateProject(ctx, w.editor, nil, "Bench")
	if err != nil {
		b.Fatal(err)
	}
	w.project = project.ID
	clickup := "clickup"
	for i := range integrations {
		_, err := w.service.CreateIntegration(ctx, w.editor, connect.NewIntegration{
			ProjectID: w.project, Name: fmt.Sprintf("clickup-%03d", i), Provider: &clickup,
			Settings: settings(map[string]any{"api_token": "pk_1234567890_ABCDEFGHIJKLMNOPQRSTUVWXYZ", "workspace_id": "9001"}),
		}, store.With{})
		if err != nil {
			b.Fatal(err)
		}
	}
	keys := auth.NewKeys(db)
	_, key, err := keys.Create(ctx, w.editor, auth.NewKey{Name: "bench", Role: integration.RoleEditor})
	if err != nil {
		b.Fatal(err)
	}
	w.key = key.Expose()
	resolver := &graph.Resolver{DB: db, Connect: w.service, Keys: keys, Catalogue: registry.Catalogue(), Log: slog.New(slog.DiscardHandler)}
	w.handler = handler(*resolver, ratelimit.NewBudgets(1_000_000_000), ratelimit.NewFailures(60))
	w.unlimited = handler(*resolver, nil, nil)
	return w
}

func handler(r graph.Resolver, budgets *ratelimit.Budgets, failures *ratelimit.Failures) http.Handler {
	noID := func(context.Context) string { return "" }
	r.Budgets = budgets
	sessions := auth.NewSessions(r.Keys, auth.SessionOptions{Log: r.Log, RequestID: noID, RemoteAddr: httpd.RemoteAddr, Failures: failures})
	return sessions.Middleware(graph.NewHandler(&r, noID))
}

const listQuery = `query ($project: UUID!) {
	integrations(orgId: "bench", projectId: $project) {
		nodes { id name displayName enabled createdAt updatedAt revision settings configuredSecrets syncState { status totalSynced } provider { name } }
	}
}`

// BenchmarkList asks for a page of 50 integrations with their sync states. The floor is a plain handler that runs the
// same kind of statement and writes the same answer with encoding/json.
func BenchmarkList(b *testing.B) {
	w := newWorld(b, 50)
	ours := httptest.NewServer(w.handler)
	defer ours.Close()
	floor := httptest.NewServer(floorHandler(b, w))
	defer floor.Close()
	body, err := json.Marshal(map[string]any{"query": listQuery, "variables": map[string]any{"project": w.project}})
	if err != nil {
		b.Fatal(err)
	}
	if a, f := post(b, ours.URL, w.key, body), post(b, floor.URL, w.key, body); len(a) < 5000 || len(f) < len(a)*9/10 || strings.Contains(a, "errors") {
		b.Fatalf("the two answer differently:\n%.300s\n%.300s", a, f)
	}
	compare(b, "requests", func() { post(b, floor.URL, w.key, body) }, func() { post(b, ours.URL, w.key, body) })
}

// BenchmarkLimits asks for what costs the server least, nothing of it from the database. The floor is the same server
// without limits: the rest is what counting, and telling what is left, cost.
func BenchmarkLimits(b *testing.B) {
	w := newWorld(b, 0)
	ours := httptest.NewServer(w.handler)
	defer ours.Close()
	floor := httptest.NewServer(w.unlimited)
	defer floor.Close()
	body := []byte(`{"query": "{ viewer { role } }"}`)
	if a, f := post(b, ours.URL, w.key, body), post(b, floor.URL, w.key, body); a != f || strings.Contains(a, "errors") {
		b.Fatalf("the two answer differently:\n%.300s\n%.300s", a, f)
	}
	compare(b, "requests", func() { post(b, floor.URL, w.key, body) }, func() { post(b, ours.URL, w.key, body) })
}

// floorHandler answers what listQuery asks for with net/http, pgx and encoding/json alone.
func floorHandler(b *testing.B, w *world) http.Handler {
	pool, err := pgxpool.New(context.Background(), w.database.URL+"&pool_max_conns=8")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	type state struct {
		Status      string `json:"status"`
		TotalSynced int    `json:"totalSynced"`
	}
	type node struct {
		ID                uuid.UUID         `json:"id"`
		Name              string            `json:"name"`
		DisplayName       string            `json:"displayName"`
		Enabled           bool              `json:"enabled"`
		CreatedAt         time.Time         `json:"createdAt"`
		UpdatedAt         time.Time         `json:"updatedAt"`
		Revision          int               `json:"revision"`
		Settings          map[string]any    `json:"settings"`
		ConfiguredSecrets []string          `json:"configuredSecrets"`
		SyncState         state             `json:"syncState"`
		Provider          map[string]string `json:"provider"`
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var request struct{ Variables struct{ Project uuid.UUID } }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		rows, err := pool.Query(r.Context(), `
			SELECT i.id, i.name, i.display_name, i.enabled, i.created_at, i.updated_at, i.revision, i.public_settings, i.configured_secrets,
				s.sync_status, s.total_synced, i.provider
			FROM kb.integrations i
			JOIN kb.sync_states s ON s.integration_id = i.id
			WHERE i.project_id = $1
			ORDER BY i.name
			LIMIT 51`, request.Variables.Project)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		nodes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n node, err error) {
			var name string
			err = row.Scan(&n.ID, &n.Name, &n.DisplayName, &n.Enabled, &n.CreatedAt, &n.UpdatedAt, &n.Revision, &n.Settings, &n.ConfiguredSecrets,
				&n.SyncState.Status, &n.SyncState.TotalSynced, &name)
			n.Provider = map[string]string{"name": name}
			return n, err
		})
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(map[string]any{"data": map[string]any{"integrations": map[string]any{"nodes": nodes}}})
	})
}

// BenchmarkCreate stores integrations with a sealed token. The floor is the same statement's two inserts without sealing.
func BenchmarkCreate(b *testing.B) {
	w := newWorld(b, 0)
	pool, err := pgxpool.New(context.Background(), w.database.URL+"&pool_max_conns=8")
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	ctx := context.Background()
	var n atomic.Int64
	clickup := "clickup"
	plain := func() {
		id := uuid.Must(uuid.NewV7())
		_, err := pool.Exec(ctx, `
			WITH i AS (
				INSERT INTO kb.integrations (id, project_id, org_id, name, provider, display_name, key_id, settings, configured_secrets, webhook_secret)
				VALUES ($1, $2, 'bench', $3, 'clickup', 'ClickUp', 'none', $4, '{api_token}', $4)
				RETURNING id, org_id, project_id)
			INSERT INTO kb.sync_states (integration_id, org_id, project_id)
			SELECT id, org_id, project_id
			FROM i`,
			id, w.project, fmt.Sprintf("p-%d", n.Add(1)), strings.Repeat("A", 180))
		if err != nil {
			b.Error(err)
		}
	}
	sealed := func() {
		_, err := w.service.CreateIntegration(ctx, w.editor, connect.NewIntegration{
			ProjectID: w.project, Name: fmt.Sprintf("s-%d", n.Add(1)), Provider: &clickup,
			Settings: settings(map[string]any{"api_token": "pk_1234567890_ABCDEFGHIJKLMNOPQRSTUVWXYZ", "workspace_id": "9001"}),
		}, store.With{})
		if err != nil {
			b.Error(err)
		}
	}
	compare(b, "integrations", plain, sealed)
}

func settings(values map[string]any) *integration.Settings {
	s := integration.NewSettings(values)
	return &s
}

// compare gives floor and ours turns of a slice each, and reports how many of what a second each did, and the ratio.
func compare(b *testing.B, what string, floor, ours func()) {
	b.Helper()
	spin(floor, slice) // connections, caches and plans
	spin(ours, slice)
	var floorDone, oursDone int64
	turns := 0
	for b.Loop() {
		floorDone += spin(floor, slice)
		oursDone += spin(ours, slice)
		turns++
	}
	seconds := float64(turns) * slice.Seconds()
	b.ReportMetric(float64(floorDone)/seconds, "floor-"+what+"/s")
	b.ReportMetric(float64(oursDone)/seconds, what+"/s")
	b.ReportMetric(float64(oursDone)/float64(floorDone), "of-floor")
	b.ReportMetric(0, "ns/op") // a turn's length says nothing
}

// spin calls fn from as many goroutines as there are connections for about the given time, and returns how often.
func spin(fn func(), d time.Duration) int64 {
	var done atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for range connections {
		wg.Go(func() {
			for time.Now().Before(end) {
				fn()
				done.Add(1)
			}
		})
	}
	wg.Wait()
	return done.Load()
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}

func post(b *testing.B, url, key string, body []byte) string {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		b.Error(err)
		return ""
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := client.Do(req)
	if err != nil {
		b.Error(err)
		return ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.Error(err)
	}
	return string(text)
}
