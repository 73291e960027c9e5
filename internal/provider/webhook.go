package provider

import (
	"context"
	"net/http"
	"time"

	"patchbay/internal/seal"
)

// Webhooks is how a third party tells of changes. None of its functions asks the third party anything.
type Webhooks struct {
	// Headers are the names of those that Read needs. They are kept with a delivery, all others are not.
	Headers []string

	// Verify reports whether one of the secrets signed the raw body, in a time that does not depend on where they differ. It parses
	// nothing of the body before.
	Verify func(h http.Header, body []byte, secrets []seal.Secret, now time.Time) bool

	// Read reads a delivery that was verified. It fails for what the third party's contract does not allow.
	Read func(h http.Header, body []byte) (Delivery, error)

	// HookID finds, with a bounded scan and before anything is verified, the third party's id of the webhook that a delivery to
	// an address without an integration belongs to; nil where there are no such addresses.
	HookID func(body []byte) (id string, ok bool)

	// Creates are the events that tell of what was just made, so that all that comes to be in it is told too. What any other event tells of may
	// have been moved to where it is, with what is in it.
	Creates []string

	// Account are the public settings that say what a webhook tells of. After a change of one, those from before tell of something else.
	Account []string

	// IssuesSecret says that the third party makes the secret of each webhook itself, and takes none of ours.
	IssuesSecret bool
}

// Delivery is what a webhook tells: not what changed, but what to read anew.
type Delivery struct {
	ID    string // the third party's id of it, or what comes next to one; for people
	Key   string // tells deliveries of one integration apart; empty means by the body's hash
	Event string
	// Ignored is an event that changes nothing of what is imported, or one that is not known.
	Ignored bool
	// Changed are read anew by Connection.Fetch, parents before children; those of Details as well by Connection.Details.
	Changed []Ref
	Details []Ref
	// Moved are those of Changed with which all moved that is below them, without being told of: what is stored below them is
	// read anew too.
	Moved []Ref
	// Gone are deleted, with all below them, unless Connection.Fetch finds them after all.
	Gone []Ref
}

// Hook is a webhook as the third party has it.
type Hook struct {
	ID     string
	Secret seal.Secret // empty where it is not told, as for one that was made before
	URL    string
	Active bool // false where the third party has suspended it
}

// HookKeeper is a Connection whose API can make and keep webhooks.
type HookKeeper interface {
	Connection

	// Hooks lists the account's webhooks that lead to a URL.
	Hooks(ctx context.Context, url string) ([]Hook, error)

	// MakeHook makes one for all events that Webhooks knows, and returns it with the secret that the third party issued, if it
	// issues one.
	MakeHook(ctx context.Context, url string) (Hook, error)

	// WakeHook makes a suspended one active again.
	WakeHook(ctx context.Context, h Hook) error

	// RemoveHook removes one; one that is gone already is no error.
	RemoveHook(ctx context.Context, id string) error
}
