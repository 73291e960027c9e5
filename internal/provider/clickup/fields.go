package clickup

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// field is a custom field of a task, with its value.
type field struct {
	ID       text            `json:"id"`
	Name     text            `json:"name"`
	Type     text            `json:"type"`
	Value    json.RawMessage `json:"value"`
	Markdown text            `json:"value_markdown"` // of texts
	Config   json.RawMessage `json:"type_config"`    // read where the type needs it: it may be large
}

// option is one of a drop-down's or of labels.
type option struct {
	ID    text   `json:"id"`
	Name  text   `json:"name"`  // of a drop-down's
	Label text   `json:"label"` // of labels
	Index number `json:"orderindex"`
}

// customFields are the values of a task's fields by the name that the plan maps a field to, else ClickUp's. Fields without a value
// are left out. Of two fields of one name, the one with the greater id has it in its name.
func customFields(all []field, plan provider.Plan) properties {
	var fields []*field
	for i, f := range all {
		if f.ID != "" && len(f.Value) > 0 && string(f.Value) != "null" {
			fields = append(fields, &all[i])
		}
	}
	slices.SortStableFunc(fields, func(a, b *field) int { return strings.Compare(string(a.ID), string(b.ID)) })
	p := properties{}
	for _, f := range fields {
		value := f.value()
		if value == nil {
			continue
		}
		name := cmp.Or(plan.Target(integration.MapCustomField, string(f.ID)), string(f.Name), string(f.ID))
		if _, taken := p[name]; taken {
			name += " (" + string(f.ID) + ")"
		}
		p[name] = value
	}
	return p
}

// value is the field's value by its type; nil is none. A value that does not look like its type's, and one of a type that is not
// known here, is given as ClickUp sends it.
func (f field) value() any {
	var known any
	switch f.Type {
	case "text", "short_text", "email", "phone", "url":
		known = some(string(cmp.Or(f.Markdown, f.text())))
	case "number", "currency", "emoji": // emoji is a rating
		known = f.number()
	case "formula":
		if known = f.number(); known == nil {
			known = some(string(f.text()))
		}
	case "checkbox":
		if t := strings.ToLower(string(f.text())); t == "true" || t == "false" {
			known = t == "true"
		}
	case "date":
		known = some(as[moment](f.Value).String())
	case "drop_down":
		known = f.choice()
	case "labels":
		known = f.labels()
	case "users", "people":
		known = someOf(names(as[listOf[user]](f.Value)))
	case "tasks", "list_relationship":
		known = someOf(f.parts("id", "name"))
	case "attachment":
		known = someOf(f.parts("id", "title", "url"))
	case "location":
		var place struct {
			Address text `json:"formatted_address"`
		}
		decode(f.Value, &place)
		known = some(string(place.Address))
	case "automatic_progress", "manual_progress":
		known = f.progress()
	}
	if known != nil {
		return known
	}
	if raw := string(f.Value); raw == `""` || raw == "[]" || raw == "{}" {
		return nil
	}
	return plain(f.Value)
}

func (f field) text() text { return as[text](f.Value) }

func (f field) number() any {
	n := as[number](f.Value)
	if n.float64 == nil {
		return nil
	}
	return *n.float64
}

func (f field) progress() any {
	var p struct {
		Percent   number `json:"percent_complete"`
		Completed number `json:"percent_completed"` // of manual progress
	}
	if !decode(f.Value, &p) {
		return f.number()
	}
	for _, n := range []number{p.Percent, p.Completed} {
		if n.float64 != nil {
			return *n.float64
		}
	}
	return nil
}

// options are the field's, in their order. There may be hundreds.
func (f field) options() []option {
	var config struct {
		Options listOf[option] `json:"options"`
	}
	decode(f.Config, &config)
	return config.Options
}

// choice is the name of a drop-down's option: the value is its id, or its place in the order.
func (f field) choice() any {
	value, index := f.text(), f.number()
	for i, o := range f.options() {
		at := any(float64(i))
		if o.Index.float64 != nil {
			at = *o.Index.float64
		}
		if value != "" && value == o.ID || index != nil && index == at {
			return some(string(cmp.Or(o.Name, o.Label)))
		}
	}
	return nil
}

// labels are the names of the chosen ones. An option that is gone shows its id.
func (f field) labels() any {
	var all []any
	options := f.options()
	for _, chosen := range as[listOf[id]](f.Value) {
		label := text(chosen)
		for _, o := range options {
			if o.ID == label {
				label = cmp.Or(o.Label, o.Name, label)
				break
			}
		}
		if label != "" {
			all = append(all, string(label))
		}
	}
	return someOf(all)
}

// parts are the objects of a list with the named texts of each alone: others, such as a link to a thumbnail, change by themselves.
func (f field) parts(names ...string) []any {
	var all []any
	for _, object := range as[listOf[rawObject]](f.Value) {
		part := map[string]any{}
		for _, name := range names {
			if t := as[text](object[name]); t != "" {
				part[name] = string(t)
			}
		}
		if len(part) > 0 {
			all = append(all, part)
		}
	}
	return all
}

func some(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func someOf(items []any) any {
	if len(items) == 0 {
		return nil
	}
	return items
}
