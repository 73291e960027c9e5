package integration

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Project is what integrations belong to. Where a host product owns the table, Patchbay only reads it.
type Project struct {
	ID        uuid.UUID
	OrgID     string
	Name      string
	CreatedAt time.Time
}

// CheckText refuses text that a person would not mean, or that PostgreSQL cannot hold: blank, longer than limit
// characters, not UTF-8, or with control characters. field is the input field's name.
func CheckText(field, text string, limit int) error {
	switch {
	case strings.TrimSpace(text) == "":
		return Invalid(field, "%s must not be empty", field)
	case utf8.RuneCountInString(text) > limit:
		return Invalid(field, "%s may have at most %d characters, and has %d", field, limit, utf8.RuneCountInString(text))
	}
	return checkCharacters(field, text, "")
}

// checkCharacters refuses invalid UTF-8 and every control character that is not among allowed.
func checkCharacters(field, text, allowed string) error {
	if !utf8.ValidString(text) {
		return Invalid(field, "%s must be valid UTF-8", field)
	}
	if i := strings.IndexFunc(text, func(r rune) bool {
		return (r < ' ' || r == 0x7f) && !strings.ContainsRune(allowed, r)
	}); i >= 0 {
		return Invalid(field, "%s must not contain the control character %q", field, text[i])
	}
	return nil
}
