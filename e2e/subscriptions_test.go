package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestSubscriptions has the clients that people use follow runs, each a run of its own, through one of two servers on a
// database, while this test plays the workers. Their names are what subscriptions.mjs knows.
func TestSubscriptions(t *testing.T) {
	t.Parallel()
	node := needNode(t)
	s := start(t, binary(t))
	replica := s.replica(t)
	viewer := s.key(t, "viewer")
	for _, client := range []string{"graphql-sse", "graphql-ws", "graphql-ws-init", "urql-sse", "urql-ws"} {
		t.Run(client, func(t *testing.T) {
			short := s.key(t, "viewer")
			w := newWorkers(t, s, client)
			node.run(t, "subscriptions.mjs", map[string]func(){
				"advance":         func() { w.change(`status = 'RUNNING', processed = processed + 1, total = 9`); w.tell() },
				"finish":          func() { w.change(`status = 'SUCCESS', processed = 9, finished_at = now()`); w.tell() },
				"advance quietly": func() { w.change(`processed = processed + 1`) },
				"cut": func() {
					w.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'patchbay listen' AND datname = current_database()`)
				},
				"revoke":  func() { w.exec(`UPDATE kb.api_keys SET revoked_at = now() WHERE prefix = $1`, short[:11]) },
				"restart": func() { replica.stop(t); replica.start(t) },
			}, "CLIENT="+client, "PATCHBAY_URL="+replica.URL, "API_KEY="+viewer, "SHORT_KEY="+short, "RUN="+w.run, "PROJECT="+w.project)
		})
	}
	for _, log := range []*output{s.log, replica.log} {
		for _, secret := range s.secrets {
			if strings.Contains(log.String(), secret) {
				t.Error("a log holds a secret")
			}
		}
	}
}

// workers do to one run what those of a server would.
type workers struct {
	t            *testing.T
	conn         *pgx.Conn
	run, project string
}

func newWorkers(t *testing.T, s *server, name string) *workers {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), s.postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	w := &workers{t: t, conn: conn}
	// The integration's secrets are not looked at, and no worker takes the run over before tomorrow.
	err = conn.QueryRow(context.Background(), `
		WITH integration AS (
			INSERT INTO kb.integrations (id, org_id, project_id, name, provider, display_name)
			SELECT gen_random_uuid(), org_id, id, $1, 'clickup', 'ClickUp' FROM kb.projects
			RETURNING *
		)
		INSERT INTO kb.sync_runs (id, integration_id, org_id, project_id, mode, trigger, heartbeat_at)
		SELECT gen_random_uuid(), id, org_id, project_id, 'FULL', 'MANUAL', now() + interval '1 day' FROM integration
		RETURNING id::text, project_id::text`, name).Scan(&w.run, &w.project)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *workers) exec(statement string, args ...any) {
	w.t.Helper()
	if tag, err := w.conn.Exec(context.Background(), statement, args...); err != nil || tag.RowsAffected() == 0 {
		w.t.Errorf("%s: %s, %v", statement, tag, err)
	}
}

func (w *workers) change(set string) {
	w.t.Helper()
	w.exec(fmt.Sprintf(`UPDATE kb.sync_runs SET %s WHERE id = $1`, set), w.run)
}

func (w *workers) tell() {
	w.t.Helper()
	w.exec(`SELECT pg_notify('patchbay_sync', json_build_object('p', project_id, 'i', integration_id, 'r', id)::text) FROM kb.sync_runs WHERE id = $1`, w.run)
}
