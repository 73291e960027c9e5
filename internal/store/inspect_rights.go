package store

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"patchbay/migrations"
)

// Rights are what decides who may reach what. All lists are sorted.
type Rights struct {
	// Migrated is false while the schema has none of our tables; all else is empty then.
	Migrated bool
	Tables   []TableRights
	// Views read tenants' tables as their own owner.
	Views []View
	// Definers are the SECURITY DEFINER functions in our schema, of our owner, or with names of the migrations'.
	Definers []DefinerFunction
	// MissingDefiners are those of the migrations that the database lacks.
	MissingDefiners []string
	// Owned describes what patchbay_serve owns.
	Owned []string
	Roles []Role
	// Public are grants to everybody on what is ours.
	Public []PublicGrant
}

// TableRights is a table of tenants.
type TableRights struct {
	Name            string   // quoted, with its schema
	RowSecurity     bool     // enabled
	Forced          bool     // for the owner too
	MissingPolicies []string // of the migrations
	ExtraPolicies   []string // quoted; not of the migrations
}

// View is a view whose readers have its owner's rights.
type View struct {
	Name         string // quoted, with its schema
	Materialized bool
}

// DefinerFunction runs with its owner's rights.
type DefinerFunction struct {
	Signature string
	Known     bool // a migration made one of that name
	Owned     bool // by patchbay_owner
	Fixed     bool // search_path is fixed as the migrations do
}

// Role is patchbay_owner or patchbay_serve.
type Role struct {
	Name     string
	Excess   []string // attributes that it must not have, such as BYPASSRLS
	MemberOf []string // quoted
}

// PublicGrant is a right that everybody has.
type PublicGrant struct {
	Object     string // as in GRANT: SCHEMA kb, TABLE kb.x, FUNCTION kb.f(text)
	Privileges []string
}

// Rights reads the catalogues. It needs no privilege.
func (i *Inspection) Rights(ctx context.Context) (r Rights, err error) {
	if err := i.conn.QueryRow(ctx, `SELECT EXISTS (`+migrationsTableExists+`)`).Scan(&r.Migrated); err != nil || !r.Migrated {
		return r, translate(err)
	}
	known, err := readMigrations()
	if err != nil {
		return r, err
	}
	var policies [][]string // of each table
	var definerNames []string
	var b pgx.Batch
	b.Queue(`
		SELECT
			format('%I.%I', n.nspname, c.relname),
			c.relrowsecurity,
			c.relforcerowsecurity,
			ARRAY(SELECT quote_ident(p.polname) FROM pg_policy p WHERE p.polrelid = c.oid ORDER BY p.polname)
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'kb'
			AND c.relkind IN ('r', 'p')
			AND pg_get_userbyid(c.relowner) = $1
			AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped)
		ORDER BY 1`,
		ownerRole,
	).Query(func(rows pgx.Rows) (err error) {
		r.Tables, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t TableRights, err error) {
			var has []string
			err = row.Scan(&t.Name, &t.RowSecurity, &t.Forced, &has)
			policies = append(policies, has)
			return t, err
		})
		return err
	})
	b.Queue(`
		WITH RECURSIVE reads AS (
			SELECT c.oid
			FROM pg_class c
			WHERE c.relnamespace = to_regnamespace('kb')
				AND c.relkind IN ('r', 'p')
				AND pg_get_userbyid(c.relowner) = $1
			UNION
			SELECT w.ev_class
			FROM reads
			JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = reads.oid AND d.classid = 'pg_rewrite'::regclass
			JOIN pg_rewrite w ON w.oid = d.objid
		)
		SELECT format('%I.%I', n.nspname, c.relname), c.relkind = 'm'
		FROM reads
		JOIN pg_class c ON c.oid = reads.oid
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'm'
			OR c.relkind = 'v' AND NOT EXISTS (
				SELECT FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = 'security_invoker' AND o.option_value::boolean)
		ORDER BY 1`,
		ownerRole,
	).Query(func(rows pgx.Rows) (err error) {
		r.Views, err = pgx.CollectRows(rows, pgx.RowToStructByPos[View])
		return err
	})
	// In a schema of a host product's, its own functions are its business. In the order in which they were made: where a name is there twice, the later one is the stranger.
	b.Queue(`
		SELECT
			format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
			format('%I.%I', n.nspname, p.proname),
			pg_get_userbyid(p.proowner) = $1,
			'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}'))
		FROM pg_proc p
		JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE p.prosecdef
			AND (pg_get_userbyid(p.proowner) = $1
				OR n.nspname = 'kb' AND pg_get_userbyid(n.nspowner) = $1
				OR format('%I.%I', n.nspname, p.proname) = ANY ($2))
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
		ORDER BY p.oid`,
		ownerRole, known.definers,
	).Query(func(rows pgx.Rows) (err error) {
		r.Definers, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f DefinerFunction, err error) {
			var name string
			err = row.Scan(&f.Signature, &name, &f.Owned, &f.Fixed)
			f.Known = slices.Contains(known.definers, name) && !slices.Contains(definerNames, name)
			definerNames = append(definerNames, name)
			return f, err
		})
		return err
	})
	b.Queue(`
		SELECT pg_describe_object(d.classid, d.objid, d.objsubid)
		FROM pg_shdepend d
		JOIN pg_roles r ON r.oid = d.refobjid
		WHERE d.refclassid = 'pg_authid'::regclass
			AND d.deptype = 'o'
			AND r.rolname = $1
			AND (d.dbid = 0 OR d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))
		ORDER BY 1`,
		serveRole,
	).Query(func(rows pgx.Rows) (err error) {
		r.Owned, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	b.Queue(`
		SELECT
			r.rolname,
			array_remove(ARRAY[
				CASE WHEN r.rolsuper THEN 'SUPERUSER' END,
				CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
				CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
				CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
				CASE WHEN r.rolreplication THEN 'REPLICATION' END
			], NULL),
			ARRAY(SELECT quote_ident(g.rolname) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1)
		FROM pg_roles r
		WHERE r.rolname IN ($1, $2)
		ORDER BY r.rolname`,
		ownerRole, serveRole,
	).Query(func(rows pgx.Rows) (err error) {
		r.Roles, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Role])
		return err
	})
	// A host product may own the schema, or a table in it: then its grants are its own.
	b.Queue(`
		WITH ours AS (
			SELECT 'SCHEMA kb' AS object, n.nspacl AS acl
			FROM pg_namespace n
			WHERE n.nspname = 'kb'
				AND pg_get_userbyid(n.nspowner) = $1
			UNION ALL
			SELECT format('TABLE kb.%I', c.relname), c.relacl
			FROM pg_class c
			WHERE c.relnamespace = to_regnamespace('kb')
				AND c.relkind IN ('r', 'p', 'v', 'm')
				AND pg_get_userbyid(c.relowner) = $1
			UNION ALL
			SELECT format('TABLE kb.%I', c.relname), a.attacl
			FROM pg_class c
			JOIN pg_attribute a ON a.attrelid = c.oid
			WHERE c.relnamespace = to_regnamespace('kb')
				AND pg_get_userbyid(c.relowner) = $1
			UNION ALL
			SELECT format('FUNCTION kb.%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), coalesce(p.proacl, acldefault('f', p.proowner))
			FROM pg_proc p
			WHERE p.pronamespace = to_regnamespace('kb')
				AND pg_get_userbyid(p.proowner) = $1
				AND p.prorettype <> 'trigger'::regtype
				AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
		)
		SELECT o.object, array_agg(DISTINCT a.privilege_type ORDER BY a.privilege_type)
		FROM ours o, aclexplode(o.acl) a
		WHERE a.grantee = 0
		GROUP BY o.object
		ORDER BY o.object`,
		ownerRole,
	).Query(func(rows pgx.Rows) (err error) {
		r.Public, err = pgx.CollectRows(rows, pgx.RowToStructByPos[PublicGrant])
		return err
	})
	if err := i.conn.SendBatch(ctx, &b).Close(); err != nil {
		return r, translate(err)
	}

	for t := range r.Tables {
		want := known.policies[r.Tables[t].Name]
		for _, name := range policies[t] {
			if !slices.Contains(want, name) {
				r.Tables[t].ExtraPolicies = append(r.Tables[t].ExtraPolicies, name)
			}
		}
		for _, name := range want {
			if !slices.Contains(policies[t], name) {
				r.Tables[t].MissingPolicies = append(r.Tables[t].MissingPolicies, name)
			}
		}
	}
	for _, name := range known.definers {
		if !slices.Contains(definerNames, name) {
			r.MissingDefiners = append(r.MissingDefiners, name)
		}
	}
	return r, nil
}

// migrated is what the migrations' files, together, say that the database has.
type migrated struct {
	versions []int64
	definers []string            // names of SECURITY DEFINER functions, with their schema
	policies map[string][]string // by table, with its schema
}

// migratedObject finds what readMigrations is after. A function's head ends where its body begins.
var migratedObject = regexp.MustCompile(`(?is)` +
	`CREATE\s+(?:OR\s+REPLACE\s+)?FUNCTION\s+(?P<made>\w+\.\w+)\s*\((?P<head>.*?)\bAS\s+\$` +
	`|DROP\s+FUNCTION\s+(?:IF\s+EXISTS\s+)?(?P<dropped>\w+\.\w+)` +
	`|CREATE\s+POLICY\s+(?P<policy>\w+)\s+ON\s+(?P<table>\w+\.\w+)` +
	`|DROP\s+POLICY\s+(?:IF\s+EXISTS\s+)?(?P<gone>\w+)\s+ON\s+(?P<from>\w+\.\w+)`)

var (
	definer    = regexp.MustCompile(`(?i)\bSECURITY\s+DEFINER\b`)
	sqlComment = regexp.MustCompile(`(?m)--.*$`)
)

// readMigrations reads the files instead of a list kept beside them, which a later migration might forget.
func readMigrations() (m migrated, err error) {
	m.policies = map[string][]string{}
	files, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		return m, err
	}
	for _, name := range files {
		version, err := strconv.ParseInt(name[:5], 10, 64)
		if err != nil {
			return m, fmt.Errorf("migration %s has no number: %w", name, err)
		}
		m.versions = append(m.versions, version)
		text, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			return m, err
		}
		remove := func(list []string, name string) []string {
			return slices.DeleteFunc(list, func(n string) bool { return n == name })
		}
		for _, found := range migratedObject.FindAllStringSubmatch(sqlComment.ReplaceAllString(string(text), ""), -1) {
			group := func(name string) string { return found[migratedObject.SubexpIndex(name)] }
			switch {
			case group("made") != "":
				m.definers = remove(m.definers, group("made"))
				if definer.MatchString(group("head")) {
					m.definers = append(m.definers, group("made"))
				}
			case group("dropped") != "":
				m.definers = remove(m.definers, group("dropped"))
			case group("policy") != "":
				m.policies[group("table")] = append(m.policies[group("table")], group("policy"))
			case group("gone") != "":
				m.policies[group("from")] = remove(m.policies[group("from")], group("gone"))
			}
		}
	}
	slices.Sort(m.definers)
	return m, nil
}
