package store

import (
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
)

// page collects one page of a list whose statement asked for one row more than the page holds.
type page[T any] struct {
	integration.Page[T]
	first int
}

func newPage[T any](args integration.PageArgs) *page[T] {
	return &page[T]{Page: integration.Page[T]{HasPrevious: args.After != nil}, first: args.First}
}

// collect reads rows with scan, which returns each row's node and cursor; the row too many only says that there is more.
func (p *page[T]) collect(rows pgx.Rows, scan func(pgx.CollectableRow) (T, string, error)) error {
	items, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (integration.Item[T], error) {
		node, cursor, err := scan(row)
		return integration.Item[T]{Cursor: cursor, Node: node}, err
	})
	if err != nil {
		return err
	}
	if p.HasNext = len(items) > p.first; p.HasNext {
		items = items[:p.first]
	}
	p.Items = items
	return nil
}
