package clickup

import (
	"encoding/json"
	"strings"
)

// appURL is where people open things.
const appURL = "https://app.clickup.com"

// properties are an object's, with the types that JSON has. What is empty is left out.
type properties map[string]any

func (p properties) text(name string, t text) {
	if t != "" {
		p[name] = string(t)
	}
}

func (p properties) number(name string, n number) {
	if n.float64 != nil {
		p[name] = *n.float64
	}
}

func (p properties) list(name string, items []any) {
	if len(items) > 0 {
		p[name] = items
	}
}

// titled is a title that is never empty.
func titled(name text) string {
	if t := strings.TrimSpace(string(name)); t != "" {
		return t
	}
	return "Untitled"
}

func userID(id text) string { return "user:" + string(id) }

// names are the names of people, in ClickUp's order; what is nobody is left out.
func names(people []user) []any {
	var all []any
	for _, u := range people {
		if n := u.name(); n != "" {
			all = append(all, n)
		}
	}
	return all
}

// plain is a value of unknown form as JSON types, without NUL; nil for what is no JSON.
func plain(raw json.RawMessage) any {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	return withoutNUL(v)
}

func withoutNUL(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "\x00", "")
	case []any:
		for i := range v {
			v[i] = withoutNUL(v[i])
		}
	case map[string]any:
		for key, value := range v {
			clean := strings.ReplaceAll(key, "\x00", "")
			if clean != key {
				delete(v, key)
			}
			v[clean] = withoutNUL(value)
		}
	}
	return v
}
