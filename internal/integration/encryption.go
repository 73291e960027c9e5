package integration

import (
	"time"

	"github.com/google/uuid"
)

// EncryptionStatus tells which keys sealed the rows of a scope.
type EncryptionStatus struct {
	CurrentKeyID string
	SealedRows   []SealedRows
	Unreadable   int          // counted only where it was asked for
	Rotation     *KeyRotation // the running one, else the last; nil where there was none
}

// SealedRows counts what one key sealed.
type SealedRows struct {
	KeyID string
	Rows  int
}

// KeyRotation is how far an organisation's secrets are sealed anew.
type KeyRotation struct {
	ID         uuid.UUID
	Total      int // rows under another key when it began
	Done       int // rows sealed anew so far; more than Total where more came
	Failed     int // rows that did not open, and stayed as they are
	FinishedAt *time.Time
}
