package integration

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Settings is what a client sends as an integration's settings: secrets and all, unchecked. A key with a nil value asks
// for that setting to be removed. Every way of printing it shows [redacted], because it may hold secrets; package
// provider splits it into what is public and what is secret.
type Settings map[string]any

func (Settings) String() string   { return redacted }
func (Settings) GoString() string { return redacted }

// Format hides the content from every verb of package fmt.
func (Settings) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the content from log/slog.
func (Settings) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON hides the content from encoding/json: settings are read from clients and never written back.
func (Settings) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// SecretText is a secret as a client sends it. It prints as [redacted]; package connect makes a seal.Secret of it.
type SecretText string

func (SecretText) String() string   { return redacted }
func (SecretText) GoString() string { return redacted }

// Format hides the text from every verb of package fmt.
func (SecretText) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the text from log/slog.
func (SecretText) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON hides the text from encoding/json.
func (SecretText) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
