package clickup

import (
	"bytes"
	"encoding/json"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// ClickUp's answers differ from its own contract, and from each other: ids and times are strings here and numbers there,
// objects are numbers, and anything may be null. What cannot be read is taken for missing; only an object without an id
// is refused.

// text reads a string, or a number or boolean as one. It leaves out NUL, which PostgreSQL cannot store.
type text string

func (t *text) UnmarshalJSON(raw []byte) error {
	switch {
	case len(raw) == 0 || raw[0] == 'n' || raw[0] == '{' || raw[0] == '[':
		*t = ""
	case raw[0] == '"' && len(raw) > 1 && bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw):
		*t = text(raw[1 : len(raw)-1])
	case raw[0] == '"':
		var s string
		_ = json.Unmarshal(raw, &s)
		*t = text(strings.ReplaceAll(s, "\x00", ""))
	default:
		*t = text(raw)
	}
	return nil
}

// number reads a number, or a string that holds one; nil is neither.
type number struct{ *float64 }

func (n *number) UnmarshalJSON(raw []byte) error {
	n.float64 = nil
	var t text
	_ = t.UnmarshalJSON(raw)
	if f, err := strconv.ParseFloat(strings.TrimSpace(string(t)), 64); err == nil && f-f == 0 { // neither NaN nor infinite
		n.float64 = &f
	}
	return nil
}

// moment reads a time in Unix milliseconds; nil is none.
type moment struct{ *time.Time }

func (m *moment) UnmarshalJSON(raw []byte) error {
	m.Time = nil
	var n number
	_ = n.UnmarshalJSON(raw)
	const year9999 = 253402300799999
	if n.float64 != nil && *n.float64 > 0 && *n.float64 <= year9999 {
		t := time.UnixMilli(int64(*n.float64)).UTC()
		m.Time = &t
	}
	return nil
}

// String is RFC 3339, or empty.
func (m moment) String() string {
	if m.Time == nil {
		return ""
	}
	return m.Format(time.RFC3339)
}

// unix is the time in Unix ms; 0 for none.
func (m moment) unix() int64 {
	if m.Time == nil {
		return 0
	}
	return m.UnixMilli()
}

// flag reads a boolean, or a string that holds one.
type flag bool

func (f *flag) UnmarshalJSON(raw []byte) error {
	b, _ := strconv.ParseBool(strings.Trim(string(raw), `"`))
	*f = flag(b)
	return nil
}

// many reads a list, of which each item is decoded by itself. It is nil for what is no list, which is another thing than an empty one.
// The items are parts of what was read, and no copies.
type many []json.RawMessage

func (l *many) UnmarshalJSON(raw []byte) error {
	*l = nil
	if len(raw) > 0 && raw[0] == '[' {
		*l = slices.AppendSeq(many{}, parts(raw))
	}
	return nil
}

// parts gives what stands between the commas of a list or an object, without looking at it. raw is JSON, which the client has
// checked: reading each answer once with encoding/json, and then each part of it again and again, took most of an import's time.
func parts(raw []byte) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		if len(raw) < 2 {
			return
		}
		raw = raw[1 : len(raw)-1]
		depth, from := 0, 0
		for i := 0; i < len(raw); i++ {
			if !structural[raw[i]] {
				continue
			}
			switch raw[i] {
			case '"':
				i = quote(raw, i)
			case '[', '{':
				depth++
			case ']', '}':
				depth--
			case ',':
				if depth > 0 {
					continue
				}
				if !yield(bytes.TrimSpace(raw[from:i])) {
					return
				}
				from = i + 1
			}
		}
		if last := bytes.TrimSpace(raw[from:]); len(last) > 0 {
			yield(last)
		}
	}
}

// structural are the bytes that parts looks at: most are none of them.
var structural = [256]bool{'"': true, '[': true, '{': true, ']': true, '}': true, ',': true}

// quote is where the text ends that begins at i: at its second quotation mark.
func quote(raw []byte, i int) int {
	for begin := i; ; {
		n := bytes.IndexByte(raw[i+1:], '"')
		if n < 0 {
			return len(raw)
		}
		i += n + 1
		escapes := 0
		for i-1-escapes > begin && raw[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
}

// entries gives an object's names and values; nothing for what is no object. Names are parts of what was read, and no copies.
func entries(raw []byte) iter.Seq2[[]byte, json.RawMessage] {
	return func(yield func([]byte, json.RawMessage) bool) {
		if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '{' {
			return
		}
		for part := range parts(raw) {
			if len(part) == 0 || part[0] != '"' {
				continue
			}
			end := min(quote(part, 0)+1, len(part))
			_, value, ok := bytes.Cut(part[end:], []byte(":"))
			if !ok {
				continue
			}
			name := bytes.Trim(part[:end], `"`)
			if bytes.IndexByte(name, '\\') >= 0 || !utf8.Valid(name) {
				var t text
				_ = t.UnmarshalJSON(part[:end])
				name = []byte(t)
			}
			if !yield(name, bytes.TrimSpace(value)) {
				return
			}
		}
	}
}

// decode reads what it can of raw, which is JSON, into out, a pointer to a struct of the types here. What is of an unexpected type is left
// out, and the rest is read all the same. It is false for what is no object.
func decode(raw json.RawMessage, out any) bool {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' {
		return false
	}
	read(raw, reflect.ValueOf(out).Elem())
	return true
}

func read(raw []byte, into reflect.Value) {
	names := namesOf(into.Type())
	for name, value := range entries(raw) {
		at, wanted := names[string(name)]
		if !wanted {
			continue
		}
		field := into.Field(at)
		switch out := field.Addr().Interface().(type) {
		case *json.RawMessage:
			*out = value
		case json.Unmarshaler:
			_ = out.UnmarshalJSON(value)
		default:
			if field.Kind() == reflect.Struct {
				read(value, field)
			} else {
				_ = json.Unmarshal(value, out)
			}
		}
	}
}

var namesKnown sync.Map // by type

// namesOf are the places of a struct's fields by their names in JSON.
func namesOf(t reflect.Type) map[string]int {
	if known, ok := namesKnown.Load(t); ok {
		return known.(map[string]int)
	}
	names := map[string]int{}
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("json"); name != "" {
			names[name] = i
		}
	}
	namesKnown.Store(t, names)
	return names
}

// listing takes the items of a list out of an answer. It is false where the answer has no such list.
func listing(answer json.RawMessage, name string) (many, bool) {
	var found json.RawMessage
	for n, value := range entries(answer) {
		if string(n) == name {
			found = value
		}
	}
	return items(found)
}

// items takes apart a list. One that is null is nil: it may be empty, but nothing is taken for deleted because it is not in there.
func items(raw json.RawMessage) (all many, ok bool) {
	raw = bytes.TrimSpace(raw)
	_ = all.UnmarshalJSON(raw)
	return all, len(raw) > 0 && (raw[0] == '[' || string(raw) == "null")
}

// user is a person as tasks, comments and Workspaces show one; sometimes only the id.
type user struct {
	ID       text `json:"id"`
	Username text `json:"username"`
	Email    text `json:"email"`
	Initials text `json:"initials"`
}

func (u *user) UnmarshalJSON(raw []byte) error {
	type plain user
	*u = user{}
	if !decode(raw, (*plain)(u)) {
		_ = u.ID.UnmarshalJSON(raw)
	}
	return nil
}

// name is what people know somebody by; empty for nobody.
func (u user) name() string {
	switch {
	case u.Username != "":
		return string(u.Username)
	case u.Email != "":
		return string(u.Email)
	}
	return string(u.ID)
}

// id reads an object that only its id is wanted of, or the id alone.
type id string

func (i *id) UnmarshalJSON(raw []byte) error {
	var object struct {
		ID text `json:"id"`
	}
	if !decode(raw, &object) {
		_ = object.ID.UnmarshalJSON(raw)
	}
	*i = id(object.ID)
	return nil
}

// compareIDs orders numeric ids by their value and others by their text, so that an order stays when objects come and go.
func compareIDs(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
