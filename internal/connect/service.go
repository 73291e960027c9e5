// Package connect is an integration's life: it checks what a client sends, seals the secrets, and changes what is
// stored. While the server runs it is the only package that hands the encryption keys to the database, so the only opener of
// secrets. Its methods return integration.PublicIntegration, which has no field for one.
package connect

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// Service changes projects and integrations on behalf of principals. It is safe for concurrent use and holds nothing of
// any tenant's.
type Service struct {
	db        *store.DB
	ring      *seal.Ring
	providers *provider.Registry
	network   *provider.Network
	reveal    bool
	// webhookURL is where third parties reach this server, without a trailing slash.
	webhookURL string
	log        *slog.Logger
	webhooks   *webhookTargets
	late       *lateUnhooks
}

// Options are what the operator's configuration says of the Service.
type Options struct {
	// Reveal allows RevealSettings.
	Reveal bool
	// Network is the way to third parties; nil where nothing is asked of them.
	Network *provider.Network
	// WebhookURL is the origin of webhooks' addresses, without a trailing slash; empty where a process that only works on jobs was not told.
	WebhookURL string
	// Log hears what nobody waits for; nil where nothing is to be heard.
	Log *slog.Logger
}

// New makes a Service that seals under the ring's current key. It fails while a stored row names a key that the ring
// does not have: serving would turn that row's secrets into errors. The error says what to do.
func New(ctx context.Context, db *store.DB, ring *seal.Ring, providers *provider.Registry, o Options) (*Service, error) {
	counts, err := db.SealingKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up which encryption keys are in use: %w", err)
	}
	var missing []string
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		if !ring.Has(id) {
			missing = append(missing, fmt.Sprintf("%s (%d integrations)", id, counts[id]))
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("stored secrets were sealed with encryption keys that this server does not have: %s; it has %s. "+
			"Set INTEGRATION_ENCRYPTION_KEY to the key that sealed them, or add that key to INTEGRATION_ENCRYPTION_PREVIOUS_KEYS. "+
			"If a key is lost for good, `patchbay secrets forget --key-id` and its id shows what is lost with it, and clears that",
			strings.Join(missing, ", "), strings.Join(ring.IDs(), ", "))
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{db: db, ring: ring, providers: providers, network: o.Network, reveal: o.Reveal, webhookURL: o.WebhookURL, log: o.Log, webhooks: newWebhookTargets(), late: newLateUnhooks()}, nil
}

// tell tells subscribers that an integration was made, changed or deleted. Should that fail, they see it once they read again.
func (s *Service) tell(ctx context.Context, project, id uuid.UUID) {
	if err := s.db.Publish(ctx, store.Event{Project: project, Integration: id, Itself: true}); err != nil {
		s.log.WarnContext(ctx, "subscribers cannot be told of a change", "integration", id, "error", err)
	}
}

// CreateProject makes a project. id is one from another product, or nil for a new one.
func (s *Service) CreateProject(ctx context.Context, p integration.Principal, id *uuid.UUID, name string) (*integration.Project, error) {
	if p.Projects != nil {
		return nil, integration.Forbidden("this principal is limited to some projects and cannot make one")
	}
	if err := integration.CheckText("name", name, integration.MaxDisplayName); err != nil {
		return nil, err
	}
	if id == nil {
		made := uuid.Must(uuid.NewV7())
		id = &made
	} else if *id == uuid.Nil {
		return nil, integration.Invalid("id", "id must not be the nil UUID")
	}
	return s.db.Tenant(p.Scope()).CreateProject(ctx, *id, name)
}
