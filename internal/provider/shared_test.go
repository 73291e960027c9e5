package provider_test

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/seal"
	"patchbay/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

// Three servers on one PostgreSQL, with two integrations each of one token, in real time.
func TestServersShareALimit(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*metered{
		"aligned windows":              {limit: 60, window: 2 * time.Second, cut: time.Millisecond, latency: 10 * time.Millisecond},
		"windows that begin by use":    {limit: 60, window: 2 * time.Second, cut: time.Millisecond, latency: 10 * time.Millisecond, first: true},
		"another clock, whole seconds": {limit: 60, window: 3 * time.Second, cut: time.Second, latency: 10 * time.Millisecond, first: true, ahead: 31*time.Second + 700*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := storetest.New(t)
			ctx, cancel := context.WithTimeout(t.Context(), 5*m.window)
			defer cancel()
			var workers []*sync.WaitGroup
			for range 3 {
				ledger := db.Open(t, integration.NewCatalogue(), nil)
				key, err := ledger.FingerprintKey(ctx)
				if err != nil {
					t.Fatal(err)
				}
				n := provider.NewNetwork(provider.NetworkOptions{
					Ledger:      ledger,
					Fingerprint: func(token seal.Secret) string { return seal.Fingerprint(key, token) },
				})
				for range 2 {
					c := m.client(n, provider.Limit{Requests: 20, Window: time.Minute})
					workers = append(workers, work(ctx, c, 4, func(err error) { t.Error(err) }))
				}
			}
			for _, w := range workers {
				w.Wait()
			}
			share := float64(m.total) / float64(5*m.limit)
			if m.beyond > 0 || m.cut < time.Second && share < 0.8 || share < 0.5 {
				t.Errorf("%d requests were beyond the limit, and %.0f %% of it were used", m.beyond, 100*share)
			}
		})
	}
}

// A limit so high that nobody gets near it costs next to nothing: one round trip to the database for 200 requests.
func BenchmarkTakeOfAHugeLimit(b *testing.B) {
	s := storetest.New(b).Open(b, integration.NewCatalogue(), nil)
	for name, ledger := range map[string]provider.Ledger{"PostgreSQL": s, "memory": provider.NewMemory()} {
		b.Run(name, func(b *testing.B) {
			take := provider.NewTaker(ledger, "f", 1_000_000_000)
			b.ReportAllocs()
			for b.Loop() {
				take(b.Context())
			}
		})
	}
}
