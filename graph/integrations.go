package graph

import (
	"context"
	"errors"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

	"patchbay/graph/model"
	"patchbay/internal/auth"
	"patchbay/internal/connect"
	"patchbay/internal/integration"
	"patchbay/internal/store"
)

// with is what the client asks for of integrations that is read together with them.
func with(ctx context.Context) store.With {
	return store.With{State: selects(ctx, "syncState"), Webhook: selects(ctx, "webhook"), Secrets: selects(ctx, "secretChanges")}
}

func (q query) Integrations(ctx context.Context, orgID string, projectID uuid.UUID, filter *model.IntegrationFilter, first *int, after *string) (*model.PublicIntegrationConnection, error) {
	tenant, err := q.tenant(ctx, orgID)
	if err != nil {
		return nil, err
	}
	args, err := pageArgs(ctx, first, after)
	if err != nil {
		return nil, err
	}
	var f integration.Filter
	if filter != nil {
		if err := checkFilter(filter); err != nil {
			return nil, err
		}
		f = integration.Filter{Name: filter.Name.Value(), Enabled: filter.Enabled.Value(), Search: filter.Search.Value()}
	}
	page, err := tenant.Integrations(ctx, projectID, f, args, with(ctx))
	if err != nil {
		return nil, err
	}
	if err := withIntegrationRuns(ctx, tenant, nodes(page)...); err != nil {
		return nil, err
	}
	c := &model.PublicIntegrationConnection{PageInfo: pageInfo(page), TotalCount: page.Total, Nodes: nodes(page)}
	for _, i := range page.Items {
		c.Edges = append(c.Edges, &model.PublicIntegrationEdge{Cursor: i.Cursor, Node: i.Node})
	}
	return c, nil
}

// checkFilter refuses what no text can contain.
func checkFilter(filter *model.IntegrationFilter) error {
	return errors.Join(checkText("filter.name", filter.Name.Value()), checkText("filter.search", filter.Search.Value()))
}

func checkText(field string, text *string) error {
	if text == nil {
		return nil
	}
	return integration.CheckDescription(field, *text)
}

func (q query) Integration(ctx context.Context, orgID string, projectID uuid.UUID, name string) (*integration.PublicIntegration, error) {
	tenant, err := q.tenant(ctx, orgID)
	if err != nil {
		return orNull[integration.PublicIntegration](nil, err)
	}
	if integration.CheckName("name", name) != nil {
		return nil, nil // none has such a name
	}
	found, err := tenant.Integration(ctx, projectID, name, with(ctx))
	if err != nil {
		return nil, err
	}
	return found, withIntegrationRuns(ctx, tenant, found)
}

func (q query) IntegrationByID(ctx context.Context, id uuid.UUID) (*integration.PublicIntegration, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	tenant := q.DB.Tenant(p.Scope())
	found, err := tenant.IntegrationByID(ctx, id, with(ctx))
	if err != nil {
		return nil, err
	}
	return found, withIntegrationRuns(ctx, tenant, found)
}

func (m mutation) CreateIntegration(ctx context.Context, input model.CreateIntegrationInput) (*integration.PublicIntegration, error) {
	p, err := m.member(ctx, input.OrgID)
	if err != nil {
		return nil, err
	}
	return m.Connect.CreateIntegration(ctx, p, connect.NewIntegration{
		ProjectID:     input.ProjectID,
		Name:          input.Name,
		Provider:      input.Provider.Value(),
		DisplayName:   input.DisplayName.Value(),
		Description:   input.Description.Value(),
		Enabled:       input.Enabled.Value(),
		LogoURL:       input.LogoURL.Value(),
		Settings:      input.Settings.Value(),
		WebhookSecret: input.WebhookSecret.Value(),
	}, with(ctx))
}

func (m mutation) UpdateIntegration(ctx context.Context, orgID string, projectID uuid.UUID, name string, input model.UpdateIntegrationInput) (*integration.PublicIntegration, error) {
	p, err := m.member(ctx, orgID)
	if err != nil {
		return nil, err
	}
	updated, err := m.Connect.UpdateIntegration(ctx, p, projectID, name, connect.IntegrationPatch{
		IfRevision:    input.IfRevision.Value(),
		DisplayName:   given(input.DisplayName),
		Description:   given(input.Description),
		Enabled:       given(input.Enabled),
		LogoURL:       given(input.LogoURL),
		Settings:      given(input.Settings),
		WebhookSecret: given(input.WebhookSecret),
	}, with(ctx))
	if err != nil {
		return nil, err
	}
	return updated, withIntegrationRuns(ctx, m.DB.Tenant(p.Scope()), updated)
}

func (m mutation) DeleteIntegration(ctx context.Context, orgID string, projectID uuid.UUID, name string) (uuid.UUID, error) {
	p, err := m.member(ctx, orgID)
	if err != nil {
		return uuid.Nil, err
	}
	return m.Connect.DeleteIntegration(ctx, p, projectID, name)
}

func (m mutation) RevealSettings(ctx context.Context, integrationID uuid.UUID) (map[string]any, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return m.Connect.RevealSettings(ctx, p, integrationID)
}

func (m mutation) RotateWebhookSecret(ctx context.Context, integrationID uuid.UUID) (*model.WebhookSecret, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	made, err := m.Connect.RotateWebhookSecret(ctx, p, integrationID)
	if err != nil {
		return nil, err
	}
	return &model.WebhookSecret{URL: made.URL, Secret: made.Secret.Expose(), PreviousValidUntil: made.PreviousValidUntil}, nil
}

func (m mutation) RegisterWebhook(ctx context.Context, integrationID uuid.UUID) (*integration.PublicIntegration, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	found, err := m.Connect.RegisterWebhook(ctx, p, integrationID, with(ctx))
	if err != nil {
		return nil, err
	}
	return found, withIntegrationRuns(ctx, m.DB.Tenant(p.Scope()), found)
}

func (e webhookEndpoint) URL(_ context.Context, w *integration.WebhookEndpoint) (string, error) {
	return e.Connect.WebhookURL(w.Provider, w.IntegrationID), nil
}

// given is nil where the client left the field out.
func given[T any](v graphql.Omittable[T]) *T {
	if value, ok := v.ValueOK(); ok {
		return &value
	}
	return nil
}
