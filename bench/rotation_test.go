package bench

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/connect"
	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/provider/builtin"
	"patchbay/internal/seal"
	"patchbay/internal/store/storetest"
)

// BenchmarkRotate seals integrations anew under another key, to and fro, by jobs as a server does; ROTATE_ROWS says how
// many (20000). The floor is one plain UPDATE of the same columns of as many rows.
func BenchmarkRotate(b *testing.B) {
	count := 20_000
	if text := os.Getenv("ROTATE_ROWS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	ctx := context.Background()
	registry, err := provider.NewRegistry("http://localhost", builtin.All()...)
	if err != nil {
		b.Fatal(err)
	}
	var keys [2]seal.Key
	for i := range keys {
		if keys[i], err = seal.ParseKey(seal.GenerateKey()); err != nil {
			b.Fatal(err)
		}
	}
	rings := [2]*seal.Ring{seal.NewRing(keys[0], keys[1]), seal.NewRing(keys[1], keys[0])}
	database := storetest.New(b)
	db := database.Open(b, registry.Catalogue(), nil)
	var services [2]*connect.Service
	for i := range services {
		if services[i], err = connect.New(ctx, db, rings[i], registry, connect.Options{}); err != nil {
			b.Fatal(err)
		}
	}
	admin := integration.Principal{Subject: "bench", Org: "bench", Role: integration.RoleAdmin}
	project, err := services[0].CreateProject(ctx, admin, nil, "Bench")
	if err != nil {
		b.Fatal(err)
	}
	root := database.Connect(b, "", "")
	fill(b, root, rings[0], project.ID, count)
	log := slog.New(slog.DiscardHandler)
	crew, err := db.Work(ctx, log, services[0].Workers(log))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := crew.Stop(); err != nil {
			b.Error(err)
		}
	}()

	var ours, floor time.Duration
	turns := 0
	for b.Loop() {
		turns++
		start := time.Now()
		r, err := services[turns%2].RotateKey(ctx, admin)
		if err != nil {
			b.Fatal(err)
		}
		for r.FinishedAt == nil {
			time.Sleep(10 * time.Millisecond)
			if r, err = db.Tenant(admin.Scope()).KeyRotation(ctx, r.ID); err != nil {
				b.Fatal(err)
			}
		}
		if ours += time.Since(start); r.Done != count || r.Failed != 0 {
			b.Fatalf("%d of %d rows, %d failed", r.Done, count, r.Failed)
		}
		if _, err := root.Exec(ctx, `VACUUM ANALYZE kb.integrations`); err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		tag, err := root.Exec(ctx, `UPDATE kb.integrations SET settings = settings || '', webhook_secret = webhook_secret || '', key_id = key_id || ''`)
		if floor += time.Since(start); err != nil || int(tag.RowsAffected()) != count {
			b.Fatalf("%d rows, %v", tag.RowsAffected(), err)
		}
		if _, err := root.Exec(ctx, `VACUUM ANALYZE kb.integrations`); err != nil {
			b.Fatal(err)
		}
	}
	rows := float64(turns * count)
	b.ReportMetric(rows/floor.Seconds(), "floor-rows/s")
	b.ReportMetric(rows/ours.Seconds(), "rows/s")
	b.ReportMetric(floor.Seconds()/ours.Seconds(), "of-floor")
	b.ReportMetric(0, "ns/op") // a turn's length says nothing
}

// fill makes sealed integrations directly in the database.
func fill(b *testing.B, root *pgx.Conn, ring *seal.Ring, project uuid.UUID, count int) {
	b.Helper()
	var ids, names, settings, webhooks []string
	for n := range count {
		id := uuid.Must(uuid.NewV7())
		var pass [2]seal.Secret
		for i, column := range []string{"settings", "webhook_secret"} {
			var err error
			if pass[i], err = ring.Passphrase(ring.CurrentID(), seal.Cell{Table: "kb.integrations", Column: column, Row: id, Org: "bench"}); err != nil {
				b.Fatal(err)
			}
		}
		ids, names = append(ids, id.String()), append(names, fmt.Sprintf("clickup-%d", n))
		settings, webhooks = append(settings, pass[0].Expose()), append(webhooks, pass[1].Expose())
	}
	if _, err := root.Exec(context.Background(), `
		INSERT INTO kb.integrations (id, project_id, org_id, name, provider, display_name, key_id, configured_secrets, settings, webhook_secret)
		SELECT g.id, $1, 'bench', g.name, 'clickup', 'ClickUp', $2, '{api_token}',
			kb.seal('{"api_token": "pk_1234567890_ABCDEFGHIJKLMNOPQRSTUVWXYZ"}', g.settings), kb.seal(repeat('0123456789abcdef', 4), g.webhook)
		FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[]) AS g (id, name, settings, webhook)`,
		project, ring.CurrentID(), ids, names, settings, webhooks); err != nil {
		b.Fatal(err)
	}
	if _, err := root.Exec(context.Background(), `ANALYZE kb.integrations`); err != nil {
		b.Fatal(err)
	}
}
