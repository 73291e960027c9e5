// Package telemetry is how the operator reads what the program measures.
package telemetry

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
)

// New makes a meter, and the page that shows, in the form that Prometheus reads, what is measured with it, of the Go runtime and of the
// process.
func New() (metric.Meter, http.Handler, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	if err != nil {
		return nil, nil, fmt.Errorf("show what is measured: %w", err)
	}
	return sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("patchbay"), promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), nil
}
