package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
)

// SyncQueue is the queue of runs' jobs.
const SyncQueue = "sync"

// The stages of a run, in their order.
const (
	StageImport  = "IMPORT"  // reads the listings
	StageDetails = "DETAILS" // reads what hangs on new and changed objects
	StageSweep   = "SWEEP"   // finds what is gone
)

// SyncWork is a run as its worker sees it.
type SyncWork struct {
	ID               uuid.UUID
	IntegrationID    uuid.UUID
	ProjectID        uuid.UUID
	Mode             integration.SyncMode
	IncludeCompleted *bool
	IncludeArchived  *bool
	BatchSize        *int
	ConfirmDeletions bool
	Selection        []string
	Since            *time.Time
	Stage            string
	Cursor           []byte // JSON; nil at the beginning of a stage
	Marking          bool   // what it misses is marked as deleted: see TombstoneSome
	Processed        int
	Attempts         int // failures since it last advanced
	StartedAt        time.Time
	At               time.Time // when it was claimed, by the database's clock: what is read from now on is not older
	SeenUntil        *time.Time
	Provider         string
	Enabled          bool
	Revision         int  // of the integration
	SettingsChanged  bool // the integration's public ones, since the run was queued
	Mappings         []integration.SyncMapping
	SweptTo          *string    // up to which object details are read anew; nil while they are not: see SweepDetails
	NextSyncAt       *time.Time // by the integration's schedule
}

// ClaimSyncRun makes a run that its job holds the fence of RUNNING, and returns what its worker needs; nil where it has ended,
// or is another job's by now.
func (t *Tenant) ClaimSyncRun(ctx context.Context, id uuid.UUID, fence int) (work *SyncWork, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			WITH claimed AS (
				UPDATE kb.sync_runs r
				SET status = 'RUNNING', started_at = coalesce(r.started_at, clock_timestamp()), heartbeat_at = clock_timestamp(), `+waitsNoMore+`
				WHERE `+runScope+`
					AND r.id = $3
					AND r.fence = $4
					AND r.finished_at IS NULL
				RETURNING *
			), state AS (
				UPDATE kb.sync_states s
				SET sync_status = 'RUNNING'
				FROM claimed r
				WHERE s.integration_id = r.integration_id
					AND s.org_id = r.org_id
					AND s.sync_status <> 'RUNNING'
			)
			SELECT
				r.id, r.integration_id, r.project_id, r.mode, r.include_completed, r.include_archived, r.batch_size, r.confirm_deletions,
				r.selection, r.since, r.stage, r.cursor, coalesce(r.stage = 'SWEEP' AND r.cursor ? 'marked', false),
				r.processed, r.attempts, r.started_at, r.heartbeat_at, r.seen_until,
				i.provider, i.enabled, i.revision, r.settings_hash `+otherSettings+`, s.mappings, s.details_sweep_after, s.next_sync_at
			FROM claimed r
			JOIN kb.integrations i ON i.id = r.integration_id AND i.org_id = r.org_id
			JOIN kb.sync_states s ON s.integration_id = r.integration_id AND s.org_id = r.org_id`,
			t.scope.Org, t.scope.Projects, id, fence,
		).QueryRow(into(&work, func(row pgx.Row) (*SyncWork, error) {
			var w SyncWork
			var mappings []byte
			err := row.Scan(&w.ID, &w.IntegrationID, &w.ProjectID, &w.Mode, &w.IncludeCompleted, &w.IncludeArchived, &w.BatchSize, &w.ConfirmDeletions,
				&w.Selection, &w.Since, &w.Stage, &w.Cursor, &w.Marking, &w.Processed, &w.Attempts, &w.StartedAt, &w.At, &w.SeenUntil,
				&w.Provider, &w.Enabled, &w.Revision, &w.SettingsChanged, &mappings, &w.SweptTo, &w.NextSyncAt)
			if err == nil {
				w.Mappings, err = decodeMappings(mappings)
			}
			return &w, err
		}))
	})
	return work, err
}

// waitsNoMore ends a rest of kb.sync_runs r, and the words for it.
const waitsNoMore = `waiting_until = NULL, step = CASE WHEN r.waiting_until IS NULL THEN r.step END`

// RestartSyncRun makes a run begin again as a full one, with the integration's present settings: what it has read so far was of
// others. It has created what it created.
func (t *Tenant) RestartSyncRun(ctx context.Context, run uuid.UUID, fence int) error {
	args := []any{t.scope.Org, t.scope.Projects, run, fence}
	return t.send(ctx, func(b *pgx.Batch) {
		b.Queue(lockRun, args...)
		b.Queue(forgetPages, args...)
		b.Queue(forgetMissing, args...)
		b.Queue(`
			WITH `+heldRun+`
			UPDATE kb.sync_run_counts n
			SET updated = 0, unchanged = 0, failed = 0
			FROM held h
			WHERE n.run_id = h.id
				AND n.org_id = h.org_id`, args...)
		b.Queue(`
			UPDATE kb.sync_runs r
			SET
				mode = 'FULL', since = NULL, stage = 'IMPORT', cursor = NULL, incomplete = false, seen_until = NULL, settings_hash = `+settingsHash+`,
				processed = 0, total = NULL, failures = '[]', started_at = clock_timestamp()
			FROM kb.integrations i
			WHERE `+runScope+`
				AND r.id = $3
				AND r.fence = $4
				AND r.finished_at IS NULL
				AND i.id = r.integration_id
				AND i.org_id = r.org_id`, args...)
	})
}

// forgetPages and forgetMissing remove what a run remembers of what it has seen.
const (
	forgetPages = `
			DELETE FROM kb.sync_run_pages p
			USING kb.sync_runs r
			WHERE ` + runScope + `
				AND r.id = $3
				AND r.fence = $4
				AND p.run_id = r.id
				AND p.org_id = r.org_id`
	forgetMissing = `
			DELETE FROM kb.sync_run_missing m
			USING kb.sync_runs r
			WHERE ` + runScope + `
				AND r.id = $3
				AND r.fence = $4
				AND m.run_id = r.id
				AND m.org_id = r.org_id`
)

// BeatSyncRun tells that a run's worker is alive. It returns false where the run has ended, is another job's by now, or its
// integration was disabled.
func (t *Tenant) BeatSyncRun(ctx context.Context, id uuid.UUID, fence int) (held bool, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.sync_runs r
			SET heartbeat_at = clock_timestamp()
			FROM kb.integrations i
			WHERE `+runScope+`
				AND r.id = $3
				AND r.fence = $4
				AND r.finished_at IS NULL
				AND i.id = r.integration_id
				AND i.org_id = r.org_id
				AND i.enabled
			RETURNING true`,
			t.scope.Org, t.scope.Projects, id, fence,
		).QueryRow(scanIfAny(&held))
	})
	return held, err
}

// SyncStep is what one transaction of a run stores.
type SyncStep struct {
	Objects   []ImportedObject
	ReadAt    *time.Time // when they began to be read, or before; nil if nobody else stores any
	Failures  []integration.SyncFailure
	Seen      []string // external ids to remember until the sweep
	Covered   []string // listings that were read to their end
	Done      []string // external ids whose details were read, and need not be again
	Pending   []string // external ids whose details the next run is to read
	SweptTo   *string  // external id up to which details were read anew: see SweepDetails
	SweptAll  bool     // all details were read anew
	Found     []string // external ids that seemed to be missing and are there
	Gone      []string // external ids that are missing, as the provider says
	Stage     string
	Cursor    []byte // JSON; nil at the beginning of a stage
	Step      string // what the run does next, in words
	Processed int    // items that this step handled
	Total     *int   // items in all; nil leaves it
	Workspace *integration.ExternalAccount
	SeenUntil *time.Time // the latest change at the provider
	// Incomplete says that a listing could not be read this time: see SyncEnd.Since.
	Incomplete bool
}

// CommitSync stores a step of a run: objects, relationships, counts and cursor together, in one transaction and one round
// trip, and only while the job that holds this fence is the run's. Otherwise it stores nothing and returns false. Objects that are the
// same as stored are not written, nor are those that were written since they began to be read and whose times do not tell which is newer:
// webhooks write such, and so does the run itself, where an object comes twice. Of how many the details are to be read, it returns too.
func (t *Tenant) CommitSync(ctx context.Context, run uuid.UUID, fence int, s SyncStep) (held bool, noted int, err error) {
	failures, err := json.Marshal(s.Failures[:min(len(s.Failures), maxFailures)])
	if err != nil {
		return false, 0, err
	}
	if s.Failures == nil {
		failures = []byte("[]")
	}
	failedTypes := make([]string, len(s.Failures))
	for i, f := range s.Failures {
		failedTypes[i] = string(f.Type)
	}
	lastSynced := map[string]string{}
	for _, object := range s.Objects {
		if object.Kind != "" && !object.OnlyKnown {
			lastSynced[object.Kind] = object.ExternalID
		}
	}
	args := append([]any{t.scope.Org, t.scope.Projects, run, fence}, objectArgs(s.Objects, lastSynced, s.Workspace, s.ReadAt)...)
	args = append(args, failedTypes, failures, orEmpty(s.Seen), orEmpty(s.Covered), orEmpty(s.Done), orEmpty(s.Found), orEmpty(s.Gone),
		s.Stage, s.Cursor, s.Step, s.Processed, s.Total, s.SeenUntil, s.Incomplete)
	err = t.send(ctx, func(b *pgx.Batch) {
		// First, so that the next statement sees what whoever held the locks before has committed. The lock on the state also
		// makes the order of change_seq the order of commits.
		b.Queue(lockRun, t.scope.Org, t.scope.Projects, run, fence)
		b.Queue(byIndex)
		b.Queue(commitSync, args...).QueryRow(scanIfAny(&held, &noted))
		if s.SweptTo != nil || s.SweptAll {
			b.Queue(advanceSweep, t.scope.Org, t.scope.Projects, run, fence, s.SweptTo, s.SweptAll)
		}
		if len(s.Pending) > 0 {
			b.Queue(notePending, t.scope.Org, t.scope.Projects, run, fence, s.Pending)
		}
	})
	return held, noted, err
}

const commitSync = `
			WITH ` + heldRun + `, ` + storedObjects + `, done AS (
				DELETE FROM kb.sync_pending p
				USING held h
				WHERE p.org_id = h.org_id
					AND p.ctid = ANY (ARRAY (
						SELECT o.row
						FROM held h
						CROSS JOIN unnest($32::text[]) AS g (external_id)
						CROSS JOIN LATERAL (
							SELECT p.ctid AS row
							FROM kb.sync_pending p
							WHERE p.integration_id = h.integration_id
								AND p.org_id = h.org_id
								AND p.external_id = g.external_id
							OFFSET 0
						) o))
			), found AS (
				DELETE FROM kb.sync_run_missing m
				USING held h
				WHERE m.run_id = h.id
					AND m.org_id = h.org_id
					AND m.external_id = ANY ($33::text[] || $34::text[])
					-- What somebody marked as deleted meanwhile is settled: below, it would never be confirmed.
					AND (m.external_id = ANY ($33) OR EXISTS (
						SELECT
						FROM kb.synced_objects o
						WHERE o.integration_id = h.integration_id
							AND o.org_id = h.org_id
							AND o.external_id = m.external_id
							AND o.deleted_at IS NOT NULL))
			), gone AS (
				INSERT INTO kb.sync_run_missing AS m (run_id, org_id, project_id, type, external_id, confirmed)
				SELECT h.id, h.org_id, h.project_id, o.type, o.external_id, true
				FROM held h
				CROSS JOIN (SELECT DISTINCT unnest($34::text[])) AS g (external_id)
				CROSS JOIN LATERAL (
					SELECT o.type, o.external_id
					FROM kb.synced_objects o
					WHERE o.integration_id = h.integration_id
						AND o.org_id = h.org_id
						AND o.external_id = g.external_id
						AND o.deleted_at IS NULL
					OFFSET 0
				) o
				ON CONFLICT (run_id, external_id) DO UPDATE
				SET confirmed = true
			), remembered AS (
				INSERT INTO kb.sync_run_pages (run_id, org_id, project_id, seen, covered)
				SELECT id, org_id, project_id, $30, $31
				FROM held
				WHERE ($30::text[] <> '{}' OR $31::text[] <> '{}')
			), counted AS (
				INSERT INTO kb.sync_run_counts AS n (run_id, org_id, project_id, type, created, updated, unchanged, failed)
				SELECT
					h.id, h.org_id, h.project_id, k.type,
					count(*) FILTER (WHERE k.what = 'created'), count(*) FILTER (WHERE k.what = 'updated'),
					count(*) FILTER (WHERE k.what = 'unchanged'), count(*) FILTER (WHERE k.what = 'failed')
				FROM held h, (
					SELECT type, CASE WHEN known_id IS NULL THEN 'created' WHEN same OR contended THEN 'unchanged' ELSE 'updated' END AS what
					FROM known
					WHERE known_id IS NOT NULL OR NOT only_known
					UNION ALL
					SELECT type, 'failed'
					FROM unnest($28::text[]) AS f (type)
				) k
				GROUP BY h.id, h.org_id, h.project_id, k.type
				ON CONFLICT (run_id, type) DO UPDATE
				SET created = n.created + excluded.created, updated = n.updated + excluded.updated,
					unchanged = n.unchanged + excluded.unchanged, failed = n.failed + excluded.failed
			)
			UPDATE kb.sync_runs r
			SET
				stage = $35,
				cursor = $36,
				step = nullif($37, ''),
				processed = r.processed + $38,
				total = CASE WHEN coalesce($39, r.total) IS NOT NULL THEN greatest(coalesce($39, r.total), r.processed + $38) END,
				failures = CASE WHEN jsonb_array_length(r.failures) < 100 THEN r.failures || $29::jsonb ELSE r.failures END,
				seen_until = greatest(r.seen_until, $40),
				heartbeat_at = clock_timestamp(),
				waiting_until = NULL,
				incomplete = r.incomplete OR $41,
				attempts = CASE WHEN h.advances THEN 0 ELSE r.attempts END,
				lost = CASE WHEN h.advances THEN 0 ELSE r.lost END,
				limited_since = CASE WHEN NOT h.advances THEN r.limited_since END
			FROM (
				SELECT *, stage <> $35 OR cursor IS DISTINCT FROM $36::jsonb OR $38 > 0 OR cardinality($33::text[] || $34::text[]) > 0 AS advances
				FROM held
			) h
			WHERE r.id = h.id
				AND r.org_id = h.org_id
			RETURNING true, (SELECT count(*) FROM noted)`

// lockRun keeps a run and its integration's state from others until the transaction ends; $3 is the run, $4 the fence. It does not wait for
// those who refer to the run, as rows do that lockLast stores.
const lockRun = `
			SELECT
			FROM kb.sync_runs r
			JOIN kb.sync_states s ON s.integration_id = r.integration_id AND s.org_id = r.org_id
			WHERE ` + runScope + `
				AND r.id = $3
				AND r.fence = $4
				AND r.finished_at IS NULL
			FOR NO KEY UPDATE`

// lockLast does what takes long for a run: its last statement alone locks the run, so nobody waits for the others. Nothing is stored, and held is
// false, where the run has ended by then, or is another job's; inside InTx it is for the caller to undo that.
func (t *Tenant) lockLast(ctx context.Context, run uuid.UUID, fence int, fill func(*pgx.Batch)) (held bool, err error) {
	if t.tx == nil {
		err = t.InTx(ctx, func(tx *Tenant) (err error) {
			if held, err = tx.lockLast(ctx, run, fence, fill); err == nil && !held {
				err = errNotHeld
			}
			return err
		})
		if errors.Is(err, errNotHeld) {
			err = nil
		}
		return held, err
	}
	err = t.send(ctx, func(b *pgx.Batch) {
		fill(b)
		b.Queue(`
			UPDATE kb.sync_runs r
			SET heartbeat_at = clock_timestamp()
			WHERE `+runScope+`
				AND r.id = $3
				AND r.fence = $4
				AND r.finished_at IS NULL
			RETURNING true`,
			t.scope.Org, t.scope.Projects, run, fence,
		).QueryRow(scanIfAny(&held))
	})
	return held, err
}

var errNotHeld = errors.New("store: the run has ended, or is another job's")

// heldRun is the run that lockRun locked, or lockLast will, as a WITH query.
const heldRun = `held AS (
				SELECT
					r.id, r.integration_id, r.org_id, r.project_id, r.mode, r.include_completed, r.include_archived, r.settings_hash, r.started_at,
					r.stage, r.cursor
				FROM kb.sync_runs r
				WHERE ` + runScope + `
					AND r.id = $3
					AND r.fence = $4
					AND r.finished_at IS NULL
			)`

// Rested is how a run has fared since it last advanced.
type Rested struct {
	Attempts int           // failures; -1 where the run has ended or is another job's by now
	Limited  time.Duration // since it first waited for the third party's limit
}

// WaitSyncRun says that a run rests until a time, and why: after a failure, which is counted, or for the third party's limit.
func (t *Tenant) WaitSyncRun(ctx context.Context, run uuid.UUID, fence int, until time.Time, step string, failed bool) (r Rested, err error) {
	r.Attempts = -1
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.sync_runs r
			SET
				waiting_until = $5, step = $6, heartbeat_at = clock_timestamp(),
				attempts = r.attempts + CASE WHEN $7 THEN 1 ELSE 0 END,
				limited_since = coalesce(r.limited_since, CASE WHEN NOT $7 THEN clock_timestamp() END)
			WHERE `+runScope+`
				AND r.id = $3
				AND r.fence = $4
				AND r.finished_at IS NULL
			RETURNING r.attempts, coalesce(r.heartbeat_at - r.limited_since, '0')`,
			t.scope.Org, t.scope.Projects, run, fence, until, step, failed,
		).QueryRow(scanIfAny(&r.Attempts, &r.Limited))
	})
	return r, err
}

// SyncEnd is how a run ends.
type SyncEnd struct {
	Status integration.SyncStatus // SUCCESS, PARTIAL, ERROR or CANCELLED
	Error  string
	// Since is where the next incremental run begins; nil leaves that as it is. An incremental run that was incomplete leaves it too, and
	// a full one does once: where the next full one is incomplete again, what cannot be read is not waited for any longer.
	Since *time.Time
	// FullyRead says that everything that is listed was read.
	FullyRead bool
}

// EndSyncRun ends a run and tells of it. It returns false where it has ended, or is another job's by now.
func (t *Tenant) EndSyncRun(ctx context.Context, run uuid.UUID, fence int, end SyncEnd) (held bool, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(lockRun, t.scope.Org, t.scope.Projects, run, fence)
		b.Queue(forgetPages, t.scope.Org, t.scope.Projects, run, fence)
		b.Queue(forgetMissing, t.scope.Org, t.scope.Projects, run, fence)
		b.Queue(`
			WITH `+heldRun+`, ended AS (
				UPDATE kb.sync_runs r
				SET status = $5, error = nullif($6, ''), finished_at = clock_timestamp(), step = NULL, waiting_until = NULL, fence = r.fence + 1
				FROM held h
				WHERE r.id = h.id
					AND r.org_id = h.org_id
				RETURNING r.*
			), `+wishAgain("ended")+`
			UPDATE kb.sync_states s
			SET
				sync_status = $5,
				sync_error = nullif($6, ''),
				last_sync_at = e.finished_at,
				last_successful_sync = CASE WHEN $5 = 'SUCCESS' THEN e.finished_at ELSE s.last_successful_sync END,
				consecutive_failures = CASE $5 WHEN 'ERROR' THEN s.consecutive_failures + 1 WHEN 'CANCELLED' THEN s.consecutive_failures ELSE 0 END,
				cursor = CASE
					WHEN $7::timestamptz IS NULL OR e.incomplete AND e.mode = 'INCREMENTAL' THEN s.cursor
					WHEN e.incomplete AND s.cursor ->> 'kept' IS DISTINCT FROM e.settings_hash THEN coalesce(s.cursor, '{}') || jsonb_build_object('kept', e.settings_hash)
					ELSE jsonb_build_object('since', $7::timestamptz, 'settings', e.settings_hash)
				END,
				fully_read_at = CASE WHEN $8 THEN e.finished_at ELSE s.fully_read_at END
			FROM ended e
			WHERE s.integration_id = e.integration_id
				AND s.org_id = e.org_id
			RETURNING true`,
			t.scope.Org, t.scope.Projects, run, fence, end.Status, end.Error, end.Since, end.FullyRead,
		).QueryRow(scanIfAny(&held))
		b.Queue(notifySync, t.scope.Org, t.scope.Projects, run, syncChannel)
	})
	return held, err
}

// OrphanedSyncRun is one whose worker seems to have died.
type OrphanedSyncRun struct {
	Org string
	ID  uuid.UUID
}

// OrphanedSyncRuns lists the live runs that no worker has held for so long, that wait for nothing, and that no job is queued
// for. It knows the jobs by their argument "run".
func (db *DB) OrphanedSyncRuns(ctx context.Context, since time.Duration) ([]OrphanedSyncRun, error) {
	rows, err := db.pool.Query(ctx, `SELECT org_id, id FROM kb.orphaned_runs($1)`, since)
	if err != nil {
		return nil, translate(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[OrphanedSyncRun])
	return list, translate(err)
}

// TakeOverSyncRun gives a run that no worker has held for so long to a new job: it returns the fence for it, 0 where the run is
// held again or has ended, and how often it lost its worker since it last advanced. A run whose row is locked has a worker: what
// that one does may take longer than it may be silent.
func (t *Tenant) TakeOverSyncRun(ctx context.Context, id uuid.UUID, since time.Duration) (fence, lost int, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			WITH orphan AS (
				SELECT r.id, r.org_id
				FROM kb.sync_runs r
				JOIN kb.integrations i ON i.id = r.integration_id AND i.org_id = r.org_id
				WHERE `+runScope+`
					AND r.id = $3
					AND r.finished_at IS NULL
					AND CASE WHEN i.enabled THEN greatest(r.heartbeat_at, r.waiting_until) ELSE r.heartbeat_at END < clock_timestamp() - $4::interval
				FOR UPDATE OF r SKIP LOCKED
			)
			UPDATE kb.sync_runs r
			SET fence = r.fence + 1, lost = r.lost + 1, heartbeat_at = clock_timestamp(), `+waitsNoMore+`
			FROM orphan o
			WHERE r.id = o.id
				AND r.org_id = o.org_id
			RETURNING r.fence, r.lost`,
			t.scope.Org, t.scope.Projects, id, since,
		).QueryRow(scanIfAny(&fence, &lost))
	})
	return fence, lost, err
}
