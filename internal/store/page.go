package store

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
)

// page collects one page of a list whose statement asked for one row more than the page holds.
type page[T any] struct {
	integration.Page[T]
	first int
	// size and most end a page earlier: with the node that brings their sizes to most. A page that has none ends by first alone.
	size func(T) int
	most int
}

func newPage[T any](args integration.PageArgs) *page[T] {
	return &page[T]{Page: integration.Page[T]{HasPrevious: args.After != nil}, first: args.First}
}

// collect reads rows with scan, which returns each row's node and cursor; the row too many only says that there is more.
func (p *page[T]) collect(rows pgx.Rows, scan func(pgx.CollectableRow) (T, string, error)) error {
	size := 0
	for rows.Next() {
		if p.HasNext = len(p.Items) == p.first || p.size != nil && size >= p.most; p.HasNext {
			break
		}
		node, cursor, err := scan(rows)
		if err != nil {
			return err
		}
		if p.size != nil {
			size += p.size(node)
		}
		p.Items = append(p.Items, integration.Item[T]{Cursor: cursor, Node: node})
	}
	rows.Close()
	return rows.Err()
}

// encodeTimeCursor makes the cursor of a list that is sorted by time and id.
func encodeTimeCursor(list string, at time.Time, id uuid.UUID) string {
	return integration.EncodeCursor(list, at.UTC().Format(time.RFC3339Nano), id.String())
}

// decodeTimeCursor reads such a cursor; nil is the list's beginning.
func decodeTimeCursor(list string, after *string) (at *time.Time, id *uuid.UUID, err error) {
	if after == nil {
		return nil, nil, nil
	}
	keys, err := integration.DecodeCursor("after", list, *after, 2)
	if err != nil {
		return nil, nil, err
	}
	t, errAt := time.Parse(time.RFC3339Nano, keys[0])
	u, errID := uuid.Parse(keys[1])
	if errAt != nil || errID != nil {
		return nil, nil, integration.Invalid("after", "after is not a cursor of this list: give a cursor as an earlier page returned it")
	}
	return &t, &u, nil
}
