package graph

import (
	"context"

	"github.com/google/uuid"

	"patchbay/internal/auth"
	"patchbay/internal/integration"
)

func (q query) ExternalStructure(ctx context.Context, integrationID uuid.UUID) ([]*integration.ExternalNode, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return q.Connect.ExternalStructure(ctx, p, integrationID)
}

func (m mutation) TestSettings(ctx context.Context, provider string, settings map[string]any) (*integration.ConnectionTest, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	given := integration.NewSettings(settings)
	return m.Connect.TestSettings(ctx, p, provider, &given)
}

func (m mutation) TestConnection(ctx context.Context, integrationID uuid.UUID, settings map[string]any) (*integration.ConnectionTest, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	if settings == nil {
		return m.Connect.TestConnection(ctx, p, integrationID, nil)
	}
	change := integration.NewSettings(settings)
	return m.Connect.TestConnection(ctx, p, integrationID, &change)
}
