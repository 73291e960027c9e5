package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"patchbay/internal/seal"
)

// OtherSettings is the secret that Adopt keeps settings in whose names cannot be shown: their JSON object.
const OtherSettings = "other_settings"

// AdoptedSettings is what Adopt made of settings that were stored by the earlier module.
type AdoptedSettings struct {
	Public  map[string]any // bool, string, int64 or []any of strings
	Secrets map[string]seal.Secret
	Notes   []string // what was left out or kept in another way, without any value; sorted
}

// Adopt is Change for settings that the earlier module stored. It refuses nothing: what is surely meant is put right (an
// alias or another spelling of a name, "100" for a number, white space around a secret), what the schema does not take is
// left out, and what the schema, or this server, does not know is kept as a secret, because it may be one.
func (r *Registry) Adopt(providerName string, stored map[string]any) AdoptedSettings {
	a := AdoptedSettings{Public: map[string]any{}, Secrets: map[string]seal.Secret{}}
	s := r.settings[providerName]
	others := map[string]any{}
	for _, given := range s.adoptionOrder(stored) {
		value := stored[given]
		if value == nil || value == "" {
			continue
		}
		name := s.nameFor(given)
		switch {
		case name != "":
			r.adoptKnown(&a, providerName, name, given, s.properties[name].coerce(value))
		case maskedValue(value):
			a.note("the setting%s was a masked value: it was left out", quoted(given))
		case !showable.MatchString(given) || given == OtherSettings:
			others[given] = value
		default:
			a.keepUnknown(given, value)
		}
	}
	if len(others) > 0 {
		a.keepUnknown(OtherSettings, others)
	}
	slices.Sort(a.Notes)
	return a
}

func (a *AdoptedSettings) note(format string, args ...any) {
	a.Notes = append(a.Notes, fmt.Sprintf(format, args...))
}

func (r *Registry) adoptKnown(a *AdoptedSettings, providerName, name, given string, value any) {
	if r.settings[providerName].properties[name].WriteOnly && maskedValue(value) {
		a.note("the setting %s was a masked value and not the secret: it was left out", given)
		return
	}
	change, err := r.Change(providerName, map[string]any{name: value})
	_, public := a.Public[name]
	_, secret := a.Secrets[name]
	switch {
	case err != nil:
		a.note("the setting %s was left out: %s", given, messages(err))
	case public || secret:
		if !change.Secrets[name].Equal(a.Secrets[name]) || fmt.Sprint(change.Public[name]) != fmt.Sprint(a.Public[name]) {
			a.note("the setting %s was left out: %s was there too, with another value", given, name)
		}
	default:
		maps.Copy(a.Public, change.Public)
		maps.Copy(a.Secrets, change.Secrets)
	}
}

// keepUnknown keeps a setting as a secret: text as it is, anything else as JSON.
func (a *AdoptedSettings) keepUnknown(name string, value any) {
	text, ok := value.(string)
	if !ok {
		b, err := json.Marshal(value)
		if err != nil {
			a.note("the setting %s was left out: it cannot be written as JSON", name)
			return
		}
		text = string(b)
	}
	if strings.ContainsRune(text, 0) {
		a.note("the setting %s was left out: it contains NUL characters", name)
		return
	}
	a.Secrets[name] = seal.NewSecret(text)
	if name == OtherSettings {
		a.note("settings whose names cannot be shown were kept as the secret %s", name)
		return
	}
	a.note("the setting %s is not known to this server: it was kept as a secret", name)
}

func maskedValue(value any) bool {
	text, ok := value.(string)
	return ok && Masked(strings.TrimSpace(text))
}

// adoptionOrder has the names that the schema itself uses before all others, so that these count where both are given.
func (s *settings) adoptionOrder(stored map[string]any) []string {
	names := slices.Sorted(maps.Keys(stored))
	slices.SortStableFunc(names, func(a, b string) int {
		rank := func(name string) int {
			if s != nil && s.nameFor(name) == name {
				return 0
			}
			return 1
		}
		return rank(a) - rank(b)
	})
	return names
}

// nameFor is the setting that a name means: the same, an alias, or one of these but for capitals and underscores. It is
// empty where there is none.
func (s *settings) nameFor(given string) string {
	if s == nil {
		return ""
	}
	if _, ok := s.properties[given]; ok {
		return given
	}
	if name, ok := s.canonical[given]; ok {
		return name
	}
	for _, name := range s.names() {
		if squash(name) == squash(given) {
			return name
		}
	}
	for _, alias := range slices.Sorted(maps.Keys(s.canonical)) {
		if squash(alias) == squash(given) {
			return s.canonical[alias]
		}
	}
	return ""
}

// squash is a name without what spellings differ in.
func squash(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(strings.ToLower(name))
}

// coerce puts right what is surely meant.
func (p property) coerce(value any) any {
	switch v := value.(type) {
	case json.Number:
		if p.Type == "string" {
			return v.String()
		}
	case string:
		text := strings.TrimSpace(v)
		switch p.Type {
		case "string":
			if p.ContentMediaType != pemFile {
				return text
			}
		case "integer":
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				return n
			}
		case "boolean":
			if strings.EqualFold(text, "true") || strings.EqualFold(text, "false") {
				return strings.EqualFold(text, "true")
			}
		}
	}
	return value
}

// messages joins the texts of the errors that Change returned.
func messages(err error) string {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return err.Error()
	}
	var texts []string
	for _, e := range joined.Unwrap() {
		texts = append(texts, e.Error())
	}
	return strings.Join(texts, "; ")
}

// Named finds the provider that a name from elsewhere means, whatever its spelling: "ClickUp", "click_up". It returns ""
// where this server knows none.
func (r *Registry) Named(text string) string {
	for _, name := range r.names() {
		if squash(name) == squash(text) {
			return name
		}
	}
	return ""
}
