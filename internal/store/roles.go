package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// checkInTheWay stops before anything is touched where tables of the earlier module have the names that ours will get,
// or where another product queues its jobs: River's maintenance would touch them.
func checkInTheWay(ctx context.Context, conn *pgx.Conn) error {
	var tables []string
	err := conn.QueryRow(ctx, `
		SELECT coalesce(array_agg(n.nspname || '.' || c.relname ORDER BY n.nspname, c.relname), '{}')
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'kb'
				AND c.relname IN ('integrations', 'sync_states', 'clickup_sync_state', 'api_keys')
				AND NOT EXISTS (`+migrationsTableExists+`)
			OR n.nspname = '`+riverSchema+`'
				AND c.relkind IN ('r', 'p')
				AND pg_get_userbyid(c.relowner) <> '`+ownerRole+`'`,
	).Scan(&tables)
	if err != nil {
		return fmt.Errorf("look for tables in the way: %w", translate(err))
	}
	if len(tables) > 0 {
		return fmt.Errorf("this database has tables that Patchbay did not make: %s; nothing was changed. "+
			"Where they are the earlier module's, `patchbay adopt --in-place` takes their data over; "+
			"otherwise use another database, or rename them", strings.Join(tables, ", "))
	}
	return nil
}

// A requirement is something that must hold before migrations can run as patchbay_owner, and the statement that makes
// it hold where the login may run it.
type requirement struct {
	check string // SELECT of one boolean
	fix   string
}

// prepareRoles makes the two roles and the schemas, and gives the roles the rights that migrations and requests need. What the
// login may not do itself is listed in the error, as statements for somebody who may. Roles belong to the whole
// cluster, so other databases may be making the same ones at this moment.
func prepareRoles(ctx context.Context, conn *pgx.Conn, setRole bool) error {
	var login, db string
	var version int
	var available bool
	var cryptoSchema *string
	err := conn.QueryRow(ctx, `
		SELECT
			quote_ident(current_user),
			quote_ident(current_database()),
			current_setting('server_version_num')::int / 10000,
			EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pgcrypto'),
			(SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pgcrypto')`,
	).Scan(&login, &db, &version, &available, &cryptoSchema)
	if err != nil {
		return fmt.Errorf("look at the database: %w", translate(err))
	}
	if version < 15 {
		return fmt.Errorf("the database is PostgreSQL %d, and Patchbay needs 15 or later", version)
	}
	if !available {
		return errors.New("the database server lacks the extension pgcrypto: install PostgreSQL's contrib package on it")
	}

	required := requirements(login, db, version, setRole)
	if cryptoSchema != nil && *cryptoSchema != "kb" {
		required = append(required, onSchema(*cryptoSchema, ownerRole, "USAGE"), onSchema(*cryptoSchema, serveRole, "USAGE"))
	}
	for _, r := range required {
		ok, err := holds(ctx, conn, r)
		if err != nil {
			return err
		}
		if ok {
			continue
		}
		if err := apply(ctx, conn, r.fix); err != nil {
			return err
		}
	}
	// What could not be done shows only now: one statement may have made another needless.
	var missing []string
	for _, r := range required {
		ok, err := holds(ctx, conn, r)
		if err != nil {
			return err
		}
		if !ok {
			missing = append(missing, r.fix)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the login %s may not prepare the database; nothing was migrated. "+
			"Run these statements in database %s as a superuser, then start again:\n  %s",
			login, db, strings.Join(missing, "\n  "))
	}
	return nil
}

// requirements in the order in which they can be met. login and db are quoted identifiers.
func requirements(login, db string, version int, setRole bool) []requirement {
	exists := func(role string) string {
		return fmt.Sprintf(`SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = '%s')`, role)
	}
	// On 16 and later the maker of a role may grant it to itself, and SET is a right of its own.
	right, options := "MEMBER", ""
	if version >= 16 {
		right, options = "SET", " WITH INHERIT FALSE, SET TRUE"
	}
	become := func(role string) requirement {
		return requirement{
			fmt.Sprintf(`SELECT coalesce((SELECT pg_has_role(current_user, oid, '%s') FROM pg_roles WHERE rolname = '%s'), false)`, right, role),
			fmt.Sprintf(`GRANT %s TO %s%s;`, role, login, options),
		}
	}
	// True where the role has the privilege already, or there is no table yet.
	onProjects := func(role, privilege string) string {
		return fmt.Sprintf(`
			SELECT coalesce(bool_and(has_table_privilege(r.oid, c.oid, '%s')), true)
			FROM pg_class c, pg_roles r
			WHERE c.relnamespace = to_regnamespace('kb') AND c.relname = 'projects' AND r.rolname = '%s'`, privilege, role)
	}
	list := []requirement{
		{exists(ownerRole), `CREATE ROLE ` + ownerRole + ` NOLOGIN;`},
		{exists(serveRole), `CREATE ROLE ` + serveRole + ` NOLOGIN;`},
		become(ownerRole),
	}
	if setRole {
		list = append(list, become(serveRole))
	}
	return append(list,
		requirement{
			`SELECT (to_regnamespace('kb') IS NOT NULL AND to_regnamespace('` + riverSchema + `') IS NOT NULL AND EXISTS (SELECT FROM pg_extension WHERE extname = 'pgcrypto'))
				OR coalesce((SELECT has_database_privilege(oid, current_database(), 'CREATE') FROM pg_roles WHERE rolname = '` + ownerRole + `'), false)`,
			`GRANT CREATE ON DATABASE ` + db + ` TO ` + ownerRole + `;`,
		},
		requirement{
			`SELECT to_regnamespace('kb') IS NOT NULL`,
			// The GRANT runs as the schema's owner, whose rights the login need not inherit.
			`CREATE SCHEMA kb AUTHORIZATION ` + ownerRole + ` GRANT USAGE ON SCHEMA kb TO ` + serveRole + `;`,
		},
		requirement{
			`SELECT to_regnamespace('` + riverSchema + `') IS NOT NULL`,
			`CREATE SCHEMA ` + riverSchema + ` AUTHORIZATION ` + ownerRole + ` GRANT USAGE ON SCHEMA ` + riverSchema + ` TO ` + serveRole + `;`,
		},
		onSchema(riverSchema, ownerRole, "CREATE"),
		onSchema(riverSchema, ownerRole, "USAGE"),
		onSchema(riverSchema, serveRole, "USAGE"),
		// A host product may own the schema and the table of projects.
		onSchema("kb", ownerRole, "CREATE"),
		onSchema("kb", ownerRole, "USAGE"),
		onSchema("kb", serveRole, "USAGE"),
		requirement{onProjects(ownerRole, "REFERENCES"), `GRANT REFERENCES ON kb.projects TO ` + ownerRole + `;`},
		requirement{onProjects(serveRole, "SELECT"), `GRANT SELECT ON kb.projects TO ` + serveRole + `;`},
	)
}

// onSchema requires that a role has a privilege on a schema, once there is that schema. schema is a quoted identifier.
func onSchema(schema, role, privilege string) requirement {
	return requirement{
		fmt.Sprintf(`
			SELECT coalesce(bool_and(has_schema_privilege(r.oid, n.oid, '%s')), NOT EXISTS (SELECT FROM pg_namespace WHERE quote_ident(nspname) = $q$%s$q$))
			FROM pg_namespace n, pg_roles r
			WHERE quote_ident(n.nspname) = $q$%s$q$ AND r.rolname = '%s'`, privilege, schema, schema, role),
		fmt.Sprintf(`GRANT %s ON SCHEMA %s TO %s;`, privilege, schema, role),
	}
}

func holds(ctx context.Context, conn *pgx.Conn, r requirement) (bool, error) {
	var ok bool
	if err := conn.QueryRow(ctx, r.check).Scan(&ok); err != nil {
		return false, fmt.Errorf("look at the database's roles: %w", translate(err))
	}
	return ok, nil
}

// apply runs the statement. That the login may not, that an earlier one failed, or that another database's migration was
// first, is no error here; the check that follows decides. A catalogue row that another one is changing just now is tried again.
func apply(ctx context.Context, conn *pgx.Conn, statement string) error {
	const (
		duplicateObject  = "42710"
		undefinedObject  = "42704" // a role that the login could not make
		duplicateSchema  = "42P06"
		concurrentUpdate = "XX000" // "tuple concurrently updated"
	)
	for try := 0; ; try++ {
		_, err := conn.Exec(ctx, statement)
		var pg *pgconn.PgError
		if err == nil || !errors.As(err, &pg) {
			return translate(err)
		}
		switch pg.Code {
		case duplicateObject, undefinedObject, duplicateSchema, uniqueViolation, insufficientRights:
			return nil
		case concurrentUpdate:
			if try < 20 {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(25 * time.Millisecond):
				}
				continue
			}
		}
		return fmt.Errorf("%s: %w", statement, translate(err))
	}
}
