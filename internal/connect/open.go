package connect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// testTimeout bounds a test of a connection, whose asker waits.
const testTimeout = 20 * time.Second

// Open opens an integration's secrets, which is recorded with its purpose, and connects with them. A draft is Invalid; the
// error names what is missing.
func (s *Service) Open(ctx context.Context, tenant *store.Tenant, id uuid.UUID, purpose string) (provider.Connection, error) {
	for range maxRaces {
		found, err := tenant.IntegrationByID(ctx, id, store.With{})
		if err != nil {
			return nil, err
		}
		version, err := tenant.IntegrationVersionByID(ctx, id)
		if err != nil {
			return nil, err
		}
		if found == nil || version == nil {
			return nil, noIntegration()
		}
		if err := found.Provider.CheckComplete(found.Settings, found.ConfiguredSecrets); err != nil {
			return nil, err
		}
		opened, err := tenant.OpenSettings(ctx, s.ring, version, purpose)
		if errors.Is(err, store.ErrStale) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return s.providers.Connect(s.network, version.Provider, opened.Public, opened.Secrets)
	}
	return nil, integration.Conflict("", "the integration is being changed by many at once: try again")
}

// ProviderName is how a provider is called among people.
func (s *Service) ProviderName(name string) string {
	return s.providers.Catalogue().ProviderOrUnknown(name).DisplayName
}

// TestSettings tries settings that are not stored. The secret ones suffice: with them alone, the answer lists what they reach.
func (s *Service) TestSettings(ctx context.Context, p integration.Principal, providerName string, given *integration.Settings) (*integration.ConnectionTest, error) {
	change, err := s.providers.Change(providerName, given.Values())
	if err != nil {
		return nil, err
	}
	if err := s.needsSecrets(providerName, slices.Collect(maps.Keys(change.Secrets))); err != nil {
		return nil, err
	}
	if err := s.db.Tenant(p.Scope()).RecordSettingsTest(ctx, providerName); err != nil {
		return nil, err
	}
	connection, err := s.providers.Connect(s.network, providerName, change.Public, change.Secrets)
	if err != nil {
		return nil, err
	}
	return test(ctx, connection)
}

// needsSecrets refuses a test without a secret that the provider requires, given the names of those that there are.
func (s *Service) needsSecrets(providerName string, names []string) error {
	described := s.providers.Catalogue().ProviderOrUnknown(providerName)
	for _, name := range described.SecretSettings {
		if slices.Contains(described.RequiredSettings, name) && !slices.Contains(names, name) {
			return integration.Invalid("settings."+name, "settings.%s is needed for a test", name)
		}
	}
	return nil
}

// TestConnection tries an integration's stored settings or, with a change, what it would make of them: nothing is stored, and the
// secret ones suffice.
func (s *Service) TestConnection(ctx context.Context, p integration.Principal, id uuid.UUID, change *integration.Settings) (*integration.ConnectionTest, error) {
	tenant := s.db.Tenant(p.Scope())
	var connection provider.Connection
	var err error
	if change == nil {
		connection, err = s.Open(ctx, tenant, id, "test")
	} else {
		connection, err = s.openChanged(ctx, tenant, id, *change)
	}
	if err != nil {
		return nil, err
	}
	return test(ctx, connection)
}

// openChanged connects with what a change would make of an integration's settings. As for an update, stored secrets go nowhere else.
func (s *Service) openChanged(ctx context.Context, tenant *store.Tenant, id uuid.UUID, change integration.Settings) (provider.Connection, error) {
	for range maxRaces {
		version, err := tenant.IntegrationVersionByID(ctx, id)
		if err != nil {
			return nil, err
		}
		if version == nil {
			return nil, noIntegration()
		}
		update, err := s.update(version.Provider, IntegrationPatch{Settings: new(&change)})
		if err == nil {
			err = s.checkDestinations(version, &update)
		}
		kept := keptSecrets(version, &update)
		if err == nil {
			err = s.needsSecrets(version.Provider, slices.AppendSeq(slices.Clone(kept), maps.Keys(update.Secrets)))
		}
		if err != nil {
			return nil, err
		}
		opened := &store.OpenedSettings{Public: version.PublicSettings, Secrets: map[string]seal.Secret{}}
		if len(kept) > 0 {
			opened, err = tenant.OpenSettings(ctx, s.ring, version, "test")
		} else {
			err = tenant.RecordSettingsTest(ctx, version.Provider) // those that are stored need not open
		}
		if errors.Is(err, store.ErrStale) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, name := range update.Removed {
			delete(opened.Public, name)
			delete(opened.Secrets, name)
		}
		maps.Copy(opened.Public, update.PublicSettings)
		maps.Copy(opened.Secrets, update.Secrets)
		return s.providers.Connect(s.network, version.Provider, opened.Public, opened.Secrets)
	}
	return nil, integration.Conflict("", "the integration is being changed by many at once: try again")
}

// test tries a connection. What the third party says of it, and that it says nothing, is the answer, not an error.
func test(ctx context.Context, c provider.Connection) (*integration.ConnectionTest, error) {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	began := time.Now()
	account, err := c.Test(ctx)
	result := &integration.ConnectionTest{
		OK:         err == nil,
		Workspaces: account.Workspaces,
		LatencyMs:  int(time.Since(began).Milliseconds()),
		CheckedAt:  time.Now(),
	}
	if account.Name != "" {
		result.Account = &account.Name
	}
	if result.Workspaces == nil {
		result.Workspaces = []integration.ExternalAccount{}
	}
	var shown *integration.Error
	switch {
	case err == nil:
		result.Message = "The connection works."
	case errors.As(err, &shown):
		result.Message = shown.Message
	case ctx.Err() != nil:
		result.Message = "The third party did not answer in time."
	default:
		return nil, err
	}
	return result, nil
}

// ExternalStructure lists what an import of an integration can be limited to.
func (s *Service) ExternalStructure(ctx context.Context, p integration.Principal, id uuid.UUID) ([]*integration.ExternalNode, error) {
	connection, err := s.Open(ctx, s.db.Tenant(p.Scope()), id, "structure")
	if err != nil {
		return nil, err
	}
	nodes, err := connection.Structure(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]*integration.ExternalNode, len(nodes))
	for i := range nodes {
		list[i] = &nodes[i]
	}
	return list, nil
}
