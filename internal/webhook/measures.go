package webhook

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"patchbay/internal/store"
)

// measures are what the operator watches of webhooks.
type measures struct {
	answered  metric.Int64Counter     // by provider and the status of the answer
	answering metric.Float64Histogram // by provider, of deliveries that were taken
	worked    metric.Int64Counter     // by provider and outcome: processed, retried, failed
	delay     metric.Float64Histogram // by provider, from being received to being processed
}

func newMeasures(m metric.Meter) measures {
	if m == nil {
		m = noop.NewMeterProvider().Meter("")
	}
	return measures{
		answered: must(m.Int64Counter("patchbay.webhook.deliveries", metric.WithDescription("Deliveries that came, by the status of the answer: 200 was stored or was there already."))),
		answering: must(m.Float64Histogram("patchbay.webhook.answer", metric.WithUnit("s"), metric.WithDescription("How long it took to store a delivery and answer 200."),
			metric.WithExplicitBucketBoundaries(.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5))),
		worked: must(m.Int64Counter("patchbay.webhook.worked", metric.WithDescription("Deliveries that were worked on, by what came of it: processed, retried or failed."))),
		delay: must(m.Float64Histogram("patchbay.webhook.delay", metric.WithUnit("s"), metric.WithDescription("How long after a delivery came its change was stored."),
			metric.WithExplicitBucketBoundaries(.1, .2, .5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600))),
	}
}

// must is an instrument: only a name that is none fails.
func must[T any](instrument T, err error) T {
	if err != nil {
		panic(err)
	}
	return instrument
}

func (m measures) answer(ctx context.Context, provider string, status int, took time.Duration) {
	of := attribute.String("provider", provider)
	m.answered.Add(ctx, 1, metric.WithAttributes(of, attribute.Int("status", status)))
	if status == 200 {
		m.answering.Record(ctx, took.Seconds(), metric.WithAttributes(of))
	}
}

// work tells what came of working on deliveries: processed, retried or failed.
func (m measures) work(ctx context.Context, w *store.WebhookWork, outcome string) {
	of := attribute.String("provider", w.Provider)
	m.worked.Add(ctx, int64(len(w.Deliveries)), metric.WithAttributes(of, attribute.String("outcome", outcome)))
	if outcome != "processed" {
		return
	}
	for _, d := range w.Deliveries {
		m.delay.Record(ctx, max(0, time.Since(d.ReceivedAt)).Seconds(), metric.WithAttributes(of))
	}
}
