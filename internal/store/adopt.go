package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// CheckInTheWay fails where Up would, because tables that Patchbay did not make have the names of ours. It changes nothing.
func (m *Migrator) CheckInTheWay(ctx context.Context) error {
	return m.withConn(ctx, func(conn *pgx.Conn) error { return checkInTheWay(ctx, conn) })
}

// CheckSetAside fails where SetEarlierAside would for what stands in the database. It changes nothing.
func (m *Migrator) CheckSetAside(ctx context.Context) error {
	return m.withConn(ctx, func(conn *pgx.Conn) error {
		_, err := tablesToSetAside(ctx, conn)
		return err
	})
}

// SetEarlierAside renames the earlier module's tables and their indexes, so that migrations find their names free. All
// or nothing, and nothing where it was done before.
func (m *Migrator) SetEarlierAside(ctx context.Context) error {
	return m.withConn(ctx, func(conn *pgx.Conn) (err error) {
		if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, migrateLock); err != nil {
			return fmt.Errorf("wait for another migration: %w", translate(err))
		}
		defer func() {
			_, unlock := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, migrateLock)
			err = errors.Join(err, unlock)
		}()
		tables, err := tablesToSetAside(ctx, conn)
		if err != nil || len(tables) == 0 {
			return err
		}
		// What the migrations will lack is told before any table moves.
		if err := prepareRoles(ctx, conn, m.setRole); err != nil {
			return err
		}
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return rename(ctx, tx, tables) })
	})
}

func (m *Migrator) withConn(ctx context.Context, fn func(*pgx.Conn) error) error {
	conn, err := m.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database as its owner: %w", withoutDSN(err))
	}
	defer conn.Release()
	return fn(conn.Conn())
}

// tablesToSetAside are those of the earlier module's tables that still have their own names.
func tablesToSetAside(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	var present []string
	var migrated, mayRename, projectsFit bool
	var login string
	err := conn.QueryRow(ctx, `
		WITH tables AS (
			SELECT relname, relkind, relowner FROM pg_class WHERE relnamespace = to_regnamespace('kb') AND relkind IN ('r', 'p', 'v', 'm', 'f')
		)
		SELECT
			quote_ident(current_user),
			coalesce((SELECT array_agg(relname::text ORDER BY relname) FROM tables), '{}'),
			EXISTS (`+migrationsTableExists+`),
			(SELECT coalesce(bool_and(pg_has_role(current_user, relowner, 'USAGE') AND relkind IN ('r', 'p')), true) FROM tables WHERE relname = ANY ($1)),
			-- What the migration of kb.projects asks for.
			to_regnamespace('kb') IS NULL OR NOT EXISTS (SELECT FROM tables WHERE relname = 'projects') OR (
				SELECT count(*) FILTER (WHERE a.attname = 'id' AND a.atttypid = 'uuid'::regtype
						AND EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indkey[0] = a.attnum
							AND x.indnkeyatts = 1 AND x.indisunique AND x.indimmediate AND x.indpred IS NULL)) = 1
					AND count(*) FILTER (WHERE a.attname = 'org_id' AND a.atttypid IN ('text'::regtype, 'varchar'::regtype)) = 1
				FROM pg_class c
				JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
				WHERE c.relnamespace = to_regnamespace('kb') AND c.relname = 'projects')`,
		[]string{earlierIntegrations, earlierSyncStates},
	).Scan(&login, &present, &migrated, &mayRename, &projectsFit)
	if err != nil {
		return nil, fmt.Errorf("look for the earlier module's tables: %w", translate(err))
	}
	if migrated { // the names are ours by now
		return nil, nil
	}
	var tables []string
	for _, name := range []string{earlierIntegrations, earlierSyncStates} {
		if !slices.Contains(present, name) {
			continue
		}
		if slices.Contains(present, name+setAside) {
			return nil, fmt.Errorf("kb.%s and kb.%s%s are both there: was the earlier module started again after its tables were renamed? "+
				"Nothing was changed: keep the rows of both in one of the two, and drop or rename the other", name, name, setAside)
		}
		tables = append(tables, name)
	}
	for _, name := range []string{"sync_states", "api_keys"} {
		if slices.Contains(present, name) {
			return nil, fmt.Errorf("kb.%s is in the way, and not the earlier module's; nothing was changed: rename it first", name)
		}
	}
	if !mayRename {
		return nil, fmt.Errorf("kb.%s cannot be renamed by the login %s, who must own them as tables; nothing was changed", strings.Join(tables, " and kb."), login)
	}
	if !projectsFit {
		return nil, errors.New("the table kb.projects needs the columns id uuid, unique, and org_id varchar or text; nothing was changed")
	}
	return tables, nil
}

// rename takes the tables away from the earlier module, with the indexes, whose names are the schema's too.
func rename(ctx context.Context, tx pgx.Tx, tables []string) error {
	if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '10s'`); err != nil {
		return translate(err)
	}
	for _, table := range tables {
		quoted := pgx.Identifier{"kb", table}.Sanitize()
		_, err := tx.Exec(ctx, `LOCK TABLE `+quoted+` IN ACCESS EXCLUSIVE MODE`)
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code == lockNotAvailable {
			return fmt.Errorf("kb.%s is in use: stop the earlier module first; nothing was changed", table)
		}
		if err != nil {
			return fmt.Errorf("lock kb.%s: %w", table, translate(err))
		}
		rows, err := tx.Query(ctx, `
			SELECT format('ALTER INDEX kb.%I RENAME TO %I', c.relname,
				CASE WHEN length(c.relname) + length($2) < 64 THEN c.relname ELSE left(c.relname, 30) || '_' || c.oid END || $2)
			FROM pg_index i
			JOIN pg_class c ON c.oid = i.indexrelid
			WHERE i.indrelid = $1::text::regclass
			ORDER BY c.relname`, quoted, setAside)
		if err != nil {
			return translate(err)
		}
		statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return translate(err)
		}
		for _, statement := range append(statements, `ALTER TABLE `+quoted+` RENAME TO `+pgx.Identifier{table + setAside}.Sanitize()) {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", statement, translate(err))
			}
		}
	}
	return nil
}

// InProject is an integration's name in its project.
type InProject struct {
	ProjectID uuid.UUID
	Name      string
}

// Present is what a database has before an adoption.
type Present struct {
	Integrations map[uuid.UUID]InProject
	KeyIDs       []string             // that sealed something, sorted
	Projects     map[uuid.UUID]string // their organisations
	MakeProjects bool                 // whether missing ones can be made
}

// projectsAccess says as whom kb.projects, which may be a host product's, is read and written.
type projectsAccess struct {
	exists        bool
	reader, maker string // roles to become; "none" is the login itself, "" means that nobody may
	named         bool   // it has a column name
}

func lookAtProjects(ctx context.Context, tx pgx.Tx) (a projectsAccess, err error) {
	err = tx.QueryRow(ctx, `
		WITH roles AS (
			SELECT oid, rolname::text AS become, 1 AS rank FROM pg_roles WHERE rolname = $1 AND pg_has_role(session_user, oid, 'MEMBER')
			UNION ALL
			SELECT oid, 'none', 2 FROM pg_roles WHERE rolname = session_user
		), projects AS (
			SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace('kb') AND relname = 'projects' AND relkind IN ('r', 'p')
		), columns AS (
			SELECT a.* FROM pg_attribute a JOIN projects p ON p.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped
		)
		SELECT
			EXISTS (SELECT FROM projects),
			coalesce((SELECT become FROM roles r, projects p WHERE has_table_privilege(r.oid, p.oid, 'SELECT') ORDER BY rank LIMIT 1), ''),
			CASE WHEN EXISTS (
				SELECT FROM columns
				WHERE attnotnull AND NOT atthasdef AND attidentity = '' AND attname NOT IN ('id', 'org_id', 'name'))
			THEN '' ELSE coalesce((SELECT become FROM roles r, projects p
				WHERE has_table_privilege(r.oid, p.oid, 'INSERT') AND has_table_privilege(r.oid, p.oid, 'SELECT') ORDER BY rank LIMIT 1), '') END,
			EXISTS (SELECT FROM columns WHERE attname = 'name')`,
		ownerRole,
	).Scan(&a.exists, &a.reader, &a.maker, &a.named)
	if err != nil {
		return a, fmt.Errorf("look at kb.projects: %w", translate(err))
	}
	if a.exists && a.reader == "" {
		return a, fmt.Errorf("the owner's login may not read kb.projects: run as its owner\n  GRANT SELECT ON kb.projects TO %s;", ownerRole)
	}
	return a, nil
}

func become(ctx context.Context, tx pgx.Tx, role string) error {
	_, err := tx.Exec(ctx, "SET LOCAL ROLE "+role)
	if err != nil {
		return fmt.Errorf("become the role %s: %w", role, translate(err))
	}
	return nil
}

// Present reads what is there, also from a database that is not migrated yet.
func (m *Migrator) Present(ctx context.Context) (*Present, error) {
	p := &Present{Integrations: map[uuid.UUID]InProject{}, Projects: map[uuid.UUID]string{}, MakeProjects: true}
	err := pgx.BeginTxFunc(ctx, m.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		access, err := lookAtProjects(ctx, tx)
		if err != nil {
			return err
		}
		var id uuid.UUID
		if access.exists {
			p.MakeProjects = access.maker != ""
			if err := become(ctx, tx, access.reader); err != nil {
				return err
			}
			rows, err := tx.Query(ctx, `SELECT id, coalesce(org_id, '') FROM kb.projects ORDER BY id`)
			if err != nil {
				return err
			}
			var org string
			if _, err := pgx.ForEachRow(rows, []any{scanID(&id), &org}, func() error { p.Projects[id] = org; return nil }); err != nil {
				return err
			}
		}
		var migrated bool
		err = tx.QueryRow(ctx, `
			SELECT EXISTS (`+migrationsTableExists+`)
				AND EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('kb') AND relname = 'integrations')`).Scan(&migrated)
		if err != nil || !migrated {
			return err
		}
		if err := become(ctx, tx, ownerRole); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT id, project_id, name, key_id FROM kb.integrations ORDER BY id`)
		if err != nil {
			return err
		}
		var at InProject
		var key *string
		_, err = pgx.ForEachRow(rows, []any{scanID(&id), scanID(&at.ProjectID), &at.Name, &key}, func() error {
			p.Integrations[id] = at
			if key != nil {
				p.KeyIDs = append(p.KeyIDs, *key)
			}
			return nil
		})
		slices.Sort(p.KeyIDs)
		p.KeyIDs = slices.Compact(p.KeyIDs)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look at what is here already: %w", translate(err))
	}
	return p, nil
}

// Adopted is an integration that is taken over, with its sync state.
type Adopted struct {
	NewIntegration       // CreatedBy is not used
	Org                  string
	CreatedBy            *string
	CreatedAt, UpdatedAt *time.Time // nil: now
	ProjectName          string     // for a project that is missing
	State                *AdoptedSyncState
}

// AdoptedSyncState is the sync state of an integration that is taken over.
type AdoptedSyncState struct {
	ID                         uuid.UUID
	LastSyncAt, LastSuccessful *time.Time
	Status                     integration.SyncStatus
	Error                      *string
	TotalSynced                int
	LastSynced                 map[string]string
	WorkspaceID, WorkspaceName *string
	Mappings                   map[string]map[string]string
	CreatedAt, UpdatedAt       *time.Time
}

// Adopt seals and inserts an integration with its sync state, and its project where that is missing, in one
// transaction. Its webhook at the third party is to be looked for. It reports false, and changes nothing, where an integration of
// that id is there. A project of another organisation is NotFound, a name that the project has already is a Conflict, and what a constraint refuses is Invalid.
func (m *Migrator) Adopt(ctx context.Context, ring *seal.Ring, a Adopted) (adopted bool, err error) {
	pass, err := derivePassphrases(ring, ring.CurrentID(), a.ID, a.Org)
	if err != nil {
		return false, err
	}
	names, values := secretPairs(a.Secrets)
	s := a.State
	if s == nil {
		s = &AdoptedSyncState{ID: uuid.Must(uuid.NewV7()), Status: integration.SyncPending}
	}
	if s.LastSynced == nil {
		s.LastSynced = map[string]string{}
	}
	if s.Mappings == nil {
		s.Mappings = map[string]map[string]string{}
	}
	adopt := func(tx pgx.Tx) error {
		if err := keepOutOfLog(ctx, tx); err != nil {
			return err
		}
		if err := ensureProject(ctx, tx, a); err != nil {
			return err
		}
		if err := become(ctx, tx, ownerRole); err != nil {
			return err
		}
		args := []any{
			a.ID, a.ProjectID, a.Org, a.Name, a.Provider, a.DisplayName, a.Description, a.Enabled, a.LogoURL, a.CreatedBy, a.CreatedAt, a.UpdatedAt,
			jsonObject(a.PublicSettings), names, values, ring.CurrentID(), pass.settings.Expose(), pass.webhookSecret.Expose(), a.WebhookSecret.Expose(),
			s.ID, s.LastSyncAt, s.LastSuccessful, s.Status, s.Error, s.TotalSynced,
			s.LastSynced, s.WorkspaceID, s.WorkspaceName, s.Mappings, s.CreatedAt, s.UpdatedAt,
		}
		operator := Tenant{scope: integration.Scope{Org: a.Org, Actor: "operator"}} // for its name alone: this runs as the owner
		event := audit{integration.AuditIntegrationAdopt, map[string]any{
			"name": a.Name, "provider": a.Provider, "settings": settingNames(a.PublicSettings, a.Secrets),
		}}
		tag, err := tx.Exec(ctx, `
			WITH adopted AS (
				INSERT INTO kb.integrations (
					id, project_id, org_id, name, provider, display_name, description, enabled, logo_url, created_by, created_at, updated_at,
					public_settings, configured_secrets, secret_changes, key_id, settings, webhook_secret)
				VALUES (
					$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, coalesce($11, now()), coalesce($12, $11, now()),
					$13, $14::text[], `+givenNow("$14")+`, $16,
					CASE WHEN $14::text[] <> '{}' THEN kb.seal(jsonb_object($14::text[], $15::text[])::text, $17) END,
					kb.seal($19, $18))
				ON CONFLICT (id) DO NOTHING
				RETURNING id, org_id, project_id
			), `+operator.recorded(&args, "adopted", "project_id", "id", event)+`, webhook AS (
				INSERT INTO kb.webhooks (integration_id, org_id, project_id, check_at)
				SELECT id, org_id, project_id, now()
				FROM adopted
			)
			INSERT INTO kb.sync_states (
				id, integration_id, org_id, project_id, last_sync_at, last_successful_sync, sync_status, sync_error, total_synced,
				last_synced, workspace_id, workspace_name, mappings, created_at, updated_at)
			SELECT $20, id, org_id, project_id, $21, $22, $23, $24, $25, $26, $27, $28, $29, coalesce($30, now()), coalesce($31, $30, now())
			FROM adopted`, args...)
		adopted = tag.RowsAffected() > 0
		if err == nil && !adopted {
			return errAdopted // and no project is made for it
		}
		return err
	}
	err = pgx.BeginFunc(ctx, m.pool, adopt)
	// Another's insert of the same row at the same moment may break the unique index that ON CONFLICT does not name first.
	if translate(err) == nameTaken {
		err = pgx.BeginFunc(ctx, m.pool, adopt)
	}
	var refused *pgconn.PgError
	switch known := translate(err); {
	case err == nil:
		return true, nil
	case errors.Is(err, errAdopted):
		return false, nil
	case errors.As(known, new(*integration.Error)):
		return false, known
	case errors.As(err, &refused) && (refused.Code[:2] == "22" || refused.Code[:2] == "23"):
		return false, integration.Invalid("", "the database refuses it (SQLSTATE %s %s)", refused.Code, refused.ConstraintName)
	default:
		return false, fmt.Errorf("adopt the integration %s: %w", a.ID, known)
	}
}

var errAdopted = errors.New("store: adopted before")

// ensureProject makes an integration's project where it is missing.
func ensureProject(ctx context.Context, tx pgx.Tx, a Adopted) error {
	access, err := lookAtProjects(ctx, tx)
	if err != nil {
		return err
	}
	if err := become(ctx, tx, access.reader); err != nil {
		return err
	}
	var org string
	read := func() error {
		return tx.QueryRow(ctx, `SELECT coalesce(org_id, '') FROM kb.projects WHERE id = $1`, a.ProjectID).Scan(&org)
	}
	if err = read(); errors.Is(err, pgx.ErrNoRows) {
		if access.maker == "" {
			return integration.NotFound("its project is missing, and projects are made by the product that this server is part of")
		}
		if err := become(ctx, tx, access.maker); err != nil {
			return err
		}
		if access.named {
			_, err = tx.Exec(ctx, `INSERT INTO kb.projects (id, org_id, name) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`, a.ProjectID, a.Org, a.ProjectName)
		} else {
			_, err = tx.Exec(ctx, `INSERT INTO kb.projects (id, org_id) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, a.ProjectID, a.Org)
		}
		if err != nil {
			return err
		}
		err = read()
	}
	if err == nil && org != a.Org {
		err = integration.NotFound("its project belongs to another organisation")
	}
	return err
}
