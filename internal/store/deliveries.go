package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
)

// webhookDeliveryList names the cursors of WebhookDeliveries.
const webhookDeliveryList = "webhookDeliveries"

// DeliveryReads is what a delivery asks to read anew, as provider.Delivery has it.
type DeliveryReads struct {
	Changed, Details, Moved, Gone []NamedObject
}

// NewDelivery is a verified delivery as StoreDelivery keeps it.
type NewDelivery struct {
	ID            uuid.UUID
	IntegrationID uuid.UUID
	Key           [32]byte // tells deliveries of the integration apart
	ByBody        bool     // Key is the body's hash, which another event may have too
	DeliveryID    string
	Event         string
	Object        string // what it is about; empty where it is ignored
	Reads         DeliveryReads
	Payload       []byte
	Headers       map[string]string
}

// StoreDelivery stores a delivery, unless the integration has one of its key, and notes that its object is to be worked on. One that
// came before and is known by its body is RECEIVED anew, as if it had come just now: the same may have happened once more. It returns
// the row of the object where a job is to be queued for it, in the same transaction; nil where one is queued already that begins soon, and
// where there is nothing to do.
func (t *Tenant) StoreDelivery(ctx context.Context, n NewDelivery) (object *uuid.UUID, err error) {
	reads, err := json.Marshal(n.Reads)
	if err != nil {
		return nil, err
	}
	if n.Headers == nil {
		n.Headers = map[string]string{}
	}
	id := uuid.Must(uuid.NewV7())
	scope := []any{t.scope.Org, t.scope.Projects, n.IntegrationID}
	args := append(slices.Clone(scope), n.ID, n.Key[:], n.DeliveryID, n.Event, n.Object, reads, n.Payload, n.Headers)
	const insert = `
				INSERT INTO kb.webhook_deliveries AS d (
					id, integration_id, org_id, project_id, delivery_key, delivery_id, event, status, object, reads, payload, headers, processed_at)
				SELECT
					$4, i.id, i.org_id, i.project_id, $5, $6, $7, CASE WHEN $8 = '' THEN 'IGNORED' ELSE 'RECEIVED' END, nullif($8, ''), $9, $10, $11,
					CASE WHEN $8 = '' THEN clock_timestamp() END
				FROM kb.integrations i
				WHERE ` + inScope + `
					AND i.id = $3
				ON CONFLICT (integration_id, delivery_key)`
	var told *bool
	err = t.send(ctx, func(b *pgx.Batch) {
		if n.ByBody && n.Object != "" {
			// The object first, as the end of its job has it: each would wait for the other otherwise.
			b.Queue(`
			WITH stored AS (
				SELECT i.id AS integration_id, i.org_id, i.project_id, $4::text AS object
				FROM kb.integrations i
				WHERE `+inScope+`
					AND i.id = $3
			), told AS (
				`+tellObject(5)+`
			)
			SELECT id = $5
			FROM told`, append(scope, n.Object, id)...,
			).QueryRow(scanIfAny(&told))
			b.Queue(insert+` DO UPDATE
				SET
					event = excluded.event, status = excluded.status, object = excluded.object, reads = excluded.reads, attempts = 0, error = NULL,
					received_at = clock_timestamp(), processed_at = NULL
				WHERE d.org_id = $1`, args...)
			return
		}
		b.Queue(`
			WITH stored AS (`+insert+` DO NOTHING
				RETURNING d.integration_id, d.org_id, d.project_id, d.object
			), told AS (
				`+tellObject(12)+`
			)
			SELECT id = $12
			FROM told`, append(args, id)...,
		).QueryRow(scanIfAny(&told))
	})
	if err == nil && told != nil && *told {
		object = &id
	}
	return object, err
}

// tellObject notes that the object of a delivery in the WITH query stored is to be worked on, and begins to count its attempts anew. The
// parameter of this number is the id of a new row. After failed attempts its job rests for long: the object gets the row's id anew, so
// that it is the job's no more, and another one is queued as for a new row.
func tellObject(id int) string {
	return fmt.Sprintf(`INSERT INTO kb.webhook_objects AS w (id, integration_id, org_id, project_id, object)
				SELECT $%d, integration_id, org_id, project_id, object
				FROM stored
				WHERE object IS NOT NULL
				ON CONFLICT (integration_id, object) DO UPDATE
				SET
					id = CASE WHEN w.attempts > 0 THEN excluded.id ELSE w.id END,
					fence = CASE WHEN w.attempts > 0 THEN excluded.fence ELSE w.fence END,
					heartbeat_at = CASE WHEN w.attempts > 0 THEN excluded.heartbeat_at ELSE w.heartbeat_at END,
					told_at = clock_timestamp(),
					attempts = 0
				RETURNING w.id`, id)
}

// deliveryScope is the predicate of statements on kb.webhook_deliveries d: $1 is the organisation, $2 the scope's projects.
const deliveryScope = `d.org_id = $1 AND ($2::uuid[] IS NULL OR d.project_id = ANY ($2))`

const deliveryColumns = `d.id, d.integration_id, d.delivery_id, d.event, d.status, d.attempts, d.error, d.received_at, d.processed_at`

func scanDelivery(row pgx.Row) (*integration.WebhookDelivery, error) {
	var d integration.WebhookDelivery
	return &d, row.Scan(scanID(&d.ID), scanID(&d.IntegrationID), &d.DeliveryID, &d.Event, &d.Status, &d.Attempts, &d.Error, &d.ReceivedAt, &d.ProcessedAt)
}

// WebhookDeliveries lists an integration's deliveries, or those of one status, newest first. An integration outside the scope is
// NotFound.
func (t *Tenant) WebhookDeliveries(ctx context.Context, id uuid.UUID, status *integration.WebhookDeliveryStatus, args integration.PageArgs) (integration.Page[*integration.WebhookDelivery], error) {
	page := newPage[*integration.WebhookDelivery](args)
	afterAt, afterID, err := decodeTimeCursor(webhookDeliveryList, args.After)
	if err != nil {
		return page.Page, err
	}
	matches := deliveryScope + `
				AND d.integration_id = $3`
	filter := []any{t.scope.Org, t.scope.Projects, id}
	if status != nil { // as a condition of its own, which an index answers
		filter = append(filter, *status)
		matches += `
				AND d.status = $4`
	}
	var exists bool
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT `+integrationExists, filter[:3]...).QueryRow(func(row pgx.Row) error { return row.Scan(&exists) })
		b.Queue(fmt.Sprintf(`
			SELECT %s
			FROM kb.webhook_deliveries d
			WHERE %s
				AND ($%[3]d::timestamptz IS NULL OR (d.received_at, d.id) < ($%[3]d, $%[4]d::uuid))
			ORDER BY d.received_at DESC, d.id DESC
			LIMIT $%[5]d`, deliveryColumns, matches, len(filter)+1, len(filter)+2, len(filter)+3),
			append(slices.Clone(filter), afterAt, afterID, args.First+1)...,
		).Query(func(rows pgx.Rows) error {
			return page.collect(rows, func(row pgx.CollectableRow) (*integration.WebhookDelivery, string, error) {
				d, err := scanDelivery(row)
				if err != nil {
					return nil, "", err
				}
				return d, encodeTimeCursor(webhookDeliveryList, d.ReceivedAt, d.ID), nil
			})
		})
		if args.CountTotal {
			b.Queue(`SELECT count(*) FROM kb.webhook_deliveries d WHERE `+matches, filter...).QueryRow(func(row pgx.Row) error { return row.Scan(&page.Total) })
		}
	})
	if err == nil && !exists {
		err = noIntegration()
	}
	return page.Page, err
}

// DeliveryContent is what a delivery was read from.
type DeliveryContent struct {
	IntegrationID uuid.UUID
	Provider      string
	Payload       []byte
	Headers       map[string]string
}

// DeliveryContent returns what a delivery was read from, or nil where the scope has none.
func (t *Tenant) DeliveryContent(ctx context.Context, id uuid.UUID) (content *DeliveryContent, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT d.integration_id, i.provider, d.payload, d.headers
			FROM kb.webhook_deliveries d
			JOIN kb.integrations i ON i.id = d.integration_id AND i.org_id = d.org_id
			WHERE `+deliveryScope+`
				AND d.id = $3`,
			t.scope.Org, t.scope.Projects, id,
		).QueryRow(into(&content, func(row pgx.Row) (*DeliveryContent, error) {
			var c DeliveryContent
			return &c, row.Scan(&c.IntegrationID, &c.Provider, &c.Payload, &c.Headers)
		}))
	})
	return content, err
}

// ReplayDelivery makes a delivery as if it had come just now, and records that. One that is RECEIVED still stays as it is. The object
// is as StoreDelivery returns it. It returns nil where the scope has no such delivery.
func (t *Tenant) ReplayDelivery(ctx context.Context, id uuid.UUID, event, about string, reads DeliveryReads) (delivery *integration.WebhookDelivery, object *uuid.UUID, err error) {
	text, err := json.Marshal(reads)
	if err != nil {
		return nil, nil, err
	}
	row := uuid.Must(uuid.NewV7())
	args := []any{t.scope.Org, t.scope.Projects, id, event, about, text, row}
	statement := `
			WITH stored AS (
				UPDATE kb.webhook_deliveries d
				SET
					event = $4, object = nullif($5, ''), reads = $6, attempts = 0, error = NULL,
					status = CASE WHEN $5 = '' THEN 'IGNORED' ELSE 'RECEIVED' END,
					processed_at = CASE WHEN $5 = '' THEN clock_timestamp() END
				WHERE ` + deliveryScope + `
					AND d.id = $3
					AND d.status <> 'RECEIVED'
				RETURNING d.*
			), ` + t.recorded(&args, "stored", "project_id", "integration_id", audit{integration.AuditDeliveryReplay, map[string]any{"delivery": id, "event": event}}) + `, told AS (
				` + tellObject(7) + `
			)
			SELECT id = $7
			FROM told`
	var told *bool
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(statement, args...).QueryRow(scanIfAny(&told))
		b.Queue(`SELECT `+deliveryColumns+` FROM kb.webhook_deliveries d WHERE `+deliveryScope+` AND d.id = $3`, t.scope.Org, t.scope.Projects, id).
			QueryRow(into(&delivery, scanDelivery))
	})
	if err == nil && told != nil && *told {
		object = &row
	}
	return delivery, object, err
}

// PruneDeliveries removes at most so many of the scope's deliveries that came before a time, and leaves those that others remove. A run is
// to find what those of them that nobody worked on, as those of a disabled integration, would have brought; as WebhookWork.NeedsFull has it, one
// that reads everything.
func (t *Tenant) PruneDeliveries(ctx context.Context, before time.Time, most int) (removed int, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			WITH old AS (
				SELECT d.id
				FROM kb.webhook_deliveries d
				WHERE `+deliveryScope+`
					AND d.received_at < $3
				ORDER BY d.received_at
				LIMIT $4
				FOR UPDATE SKIP LOCKED
			), removed AS (
				DELETE FROM kb.webhook_deliveries d
				USING old
				WHERE `+deliveryScope+`
					AND d.id = old.id
				RETURNING d.integration_id, d.org_id, d.project_id, d.status,
					coalesce(d.reads ->> 'Gone', '[]') || coalesce(d.reads ->> 'Moved', '[]') <> '[][]' AS needs_full
			), missed AS (
				INSERT INTO kb.webhooks AS w (integration_id, org_id, project_id, catch_up_at, catch_up_full)
				SELECT integration_id, org_id, project_id, clock_timestamp(), bool_or(needs_full)
				FROM removed
				WHERE status = 'RECEIVED'
				GROUP BY integration_id, org_id, project_id
				`+orCatchUp+`
			)
			SELECT count(*)
			FROM removed`,
			t.scope.Org, t.scope.Projects, before, most,
		).QueryRow(func(row pgx.Row) error { return row.Scan(&removed) })
	})
	return removed, err
}

// OrganisationsWithOldDeliveries names the organisations with deliveries that came before a time.
func (db *DB) OrganisationsWithOldDeliveries(ctx context.Context, before time.Time) ([]string, error) {
	rows, err := db.pool.Query(ctx, `SELECT org_id FROM kb.organisations_with_old_deliveries($1)`, before)
	if err != nil {
		return nil, translate(err)
	}
	orgs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return orgs, translate(err)
}
