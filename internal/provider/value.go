package provider

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"unicode/utf8"
)

// plain turns a value from the API layer or from Go code into what encoding/json would read: nil, bool, string, int64,
// float64, []any and map[string]any. A whole number becomes an int64 in every spelling (100, 100.0, 1e2). It reports
// false, and a problem, where there is no such value.
//
// A string that PostgreSQL cannot keep is reported and still returned, so that what else is wrong with it is reported too.
func plain(v any, at place, problems *problems) (any, bool) {
	switch v := v.(type) {
	case nil, bool:
		return v, true
	case string:
		checkText(v, at, problems)
		return v, true
	case json.Number:
		return plainNumber(v, at, problems)
	case map[string]any:
		return plainObject(v, at, problems)
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return rv.Int(), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return plainFloat(float64(rv.Uint()), at, problems)
	case reflect.Float32, reflect.Float64:
		return plainFloat(rv.Float(), at, problems)
	case reflect.Slice:
		return plainList(rv, at, problems)
	}
	problems.add(at, "is of a kind that JSON does not have")
	return nil, false
}

// length is the number of items of a list, and 0 for what is none.
func length(v any) int {
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Slice {
		return rv.Len()
	}
	return 0
}

func plainList(list reflect.Value, at place, problems *problems) (any, bool) {
	items, ok := make([]any, list.Len()), true
	for i := range items {
		var itemOK bool
		items[i], itemOK = plain(list.Index(i).Interface(), at.of(i), problems)
		ok = ok && itemOK
	}
	return items, ok
}

// No setting is an object; it is walked for what it may hide. Its names are not shown, for they may be secret.
func plainObject(object map[string]any, at place, problems *problems) (any, bool) {
	entries, ok := make(map[string]any, len(object)), true
	for name, v := range object {
		checkText(name, at, problems)
		var entryOK bool
		entries[name], entryOK = plain(v, at, problems)
		ok = ok && entryOK
	}
	return entries, ok
}

func plainNumber(n json.Number, at place, problems *problems) (any, bool) {
	if i, err := n.Int64(); err == nil {
		return i, true
	}
	f, err := n.Float64()
	if err != nil {
		f = math.NaN()
	}
	return plainFloat(f, at, problems)
}

func plainFloat(f float64, at place, problems *problems) (any, bool) {
	const exact = 1 << 53 // above it a float64 skips whole numbers
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		problems.add(at, "must be a number of ordinary size")
		return nil, false
	case f == math.Trunc(f) && math.Abs(f) <= exact:
		return int64(f), true
	}
	return f, true
}

func checkText(s string, at place, problems *problems) {
	if strings.ContainsRune(s, 0) {
		problems.add(at, "must not contain NUL characters, which the database cannot store")
	}
	if !utf8.ValidString(s) {
		problems.add(at, "must be valid UTF-8")
	}
}
