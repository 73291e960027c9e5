package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ParkWebhookObject gives up an object of an integration that is disabled, until that is enabled: see UnparkWebhook.
func (t *Tenant) ParkWebhookObject(ctx context.Context, id uuid.UUID, fence int) error {
	return t.send(ctx, func(b *pgx.Batch) {
		b.Queue(briefly)
		b.Queue(lockObject, t.scope.Org, t.scope.Projects, id, fence)
		b.Queue(`
			WITH `+heldObject+`
			INSERT INTO kb.webhooks (integration_id, org_id, project_id, parked)
			SELECT integration_id, org_id, project_id, true
			FROM held
			ON CONFLICT (integration_id) DO UPDATE SET parked = true`,
			t.scope.Org, t.scope.Projects, id, fence)
		b.Queue(`DELETE FROM kb.webhook_objects r WHERE `+runScope+` AND r.id = $3 AND r.fence = $4`, t.scope.Org, t.scope.Projects, id, fence)
	})
}

// DropDeliveries gives up, inside InTx, the deliveries of an integration that nobody has worked on: they tell of what it imports no more.
func (t *Tenant) DropDeliveries(ctx context.Context, id uuid.UUID) error {
	if t.tx == nil {
		return errors.New("store: DropDeliveries outside InTx")
	}
	return t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`DELETE FROM kb.webhook_objects r WHERE `+runScope+` AND r.integration_id = $3`, t.scope.Org, t.scope.Projects, id)
		b.Queue(`
			UPDATE kb.webhook_deliveries d
			SET status = 'IGNORED', error = 'the settings name another account since it came', processed_at = clock_timestamp()
			WHERE `+deliveryScope+`
				AND d.integration_id = $3
				AND d.status = 'RECEIVED'`,
			t.scope.Org, t.scope.Projects, id)
	})
}

// UnparkWebhook takes up, inside InTx, at most so many objects that were parked, and returns their rows: a job is to be queued for
// each. The integration stays parked while more may be left.
func (t *Tenant) UnparkWebhook(ctx context.Context, id uuid.UUID, most int) (objects []uuid.UUID, err error) {
	if t.tx == nil {
		return nil, errors.New("store: UnparkWebhook outside InTx")
	}
	found := 0
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`UPDATE kb.webhooks r SET parked = false WHERE `+runScope+` AND r.integration_id = $3`, t.scope.Org, t.scope.Projects, id)
		b.Queue(`
			WITH parked AS (
				SELECT DISTINCT d.integration_id, d.org_id, d.project_id, d.object
				FROM kb.webhook_deliveries d
				WHERE `+deliveryScope+`
					AND d.integration_id = $3
					AND d.status = 'RECEIVED'
					AND NOT EXISTS (
						SELECT
						FROM kb.webhook_objects w
						WHERE w.integration_id = d.integration_id
							AND w.org_id = d.org_id
							AND w.object = d.object)
				LIMIT $4
			), taken AS (
				INSERT INTO kb.webhook_objects (id, integration_id, org_id, project_id, object)
				SELECT gen_random_uuid(), integration_id, org_id, project_id, object
				FROM parked
				ON CONFLICT (integration_id, object) DO NOTHING
				RETURNING id
			)
			SELECT (SELECT count(*) FROM parked), coalesce((SELECT array_agg(id) FROM taken), '{}')`,
			t.scope.Org, t.scope.Projects, id, most,
		).QueryRow(func(row pgx.Row) error { return row.Scan(&found, &objects) })
	})
	if err == nil && found == most {
		err = t.send(ctx, func(b *pgx.Batch) {
			b.Queue(`UPDATE kb.webhooks r SET parked = true WHERE `+runScope+` AND r.integration_id = $3`, t.scope.Org, t.scope.Projects, id)
		})
	}
	return objects, err
}

// ParkedWebhook is an integration that was enabled since deliveries were parked.
type ParkedWebhook struct {
	Org string
	ID  uuid.UUID // of the integration
}

// ParkedWebhooks lists integrations that were enabled since deliveries were parked.
func (db *DB) ParkedWebhooks(ctx context.Context, most int) ([]ParkedWebhook, error) {
	rows, err := db.pool.Query(ctx, `SELECT org_id, integration_id FROM kb.parked_webhooks($1)`, most)
	if err != nil {
		return nil, translate(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ParkedWebhook])
	return list, translate(err)
}

// OrphanedWebhookObject is one whose worker seems to have died.
type OrphanedWebhookObject struct {
	Org string
	ID  uuid.UUID
}

// OrphanedWebhookObjects lists the objects whose job was taken up so long ago, and whose worker has not been heard of since. It knows
// the jobs by their arguments "object" and "fence".
func (db *DB) OrphanedWebhookObjects(ctx context.Context, since time.Duration) ([]OrphanedWebhookObject, error) {
	return db.orphanedWebhookObjects(ctx, `SELECT org_id, id FROM kb.orphaned_webhook_objects($1)`, since)
}

// JoblessWebhookObjects lists at most so many objects whose worker has not been heard of for so long, and that no job is queued for.
func (db *DB) JoblessWebhookObjects(ctx context.Context, since time.Duration, most int) ([]OrphanedWebhookObject, error) {
	return db.orphanedWebhookObjects(ctx, `SELECT org_id, id FROM kb.jobless_webhook_objects($1, $2)`, since, most)
}

func (db *DB) orphanedWebhookObjects(ctx context.Context, statement string, args ...any) ([]OrphanedWebhookObject, error) {
	rows, err := db.pool.Query(ctx, statement, args...)
	if err != nil {
		return nil, translate(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[OrphanedWebhookObject])
	return list, translate(err)
}

// TakeOverWebhookObject gives an object that no worker has held for so long to a new job: it returns the fence for it, 0 where the
// object is held again, or is done.
func (t *Tenant) TakeOverWebhookObject(ctx context.Context, id uuid.UUID, since time.Duration) (fence int, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.webhook_objects r
			SET fence = r.fence + 1, heartbeat_at = clock_timestamp()
			WHERE `+runScope+`
				AND r.id = $3
				AND r.heartbeat_at < clock_timestamp() - $4::interval
			RETURNING r.fence`,
			t.scope.Org, t.scope.Projects, id, since,
		).QueryRow(scanIfAny(&fence))
	})
	return fence, err
}
