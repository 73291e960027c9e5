package connect

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// webhookStaleness is how long a server may go on by what it knows of an integration's webhook: so long one that was
// deleted is still known, and a new secret is not.
const webhookStaleness = 5 * time.Second

// WebhookTarget is the integration that a delivery is for, with the secrets that may have signed it.
type WebhookTarget struct {
	*store.WebhookTarget
	secrets *store.OpenedWebhookSecrets
}

// Secrets are those that count at a time, the present one first.
func (t *WebhookTarget) Secrets(now time.Time) (list []seal.Secret) {
	if !t.secrets.Current.IsZero() {
		list = append(list, t.secrets.Current)
	}
	if until := t.secrets.PreviousUntil; !t.secrets.Previous.IsZero() && until != nil && now.Before(*until) {
		list = append(list, t.secrets.Previous)
	}
	return list
}

// webhookTargets remembers integrations that deliveries came for. Secrets are opened once for each revision of an integration, so
// that who sends many deliveries, signed or not, makes the database open nothing.
type webhookTargets struct {
	byID   *lookups[uuid.UUID, *WebhookTarget]
	byHook *lookups[commonHook, []uuid.UUID]
}

// commonHook is a webhook that leads to a provider's common address.
type commonHook struct {
	provider, id string
}

func newWebhookTargets() *webhookTargets {
	places := make(chan struct{}, missingAtOnce)
	return &webhookTargets{
		byID:   newLookups[uuid.UUID, *WebhookTarget](places),
		byHook: newLookups[commonHook, []uuid.UUID](places),
	}
}

// Webhooks is how a provider tells of changes; nil where this server does not listen to it.
func (s *Service) Webhooks(providerName string) *provider.Webhooks {
	return s.providers.Webhooks(providerName)
}

// WebhookTarget returns the integration that a delivery to its own address is for, as it was webhookStaleness ago at most; nil
// where there is none of this provider. Opening its secrets is recorded with the purpose webhook.
func (s *Service) WebhookTarget(ctx context.Context, providerName string, id uuid.UUID) (*WebhookTarget, error) {
	target, err := s.webhooks.byID.get(ctx, id, func(known *WebhookTarget) (*WebhookTarget, bool, error) {
		found, err := s.db.WebhookTarget(ctx, id)
		if err != nil || found == nil {
			return nil, false, err
		}
		target, err := s.openWebhook(ctx, known, found)
		return target, target != nil, err
	})
	if err != nil || target == nil || target.Provider != providerName {
		return nil, err
	}
	return target, nil
}

// WebhookTargetsByHook returns the integrations that a delivery to a provider's common address may be for, which are those of
// webhookStaleness ago at most.
func (s *Service) WebhookTargetsByHook(ctx context.Context, providerName, hook string) ([]*WebhookTarget, error) {
	ids, err := s.webhooks.byHook.get(ctx, commonHook{providerName, hook}, func([]uuid.UUID) (ids []uuid.UUID, found bool, err error) {
		targets, err := s.db.WebhookTargetsByHook(ctx, providerName, hook)
		for _, t := range targets {
			ids = append(ids, t.IntegrationID)
		}
		return ids, len(ids) > 0, err
	})
	if err != nil {
		return nil, err
	}
	var targets []*WebhookTarget
	for _, id := range ids {
		target, err := s.WebhookTarget(ctx, providerName, id)
		if err != nil {
			return nil, err
		}
		if target != nil {
			targets = append(targets, target)
		}
	}
	return targets, nil
}

// openWebhook opens a target's secrets, unless those that are known are of the same revision.
func (s *Service) openWebhook(ctx context.Context, known *WebhookTarget, found *store.WebhookTarget) (*WebhookTarget, error) {
	if known != nil && known.Revision == found.Revision {
		return &WebhookTarget{found, known.secrets}, nil
	}
	tenant := s.db.Tenant(integration.Scope{Org: found.Org, Actor: "webhook"})
	for range maxRaces {
		version, err := tenant.IntegrationVersionByID(ctx, found.IntegrationID)
		if err != nil || version == nil {
			return nil, err
		}
		secrets, err := tenant.OpenWebhookSecrets(ctx, s.ring, version, "webhook")
		if errors.Is(err, store.ErrStale) {
			continue
		}
		if integration.IsKind(err, integration.KindUnreadable) {
			secrets, err = &store.OpenedWebhookSecrets{}, nil // none that could have signed anything; not tried with each delivery
		}
		if err != nil {
			return nil, err
		}
		found.Revision = version.Revision
		return &WebhookTarget{found, secrets}, nil
	}
	return nil, integration.Conflict("", "the integration is being changed by many at once: try again")
}
