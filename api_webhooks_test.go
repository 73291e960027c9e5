package main

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"patchbay/internal/provider/clickup/clickuptest"
)

// delivery puts one that was given up into an integration's list.
func (c *client) delivery(t testing.TB, integration string) string {
	t.Helper()
	return rows(t, c.db, `
		INSERT INTO kb.webhook_deliveries (
			id, integration_id, org_id, project_id, delivery_key, delivery_id, event, status, reads, payload, headers, processed_at, error)
		SELECT gen_random_uuid(), id, org_id, project_id, sha256('given up'), 'd1', 'taskUpdated', 'FAILED', '{}', '{"event": "taskUpdated", "task_id": "none"}', '{}', now(), 'it failed'
		FROM kb.integrations
		WHERE id = $1
		RETURNING id::text`, integration)[0]
}

// churned changes a stand-in until so many deliveries follow from that.
func churned(p *thirdParty, seed uint64, least int) (due []clickuptest.Delivery) {
	random := rand.New(rand.NewPCG(seed, seed))
	for len(due) < least {
		p.Churn(random, 50)
		due = append(due, p.Deliveries()...)
	}
	return due
}

// settled waits until every delivery was worked on, and returns how many there are of each status. It fails once nothing has come of any for
// a while: how long all take is for the machine to say, and the one of a deletion waits until runs have ended that may store it again.
func (c *client) settled(t testing.TB) string {
	t.Helper()
	const patience = 100 * time.Second
	left := func() string {
		return rows(t, c.db, `SELECT count(*)::text FROM kb.webhook_deliveries WHERE status = 'RECEIVED'`)[0]
	}
	for before, since := "", time.Now(); ; time.Sleep(50 * time.Millisecond) {
		now := left()
		if now == "0" {
			break
		}
		if now != before {
			before, since = now, time.Now()
		}
		if time.Since(since) > patience {
			t.Fatalf("%s deliveries wait, and none was worked on for %s:\n%s", now, patience, strings.Join(c.underWay(t), "\n"))
		}
	}
	return rows(t, c.db, `SELECT coalesce(string_agg(status || ' ' || n, ', ' ORDER BY status), '') FROM (SELECT status, count(*) n FROM kb.webhook_deliveries GROUP BY status) x`)[0]
}

// underWay is what there is to be worked on, and by whom, for whoever finds out why nothing comes of it.
func (c *client) underWay(t testing.TB) []string {
	t.Helper()
	return rows(t, c.db, `
		SELECT format('%s deliveries after %s attempts, the last of which said %s', count(*), attempts, coalesce(error, 'nothing'))
		FROM kb.webhook_deliveries
		WHERE status = 'RECEIVED'
		GROUP BY attempts, error
		UNION ALL
		SELECT format('%s objects of them after %s attempts, gone: %s, with more to read: %s, last heard of %s s ago', count(*), attempts, gone_at IS NOT NULL, rest IS NOT NULL, ago)
		FROM kb.webhook_objects, LATERAL (SELECT extract(epoch FROM clock_timestamp() - heartbeat_at)::int / 10 * 10 AS ago) x
		GROUP BY attempts, gone_at IS NOT NULL, rest IS NOT NULL, ago
		UNION ALL
		SELECT format('a run by %s, %s, %s in %s at %s (%s), queued %s and last heard of %s ago, waiting until %s', trigger, mode, status, stage, step, error, clock_timestamp() - queued_at, clock_timestamp() - heartbeat_at, waiting_until)
		FROM kb.sync_runs
		UNION ALL
		SELECT format('%s jobs %s are %s, the first of them due in %s', count(*), kind, state, min(scheduled_at) - clock_timestamp())
		FROM river.river_job
		GROUP BY kind, state
		UNION ALL
		SELECT format('%s leads the job queues for another %s', leader_id, expires_at - clock_timestamp())
		FROM river.river_leader`)
}

// wantCurrent compares an integration's objects with what a stand-in has now. What became archived before it was imported may be
// left out, and what no webhook tells of (documents, comments that were deleted, and those of a task that a run is to read) is not compared.
func (c *client) wantCurrent(t testing.TB, id string, to *thirdParty) {
	t.Helper()
	got, all, open := c.imported(t, id), to.there(clickuptest.Selection{}), to.there(clickuptest.Selection{NoArchived: true})
	for _, kind := range []string{"PROJECT", "COLLECTION", "TASK"} {
		for _, external := range got[kind] {
			if _, ok := slices.BinarySearch(all[kind], external); !ok {
				t.Errorf("%s %s is stored, and is not there", kind, external)
			}
		}
		for _, external := range open[kind] {
			if _, ok := slices.BinarySearch(got[kind], external); !ok {
				t.Errorf("%s %s is there, and is not stored", kind, external)
			}
		}
	}
	titles := map[string]string{}
	for _, line := range rows(t, c.db, `SELECT external_id || ' ' || concat_ws('|', title, external_parent_id, archived, completed) FROM kb.synced_objects WHERE type = 'TASK' AND deleted_at IS NULL AND integration_id = $1`, id) {
		external, rest, _ := strings.Cut(line, " ")
		titles[external] = rest
	}
	compared := 0
	for _, task := range to.Snapshot(to.Workspaces()[0].ID, clickuptest.Selection{}).Tasks {
		if stored, ok := titles[task.ID]; ok {
			compared++
			name, _, _ := strings.Cut(stored, "|")
			if parent := cmp.Or(task.Parent, task.ListID); name != strings.TrimSpace(task.Name) || !strings.Contains(stored, "|"+parent+"|") || task.Archived != strings.Contains(stored, "|t|") && task.Archived {
				t.Errorf("task %s is stored as %q, and is %q in %s", task.ID, stored, task.Name, parent)
			}
		}
	}
	if compared < 50 {
		t.Errorf("only %d tasks were compared", compared)
	}
	now := to.Snapshot(to.Workspaces()[0].ID, clickuptest.Selection{})
	stored := c.texts(t, id, "title", "type IN ('PROJECT', 'COLLECTION')")
	same := func(kind, id, name string) {
		if title, ok := stored[id]; ok && title != strings.TrimSpace(name) {
			t.Errorf("%s %s is stored as %q, and is %q", kind, id, title, name)
		}
	}
	for _, space := range now.Spaces {
		same("space", space.ID, space.Name)
	}
	for _, folder := range now.Folders {
		same("folder", folder.ID, folder.Name)
	}
	for _, list := range now.Lists {
		same("list", list.ID, list.Name)
	}
	said := c.texts(t, id, "content", "type = 'COMMENT'")
	pending := map[string]bool{}
	for _, task := range rows(t, c.db, `SELECT external_id FROM kb.sync_pending WHERE integration_id = $1`, id) {
		pending[task] = true
	}
	plain := strings.NewReplacer(`\`, "", " ", "", "\n", "")
	for _, comment := range now.Comments {
		text, ok := said["comment:"+comment.ID]
		if _, imported := titles[comment.TaskID]; imported && !pending[comment.TaskID] && (!ok || plain.Replace(text) != plain.Replace(comment.Text)) {
			t.Errorf("comment %s on %s is stored as %q (%t), and is %q", comment.ID, comment.TaskID, text, ok, comment.Text)
		}
	}
}

// texts are a column of those objects that are not deleted, by external id.
func (c *client) texts(t testing.TB, id, column, which string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, line := range rows(t, c.db, `SELECT external_id || E'\t' || coalesce(`+column+`, '') FROM kb.synced_objects WHERE deleted_at IS NULL AND integration_id = $1 AND `+which, id) {
		external, text, _ := strings.Cut(line, "\t")
		all[external] = text
	}
	return all
}

// Deliveries come to two processes in disorder, one in three twice, 32 at a time, and a process is killed in the middle; the sender
// repeats what got no 200. PATCHBAY_TEST_DELIVERIES says how many deliveries, 1,500 where it is not set: half a minute on two cores.
func TestNoDeliveryIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	const senders = 32
	deliveries := 1500
	if given, err := strconv.Atoi(os.Getenv("PATCHBAY_TEST_DELIVERIES")); err == nil {
		deliveries = given
	}
	clickUp := newClickUp(t, clickuptest.Small(61))
	path := program(t)
	c := newClientAlone(t, "CLICKUP_API_URL="+clickUp.url)
	settings := clickUp.settings()
	settings["import_completed_tasks"] = true
	id := c.create(t, map[string]any{"name": "clickup", "settings": settings}).text(t, "createIntegration", "id")
	c.registered(t, id)
	c.wantEnd(t, c.syncs(t, id, everything), "SUCCESS")
	due := churned(clickUp, 61, deliveries)
	distinct := len(due)
	for i := 0; i < distinct; i += 3 {
		due = append(due, due[i])
	}
	rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })

	env := []string{"DATABASE_URL=" + c.db.URL, "INTEGRATION_ENCRYPTION_KEY=" + testKey, "CLICKUP_API_URL=" + clickUp.url, "PATCHBAY_ADDR=127.0.0.1:0", "PATCHBAY_AUTH_FAILURE_LIMIT=0"}
	victim, out := process(t, path, env, "serve")
	listening := regexp.MustCompile(`Patchbay listens on (\S+)`)
	eventually(t, 30*time.Second, "the process to serve", func() bool { return listening.MatchString(out.String()) })
	addresses := []string{listening.FindStringSubmatch(out.String())[1], c.URL}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	queue := make(chan clickuptest.Delivery)
	var sent, refused atomic.Int64
	var working sync.WaitGroup
	for n := range senders {
		working.Go(func() {
			for d := range queue {
				for try := n; ; try++ {
					d.Endpoint = addresses[try%2] + "/webhooks/clickup/" + id
					request, err := d.Request(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					response, err := client.Do(request)
					if err == nil {
						_ = response.Body.Close()
						if response.StatusCode == http.StatusOK {
							break
						}
					}
					if refused.Add(1) > 20*int64(len(due)) || t.Context().Err() != nil {
						return
					}
				}
				sent.Add(1)
			}
		})
	}
	for i, d := range due {
		if i == len(due)/2 {
			if err := victim.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
		queue <- d
	}
	close(queue)
	working.Wait()
	want(t, sent.Load(), int64(len(due)))
	counts := c.settled(t)
	t.Logf("%d deliveries, %d requests without an answer; %s", distinct, refused.Load(), counts)
	if strings.Contains(counts, "FAILED") {
		t.Errorf("%s: %v", counts, rows(t, c.db, `SELECT DISTINCT event || ': ' || error FROM kb.webhook_deliveries WHERE status = 'FAILED'`))
	}
	if n := rows(t, c.db, `SELECT count(*)::text FROM kb.webhook_deliveries`)[0]; n != fmt.Sprint(distinct) {
		t.Errorf("%s deliveries are stored, and %d were sent", n, distinct)
	}
	want(t, rows(t, c.db, `SELECT count(*)::text FROM kb.webhook_objects`), []string{"0"})
	c.wantCurrent(t, id, clickUp)
}

// Deliveries are listed and replayed over the API; what nobody signed is not there. The operator sees them counted.
func TestDeliveriesOverTheAPI(t *testing.T) {
	t.Parallel()
	clickUp := newClickUp(t, clickuptest.Small(62))
	c := newClientAlone(t, "CLICKUP_API_URL="+clickUp.url, "PATCHBAY_ADMIN_ADDR=127.0.0.1:0")
	id := c.connect(t, "clickup", clickUp)
	url := c.registered(t, id)
	clickUp.Deliveries()
	task := clickUp.CreateTask(clickUp.Lists(clickUp.Workspaces()[0].ID)[0].ID, clickuptest.Task{Name: "Told by a webhook"})
	due := clickUp.Deliveries()
	for _, d := range due {
		forged := d
		forged.Signature = clickuptest.Sign("another secret", d.Body)
		forged.Endpoint, d.Endpoint = url, url
		for _, send := range []struct {
			clickuptest.Delivery
			status int
		}{{forged, 400}, {d, 200}, {d, 200}} {
			if status, err := clickUp.Deliver(t.Context(), http.DefaultClient, send.Delivery); status != send.status || err != nil {
				t.Errorf("%s is answered %d, %v", d.Event, status, err)
			}
		}
	}
	const list = `query ($id: UUID!, $s: WebhookDeliveryStatus) { webhookDeliveries(integrationId: $id, status: $s) { totalCount nodes { id integrationId deliveryId event status attempts error receivedAt processedAt } } }`
	eventually(t, 20*time.Second, "the deliveries to be processed", func() bool {
		return c.do(t, list, map[string]any{"id": id, "s": "PROCESSED"}).get(t, "webhookDeliveries", "totalCount") == float64(len(due))
	})
	found := c.do(t, `query ($id: UUID!) { syncedObjects(integrationId: $id, filter: {type: TASK}) { nodes { externalId title } } }`, map[string]any{"id": id})
	want(t, found.get(t, "syncedObjects", "nodes"), any([]any{map[string]any{"externalId": task.ID, "title": "Told by a webhook"}}))
	first := c.do(t, list, map[string]any{"id": id}).text(t, "webhookDeliveries", "nodes", 0, "id")
	replayed := c.do(t, `mutation ($id: UUID!) { replayWebhookDelivery(id: $id) { status attempts } }`, map[string]any{"id": first})
	want(t, replayed.get(t, "replayWebhookDelivery"), any(map[string]any{"status": "RECEIVED", "attempts": 0.0}))
	c.settled(t)
	c.try(t, list, map[string]any{"id": id, "s": "PROCESSED", "first": 0}).wantErrors(t)

	lines := []string{
		fmt.Sprintf(`patchbay_webhook_deliveries_total{provider="clickup",status="200"} %d`, 2*len(due)),
		fmt.Sprintf(`patchbay_webhook_deliveries_total{provider="clickup",status="400"} %d`, len(due)),
		fmt.Sprintf(`patchbay_webhook_answer_seconds_count{provider="clickup"} %d`, 2*len(due)),
		fmt.Sprintf(`patchbay_webhook_worked_total{outcome="processed",provider="clickup"} %d`, len(due)+1),
		fmt.Sprintf(`patchbay_webhook_delay_seconds_count{provider="clickup"} %d`, len(due)+1),
	}
	metrics := c.metrics(t)
	lacks := func(line string) bool { return !strings.Contains(metrics, "\n"+line+"\n") }
	// What was worked on is counted a moment after it is stored.
	for wait := time.Now().Add(20 * time.Second); slices.ContainsFunc(lines, lacks) && time.Now().Before(wait); metrics = c.metrics(t) {
		time.Sleep(50 * time.Millisecond)
	}
	for _, line := range lines {
		if lacks(line) {
			t.Errorf("no %s in\n%s", line, metrics)
		}
	}
	if !strings.Contains(metrics, "\ngo_goroutines ") {
		t.Errorf("nothing of the runtime in\n%s", metrics)
	}
}

// metrics are what the operator sees of a server.
func (c *client) metrics(t testing.TB) string {
	t.Helper()
	found := regexp.MustCompile(`listening for the operator","address":"([^"]+)"`).FindStringSubmatch(c.server.log.String())
	if found == nil {
		t.Fatalf("the server does not say where its metrics are:\n%s", c.server.log)
	}
	response, err := http.Get("http://" + found[1] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
