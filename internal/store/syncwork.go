package store

import (
	"context"
	"encoding/json"
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
	Processed        int
	Attempts         int // failures and take-overs since it last advanced
	StartedAt        time.Time
	SeenUntil        *time.Time
	Failed           int // items
	Provider         string
	Enabled          bool
	Revision         int  // of the integration
	SettingsChanged  bool // the integration's public ones, since the run was queued
	Mappings         []integration.SyncMapping
	DetailsSweptAt   *time.Time
}

// ClaimSyncRun makes a run that its job holds the fence of RUNNING, and returns what its worker needs; nil where it has ended,
// or is another job's by now.
func (t *Tenant) ClaimSyncRun(ctx context.Context, id uuid.UUID, fence int) (work *SyncWork, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			WITH claimed AS (
				UPDATE kb.sync_runs r
				SET status = 'RUNNING', started_at = coalesce(r.started_at, clock_timestamp()), heartbeat_at = clock_timestamp(), waiting_until = NULL
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
				r.selection, r.since, r.stage, r.cursor, r.processed, r.attempts, r.started_at, r.seen_until,
				(SELECT coalesce(sum(c.failed), 0) FROM kb.sync_run_counts c WHERE c.run_id = r.id AND c.org_id = r.org_id),
				i.provider, i.enabled, i.revision, r.settings_hash <> md5(i.public_settings::text), s.mappings, s.details_swept_at
			FROM claimed r
			JOIN kb.integrations i ON i.id = r.integration_id AND i.org_id = r.org_id
			JOIN kb.sync_states s ON s.integration_id = r.integration_id AND s.org_id = r.org_id`,
			t.scope.Org, t.scope.Projects, id, fence,
		).QueryRow(into(&work, func(row pgx.Row) (*SyncWork, error) {
			var w SyncWork
			var mappings []byte
			err := row.Scan(&w.ID, &w.IntegrationID, &w.ProjectID, &w.Mode, &w.IncludeCompleted, &w.IncludeArchived, &w.BatchSize, &w.ConfirmDeletions,
				&w.Selection, &w.Since, &w.Stage, &w.Cursor, &w.Processed, &w.Attempts, &w.StartedAt, &w.SeenUntil,
				&w.Failed, &w.Provider, &w.Enabled, &w.Revision, &w.SettingsChanged, &mappings, &w.DetailsSweptAt)
			if err == nil {
				w.Mappings, err = decodeMappings(mappings)
			}
			return &w, err
		}))
	})
	return work, err
}

// RestartSyncRun makes a run begin again as a full one, with the integration's present settings: what it has read so far was of
// others.
func (t *Tenant) RestartSyncRun(ctx context.Context, run uuid.UUID, fence int) error {
	args := []any{t.scope.Org, t.scope.Projects, run, fence}
	return t.send(ctx, func(b *pgx.Batch) {
		b.Queue(lockRun, args...)
		b.Queue(forgetPages, args...)
		b.Queue(forgetMissing, args...)
		b.Queue(`
			UPDATE kb.sync_runs r
			SET mode = 'FULL', since = NULL, stage = 'IMPORT', cursor = NULL, incomplete = false, seen_until = NULL, settings_hash = md5(i.public_settings::text)
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

// ImportedObject is an object as CommitSync stores it.
type ImportedObject struct {
	Type        integration.ObjectType
	ExternalID  string // unique in the integration, and in one SyncStep
	Kind        string // for SyncState.LastSynced
	Title       string
	Content     *string
	Properties  []byte // a JSON object
	URL         *string
	ParentID    *string
	UpdatedAt   *time.Time
	Completed   bool
	Archived    bool
	Listing     string
	OnlyKnown   bool // left out unless it is stored already
	HasDetails  bool // noted in kb.sync_pending when it is new or changed
	ContentHash []byte
	Relations   []ImportedRelation
}

// ImportedRelation is a relationship between external ids, one of them the object's that states it.
type ImportedRelation struct {
	Type           integration.RelationshipType
	Source, Target string
}

// SyncStep is what one transaction of a run stores.
type SyncStep struct {
	Objects   []ImportedObject
	Failures  []integration.SyncFailure
	Seen      []string // external ids to remember until the sweep
	Covered   []string // listings that were read to their end
	Done      []string // external ids whose details were read
	Found     []string // external ids that seemed to be missing and are there
	Gone      []string // external ids that are missing, as the provider says
	Stage     string
	Cursor    []byte // JSON; nil at the beginning of a stage
	Step      string // what the run does next, in words
	Processed int    // items that this step handled
	Total     *int   // items in all; nil leaves it
	Workspace *integration.ExternalAccount
	SeenUntil *time.Time // the latest change at the provider
	// Incomplete says that something listed could not be imported: the next incremental run begins no later than this one.
	Incomplete bool
}

// CommitSync stores a step of a run: objects, relationships, counts and cursor together, in one transaction and one round
// trip, and only while the job that holds this fence is the run's. Otherwise it stores nothing and returns false. Objects that are the
// same as stored are not written; of how many the details are to be read, it returns too.
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
	args := append([]any{t.scope.Org, t.scope.Projects, run, fence}, objectArgs(s.Objects, lastSynced, s.Workspace, nil)...)
	args = append(args, failedTypes, failures, orEmpty(s.Seen), orEmpty(s.Covered), orEmpty(s.Done), orEmpty(s.Found), orEmpty(s.Gone),
		s.Stage, s.Cursor, s.Step, s.Processed, s.Total, s.SeenUntil, s.Incomplete)
	err = t.send(ctx, func(b *pgx.Batch) {
		// First, so that the next statement sees what whoever held the locks before has committed. The lock on the state also
		// makes the order of change_seq the order of commits.
		b.Queue(lockRun, t.scope.Org, t.scope.Projects, run, fence)
		b.Queue(byIndex)
		b.Queue(commitSync, args...).QueryRow(scanIfAny(&held, &noted))
	})
	return held, noted, err
}

// byIndex has the planner look up rows by their keys, until the transaction's end. It keeps its plan of commitSync, which it may
// have made while the tables were empty; with LATERAL and by ctid there is no other plan, however many rows there are since.
const byIndex = `SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)`

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
					AND m.external_id = ANY ($33::text[])
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
					SELECT type, CASE WHEN known_id IS NULL THEN 'created' WHEN same THEN 'unchanged' ELSE 'updated' END AS what
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
				attempts = CASE
					WHEN r.stage <> $35 OR r.cursor IS DISTINCT FROM $36::jsonb OR $38 > 0 OR cardinality($33::text[] || $34::text[]) > 0 THEN 0
					ELSE r.attempts
				END
			FROM held h
			WHERE r.id = h.id
				AND r.org_id = h.org_id
			RETURNING true, (SELECT count(*) FROM noted)`

// storedObjects are WITH queries that store objects with their relationships for the integration in the query held. One that is the same as
// stored, or older, is left alone. $27, where it is not NULL, is when the objects began to be read: where somebody else has written one
// since, and its times do not tell which is newer, it is contended.
const storedObjects = `given AS (
				SELECT h.integration_id, h.org_id, h.project_id, g.*
				FROM held h, unnest(
					$5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::boolean[], $15::boolean[],
					$16::text[], $17::boolean[], $18::boolean[], $19::bytea[]
				) WITH ORDINALITY AS g (
					id, type, external_id, title, content, properties, external_url, external_parent_id, external_updated_at, completed, archived,
					listing, only_known, has_details, content_hash, position)
			), known AS (
				SELECT
					g.*,
					o.id AS known_id,
					o.row AS known_row,
					o.deleted_at IS NOT NULL AS was_deleted,
					o.deleted_at IS NULL AND (o.content_hash = g.content_hash OR coalesce(o.external_updated_at > g.external_updated_at, false)) AS same,
					$27::timestamptz IS NOT NULL AND o.id IS NOT NULL AND greatest(o.synced_at, o.deleted_at) >= $27
						AND (o.deleted_at IS NOT NULL OR o.content_hash <> g.content_hash AND NOT coalesce(o.external_updated_at <> g.external_updated_at, false)) AS contended
				FROM given g
				LEFT JOIN LATERAL (
					SELECT o.ctid AS row, o.id, o.deleted_at, o.content_hash, o.external_updated_at, o.synced_at
					FROM kb.synced_objects o
					WHERE o.integration_id = g.integration_id
						AND o.org_id = g.org_id
						AND o.external_id = g.external_id
					OFFSET 0
				) o ON true
			), changed AS (
				SELECT *, row_number() OVER (ORDER BY position) AS nth
				FROM known
				WHERE CASE WHEN known_id IS NULL THEN NOT only_known ELSE NOT same END
			), state AS (
				UPDATE kb.sync_states s
				SET
					change_seq = s.change_seq + c.changes,
					total_synced = s.total_synced + c.appeared,
					last_synced = s.last_synced || $24::jsonb,
					workspace_id = coalesce($25, s.workspace_id),
					workspace_name = coalesce($26, s.workspace_name)
				FROM held h, (
					SELECT count(*) AS changes, count(*) FILTER (WHERE known_id IS NULL OR was_deleted) AS appeared
					FROM changed
				) c
				WHERE s.integration_id = h.integration_id
					AND s.org_id = h.org_id
					AND (c.changes > 0 OR NOT s.last_synced @> $24::jsonb OR s.workspace_name IS DISTINCT FROM coalesce($26, s.workspace_name)
						OR s.workspace_id IS DISTINCT FROM coalesce($25, s.workspace_id))
				RETURNING s.change_seq - c.changes AS base
			), created AS (
				INSERT INTO kb.synced_objects (
					id, integration_id, org_id, project_id, type, external_id, title, content, properties, external_url, external_parent_id,
					external_updated_at, completed, archived, listing, has_details, content_hash, change_seq)
				SELECT
					c.id, c.integration_id, c.org_id, c.project_id, c.type, c.external_id, c.title, c.content, c.properties::jsonb, c.external_url, c.external_parent_id,
					c.external_updated_at, c.completed, c.archived, c.listing, c.has_details, c.content_hash, s.base + c.nth
				FROM changed c, state s
				WHERE c.known_id IS NULL
			), updated AS (
				UPDATE kb.synced_objects o
				SET
					type = c.type, title = c.title, content = c.content, properties = c.properties::jsonb, external_url = c.external_url,
					external_parent_id = c.external_parent_id, external_updated_at = c.external_updated_at, completed = c.completed,
					archived = c.archived, listing = c.listing, has_details = c.has_details, content_hash = c.content_hash,
					change_seq = s.base + c.nth, synced_at = now(), deleted_at = NULL
				FROM changed c, state s
				WHERE o.ctid = c.known_row
					AND o.org_id = c.org_id
			), said AS (
				SELECT c.integration_id, c.org_id, c.project_id, c.known_id, c.external_id, r.source_id, r.type, r.target_id
				FROM changed c
				JOIN unnest($20::text[], $21::text[], $22::text[], $23::text[]) AS r (stated_by, source_id, type, target_id) ON r.stated_by = c.external_id
			), unsaid AS (
				DELETE FROM kb.synced_relationships r
				USING held h
				WHERE r.org_id = h.org_id
					AND r.ctid = ANY (ARRAY (
						SELECT o.row
						FROM changed c
						CROSS JOIN LATERAL (
							(SELECT r.ctid AS row, r.source_id, r.type, r.target_id
							FROM kb.synced_relationships r
							WHERE r.integration_id = c.integration_id
								AND r.org_id = c.org_id
								AND r.source_id = c.external_id
								AND r.stated_by = r.source_id
							OFFSET 0)
							UNION ALL
							(SELECT r.ctid, r.source_id, r.type, r.target_id
							FROM kb.synced_relationships r
							WHERE r.integration_id = c.integration_id
								AND r.org_id = c.org_id
								AND r.stated_by = c.external_id
								AND r.stated_by <> r.source_id
							OFFSET 0)
						) o
						WHERE c.known_id IS NOT NULL
							AND NOT EXISTS (
								SELECT FROM said
								WHERE said.source_id = o.source_id AND said.type = o.type AND said.target_id = o.target_id)))
			), related AS (
				INSERT INTO kb.synced_relationships (integration_id, org_id, project_id, source_id, type, target_id, stated_by)
				SELECT integration_id, org_id, project_id, source_id, type, target_id, external_id
				FROM said
				ON CONFLICT (integration_id, source_id, type, target_id) DO NOTHING
			), noted AS (
				INSERT INTO kb.sync_pending (integration_id, org_id, project_id, type, external_id)
				SELECT integration_id, org_id, project_id, type, external_id
				FROM changed
				WHERE has_details
				ON CONFLICT (integration_id, external_id) DO NOTHING
				RETURNING external_id
			)`

// objectArgs are $5 to $27 of storedObjects.
func objectArgs(objects []ImportedObject, lastSynced map[string]string, workspace *integration.ExternalAccount, readAt *time.Time) []any {
	o, r := columnsOf(objects), relationsOf(objects)
	var workspaceID, workspaceName *string
	if workspace != nil {
		workspaceID, workspaceName = &workspace.ID, &workspace.Name
	}
	return []any{
		o.ids, o.types, o.externalIDs, o.titles, o.contents, o.properties, o.urls, o.parents, o.updated, o.completed, o.archived,
		o.listings, o.onlyKnown, o.hasDetails, o.hashes,
		r.statedBy, r.sources, r.types, r.targets,
		lastSynced, workspaceID, workspaceName, readAt,
	}
}

// objectColumns are objects as parallel arrays for unnest.
type objectColumns struct {
	ids                                              [][16]byte // pgx would take a uuid.UUID for a driver.Valuer, and send text
	types, externalIDs, titles, properties, listings []string
	contents, urls, parents                          []*string
	updated                                          []*time.Time
	completed, archived, onlyKnown, hasDetails       []bool
	hashes                                           [][]byte
}

func columnsOf(objects []ImportedObject) objectColumns {
	n := len(objects)
	c := objectColumns{
		ids: make([][16]byte, n), types: make([]string, n), externalIDs: make([]string, n), titles: make([]string, n),
		properties: make([]string, n), listings: make([]string, n), contents: make([]*string, n), urls: make([]*string, n),
		parents: make([]*string, n), updated: make([]*time.Time, n), completed: make([]bool, n), archived: make([]bool, n),
		onlyKnown: make([]bool, n), hasDetails: make([]bool, n), hashes: make([][]byte, n),
	}
	for i, o := range objects {
		c.ids[i] = uuid.Must(uuid.NewV7())
		c.types[i], c.externalIDs[i], c.titles[i], c.contents[i] = string(o.Type), o.ExternalID, o.Title, o.Content
		c.properties[i], c.urls[i], c.parents[i], c.updated[i] = string(o.Properties), o.URL, o.ParentID, o.UpdatedAt
		c.completed[i], c.archived[i], c.listings[i] = o.Completed, o.Archived, o.Listing
		c.onlyKnown[i], c.hasDetails[i], c.hashes[i] = o.OnlyKnown, o.HasDetails, o.ContentHash
	}
	return c
}

// relationColumns are relationships as parallel arrays for unnest.
type relationColumns struct {
	statedBy, sources, types, targets []string
}

func relationsOf(objects []ImportedObject) relationColumns {
	c := relationColumns{[]string{}, []string{}, []string{}, []string{}}
	for _, o := range objects {
		for _, r := range o.Relations {
			c.statedBy, c.sources = append(c.statedBy, o.ExternalID), append(c.sources, r.Source)
			c.types, c.targets = append(c.types, string(r.Type)), append(c.targets, r.Target)
		}
	}
	return c
}

// orEmpty is list, or an empty array where pgx would send NULL.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// lockRun keeps a run and its integration's state from others until the transaction ends; $3 is the run, $4 the fence.
const lockRun = `
			SELECT
			FROM kb.sync_runs r
			JOIN kb.sync_states s ON s.integration_id = r.integration_id AND s.org_id = r.org_id
			WHERE ` + runScope + `
				AND r.id = $3
				AND r.fence = $4
				AND r.finished_at IS NULL
			FOR UPDATE`

// heldRun is the run that lockRun locked, as a WITH query.
const heldRun = `held AS (
				SELECT r.id, r.integration_id, r.org_id, r.project_id
				FROM kb.sync_runs r
				WHERE ` + runScope + `
					AND r.id = $3
					AND r.fence = $4
					AND r.finished_at IS NULL
			)`

// WaitSyncRun says that a run rests until a time, and why. failed counts it as a failure; the number of these since the run
// last advanced is returned, or -1 where the run has ended or is another job's by now.
func (t *Tenant) WaitSyncRun(ctx context.Context, run uuid.UUID, fence int, until time.Time, step string, failed bool) (attempts int, err error) {
	attempts = -1
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.sync_runs r
			SET waiting_until = $5, step = $6, attempts = r.attempts + CASE WHEN $7 THEN 1 ELSE 0 END, heartbeat_at = clock_timestamp()
			WHERE `+runScope+`
				AND r.id = $3
				AND r.fence = $4
				AND r.finished_at IS NULL
			RETURNING r.attempts`,
			t.scope.Org, t.scope.Projects, run, fence, until, step, failed,
		).QueryRow(scanIfAny(&attempts))
	})
	return attempts, err
}

// NamedObject is an object by its type and external id.
type NamedObject struct {
	Type       integration.ObjectType
	ExternalID string
}

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

// NoteAllDetails asks for the details of every object that has some, of those in the listings that a run covered.
func (t *Tenant) NoteAllDetails(ctx context.Context, run uuid.UUID, fence int) error {
	return t.send(ctx, func(b *pgx.Batch) {
		b.Queue(lockRun, t.scope.Org, t.scope.Projects, run, fence)
		b.Queue(noLoops)
		b.Queue(`
			WITH `+heldRun+`
			INSERT INTO kb.sync_pending (integration_id, org_id, project_id, type, external_id)
			SELECT o.integration_id, o.org_id, o.project_id, o.type, o.external_id
			FROM held h
			JOIN kb.synced_objects o ON o.integration_id = h.integration_id AND o.org_id = h.org_id
			WHERE o.has_details
				AND o.deleted_at IS NULL
				AND o.listing IN (
					SELECT unnest(p.covered)
					FROM held h
					JOIN kb.sync_run_pages p ON p.run_id = h.id AND p.org_id = h.org_id)
			ON CONFLICT (integration_id, external_id) DO NOTHING`,
			t.scope.Org, t.scope.Projects, run, fence)
	})
}

// noLoops keeps the planner, until the transaction's end, from comparing each object with everything that a run has seen: of
// what runs leave in tables, it knows too little to see how much that is. What is LATERAL is still looked up row by row. Costs that are made up should not
// lead to compiling either.
const noLoops = `SELECT set_config('enable_nestloop', 'off', true), set_config('jit', 'off', true)`

// SweepRules say what a run may miss.
type SweepRules struct {
	Completed bool // it lists completed objects too
	Archived  bool // it lists archived objects too
	// Confirm are the types of objects that may be there although no listing had them.
	Confirm []integration.ObjectType
}

// SweepCount is what a run would find to be deleted.
type SweepCount struct {
	Covered int // objects that the run covers, with those below the missing ones
	Missing int // those of them that it did not find, or that are below one
}

// BeginSweep notes which objects a run covered without finding them, and counts them.
func (t *Tenant) BeginSweep(ctx context.Context, run uuid.UUID, fence int, rules SweepRules) (n SweepCount, err error) {
	confirm := make([]string, len(rules.Confirm))
	for i, c := range rules.Confirm {
		confirm[i] = string(c)
	}
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(lockRun, t.scope.Org, t.scope.Projects, run, fence)
		b.Queue(noLoops)
		b.Queue(`
			WITH `+heldRun+`, seen AS MATERIALIZED (
				SELECT DISTINCT unnest(p.seen) AS external_id
				FROM held h
				JOIN kb.sync_run_pages p ON p.run_id = h.id AND p.org_id = h.org_id
			), covered AS MATERIALIZED (
				SELECT DISTINCT unnest(p.covered) AS listing
				FROM held h
				JOIN kb.sync_run_pages p ON p.run_id = h.id AND p.org_id = h.org_id
			), candidates AS (
				SELECT h.id, h.org_id, h.project_id, o.type, o.external_id, s.external_id IS NULL AS missing
				FROM held h
				CROSS JOIN covered c
				JOIN kb.synced_objects o ON o.integration_id = h.integration_id AND o.org_id = h.org_id AND o.listing = c.listing
				LEFT JOIN seen s ON s.external_id = o.external_id
				WHERE o.deleted_at IS NULL
					AND ($5 OR NOT o.completed)
					AND ($6 OR NOT o.archived)
			), noted AS (
				INSERT INTO kb.sync_run_missing (run_id, org_id, project_id, type, external_id, confirmed)
				SELECT id, org_id, project_id, type, external_id, NOT type = ANY ($7::text[])
				FROM candidates
				WHERE missing
				ON CONFLICT (run_id, external_id) DO NOTHING
			)
			SELECT count(*), count(*) FILTER (WHERE missing)
			FROM candidates`,
			t.scope.Org, t.scope.Projects, run, fence, rules.Completed, rules.Archived, confirm,
		).QueryRow(func(row pgx.Row) error { return row.Scan(&n.Covered, &n.Missing) })
		b.Queue(`
			WITH RECURSIVE `+heldRun+`, `+doomed+`
			SELECT count(*) FILTER (WHERE NOT root)
			FROM doomed`,
			t.scope.Org, t.scope.Projects, run, fence, false,
		).QueryRow(func(row pgx.Row) error {
			var below int
			err := row.Scan(&below)
			n.Covered, n.Missing = n.Covered+below, n.Missing+below
			return err
		})
	})
	return n, err
}

// CountDoomed counts the missing objects that were confirmed, with those below them.
func (t *Tenant) CountDoomed(ctx context.Context, run uuid.UUID, fence int) (n int, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(noLoops)
		b.Queue(`
			WITH RECURSIVE `+heldRun+`, `+doomed+`
			SELECT count(*)
			FROM doomed`,
			t.scope.Org, t.scope.Projects, run, fence, true,
		).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
	})
	return n, err
}

// doomed are a run's missing objects, with $5 only the confirmed ones, and what is below them without having been seen.
const doomed = `seen AS MATERIALIZED (
				SELECT DISTINCT unnest(p.seen) AS external_id
				FROM held h
				JOIN kb.sync_run_pages p ON p.run_id = h.id AND p.org_id = h.org_id
				WHERE EXISTS (SELECT FROM kb.sync_run_missing m WHERE m.run_id = h.id AND m.org_id = h.org_id)
			), doomed (external_id, root) AS (
				SELECT m.external_id, true
				FROM held h
				JOIN kb.sync_run_missing m ON m.run_id = h.id AND m.org_id = h.org_id
				WHERE (m.confirmed OR NOT $5::boolean)
				UNION
				SELECT o.external_id, EXISTS (
					SELECT FROM kb.sync_run_missing m WHERE m.run_id = h.id AND m.org_id = h.org_id AND m.external_id = o.external_id)
				FROM doomed d
				CROSS JOIN held h
				CROSS JOIN LATERAL (
					SELECT o.external_id
					FROM kb.synced_objects o
					WHERE o.integration_id = h.integration_id
						AND o.org_id = h.org_id
						AND o.external_parent_id = d.external_id
						AND o.deleted_at IS NULL
					OFFSET 0
				) o
				WHERE NOT EXISTS (SELECT FROM seen s WHERE s.external_id = o.external_id)
			)`

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

// SyncEnd is how a run ends.
type SyncEnd struct {
	Status integration.SyncStatus // SUCCESS, PARTIAL, ERROR or CANCELLED
	Error  string
	// Since is where the next incremental run begins; nil leaves that as it is.
	Since *time.Time
	// FullyRead says that everything that is listed was read, and DetailsSwept that all details were read anew.
	FullyRead, DetailsSwept bool
	// Tombstone marks the missing objects that were confirmed, and what is below them, as deleted.
	Tombstone bool
}

// EndSyncRun ends a run, and returns false where it has ended, or is another job's by now.
func (t *Tenant) EndSyncRun(ctx context.Context, run uuid.UUID, fence int, end SyncEnd) (held bool, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(lockRun, t.scope.Org, t.scope.Projects, run, fence)
		if end.Tombstone {
			b.Queue(noLoops)
			b.Queue(byIndex)
			b.Queue(tombstone, t.scope.Org, t.scope.Projects, run, fence, true)
		}
		b.Queue(forgetPages, t.scope.Org, t.scope.Projects, run, fence)
		b.Queue(forgetMissing, t.scope.Org, t.scope.Projects, run, fence)
		b.Queue(`
			WITH `+heldRun+`, ended AS (
				UPDATE kb.sync_runs r
				SET status = $5, error = nullif($6, ''), finished_at = clock_timestamp(), step = NULL, waiting_until = NULL, fence = r.fence + 1
				FROM held h
				WHERE r.id = h.id
					AND r.org_id = h.org_id
				RETURNING r.integration_id, r.org_id, r.finished_at, r.incomplete, r.settings_hash
			)
			UPDATE kb.sync_states s
			SET
				sync_status = $5,
				sync_error = nullif($6, ''),
				last_sync_at = e.finished_at,
				last_successful_sync = CASE WHEN $5 = 'SUCCESS' THEN e.finished_at ELSE s.last_successful_sync END,
				consecutive_failures = CASE $5 WHEN 'ERROR' THEN s.consecutive_failures + 1 WHEN 'CANCELLED' THEN s.consecutive_failures ELSE 0 END,
				cursor = CASE WHEN $7::timestamptz IS NULL OR e.incomplete THEN s.cursor ELSE jsonb_build_object('since', $7::timestamptz, 'settings', e.settings_hash) END,
				details_swept_at = CASE WHEN $8 THEN e.finished_at ELSE s.details_swept_at END,
				fully_read_at = CASE WHEN $9 THEN e.finished_at ELSE s.fully_read_at END
			FROM ended e
			WHERE s.integration_id = e.integration_id
				AND s.org_id = e.org_id
			RETURNING true`,
			t.scope.Org, t.scope.Projects, run, fence, end.Status, end.Error, end.Since, end.DetailsSwept, end.FullyRead,
		).QueryRow(scanIfAny(&held))
	})
	return held, err
}

const tombstone = `
			WITH RECURSIVE ` + heldRun + `, ` + doomed + `, ` + tombstoned + `
			INSERT INTO kb.sync_run_counts AS n (run_id, org_id, project_id, type, deleted)
			SELECT h.id, h.org_id, h.project_id, v.type, count(*)
			FROM held h
			CROSS JOIN victims v
			GROUP BY h.id, h.org_id, h.project_id, v.type
			ON CONFLICT (run_id, type) DO UPDATE
			SET deleted = n.deleted + excluded.deleted`

// tombstoned are WITH queries that mark the objects in the query doomed as deleted, of the integration in the query held.
const tombstoned = `victims AS (
				SELECT o.row, h.org_id, h.integration_id, d.external_id, o.type, row_number() OVER (ORDER BY d.external_id) AS nth
				FROM held h
				CROSS JOIN (SELECT DISTINCT external_id FROM doomed) d
				CROSS JOIN LATERAL (
					SELECT o.ctid AS row, o.type
					FROM kb.synced_objects o
					WHERE o.integration_id = h.integration_id
						AND o.org_id = h.org_id
						AND o.external_id = d.external_id
						AND o.deleted_at IS NULL
					OFFSET 0
				) o
			), state AS (
				UPDATE kb.sync_states s
				SET change_seq = s.change_seq + v.victims, total_synced = greatest(0, s.total_synced - v.victims)
				FROM held h, (SELECT count(*) AS victims FROM victims) v
				WHERE s.integration_id = h.integration_id
					AND s.org_id = h.org_id
					AND v.victims > 0
				RETURNING s.change_seq - v.victims AS base
			), deleted AS (
				UPDATE kb.synced_objects o
				SET deleted_at = clock_timestamp(), change_seq = s.base + v.nth
				FROM victims v, state s
				WHERE o.ctid = v.row
					AND o.org_id = v.org_id
			), unnoted AS (
				DELETE FROM kb.sync_pending p
				USING victims v
				WHERE p.integration_id = v.integration_id
					AND p.org_id = v.org_id
					AND p.external_id = v.external_id
			)`

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
// held again or has ended, and how often it failed or was taken over since it last advanced.
func (t *Tenant) TakeOverSyncRun(ctx context.Context, id uuid.UUID, since time.Duration) (fence, attempts int, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.sync_runs r
			SET fence = r.fence + 1, attempts = r.attempts + 1, heartbeat_at = clock_timestamp(), waiting_until = NULL
			FROM kb.integrations i
			WHERE `+runScope+`
				AND r.id = $3
				AND r.finished_at IS NULL
				AND i.id = r.integration_id
				AND i.org_id = r.org_id
				AND CASE WHEN i.enabled THEN greatest(r.heartbeat_at, r.waiting_until) ELSE r.heartbeat_at END < clock_timestamp() - $4::interval
			RETURNING r.fence, r.attempts`,
			t.scope.Org, t.scope.Projects, id, since,
		).QueryRow(scanIfAny(&fence, &attempts))
	})
	return fence, attempts, err
}
