package webhook

import (
	"context"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

// Replay works on a delivery once more. It is read anew, as an event that was not known when it came may be by now.
func (s *Service) Replay(ctx context.Context, p integration.Principal, id uuid.UUID) (delivery *integration.WebhookDelivery, err error) {
	tenant := s.db.Tenant(p.Scope())
	content, err := tenant.DeliveryContent(ctx, id)
	if err != nil {
		return nil, err
	}
	if content == nil {
		return nil, noDelivery()
	}
	hooks := s.connect.Webhooks(content.Provider)
	if hooks == nil {
		return nil, integration.Invalid("id", "this server does not listen to the webhooks of the delivery's provider any more")
	}
	read, err := readDelivery(hooks, content.Headers, content.Payload)
	if err != nil {
		return nil, err
	}
	err = tenant.InTx(ctx, func(tx *store.Tenant) error {
		var object *uuid.UUID
		delivery, object, err = tx.ReplayDelivery(ctx, id, read.event, read.object, read.reads)
		if err != nil || object == nil {
			return err
		}
		return tx.Enqueue(ctx, objectArgs{Org: p.Org, Object: *object, Fence: store.FirstFence})
	})
	if err == nil && delivery == nil { // removed meanwhile
		err = noDelivery()
	}
	return delivery, err
}

func noDelivery() error { return integration.NotFound("no such delivery") }
