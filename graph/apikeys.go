package graph

import (
	"context"

	"github.com/google/uuid"

	"patchbay/graph/model"
	"patchbay/internal/auth"
	"patchbay/internal/integration"
)

func (q query) APIKeys(ctx context.Context, orgID string) ([]*integration.APIKey, error) {
	tenant, err := q.tenant(ctx, orgID)
	if err != nil {
		return nil, err
	}
	return tenant.APIKeys(ctx)
}

func (m mutation) CreateAPIKey(ctx context.Context, input model.CreateAPIKeyInput) (*model.CreatedAPIKey, error) {
	p, err := m.member(ctx, input.OrgID)
	if err != nil {
		return nil, err
	}
	key, text, err := m.Keys.Create(ctx, p, auth.NewKey{
		Name:      input.Name,
		Role:      input.Role,
		Projects:  input.ProjectIds.Value(),
		ExpiresAt: input.ExpiresAt.Value(),
	})
	if err != nil {
		return nil, err
	}
	return &model.CreatedAPIKey{APIKey: key, Key: text.Expose()}, nil
}

func (m mutation) RevokeAPIKey(ctx context.Context, id uuid.UUID) (*integration.APIKey, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return m.Keys.Revoke(ctx, p, id)
}
