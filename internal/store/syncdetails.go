package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// How CommitSync notes how far details were read anew, and which of them the next run is to read.
const (
	advanceSweep = `
			WITH ` + heldRun + `
			UPDATE kb.sync_states s
			SET
				details_sweep_after = CASE WHEN NOT $6::boolean THEN $5::text END,
				details_sweep_listings = CASE WHEN NOT $6 THEN s.details_sweep_listings END,
				details_swept_at = CASE WHEN $6 THEN clock_timestamp() ELSE s.details_swept_at END
			FROM held h
			WHERE s.integration_id = h.integration_id
				AND s.org_id = h.org_id`
	notePending = `
			WITH ` + heldRun + `
			INSERT INTO kb.sync_pending (integration_id, org_id, project_id, type, external_id)
			SELECT h.integration_id, h.org_id, h.project_id, o.type, o.external_id
			FROM held h
			CROSS JOIN (SELECT DISTINCT unnest($5::text[])) AS g (external_id)
			CROSS JOIN LATERAL (
				SELECT o.type, o.external_id
				FROM kb.synced_objects o
				WHERE o.integration_id = h.integration_id
					AND o.org_id = h.org_id
					AND o.external_id = g.external_id
					AND o.has_details
					AND o.deleted_at IS NULL
				OFFSET 0
			) o
			ON CONFLICT (integration_id, external_id) DO NOTHING`
)

// PendingDetails lists the objects of an integration whose details are to be read, by external id after one.
func (t *Tenant) PendingDetails(ctx context.Context, id uuid.UUID, after string, most int) (list []NamedObject, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT p.type, p.external_id`+pendingAfter+`
			ORDER BY p.external_id
			LIMIT $5`,
			t.scope.Org, t.scope.Projects, id, after, most,
		).Query(func(rows pgx.Rows) (err error) {
			list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[NamedObject])
			return err
		})
	})
	return list, err
}

// CountPendingDetails counts what PendingDetails would list.
func (t *Tenant) CountPendingDetails(ctx context.Context, id uuid.UUID, after string) (n int, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT count(*)`+pendingAfter, t.scope.Org, t.scope.Projects, id, after).
			QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
	})
	return n, err
}

const pendingAfter = `
			FROM kb.sync_pending p
			WHERE p.org_id = $1
				AND ($2::uuid[] IS NULL OR p.project_id = ANY ($2))
				AND p.integration_id = $3
				AND p.external_id > $4`

// SweepDetails has the details of all objects that have some read anew, of those in the listings that a run covered, where that was last done
// longer ago than so long; where it is under way, it goes on, with the listings of this run. It returns up to which object it has come, in the
// order of external ids, and nil where it need not be done. It outlives the run: CommitSync advances it, and DetailsAnew lists what is next. When it
// is called first, all that was stored is noted as new, and nothing is read anew.
func (t *Tenant) SweepDetails(ctx context.Context, run uuid.UUID, fence int, every time.Duration) (sweptTo *string, err error) {
	args := []any{t.scope.Org, t.scope.Projects, run, fence}
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(lockRun, args...)
		b.Queue(`
			WITH `+heldRun+`, `+coveredListings+`, due AS (
				SELECT
					s.integration_id, s.org_id,
					CASE
						WHEN s.details_sweep_after IS NOT NULL THEN s.details_sweep_after
						WHEN s.details_swept_at < h.started_at - $5::interval THEN ''
					END AS after
				FROM held h
				JOIN kb.sync_states s ON s.integration_id = h.integration_id AND s.org_id = h.org_id
			)
			UPDATE kb.sync_states s
			SET
				details_sweep_after = d.after,
				details_sweep_listings = CASE WHEN d.after IS NOT NULL THEN ARRAY (SELECT listing FROM covered) END,
				details_swept_at = coalesce(s.details_swept_at, clock_timestamp())
			FROM due d
			WHERE s.integration_id = d.integration_id
				AND s.org_id = d.org_id
			RETURNING d.after`, append(args, every)...,
		).QueryRow(scanIfAny(&sweptTo))
	})
	return sweptTo, err
}

// DetailsAnew lists the objects of an integration whose details are to be read anew, by external id after one.
func (t *Tenant) DetailsAnew(ctx context.Context, id uuid.UUID, after string, most int) (list []NamedObject, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		// In the order of the external ids' index, and no further than the page: sorting would read all that is left for each.
		b.Queue(`
			SELECT
				set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true),
				set_config('jit', 'off', true)`)
		b.Queue(`
			SELECT o.type, o.external_id
			FROM kb.sync_states s
			CROSS JOIN LATERAL (
				SELECT o.type, o.external_id
				FROM (
					SELECT o.type, o.external_id, o.listing
					FROM kb.synced_objects o
					WHERE o.integration_id = s.integration_id
						AND o.org_id = s.org_id
						AND o.external_id > $4
						AND o.has_details
						AND o.deleted_at IS NULL
					ORDER BY o.external_id
					OFFSET 0
				) o
				WHERE o.listing = ANY (s.details_sweep_listings)
				ORDER BY o.external_id
				LIMIT $5
			) o
			WHERE `+stateScope+`
				AND s.integration_id = $3
			ORDER BY o.external_id`,
			t.scope.Org, t.scope.Projects, id, after, most,
		).Query(func(rows pgx.Rows) (err error) {
			list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[NamedObject])
			return err
		})
	})
	return list, err
}

// CountDetailsAnew counts what DetailsAnew would list.
func (t *Tenant) CountDetailsAnew(ctx context.Context, id uuid.UUID, after string) (n int, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(byIndex)
		b.Queue(`
			SELECT count(*)
			FROM kb.sync_states s
			CROSS JOIN unnest(s.details_sweep_listings) AS l (listing)
			CROSS JOIN LATERAL (
				SELECT
				FROM kb.synced_objects o
				WHERE o.integration_id = s.integration_id
					AND o.org_id = s.org_id
					AND o.listing = l.listing
					AND o.external_id > $4
					AND o.has_details
					AND o.deleted_at IS NULL
				OFFSET 0
			) o
			WHERE `+stateScope+`
				AND s.integration_id = $3`,
			t.scope.Org, t.scope.Projects, id, after,
		).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
	})
	return n, err
}
