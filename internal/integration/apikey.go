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
	CreatedAt  time.Time
	ExpiresAt  *time.Time
	LastUsedAt *time.Time // to the minute
	RevokedAt  *time.Time
}
