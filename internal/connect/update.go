package connect

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// IntegrationPatch is what a client asks to be changed. A nil field stays as it is; one that points to nil was given as
// null.
type IntegrationPatch struct {
	IfRevision    *int                     // refuse with Conflict unless the integration still has it
	DisplayName   **string                 // null: back to the provider's
	Description   **string                 // null: removed
	Enabled       **bool                   // null is refused
	LogoURL       **string                 // null: removed
	Settings      **integration.Settings   // merged key by key, a null value removes; null is refused
	WebhookSecret **integration.SecretText // null is refused
}

// checkNulls refuses null where nothing sensible can be meant by it.
func (p *IntegrationPatch) checkNulls() error {
	var errs []error
	if p.Enabled != nil && *p.Enabled == nil {
		errs = append(errs, integration.Invalid("enabled", "enabled must be true or false; leave it out to keep it"))
	}
	if p.Settings != nil && *p.Settings == nil {
		errs = append(errs, integration.Invalid("settings", "settings must be an object; give single settings as null to remove them"))
	}
	if p.WebhookSecret != nil && *p.WebhookSecret == nil {
		errs = append(errs, integration.Invalid("webhookSecret", "webhookSecret must be a secret; leave it out to keep the one that is stored"))
	}
	return errors.Join(errs...)
}

func (p *IntegrationPatch) empty() bool {
	return p.DisplayName == nil && p.Description == nil && p.Enabled == nil && p.LogoURL == nil &&
		(p.Settings == nil || len((*p.Settings).Values()) == 0) && p.WebhookSecret == nil
}

// maxRaces bounds how often an update is tried again after another one was faster. Each time, one of them got through.
const maxRaces = 50

// UpdateIntegration merges a patch into an integration. Without IfRevision an update that loses a race is applied to
// what the winner left. An empty patch changes nothing, not even the revision.
func (s *Service) UpdateIntegration(ctx context.Context, p integration.Principal, project uuid.UUID, name string, patch IntegrationPatch, with store.With) (*integration.PublicIntegration, error) {
	if integration.CheckName("name", name) != nil {
		return nil, noIntegration()
	}
	tenant := s.db.Tenant(p.Scope())
	for range maxRaces {
		version, err := tenant.IntegrationVersion(ctx, project, name)
		if err != nil {
			return nil, err
		}
		if version == nil {
			return nil, noIntegration()
		}
		update, err := s.update(version.Provider, patch)
		if err != nil {
			return nil, err
		}
		if patch.IfRevision != nil && *patch.IfRevision != version.Revision {
			return nil, integration.Conflict("ifRevision", "the integration has revision %d by now, not %d: read it again", version.Revision, *patch.IfRevision)
		}
		if patch.empty() {
			current, err := tenant.IntegrationByID(ctx, version.ID, with)
			if err == nil && current == nil {
				err = noIntegration()
			}
			return current, err
		}
		if err := s.checkDestinations(version, &update); err != nil {
			return nil, err
		}
		former, err := s.formerHook(ctx, tenant, version, &update)
		if err != nil {
			return nil, err
		}
		updated, err := s.storeUpdate(ctx, tenant, version, update, former, with)
		switch {
		case errors.Is(err, store.ErrStale):
			continue
		case err != nil:
			return nil, err
		}
		if former != nil && former.moved {
			s.webhooks.byID.forget(version.ID) // what this process still knows of its secrets
		}
		s.leaveFormer(ctx, tenant, version, former)
		s.tell(ctx, version.ProjectID, version.ID)
		return updated, nil
	}
	return nil, integration.Conflict("", "the integration %q is being changed by many at once: try again", name)
}

// checkDestinations refuses to have secrets sent elsewhere that the asker may not know: with an address that they go to, each of
// them has to be given anew, or removed.
func (s *Service) checkDestinations(v *store.IntegrationVersion, u *store.IntegrationUpdate) error {
	kept := keptSecrets(v, u)
	if len(kept) == 0 {
		return nil
	}
	for _, name := range s.providers.Destinations(v.Provider) {
		value, given := u.PublicSettings[name]
		if (given || slices.Contains(u.Removed, name)) && value != v.PublicSettings[name] {
			return integration.Invalid("settings."+name, "settings.%s says where secrets are sent: to change it, give these anew as well: %s", name, strings.Join(kept, ", "))
		}
	}
	return nil
}

// keptSecrets names the secrets that an update leaves as they are.
func keptSecrets(v *store.IntegrationVersion, u *store.IntegrationUpdate) []string {
	return slices.DeleteFunc(slices.Clone(v.ConfiguredSecrets), func(name string) bool {
		_, given := u.Secrets[name]
		return given || slices.Contains(u.Removed, name)
	})
}

// update checks a patch against what a provider takes.
func (s *Service) update(providerName string, patch IntegrationPatch) (store.IntegrationUpdate, error) {
	u := store.IntegrationUpdate{Description: patch.Description, LogoURL: patch.LogoURL}
	var description, logoURL *string
	if patch.DisplayName != nil {
		if u.DisplayName = *patch.DisplayName; u.DisplayName == nil {
			u.DisplayName = &s.providers.Catalogue().ProviderOrUnknown(providerName).DisplayName
		}
	}
	if patch.Description != nil {
		description = *patch.Description
	}
	if patch.Enabled != nil {
		u.Enabled = *patch.Enabled
	}
	if patch.LogoURL != nil {
		logoURL = *patch.LogoURL
	}
	err := errors.Join(patch.checkNulls(), checkTexts(u.DisplayName, description, logoURL))
	if patch.Settings != nil && len((*patch.Settings).Values()) > 0 {
		change, wrong := s.providers.Change(providerName, (*patch.Settings).Values())
		err = errors.Join(err, wrong)
		u.PublicSettings, u.Secrets, u.Removed = change.Public, change.Secrets, change.Removed
	}
	if patch.WebhookSecret != nil && *patch.WebhookSecret != nil {
		err = errors.Join(err, checkWebhookSecret(*patch.WebhookSecret))
		secret := seal.NewSecret((*patch.WebhookSecret).Expose())
		u.WebhookSecret = &secret
	}
	return u, err
}
