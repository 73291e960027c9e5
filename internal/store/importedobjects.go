package store

import (
	"time"

	"github.com/google/uuid"

	"patchbay/internal/integration"
)

// NamedObject is an object by its type and external id.
type NamedObject struct {
	Type       integration.ObjectType
	ExternalID string
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

// byIndex has the planner look up rows by their keys, until the transaction's end. A connection keeps its plan of a statement, which it
// may have made while the tables were empty, and reads a table as a whole where that has since grown; with this, LATERAL and ctid there
// is no such plan.
const byIndex = `SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)`

// storedObjects are WITH queries that store objects with their relationships for the integration in the query held. One that is the same as
// stored, or older, is left alone. $27, where it is not NULL, is when the objects began to be read: where one was written since, and its times do
// not tell which is newer, it is contended and left alone too.
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
					o.deleted_at IS NULL AND (o.content_hash = g.content_hash AND o.has_details = g.has_details
						OR coalesce(o.external_updated_at > g.external_updated_at, false)) AS same,
					$27::timestamptz IS NOT NULL AND o.id IS NOT NULL AND greatest(o.synced_at, o.deleted_at) >= $27
						AND (o.deleted_at IS NOT NULL OR o.content_hash <> g.content_hash AND NOT coalesce(o.external_updated_at <> g.external_updated_at, false)) AS contended
				FROM given g
				LEFT JOIN LATERAL (
					SELECT o.ctid AS row, o.id, o.deleted_at, o.content_hash, o.has_details, o.external_updated_at, o.synced_at
					FROM kb.synced_objects o
					WHERE o.integration_id = g.integration_id
						AND o.org_id = g.org_id
						AND o.external_id = g.external_id
					OFFSET 0
				) o ON true
			), changed AS (
				SELECT *, row_number() OVER (ORDER BY position) AS nth
				FROM known
				WHERE CASE WHEN known_id IS NULL THEN NOT only_known ELSE NOT same AND NOT contended END
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
