// Package store is PostgreSQL: every SQL statement of Patchbay, its migrations and roles, and the translation of the
// driver's errors. What belongs to a tenant is reached through a Tenant only, whose scope every statement names and
// PostgreSQL's row-level security enforces once more.
package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// The two roles of the database. Requests and jobs run as serveRole, which owns nothing and bypasses nothing.
const (
	ownerRole = "patchbay_owner"
	serveRole = "patchbay_serve"
)

// defaultMaxConns is the pool's size unless the connection string says pool_max_conns: on two cores, 64 connections
// gave 58 to 85 % of the rate of 16.
const defaultMaxConns = 8

// Options say how Open connects.
type Options struct {
	// URL is the connection string of requests and jobs.
	URL seal.Secret
	// OwnLogin is true where URL's login is a member of patchbay_serve and nothing more, as in the hardened set-up.
	// Otherwise each connection gives up its login's privileges by SET ROLE patchbay_serve.
	OwnLogin bool
	// Catalogue describes the providers that rows name.
	Catalogue *integration.Catalogue
	// Tracer sees every statement; nil outside tests.
	Tracer pgx.QueryTracer
}

// DB is the pool that requests and jobs use. It can look up the little that must be known before a tenant is; all else
// goes through Tenant.
type DB struct {
	pool      *pgxpool.Pool
	catalogue *integration.Catalogue
	projects  projectColumns
	inserter  *river.Client[pgx.Tx]
	searches  chan struct{} // a place for each search that runs: half of the pool, so that they keep nobody else waiting
}

// CheckURL reports whether a connection string can be read; an empty one can. The error does not repeat it.
func CheckURL(url seal.Secret) error {
	if url.IsZero() {
		return nil
	}
	_, err := pgxpool.ParseConfig(url.Expose())
	return withoutDSN(err)
}

// Open connects as the serving role. It fails where the role could step over row-level security.
func Open(ctx context.Context, o Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(o.URL.Expose())
	if err != nil {
		return nil, withoutDSN(err)
	}
	if !strings.Contains(o.URL.Expose(), "pool_max_conns") {
		cfg.MaxConns = defaultMaxConns
	}
	cfg.ConnConfig.Tracer = o.Tracer
	if _, ok := cfg.ConnConfig.RuntimeParams["application_name"]; !ok {
		cfg.ConnConfig.RuntimeParams["application_name"] = "patchbay"
	}
	if !o.OwnLogin {
		cfg.AfterConnect = giveUpLogin
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the connection pool: %w", withoutDSN(err))
	}
	db := &DB{pool: pool, catalogue: o.Catalogue, searches: make(chan struct{}, max(1, cfg.MaxConns/2))}
	if err = db.checkRole(ctx); err == nil {
		db.inserter, err = newInserter(pool)
	}
	if err != nil {
		pool.Close()
		return nil, err
	}
	if db.projects, err = readProjectColumns(ctx, pool); err != nil {
		pool.Close()
		return nil, fmt.Errorf("look at the table of projects: %w", translate(err))
	}
	return db, nil
}

// checkRole refuses to serve as a role that row-level security does not bind.
func (db *DB) checkRole(ctx context.Context) error {
	var role string
	var unbound, owner, member bool
	err := db.pool.QueryRow(ctx, `
		SELECT
			current_user,
			r.rolsuper OR r.rolbypassrls,
			coalesce(pg_has_role(current_user, (SELECT oid FROM pg_roles WHERE rolname = $1), 'MEMBER'), false),
			coalesce(pg_has_role(current_user, (SELECT oid FROM pg_roles WHERE rolname = $2), 'USAGE'), false)
		FROM pg_roles r
		WHERE r.rolname = current_user`,
		ownerRole, serveRole,
	).Scan(&role, &unbound, &owner, &member)
	switch {
	case err != nil:
		return fmt.Errorf("connect to the database: %w", withoutDSN(err))
	case unbound || owner:
		return fmt.Errorf("DATABASE_URL's role %q is not bound by row-level security: with PATCHBAY_MIGRATE_DATABASE_URL set, "+
			"DATABASE_URL needs a login that is no superuser, has no BYPASSRLS and is no member of %s", role, ownerRole)
	case !member:
		return fmt.Errorf("DATABASE_URL's role %q is no member of %s: run as the owner\n  GRANT %s TO %s;",
			role, serveRole, serveRole, pgx.Identifier{role}.Sanitize())
	}
	return nil
}

// Close ends every connection, after those in use are given back.
func (db *DB) Close() { db.pool.Close() }

// Ping reports whether the database answers; for readiness.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.pool.Ping(ctx); err != nil {
		return fmt.Errorf("ping the database: %w", withoutDSN(err))
	}
	return nil
}

// SealingKeys counts the sealed rows of all tenants by the id of the key that sealed them. Start-up compares it with
// the keys that the server has.
func (db *DB) SealingKeys(ctx context.Context) (map[string]int, error) {
	return sealingKeys(ctx, db.pool)
}

// sealingKeys asks over a pool or one connection.
func sealingKeys(ctx context.Context, q interface {
	Query(context.Context, string, ...any) (pgx.Rows, error)
}) (map[string]int, error) {
	rows, err := q.Query(ctx, `SELECT key_id, sealed_rows FROM kb.sealing_keys()`)
	if err != nil {
		return nil, translate(err)
	}
	keys := map[string]int{}
	var id string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&id, &n}, func() error { keys[id] = n; return nil })
	return keys, translate(err)
}
