package provider

import (
	"strings"
	"unicode"
)

// checkSecret refuses what is surely not the secret that a third party issued. It reports whether it found nothing, in
// which case the schema is asked too.
func (p property) checkSecret(secret string, at place, problems *problems) bool {
	trimmed := strings.TrimSpace(secret)
	switch {
	case strings.ContainsRune(secret, 0): // reported with all text
	case trimmed == "":
		problems.add(at, "is empty; give null to remove it, or leave it out to keep what is stored")
	case Masked(trimmed):
		problems.add(at, "looks like a masked value; leave the setting out to keep what is stored")
	case p.ContentMediaType == pemFile:
		return true
	case trimmed != secret:
		problems.add(at, "must not begin or end with white space; copy it again without")
	case strings.ContainsFunc(secret, invisible):
		problems.add(at, "must be one line without invisible characters; copy it again")
	default:
		return true
	}
	return false
}

// Masked reports whether a secret is what a client shows in place of one: nothing but mask characters, several of them
// in a row between the shown ends, or our own redaction. Storing it would lose the real one.
func Masked(secret string) bool {
	const mask = "*•●·"
	if strings.EqualFold(secret, "[redacted]") || strings.Trim(secret, mask) == "" {
		return true
	}
	run := 0
	for _, c := range secret {
		if !strings.ContainsRune(mask, c) {
			run = 0
		} else if run++; run == 3 {
			return true
		}
	}
	return false
}

// invisible reports line breaks, control characters and what else has no ink, such as a zero-width space.
func invisible(c rune) bool { return !unicode.IsPrint(c) }
