package store

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
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
