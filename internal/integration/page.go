package integration

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

// MaxFirst is the largest page that a list gives.
const MaxFirst = 200

// PageArgs ask for a page of a list: at most First items, those after the cursor After (from the start where nil).
type PageArgs struct {
	First int
	After *string
	// CountTotal asks for Page.Total, which costs a count of the whole list.
	CountTotal bool
}

// NewPageArgs checks what a client asked for. A nil first means the schema's default was overridden with null.
func NewPageArgs(first *int, after *string, countTotal bool) (PageArgs, error) {
	if first == nil {
		return PageArgs{}, Invalid("first", "first must be a number from 1 to %d", MaxFirst)
	}
	if *first < 1 || *first > MaxFirst {
		return PageArgs{}, Invalid("first", "first must be from 1 to %d, not %d", MaxFirst, *first)
	}
	return PageArgs{First: *first, After: after, CountTotal: countTotal}, nil
}

// Page is a part of a list, in the list's order.
type Page[T any] struct {
	Items       []Item[T]
	HasNext     bool
	HasPrevious bool
	Total       int // 0 unless PageArgs.CountTotal
}

// Item is one entry of a list with the cursor that a next page would start after.
type Item[T any] struct {
	Cursor string
	Node   T
}

// maxCursor bounds what a cursor may decode from; the longest key, a 255-character name and a UUID, is well below.
const maxCursor = 4096

// EncodeCursor makes the opaque cursor for the item of a list (a constant of the caller's, so that a cursor of another
// list is refused) with these sort keys.
func EncodeCursor(list string, keys ...string) string {
	b, err := json.Marshal(append([]string{list}, keys...))
	if err != nil { // a []string always marshals
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// DecodeCursor returns the n sort keys of a cursor that EncodeCursor made for the same list. Anything else is refused
// with an error that names field.
func DecodeCursor(field, list, cursor string, n int) ([]string, error) {
	var keys []string
	if len(cursor) <= maxCursor {
		if b, err := base64.RawURLEncoding.Strict().DecodeString(cursor); err == nil {
			_ = json.Unmarshal(b, &keys) // what does not parse has the wrong length
		}
	}
	hasNUL := func(key string) bool { return strings.ContainsRune(key, 0) } // PostgreSQL refuses it
	if len(keys) != n+1 || keys[0] != list || slices.ContainsFunc(keys[1:], hasNUL) || EncodeCursor(list, keys[1:]...) != cursor {
		return nil, Invalid(field, "%s is not a cursor of this list: give a cursor as an earlier page returned it", field)
	}
	return keys[1:], nil
}
