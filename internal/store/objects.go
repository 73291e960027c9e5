package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
)

// syncedObjectList names the cursors of SyncedObjects.
const syncedObjectList = "syncedObjects"

// shownColumns are what integration.SyncedObject shows of an imported object o of the integration i, and its place in the order of change.
const shownColumns = `
				o.id, o.integration_id, o.type, o.title, o.content, o.properties, i.provider, o.external_id, o.external_url,
				o.external_parent_id, o.external_updated_at, o.synced_at, o.deleted_at, o.change_seq`

// objectSource selects imported objects o.
const objectSource = `
			SELECT` + shownColumns + `
			FROM kb.synced_objects o
			JOIN kb.integrations i ON i.id = o.integration_id AND i.org_id = o.org_id`

func scanObject(row pgx.Row) (*integration.SyncedObject, int64, error) {
	var o integration.SyncedObject
	var seq int64
	err := row.Scan(scanID(&o.ID), scanID(&o.IntegrationID), &o.Type, &o.Title, &o.Content, &o.Properties, &o.ExternalSource, &o.ExternalID, &o.ExternalURL,
		&o.ExternalParentID, &o.ExternalUpdatedAt, &o.SyncedAt, &o.DeletedAt, &seq)
	return &o, seq, err
}

// objectScope is the predicate of statements on kb.synced_objects o: $1 is the organisation, $2 the scope's projects.
const objectScope = `o.org_id = $1 AND ($2::uuid[] IS NULL OR o.project_id = ANY ($2))`

// SyncedObjects lists what was imported into an integration in the order of change: an object that changes moves to the end.
// The cursor of a page's end, given again later, leads to all that changed since, and nothing is skipped under concurrent
// writers. A page ends early where its texts come to maxTexts. An integration outside the scope is NotFound.
func (t *Tenant) SyncedObjects(ctx context.Context, id uuid.UUID, f integration.SyncedObjectFilter, args integration.PageArgs) (integration.Page[*integration.SyncedObject], error) {
	page := newPage[*integration.SyncedObject](args)
	page.size, page.most = textSize, maxTexts
	var after int64
	if args.After != nil {
		keys, err := integration.DecodeCursor("after", syncedObjectList, *args.After, 1)
		if err != nil {
			return page.Page, err
		}
		if after, err = strconv.ParseInt(keys[0], 10, 64); err != nil || after < 0 {
			return page.Page, integration.Invalid("after", "after is not a cursor of this list: give a cursor as an earlier page returned it")
		}
	}
	// Conditions are there only where they are needed.
	matches := objectScope + `
				AND o.integration_id = $3`
	filter := []any{t.scope.Org, t.scope.Projects, id}
	if f.Type != nil {
		filter = append(filter, *f.Type)
		matches += `
				AND o.type = $4`
	}
	if !f.IncludeDeleted {
		matches += `
				AND o.deleted_at IS NULL`
	}
	bySearch := f.Search != nil
	source := "kb.synced_objects o"
	if f.ExternalParentID != nil {
		// Whatever the planner guesses, what is below the parent is read first: the order of change leads past everything else.
		filter = append(filter, *f.ExternalParentID)
		source = fmt.Sprintf(`(
					SELECT o.*
					FROM kb.synced_objects o
					WHERE %s
						AND o.integration_id = $3
						AND o.external_parent_id = $%d
					OFFSET 0
				) o`, objectScope, len(filter))
		if bySearch = false; f.Search != nil {
			filter = append(filter, *f.Search)
			matches += fmt.Sprintf(`
				AND o.words @@ websearch_to_tsquery('simple', $%d)`, len(filter))
		}
	}
	// The index of change_seq has what they ask for: objects that do not match are not read.
	list := fmt.Sprintf(`
			WITH found AS MATERIALIZED (
				SELECT o.change_seq
				FROM %s
				WHERE %s
					AND o.change_seq > $%d
				ORDER BY o.change_seq
				LIMIT $%d
			)
			SELECT%s
			FROM found f
			CROSS JOIN LATERAL (
				SELECT o.*
				FROM kb.synced_objects o
				WHERE %s
					AND o.integration_id = $3
					AND o.change_seq = f.change_seq
				OFFSET 0
			) o
			JOIN kb.integrations i ON i.id = o.integration_id AND i.org_id = o.org_id
			ORDER BY o.change_seq`, source, matches, len(filter)+1, len(filter)+2, shownColumns, objectScope)
	listArgs := append(slices.Clone(filter), after, args.First+1)
	count, countArgs := `SELECT count(*) FROM `+source+` WHERE `+matches, filter
	if bySearch {
		list = `
			WITH found AS MATERIALIZED (
				SELECT id
				FROM kb.search_objects($3, websearch_to_tsquery('simple', $4), $5, $6, $7, $8)
			)` + objectSource + `
			JOIN found f ON f.id = o.id
			WHERE ` + objectScope + `
			ORDER BY o.change_seq`
		listArgs = []any{t.scope.Org, t.scope.Projects, id, *f.Search, f.Type, f.IncludeDeleted, after, args.First + 1}
		count = `SELECT count(*) FROM kb.search_objects($1, websearch_to_tsquery('simple', $2), $3, $4, 0, NULL)`
		countArgs = []any{id, *f.Search, f.Type, f.IncludeDeleted}
	}
	if bySearch {
		select {
		case t.db.searches <- struct{}{}:
			defer func() { <-t.db.searches }()
		case <-ctx.Done():
			return page.Page, ctx.Err()
		}
	}
	var exists bool
	err := t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT `+integrationExists, t.scope.Org, t.scope.Projects, id).QueryRow(func(row pgx.Row) error { return row.Scan(&exists) })
		if bySearch {
			b.Queue(`SELECT set_config('statement_timeout', $1, true)`, searchTimeout)
		}
		b.Queue(byIndex)
		b.Queue(list, listArgs...).Query(func(rows pgx.Rows) error {
			return page.collect(rows, func(row pgx.CollectableRow) (*integration.SyncedObject, string, error) {
				o, seq, err := scanObject(row)
				return o, integration.EncodeCursor(syncedObjectList, strconv.FormatInt(seq, 10)), err
			})
		})
		if args.CountTotal {
			b.Queue(count, countArgs...).QueryRow(func(row pgx.Row) error { return row.Scan(&page.Total) })
		}
	})
	switch {
	case bySearch && hasCode(err, queryCanceled) && ctx.Err() == nil:
		err = integration.Invalid("filter.search", "the search takes too long: look for rarer words, or leave totalCount out")
	case err == nil && !exists:
		err = noIntegration()
	}
	return page.Page, err
}

// SyncedObject returns the object of an integration with this id at the provider, be it deleted there or not; nil where there
// is none.
func (t *Tenant) SyncedObject(ctx context.Context, id uuid.UUID, externalID string) (object *integration.SyncedObject, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(byIndex)
		b.Queue(objectSource+`
			WHERE `+objectScope+`
				AND o.integration_id = $3
				AND o.external_id = $4`,
			t.scope.Org, t.scope.Projects, id, externalID,
		).QueryRow(into(&object, func(row pgx.Row) (*integration.SyncedObject, error) {
			o, _, err := scanObject(row)
			return o, err
		}))
	})
	return object, err
}

// searchTimeout bounds a search: words that nearly every object has are looked at one by one.
const searchTimeout = "5s"

// maxRelationships bounds how many of an object's relationships are read.
const maxRelationships = 100

// relatedTo selects the relationships of the objects that $3 and $4 name, at most $5 of each, whose targets are there.
const relatedTo = `
			SELECT g.external_id AS source_id, r.type, r.integration_id, r.target_id
			FROM unnest($3::uuid[], $4::text[]) AS g (integration_id, external_id)
			CROSS JOIN LATERAL (
				SELECT r.integration_id, r.type, r.target_id
				FROM kb.synced_relationships r
				CROSS JOIN LATERAL (
					SELECT
					FROM kb.synced_objects o
					WHERE ` + objectScope + `
						AND o.integration_id = r.integration_id
						AND o.external_id = r.target_id
						AND o.deleted_at IS NULL
					OFFSET 0
				) o
				WHERE r.integration_id = g.integration_id
					AND r.source_id = g.external_id
					AND r.org_id = $1
				ORDER BY r.type, r.target_id
				LIMIT $5
			) r`

// Relate fills in the relationships of imported objects, all of them at once, sorted by type and the target's external id, at most
// maxRelationships of each. Targets that were never imported, or are deleted at their source, are left out. It returns the targets: each
// once, however many lead to it, and with content and properties where texts are wanted. More of these than maxTexts is Invalid.
func (t *Tenant) Relate(ctx context.Context, objects []*integration.SyncedObject, texts bool) ([]*integration.SyncedObject, error) {
	if len(objects) == 0 {
		return nil, nil
	}
	type key struct {
		integration uuid.UUID
		externalID  string
	}
	sources := map[key]*integration.SyncedObject{}
	var integrations []uuid.UUID
	var ids []string
	for _, o := range objects {
		o.Relationships = []*integration.Relationship{}
		sources[key{o.IntegrationID, o.ExternalID}] = o
		integrations, ids = append(integrations, o.IntegrationID), append(ids, o.ExternalID)
	}
	args := []any{t.scope.Org, t.scope.Projects, integrations, ids, maxRelationships}
	targets := map[key]*integration.SyncedObject{}
	var all []*integration.SyncedObject
	err := t.send(ctx, func(b *pgx.Batch) {
		b.Queue(byIndex)
		b.Queue(`
			SELECT
				o.id, o.integration_id, o.type, o.title, CASE WHEN $6 THEN o.content END, CASE WHEN $6 THEN o.properties ELSE '{}' END, i.provider, o.external_id,
				o.external_url, o.external_parent_id, o.external_updated_at, o.synced_at, o.deleted_at, o.change_seq
			FROM (SELECT DISTINCT integration_id, target_id FROM (`+relatedTo+`) r) r
			CROSS JOIN LATERAL (
				SELECT o.*
				FROM kb.synced_objects o
				WHERE `+objectScope+`
					AND o.integration_id = r.integration_id
					AND o.external_id = r.target_id
				OFFSET 0
			) o
			JOIN kb.integrations i ON i.id = o.integration_id AND i.org_id = o.org_id`,
			append(args, texts)...,
		).Query(func(rows pgx.Rows) error {
			for size := 0; rows.Next(); {
				o, _, err := scanObject(rows)
				if err != nil {
					return err
				}
				if size += textSize(o); size > maxTexts {
					return integration.Invalid("first", "the contents that relationships lead to are too large for one answer: ask for fewer objects at a time, or for the targets' content by itself")
				}
				targets[key{o.IntegrationID, o.ExternalID}] = o
				all = append(all, o)
			}
			return rows.Err()
		})
		b.Queue(`SELECT r.* FROM (`+relatedTo+`) r ORDER BY r.source_id, r.type, r.target_id`, args...).Query(func(rows pgx.Rows) error {
			var source, target string
			var kind integration.RelationshipType
			var of uuid.UUID
			_, err := pgx.ForEachRow(rows, []any{&source, &kind, scanID(&of), &target}, func() error {
				if found := targets[key{of, target}]; found != nil { // or it came a moment ago
					from := sources[key{of, source}]
					from.Relationships = append(from.Relationships, &integration.Relationship{Type: kind, Target: found})
				}
				return nil
			})
			return err
		})
	})
	return all, err
}

// maxTexts bounds the texts of imported objects that are read for one list, in bytes: a document may have as many megabytes as pages.
const maxTexts = 16 << 20

// textSize is how many bytes an object's texts take, roughly.
func textSize(o *integration.SyncedObject) int {
	n := len(o.Title)
	if o.Content != nil {
		n += len(*o.Content)
	}
	return n
}
