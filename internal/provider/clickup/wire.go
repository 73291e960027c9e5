package clickup

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// ClickUp's answers differ from its own contract, and from each other: ids and times are strings here and numbers there,
// objects are numbers, and anything may be null. What cannot be read is taken for missing; only an object without an id
// is refused.

// text reads a string, or a number or boolean as one. It leaves out NUL, which PostgreSQL cannot store.
type text string

func (t *text) read(r *reader) {
	switch r.peek() {
	case '"':
		inside, plain := r.quoted()
		if plain {
			*t = text(inside)
		} else {
			*t = unquoted(inside)
		}
	case 'n', '{', '[': // null
		r.pass()
		*t = ""
	default:
		*t = text(r.pass())
	}
}

// unquoted is what a text says by what is between its quotation marks.
func unquoted(inside []byte) text {
	valid := utf8.Valid(inside)
	if valid && bytes.IndexByte(inside, '\\') < 0 {
		return text(inside)
	}
	quoted := `"` + string(inside) + `"`
	if valid && !bytes.Contains(inside, []byte(`\u`)) { // at half the cost
		return text(gjson.Parse(quoted).Str)
	}
	var said string
	_ = json.Unmarshal([]byte(quoted), &said)
	return text(strings.ReplaceAll(said, "\x00", ""))
}

// number reads a number, or a string that holds one; nil is neither.
type number struct{ *float64 }

func (n *number) read(r *reader) {
	n.float64 = nil
	raw := bytes.TrimSpace(bytes.Trim(r.pass(), `"`))
	if len(raw) == 0 || raw[0] > '9' { // such as null: an error would cost more than the rest
		return
	}
	if f, err := strconv.ParseFloat(string(raw), 64); err == nil && f-f == 0 { // neither NaN nor infinite
		n.float64 = &f
	}
}

// moment reads a time in Unix milliseconds; nil is none.
type moment struct{ *time.Time }

func (m *moment) read(r *reader) {
	m.Time = nil
	var n number
	n.read(r)
	const year9999 = 253402300799999
	if n.float64 != nil && *n.float64 > 0 && *n.float64 <= year9999 {
		t := time.UnixMilli(int64(*n.float64)).UTC()
		m.Time = &t
	}
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

func (f *flag) read(r *reader) {
	b, _ := strconv.ParseBool(string(bytes.Trim(r.pass(), `"`)))
	*f = flag(b)
}

// several reads a list of values or structs of them. What is no list is empty.
type several[T any] []T

func (l *several[T]) read(r *reader) {
	*l = nil
	for i := range r.items() {
		*l = append(*l, *new(T))
		r.into(reflect.ValueOf(&(*l)[i]).Elem())
	}
}

// many reads a list, of which each item is decoded by itself. It is nil for what is no list, which is another thing than an empty one.
// The items are parts of what was read, and no copies.
type many []json.RawMessage

func (l *many) read(r *reader) {
	*l = nil
	if r.peek() == '[' {
		*l = many{}
	}
	for range r.items() {
		*l = append(*l, r.pass())
	}
}

// untyped reads an object whose values are read one by one; nil is none. They are parts of what was read, and no copies.
type untyped map[string]json.RawMessage

func (o *untyped) read(r *reader) {
	*o = nil
	for name := range r.names() {
		if *o == nil {
			*o = untyped{}
		}
		(*o)[string(name)] = r.pass()
	}
}

// required reads a list that has to be there. One that is null has no items: it may be empty, but nothing is taken for deleted because it is
// not in there.
type required struct {
	items many
	ok    bool
}

func (l *required) read(r *reader) {
	first := r.peek()
	l.ok = first == '[' || first == 'n' // null
	l.items.read(r)
}

// listing takes the items of a list out of an answer. It is false where the answer has no such list.
func listing(answer json.RawMessage, name string) (many, bool) {
	var found required
	r := reader{raw: answer}
	for n := range r.names() {
		if string(n) == name {
			found.read(&r)
		}
	}
	return found.items, found.ok
}

// user is a person as tasks, comments and Workspaces show one; sometimes only the id.
type user struct {
	ID       text
	Username text
	Email    text
	Initials text
}

func (u *user) read(r *reader) {
	*u = user{}
	if r.peek() != '{' {
		u.ID.read(r)
		return
	}
	for name := range r.names() {
		switch string(name) {
		case "id":
			u.ID.read(r)
		case "username":
			u.Username.read(r)
		case "email":
			u.Email.read(r)
		case "initials":
			u.Initials.read(r)
		}
	}
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

func (i *id) read(r *reader) { *i = id(r.named("id")) }

// named reads the text that is next, or that of a name in the object that is next.
func (r *reader) named(name string) (t text) {
	if r.peek() != '{' {
		t.read(r)
		return t
	}
	for n := range r.names() {
		if string(n) == name {
			t.read(r)
		}
	}
	return t
}

// compareIDs orders numeric ids by their value and others by their text, so that an order stays when objects come and go.
func compareIDs(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
