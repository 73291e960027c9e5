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

// syncRunList names the cursors of SyncRuns.
const syncRunList = "syncRuns"

// maxFailures is how many of a run's failed items are kept by name; all of them are counted.
const maxFailures = 100

// runScope is the predicate of statements on kb.sync_runs r: $1 is the organisation, $2 the scope's projects.
const runScope = `r.org_id = $1 AND ($2::uuid[] IS NULL OR r.project_id = ANY ($2))`

const syncRunColumns = `
	r.id, r.integration_id, r.project_id, r.mode, r.trigger, r.status, r.step, r.waiting_until, r.processed, r.total,
	(
		SELECT jsonb_agg(jsonb_build_object('Type', c.type, 'Created', c.created, 'Updated', c.updated,
			'Unchanged', c.unchanged, 'Deleted', c.deleted, 'Failed', c.failed) ORDER BY c.type)
		FROM kb.sync_run_counts c
		WHERE c.run_id = r.id
			AND c.org_id = r.org_id
	),
	r.failures, r.error, r.requested_by, r.queued_at, r.started_at, r.finished_at`

func scanSyncRun(row pgx.Row) (*integration.SyncRun, error) {
	var r integration.SyncRun
	var counts, failures []byte
	err := row.Scan(scanID(&r.ID), scanID(&r.IntegrationID), scanID(&r.ProjectID), &r.Mode, &r.Trigger, &r.Status, &r.Step, &r.WaitingUntil, &r.Processed, &r.Total,
		&counts, &failures, &r.Error, &r.RequestedBy, &r.QueuedAt, &r.StartedAt, &r.FinishedAt)
	if err != nil {
		return nil, err
	}
	r.Counts = []integration.SyncCount{}
	if counts != nil {
		if err := json.Unmarshal(counts, &r.Counts); err != nil {
			return nil, fmt.Errorf("counts of the run %s: %w", r.ID, err)
		}
	}
	if err := json.Unmarshal(failures, &r.Failures); err != nil {
		return nil, fmt.Errorf("failures of the run %s: %w", r.ID, err)
	}
	if len(r.Failures) > maxFailures {
		r.Failures = r.Failures[:maxFailures]
	}
	return &r, nil
}

// NewSyncRun is what StartSyncRun queues.
type NewSyncRun struct {
	ID            uuid.UUID
	IntegrationID uuid.UUID
	Trigger       integration.SyncTrigger
	integration.StartSync
	// FullAfter makes the run a full one where everything was last read longer ago; nil does not.
	FullAfter *time.Duration
}

// StartSyncRun queues a run, inside InTx, records that, and tells of it. While one is live for the integration it is a Conflict. What an
// incremental run could not make complete becomes a full one: after a change of the selection or of the settings, and where none
// ended well before. A disabled integration, or one outside the scope, is NotFound.
func (t *Tenant) StartSyncRun(ctx context.Context, n NewSyncRun) (run *integration.SyncRun, err error) {
	var selection []string
	if n.Selection != nil {
		selection = *n.Selection
	}
	args := []any{
		t.scope.Org, t.scope.Projects, n.IntegrationID, n.ID, n.Mode, n.Trigger, n.IncludeCompleted, n.IncludeArchived, n.BatchSize, n.ConfirmDeletions,
		n.Selection != nil, selection, t.actor(), n.FullAfter,
	}
	event := audit{integration.AuditSyncStart, map[string]any{"run": n.ID, "mode": n.Mode, "trigger": n.Trigger}}
	live := false
	statement := `
			WITH asked AS (
				SELECT
					i.id, i.org_id, i.project_id,
					CASE WHEN $11 THEN $12::text[] ELSE s.selection END AS selection,
					` + settingsHash + ` AS settings_hash,
					CASE
						WHEN $11 AND $12::text[] IS DISTINCT FROM s.selection OR s.cursor ->> 'settings' ` + otherSettings + `
							OR coalesce(s.fully_read_at, '-infinity') < now() - $14::interval THEN NULL
						ELSE (s.cursor ->> 'since')::timestamptz
					END AS since
				FROM kb.integrations i
				JOIN kb.sync_states s ON s.integration_id = i.id AND s.org_id = i.org_id
				WHERE ` + inScope + `
					AND i.id = $3
					AND i.enabled
					AND NOT ` + isLive + `
			), started AS (
				INSERT INTO kb.sync_runs (
					id, integration_id, org_id, project_id, mode, trigger, include_completed, include_archived, batch_size, confirm_deletions,
					selection, since, settings_hash, requested_by)
				SELECT
					$4, id, org_id, project_id, CASE WHEN since IS NULL THEN 'FULL' ELSE $5 END, $6, $7, $8, $9, $10,
					selection, CASE WHEN $5 = 'INCREMENTAL' THEN since END, settings_hash, $13
				FROM asked
				RETURNING *
			), state AS (
				UPDATE kb.sync_states s
				SET
					sync_status = 'PENDING', sync_error = NULL, selection = r.selection,
					cursor = CASE WHEN r.selection IS DISTINCT FROM s.selection THEN NULL ELSE s.cursor END
				FROM started r
				WHERE s.integration_id = r.integration_id
					AND s.org_id = r.org_id
			), ` + t.recorded(&args, "started", "project_id", "integration_id", event) + `
			SELECT ` + syncRunColumns + `
			FROM started r`
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(briefly)
		// First, as TakeDueSync does, or the two would wait for each other. No run begins meanwhile. That one is live is looked up
		// rather than left to the unique index, which would wait for the worker that holds it, and that for the state.
		b.Queue(lockState, t.scope.Org, t.scope.Projects, n.IntegrationID)
		b.Queue(`SELECT `+isLive, t.scope.Org, t.scope.Projects, n.IntegrationID).QueryRow(func(row pgx.Row) error { return row.Scan(&live) })
		b.Queue(statement, args...).QueryRow(into(&run, scanSyncRun))
		b.Queue(notifySync, t.scope.Org, t.scope.Projects, n.ID, syncChannel)
	})
	switch {
	case err != nil || run != nil:
		return run, err
	case live:
		return nil, liveRun
	}
	return nil, noIntegration()
}

// settingsHash is of what the settings of kb.integrations i say of the objects that a run imports, and otherSettings whether a hash is of
// others. How many objects are written together changes none. The release before hashed that too, and its hashes are still met.
const (
	settingsHash  = `md5((i.public_settings - 'batch_size')::text)`
	otherSettings = `NOT IN (` + settingsHash + `, md5(i.public_settings::text))`
)

// isLive is whether a run of the integration $3 is live.
const isLive = `EXISTS (SELECT FROM kb.sync_runs r WHERE ` + runScope + ` AND r.integration_id = $3 AND r.finished_at IS NULL)`

// liveRun is what is said where only one run can be live.
var liveRun = integration.Conflict("", "a synchronisation of this integration is under way: wait for its end, or cancel it")

// noIntegration is what is said of one that the scope has not.
func noIntegration() error { return integration.NotFound("no such integration") }

// actor is whom changes are recorded under.
func (t *Tenant) actor() string {
	if t.scope.Actor == "" {
		return systemActor
	}
	return t.scope.Actor
}

// CancelSyncRun ends a live run at once, records that, and tells of it: its worker finds out before it commits anything more. It returns
// the run as it is, whether it was live or not, or nil where the scope has none.
func (t *Tenant) CancelSyncRun(ctx context.Context, id uuid.UUID) (run *integration.SyncRun, err error) {
	args := []any{t.scope.Org, t.scope.Projects, id}
	statement := `
			WITH cancelled AS (
				UPDATE kb.sync_runs r
				SET status = 'CANCELLED', finished_at = clock_timestamp(), step = NULL, waiting_until = NULL, fence = r.fence + 1
				WHERE ` + runScope + `
					AND r.id = $3
					AND r.finished_at IS NULL
				RETURNING *
			), state AS (
				UPDATE kb.sync_states s
				SET sync_status = 'CANCELLED', last_sync_at = r.finished_at
				FROM cancelled r
				WHERE s.integration_id = r.integration_id
					AND s.org_id = r.org_id
			), ` + wishAgain("cancelled") + `, ` + t.recorded(&args, "cancelled", "project_id", "integration_id", audit{integration.AuditSyncCancel, map[string]any{"run": id}}) + `
			SELECT FROM cancelled`
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(briefly)
		b.Queue(statement, args...)
		b.Queue(`DELETE FROM kb.sync_run_pages p USING kb.sync_runs r WHERE `+runScope+` AND r.id = $3 AND p.run_id = r.id AND p.org_id = r.org_id AND r.finished_at IS NOT NULL`,
			t.scope.Org, t.scope.Projects, id)
		b.Queue(`DELETE FROM kb.sync_run_missing m USING kb.sync_runs r WHERE `+runScope+` AND r.id = $3 AND m.run_id = r.id AND m.org_id = r.org_id AND r.finished_at IS NOT NULL`,
			t.scope.Org, t.scope.Projects, id)
		b.Queue(`SELECT `+syncRunColumns+` FROM kb.sync_runs r WHERE `+runScope+` AND r.id = $3`, t.scope.Org, t.scope.Projects, id).
			QueryRow(into(&run, scanSyncRun))
		b.Queue(notifySync, t.scope.Org, t.scope.Projects, id, syncChannel)
	})
	return run, err
}

// SyncRun returns a run, or nil where the scope has none.
func (t *Tenant) SyncRun(ctx context.Context, id uuid.UUID) (run *integration.SyncRun, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT `+syncRunColumns+` FROM kb.sync_runs r WHERE `+runScope+` AND r.id = $3`, t.scope.Org, t.scope.Projects, id).
			QueryRow(into(&run, scanSyncRun))
	})
	return run, err
}

// LiveSyncRuns returns the runs of these integrations that have not ended, by integration.
func (t *Tenant) LiveSyncRuns(ctx context.Context, integrations []uuid.UUID) (map[uuid.UUID]*integration.SyncRun, error) {
	live := map[uuid.UUID]*integration.SyncRun{}
	err := t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT `+syncRunColumns+`
			FROM kb.sync_runs r
			WHERE `+runScope+`
				AND r.integration_id = ANY ($3)
				AND r.finished_at IS NULL`,
			t.scope.Org, t.scope.Projects, integrations,
		).Query(func(rows pgx.Rows) error {
			runs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*integration.SyncRun, error) { return scanSyncRun(row) })
			for _, r := range runs {
				live[r.IntegrationID] = r
			}
			return err
		})
	})
	return live, err
}

// integrationExists is the condition under which lists of an integration are answered at all; $1 is the organisation, $2
// the scope's projects, $3 the integration.
const integrationExists = `EXISTS (
	SELECT FROM kb.integrations i
	WHERE ` + inScope + `
		AND i.id = $3)`

// SyncRuns lists an integration's runs, newest first. An integration outside the scope is NotFound.
func (t *Tenant) SyncRuns(ctx context.Context, id uuid.UUID, args integration.PageArgs) (integration.Page[*integration.SyncRun], error) {
	page := newPage[*integration.SyncRun](args)
	afterAt, afterID, err := decodeTimeCursor(syncRunList, args.After)
	if err != nil {
		return page.Page, err
	}
	const matches = runScope + `
				AND r.integration_id = $3`
	filter := []any{t.scope.Org, t.scope.Projects, id}
	var exists bool
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT `+integrationExists, filter...).QueryRow(func(row pgx.Row) error { return row.Scan(&exists) })
		b.Queue(`
			SELECT `+syncRunColumns+`
			FROM kb.sync_runs r
			WHERE `+matches+`
				AND ($4::timestamptz IS NULL OR (r.queued_at, r.id) < ($4, $5::uuid))
			ORDER BY r.queued_at DESC, r.id DESC
			LIMIT $6`,
			append(slices.Clone(filter), afterAt, afterID, args.First+1)...,
		).Query(func(rows pgx.Rows) error {
			return page.collect(rows, func(row pgx.CollectableRow) (*integration.SyncRun, string, error) {
				r, err := scanSyncRun(row)
				if err != nil {
					return nil, "", err
				}
				return r, encodeTimeCursor(syncRunList, r.QueuedAt, r.ID), nil
			})
		})
		if args.CountTotal {
			b.Queue(`SELECT count(*) FROM kb.sync_runs r WHERE `+matches, filter...).QueryRow(func(row pgx.Row) error { return row.Scan(&page.Total) })
		}
	})
	if err == nil && !exists {
		err = noIntegration()
	}
	return page.Page, err
}

// PruneSyncRuns removes at most so many of the scope's runs that ended before a time, save each integration's latest ones.
func (t *Tenant) PruneSyncRuns(ctx context.Context, before time.Time, keep, most int) (removed int, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			WITH removed AS (
				DELETE FROM kb.sync_runs r
				WHERE `+runScope+`
					AND r.id IN (
						SELECT id
						FROM (
							SELECT r.id, r.finished_at, row_number() OVER (PARTITION BY r.integration_id ORDER BY r.queued_at DESC, r.id DESC) AS nth
							FROM kb.sync_runs r
							WHERE `+runScope+`
						) ranked
						WHERE nth > $4
							AND finished_at < $3
						LIMIT $5)
				RETURNING r.id
			)
			SELECT count(*)
			FROM removed`,
			t.scope.Org, t.scope.Projects, before, keep, most,
		).QueryRow(func(row pgx.Row) error { return row.Scan(&removed) })
	})
	return removed, err
}

// OrganisationsWithOldSyncRuns names the organisations with runs that ended before a time.
func (db *DB) OrganisationsWithOldSyncRuns(ctx context.Context, before time.Time) ([]string, error) {
	rows, err := db.pool.Query(ctx, `SELECT org_id FROM kb.organisations_with_old_runs($1)`, before)
	if err != nil {
		return nil, translate(err)
	}
	orgs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return orgs, translate(err)
}
