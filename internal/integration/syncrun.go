package integration

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// SyncMode is how much a run reads.
type SyncMode string

const (
	SyncFull        SyncMode = "FULL"        // everything that is selected; only such a run finds what was deleted
	SyncIncremental SyncMode = "INCREMENTAL" // what changed since the last run that ended well
)

// Valid reports whether m is one of the modes.
func (m SyncMode) Valid() bool { return m == SyncFull || m == SyncIncremental }

// SyncTrigger is what made a run begin.
type SyncTrigger string

const (
	TriggerManual   SyncTrigger = "MANUAL"
	TriggerSchedule SyncTrigger = "SCHEDULE"
	TriggerWebhook  SyncTrigger = "WEBHOOK"
)

// SyncRun is one synchronisation of an integration: queued, under way or ended.
type SyncRun struct {
	ID            uuid.UUID
	IntegrationID uuid.UUID
	ProjectID     uuid.UUID
	Mode          SyncMode
	Trigger       SyncTrigger
	Status        SyncStatus
	Step          *string    // what is being worked on, in words
	WaitingUntil  *time.Time // while the provider's limit makes it wait
	Processed     int        // items handled so far, failed ones too
	Total         *int       // nil until it is known
	Counts        []SyncCount
	Error         *string
	RequestedBy   *string
	QueuedAt      time.Time
	StartedAt     *time.Time
	FinishedAt    *time.Time
	Failures      []SyncFailure // the first items that failed; SyncCount has their number
}

// Ended reports whether nothing more happens to the run.
func (r *SyncRun) Ended() bool { return r.FinishedAt != nil }

// EstimatedSecondsLeft extrapolates the rate so far; nil where that says nothing.
func (r *SyncRun) EstimatedSecondsLeft() *int {
	now := time.Now()
	if r.Ended() || r.StartedAt == nil || r.Total == nil || r.Processed == 0 || r.WaitingUntil != nil && r.WaitingUntil.After(now) {
		return nil
	}
	left := max(0, int(now.Sub(*r.StartedAt).Seconds()*float64(*r.Total-r.Processed)/float64(r.Processed)))
	return &left
}

// SyncCount is what a run did to the objects of one type.
type SyncCount struct {
	Type                                         ObjectType
	Created, Updated, Unchanged, Deleted, Failed int
}

// SyncFailure is an item that could not be imported, while the run went on.
type SyncFailure struct {
	Type       ObjectType
	ExternalID string
	Reason     string // for people; holds no secret

	// Broken says that it is a listing that could not be read this time, so that something in it may have changed unseen.
	Broken bool `json:"-"`
}

// StartSync is what is asked of a run. What is nil is the integration's own setting.
type StartSync struct {
	Mode             SyncMode
	Selection        *[]string // to nil: everything; nil pointer: the integration's selection
	IncludeCompleted *bool
	IncludeArchived  *bool
	BatchSize        *int
	ConfirmDeletions bool
}

// Limits of what is asked of a run.
const (
	MinBatchSize  = 10
	MaxBatchSize  = 1000
	MaxSelection  = 10_000 // nodes
	MaxExternalID = 255    // bytes
	MaxMappings   = 10_000
	MaxTarget     = 255 // characters
)

// SyncMappingKinds are the kinds of mappings.
var SyncMappingKinds = []SyncMappingKind{MapSpace, MapFolder, MapList, MapUser, MapCustomField}

const (
	MapSpace       SyncMappingKind = "SPACE"
	MapFolder      SyncMappingKind = "FOLDER"
	MapList        SyncMappingKind = "LIST"
	MapUser        SyncMappingKind = "USER"
	MapCustomField SyncMappingKind = "CUSTOM_FIELD"
)

// Valid reports whether k is one of the kinds.
func (k SyncMappingKind) Valid() bool { return slices.Contains(SyncMappingKinds, k) }
