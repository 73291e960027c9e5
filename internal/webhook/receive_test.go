package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/ratelimit"
)

func TestWhatIsNotTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	other, otherSecret := w.integrate("works-2")
	body := []byte(`{"id": "1", "event": "changed", "type": "TASK", "object": "secret words of a body"}`)
	tampered := slices.Clone(body)
	tampered[len(tampered)-5] ^= 1
	nested := []byte(strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000))
	huge := []byte(`{"event": "` + strings.Repeat("x", 2<<20) + `"}`)
	invalid := []byte("{\"event\": \"changed\", \"object\": \"\xff\xfe words\"}")
	signed := func(body []byte) string { return signature(w.secret, body) }
	answers := map[string]bool{}
	for name, test := range map[string]struct {
		path string
		body []byte
		sig  string
		want int
	}{
		"a tampered byte":                  {w.path(), tampered, signed(body), 400},
		"no signature":                     {w.path(), body, "", 400},
		"another integration's secret":     {w.path(), body, signature(otherSecret, body), 400},
		"another integration's address":    {"/webhooks/works/" + other.ID.String(), body, signed(body), 400},
		"an unknown integration":           {"/webhooks/works/" + uuid.NewString(), body, signed(body), 400},
		"an id that is none":               {"/webhooks/works/none", body, signed(body), 400},
		"an empty body":                    {w.path(), nil, signed(nil), 400},
		"an unknown hook":                  {"/webhooks/works", []byte(`{"hook":"h2","event":"changed"}`), signed(body), 400},
		"no hook":                          {"/webhooks/works", body, signed(body), 400},
		"2 MiB":                            {w.path(), huge, signed(huge), 413},
		"invalid UTF-8":                    {w.path(), invalid, signed(invalid), 400},
		"no JSON":                          {w.path(), []byte("{"), signed([]byte("{")), 400},
		"10,000 nested arrays":             {w.path(), nested, signed(nested), 400},
		"what the contract does not allow": {w.path(), []byte(`{}`), signed([]byte(`{}`)), 400},
		"a provider without webhooks":      {"/webhooks/none/" + w.integration.ID.String(), body, signed(body), 404},
	} {
		status, text := w.post(test.path, test.body, test.sig)
		if status != test.want {
			t.Errorf("%s: status %d, %s", name, status, text)
		}
		if test.want == 400 && !strings.Contains(text, "no JSON") {
			answers[text] = true
		}
	}
	if len(answers) != 1 {
		t.Errorf("what is not signed is answered in several ways: %v", answers)
	}
	w.want(w.deliveries(), map[string]int{})
	w.want(value[int](w, `SELECT count(*) FROM river.river_job`), 0)
	if log := w.log.String(); strings.Contains(log, "secret words") || strings.Contains(log, "words") {
		t.Errorf("the log has something of a body:\n%s", log)
	}
}

// The secret is opened once, however many deliveries come, signed or not.
func TestAFloodOpensNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for i := range 200 {
		if status, _ := w.post(w.path(), fmt.Appendf(nil, `{"event": "changed %d"}`, i), "forged"); status != 400 {
			t.Fatalf("status %d", status)
		}
	}
	const opened = `SELECT count(*) FROM kb.audit_events WHERE action = 'secrets.open' AND changes ->> 'purpose' = 'webhook' AND actor = 'webhook'`
	w.want(value[int](w, opened), 1)
	w.send(message{ID: "1", Event: "unknown"})
	w.want(value[int](w, opened), 1)
}

// Nor does it look up whom they are for each time, and for what there is not it leaves the pool's connections to others.
func TestAFloodLooksUpLittle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, err := w.root.Exec(t.Context(), `INSERT INTO kb.webhooks (integration_id, org_id, project_id, hook_id) VALUES ($1, 'acme', $2, 'h1')`, w.integration.ID, w.project)
	w.must(err)
	began := time.Now()
	unknown := "/webhooks/works/" + uuid.NewString()
	for range 100 {
		for path, hook := range map[string]string{"/webhooks/works": "h1", "/webhooks/works?": "h2", unknown: ""} {
			status, _ := w.post(path, []byte(`{"hook":"`+hook+`","event":"unknown"}`), "forged")
			w.want(status, http.StatusBadRequest)
		}
	}
	took := time.Since(began)
	// What is known is looked up anew every 5 s, what is not four times a second.
	if got, most := w.targets.n.Load(), 4+2*int64(took/(5*time.Second))+2*int64(took/(250*time.Millisecond)); got > most {
		t.Errorf("%d look-ups within %s, not %d", got, took, most)
	}

	locked, err := w.data.Connect(t, "", "").Begin(t.Context())
	w.must(err)
	_, err = locked.Exec(t.Context(), `LOCK TABLE kb.integrations`)
	w.must(err)
	var flood sync.WaitGroup
	for range 20 {
		flood.Go(func() { w.answer(t.Context(), 1, uuid.NewString(), strings.NewReader("{}")) })
	}
	waiting := func() int {
		return value[int](w, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	}
	w.eventually("look-ups to wait", func() bool { return waiting() >= 2 })
	ping, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 10 {
		w.must(w.db.Ping(ping))
	}
	w.want(waiting(), 2)
	w.must(locked.Rollback(t.Context()))
	flood.Wait()
}

// A limit holds for what nobody signed; what is signed is taken all the same.
func TestTheLimitIsOnFailuresOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ratelimit.NewFailures(6))
	var last int
	for range 20 {
		if last, _ = w.post(w.path(), []byte(`{}`), "forged"); last == 429 {
			break
		}
	}
	w.want(last, http.StatusTooManyRequests)
	for i := range 20 {
		w.send(message{ID: fmt.Sprint(i), Event: "unknown"})
	}
	w.want(w.deliveries(), map[string]int{"IGNORED": 20})
}

func TestADeliveryIsStoredOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.send(message{ID: "1", Event: "changed", Type: integration.ObjectTask, Object: "a"})
	w.send(message{ID: "1", Event: "changed", Type: integration.ObjectTask, Object: "a"})
	w.send(message{Event: "changed", Type: integration.ObjectTask, Object: "a"}) // told apart by its hash
	w.send(message{Event: "changed", Type: integration.ObjectTask, Object: "a"})
	w.send(message{ID: "2", Event: "renamed"})
	w.want(w.deliveries(), map[string]int{"RECEIVED": 2, "IGNORED": 1})
	w.want(value[int](w, `SELECT count(*) FROM river.river_job WHERE queue = 'webhook'`), 1)

	page, err := w.tenant().WebhookDeliveries(t.Context(), w.integration.ID, nil, integration.PageArgs{First: 2, CountTotal: true})
	w.must(err)
	w.want([]any{page.Total, page.Items[0].Node.DeliveryID, page.Items[0].Node.Event, page.Items[0].Node.Status}, []any{3, "2", "renamed", integration.DeliveryIgnored})
	rest, err := w.tenant().WebhookDeliveries(t.Context(), w.integration.ID, nil, integration.PageArgs{First: 2, After: &page.Items[1].Cursor})
	w.must(err)
	w.want([]any{len(rest.Items), rest.Items[0].Node.DeliveryID}, []any{1, "1"})
	received := integration.DeliveryReceived
	page, err = w.tenant().WebhookDeliveries(t.Context(), w.integration.ID, &received, integration.PageArgs{First: 9})
	w.must(err)
	w.want(len(page.Items), 2)
}

// 32 senders, one delivery in three repeated, all in disorder.
func TestRepeatsAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const deliveries = 600
	var bodies [][]byte
	for i := range deliveries {
		body, err := json.Marshal(message{ID: fmt.Sprint(i), Event: "changed", Type: integration.ObjectTask, Object: task(i % 50)})
		w.must(err)
		bodies = append(bodies, body)
		if i%3 == 0 {
			bodies = append(bodies, body)
		}
	}
	rand.Shuffle(len(bodies), func(i, j int) { bodies[i], bodies[j] = bodies[j], bodies[i] })
	queue := make(chan []byte)
	var senders sync.WaitGroup
	for range 32 {
		senders.Go(func() {
			for body := range queue {
				if status, text, err := w.tryPost(w.path(), body, signature(w.secret, body)); status != http.StatusOK || err != nil {
					t.Errorf("status %d: %s, %v", status, text, err)
				}
			}
		})
	}
	for _, body := range bodies {
		queue <- body
	}
	close(queue)
	senders.Wait()
	w.want(w.deliveries(), map[string]int{"RECEIVED": deliveries})
	w.want(value[int](w, `SELECT count(*) FROM kb.webhook_objects`), 50)
	w.want(value[int](w, `SELECT count(*) FROM river.river_job WHERE queue = 'webhook'`), 50)
}

// While a secret is rotated two count; a server knows of a new one within seconds.
func TestTwoSecretsCountDuringARotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.send(message{ID: "1", Event: "unknown"})
	rotated, err := w.connect.RotateWebhookSecret(t.Context(), w.admin, w.integration.ID)
	w.must(err)
	body := []byte(`{"id": "2", "event": "unknown"}`)
	w.eventually("the new secret to count", func() bool {
		status, _ := w.post(w.path(), body, signature(rotated.Secret.Expose(), body))
		return status == http.StatusOK
	})
	w.send(message{ID: "3", Event: "unknown"})
	w.want(w.deliveries(), map[string]int{"IGNORED": 3})
}

// Webhooks that were made for the earlier module are known by the third party's id of them.
func TestADeliveryToTheCommonAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, err := w.root.Exec(t.Context(), `INSERT INTO kb.webhooks (integration_id, org_id, project_id, hook_id) VALUES ($1, 'acme', $2, 'h1')`, w.integration.ID, w.project)
	w.must(err)
	body := []byte(`{"hook":"h1","event":"unknown"}`)
	status, text := w.post("/webhooks/works", body, signature(w.secret, body))
	w.want([]any{status, text}, []any{200, ""})
	w.want(w.deliveries(), map[string]int{"IGNORED": 1})
}

// Several integrations may have the same webhook, as those of two projects that the earlier module had set up alike. It is answered 200
// once all whose secret signed it have it.
func TestADeliveryForSeveral(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alike, _ := w.integrateWith("works-2", w.secret)
	other, _ := w.integrate("works-3")
	for _, id := range []uuid.UUID{w.integration.ID, alike.ID, other.ID} {
		_, err := w.root.Exec(t.Context(), `INSERT INTO kb.webhooks (integration_id, org_id, project_id, hook_id) VALUES ($1, 'acme', $2, 'h1')`, id, w.project)
		w.must(err)
	}
	has := func() []int {
		var of []int
		for _, id := range []uuid.UUID{w.integration.ID, alike.ID, other.ID} {
			of = append(of, value[int](w, `SELECT count(*) FROM kb.webhook_deliveries WHERE integration_id = $1`, id))
		}
		return of
	}
	body := []byte(`{"hook":"h1","id":"1","event":"changed","type":"TASK","object":"a"}`)
	refuse := func(id uuid.UUID) {
		_, err := w.root.Exec(t.Context(), fmt.Sprintf(`ALTER TABLE kb.webhook_deliveries DROP CONSTRAINT IF EXISTS of_the_test, ADD CONSTRAINT of_the_test CHECK (integration_id <> '%s')`, id))
		w.must(err)
	}
	refuse(w.integration.ID)
	status, _ := w.post("/webhooks/works", body, signature(w.secret, body))
	w.want(status, http.StatusServiceUnavailable)
	w.want(has(), []int{0, 1, 0})
	refuse(other.ID)
	status, _ = w.post("/webhooks/works", body, signature(w.secret, body))
	w.want(status, http.StatusOK)
	w.want(has(), []int{1, 1, 0})
	w.want(value[int](w, `SELECT count(*) FROM river.river_job WHERE queue = 'webhook'`), 2)
}

// Subscribers are told that a webhook delivers, once for many deliveries, and nothing of what nobody signed.
func TestThatDeliveriesCameIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	other, _ := w.integrate("works-2")
	third, secret := w.integrate("works-3")
	_, err := w.root.Exec(t.Context(), `LISTEN patchbay_sync`)
	w.must(err)
	body := []byte(`{"id": "1", "event": "unknown"}`)
	for i := range 3 {
		w.send(message{ID: fmt.Sprint(i), Event: "unknown"})
		status, _ := w.post("/webhooks/works/"+third.ID.String(), body, signature(secret, body))
		w.want(status, http.StatusOK)
		w.post("/webhooks/works/"+other.ID.String(), body, "forged")
	}
	w.works()() // it writes what was noted as it ends
	_, err = w.root.Exec(t.Context(), `SELECT pg_notify('patchbay_sync', 'the end')`)
	w.must(err)
	told := map[string]int{}
	for {
		n, err := w.root.WaitForNotification(t.Context())
		w.must(err)
		if n.Payload == "the end" {
			break
		}
		told[n.Payload]++
	}
	event := func(id uuid.UUID) string { return fmt.Sprintf(`{"p":"%s","i":"%s","s":true}`, w.project, id) }
	w.want(told, map[string]int{event(w.integration.ID): 1, event(third.ID): 1})
	const noted = `SELECT refused::text || ' ' || (last_delivery_at > now() - interval '1 minute')::text FROM kb.webhooks WHERE integration_id = $1`
	w.want([]string{value[string](w, noted, w.integration.ID), value[string](w, noted, third.ID)}, []string{"0 true", "0 true"})
	w.want(value[bool](w, `SELECT refused = 3 AND last_delivery_at IS NULL FROM kb.webhooks WHERE integration_id = $1`, other.ID), true)
}

// Deliveries are answered once they are stored, however long the third party takes to show the objects. How soon that is the benchmarks tell.
func TestDeliveriesAreAnsweredBeforeTheyAreWorkedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	silent, asked := make(chan struct{}), make(chan struct{}, 1)
	w.source.onRead(func(ctx context.Context, _ string) error {
		select {
		case asked <- struct{}{}:
		default:
		}
		select {
		case <-silent:
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	w.works()
	w.source.task("a", "A")
	w.tellTask("changed", "a")
	<-asked
	for range 100 {
		w.tellTask("changed", "a")
	}
	w.want(w.deliveries(), map[string]int{"RECEIVED": 101})
	close(silent)
	w.settled()
	w.want(w.deliveries(), map[string]int{"PROCESSED": 101})
}
