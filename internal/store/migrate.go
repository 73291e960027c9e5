package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"patchbay/internal/seal"
	"patchbay/migrations"
)

const (
	// migrationsTable is goose's; its absence beside other tables of ours means that they are not ours.
	migrationsTable = "kb.patchbay_migrations"
	// migrationsTableExists needs no privilege on the schema, as to_regclass would.
	migrationsTableExists = `SELECT FROM pg_class WHERE relnamespace = to_regnamespace('kb') AND relname = 'patchbay_migrations'`
	// migrateLock serialises migrations of one database over all replicas; the number is ours alone.
	migrateLock = 7_041_992_310_226
)

// Migration is one step of the schema and whether the database has taken it.
type Migration struct {
	Version   int64
	Name      string
	AppliedAt *time.Time // nil while pending
}

// Migrator changes the database's schema, as its owner.
type Migrator struct {
	pool    *pgxpool.Pool
	setRole bool // whether requests will run on the same login, by SET ROLE
}

// OpenMigrator connects with an owner's connection string. ownLogin is as in Options: whether requests have a login of
// their own, so that this one need not be able to become patchbay_serve.
func OpenMigrator(ctx context.Context, url seal.Secret, ownLogin bool) (*Migrator, error) {
	cfg, err := pgxpool.ParseConfig(url.Expose())
	if err != nil {
		return nil, withoutDSN(err)
	}
	cfg.MaxConns = 2 // one holds the lock; goose has a pool of its own
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the owner's connections: %w", withoutDSN(err))
	}
	return &Migrator{pool: pool, setRole: !ownLogin}, nil
}

// Close ends the connections.
func (m *Migrator) Close() { m.pool.Close() }

// Up prepares the roles and runs every pending migration, River's too; it returns those of ours that it ran. Several replicas may call it at
// once: one works, the others wait and find nothing left. Where tables of the earlier module are in the way, or the
// login lacks a right, nothing is changed and the error says what to do.
func (m *Migrator) Up(ctx context.Context) ([]Migration, error) {
	return m.upTo(ctx, goose.MaxVersion)
}

func (m *Migrator) upTo(ctx context.Context, version int64) (ran []Migration, err error) {
	conn, err := m.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the database as its owner: %w", withoutDSN(err))
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, migrateLock); err != nil {
		return nil, fmt.Errorf("wait for another migration: %w", translate(err))
	}
	defer func() {
		_, unlock := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, migrateLock)
		err = errors.Join(err, unlock)
	}()
	if err := checkInTheWay(ctx, conn.Conn()); err != nil {
		return nil, err
	}
	if err := prepareRoles(ctx, conn.Conn(), m.setRole); err != nil {
		return nil, err
	}
	err = m.asOwner(ctx, func(p *goose.Provider, pool *pgxpool.Pool) error {
		results, err := p.UpTo(ctx, version)
		now := time.Now()
		for _, r := range results {
			ran = append(ran, Migration{Version: r.Source.Version, Name: r.Source.Path, AppliedAt: &now})
		}
		if err != nil {
			return err
		}
		return migrateRiver(ctx, pool)
	})
	if err != nil {
		return ran, fmt.Errorf("migrate: %w", translate(err))
	}
	return ran, nil
}

// Status lists every migration that this program knows, in order. It changes nothing.
func (m *Migrator) Status(ctx context.Context) ([]Migration, error) {
	var exists bool
	if err := m.pool.QueryRow(ctx, `SELECT EXISTS (`+migrationsTableExists+`)`).Scan(&exists); err != nil {
		return nil, fmt.Errorf("connect to the database as its owner: %w", translate(err))
	}
	var all []Migration
	list := func(p *goose.Provider, _ *pgxpool.Pool) error {
		for _, s := range p.ListSources() {
			all = append(all, Migration{Version: s.Version, Name: s.Path})
		}
		return nil
	}
	if exists {
		list = func(p *goose.Provider, _ *pgxpool.Pool) error {
			status, err := p.Status(ctx)
			for _, s := range status {
				step := Migration{Version: s.Source.Version, Name: s.Source.Path}
				if s.State == goose.StateApplied {
					step.AppliedAt = &s.AppliedAt
				}
				all = append(all, step)
			}
			return err
		}
	}
	if err := m.asOwner(ctx, list); err != nil {
		return nil, fmt.Errorf("migration status: %w", translate(err))
	}
	return all, nil
}

// asOwner calls fn with goose on connections of the role patchbay_owner, and with the connections.
func (m *Migrator) asOwner(ctx context.Context, fn func(*goose.Provider, *pgxpool.Pool) error) error {
	cfg := m.pool.Config()
	cfg.MaxConns = 1
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		if _, err := c.Exec(ctx, "SET ROLE "+ownerRole); err != nil {
			return cannotBecome(ownerRole, err)
		}
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return withoutDSN(err)
	}
	defer pool.Close()
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	table, err := database.NewStore(database.DialectPostgres, migrationsTable)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider("", db, migrations.FS, goose.WithStore(table), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	return fn(provider, pool)
}
