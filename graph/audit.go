package graph

import (
	"context"
	"errors"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

	"patchbay/graph/model"
	"patchbay/internal/integration"
)

func (q query) AuditEvents(ctx context.Context, orgID string, projectID *uuid.UUID, filter *model.AuditEventFilter, first *int, after *string) (*model.AuditEventConnection, error) {
	tenant, err := q.tenant(ctx, orgID)
	if err != nil {
		return nil, err
	}
	args, err := pageArgs(ctx, first, after)
	if err != nil {
		return nil, err
	}
	f, err := auditFilter(projectID, filter)
	if err != nil {
		return nil, err
	}
	page, err := tenant.AuditEvents(ctx, f, args)
	if err != nil {
		return nil, err
	}
	c := &model.AuditEventConnection{PageInfo: pageInfo(page), TotalCount: page.Total, Nodes: nodes(page)}
	for _, i := range page.Items {
		c.Edges = append(c.Edges, &model.AuditEventEdge{Cursor: i.Cursor, Node: i.Node})
	}
	return c, nil
}

func auditFilter(projectID *uuid.UUID, filter *model.AuditEventFilter) (integration.AuditFilter, error) {
	f := integration.AuditFilter{ProjectID: projectID}
	if filter == nil {
		return f, nil
	}
	f.IntegrationID, f.Action, f.Actor = filter.IntegrationID.Value(), filter.Action.Value(), filter.Actor.Value()
	f.Since, f.Until = filter.Since.Value(), filter.Until.Value()
	return f, errors.Join(checkText("filter.action", f.Action), checkText("filter.actor", f.Actor))
}

// recordDenied writes a refused mutation into the trail of the principal's organisation; a refused query leaves none.
// The refusal stands whether or not that works.
func (r *Resolver) recordDenied(ctx context.Context, p integration.Principal, denial error) {
	root := graphql.GetRootFieldContext(ctx)
	var own *integration.Error
	if root == nil || root.Field.ObjectDefinition.Name != "Mutation" || !errors.As(denial, &own) { // subscriptions have no root
		return
	}
	if err := r.DB.Tenant(p.Scope()).RecordDenied(ctx, root.Field.Name, codes[own.Kind]); err != nil {
		r.Log.ErrorContext(ctx, "a refused mutation is missing in the audit trail", "mutation", root.Field.Name, "error", err)
	}
}
