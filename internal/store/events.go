package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Event says that something about an integration changed. It holds ids only: who hears it reads what there is to see under a
// scope of its own.
type Event struct {
	Project     uuid.UUID `json:"p"`
	Integration uuid.UUID `json:"i"`
	Run         uuid.UUID `json:"r,omitzero"` // the nil UUID where no run is concerned
	// Itself is whether the integration was made, changed or deleted, or its webhook delivered; else its synchronisation alone changed.
	Itself bool `json:"s,omitzero"`
}

// syncChannel is PostgreSQL's channel of Events.
const syncChannel = "patchbay_sync"

// publishTimeout bounds the telling of what has happened already.
const publishTimeout = 5 * time.Second

// Publish tells every process of events, even where ctx has ended: they have happened. Not inside a transaction that is one of many: NOTIFY
// takes a lock of the whole database at commit.
func (db *DB) Publish(ctx context.Context, events ...Event) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	payloads := make([]string, len(events))
	for i, e := range events {
		payload, err := json.Marshal(e)
		if err != nil {
			return err
		}
		payloads[i] = string(payload)
	}
	_, err := db.pool.Exec(ctx, `SELECT pg_notify($1, e.payload) FROM unnest($2::text[]) AS e (payload)`, syncChannel, payloads)
	return translate(err)
}

// notifySync tells, as part of a transaction that begins or ends a run, of that run: what is told afterwards is lost with the process. $3 is
// the run; the keys are Event's. Its channel is $4.
const notifySync = `
			SELECT pg_notify($4, json_build_object('p', r.project_id, 'i', r.integration_id, 'r', r.id)::text)
			FROM kb.sync_runs r
			WHERE ` + runScope + `
				AND r.id = $3`
