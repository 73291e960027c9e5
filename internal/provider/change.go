package provider

import (
	"maps"
	"slices"
	"strings"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// SettingsChange is what a client's settings change, checked and under the settings' own names. A setting that is in
// none of the three keeps the value that is stored. The maps are never nil; defaults are not filled in.
type SettingsChange struct {
	Public  map[string]any // bool, string, int64 or []any of strings
	Secrets map[string]seal.Secret
	Removed []string // sorted
}

// Change checks what a client sent as the settings of an integration and splits it into what is public and what is
// secret. package connect calls it when it creates and when it updates. Required settings may be missing.
//
// The error is a join of one *integration.Error for each violation, sorted by field. None of its texts holds a value of
// a string setting, because a token may have been put in the wrong one.
func (r *Registry) Change(providerName string, given map[string]any) (SettingsChange, error) {
	s := r.settings[providerName]
	if s == nil {
		return SettingsChange{}, integration.Invalid("provider", "unknown provider%s; this server knows %s",
			quoted(providerName), strings.Join(r.names(), ", "))
	}
	change := SettingsChange{Public: map[string]any{}, Secrets: map[string]seal.Secret{}}
	checked := make(map[string]any, len(given))
	problems := &problems{}
	from := s.resolve(given, problems)
	for _, name := range slices.Sorted(maps.Keys(from)) {
		used := from[name]
		p, at := s.properties[name], place{setting: name, given: used, item: -1}
		if given[used] == nil {
			change.Removed = append(change.Removed, name)
			continue
		}
		if n := length(given[used]); p.MaxItems > 0 && n > p.MaxItems { // before any item is looked at
			problems.add(at, "must have at most %d items, not %d", p.MaxItems, n)
			continue
		}
		value, ok := plain(given[used], at, problems)
		if text, isText := value.(string); ok && p.WriteOnly && isText {
			change.Secrets[name] = seal.NewSecret(text)
			ok = p.checkSecret(text, at, problems)
		} else {
			change.Public[name] = value
		}
		if ok {
			checked[name] = value
		}
	}
	if err := s.validator.Validate(checked); err != nil {
		s.explain(err, from, problems)
	}
	if err := problems.err(); err != nil {
		return SettingsChange{}, err
	}
	return change, nil
}

// resolve maps the name of each setting that was given to the name that the client used for it.
func (s *settings) resolve(given map[string]any, problems *problems) map[string]string {
	from := make(map[string]string, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		canonical := name
		if c, ok := s.canonical[name]; ok {
			canonical = c
		}
		if _, ok := s.properties[canonical]; !ok {
			problems.unknown(name, s)
			continue
		}
		if other, ok := from[canonical]; ok {
			problems.add(place{setting: canonical, given: canonical, item: -1},
				"was given twice, as %s and as %s; give it once", other, name)
			continue
		}
		from[canonical] = name
	}
	return from
}

// Destinations are the settings of a provider that say where its secrets are sent. Who may change one, with the secrets left as
// they are, could have them sent to a place of their own.
func (r *Registry) Destinations(providerName string) (names []string) {
	s := r.settings[providerName]
	if s == nil {
		return nil
	}
	for _, name := range s.names() {
		if s.properties[name].Format == "uri" {
			names = append(names, name)
		}
	}
	return names
}
