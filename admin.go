package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"patchbay/internal/telemetry"
)

// serveAdmin serves, at PATCHBAY_ADMIN_ADDR and until stop, what is the operator's alone: measurements and profiles. Nobody is asked for
// credentials there. Without an address nothing is measured.
func (a *app) serveAdmin() (meter metric.Meter, stop func(), err error) {
	if a.config.AdminAddr == "" {
		return noop.NewMeterProvider().Meter(""), func() {}, nil
	}
	meter, metrics, err := telemetry.New()
	if err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", string(a.config.AdminAddr))
	if err != nil {
		return nil, nil, fmt.Errorf("PATCHBAY_ADMIN_ADDR: %w; choose another address, or port 0 for a free one", err)
	}
	routes := http.NewServeMux()
	routes.Handle("GET /metrics", metrics)
	routes.HandleFunc("GET /debug/pprof/", pprof.Index)
	routes.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	routes.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: routes, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // until it is closed
	}()
	a.log.Info("listening for the operator", "address", listener.Addr().String())
	return meter, func() { _ = server.Close(); <-ended }, nil
}
