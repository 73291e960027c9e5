package graph

import (
	"context"

	"patchbay/graph/model"
	"patchbay/internal/integration"
)

func (q query) Projects(ctx context.Context, orgID string, first *int, after *string) (*model.ProjectConnection, error) {
	tenant, err := q.tenant(ctx, orgID)
	if err != nil {
		return nil, err
	}
	args, err := pageArgs(ctx, first, after)
	if err != nil {
		return nil, err
	}
	page, err := tenant.Projects(ctx, args)
	if err != nil {
		return nil, err
	}
	c := &model.ProjectConnection{PageInfo: pageInfo(page), TotalCount: page.Total, Nodes: nodes(page)}
	for _, i := range page.Items {
		c.Edges = append(c.Edges, &model.ProjectEdge{Cursor: i.Cursor, Node: i.Node})
	}
	return c, nil
}

func (m mutation) CreateProject(ctx context.Context, input model.CreateProjectInput) (*integration.Project, error) {
	p, err := m.member(ctx, input.OrgID)
	if err != nil {
		return nil, err
	}
	return m.Connect.CreateProject(ctx, p, input.ID.Value(), input.Name)
}
