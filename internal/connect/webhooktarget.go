package connect

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

const (
	// webhookStaleness is how long a server may go on by what it knows of an integration's webhook: so long one that was
	// deleted is still known, and a new secret is not.
	webhookStaleness = 5 * time.Second
	// maxWebhookTargets bounds the memory, to some 10 MB.
	maxWebhookTargets = 10_000
)

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
	mu    sync.Mutex
	known *simplelru.LRU[uuid.UUID, *knownTarget]
}

// knownTarget is one of them. Its lock is held while it is looked up, so that others wait for that instead of doing the same.
type knownTarget struct {
	mu      sync.Mutex
	target  *WebhookTarget // nil before it was looked up, and where there is none
	checked time.Time
}

func newWebhookTargets() *webhookTargets {
	known, _ := simplelru.NewLRU[uuid.UUID, *knownTarget](maxWebhookTargets, nil) // fails for a size of 0 only
	return &webhookTargets{known: known}
}

// of returns what is remembered of an integration, which is empty at first.
func (w *webhookTargets) of(id uuid.UUID) *knownTarget {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, ok := w.known.Get(id)
	if !ok {
		k = &knownTarget{}
		w.known.Add(id, k)
	}
	return k
}

// forget drops an integration that does not exist: ids that somebody made up would push out others.
func (w *webhookTargets) forget(id uuid.UUID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known.Remove(id)
}

// Webhooks is how a provider tells of changes; nil where this server does not listen to it.
func (s *Service) Webhooks(providerName string) *provider.Webhooks {
	return s.providers.Webhooks(providerName)
}

// WebhookTarget returns the integration that a delivery to its own address is for, as it was webhookStaleness ago at most; nil
// where there is none of this provider. Opening its secrets is recorded with the purpose webhook.
func (s *Service) WebhookTarget(ctx context.Context, providerName string, id uuid.UUID) (*WebhookTarget, error) {
	k := s.webhooks.of(id)
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.checked) > webhookStaleness {
		found, err := s.db.WebhookTarget(ctx, id)
		if err != nil {
			return nil, err
		}
		if found == nil {
			k.target = nil
			s.webhooks.forget(id)
			return nil, nil
		}
		if k.target, err = s.openWebhook(ctx, k.target, found); err != nil {
			return nil, err
		}
		k.checked = time.Now()
	}
	if k.target == nil || k.target.Provider != providerName {
		return nil, nil
	}
	return k.target, nil
}

// WebhookTargetsByHook returns the integrations that a delivery to a provider's common address may be for.
func (s *Service) WebhookTargetsByHook(ctx context.Context, providerName, hook string) ([]*WebhookTarget, error) {
	found, err := s.db.WebhookTargetsByHook(ctx, providerName, hook)
	if err != nil {
		return nil, err
	}
	var targets []*WebhookTarget
	for _, f := range found {
		target, err := s.WebhookTarget(ctx, providerName, f.IntegrationID)
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
