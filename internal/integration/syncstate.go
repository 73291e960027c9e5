package integration

import (
	"time"

	"github.com/google/uuid"
)

// SyncStatus is where an integration's synchronisation stands.
type SyncStatus string

const (
	SyncPending   SyncStatus = "PENDING"
	SyncRunning   SyncStatus = "RUNNING"
	SyncSuccess   SyncStatus = "SUCCESS"
	SyncPartial   SyncStatus = "PARTIAL" // it ended, and some items failed
	SyncError     SyncStatus = "ERROR"
	SyncCancelled SyncStatus = "CANCELLED"
)

// SyncState is how the synchronisation of one integration stands; every integration has one from its creation on.
type SyncState struct {
	ID                  uuid.UUID
	IntegrationID       uuid.UUID
	ProjectID           uuid.UUID
	Status              SyncStatus
	LastSyncAt          *time.Time
	LastSuccessfulSync  *time.Time
	Error               *string
	TotalSynced         int
	WorkspaceID         *string
	WorkspaceName       *string
	LastSynced          []SyncCursor  // sorted by kind
	Selection           []string      // external ids that syncs are limited to; nil means everything
	Mappings            []SyncMapping // sorted by kind and external id
	Schedule            *SyncSchedule
	ConsecutiveFailures int
	NextSyncAt          *time.Time
	CurrentRun          *SyncRun // nil unless one is live and the reader asked for it
	CreatedAt           time.Time
	UpdatedAt           time.Time
}

// SyncCursor names the last external id of a kind that was stored.
type SyncCursor struct {
	Kind       string
	ExternalID string
}

// SyncMappingKind is what a mapping translates.
type SyncMappingKind string

// SyncMapping says what an external thing becomes here: the parent object for spaces, folders and lists, the host
// product's user for users, the property's name for custom fields.
type SyncMapping struct {
	Kind       SyncMappingKind
	ExternalID string
	Target     string
}

// SyncSchedule is either every so many minutes or a cron line in a time zone.
type SyncSchedule struct {
	EveryMinutes *int // 1 to 10080
	Cron         *string
	TimeZone     *string // IANA name; nil means UTC
}
