package syncer

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/store"
)

// Bounds of what is stored of an object, in bytes. What is longer is cut off.
const (
	maxTitle   = 4 << 10
	maxContent = 4 << 20
	maxURL     = 4 << 10
)

// Imported makes of a provider's object what is stored. It refuses what could never be, with a reason for people.
func Imported(o provider.Object) (store.ImportedObject, string) {
	if o.ExternalID == "" || len(o.ExternalID) > integration.MaxExternalID || clean(o.ExternalID) != o.ExternalID {
		return store.ImportedObject{}, "it has no id that can be stored"
	}
	properties, err := json.Marshal(o.Properties)
	if err == nil && bytes.Contains(properties, []byte(`\u0000`)) { // PostgreSQL refuses it
		var plain map[string]any
		if err = json.Unmarshal(properties, &plain); err == nil {
			properties, err = json.Marshal(cleanValue(plain))
		}
	}
	if err != nil {
		return store.ImportedObject{}, "its properties cannot be stored"
	}
	if o.Properties == nil {
		properties = []byte("{}")
	}
	i := store.ImportedObject{
		Type:       o.Type,
		ExternalID: o.ExternalID,
		Kind:       o.Kind,
		Title:      clip(clean(o.Title), maxTitle),
		Content:    optional(clip(clean(o.Content), maxContent)),
		Properties: properties,
		URL:        optional(clip(clean(o.URL), maxURL)),
		ParentID:   optional(nameable(o.ParentID)),
		Completed:  o.Completed,
		Archived:   o.Archived,
		Listing:    clip(clean(o.Listing), 2*integration.MaxExternalID),
		OnlyKnown:  o.OnlyKnown,
		HasDetails: o.HasDetails,
	}
	if o.UpdatedAt != nil {
		at := o.UpdatedAt.UTC().Truncate(time.Microsecond) // as PostgreSQL keeps it
		i.UpdatedAt = &at
	}
	for _, r := range o.Relations {
		if len(r.From) > integration.MaxExternalID || len(r.To) > integration.MaxExternalID {
			continue // no object has such an id
		}
		related := store.ImportedRelation{Type: r.Type, Source: clean(r.From), Target: clean(r.To)}
		if related.Source == "" {
			related.Source = o.ExternalID
		}
		if related.Target == "" {
			related.Target = o.ExternalID
		}
		if related.Source != related.Target && !slices.Contains(i.Relations, related) {
			i.Relations = append(i.Relations, related)
		}
	}
	slices.SortFunc(i.Relations, func(a, b store.ImportedRelation) int {
		return cmp.Or(strings.Compare(string(a.Type), string(b.Type)), strings.Compare(a.Source, b.Source), strings.Compare(a.Target, b.Target))
	})
	i.ContentHash = hash(&i)
	return i, ""
}

// hash is over everything of an object that is stored, but whether it has details. Each part goes in with its length, so that none can be moved into another.
func hash(o *store.ImportedObject) []byte {
	var all []byte
	part := func(pieces ...string) {
		length := 0
		for _, piece := range pieces {
			length += len(piece)
		}
		all = binary.BigEndian.AppendUint64(all, uint64(length))
		for _, piece := range pieces {
			all = append(all, piece...)
		}
	}
	text := func(s *string) {
		if s == nil {
			part()
		} else {
			part("=", *s)
		}
	}
	flag := func(b bool) {
		if b {
			part("\x01")
		} else {
			part("\x00")
		}
	}
	part("object v1")
	part(string(o.Type))
	part(o.Title)
	text(o.Content)
	part(string(o.Properties))
	text(o.URL)
	text(o.ParentID)
	if o.UpdatedAt != nil {
		part(o.UpdatedAt.Format(time.RFC3339Nano))
	} else {
		part()
	}
	flag(o.Completed)
	flag(o.Archived)
	part(o.Listing)
	for _, r := range o.Relations {
		part(string(r.Type))
		part(r.Source)
		part(r.Target)
	}
	sum := sha256.Sum256(all)
	return sum[:]
}

// nameable is an id, or nothing where no object could have it.
func nameable(id string) string {
	if len(id) > integration.MaxExternalID {
		return ""
	}
	return clean(id)
}

// clip cuts a text off after so many bytes, at a whole character.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// clean drops what PostgreSQL's text cannot hold: NUL, and bytes that are no UTF-8.
func clean(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
}

// cleanValue cleans every text of a decoded JSON value, names too.
func cleanValue(v any) any {
	switch v := v.(type) {
	case string:
		return clean(v)
	case map[string]any:
		cleaned := make(map[string]any, len(v))
		for name, value := range v {
			cleaned[clean(name)] = cleanValue(value)
		}
		return cleaned
	case []any:
		cleaned := make([]any, len(v))
		for i, value := range v {
			cleaned[i] = cleanValue(value)
		}
		return cleaned
	default:
		return v
	}
}
