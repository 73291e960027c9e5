package store

import (
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"net"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/seal"
	"patchbay/migrations"
)

// Inspection looks at a database over one connection and changes nothing. It tells plain facts, which package doctor judges.
type Inspection struct {
	conn *pgx.Conn
}

// Inspect calls fn with a connection of requests and jobs.
func (db *DB) Inspect(ctx context.Context, fn func(*Inspection) error) error {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", withoutDSN(err))
	}
	defer conn.Release()
	return fn(&Inspection{conn.Conn()})
}

// Inspect calls fn with a connection of the owner's login, of which BecomeOwner makes patchbay_owner's.
func (m *Migrator) Inspect(ctx context.Context, fn func(*Inspection) error) error {
	pooled, err := m.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database as its owner: %w", withoutDSN(err))
	}
	conn := pooled.Hijack() // its role may change
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return fn(&Inspection{conn})
}

// Setting is one setting of the server as a session has it.
type Setting struct {
	Value  string
	Source string // as pg_settings tells it, such as "configuration file" or "database"
}

// Session is a connection as both of its ends see it.
type Session struct {
	Version    int    // such as 150018
	Release    string // such as "15.18"
	Database   string // a quoted identifier, as the next two
	Login      string
	Role       string
	Local      bool               // over a Unix socket or a loopback address
	TLS        bool               // this end encrypts
	Verified   bool               // and checks whom it talks to
	ServerTLS  bool               // the server's end is encrypted: not so behind a pooler that has its own connections
	InlineArgs bool               // parameters travel inside the statements' text
	Settings   map[string]Setting // those of loggingSettings that the server has
}

// loggingSettings decide what of a statement reaches the server's log. Those with a dot exist where a library is loaded.
var loggingSettings = []string{
	"log_statement", "log_duration", "log_min_duration_statement", "log_min_duration_sample", "log_statement_sample_rate",
	"log_transaction_sample_rate", "log_parameter_max_length", "log_parameter_max_length_on_error", "log_min_error_statement",
	"log_min_messages", "debug_print_plan",
	"auto_explain.log_min_duration", "auto_explain.log_parameter_max_length", "auto_explain.log_verbose",
	"pgaudit.log", "pgaudit.role", "pgaudit.log_parameter", "pg_stat_statements.track",
}

// Session tells about the connection itself.
func (i *Inspection) Session(ctx context.Context) (s Session, err error) {
	err = i.conn.QueryRow(ctx, `
		SELECT
			current_setting('server_version_num')::int,
			current_setting('server_version'),
			quote_ident(current_database()),
			quote_ident(session_user),
			quote_ident(current_user),
			coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)`,
	).Scan(&s.Version, &s.Release, &s.Database, &s.Login, &s.Role, &s.ServerTLS)
	if err != nil {
		return s, translate(err)
	}
	rows, err := i.conn.Query(ctx, `
		SELECT name, setting, source
		FROM pg_settings
		WHERE name = ANY ($1)`,
		loggingSettings,
	)
	if err != nil {
		return s, translate(err)
	}
	s.Settings = map[string]Setting{}
	var name string
	var setting Setting
	if _, err := pgx.ForEachRow(rows, []any{&name, &setting.Value, &setting.Source}, func() error { s.Settings[name] = setting; return nil }); err != nil {
		return s, translate(err)
	}

	cfg := i.conn.Config()
	s.InlineArgs = cfg.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol
	socket := i.conn.PgConn().Conn()
	switch address := socket.RemoteAddr().(type) {
	case *net.UnixAddr:
		s.Local = true
	case *net.TCPAddr:
		s.Local = address.IP.IsLoopback()
	}
	_, s.TLS = socket.(*tls.Conn)
	// sslmode=verify-ca checks in a function of its own; require and below check nothing.
	s.Verified = s.TLS && cfg.TLSConfig != nil && (!cfg.TLSConfig.InsecureSkipVerify || cfg.TLSConfig.VerifyPeerCertificate != nil)
	return s, nil
}

// Size is the database's, in bytes.
func (i *Inspection) Size(ctx context.Context) (bytes int64, err error) {
	err = i.conn.QueryRow(ctx, `SELECT pg_database_size(current_database())`).Scan(&bytes)
	return bytes, translate(err)
}

// Clock is the server's time.
func (i *Inspection) Clock(ctx context.Context) (now time.Time, err error) {
	err = i.conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now)
	return now, translate(err)
}

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

// BecomeOwner makes the connection patchbay_owner's, which the methods below need.
func (i *Inspection) BecomeOwner(ctx context.Context) error {
	if _, err := i.conn.Exec(ctx, "SET ROLE "+ownerRole); err != nil {
		return cannotBecome(ownerRole, err)
	}
	return nil
}

// NewerMigrations are those that the database has and this program does not know.
func (i *Inspection) NewerMigrations(ctx context.Context) ([]int64, error) {
	known, err := readMigrations()
	if err != nil {
		return nil, err
	}
	rows, err := i.conn.Query(ctx, `
		SELECT version_id
		FROM `+migrationsTable+`
		WHERE is_applied
			AND version_id > 0
			AND version_id <> ALL ($1)
		ORDER BY version_id`,
		known.versions,
	)
	if err != nil {
		return nil, translate(err)
	}
	newer, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	return newer, translate(err)
}

// SealingKeys is as DB's.
func (i *Inspection) SealingKeys(ctx context.Context) (map[string]int, error) {
	return sealingKeys(ctx, i.conn)
}

// Sealing is what became of a throwaway value.
type Sealing struct {
	PgcryptoVersion string
	Sealed          string // base64 of an OpenPGP message
	Opens           bool   // with its passphrase
	OpensForOthers  bool   // with another one
}

// TrySealing seals a throwaway value and opens it again, as it does real ones.
func (i *Inspection) TrySealing(ctx context.Context, plaintext, passphrase, other seal.Secret) (s Sealing, err error) {
	err = i.conn.QueryRow(ctx, `
		SELECT
			coalesce((SELECT extversion FROM pg_extension WHERE extname = 'pgcrypto'), ''),
			s.sealed,
			kb.opens(s.sealed, $2) AND kb.unseal(s.sealed, $2) = $1,
			kb.opens(s.sealed, $3)
		FROM (SELECT kb.seal($1, $2) AS sealed OFFSET 0) s`,
		plaintext.Expose(), passphrase.Expose(), other.Expose(),
	).Scan(&s.PgcryptoVersion, &s.Sealed, &s.Opens, &s.OpensForOthers)
	return s, translate(err)
}

// UnreadableRow is a row with a sealed value that does not open.
type UnreadableRow struct {
	Table   string
	ID      uuid.UUID
	Columns []string
}

// Opened counts the rows that were tried, and lists the first that do not open.
type Opened struct {
	Rows       int // whose key the ring has; others are not tried
	Unreadable int
	First      []UnreadableRow
}

// rowsPerTry bounds a batch of OpenAll; opening a value takes well below a millisecond.
const rowsPerTry = 500

// OpenAll tries every sealed value of all tenants, and keeps the first few rows that do not open. Plaintexts stay in the
// database; passphrases travel to it, so a server that logs parameters should not be asked.
func (i *Inspection) OpenAll(ctx context.Context, ring *seal.Ring, keep int) (o Opened, err error) {
	for after := uuid.Nil; ; {
		// One snapshot for both statements: a row may be sealed anew at any time.
		var last uuid.UUID
		err := pgx.BeginTxFunc(ctx, i.conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			last, err = openSome(ctx, tx, ring, after, keep, &o)
			return err
		})
		if err != nil {
			return o, translate(err)
		}
		if last == uuid.Nil {
			return o, nil
		}
		after = last
	}
}

// openSome tries the next rows by id, and returns the last one's id, or none where there are no more.
func openSome(ctx context.Context, tx pgx.Tx, ring *seal.Ring, after uuid.UUID, keep int, o *Opened) (last uuid.UUID, err error) {
	rows, err := tx.Query(ctx, `
		SELECT i.id, i.org_id, i.key_id
		FROM kb.integrations i
		WHERE i.id > $1
			AND i.key_id IS NOT NULL
		ORDER BY i.id
		LIMIT $2`,
		after, rowsPerTry,
	)
	if err != nil {
		return last, err
	}
	var ids []uuid.UUID
	var settings, webhooks []string
	var id uuid.UUID
	var org, keyID string
	_, err = pgx.ForEachRow(rows, []any{&id, &org, &keyID}, func() error {
		last = id
		if !ring.Has(keyID) {
			return nil
		}
		pass, err := derivePassphrases(ring, keyID, id, org)
		ids = append(ids, id)
		settings = append(settings, pass.settings.Expose())
		webhooks = append(webhooks, pass.webhookSecret.Expose())
		return err
	})
	if err != nil {
		return last, err
	}
	rows, err = tx.Query(ctx, `
		SELECT id, columns
		FROM (
			SELECT
				i.id AS id,
				array_remove(ARRAY[
					CASE WHEN NOT kb.opens(i.settings, p.settings) THEN '`+settingsColumn+`' END,
					CASE WHEN NOT kb.opens(i.webhook_secret, p.webhook_secret) THEN '`+webhookSecretColumn+`' END
				], NULL) AS columns
			FROM unnest($1::uuid[], $2::text[], $3::text[]) p (id, settings, webhook_secret)
			JOIN kb.integrations i ON i.id = p.id
			OFFSET 0
		) tried
		WHERE columns <> '{}'
		ORDER BY id`,
		ids, settings, webhooks,
	)
	if err != nil {
		return last, err
	}
	row := UnreadableRow{Table: integrationsTable}
	o.Rows += len(ids)
	_, err = pgx.ForEachRow(rows, []any{&row.ID, &row.Columns}, func() error {
		o.Unreadable++
		if len(o.First) < keep {
			o.First = append(o.First, UnreadableRow{row.Table, row.ID, slices.Clone(row.Columns)})
		}
		return nil
	})
	return last, err
}
