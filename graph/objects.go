package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"

	"patchbay/graph/model"
	"patchbay/internal/auth"
	"patchbay/internal/integration"
	"patchbay/internal/store"
)

func (q query) SyncedObjects(ctx context.Context, integrationID uuid.UUID, filter *integration.SyncedObjectFilter, first *int, after *string) (*model.SyncedObjectConnection, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	args, err := pageArgs(ctx, first, after)
	if err != nil {
		return nil, err
	}
	f, err := objectFilter(filter)
	if err != nil {
		return nil, err
	}
	tenant := q.DB.Tenant(p.Scope())
	page, err := tenant.SyncedObjects(ctx, integrationID, f, args)
	if err != nil {
		return nil, err
	}
	c := &model.SyncedObjectConnection{PageInfo: pageInfo(page), TotalCount: page.Total, Nodes: nodes(page)}
	for _, i := range page.Items {
		c.Edges = append(c.Edges, &model.SyncedObjectEdge{Cursor: i.Cursor, Node: i.Node})
	}
	if len(page.Items) == 0 { // so that a reader who follows changes can go on from it
		c.PageInfo.EndCursor = after
	}
	return c, relate(ctx, tenant, c.Nodes)
}

func (q query) SyncedObject(ctx context.Context, integrationID uuid.UUID, externalID string) (*integration.SyncedObject, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	if err := integration.CheckText("externalId", externalID, integration.MaxExternalID); err != nil {
		return nil, err
	}
	tenant := q.DB.Tenant(p.Scope())
	o, err := tenant.SyncedObject(ctx, integrationID, externalID)
	if o == nil || err != nil {
		return nil, err
	}
	return o, relate(ctx, tenant, []*integration.SyncedObject{o})
}

func objectFilter(filter *integration.SyncedObjectFilter) (integration.SyncedObjectFilter, error) {
	if filter == nil {
		return integration.SyncedObjectFilter{}, nil
	}
	if filter.ExternalParentID != nil {
		if err := integration.CheckText("filter.externalParentId", *filter.ExternalParentID, integration.MaxExternalID); err != nil {
			return *filter, err
		}
	}
	if filter.Search == nil {
		return *filter, nil
	}
	return *filter, integration.CheckText("filter.search", *filter.Search, integration.MaxSearch)
}

// relate fills in the relationships that the client asks for, one query for each level of them, and the targets' texts where it asks
// for these at any level.
func relate(ctx context.Context, tenant *store.Tenant, objects []*integration.SyncedObject) (err error) {
	asked := graphql.GetFieldContext(ctx).Field.Selections
	texts := below(asked, "relationships", "content") || below(asked, "relationships", "properties")
	for range levels(asked, "relationships") {
		if objects, err = tenant.Relate(ctx, objects, texts); err != nil {
			return err
		}
	}
	return nil
}

// below tells whether a field of this name is selected somewhere below one of the outer name.
func below(set ast.SelectionSet, outer, name string) bool {
	return slices.ContainsFunc(set, func(s ast.Selection) bool {
		switch s := s.(type) {
		case *ast.Field:
			return s.Name == outer && levels(s.SelectionSet, name) > 0 || below(s.SelectionSet, outer, name)
		case *ast.InlineFragment:
			return below(s.SelectionSet, outer, name)
		case *ast.FragmentSpread:
			return below(s.Definition.SelectionSet, outer, name)
		}
		return false
	})
}

// levels counts how deep fields of this name nest in each other.
func levels(set ast.SelectionSet, name string) int {
	deepest := 0
	for _, s := range set {
		n := 0
		switch s := s.(type) {
		case *ast.Field:
			n = levels(s.SelectionSet, name)
			if s.Name == name {
				n++
			}
		case *ast.InlineFragment:
			n = levels(s.SelectionSet, name)
		case *ast.FragmentSpread:
			n = levels(s.Definition.SelectionSet, name)
		}
		deepest = max(deepest, n)
	}
	return deepest
}
