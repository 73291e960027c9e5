// Package syncer keeps imported objects current: it queues, runs, resumes, cancels and schedules synchronisations. A run is a
// chain of jobs, each of which holds the run by a fence and a heartbeat, and commits what it read page by page.
package syncer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/connect"
	"patchbay/internal/integration"
	"patchbay/internal/store"
)

// Service queues runs for principals and works on them. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	connect *connect.Service
	log     *slog.Logger

	sweepFor time.Duration // of each run

	draining atomic.Bool
	mu       sync.Mutex
	open     map[uuid.UUID]*opened // by run
}

// New makes the service.
func New(db *store.DB, c *connect.Service, log *slog.Logger) *Service {
	return &Service{db: db, connect: c, log: log, sweepFor: sweepFor, open: map[uuid.UUID]*opened{}}
}

// StartSync queues a run of an integration. While one is live it is a Conflict; a draft, a disabled integration and one of a
// provider that nothing can be imported from are Invalid.
func (s *Service) StartSync(ctx context.Context, p integration.Principal, id uuid.UUID, in integration.StartSync) (*integration.SyncRun, error) {
	tenant := s.db.Tenant(p.Scope())
	found, err := tenant.IntegrationByID(ctx, id, store.With{})
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, integration.NotFound("no such integration")
	}
	if err := errors.Join(checkStart(in), checkReady(found)); err != nil {
		return nil, err
	}
	if in.Selection != nil && *in.Selection != nil { // the same one, however it is given
		ids := slices.Compact(slices.Sorted(slices.Values(*in.Selection)))
		in.Selection = &ids
	}
	return s.start(ctx, p.Org, tenant, store.NewSyncRun{IntegrationID: id, Trigger: integration.TriggerManual, StartSync: in})
}

// start queues a run in a transaction of its own, which tells of it.
func (s *Service) start(ctx context.Context, org string, tenant *store.Tenant, n store.NewSyncRun) (run *integration.SyncRun, err error) {
	n.ID = uuid.Must(uuid.NewV7())
	err = tenant.InTx(ctx, func(tx *store.Tenant) error {
		run, err = s.queue(ctx, org, tx, n)
		return err
	})
	return run, err
}

// queue stores a run together with its first job.
func (s *Service) queue(ctx context.Context, org string, tx *store.Tenant, n store.NewSyncRun) (*integration.SyncRun, error) {
	run, err := tx.StartSyncRun(ctx, n)
	if err != nil {
		return nil, err
	}
	return run, tx.Enqueue(ctx, runArgs{Org: org, Run: run.ID, Fence: store.FirstFence})
}

// checkReady refuses what no run could come of.
func checkReady(i *integration.PublicIntegration) error {
	switch {
	case !i.Enabled:
		return integration.Invalid("integrationId", "the integration is disabled: enable it first")
	case !i.Provider.Capabilities.SupportsImport:
		return integration.Invalid("integrationId", "nothing can be imported from %s yet", i.Provider.DisplayName)
	}
	return i.Provider.CheckComplete(i.Settings, i.ConfiguredSecrets)
}

func checkStart(in integration.StartSync) error {
	var errs []error
	if !in.Mode.Valid() {
		errs = append(errs, integration.Invalid("mode", "mode must be FULL or INCREMENTAL"))
	}
	if n := in.BatchSize; n != nil && (*n < integration.MinBatchSize || *n > integration.MaxBatchSize) {
		errs = append(errs, integration.Invalid("batchSize", "batchSize must be from %d to %d, not %d", integration.MinBatchSize, integration.MaxBatchSize, *n))
	}
	if in.Selection != nil && *in.Selection != nil {
		ids := *in.Selection
		if len(ids) == 0 || len(ids) > integration.MaxSelection {
			errs = append(errs, integration.Invalid("externalIds", "externalIds must name 1 to %d nodes, or be null for everything", integration.MaxSelection))
		}
		for i, id := range ids {
			if err := checkExternalID(fmt.Sprintf("externalIds.%d", i), id); err != nil {
				errs = append(errs, err)
				break
			}
		}
	}
	return errors.Join(errs...)
}

func checkExternalID(field, id string) error {
	if id == "" || len(id) > integration.MaxExternalID {
		return integration.Invalid(field, "%s must be an id of 1 to %d bytes", field, integration.MaxExternalID)
	}
	return integration.CheckText(field, id, integration.MaxExternalID)
}

// CancelSync ends a run. One that was cancelled before is returned as it is; one that ended otherwise is a Conflict.
func (s *Service) CancelSync(ctx context.Context, p integration.Principal, id uuid.UUID) (*integration.SyncRun, error) {
	run, err := s.db.Tenant(p.Scope()).CancelSyncRun(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case run == nil:
		return nil, integration.NotFound("no such run")
	case run.Status != integration.SyncCancelled:
		return nil, integration.Conflict("", "the run has ended already: %s", run.Status)
	}
	return run, nil
}

// ResetSyncState forgets where runs go on. While one is live it is a Conflict.
func (s *Service) ResetSyncState(ctx context.Context, p integration.Principal, id uuid.UUID) (*integration.SyncState, error) {
	return s.changed(ctx, func() (*integration.SyncState, error) { return s.db.Tenant(p.Scope()).ResetSyncState(ctx, id) })
}

// UpdateSyncMappings replaces an integration's mappings; they take effect with the next run.
func (s *Service) UpdateSyncMappings(ctx context.Context, p integration.Principal, id uuid.UUID, mappings []integration.SyncMapping) (*integration.SyncState, error) {
	if err := checkMappings(mappings); err != nil {
		tenant := s.db.Tenant(p.Scope())
		if state, hidden := tenant.SyncState(ctx, id); hidden != nil || state == nil {
			return state, orNoIntegration(hidden)
		}
		return nil, err
	}
	return s.changed(ctx, func() (*integration.SyncState, error) {
		return s.db.Tenant(p.Scope()).SetSyncMappings(ctx, id, mappings)
	})
}

func checkMappings(mappings []integration.SyncMapping) error {
	if len(mappings) > integration.MaxMappings {
		return integration.Invalid("mappings", "mappings may have at most %d entries, and has %d", integration.MaxMappings, len(mappings))
	}
	var errs []error
	type key struct {
		kind integration.SyncMappingKind
		id   string
	}
	seen := map[key]bool{}
	for i, m := range mappings {
		at := fmt.Sprintf("mappings.%d.", i)
		if !m.Kind.Valid() {
			errs = append(errs, integration.Invalid(at+"kind", "%skind must be SPACE, FOLDER, LIST, USER or CUSTOM_FIELD", at))
		}
		if err := checkExternalID(at+"externalId", m.ExternalID); err != nil {
			errs = append(errs, err)
		}
		if err := integration.CheckText(at+"target", m.Target, integration.MaxTarget); err != nil {
			errs = append(errs, err)
		}
		if m.Target == m.ExternalID && m.Kind != integration.MapUser && m.Kind != integration.MapCustomField {
			errs = append(errs, integration.Invalid(at+"target", "%starget must be another object than the one that is mapped", at))
		}
		if k := (key{m.Kind, m.ExternalID}); seen[k] {
			errs = append(errs, integration.Invalid(at+"externalId", "%sexternalId was mapped before as the same kind; give each mapping once", at))
		} else {
			seen[k] = true
		}
	}
	return errors.Join(errs...)
}

// changed tells of a state that change changed; nil is NotFound.
func (s *Service) changed(ctx context.Context, change func() (*integration.SyncState, error)) (*integration.SyncState, error) {
	state, err := change()
	if err != nil || state == nil {
		return nil, orNoIntegration(err)
	}
	s.publish(ctx, state.ProjectID, state.IntegrationID, uuid.Nil)
	return state, nil
}

func orNoIntegration(err error) error {
	if err == nil {
		err = integration.NotFound("no such integration")
	}
	return err
}

// publish tells subscribers. Should that fail, they see the change with the next one.
func (s *Service) publish(ctx context.Context, project, integrationID, run uuid.UUID) {
	if err := s.db.Publish(ctx, store.Event{Project: project, Integration: integrationID, Run: run}); err != nil {
		s.log.WarnContext(ctx, "subscribers cannot be told of a change", "integration", integrationID, "error", err)
	}
}
