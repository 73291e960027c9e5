package connect

import (
	"context"
	"errors"
	"maps"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

// RevealSettings returns an integration's settings with the secret ones in plain text. It is the one method whose
// answer holds secrets: refused unless the operator's configuration allows it, and recorded each time.
func (s *Service) RevealSettings(ctx context.Context, p integration.Principal, id uuid.UUID) (map[string]any, error) {
	tenant := s.db.Tenant(p.Scope())
	for range maxRaces {
		version, err := tenant.IntegrationVersionByID(ctx, id)
		if err != nil {
			return nil, err
		}
		if version == nil {
			return nil, noIntegration()
		}
		if !s.reveal { // said only of what is the asker's
			return nil, integration.Forbidden("this server does not reveal settings: its operator can set PATCHBAY_REVEAL_SETTINGS=true")
		}
		opened, err := tenant.OpenSettings(ctx, s.ring, version, "reveal")
		if errors.Is(err, store.ErrStale) {
			continue
		}
		if err != nil {
			return nil, err
		}
		settings := maps.Clone(opened.Public)
		for name, secret := range opened.Secrets {
			settings[name] = secret.Expose()
		}
		return settings, nil
	}
	return nil, integration.Conflict("", "the integration is being changed by many at once: try again")
}
