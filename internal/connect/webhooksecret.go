package connect

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// WebhookGrace is how long a webhook secret goes on being valid after it was rotated.
const WebhookGrace = 24 * time.Hour

// WebhookSecret is what the third party's side of a webhook is set up with.
type WebhookSecret struct {
	URL                string
	Secret             seal.Secret
	PreviousValidUntil *time.Time // nil where there was none
}

// RotateWebhookSecret makes a new webhook secret, which nobody can read again, and keeps the present one valid for
// WebhookGrace. One from before that ends at once. Where the third party issues secrets itself, it takes a new webhook, which replaces
// the registered one.
func (s *Service) RotateWebhookSecret(ctx context.Context, p integration.Principal, id uuid.UUID) (*WebhookSecret, error) {
	tenant := s.db.Tenant(p.Scope())
	secret := seal.GenerateWebhookSecret()
	for range maxRaces {
		version, err := tenant.IntegrationVersionByID(ctx, id)
		if err != nil {
			return nil, err
		}
		if version == nil {
			return nil, noIntegration()
		}
		if !s.providers.SignsWebhooks(version.Provider) {
			return nil, integration.Invalid("integrationId", "the integration's provider sends this server no webhooks that a secret could sign")
		}
		if w := s.providers.Webhooks(version.Provider); w != nil && w.IssuesSecret {
			made, err := s.rotateIssued(ctx, tenant, id, version.Provider)
			if err == nil {
				s.tell(ctx, version.ProjectID, id)
			}
			return made, err
		}
		until, err := tenant.RotateWebhookSecret(ctx, s.ring, version, secret, WebhookGrace)
		if errors.Is(err, store.ErrStale) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s.tell(ctx, version.ProjectID, id)
		return &WebhookSecret{
			URL:                s.WebhookURL(version.Provider, id),
			Secret:             secret,
			PreviousValidUntil: until,
		}, nil
	}
	return nil, integration.Conflict("", "the integration is being changed by many at once: try again")
}
