package graph

import (
	"context"

	"github.com/google/uuid"

	"patchbay/graph/model"
	"patchbay/internal/integration"
)

func (q query) Providers(context.Context) ([]*integration.Provider, error) {
	return q.Catalogue.All(), nil
}

func (q query) Provider(_ context.Context, name string) (*integration.Provider, error) {
	return q.Catalogue.Provider(name), nil
}

func (q query) Gallery(ctx context.Context, orgID string, projectID uuid.UUID) ([]*model.GalleryEntry, error) {
	tenant, err := q.tenant(ctx, orgID)
	if err != nil {
		return nil, err
	}
	all, err := tenant.ProjectIntegrations(ctx, projectID, with(ctx))
	if err != nil {
		return nil, err
	}
	if err := withIntegrationRuns(ctx, tenant, all...); err != nil {
		return nil, err
	}
	byProvider := map[string][]*integration.PublicIntegration{}
	for _, i := range all {
		byProvider[i.Provider.Name] = append(byProvider[i.Provider.Name], i)
	}
	var entries []*model.GalleryEntry
	for _, p := range q.Catalogue.All() {
		entries = append(entries, &model.GalleryEntry{Provider: p, Integrations: byProvider[p.Name]})
	}
	return entries, nil
}
