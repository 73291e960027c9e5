package webhook_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"patchbay/internal/connect"
	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/store"
	"patchbay/internal/webhook"
)

// An object that is told of anew is read at once, however long it was to rest, and has all its attempts again.
func TestAttemptsBeginAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.works()
	w.source.task("a", "A")
	w.source.onRead(func(context.Context, string) error {
		return integration.ProviderFailed("works", integration.ReasonUnavailable, "it does not answer")
	})
	attempts := func(n int) {
		t.Helper()
		w.eventually("the attempt to fail", func() bool { return value[int](w, `SELECT coalesce(max(attempts), 0) FROM kb.webhook_objects`) == n })
	}
	rest := func() {
		t.Helper()
		w.eventually("the job to rest", func() bool {
			tag, err := w.root.Exec(t.Context(), `UPDATE river.river_job SET state = 'scheduled', scheduled_at = now() + interval '5 minutes' WHERE queue = 'webhook' AND scheduled_at > now()`)
			w.must(err)
			return tag.RowsAffected() > 0
		})
		_, err := w.root.Exec(t.Context(), `UPDATE kb.webhook_objects SET attempts = 7`)
		w.must(err)
	}
	w.tellTask("changed", "a")
	attempts(1)
	rest()
	w.tellTask("changed", "a")
	attempts(1)
	w.want(w.source.count("a"), 2)
	_, err := w.root.Exec(t.Context(), `UPDATE kb.webhook_objects SET attempts = 7`)
	w.must(err)
	w.wake()
	w.settled()
	w.want(w.deliveries(), map[string]int{"FAILED": 2})
	if reason := value[string](w, `SELECT DISTINCT error FROM kb.webhook_deliveries`); !strings.Contains(reason, "given up after 8 attempts: it does not answer") {
		t.Errorf("they failed for %q", reason)
	}

	w.source.onRead(nil)
	w.tellTask("changed", "a")
	w.settled()
	w.want(w.objects()["a"], "A")
}

// That an integration is being written for long is no failure of a delivery.
func TestAnIntegrationThatIsBeingWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.works()
	w.source.task("a", "A")
	tx, err := w.root.Begin(t.Context())
	w.must(err)
	_, err = tx.Exec(t.Context(), `SELECT FROM kb.sync_states FOR UPDATE`)
	w.must(err)
	waits := func() (n int) {
		w.must(tx.QueryRow(t.Context(), `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n))
		return n
	}
	w.tellTask("changed", "a")
	w.eventually("the commit to wait", func() bool { return waits() > 0 })
	w.eventually("it to give up", func() bool { return waits() == 0 })
	w.must(tx.Rollback(t.Context()))
	w.settled()
	w.want(w.objects()["a"], "A")
	w.want(value[int](w, `SELECT attempts FROM kb.webhook_deliveries`), 1)
}

func TestFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.works()
	w.source.task("a", "A")
	w.source.task("b", "broken")
	w.source.task("c", "C")
	failed := 0
	w.source.onRead(func(_ context.Context, id string) error {
		w.source.mu.Lock()
		defer w.source.mu.Unlock()
		switch failed++; {
		case id == "c":
			return integration.ProviderFailed("works", integration.ReasonAuthFailed, "the token is not valid")
		case id == "a" && failed == 1:
			return &provider.Wait{Until: time.Now().Add(200 * time.Millisecond), Cause: integration.ProviderFailed("works", integration.ReasonRateLimited, "too much")}
		}
		return nil
	})
	w.tellTask("changed", "a")
	w.settled()
	w.want(w.objects()["a"], "A")
	w.tellTask("changed", "b")
	w.settled()
	w.want(value[int](w, `SELECT count(*) FROM kb.webhooks WHERE catch_up_at IS NOT NULL`), 0)
	w.tellTask("changed", "c")
	w.settled()
	w.want(w.deliveries(), map[string]int{"PROCESSED": 1, "FAILED": 2})
	// What kept a delivery from being worked on, and is not its object's own, is caught up with by a run.
	const catchUp = `SELECT catch_up_at - now() > interval '14 minutes' FROM kb.webhooks WHERE catch_up_at IS NOT NULL`
	w.want(value[bool](w, catchUp), true)
	w.want(value[bool](w, `SELECT catch_up_full FROM kb.webhooks`), false) // it finds changes
	for object, reason := range map[string]string{"TASK/b": "it is broken", "TASK/c": "the token is not valid"} {
		if got := value[string](w, `SELECT error FROM kb.webhook_deliveries WHERE object = $1`, object); !strings.Contains(got, reason) {
			t.Errorf("%s failed for %q", object, got)
		}
	}
	for _, event := range []string{"deleted", "moved"} { // which one of changes would not find
		_, err := w.root.Exec(t.Context(), `UPDATE kb.webhooks SET catch_up_full = false`)
		w.must(err)
		w.tellTask(event, "c")
		w.settled()
		w.want(value[bool](w, `SELECT catch_up_full FROM kb.webhooks WHERE catch_up_at IS NOT NULL`), true)
	}
	// One that does not answer, and says for how long, is asked again later.
	w.source.onRead(func(context.Context, string) error {
		return &provider.Wait{Until: time.Now().Add(time.Second), Cause: integration.ProviderFailed("works", integration.ReasonUnavailable, "it does not answer")}
	})
	w.tellTask("changed", "a")
	w.eventually("the attempt to fail", func() bool {
		return value[int](w, `SELECT count(*) FROM kb.webhook_deliveries WHERE status = 'RECEIVED' AND attempts = 1 AND error LIKE '%does not answer%'`) == 1
	})
	w.source.onRead(nil)
	w.settled()
}

// attempted waits until an attempt at what is RECEIVED has failed so often, for that reason.
func (w *world) attempted(times int, reason string) {
	w.t.Helper()
	w.eventually("the attempt to fail", func() bool {
		return value[int](w, `SELECT count(*) FROM kb.webhook_deliveries WHERE status = 'RECEIVED' AND attempts = $1 AND error LIKE '%' || $2 || '%'`, times, reason) > 0
	})
}

// An answer that cannot be used is asked for again, as a proxy may have given it once. What else was read is stored.
func TestAnOddAnswerIsAskedForAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.works()
	w.source.task("a", "odd")
	w.tellTask("changed", "a")
	w.attempted(1, "the answer is odd")
	w.source.task("a", "A")
	w.wake()
	w.settled()
	w.want(w.objects()["a"], "A")

	w.source.task("a", "A, changed")
	w.source.change(func() { w.source.comments["a"] = []string{"odd"} })
	w.tellTask("commented", "a")
	w.attempted(1, "the comments are odd")
	w.want(w.objects()["a"], "A, changed")
	w.source.change(func() { w.source.comments["a"] = []string{"one"} })
	w.wake()
	w.settled()
	w.want(w.objects()["comment:one"], "one")
	w.want(w.deliveries(), map[string]int{"PROCESSED": 2})

	// One that stays so is given up, and a run is to find what it would have brought.
	w.source.task("a", "odd")
	w.tellTask("changed", "a")
	for n := 1; n < 8; n++ {
		w.attempted(n, "the answer is odd")
		w.wake()
	}
	w.settled()
	w.want(value[string](w, `SELECT error FROM kb.webhook_deliveries WHERE status = 'FAILED'`), "given up after 8 attempts: the answer is odd")
	w.want(value[bool](w, `SELECT NOT catch_up_full FROM kb.webhooks WHERE catch_up_at > now()`), true)
}

// Of much that is read together, only what could not be read is read again, with what deliveries tell of if that is among it.
func TestOddAnswersAmongMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const below = 50
	w.source.task("a", "A")
	w.tellTask("changed", "a")
	for i := range below {
		w.source.put(task(i), integration.ObjectTask, "a", "Old")
		w.tellTask("changed", task(i))
	}
	w.works()
	w.settled()
	for i := range below {
		w.source.put(task(i), integration.ObjectTask, "a", "Moved along")
	}
	for _, odd := range []int{3, 27, 44} {
		w.source.put(task(odd), integration.ObjectTask, "a", "odd")
	}
	before := w.source.count(task(4))
	w.tellTask("moved", "a")
	w.attempted(1, "the answer is odd")
	w.want(w.objects()[task(4)], "Moved along")
	w.source.put(task(27), integration.ObjectTask, "a", "Moved along")
	w.wake()
	w.attempted(2, "the answer is odd")
	w.want(w.objects()[task(27)], "Moved along")
	w.source.put("a", integration.ObjectTask, "list", "odd") // what was told is not read again, as it was before
	for _, odd := range []int{3, 44} {
		w.source.put(task(odd), integration.ObjectTask, "a", "Moved along")
	}
	w.wake()
	w.settled()
	w.want(w.source.count(task(4)), before+1)
	for _, odd := range []int{3, 27, 44} {
		w.want(w.objects()[task(odd)], "Moved along")
	}
	if counts := w.deliveries(); counts["FAILED"] != 0 {
		t.Errorf("there are %v", counts)
	}
}

// What stays odd ends, however much else is read with it each time.
func TestOddAnswersAmongManyEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const below = 30
	for i := range below {
		w.source.put(task(i), integration.ObjectTask, "a", "B")
	}
	w.source.task("a", "A")
	w.tellTask("changed", "a")
	for i := range below {
		w.tellTask("changed", task(i))
	}
	w.works()
	w.settled()
	w.source.change(func() { w.source.comments["a"] = []string{"odd"} })
	w.tellTask("moved", "a")
	w.tellTask("commented", "a")
	for n := 1; n < 8; n++ {
		w.attempted(n, "the comments are odd")
		w.wake()
	}
	w.settled()
	w.want(w.deliveries(), map[string]int{"PROCESSED": below + 1, "FAILED": 2})
	w.want(value[bool](w, `SELECT catch_up_full FROM kb.webhooks WHERE catch_up_at > now()`), true)
	w.want(value[int](w, `SELECT count(*) FROM kb.webhook_objects`), 0)
}

// A disabled integration's deliveries are stored, and worked on once it is enabled.
func TestADisabledIntegration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	enable := func(on bool) {
		given := &on
		_, err := w.connect.UpdateIntegration(t.Context(), w.admin, w.project, "works", connect.IntegrationPatch{Enabled: &given}, store.With{})
		w.must(err)
	}
	enable(false)
	w.works()
	w.source.task("a", "A")
	w.tellTask("changed", "a")
	w.eventually("the delivery to be parked", func() bool { return value[int](w, `SELECT count(*) FROM kb.webhooks WHERE parked`) == 1 })
	w.want(w.deliveries(), map[string]int{"RECEIVED": 1})
	w.want(w.source.count("a"), 0)
	enable(true)
	w.settled()
	w.want(w.objects()["a"], "A")
}

// What could not be imported is not counted as processed.
func TestWhatFailsIsCountedSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	reader := metric.NewManualReader()
	w.service = webhook.New(w.db, w.connect, webhook.Options{Log: slog.New(slog.DiscardHandler), Meter: metric.NewMeterProvider(metric.WithReader(reader)).Meter("")})
	w.works()
	w.source.task("a", "broken")
	w.tellTask("changed", "a")
	w.settled()
	w.eventually("it to be counted", func() bool {
		var all metricdata.ResourceMetrics
		w.must(reader.Collect(t.Context(), &all))
		for _, scope := range all.ScopeMetrics {
			for _, m := range scope.Metrics {
				if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "patchbay.webhook.worked" {
					outcome, _ := sum.DataPoints[0].Attributes.Value("outcome")
					w.want(outcome.AsString(), "failed")
					return true
				}
			}
		}
		return false
	})
}

// What was read of an integration that was disabled meanwhile is not stored.
func TestAnIntegrationThatIsDisabledWhileItIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.source.task("a", "A")
	other := w.data.Connect(t, "", "")
	var one sync.Mutex
	w.source.onRead(func(ctx context.Context, _ string) error {
		one.Lock()
		defer one.Unlock()
		_, err := other.Exec(ctx, `UPDATE kb.integrations SET enabled = false`)
		return err
	})
	w.works()
	w.tellTask("changed", "a")
	w.eventually("the delivery to be parked", func() bool { return value[int](w, `SELECT count(*) FROM kb.webhooks WHERE parked`) == 1 })
	w.want(w.objects(), map[string]string{})
	w.want(w.deliveries(), map[string]int{"RECEIVED": 1})
}

// Somebody else goes on with what a worker that died had begun.
func TestAWorkerThatDies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.source.task("a", "A")
	w.tellTask("changed", "a")
	_, err := w.root.Exec(t.Context(), `UPDATE river.river_job SET state = 'running', attempted_at = now() - interval '10 s', attempt = 1 WHERE queue = 'webhook'`)
	w.must(err)
	_, err = w.root.Exec(t.Context(), `UPDATE kb.webhook_objects SET heartbeat_at = now() - interval '10 s'`)
	w.must(err)
	w.works()
	w.settled()
	w.want(w.objects()["a"], "A")
	w.want(value[int](w, `SELECT count(*) FROM kb.webhook_objects`), 0)
}

// What has no job any more gets another one.
func TestAJobThatIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.source.task("a", "A")
	w.tellTask("changed", "a")
	w.source.task("b", "B")
	w.tellTask("changed", "b")
	_, err := w.root.Exec(t.Context(), `DELETE FROM river.river_job WHERE queue = 'webhook'`)
	w.must(err)
	_, err = w.root.Exec(t.Context(), `UPDATE kb.webhook_objects SET heartbeat_at = now() - interval '2 minutes', told_at = now() - interval '2 minutes'`)
	w.must(err)
	w.works()
	w.settled()
	w.want(w.objects(), map[string]string{"a": "A", "b": "B", "list": "List", "space": "Space"})
}

// One that cannot be taken over leaves the others.
func TestOneThatCannotBeTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, id := range []string{"a", "b"} {
		w.source.task(id, strings.ToUpper(id))
		w.tellTask("changed", id)
	}
	for _, sql := range []string{
		`UPDATE river.river_job SET state = 'running', attempted_at = now() - interval '10 s', attempt = 1 WHERE queue = 'webhook'`,
		`UPDATE kb.webhook_objects SET heartbeat_at = now() - interval '10 s'`,
		`ALTER TABLE kb.webhook_objects ADD CONSTRAINT of_the_test CHECK (object <> 'TASK/a' OR fence = 1)`,
	} {
		_, err := w.root.Exec(t.Context(), sql)
		w.must(err)
	}
	w.works()
	w.eventually("the other to be taken over", func() bool { return w.objects()["b"] == "B" })
}
