// Package scalar reads and writes the API's own scalars.
package scalar

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

	"patchbay/internal/integration"
)

// timeLayout is RFC 3339 with PostgreSQL's precision.
const timeLayout = "2006-01-02T15:04:05.000000Z07:00"

// MarshalTime writes a Time in UTC, to the microsecond.
func MarshalTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		b := make([]byte, 0, len(timeLayout)+2)
		b = append(b, '"')
		b = t.UTC().AppendFormat(b, timeLayout)
		_, _ = w.Write(append(b, '"'))
	})
}

// UnmarshalTime reads a Time in RFC 3339.
func UnmarshalTime(v any) (time.Time, error) {
	s, ok := v.(string)
	if !ok {
		return time.Time{}, integration.Invalid("", "a Time must be a string in RFC 3339, such as 2026-01-31T12:00:00Z")
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() > 9999 || t.Year() < 1 {
		return time.Time{}, integration.Invalid("", "a Time must be in RFC 3339, such as 2026-01-31T12:00:00Z")
	}
	return t, nil
}

// MarshalUUID writes a UUID in its canonical form.
func MarshalUUID(id uuid.UUID) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = io.WriteString(w, `"`+id.String()+`"`)
	})
}

// UnmarshalUUID reads a UUID of 36 characters, in small or capital letters. The other forms that uuid.Parse takes are
// refused, so that one id has one spelling.
func UnmarshalUUID(v any) (uuid.UUID, error) {
	if s, ok := v.(string); ok && len(s) == 36 {
		if id, err := uuid.Parse(s); err == nil {
			return id, nil
		}
	}
	return uuid.UUID{}, integration.Invalid("", "a UUID must have the form 0198c0de-7a3b-7c2d-9e4f-5a6b7c8d9e0f")
}

// MarshalMap writes a JSON object with sorted keys.
func MarshalMap(m map[string]any) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		if m == nil {
			_, _ = io.WriteString(w, "{}")
			return
		}
		b, err := json.Marshal(m)
		if err != nil { // what was decoded from JSON encodes again
			panic(fmt.Errorf("write a JSON object: %w", err))
		}
		_, _ = w.Write(b)
	})
}

// UnmarshalMap reads a JSON object.
func UnmarshalMap(v any) (map[string]any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, integration.Invalid("", "must be a JSON object")
	}
	return m, nil
}

// MarshalSettings never shows anything: settings are input.
func MarshalSettings(integration.Settings) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote("[redacted]")) })
}

// UnmarshalSettings reads a JSON object that may hold secrets.
func UnmarshalSettings(v any) (integration.Settings, error) {
	m, err := UnmarshalMap(v)
	return integration.NewSettings(m), err
}

// MarshalSecretText never shows anything: secrets are input.
func MarshalSecretText(integration.SecretText) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote("[redacted]")) })
}

// UnmarshalSecretText reads a String that is a secret. The error does not repeat it.
func UnmarshalSecretText(v any) (integration.SecretText, error) {
	s, ok := v.(string)
	if !ok {
		return integration.SecretText{}, integration.Invalid("", "must be a string")
	}
	return integration.NewSecretText(s), nil
}
