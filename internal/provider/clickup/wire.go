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
	case 'n', '{', '[': // n begins null
		r.skip()
		*t = ""
	default:
		*t = text(r.skip())
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
	raw := bytes.TrimSpace(bytes.Trim(r.skip(), `"`))
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
	b, _ := strconv.ParseBool(string(bytes.Trim(r.skip(), `"`)))
	*f = flag(b)
}

// listOf reads a list whose items are readable, or structs; of these, items that are no objects are left out. What is no list is empty.
type listOf[T any] []T

func (l *listOf[T]) read(r *reader) {
	*l = nil
	for range r.items() {
		longer := append(*l, *new(T))
		if r.into(reflect.ValueOf(&longer[len(longer)-1]).Elem()) {
			*l = longer
		}
	}
}

// rawList reads a list, of which each item is decoded by itself. It is nil for what is no list, which is another thing than an empty one.
// The items are parts of what was read, and no copies.
type rawList []json.RawMessage

func (l *rawList) read(r *reader) {
	*l = nil
	if r.peek() == '[' {
		*l = rawList{}
	}
	for range r.items() {
		*l = append(*l, r.skip())
	}
}

// rawObject reads an object whose values are read one by one; nil has none. They are parts of what was read, and no copies.
type rawObject map[string]json.RawMessage

func (o *rawObject) read(r *reader) {
	*o = nil
	for name := range r.names() {
		if *o == nil {
			*o = rawObject{}
		}
		(*o)[string(name)] = r.skip()
	}
}

// requiredList reads a list that has to be there. One that is null has no items: it may be empty, but nothing is taken for deleted because it is
// not in there.
type requiredList struct {
	items rawList
	ok    bool
}

func (l *requiredList) read(r *reader) {
	first := r.peek()
	l.ok = first == '[' || first == 'n' // null
	l.items.read(r)
}

// listing takes the items of a list out of an answer. It is false where the answer has no such list.
func listing(answer json.RawMessage, name string) (rawList, bool) {
	var found requiredList
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
	ID       text `json:"id"`
	Username text `json:"username"`
	Email    text `json:"email"`
	Initials text `json:"initials"`
}

func (u *user) read(r *reader) {
	type plain user
	*u = user{}
	r.either((*plain)(u), &u.ID)
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

func (i *id) read(r *reader) {
	var object struct {
		ID text `json:"id"`
	}
	r.either(&object, &object.ID)
	*i = id(object.ID)
}

// compareIDs orders numeric ids by their value and others by their text, so that an order stays when objects come and go.
func compareIDs(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
