package clickup_test

import (
	"net/http/httptest"
	"testing"

	"patchbay/internal/provider"
	"patchbay/internal/provider/clickup"
	"patchbay/internal/provider/clickup/clickuptest"
	"patchbay/internal/seal"
)

// What an import costs where no limit slows it, the server's part included.
func BenchmarkImport(b *testing.B) {
	srv := newServer(clickuptest.Sized(1, 10_000, 0))
	web := httptest.NewServer(srv)
	defer web.Close()
	c, err := clickup.Declaration().Connect(provider.Access{
		Settings: map[string]any{"workspace_id": workspace(srv), "import_custom_fields": true, "batch_size": int64(100)},
		Secrets:  map[string]seal.Secret{"api_token": seal.NewSecret(srv.Token())}, Origin: web.URL, Network: provider.NewNetwork(provider.NetworkOptions{}),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	tasks := 0
	for b.Loop() {
		for p, err := range c.Import(b.Context(), everything, nil) {
			if err != nil {
				b.Fatal(err)
			}
			tasks += len(p.Objects)
		}
	}
	b.ReportMetric(float64(tasks)/b.Elapsed().Seconds(), "objects/s")
}
