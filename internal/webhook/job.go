package webhook

import (
	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"patchbay/internal/store"
)

// objectArgs is the job that works on what deliveries tell of one object.
type objectArgs struct {
	Org    string    `json:"org"`
	Object uuid.UUID `json:"object"` // its row
	Fence  int       `json:"fence"`  // of this job alone
}

// Kind implements river.JobArgs.
func (objectArgs) Kind() string { return "webhook_object" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (objectArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: store.WebhookQueue} }
