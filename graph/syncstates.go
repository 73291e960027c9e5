package graph

import (
	"context"

	"github.com/google/uuid"

	"patchbay/internal/integration"
)

func (q query) SyncStates(ctx context.Context, orgID string, projectID uuid.UUID, status *integration.SyncStatus) ([]*integration.SyncState, error) {
	tenant, err := q.tenant(ctx, orgID)
	if err != nil {
		return nil, err
	}
	return tenant.SyncStates(ctx, projectID, status)
}
