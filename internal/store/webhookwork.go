package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
)

// deliveriesAtOnce is how many deliveries of one object are worked on together.
const deliveriesAtOnce = 500

// catchUpAfter is how long after deliveries were given up a run begins that finds what they would have brought: what kept them from it may
// last, and each makes no run of its own.
const catchUpAfter = 15 * time.Minute

// findAfter is how long after something came with unknown content a run begins that finds that: what comes together makes one run.
const findAfter = time.Minute

// WebhookWork is an object that webhooks told of, as its worker sees it.
type WebhookWork struct {
	IntegrationID uuid.UUID
	ProjectID     uuid.UUID
	Object        string
	Attempts      int // that failed in a row
	Provider      string
	Enabled       bool
	Revision      int // of the integration
	Mappings      []integration.SyncMapping
	Selection     []string
	Deliveries    []ReceivedDelivery
	At            time.Time // when it was claimed, by the database's clock: what is read from now on is not older
	// GoneAt is when it was found to be gone, if nothing was told of it since. Waits says that a run from before is under way still.
	GoneAt *time.Time
	Waits  bool
	// ToldAt is when it was told of last. Rest is what an attempt left to be read; nil where none did.
	ToldAt time.Time
	Rest   *WebhookRest
}

// NeedsFull reports whether only a full run finds what would be lost of this: one of changes finds neither deletions nor what moved along.
func (w *WebhookWork) NeedsFull() bool {
	return w.Rest != nil && len(w.Rest.Objects)+len(w.Rest.Unread) > 0 || slices.ContainsFunc(w.Deliveries, func(d ReceivedDelivery) bool { return len(d.Reads.Gone)+len(d.Reads.Moved) > 0 })
}

// WebhookRest is what is still to be read of an object, so that work of any size advances within the token's limit.
type WebhookRest struct {
	At      time.Time // when that was found out: what was told later asks for more
	Objects []NamedObject
	Failure string // of what was read before
	// Again is why something of what was read before is to be read once more, which is in Unread, and what deliveries tell of if Told. An attempt
	// begins without it: what the one before left is in Objects and Told. Attempts counts these.
	Again    string        `json:",omitempty"`
	Unread   []NamedObject `json:",omitempty"`
	Told     bool          `json:",omitempty"`
	Attempts int           `json:",omitempty"`
}

// ReceivedDelivery is a delivery to be worked on.
type ReceivedDelivery struct {
	ID         uuid.UUID
	Event      string
	Reads      DeliveryReads
	ReceivedAt time.Time
}

// ClaimWebhookObject returns what the worker of an object that its job holds the fence of needs, with the deliveries so far; nil where
// the object is done, or is another job's by now.
func (t *Tenant) ClaimWebhookObject(ctx context.Context, id uuid.UUID, fence int) (work *WebhookWork, err error) {
	var deliveries []ReceivedDelivery
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			WITH claimed AS (
				UPDATE kb.webhook_objects r
				SET heartbeat_at = clock_timestamp()
				WHERE `+runScope+`
					AND r.id = $3
					AND r.fence = $4
				RETURNING *
			)
			SELECT
				r.integration_id, r.project_id, r.object, r.attempts, i.provider, i.enabled, i.revision, s.mappings, s.selection, r.heartbeat_at,
				CASE WHEN r.told_at <= r.gone_at THEN r.gone_at END,
				r.told_at <= r.gone_at AND `+runFromBefore("r.gone_at")+`,
				r.told_at, r.rest
			FROM claimed r
			JOIN kb.integrations i ON i.id = r.integration_id AND i.org_id = r.org_id
			JOIN kb.sync_states s ON s.integration_id = r.integration_id AND s.org_id = r.org_id`,
			t.scope.Org, t.scope.Projects, id, fence,
		).QueryRow(into(&work, func(row pgx.Row) (*WebhookWork, error) {
			var w WebhookWork
			var mappings []byte
			var waits *bool
			err := row.Scan(
				&w.IntegrationID, &w.ProjectID, &w.Object, &w.Attempts, &w.Provider, &w.Enabled, &w.Revision, &mappings, &w.Selection, &w.At, &w.GoneAt, &waits,
				&w.ToldAt, &w.Rest)
			w.Waits = waits != nil && *waits
			if err == nil {
				w.Mappings, err = decodeMappings(mappings)
			}
			return &w, err
		}))
		b.Queue(`
			SELECT d.id, d.event, d.reads, d.received_at
			FROM kb.webhook_objects r
			JOIN kb.webhook_deliveries d ON d.integration_id = r.integration_id AND d.org_id = r.org_id AND d.object = r.object
			WHERE `+runScope+`
				AND r.id = $3
				AND d.status = 'RECEIVED'
			ORDER BY d.received_at, d.id
			LIMIT $4`,
			t.scope.Org, t.scope.Projects, id, deliveriesAtOnce,
		).Query(func(rows pgx.Rows) error {
			var d ReceivedDelivery
			var reads []byte
			_, err := pgx.ForEachRow(rows, []any{&d.ID, &d.Event, &reads, &d.ReceivedAt}, func() error {
				d.Reads = DeliveryReads{}
				if err := json.Unmarshal(reads, &d.Reads); err != nil {
					return fmt.Errorf("what the delivery %s reads: %w", d.ID, err)
				}
				deliveries = append(deliveries, d)
				return nil
			})
			return err
		})
	})
	if work != nil {
		work.Deliveries = deliveries
	}
	return work, err
}

// runFromBefore is whether a run of the integration in r is under way that was queued before a time: it may have read before it what it
// stores after it.
func runFromBefore(at string) string {
	return `EXISTS (
					SELECT
					FROM kb.sync_runs x
					WHERE x.integration_id = r.integration_id
						AND x.org_id = r.org_id
						AND x.finished_at IS NULL
						AND x.queued_at <= ` + at + `)`
}

// BeatWebhookObject tells that an object's worker is alive. It returns false where the object is done, or is another job's by now.
func (t *Tenant) BeatWebhookObject(ctx context.Context, id uuid.UUID, fence int) (held bool, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.webhook_objects r
			SET heartbeat_at = clock_timestamp()
			WHERE `+runScope+`
				AND r.id = $3
				AND r.fence = $4
			RETURNING true`,
			t.scope.Org, t.scope.Projects, id, fence,
		).QueryRow(scanIfAny(&held))
	})
	return held, err
}

// WebhookCommit is what was read for an object.
type WebhookCommit struct {
	Objects    []ImportedObject
	ReadAt     time.Time   // when that began
	Gone       []string    // external ids of what is not there any more
	GoneAt     *time.Time  // when that was found before; nil where it was not, or something was told since
	Covered    []string    // listings that were read to their end
	Done       []string    // external ids whose details were read
	Unknown    bool        // there is more in what was read than deliveries tell: a full run is to find it
	Deliveries []uuid.UUID // that it answers
	Failure    string      // why they FAILED all the same; empty where they are PROCESSED
	Lost       bool        // a run is to find what they would have brought, as in WebhookAttempt
	Full       bool
	Again      string       // why Rest is to be read in another attempt; empty where it is only the next part
	Rest       *WebhookRest // is to be read first; the Deliveries stay RECEIVED
}

// WebhookEnd is how a WebhookCommit went.
type WebhookEnd struct {
	Held    bool // false: nothing was stored, as the object is done, or another job's by now
	Changed int  // objects that were written
	// Unsure says that something was marked as deleted while a run is under way, which may have read it before and store it
	// again. The deliveries are RECEIVED still: look again once WebhookWork.Waits is over.
	Unsure bool
	Failed bool // the deliveries are FAILED, for the commit's Failure
	Again  int  // attempts so far, where there is to be another one for the commit's Again; else 0
	Left   bool // deliveries are left, so the object is still to be worked on
}

// ErrContended is returned where somebody else has stored an object since it was read, and nothing tells which is newer, or has deleted
// what it is in. Nothing is stored: read again.
var ErrContended = errors.New("store: an object was stored by another since it was read")

// ErrDisabled is returned where the integration was disabled since the object was read. Nothing is stored.
var ErrDisabled = errors.New("store: the integration was disabled")

// CommitWebhook stores, inside InTx, what was read for an object, in the order and by the rules of CommitSync, without a run.
func (t *Tenant) CommitWebhook(ctx context.Context, id uuid.UUID, fence int, c WebhookCommit) (end WebhookEnd, err error) {
	if t.tx == nil {
		return end, errors.New("store: CommitWebhook outside InTx")
	}
	contended, enabled := 0, false
	scope := []any{t.scope.Org, t.scope.Projects, id, fence}
	args := append(append([]any{}, scope...), objectArgs(c.Objects, map[string]string{}, nil, &c.ReadAt)...)
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(briefly)
		b.Queue(lockObject, scope...)
		b.Queue(byIndex)
		b.Queue(`
			WITH `+heldObject+`, `+storedObjects+`
			SELECT
				(SELECT count(*) FROM known WHERE contended)
				+ (
					SELECT count(*)
					FROM kb.synced_objects o
					WHERE o.integration_id = h.integration_id
						AND o.org_id = h.org_id
						AND o.external_id = ANY ($28::text[])
						AND o.deleted_at IS NULL
						AND o.synced_at >= $27
				)
				+ (
					SELECT count(*)
					FROM given g
					JOIN kb.synced_objects o ON o.integration_id = g.integration_id AND o.org_id = g.org_id AND o.external_id = g.external_parent_id
					WHERE o.deleted_at >= $27
						AND NOT EXISTS (SELECT FROM given p WHERE p.external_id = g.external_parent_id)
				),
				(SELECT count(*) FROM changed),
				i.enabled
			FROM held h
			JOIN kb.integrations i ON i.id = h.integration_id AND i.org_id = h.org_id`,
			append(args, orEmpty(c.Gone))...,
		).QueryRow(func(row pgx.Row) error {
			err := row.Scan(&contended, &end.Changed, &enabled)
			end.Held = err == nil
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		})
	})
	if err != nil || !end.Held {
		return end, err
	}
	switch {
	case !enabled:
		return end, ErrDisabled
	case contended > 0:
		return end, ErrContended
	}
	read := make([]string, len(c.Objects))
	for i, o := range c.Objects {
		read[i] = o.ExternalID
	}
	deleted := 0
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			DELETE FROM kb.sync_pending p
			USING kb.webhook_objects r
			WHERE `+runScope+`
				AND r.id = $3
				AND p.integration_id = r.integration_id
				AND p.org_id = r.org_id
				AND p.external_id = ANY ($4::text[])`,
			t.scope.Org, t.scope.Projects, id, orEmpty(c.Done))
		if len(c.Gone)+len(c.Covered) > 0 {
			b.Queue(tombstoneObjects, append(scope, orEmpty(c.Gone), orEmpty(c.Covered), read, c.ReadAt, c.GoneAt)...).
				QueryRow(func(row pgx.Row) error { return row.Scan(&deleted, &end.Unsure) })
		}
	})
	if err != nil {
		return end, err
	}
	end.Changed += deleted
	if c.Unknown {
		err = t.send(ctx, func(b *pgx.Batch) {
			b.Queue(`
				WITH `+heldObject+`
				INSERT INTO kb.webhooks AS w (integration_id, org_id, project_id, catch_up_at, catch_up_full)
				SELECT integration_id, org_id, project_id, clock_timestamp() + $5::interval, true
				FROM held
				`+orCatchUp, append(scope, findAfter)...)
		})
		if err != nil {
			return end, err
		}
	}
	switch {
	case c.Again != "":
		end.Unsure, end.Left, end.Again = false, true, c.Rest.Attempts
		_, err = t.EndWebhookAttempt(ctx, id, fence, WebhookAttempt{Deliveries: c.Deliveries, ReadAt: c.ReadAt, Failure: c.Again, Rest: c.Rest})
		return end, err
	case c.Rest != nil:
		end.Unsure, end.Left = false, true
		return end, t.send(ctx, func(b *pgx.Batch) {
			b.Queue(`UPDATE kb.webhook_objects r SET rest = $5, attempts = 0 WHERE `+runScope+` AND r.id = $3 AND r.fence = $4`, append(scope, c.Rest)...)
		})
	case end.Unsure:
		end.Left = true
		return end, t.send(ctx, func(b *pgx.Batch) {
			b.Queue(`UPDATE kb.webhook_objects r SET gone_at = $5, rest = NULL WHERE `+runScope+` AND r.id = $3 AND r.fence = $4`, append(scope, c.ReadAt)...)
		})
	}
	end.Failed = c.Failure != ""
	end.Left, err = t.EndWebhookAttempt(ctx, id, fence, WebhookAttempt{
		Deliveries: c.Deliveries, ReadAt: c.ReadAt, Failure: c.Failure, Final: true, Lost: c.Lost, Full: c.Full,
	})
	return end, err
}

// tombstoneObjects marks what is gone as deleted, with all that is below it, and what a listing that was read to its end does not have any
// more. What was marked before counts too: something may have been stored below it since. It tells how many that were, and whether a run
// is under way that may store them again.
var tombstoneObjects = `
			WITH RECURSIVE ` + heldObject + `, doomed (external_id) AS (
				SELECT x COLLATE "C"
				FROM unnest($5::text[]) AS x
				WHERE NOT x = ANY ($7::text[])
				UNION
				SELECT o.external_id
				FROM held h
				JOIN kb.synced_objects o ON o.integration_id = h.integration_id AND o.org_id = h.org_id
				WHERE o.deleted_at IS NULL
					AND o.listing = ANY ($6::text[])
					AND o.synced_at < $8
					AND NOT o.external_id = ANY ($7::text[])
				UNION
				SELECT o.external_id
				FROM doomed d
				CROSS JOIN held h
				JOIN kb.synced_objects o ON o.integration_id = h.integration_id AND o.org_id = h.org_id AND o.external_parent_id = d.external_id
				WHERE NOT o.external_id = ANY ($7::text[])
			), ` + tombstoned + `
			SELECT
				(SELECT count(*) FROM victims),
				cardinality($5::text[]) > 0 AND ` + runFromBefore("coalesce($9, $8)") + `
			FROM held r`

// lockObject keeps an object that webhooks told of, and its integration's state, from others until the transaction ends; $3 is its row, $4
// the fence.
const lockObject = `
			SELECT
			FROM kb.webhook_objects r
			JOIN kb.sync_states s ON s.integration_id = r.integration_id AND s.org_id = r.org_id
			WHERE ` + runScope + `
				AND r.id = $3
				AND r.fence = $4
			FOR UPDATE`

// heldObject is the object that lockObject locked, as a WITH query.
const heldObject = `held AS (
				SELECT r.id, r.integration_id, r.org_id, r.project_id
				FROM kb.webhook_objects r
				WHERE ` + runScope + `
					AND r.id = $3
					AND r.fence = $4
			)`

// WebhookAttempt is an attempt at deliveries. One that came once more after ReadAt stays RECEIVED.
type WebhookAttempt struct {
	Deliveries []uuid.UUID
	ReadAt     time.Time    // when it began
	Failure    string       // empty where it worked
	Final      bool         // it is not tried again
	Lost       bool         // a run is to find what they would have brought: it failed for more than what they tell of
	Full       bool         // that run is to read everything
	Rest       *WebhookRest // what the next attempt reads; nil leaves that as it is
}

// EndWebhookAttempt ends an attempt at deliveries: PROCESSED without a failure, else FAILED if that is final, else still RECEIVED. It returns
// whether deliveries are left. An object without any is done, and its row goes; its lock makes deliveries that come meanwhile wait.
func (t *Tenant) EndWebhookAttempt(ctx context.Context, id uuid.UUID, fence int, a WebhookAttempt) (left bool, err error) {
	left = true
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(briefly)
		b.Queue(lockObject, t.scope.Org, t.scope.Projects, id, fence)
		b.Queue(`
			UPDATE kb.webhook_deliveries d
			SET
				attempts = d.attempts + 1,
				error = nullif($5, ''),
				status = CASE WHEN NOT $6 THEN 'RECEIVED' WHEN $5 = '' THEN 'PROCESSED' ELSE 'FAILED' END,
				processed_at = CASE WHEN $6 THEN clock_timestamp() END
			FROM kb.webhook_objects r
			WHERE `+runScope+`
				AND r.id = $3
				AND r.fence = $7
				AND d.integration_id = r.integration_id
				AND d.org_id = r.org_id
				AND d.id = ANY ($4)
				AND d.status = 'RECEIVED'
				AND d.received_at <= $8`,
			t.scope.Org, t.scope.Projects, id, a.Deliveries, a.Failure, a.Final, fence, a.ReadAt)
		b.Queue(`
			UPDATE kb.webhook_objects r
			SET
				attempts = CASE WHEN $5 THEN 0 ELSE r.attempts + 1 END,
				rest = CASE WHEN NOT $5 THEN coalesce($6, r.rest) END,
				heartbeat_at = clock_timestamp()
			WHERE `+runScope+`
				AND r.id = $3
				AND r.fence = $4`,
			t.scope.Org, t.scope.Projects, id, fence, a.Final, a.Rest)
		if a.Lost {
			b.Queue(`
				WITH `+heldObject+`
				INSERT INTO kb.webhooks AS w (integration_id, org_id, project_id, catch_up_at, catch_up_full)
				SELECT integration_id, org_id, project_id, clock_timestamp() + $5::interval, $6
				FROM held
				`+orCatchUp,
				t.scope.Org, t.scope.Projects, id, fence, catchUpAfter, a.Full)
		}
		var done bool
		b.Queue(`
			DELETE FROM kb.webhook_objects r
			WHERE `+runScope+`
				AND r.id = $3
				AND r.fence = $4
				AND NOT EXISTS (
					SELECT
					FROM kb.webhook_deliveries d
					WHERE d.integration_id = r.integration_id
						AND d.org_id = r.org_id
						AND d.object = r.object
						AND d.status = 'RECEIVED')
			RETURNING true`,
			t.scope.Org, t.scope.Projects, id, fence,
		).QueryRow(func(row pgx.Row) error {
			err := scanIfAny(&done)(row)
			left = !done
			return err
		})
	})
	return left, err
}

// StoredObjects tells which of those objects are stored, by external id: false are those that are marked as deleted.
func (t *Tenant) StoredObjects(ctx context.Context, id uuid.UUID, externalIDs []string) (there map[string]bool, err error) {
	there = map[string]bool{}
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(byIndex)
		b.Queue(`
			SELECT o.external_id, o.deleted_at IS NULL
			FROM kb.synced_objects o
			WHERE `+objectScope+`
				AND o.integration_id = $3
				AND o.external_id = ANY ($4::text[])`,
			t.scope.Org, t.scope.Projects, id, externalIDs,
		).Query(func(rows pgx.Rows) error {
			var external string
			var live bool
			_, err := pgx.ForEachRow(rows, []any{&external, &live}, func() error { there[external] = live; return nil })
			return err
		})
	})
	return there, err
}

// ObjectsBelow lists what is stored below some objects and can be read by itself, parents before children, with what is marked as
// deleted: it may be there again.
func (t *Tenant) ObjectsBelow(ctx context.Context, id uuid.UUID, externalIDs []string) (list []NamedObject, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(byIndex)
		b.Queue(`
			WITH RECURSIVE below (type, external_id, depth) AS (
				SELECT ''::text, x COLLATE "C", 0
				FROM unnest($4::text[]) AS x
				UNION
				SELECT o.type, o.external_id, l.depth + 1
				FROM below l
				JOIN kb.synced_objects o ON o.external_parent_id = l.external_id
				WHERE `+objectScope+`
					AND o.integration_id = $3
					AND o.type <> 'COMMENT'
					AND l.depth < 50
			)
			SELECT type, external_id
			FROM below
			WHERE depth > 0
			GROUP BY type, external_id
			ORDER BY min(depth), external_id`,
			t.scope.Org, t.scope.Projects, id, externalIDs,
		).Query(func(rows pgx.Rows) (err error) {
			list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[NamedObject])
			return err
		})
	})
	return list, err
}
