package store

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
)

// SyncEvent says that something about an integration's synchronisation changed. It holds ids only: who hears it reads what
// there is to see under a scope of its own.
type SyncEvent struct {
	Project     uuid.UUID `json:"p"`
	Integration uuid.UUID `json:"i"`
	Run         uuid.UUID `json:"r,omitzero"` // the nil UUID where no run is concerned
}

// syncChannel is PostgreSQL's channel of SyncEvents.
const syncChannel = "patchbay_sync"

// Publish tells every process of an event. Not inside a transaction that has other work: NOTIFY takes a lock of the whole
// database at commit.
func (db *DB) Publish(ctx context.Context, e SyncEvent) error {
	payload, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = db.pool.Exec(ctx, `SELECT pg_notify($1, $2)`, syncChannel, string(payload))
	return translate(err)
}
