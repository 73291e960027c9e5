package syncer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/store"
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
		Title:      clean(o.Title),
		Content:    optional(clean(o.Content)),
		Properties: properties,
		URL:        optional(clean(o.URL)),
		ParentID:   optional(clean(o.ParentID)),
		Completed:  o.Completed,
		Archived:   o.Archived,
		Listing:    clean(o.Listing),
		OnlyKnown:  o.OnlyKnown,
		HasDetails: o.HasDetails,
	}
	if o.UpdatedAt != nil {
		at := o.UpdatedAt.UTC().Truncate(time.Microsecond) // as PostgreSQL keeps it
		i.UpdatedAt = &at
	}
	for _, r := range o.Relations {
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
		return strings.Compare(string(a.Type)+"\x00"+a.Source+"\x00"+a.Target, string(b.Type)+"\x00"+b.Source+"\x00"+b.Target)
	})
	i.ContentHash = hash(&i)
	return i, ""
}

// hash is over everything of an object that is stored. Each part goes in with its length, so that none can be moved into another.
func hash(o *store.ImportedObject) []byte {
	h := sha256.New()
	var length [8]byte
	part := func(b []byte) {
		binary.BigEndian.PutUint64(length[:], uint64(len(b)))
		h.Write(length[:])
		h.Write(b)
	}
	text := func(s *string) {
		if s == nil {
			part(nil)
			return
		}
		part([]byte("=" + *s))
	}
	flag := func(b bool) {
		if b {
			part([]byte{1})
		} else {
			part([]byte{0})
		}
	}
	part([]byte("object v1"))
	part([]byte(o.Type))
	part([]byte(o.Title))
	text(o.Content)
	part(o.Properties)
	text(o.URL)
	text(o.ParentID)
	if o.UpdatedAt != nil {
		part([]byte(o.UpdatedAt.Format(time.RFC3339Nano)))
	} else {
		part(nil)
	}
	flag(o.Completed)
	flag(o.Archived)
	part([]byte(o.Listing))
	flag(o.HasDetails)
	for _, r := range o.Relations {
		part([]byte(r.Type))
		part([]byte(r.Source))
		part([]byte(r.Target))
	}
	return h.Sum(nil)
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
