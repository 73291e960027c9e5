package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"patchbay/graph/model"
	"patchbay/internal/integration"
)

// pageArgs checks what the client asked of a list, and whether it wants the total.
func pageArgs(ctx context.Context, first *int, after *string) (integration.PageArgs, error) {
	return integration.NewPageArgs(first, after, selects(ctx, "totalCount"))
}

func pageInfo[T any](p integration.Page[T]) *model.PageInfo {
	info := &model.PageInfo{HasNextPage: p.HasNext, HasPreviousPage: p.HasPrevious}
	if n := len(p.Items); n > 0 {
		info.StartCursor, info.EndCursor = &p.Items[0].Cursor, &p.Items[n-1].Cursor
	}
	return info
}

func nodes[T any](p integration.Page[T]) []T {
	list := make([]T, len(p.Items))
	for i, item := range p.Items {
		list[i] = item.Node
	}
	return list
}

// selects reports whether the client asks for a field of this name anywhere below the present one, so that it can be
// read together with its parent.
func selects(ctx context.Context, name string) bool {
	return contains(graphql.GetFieldContext(ctx).Field.Selections, name)
}

func contains(set ast.SelectionSet, name string) bool {
	for _, s := range set {
		var below ast.SelectionSet
		switch s := s.(type) {
		case *ast.Field:
			if s.Name == name {
				return true
			}
			below = s.SelectionSet
		case *ast.InlineFragment:
			below = s.SelectionSet
		case *ast.FragmentSpread:
			below = s.Definition.SelectionSet
		}
		if contains(below, name) {
			return true
		}
	}
	return false
}
