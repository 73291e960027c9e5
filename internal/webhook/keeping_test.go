package webhook_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"patchbay/internal/integration"
)

func TestItIsNotedWhenDeliveriesCame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	stop := w.works()
	w.tell("unknown", "", "")
	w.post(w.path(), []byte(`{}`), "forged")
	stop()
	w.want(value[int](w, `SELECT refused::int FROM kb.webhooks WHERE last_delivery_at > now() - interval '1 minute'`), 1)
}

// Who fixed what made a delivery fail replays it.
func TestAReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.works()
	w.source.task("a", "broken")
	w.tellTask("changed", "a")
	w.settled()
	w.want(w.deliveries(), map[string]int{"FAILED": 1})
	w.source.task("a", "A")
	id := value[uuid.UUID](w, `SELECT id FROM kb.webhook_deliveries`)
	replayed, err := w.service.Replay(t.Context(), w.admin, id)
	w.must(err)
	w.want([]any{replayed.Status, replayed.Attempts, replayed.Error}, []any{integration.DeliveryReceived, 0, (*string)(nil)})
	w.settled()
	w.want(w.objects()["a"], "A")
	w.want(w.deliveries(), map[string]int{"PROCESSED": 1})
	w.want(value[int](w, `SELECT count(*) FROM kb.audit_events WHERE action = 'webhook_delivery.replay' AND actor = 'tests' AND changes ->> 'delivery' = $1`, id.String()), 1)

	viewer := integration.Principal{Subject: "other", Org: "other", Role: integration.RoleAdmin}
	if _, err := w.service.Replay(t.Context(), viewer, id); !integration.IsKind(err, integration.KindNotFound) {
		t.Errorf("another organisation's replay: %v", err)
	}
	w.tell("unknown", "", "")
	ignored, err := w.service.Replay(t.Context(), w.admin, value[uuid.UUID](w, `SELECT id FROM kb.webhook_deliveries WHERE status = 'IGNORED'`))
	w.must(err)
	w.want(ignored.Status, integration.DeliveryIgnored)
}

func TestOldDeliveriesAreRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for i := range 5 {
		w.tell(fmt.Sprint("unknown ", i), "", "")
	}
	_, err := w.root.Exec(t.Context(), `UPDATE kb.webhook_deliveries SET received_at = now() - interval '15 days' WHERE event <> 'unknown 3'`)
	w.must(err)
	w.works()
	w.eventually("old deliveries to be removed", func() bool { return w.deliveries()["IGNORED"] == 1 })
	w.want(value[int](w, `SELECT count(*) FROM kb.webhooks WHERE catch_up_at IS NOT NULL`), 0)
}

// What a disabled integration was told, and nobody worked on before it was removed, a run finds.
func TestOldDeliveriesThatNobodyWorkedOn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		events []string
		full   bool
	}{{[]string{"changed", "commented"}, false}, {[]string{"changed", "deleted"}, true}, {[]string{"moved"}, true}} {
		w := newWorld(t, nil)
		for _, event := range test.events {
			w.tellTask(event, "a")
		}
		for _, sql := range []string{`UPDATE kb.integrations SET enabled = false`, `UPDATE kb.webhook_deliveries SET received_at = now() - interval '15 days'`} {
			_, err := w.root.Exec(t.Context(), sql)
			w.must(err)
		}
		w.works()
		w.eventually("the deliveries to be removed", func() bool { return len(w.deliveries()) == 0 })
		w.want(value[bool](w, `SELECT catch_up_full FROM kb.webhooks WHERE catch_up_at <= now()`), test.full)
	}
}
