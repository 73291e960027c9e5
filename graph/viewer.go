package graph

import (
	"context"

	"patchbay/graph/model"
	"patchbay/internal/auth"
)

func (query) Viewer(ctx context.Context) (*model.Viewer, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return &model.Viewer{Subject: p.Subject, OrgID: &p.Org, Role: p.Role, ProjectIds: p.Projects, ExpiresAt: auth.Expiry(ctx)}, nil
}
