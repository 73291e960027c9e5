package main

import (
	"testing"

	"patchbay/internal/store/storetest"
)

func TestFirstSmoke(t *testing.T) {
	t.Parallel()
	s := startServer(t, storetest.Empty(t))
	key := s.key(t, "acme", "admin")
	project := s.project(t, key, "acme")
	s.must(t, key, `mutation($p: UUID!) { createIntegration(input: {orgId: "acme", projectId: $p, name: "clickup"}) { id } }`, map[string]any{"p": project})
}
