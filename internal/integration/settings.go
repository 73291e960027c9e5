package integration

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Settings is what a client sends as an integration's settings: secrets and all, unchecked. A key with a nil value asks
// for that setting to be removed. Every way of printing it shows [redacted], because it may hold secrets; package
// provider splits it into what is public and what is secret.
//
// The content is captured by a function: package fmt prints unexported fields of other types without asking their
// methods, and a map would be shown.
type Settings struct {
	values func() map[string]any
}

// NewSettings wraps what a client sent.
func NewSettings(values map[string]any) Settings {
	return Settings{values: func() map[string]any { return values }}
}

// Values is what the client sent; nil for nil.
func (s *Settings) Values() map[string]any {
	if s == nil || s.values == nil {
		return nil
	}
	return s.values()
}

func (Settings) String() string   { return redacted }
func (Settings) GoString() string { return redacted }

// Format hides the content from every verb of package fmt.
func (Settings) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the content from log/slog.
func (Settings) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON hides the content from encoding/json: settings are read from clients and never written back.
func (Settings) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// SecretText is a secret as a client sends it. It prints as [redacted], and is held as Settings are; package connect
// makes a seal.Secret of it.
type SecretText struct {
	text func() string
}

// NewSecretText wraps what a client sent.
func NewSecretText(text string) SecretText { return SecretText{text: func() string { return text }} }

// Expose is what the client sent.
func (s SecretText) Expose() string {
	if s.text == nil {
		return ""
	}
	return s.text()
}

func (SecretText) String() string   { return redacted }
func (SecretText) GoString() string { return redacted }

// Format hides the text from every verb of package fmt.
func (SecretText) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the text from log/slog.
func (SecretText) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON hides the text from encoding/json.
func (SecretText) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
