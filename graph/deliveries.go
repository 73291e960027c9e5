package graph

import (
	"context"

	"github.com/google/uuid"

	"patchbay/graph/model"
	"patchbay/internal/auth"
	"patchbay/internal/integration"
)

func (q query) WebhookDeliveries(ctx context.Context, integrationID uuid.UUID, status *integration.WebhookDeliveryStatus, first *int, after *string) (*model.WebhookDeliveryConnection, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	args, err := pageArgs(ctx, first, after)
	if err != nil {
		return nil, err
	}
	page, err := q.DB.Tenant(p.Scope()).WebhookDeliveries(ctx, integrationID, status, args)
	if err != nil {
		return nil, err
	}
	c := &model.WebhookDeliveryConnection{PageInfo: pageInfo(page), TotalCount: page.Total, Nodes: nodes(page)}
	for _, i := range page.Items {
		c.Edges = append(c.Edges, &model.WebhookDeliveryEdge{Cursor: i.Cursor, Node: i.Node})
	}
	return c, nil
}

func (m mutation) ReplayWebhookDelivery(ctx context.Context, id uuid.UUID) (*integration.WebhookDelivery, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return m.Webhooks.Replay(ctx, p, id)
}
