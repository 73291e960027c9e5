package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// batchIdle is how long a batch's transaction may stand still before the database ends it: the lock of a worker whose
// machine is gone must not keep others from taking its rotation over.
const batchIdle = "5s"

const rotationColumns = `r.id, r.total, r.done, r.failed, r.finished_at`

func scanRotation(row pgx.Row) (*integration.KeyRotation, error) {
	var r integration.KeyRotation
	return &r, row.Scan(&r.ID, &r.Total, &r.Done, &r.Failed, &r.FinishedAt)
}

// rotationScope is the predicate of statements on kb.key_rotations r: $1 is the organisation, $2 the scope's projects,
// with which nobody sees a rotation.
const rotationScope = `r.org_id = $1 AND $2::uuid[] IS NULL`

// latestRotation is the running rotation, else the last one.
const latestRotation = `
			SELECT ` + rotationColumns + `
			FROM kb.key_rotations r
			WHERE ` + rotationScope + `
			ORDER BY r.finished_at IS NULL DESC, r.created_at DESC, r.id DESC
			LIMIT 1`

// FirstFence is the number of a rotation's first job.
const FirstFence = 1

// StartKeyRotation begins to seal the organisation's secrets anew under a key, and records that. Where this is going on
// already, it is returned, and started is false. One to another key is ended where it stands.
func (t *Tenant) StartKeyRotation(ctx context.Context, keyID string) (r *integration.KeyRotation, started bool, err error) {
	args := []any{t.scope.Org, t.scope.Projects, uuid.Must(uuid.NewV7()), keyID, t.actor()}
	statement := `
			WITH started AS (
				INSERT INTO kb.key_rotations (id, org_id, key_id, total, requested_by, fence)
				SELECT $3, $1::varchar, $4::text, (SELECT count(*) FROM kb.integrations i WHERE ` + inScope + ` AND i.key_id <> $4), $5, 1
				WHERE $2::uuid[] IS NULL
				ON CONFLICT (org_id) WHERE finished_at IS NULL DO NOTHING
				RETURNING *
			), ` + t.recorded(&args, "started", "NULL::uuid", "NULL::uuid", audit{integration.AuditKeyRotate, map[string]any{"key": keyID}}) + `
			SELECT FROM started`
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.key_rotations r
			SET finished_at = clock_timestamp(), fence = r.fence + 1
			WHERE `+rotationScope+`
				AND r.finished_at IS NULL
				AND r.key_id <> $3`,
			t.scope.Org, t.scope.Projects, keyID)
		b.Queue(statement, args...).Query(func(rows pgx.Rows) error {
			started = rows.Next()
			rows.Close()
			return rows.Err()
		})
		b.Queue(latestRotation, t.scope.Org, t.scope.Projects).QueryRow(into(&r, scanRotation))
	})
	if err == nil && started {
		err = t.record(ctx, nil, nil, audit{integration.AuditSecretsOpen, map[string]any{"purpose": "rotation"}})
	}
	return r, started, err
}

// KeyRotation returns a rotation, or nil where the scope has none of that id.
func (t *Tenant) KeyRotation(ctx context.Context, id uuid.UUID) (r *integration.KeyRotation, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT `+rotationColumns+`
			FROM kb.key_rotations r
			WHERE `+rotationScope+`
				AND r.id = $3`,
			t.scope.Org, t.scope.Projects, id,
		).QueryRow(into(&r, scanRotation))
	})
	return r, err
}

// RotationStep is what a batch of a rotation came to.
type RotationStep struct {
	Lost     bool        // the rotation is finished, or another job's: nothing was done
	Finished bool        // this was the end of it
	Failed   []uuid.UUID // integrations that did not open, and stayed as they are
}

// AdvanceKeyRotation seals the next rows of a rotation anew, at most so many, inside InTx: they, their counts and the
// cursor commit together, and only while the job that holds this fence is the rotation's. A row that was changed since
// it was looked at is left to the next pass, which follows while rows are left that have not failed.
func (t *Tenant) AdvanceKeyRotation(ctx context.Context, ring *seal.Ring, id uuid.UUID, fence, most int) (step RotationStep, err error) {
	if t.tx == nil {
		return step, errors.New("store: AdvanceKeyRotation outside InTx")
	}
	var held *heldRotation
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT set_config('idle_in_transaction_session_timeout', $1, true)`, batchIdle)
		b.Queue(`
			SELECT r.key_id, r.cursor
			FROM kb.key_rotations r
			WHERE `+rotationScope+`
				AND r.id = $3
				AND r.fence = $4
				AND r.finished_at IS NULL
			FOR UPDATE`,
			t.scope.Org, t.scope.Projects, id, fence,
		).QueryRow(into(&held, func(row pgx.Row) (*heldRotation, error) {
			var h heldRotation
			return &h, row.Scan(&h.keyID, &h.cursor)
		}))
	})
	if err != nil {
		return step, err
	}
	if held == nil {
		return RotationStep{Lost: true}, nil
	}
	if !ring.Has(held.keyID) {
		return step, errors.New("store: the rotation's key is none of this server's")
	}
	rows, err := t.sealedRows(ctx, held.cursor, held.keyID, most)
	if err != nil {
		return step, err
	}
	if len(rows) == 0 {
		step.Finished, err = t.endPass(ctx, id)
		return step, err
	}
	step.Failed, err = t.reseal(ctx, ring, id, held.keyID, rows)
	return step, err
}

type heldRotation struct {
	keyID  string
	cursor *uuid.UUID
}

// sealedRow is what must be known of a row to derive its passphrases.
type sealedRow struct {
	ID    uuid.UUID
	KeyID string
}

// sealedRows are the next sealed rows of the scope by id, without those under the key notUnder.
func (t *Tenant) sealedRows(ctx context.Context, after *uuid.UUID, notUnder string, most int) (list []sealedRow, err error) {
	if after == nil {
		after = &uuid.Nil
	}
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT i.id, i.key_id
			FROM kb.integrations i
			WHERE `+inScope+`
				AND i.key_id <> $3
				AND i.id > $4
			ORDER BY i.id
			LIMIT $5`,
			t.scope.Org, t.scope.Projects, notUnder, *after, most,
		).Query(func(rows pgx.Rows) (err error) {
			list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[sealedRow])
			return err
		})
	})
	return list, err
}

// cells are the passphrases of rows, as parallel arrays for unnest. Those of a key that the ring lacks are empty, and
// open nothing.
type cells struct {
	ids                                            []uuid.UUID
	keyIDs                                         []string
	settings, webhookSecret, previousWebhookSecret []string
}

func (t *Tenant) cells(ring *seal.Ring, rows []sealedRow) cells {
	var c cells
	for _, row := range rows {
		pass, err := derivePassphrases(ring, row.KeyID, row.ID, t.scope.Org)
		if err != nil {
			pass = passphrases{}
		}
		c.ids, c.keyIDs = append(c.ids, row.ID), append(c.keyIDs, row.KeyID)
		c.settings, c.webhookSecret = append(c.settings, pass.settings.Expose()), append(c.webhookSecret, pass.webhookSecret.Expose())
		c.previousWebhookSecret = append(c.previousWebhookSecret, pass.previousWebhookSecret.Expose())
	}
	return c
}

// reseal seals rows anew under a key and moves the rotation on behind them. It returns those that did not open. A previous
// webhook secret that counts no more is dropped instead.
func (t *Tenant) reseal(ctx context.Context, ring *seal.Ring, id uuid.UUID, keyID string, rows []sealedRow) (failed []uuid.UUID, err error) {
	before := t.cells(ring, rows)
	under := make([]sealedRow, len(rows))
	for i, row := range rows {
		under[i] = sealedRow{row.ID, keyID}
	}
	after := t.cells(ring, under)
	done := 0
	err = t.send(ctx, func(b *pgx.Batch) {
		// In the order of their ids, so that two statements that lock several rows do not wait for each other.
		b.Queue(`
			WITH locked AS (
				SELECT
					i.id, i.key_id, i.settings, i.webhook_secret,
					CASE WHEN `+previousCounts+` THEN i.previous_webhook_secret END AS previous_webhook_secret,
					g.old_settings, g.new_settings, g.old_webhook, g.new_webhook, g.old_previous, g.new_previous
				FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
					AS g (id, key_id, old_settings, new_settings, old_webhook, new_webhook, old_previous, new_previous)
				JOIN kb.integrations i ON i.id = g.id AND i.key_id = g.key_id
				WHERE `+inScope+`
				ORDER BY i.id
				FOR NO KEY UPDATE OF i
			), sealed AS (
				SELECT
					id,
					key_id,
					settings IS NULL AS no_settings,
					webhook_secret IS NULL AS no_webhook_secret,
					previous_webhook_secret IS NULL AS no_previous,
					CASE WHEN settings IS NOT NULL THEN kb.reseal(settings, old_settings, new_settings) END AS settings,
					CASE WHEN webhook_secret IS NOT NULL THEN kb.reseal(webhook_secret, old_webhook, new_webhook) END AS webhook_secret,
					CASE WHEN previous_webhook_secret IS NOT NULL THEN kb.reseal(previous_webhook_secret, old_previous, new_previous) END
						AS previous_webhook_secret
				FROM locked
			), judged AS (
				SELECT
					*,
					(no_settings OR settings IS NOT NULL)
						AND (no_webhook_secret OR webhook_secret IS NOT NULL)
						AND (no_previous OR previous_webhook_secret IS NOT NULL) AS opened
				FROM sealed
			), updated AS (
				UPDATE kb.integrations i
				SET
					settings = j.settings,
					webhook_secret = j.webhook_secret,
					previous_webhook_secret = j.previous_webhook_secret,
					previous_webhook_secret_until = CASE WHEN j.previous_webhook_secret IS NOT NULL THEN i.previous_webhook_secret_until END,
					key_id = $3
				FROM judged j
				WHERE `+inScope+`
					AND i.id = j.id
					AND i.key_id = j.key_id
					AND j.opened
			)
			SELECT id, opened
			FROM judged
			ORDER BY id`,
			t.scope.Org, t.scope.Projects, keyID,
			before.ids, before.keyIDs, before.settings, after.settings, before.webhookSecret, after.webhookSecret,
			before.previousWebhookSecret, after.previousWebhookSecret,
		).Query(func(rows pgx.Rows) error {
			var row uuid.UUID
			var opened bool
			_, err := pgx.ForEachRow(rows, []any{&row, &opened}, func() error {
				if opened {
					done++
				} else {
					failed = append(failed, row)
				}
				return nil
			})
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return failed, t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.key_rotations r
			SET done = r.done + $4, failed = r.failed + $5, cursor = $6, heartbeat_at = clock_timestamp()
			WHERE `+rotationScope+`
				AND r.id = $3`,
			t.scope.Org, t.scope.Projects, id, done, len(failed), rows[len(rows)-1].ID)
	})
}

// endPass finishes a rotation behind whose cursor no row is left, or begins at the first row again where more are under
// another key than have failed: a replica that still seals under the key before may have written meanwhile.
func (t *Tenant) endPass(ctx context.Context, id uuid.UUID) (finished bool, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.key_rotations r
			SET
				finished_at = CASE WHEN l.rows <= r.failed THEN clock_timestamp() END,
				failed = CASE WHEN l.rows <= r.failed THEN l.rows ELSE 0 END,
				cursor = NULL,
				heartbeat_at = clock_timestamp()
			FROM (
				SELECT count(*) AS rows
				FROM kb.integrations i
				WHERE `+inScope+`
					AND i.key_id <> (SELECT k.key_id FROM kb.key_rotations k WHERE k.org_id = $1 AND k.id = $3)
			) l
			WHERE `+rotationScope+`
				AND r.id = $3
			RETURNING r.finished_at IS NOT NULL`,
			t.scope.Org, t.scope.Projects, id,
		).QueryRow(func(row pgx.Row) error { return row.Scan(&finished) })
	})
	return finished, err
}

// HandOnKeyRotation gives a rotation to the next job, whose fence it returns; 0 where it is not this job's any more.
func (t *Tenant) HandOnKeyRotation(ctx context.Context, id uuid.UUID, fence int) (next int, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.key_rotations r
			SET fence = r.fence + 1, heartbeat_at = clock_timestamp()
			WHERE `+rotationScope+`
				AND r.id = $3
				AND r.fence = $4
				AND r.finished_at IS NULL
			RETURNING r.fence`,
			t.scope.Org, t.scope.Projects, id, fence,
		).QueryRow(scanIfAny(&next))
	})
	return next, err
}

// TakeOverKeyRotation takes a rotation from a worker that has not advanced it for so long, and returns the fence of the
// job that is to go on with it; 0 where somebody was faster, or its key is none of the ring's.
func (t *Tenant) TakeOverKeyRotation(ctx context.Context, ring *seal.Ring, id uuid.UUID, after time.Duration) (next int, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.key_rotations r
			SET fence = r.fence + 1, heartbeat_at = clock_timestamp()
			WHERE `+rotationScope+`
				AND r.id = $3
				AND r.finished_at IS NULL
				AND r.heartbeat_at < clock_timestamp() - $4::interval
				AND r.key_id = ANY ($5)
			RETURNING r.fence`,
			t.scope.Org, t.scope.Projects, id, after, ring.IDs(),
		).QueryRow(scanIfAny(&next))
	})
	return next, err
}

// EncryptionStatus counts the scope's sealed rows by key, and tells of the rotation that runs, or ran last.
func (t *Tenant) EncryptionStatus(ctx context.Context) (*integration.EncryptionStatus, error) {
	s := &integration.EncryptionStatus{}
	err := t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT i.key_id, count(*)
			FROM kb.integrations i
			WHERE `+inScope+`
				AND i.key_id IS NOT NULL
			GROUP BY i.key_id
			ORDER BY i.key_id`,
			t.scope.Org, t.scope.Projects,
		).Query(func(rows pgx.Rows) (err error) {
			s.SealedRows, err = pgx.CollectRows(rows, pgx.RowToStructByPos[integration.SealedRows])
			return err
		})
		b.Queue(latestRotation, t.scope.Org, t.scope.Projects).QueryRow(into(&s.Rotation, scanRotation))
	})
	return s, err
}

// CountUnreadable counts the scope's rows that do not open, so many at a time, and records that it tried. What opens
// stays in the database.
func (t *Tenant) CountUnreadable(ctx context.Context, ring *seal.Ring, most int) (unreadable int, err error) {
	if err := t.record(ctx, nil, nil, audit{integration.AuditSecretsOpen, map[string]any{"purpose": "check"}}); err != nil {
		return 0, err
	}
	var after *uuid.UUID
	for {
		rows, err := t.sealedRows(ctx, after, "", most)
		if err != nil || len(rows) == 0 {
			return unreadable, err
		}
		after = &rows[len(rows)-1].ID
		c := t.cells(ring, rows)
		var n int
		err = t.send(ctx, func(b *pgx.Batch) {
			b.Queue(`
			SELECT count(*)
			FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[]) AS g (id, key_id, settings, webhook_secret, previous)
			JOIN kb.integrations i ON i.id = g.id AND i.key_id = g.key_id
			WHERE `+inScope+`
				AND NOT (
					kb.opens(i.settings, g.settings)
					AND kb.opens(i.webhook_secret, g.webhook_secret)
					AND kb.opens(CASE WHEN `+previousCounts+` THEN i.previous_webhook_secret END, g.previous))`,
				t.scope.Org, t.scope.Projects, c.ids, c.keyIDs, c.settings, c.webhookSecret, c.previousWebhookSecret,
			).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
		})
		if err != nil {
			return 0, err
		}
		unreadable += n
	}
}

// OrganisationsToRotate names the organisations with rows that another key than this one sealed.
func (db *DB) OrganisationsToRotate(ctx context.Context, currentKey string) ([]string, error) {
	rows, err := db.pool.Query(ctx, `SELECT org_id FROM kb.organisations_to_rotate($1)`, currentKey)
	if err != nil {
		return nil, translate(err)
	}
	orgs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return orgs, translate(err)
}

// OrphanedRotation is one whose worker seems to have died.
type OrphanedRotation struct {
	Org string
	ID  uuid.UUID
}

// OrphanedRotations lists the unfinished rotations that no job has advanced for so long, and that none waits for a free
// worker to advance. It knows the jobs by their argument "rotation".
func (db *DB) OrphanedRotations(ctx context.Context, since time.Duration) ([]OrphanedRotation, error) {
	rows, err := db.pool.Query(ctx, `SELECT org_id, id FROM kb.orphaned_rotations($1)`, since)
	if err != nil {
		return nil, translate(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[OrphanedRotation])
	return list, translate(err)
}
