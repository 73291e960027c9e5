package clickup

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
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
type many []json.RawMessage

// UnmarshalJSON finds the items without reading them: encoding/json has checked raw, and reads each item again.
func (l *many) UnmarshalJSON(raw []byte) error {
	*l = nil
	if len(raw) == 0 || raw[0] != '[' {
		return nil
	}
	*l = many{}
	raw = raw[1 : len(raw)-1]
	depth, from, quoted := 0, 0, false
	add := func(to int) {
		if item := bytes.TrimSpace(raw[from:to]); len(item) > 0 {
			*l = append(*l, slices.Clone(item))
		}
		from = to + 1
	}
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 0:
			add(i)
		}
	}
	add(len(raw))
	return nil
}

// decode reads what it can of raw into out, a pointer to a struct. It is false for what is no JSON object.
func decode(raw json.RawMessage, out any) bool {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '{' {
		return false
	}
	// A field of an unexpected type is left out, and the rest is read all the same.
	var mismatch *json.UnmarshalTypeError
	err := json.Unmarshal(raw, out)
	return err == nil || errors.As(err, &mismatch)
}

// listing takes the items of a list out of an answer. It is false where the answer has no such list.
func listing(answer json.RawMessage, name string) (many, bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(answer, &fields) != nil {
		return nil, false
	}
	return items(fields[name])
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
