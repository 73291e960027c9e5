package graph

import (
	"context"

	"github.com/google/uuid"

	"patchbay/internal/auth"
	"patchbay/internal/integration"
	"patchbay/internal/store"
)

func (q query) SyncStates(ctx context.Context, orgID string, projectID uuid.UUID, status *integration.SyncStatus) ([]*integration.SyncState, error) {
	tenant, err := q.tenant(ctx, orgID)
	if err != nil {
		return nil, err
	}
	states, err := tenant.SyncStates(ctx, projectID, status)
	if err != nil {
		return nil, err
	}
	return states, withRuns(ctx, tenant, states...)
}

func (m mutation) ResetSyncState(ctx context.Context, integrationID uuid.UUID) (*integration.SyncState, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return m.withRun(ctx, p)(m.Syncer.ResetSyncState(ctx, p, integrationID))
}

func (m mutation) UpdateSyncMappings(ctx context.Context, integrationID uuid.UUID, mappings []*integration.SyncMapping) (*integration.SyncState, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]integration.SyncMapping, len(mappings))
	for i, mapping := range mappings {
		list[i] = *mapping
	}
	return m.withRun(ctx, p)(m.Syncer.UpdateSyncMappings(ctx, p, integrationID, list))
}

func (m mutation) SetSyncSchedule(ctx context.Context, integrationID uuid.UUID, schedule *integration.SyncSchedule) (*integration.SyncState, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return m.withRun(ctx, p)(m.Syncer.SetSyncSchedule(ctx, p, integrationID, schedule))
}

// withRun is withRuns for the state that a change returns.
func (m mutation) withRun(ctx context.Context, p integration.Principal) func(*integration.SyncState, error) (*integration.SyncState, error) {
	return func(state *integration.SyncState, err error) (*integration.SyncState, error) {
		if err != nil {
			return nil, err
		}
		return state, withRuns(ctx, m.DB.Tenant(p.Scope()), state)
	}
}

// withRuns fills in the live runs of states, in one query, where the client asks for them.
func withRuns(ctx context.Context, tenant *store.Tenant, states ...*integration.SyncState) error {
	if len(states) == 0 || !selects(ctx, "currentRun") {
		return nil
	}
	ids := make([]uuid.UUID, len(states))
	for i, s := range states {
		ids[i] = s.IntegrationID
	}
	live, err := tenant.LiveSyncRuns(ctx, ids)
	if err != nil {
		return err
	}
	for _, s := range states {
		s.CurrentRun = live[s.IntegrationID]
	}
	return nil
}

// withIntegrationRuns is withRuns for the states of integrations.
func withIntegrationRuns(ctx context.Context, tenant *store.Tenant, integrations ...*integration.PublicIntegration) error {
	var states []*integration.SyncState
	for _, i := range integrations {
		if i != nil && i.SyncState != nil {
			states = append(states, i.SyncState)
		}
	}
	return withRuns(ctx, tenant, states...)
}
