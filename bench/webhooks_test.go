package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/connect"
	"patchbay/internal/integration"
	"patchbay/internal/provider/clickup/clickuptest"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
	"patchbay/internal/webhook"
)

// webhookSlice is how long pgbench and the server take turns: pgbench counts whole seconds.
const webhookSlice = 2 * time.Second

// BenchmarkDeliveries sends signed deliveries, each about a task of its own, which costs most: each queues a job. The floor is pgbench,
// running the same transaction over as many connections as there are senders.
func BenchmarkDeliveries(b *testing.B) {
	pgbench := filepath.Join(storetest.BinDir(), "pgbench")
	if _, err := exec.LookPath(pgbench); err != nil {
		b.Skipf("%v: install PostgreSQL's client programs to run this benchmark", err)
	}
	w := newWorld(b, 0)
	secret := strings.Repeat("0123456789", 4)
	given := integration.NewSecretText(secret)
	clickup := "clickup"
	made, err := w.service.CreateIntegration(context.Background(), w.editor, connect.NewIntegration{
		ProjectID: w.project, Name: clickup, Provider: &clickup, WebhookSecret: &given,
	}, store.With{})
	if err != nil {
		b.Fatal(err)
	}
	hooks := webhook.New(w.db, w.service, webhook.Options{
		RemoteAddr: func(*http.Request) netip.Addr { return netip.Addr{} }, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/{provider}/{integration}", hooks)
	server := httptest.NewServer(mux)
	defer server.Close()
	url := server.URL + "/webhooks/clickup/" + made.ID.String()
	padding := strings.Repeat("x", 1000)
	var n atomic.Int64
	send := func() {
		body := fmt.Appendf(nil, `{"event":"taskUpdated","webhook_id":"h","task_id":"t%d","history_items":[{"id":"%[1]d","padding":"%s"}]}`, n.Add(1), padding)
		req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			b.Error(err)
			return
		}
		req.Header.Set("X-Signature", clickuptest.Sign(secret, body))
		res, err := client.Do(req)
		if err != nil {
			b.Error(err)
			return
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			b.Errorf("status %d", res.StatusCode)
		}
	}
	script := filepath.Join(b.TempDir(), "delivery.sql")
	if err := os.WriteFile(script, []byte(deliverySQL(made.ID, padding)), 0o600); err != nil {
		b.Fatal(err)
	}
	tps := regexp.MustCompile(`tps = ([0-9.]+)`)
	floor := func() float64 {
		run := exec.Command(pgbench, "-n", "-M", "prepared", "-c", strconv.Itoa(connections), "-T", strconv.Itoa(int(webhookSlice.Seconds())), "-f", script, w.database.URL)
		run.Env = append(os.Environ(), "PGOPTIONS=-c role=patchbay_serve", "LC_ALL=C")
		out, err := run.CombinedOutput()
		m := tps.FindSubmatch(out)
		if err != nil || m == nil {
			b.Fatalf("pgbench: %v\n%s", err, out)
		}
		rate, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			b.Fatal(err)
		}
		return rate
	}
	spin(send, slice)
	var floorRate, rate float64
	turns := 0
	for b.Loop() {
		floorRate += floor()
		rate += float64(spin(send, webhookSlice)) / webhookSlice.Seconds()
		turns++
	}
	b.ReportMetric(floorRate/float64(turns), "floor-deliveries/s")
	b.ReportMetric(rate/float64(turns), "deliveries/s")
	b.ReportMetric(rate/floorRate, "of-floor")
	b.ReportMetric(0, "ns/op") // a turn's length says nothing
}

// deliverySQL is what storing a delivery sends.
func deliverySQL(id uuid.UUID, padding string) string {
	return fmt.Sprintf(`BEGIN;
SELECT set_config('app.org', 'bench', true), set_config('app.projects', '', true);
WITH stored AS (
	INSERT INTO kb.webhook_deliveries (
		id, integration_id, org_id, project_id, delivery_key, delivery_id, event, status, object, reads, payload, headers, processed_at)
	SELECT gen_random_uuid(), i.id, i.org_id, i.project_id, sha256(gen_random_uuid()::text::bytea), 'd', 'taskUpdated', 'RECEIVED', 'TASK/' || gen_random_uuid(),
		'{"Changed": [{"Type": "TASK", "ExternalID": "t"}]}', '%s', '{}', NULL
	FROM kb.integrations i
	WHERE i.org_id = 'bench' AND i.id = '%s'
	ON CONFLICT (integration_id, delivery_key) DO NOTHING
	RETURNING integration_id, org_id, project_id, object
), told AS (
	INSERT INTO kb.webhook_objects AS w (id, integration_id, org_id, project_id, object)
	SELECT gen_random_uuid(), integration_id, org_id, project_id, object FROM stored
	ON CONFLICT (integration_id, object) DO UPDATE SET told_at = now()
	RETURNING w.id
)
SELECT id FROM told;
INSERT INTO river.river_job (args, kind, max_attempts, metadata, priority, queue, scheduled_at, state, tags)
VALUES (jsonb_build_object('org', 'bench', 'object', gen_random_uuid(), 'fence', 1), 'webhook_object', 5, '{}', 1, 'webhook', now(), 'available', '{}') RETURNING *;
COMMIT;
`, padding, id)
}
