package graph

import (
	"context"
	"errors"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"

	"patchbay/graph/model"
	"patchbay/internal/auth"
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

// denials are the codes of what is refused to a principal. What is not yours and what does not exist are the same here too.
var denials = []string{codes[integration.KindForbidden], codes[integration.KindNotFound]}

// recordDenied writes a mutation that was refused into the trail of the principal's organisation; a refused query leaves
// nothing there. The refusal stands whether or not that works; a client that hangs up does not prevent it.
func (r *Resolver) recordDenied(ctx context.Context, mutation graphql.CollectedField) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return // a stranger has no trail
	}
	for _, e := range graphql.GetErrors(ctx) {
		code, _ := e.Extensions["code"].(string)
		if len(e.Path) != 1 || e.Path[0] != ast.PathName(mutation.Alias) || !slices.Contains(denials, code) {
			continue
		}
		if err := r.DB.Tenant(p.Scope()).RecordDenied(context.WithoutCancel(ctx), mutation.Name, code); err != nil {
			r.Log.ErrorContext(ctx, "a refused mutation is missing in the audit trail", "mutation", mutation.Name, "error", err)
		}
		return
	}
}
