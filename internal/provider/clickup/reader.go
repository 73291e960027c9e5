package clickup

import (
	"encoding/binary"
	"encoding/json"
	"iter"
	"math/bits"
	"reflect"
	"sync"
	"unicode/utf8"
)

// reader reads JSON that is known to be valid, which the client has checked, from its beginning to its end. What is not wanted is skipped
// without looking at it. Cutting each part out first, to take it apart again, took a third of the program's time in an import. Of what is no
// JSON it reads something or other, and ends.
type reader struct {
	raw []byte
	at  int
}

// readable reads itself from what is next, whatever that is, and moves the reader behind it. What cannot be read is taken for missing.
type readable interface{ read(r *reader) }

// decode reads what it can of raw into out, a pointer to a struct of what is readable, of json.RawMessage and of such structs. What is of an
// unexpected type is left out, and the rest is read all the same. It is false for what is no object.
func decode(raw json.RawMessage, out any) bool {
	return (&reader{raw: raw}).fields(reflect.ValueOf(out).Elem())
}

// as reads raw as a type.
func as[T any, P interface {
	*T
	readable
}](raw json.RawMessage) (v T) {
	P(&v).read(&reader{raw: raw})
	return v
}

// peek is the first byte of what is next; 0 at the end.
func (r *reader) peek() byte {
	for ; r.at < len(r.raw); r.at++ {
		switch c := r.raw[r.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// skip moves behind a value and returns it: a part of what is read, and no copy.
func (r *reader) skip() json.RawMessage {
	first, from, depth := r.peek(), r.at, 0
	if first == '"' {
		r.quoted()
		return r.raw[from:r.at]
	}
	for r.at < len(r.raw) {
		switch meaning[r.raw[r.at]] {
		case opens:
			depth++
		case closes:
			if depth == 0 { // what the number or word is in
				return r.raw[from:r.at]
			}
			if depth--; depth == 0 {
				r.at++
				return r.raw[from:r.at]
			}
		case quotes:
			r.quoted()
			continue
		case ends:
			if depth == 0 {
				return r.raw[from:r.at]
			}
		}
		r.at++
	}
	return r.raw[from:]
}

// meaning is what a byte outside of texts does; most do nothing.
var meaning = [256]byte{'"': quotes, '[': opens, '{': opens, ']': closes, '}': closes, ',': ends, ' ': ends, '\t': ends, '\n': ends, '\r': ends}

const (
	_      = iota
	quotes // begins a text
	opens  // a list or an object
	closes // it
	ends   // a number or a word
)

// quoted moves behind the text that is next and returns what is between its quotation marks, and whether that is ASCII without escapes. It
// looks at eight bytes at a time: half of an answer is text.
func (r *reader) quoted() (inside []byte, plain bool) {
	raw, from := r.raw, r.at+1
	plain = true
	for i := from; i < len(raw); {
		if i+8 <= len(raw) {
			eight := binary.LittleEndian.Uint64(raw[i:])
			found := equal(eight, '"') | equal(eight, '\\')
			if found == 0 {
				plain = plain && eight&highest == 0
				i += 8
				continue
			}
			before := bits.TrailingZeros64(found) &^ 7
			plain = plain && eight<<(64-before)&highest == 0
			i += before / 8
		}
		switch c := raw[i]; {
		case c == '"':
			r.at = i + 1
			return raw[from:i], plain
		case c == '\\':
			plain = false
			i++
		case c >= utf8.RuneSelf:
			plain = false
		}
		i++
	}
	r.at = len(raw)
	return raw[min(from, len(raw)):], false
}

const highest = 0x8080808080808080 // bit of each byte

// equal has the highest bit set of the first byte that equals c. Those of later bytes may be wrong.
func equal(eight uint64, c byte) uint64 {
	const ones = 0x0101010101010101
	differ := eight ^ ones*uint64(c)
	return (differ - ones) &^ differ & highest
}

// items stops at each item of the list that is next, for it to be read. What is no list has none, and is skipped.
func (r *reader) items() iter.Seq[int] {
	return func(yield func(int) bool) {
		if r.peek() != '[' {
			r.skip()
			return
		}
		r.at++
		for n := 0; r.peek() != ']' && r.at < len(r.raw); n++ {
			if !yield(n) {
				return
			}
			if r.peek() != ',' {
				break
			}
			r.at++
		}
		r.end()
	}
}

// end moves behind the end of a list or an object.
func (r *reader) end() { r.at = min(r.at+1, len(r.raw)) }

// names stops at each value of the object that is next, for it to be read: what is not, is skipped. What is no object has none, and is skipped
// too. The names are parts of what is read, and no copies.
func (r *reader) names() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if r.peek() != '{' {
			r.skip()
			return
		}
		r.at++
		for r.peek() == '"' {
			name, plain := r.quoted()
			if !plain {
				name = []byte(unquoted(name))
			}
			if r.peek() == ':' {
				r.at++
			}
			before := r.at
			if !yield(name) {
				return
			}
			if r.at == before {
				r.skip()
			}
			if r.peek() != ',' {
				break
			}
			r.at++
		}
		r.end()
	}
}

// fields reads the object that is next into a struct. It is false for what is no object, which is skipped.
func (r *reader) fields(of reflect.Value) bool {
	if r.peek() != '{' {
		r.skip()
		return false
	}
	places := placesOf(of.Type())
	for name := range r.names() {
		if at, wanted := places[string(name)]; wanted {
			r.into(of.Field(at))
		}
	}
	return true
}

// into reads what is next as a field's type. It is false for what is no object, where that is a struct.
func (r *reader) into(field reflect.Value) bool {
	switch out := field.Addr().Interface().(type) {
	case *json.RawMessage:
		*out = r.skip()
	case readable:
		out.read(r)
	default:
		return r.fields(field)
	}
	return true
}

// either reads the object that is next into a struct, or what is no object as one of its fields: what ClickUp gives alone at times.
func (r *reader) either(object any, alone readable) {
	if r.peek() == '{' {
		r.fields(reflect.ValueOf(object).Elem())
	} else {
		alone.read(r)
	}
}

var placesKnown sync.Map // by type

// placesOf are the places of a struct's fields by their names in JSON.
func placesOf(t reflect.Type) map[string]int {
	if known, ok := placesKnown.Load(t); ok {
		return known.(map[string]int)
	}
	names := map[string]int{}
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("json"); name != "" {
			names[name] = i
		}
	}
	placesKnown.Store(t, names)
	return names
}
