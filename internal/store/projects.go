package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"patchbay/internal/integration"
)

// projectList names the cursors of Projects.
const projectList = "projects"

// projectColumns are how the names and times of kb.projects p are read: a host product's own table may lack the columns.
type projectColumns struct {
	name, created string
}

// readProjectColumns finds out what kb.projects has.
func readProjectColumns(ctx context.Context, pool *pgxpool.Pool) (projectColumns, error) {
	columns := projectColumns{name: "p.id::text", created: "'epoch'::timestamptz"}
	var name, named, created bool
	err := pool.QueryRow(ctx, `
		SELECT
			coalesce(bool_or(attname = 'name' AND atttypid IN ('text'::regtype, 'varchar'::regtype)), false),
			coalesce(bool_or(attname = 'name' AND attnotnull), false),
			coalesce(bool_or(attname = 'created_at' AND atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype)), false)
		FROM pg_attribute
		WHERE attrelid = (SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace('kb') AND relname = 'projects')
			AND NOT attisdropped`,
	).Scan(&name, &named, &created)
	switch {
	case name && named: // as in our own table, whose index serves it
		columns.name = "p.name"
	case name:
		columns.name = "coalesce(p.name, p.id::text)"
	}
	if created {
		columns.created = "p.created_at"
	}
	return columns, err
}

// Projects lists the scope's projects, sorted by name without regard to case.
func (t *Tenant) Projects(ctx context.Context, args integration.PageArgs) (integration.Page[*integration.Project], error) {
	var afterName string // before every name
	var afterID uuid.UUID
	if args.After != nil {
		keys, err := integration.DecodeCursor("after", projectList, *args.After, 2)
		if err != nil {
			return integration.Page[*integration.Project]{}, err
		}
		id, err := uuid.Parse(keys[1])
		if err != nil {
			return integration.Page[*integration.Project]{}, integration.Invalid("after", "after is not a cursor of this list")
		}
		afterName, afterID = keys[0], id
	}
	page := newPage[*integration.Project](args)
	name, created := t.db.projects.name, t.db.projects.created
	err := t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT p.id, p.org_id, `+name+`, coalesce(`+created+`, 'epoch'), lower(`+name+`)
			FROM kb.projects p
			WHERE p.org_id = $1
				AND ($2::uuid[] IS NULL OR p.id = ANY ($2))
				AND (lower(`+name+`), p.id) > ($3, $4::uuid)
			ORDER BY lower(`+name+`), p.id
			LIMIT $5`,
			t.scope.Org, t.scope.Projects, afterName, afterID, args.First+1,
		).Query(func(rows pgx.Rows) error {
			return page.collect(rows, func(row pgx.CollectableRow) (*integration.Project, string, error) {
				var p integration.Project
				var key string
				err := row.Scan(&p.ID, &p.OrgID, &p.Name, &p.CreatedAt, &key)
				return &p, integration.EncodeCursor(projectList, key, p.ID.String()), err
			})
		})
		if args.CountTotal {
			b.Queue(`
				SELECT count(*)
				FROM kb.projects p
				WHERE p.org_id = $1
					AND ($2::uuid[] IS NULL OR p.id = ANY ($2))`,
				t.scope.Org, t.scope.Projects,
			).QueryRow(func(row pgx.Row) error { return row.Scan(&page.Total) })
		}
	})
	return page.Page, err
}

// CreateProject inserts a project. It fails with Forbidden where a host product owns the table.
func (t *Tenant) CreateProject(ctx context.Context, id uuid.UUID, name string) (*integration.Project, error) {
	p := integration.Project{ID: id, OrgID: t.scope.Org, Name: name}
	args := []any{id, t.scope.Org, name, time.Now()}
	statement := `
			WITH created AS (
				INSERT INTO kb.projects (id, org_id, name, created_at)
				VALUES ($1, $2, $3, $4)
				RETURNING id, org_id, created_at
			), ` + t.recorded(&args, "created", "id", "NULL::uuid", audit{integration.AuditProjectCreate, map[string]any{"name": name}}) + `
			SELECT created_at
			FROM created`
	err := t.send(ctx, func(b *pgx.Batch) {
		b.Queue(statement, args...).QueryRow(func(row pgx.Row) error { return row.Scan(&p.CreatedAt) })
	})
	if isRefused(err) || hasCode(err, undefinedColumn) { // a host's table may lack the name
		return nil, integration.Forbidden("projects are made by the product that this server is part of, or this key is limited to some projects")
	}
	return &p, err
}

// projectExists is the condition under which a project's integrations are looked at: $1 is the organisation, $2 the scope's
// projects, $3 the project. Without it, another organisation's would be found by their project, and only then left out, which
// takes the longer the more there are.
const projectExists = `EXISTS (
	SELECT FROM kb.projects p
	WHERE p.id = $3
		AND p.org_id = $1
		AND ($2::uuid[] IS NULL OR p.id = ANY ($2)))`

// CheckProject fails with NotFound unless the project is in the scope. What is refused for other reasons calls it first,
// so that the refusal tells nothing of a project that is not the asker's.
func (t *Tenant) CheckProject(ctx context.Context, id uuid.UUID) error {
	var exists bool
	err := t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT `+projectExists, t.scope.Org, t.scope.Projects, id).
			QueryRow(func(row pgx.Row) error { return row.Scan(&exists) })
	})
	if err == nil && !exists {
		err = noProject(id)
	}
	return err
}

func noProject(id uuid.UUID) error { return integration.NotFound("no project has the id %s", id) }
