package store

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
)

// inBulk has the planner compare what a run has seen, which may be millions of rows, as a whole and in memory, and look up tables by
// their keys, until the transaction's end: it knows too little of either. What is LATERAL is still looked up row by row. Costs that are
// made up should not lead to compiling.
const inBulk = `
			SELECT
				set_config('enable_nestloop', 'off', true), set_config('enable_mergejoin', 'off', true), set_config('enable_seqscan', 'off', true),
				set_config('work_mem', '64MB', true), set_config('jit', 'off', true)`

// coveredListings are the listings that the run in the query held read to their end.
const coveredListings = `covered AS MATERIALIZED (
				SELECT DISTINCT unnest(p.covered) AS listing
				FROM held h
				JOIN kb.sync_run_pages p ON p.run_id = h.id AND p.org_id = h.org_id
			)`

// SweepRules say what a run may miss.
type SweepRules struct {
	Completed bool // it lists completed objects too
	Archived  bool // it lists archived objects too
	// Confirm are the types of objects that may be there although no listing had them.
	Confirm []integration.ObjectType
	// MostExcluded is how many of those that it lists not, and that are below missing ones, are to be asked for; more are not missed.
	MostExcluded int
}

// SweepCount is what a run would find to be deleted.
type SweepCount struct {
	Covered int // objects that the run covers, with those below the missing ones
	Missing int // those of them that it did not find, or that are below one
}

// BeginSweep notes which objects a run covered without finding them, and counts them. A full run also misses what is below an object that was
// marked as deleted before: as its listing is gone too, it would never be covered. It looks below those that were marked since a day before the
// last full run began that ended SUCCESS with the same options and settings, which has looked below the others; without such a run, below all.
// What somebody else has stored since the run began may have come after the run had read its listing, and is not missed: so nothing becomes
// missing while this looks.
func (t *Tenant) BeginSweep(ctx context.Context, run uuid.UUID, fence int, rules SweepRules) (n SweepCount, err error) {
	confirm := make([]string, len(rules.Confirm))
	for i, c := range rules.Confirm {
		confirm[i] = string(c)
	}
	held, err := t.lockLast(ctx, run, fence, func(b *pgx.Batch) {
		b.Queue(inBulk)
		b.Queue(`
			WITH `+heldRun+`, seen AS MATERIALIZED (
				SELECT DISTINCT unnest(p.seen) AS external_id
				FROM held h
				JOIN kb.sync_run_pages p ON p.run_id = h.id AND p.org_id = h.org_id
			), `+coveredListings+`, candidates AS MATERIALIZED (
				SELECT o.type, o.external_id, o.synced_at < h.started_at AS older
				FROM held h
				CROSS JOIN covered c
				CROSS JOIN LATERAL (
					SELECT o.type, o.external_id, o.synced_at
					FROM kb.synced_objects o
					WHERE o.integration_id = h.integration_id
						AND o.org_id = h.org_id
						AND o.listing = c.listing
						AND o.deleted_at IS NULL
						AND ($5 OR NOT o.completed)
						AND ($6 OR NOT o.archived)
					OFFSET 0
				) o
			), absent AS MATERIALIZED ( -- in a first import, where none is older, what was seen is not gathered
				SELECT c.type, c.external_id
				FROM candidates c
				WHERE c.older
					AND NOT EXISTS (SELECT FROM seen s WHERE s.external_id = c.external_id)
			), looked AS MATERIALIZED (
				SELECT coalesce(max(f.started_at) - interval '1 day', '-infinity') AS since
				FROM held h
				JOIN kb.sync_runs f ON f.integration_id = h.integration_id AND f.org_id = h.org_id
				WHERE f.mode = 'FULL'
					AND f.status = 'SUCCESS'
					AND f.settings_hash = h.settings_hash
					AND f.include_completed IS NOT DISTINCT FROM h.include_completed
					AND f.include_archived IS NOT DISTINCT FROM h.include_archived
			), below AS MATERIALIZED (
				SELECT o.type, o.external_id, o.excluded
				FROM held h
				CROSS JOIN looked l
				CROSS JOIN LATERAL (
					SELECT o.external_id
					FROM kb.synced_objects o
					WHERE o.integration_id = h.integration_id
						AND o.org_id = h.org_id
						AND o.deleted_at > l.since
					OFFSET 0
				) p
				CROSS JOIN LATERAL (
					SELECT o.type, o.external_id, o.completed AND NOT $5 OR o.archived AND NOT $6 AS excluded
					FROM kb.synced_objects o
					WHERE o.integration_id = h.integration_id
						AND o.org_id = h.org_id
						AND o.external_parent_id = p.external_id
						AND o.deleted_at IS NULL
						AND o.synced_at < h.started_at
					OFFSET 0
				) o
				WHERE h.mode = 'FULL'
			), left_over AS (
				SELECT b.type, b.external_id, b.excluded
				FROM below b
				WHERE NOT EXISTS (SELECT FROM seen s WHERE s.external_id = b.external_id)
			), missed AS (
				SELECT type, external_id
				FROM absent
				UNION
				SELECT type, external_id
				FROM left_over
				WHERE NOT excluded
					OR (SELECT count(*) FROM left_over WHERE excluded) <= $8
			), noted AS (
				INSERT INTO kb.sync_run_missing (run_id, org_id, project_id, type, external_id, confirmed)
				SELECT h.id, h.org_id, h.project_id, m.type, m.external_id, NOT m.type = ANY ($7::text[])
				FROM held h
				CROSS JOIN missed m
				ON CONFLICT (run_id, external_id) DO NOTHING
			)
			SELECT (SELECT count(*) FROM candidates) - (SELECT count(*) FROM absent)`,
			t.scope.Org, t.scope.Projects, run, fence, rules.Completed, rules.Archived, confirm, rules.MostExcluded,
		).QueryRow(func(row pgx.Row) error { return row.Scan(&n.Covered) })
		b.Queue(excludedBelow, t.scope.Org, t.scope.Projects, run, fence, false, rules.Completed, rules.Archived, rules.MostExcluded)
		b.Queue(`
			WITH RECURSIVE `+heldRun+`, `+doomed+`
			SELECT count(*)
			FROM doomed`,
			t.scope.Org, t.scope.Projects, run, fence, false,
		).QueryRow(func(row pgx.Row) error {
			err := row.Scan(&n.Missing)
			n.Covered += n.Missing
			return err
		})
	})
	if err != nil || !held {
		return SweepCount{}, err
	}
	return n, nil
}

// CountObjects counts an integration's objects that are not deleted.
func (t *Tenant) CountObjects(ctx context.Context, id uuid.UUID) (n int, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT count(*)
			FROM kb.synced_objects o
			WHERE `+objectScope+`
				AND o.integration_id = $3
				AND o.deleted_at IS NULL`,
			t.scope.Org, t.scope.Projects, id,
		).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
	})
	return n, err
}

// CountDoomed counts the missing objects, or only those that were confirmed, with those below them.
func (t *Tenant) CountDoomed(ctx context.Context, run uuid.UUID, fence int, confirmed bool) (n int, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(inBulk)
		b.Queue(`
			WITH RECURSIVE `+heldRun+`, `+doomed+`
			SELECT count(*)
			FROM doomed`,
			t.scope.Org, t.scope.Projects, run, fence, confirmed,
		).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
	})
	return n, err
}

// doomed are a run's missing objects, with $5 only the confirmed ones, and what is below them: without those that the run has seen, or that
// somebody has stored since it began.
const doomed = `seen AS MATERIALIZED (
				SELECT unnest(p.seen) AS external_id
				FROM held h
				JOIN kb.sync_run_pages p ON p.run_id = h.id AND p.org_id = h.org_id
				WHERE EXISTS (SELECT FROM kb.sync_run_missing m WHERE m.run_id = h.id AND m.org_id = h.org_id)
			), doomed (external_id) AS (
				SELECT m.external_id
				FROM held h
				JOIN kb.sync_run_missing m ON m.run_id = h.id AND m.org_id = h.org_id
				CROSS JOIN LATERAL (
					SELECT
					FROM kb.synced_objects o
					WHERE o.integration_id = h.integration_id
						AND o.org_id = h.org_id
						AND o.external_id = m.external_id
						AND o.synced_at < h.started_at
					OFFSET 0
				) o
				WHERE (m.confirmed OR NOT $5::boolean)
				UNION
				SELECT o.external_id
				FROM doomed d
				CROSS JOIN held h
				CROSS JOIN LATERAL (
					SELECT o.external_id
					FROM kb.synced_objects o
					WHERE o.integration_id = h.integration_id
						AND o.org_id = h.org_id
						AND o.external_parent_id = d.external_id
						AND o.deleted_at IS NULL
						AND o.synced_at < h.started_at
					OFFSET 0
				) o
				WHERE NOT EXISTS (SELECT FROM seen s WHERE s.external_id = o.external_id)
			)`

// excludedBelow notes the objects below missing ones that the run does not list: they may have been moved, which no listing would tell.
// They are to be asked for, or taken for seen where they are more than $8.
const excludedBelow = `
			WITH RECURSIVE ` + heldRun + `, ` + doomed + `, excluded AS MATERIALIZED (
				SELECT o.type, o.external_id
				FROM held h
				CROSS JOIN doomed d
				CROSS JOIN LATERAL (
					SELECT o.type, o.external_id
					FROM kb.synced_objects o
					WHERE o.integration_id = h.integration_id
						AND o.org_id = h.org_id
						AND o.external_id = d.external_id
						AND (o.completed AND NOT $6 OR o.archived AND NOT $7)
					OFFSET 0
				) o
				WHERE NOT EXISTS (SELECT FROM kb.sync_run_missing m WHERE m.run_id = h.id AND m.org_id = h.org_id AND m.external_id = o.external_id)
			), asked AS (
				INSERT INTO kb.sync_run_missing (run_id, org_id, project_id, type, external_id, confirmed)
				SELECT h.id, h.org_id, h.project_id, e.type, e.external_id, false
				FROM held h
				CROSS JOIN excluded e
				WHERE (SELECT count(*) FROM excluded) <= $8
				ON CONFLICT (run_id, external_id) DO NOTHING
			)
			INSERT INTO kb.sync_run_pages (run_id, org_id, project_id, seen, covered)
			SELECT h.id, h.org_id, h.project_id, array_agg(e.external_id), '{}'
			FROM held h
			CROSS JOIN excluded e
			GROUP BY h.id, h.org_id, h.project_id
			HAVING count(*) > $8`

// Unconfirmed lists some of a run's missing objects that the provider was not asked for yet.
func (t *Tenant) Unconfirmed(ctx context.Context, run uuid.UUID, most int) (list []NamedObject, err error) {
	const matches = `
			FROM kb.sync_run_missing m
			JOIN kb.sync_runs r ON r.id = m.run_id AND r.org_id = m.org_id
			WHERE ` + runScope + `
				AND r.id = $3
				AND NOT m.confirmed`
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT m.type, m.external_id`+matches+`
			ORDER BY m.external_id
			LIMIT $4`,
			t.scope.Org, t.scope.Projects, run, most,
		).Query(func(rows pgx.Rows) (err error) {
			list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[NamedObject])
			return err
		})
	})
	return list, err
}

// MissedListing is one that much is missing from.
type MissedListing struct {
	Listing string
	Missing int // objects that the provider was not asked for yet
}

// MissedListings lists some of the listings that more than so many objects are missing from, in their order, from one on.
func (t *Tenant) MissedListings(ctx context.Context, run uuid.UUID, from string, moreThan, most int) (list []MissedListing, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(inBulk)
		b.Queue(`
			SELECT o.listing, count(*)
			FROM kb.sync_run_missing m
			JOIN kb.sync_runs r ON r.id = m.run_id AND r.org_id = m.org_id
			CROSS JOIN LATERAL (
				SELECT o.listing
				FROM kb.synced_objects o
				WHERE o.integration_id = r.integration_id
					AND o.org_id = r.org_id
					AND o.external_id = m.external_id
				OFFSET 0
			) o
			WHERE `+runScope+`
				AND r.id = $3
				AND NOT m.confirmed
				AND o.listing >= $4
			GROUP BY o.listing
			HAVING count(*) > $5
			ORDER BY o.listing
			LIMIT $6`,
			t.scope.Org, t.scope.Projects, run, from, moreThan, most,
		).Query(func(rows pgx.Rows) (err error) {
			list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[MissedListing])
			return err
		})
	})
	return list, err
}

// NoteDoomed notes, for TombstoneSome, what is below the missing objects that were confirmed, and that the run marks them from now on.
func (t *Tenant) NoteDoomed(ctx context.Context, run uuid.UUID, fence int, step string) (held bool, err error) {
	return t.lockLast(ctx, run, fence, func(b *pgx.Batch) {
		b.Queue(inBulk)
		b.Queue(`
			WITH RECURSIVE `+heldRun+`, `+doomed+`
			INSERT INTO kb.sync_run_missing (run_id, org_id, project_id, type, external_id, confirmed)
			SELECT h.id, h.org_id, h.project_id, o.type, d.external_id, true
			FROM held h
			CROSS JOIN doomed d
			CROSS JOIN LATERAL (
				SELECT o.type
				FROM kb.synced_objects o
				WHERE o.integration_id = h.integration_id
					AND o.org_id = h.org_id
					AND o.external_id = d.external_id
				OFFSET 0
			) o
			WHERE NOT EXISTS (SELECT FROM kb.sync_run_missing m WHERE m.run_id = h.id AND m.org_id = h.org_id AND m.external_id = d.external_id)
			ON CONFLICT (run_id, external_id) DO NOTHING`,
			t.scope.Org, t.scope.Projects, run, fence, true)
		b.Queue(`
			UPDATE kb.sync_runs r
			SET cursor = '{"marked": ""}', step = $5
			WHERE `+runScope+`
				AND r.id = $3
				AND r.fence = $4
				AND r.finished_at IS NULL`,
			t.scope.Org, t.scope.Projects, run, fence, step)
	})
}

// TombstoneSome marks at most so many of the missing objects that were confirmed as deleted, in the order of their external ids, in one
// transaction and only while the job that holds this fence is the run's. Those that somebody has stored since the run began are left as they
// are. Where it came to is in the run's cursor; left says that there may be more.
func (t *Tenant) TombstoneSome(ctx context.Context, run uuid.UUID, fence, most int) (held, left bool, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(lockRun, t.scope.Org, t.scope.Projects, run, fence)
		b.Queue(byIndex)
		b.Queue(tombstoneSome, t.scope.Org, t.scope.Projects, run, fence, most).QueryRow(scanIfAny(&held, &left))
	})
	return held, left, err
}

const tombstoneSome = `
			WITH ` + heldRun + `, taken AS MATERIALIZED (
				SELECT m.row, m.external_id
				FROM held h
				CROSS JOIN LATERAL (
					SELECT m.ctid AS row, m.external_id
					FROM kb.sync_run_missing m
					WHERE m.run_id = h.id
						AND m.org_id = h.org_id
						AND m.confirmed
						AND m.external_id > coalesce(h.cursor ->> 'marked', '')
					ORDER BY m.external_id
					LIMIT $5
				) m
			), doomed AS (
				SELECT t.external_id
				FROM held h
				CROSS JOIN taken t
				CROSS JOIN LATERAL (
					SELECT
					FROM kb.synced_objects o
					WHERE o.integration_id = h.integration_id
						AND o.org_id = h.org_id
						AND o.external_id = t.external_id
						AND o.synced_at < h.started_at
					OFFSET 0
				) o
			), ` + tombstoned + `, settled AS (
				DELETE FROM kb.sync_run_missing m
				USING held h
				WHERE m.org_id = h.org_id
					AND m.ctid = ANY (ARRAY (SELECT row FROM taken))
			), counted AS (
				INSERT INTO kb.sync_run_counts AS n (run_id, org_id, project_id, type, deleted)
				SELECT h.id, h.org_id, h.project_id, v.type, count(*)
				FROM held h
				CROSS JOIN victims v
				GROUP BY h.id, h.org_id, h.project_id, v.type
				ON CONFLICT (run_id, type) DO UPDATE
				SET deleted = n.deleted + excluded.deleted
			)
			UPDATE kb.sync_runs r
			SET
				cursor = jsonb_build_object('marked', coalesce((SELECT max(external_id) FROM taken), r.cursor ->> 'marked')),
				heartbeat_at = clock_timestamp(),
				waiting_until = NULL,
				attempts = 0,
				lost = 0
			FROM held h
			WHERE r.id = h.id
				AND r.org_id = h.org_id
			RETURNING true, (SELECT count(*) FROM taken) = $5`
