package syncer

import (
	"context"

	"patchbay/internal/store"
)

func init() { markedAtOnce = 20 } // so that tests' runs take several steps

// Conclude ends a slice of a run with an error.
func (s *Service) Conclude(ctx context.Context, tenant *store.Tenant, work *store.SyncWork, err error) error {
	r := &run{service: s, tenant: tenant, work: work, fence: store.FirstFence}
	return r.conclude(ctx, err)
}
