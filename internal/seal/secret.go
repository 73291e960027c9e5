package seal

import (
	"crypto/subtle"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a secret in plain text: a token, a webhook secret, a master key. Whatever prints, logs or marshals one shows
// [redacted]; only Expose gives the content. The zero Secret is empty.
//
// The content is captured by a function instead of held in a string: package fmt does not call the methods of an
// unexported field, nor of an argument that it reports as wrong for the verb, and would print the string.
// It also makes == a compile error; use Equal.
type Secret struct {
	expose func() string
}

// NewSecret wraps s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{expose: func() string { return s }}
}

// Expose returns the content. Call it where the content is used (a request header, a bind parameter, a key derivation),
// never to keep or print it.
func (s Secret) Expose() string {
	if s.expose == nil {
		return ""
	}
	return s.expose()
}

// IsZero reports whether the secret is empty; encoding/json's omitzero asks it too.
func (s Secret) IsZero() bool { return s.Expose() == "" }

// Equal reports whether both hold the same content, in a time that does not depend on where they differ.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Expose()), []byte(other.Expose())) == 1
}

func (Secret) String() string   { return redacted }
func (Secret) GoString() string { return redacted }

// Format hides the content from every verb of package fmt.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the content from log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON hides the content from encoding/json.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText hides the content from the encodings that ask for text, such as XML and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Value refuses to be a bind parameter: without it a driver would take the text form and store "[redacted]" over
// the real secret.
func (Secret) Value() (driver.Value, error) {
	return nil, errors.New("a secret is no bind parameter: pass what Expose returns")
}

// UnmarshalText takes text as the content, so that a library that reads the environment can fill a Secret. It refuses
// the redacted form, which would be stored as if it were the secret.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == redacted {
		return fmt.Errorf("%s is how a secret is shown, not a secret", redacted)
	}
	*s = NewSecret(string(text))
	return nil
}
