package auth

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"patchbay/internal/integration"
)

const (
	// ClockLeeway is how far the issuer's clock and ours may be apart.
	ClockLeeway = 30 * time.Second

	subjectPrefix = "oidc:"
	// maxSubject is what the database keeps of whoever did something, in characters.
	maxSubject = 255
	// maxSubjectID keeps sub whole: cut off, two could become one. OpenID Connect allows 5 bytes more.
	maxSubjectID = maxSubject - len(subjectPrefix)
	// maxClaimedProjects bounds the projects that a token may name.
	maxClaimedProjects = 1000
)

// ClaimNames are the claims that a principal is made of.
type ClaimNames struct{ Org, Projects, Role string }

// claims are a token's, by their exact names: Go's own matching would not tell capital letters from small ones.
type claims map[string]json.RawMessage

// text returns a claim that is a string, or "".
func (c claims) text(name string) string {
	var text string
	_ = json.Unmarshal(c[name], &text) // another type is no text
	return text
}

// time returns a claim that is a number of seconds since 1970, or false.
func (c claims) time(name string) (seconds float64, ok bool) {
	var number *float64
	if json.Unmarshal(c[name], &number) != nil || number == nil {
		return 0, false
	}
	return *number, true
}

// expiry checks the times of a token, of which exp has to be there, and returns until when it may be used.
func (c claims) expiry(now time.Time) (time.Time, error) {
	const leeway = float64(ClockLeeway / time.Second)
	at := float64(now.UnixNano()) / 1e9
	expires, ok := c.time("exp")
	if !ok {
		return now, integration.Unauthenticated("the token has no exp, the time at which it ends")
	}
	if at >= expires+leeway {
		return now, integration.Unauthenticated("the token has expired")
	}
	for _, name := range []string{"nbf", "iat"} {
		begins, ok := c.time(name)
		if _, given := c[name]; given && !ok {
			return now, integration.Unauthenticated("the token's %s is no time", name)
		}
		if ok && at < begins-leeway {
			return now, integration.Unauthenticated("the token is not valid yet: see whether the clocks agree")
		}
	}
	const far = float64(time.Hour / time.Second) // all that callers need to know of what ends later
	return now.Add(time.Duration(min(expires+leeway-at, far) * float64(time.Second))), nil
}

// principal makes one of the claims. It fails with Forbidden, naming the claim, where they give no rights here: a claim
// that cannot be read never means more than one that can.
func (c claims) principal(names ClaimNames) (integration.Principal, error) {
	subject, err := c.subject()
	if err != nil {
		return integration.Principal{}, err
	}
	p := integration.Principal{Subject: subject, Org: c.text(names.Org)}
	if integration.CheckText(names.Org, p.Org, integration.MaxOrgID) != nil || strings.ContainsRune(p.Org, unicode.ReplacementChar) {
		return integration.Principal{}, forbidden(names.Org, "a text of 1 to %d characters, the organisation", integration.MaxOrgID)
	}
	if p.Role = c.role(names.Role); p.Role == "" {
		return integration.Principal{}, forbidden(names.Role, "viewer, editor or admin, or a list with one of them")
	}
	raw, limited := c[names.Projects]
	if !limited {
		return p, nil
	}
	var ids []string
	if json.Unmarshal(raw, &ids) != nil || ids == nil || len(ids) > maxClaimedProjects {
		return integration.Principal{}, forbidden(names.Projects, "a list of at most %d UUIDs, or be left out for all projects", maxClaimedProjects)
	}
	p.Projects = make([]uuid.UUID, len(ids))
	for i, text := range ids {
		if p.Projects[i], err = uuid.Parse(text); err != nil || len(text) != 36 {
			return integration.Principal{}, forbidden(names.Projects, "a list of UUIDs: number %d is none", i+1)
		}
	}
	return p, nil
}

func forbidden(claim, format string, args ...any) error {
	return integration.Forbidden("the provider's token gives no rights here: its claim %q must be %s", claim, fmt.Sprintf(format, args...))
}

// role is the highest of those that the claim, a text or a list, names; "" where it names none.
func (c claims) role(name string) (highest integration.Role) {
	named := []any{c.text(name)}
	_ = json.Unmarshal(c[name], &named) // what is no list stays the text
	for _, one := range named {
		text, _ := one.(string)
		for _, role := range []integration.Role{integration.RoleViewer, integration.RoleEditor, integration.RoleAdmin} {
			if strings.EqualFold(text, string(role)) && !highest.Includes(role) {
				highest = role
			}
		}
	}
	return highest
}

// subject is who the token is of: the issuer's id, which is taken as it is or not at all, and for people to read, an
// address or a name.
func (c claims) subject() (string, error) {
	id := c.text("sub")
	if id == "" || len(id) > maxSubjectID || shown(id) != id {
		return "", integration.Unauthenticated("the token's sub is missing, longer than %d bytes, or has characters that cannot be shown", maxSubjectID)
	}
	subject := subjectPrefix + id
	for _, claim := range []string{"email", "preferred_username", "name"} {
		doubtful := claim == "email" && strings.Trim(string(c["email_verified"]), `"`) == "false"
		if name := shown(c.text(claim)); name != "" && name != id && !doubtful {
			subject += " (" + name + ")"
			break
		}
	}
	if r := []rune(subject); len(r) > maxSubject {
		subject = string(r[:maxSubject-1]) + "…"
	}
	return subject, nil
}

// shown is a text without what would forge or garble a line: control characters, line ends, and marks that turn the
// direction of writing.
func shown(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, text))
}
