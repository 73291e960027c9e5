package graph

import (
	"context"

	"github.com/google/uuid"

	"patchbay/graph/model"
	"patchbay/internal/auth"
	"patchbay/internal/integration"
)

func (q query) SyncRun(ctx context.Context, id uuid.UUID) (*integration.SyncRun, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return q.DB.Tenant(p.Scope()).SyncRun(ctx, id)
}

func (q query) SyncRuns(ctx context.Context, integrationID uuid.UUID, first *int, after *string) (*model.SyncRunConnection, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	args, err := pageArgs(ctx, first, after)
	if err != nil {
		return nil, err
	}
	page, err := q.DB.Tenant(p.Scope()).SyncRuns(ctx, integrationID, args)
	if err != nil {
		return nil, err
	}
	c := &model.SyncRunConnection{PageInfo: pageInfo(page), TotalCount: page.Total, Nodes: nodes(page)}
	for _, i := range page.Items {
		c.Edges = append(c.Edges, &model.SyncRunEdge{Cursor: i.Cursor, Node: i.Node})
	}
	return c, nil
}

func (m mutation) StartSync(ctx context.Context, integrationID uuid.UUID, input *model.StartSyncInput) (*integration.SyncRun, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return m.Syncer.StartSync(ctx, p, integrationID, startSync(input))
}

// startSync is what a client asks of a run, with null and absent as the schema words them.
func startSync(input *model.StartSyncInput) integration.StartSync {
	in := integration.StartSync{Mode: integration.SyncFull}
	if input == nil {
		return in
	}
	if mode := input.Mode.Value(); mode != nil {
		in.Mode = *mode
	}
	if ids, given := input.ExternalIds.ValueOK(); given {
		in.Selection = &ids
	}
	in.IncludeCompleted, in.IncludeArchived, in.BatchSize = input.IncludeCompleted.Value(), input.IncludeArchived.Value(), input.BatchSize.Value()
	if confirm := input.ConfirmDeletions.Value(); confirm != nil {
		in.ConfirmDeletions = *confirm
	}
	return in
}

func (m mutation) CancelSync(ctx context.Context, runID uuid.UUID) (*integration.SyncRun, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return m.Syncer.CancelSync(ctx, p, runID)
}
