package integration

import (
	"time"

	"github.com/google/uuid"
)

// APIKey is what may be shown of an API key: everything but the key, of which only a SHA-256 is stored.
type APIKey struct {
	ID         uuid.UUID
	Name       string
	Prefix     string // the key's first characters, to recognise it by
	OrgID      string
	ProjectIDs []uuid.UUID // nil means all of the organisation's
	Role       Role
	SessionOf  *string // the subject whose browser session it is; nil for a key that was asked for
	CreatedBy  *string // the subject of the principal that made it
	CreatedAt  time.Time
	ExpiresAt  *time.Time
	LastUsedAt *time.Time // to the minute
	RevokedAt  *time.Time
}
