package store

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
)

// SetScope is the statement that every batch and transaction of a tenant begins with.
const SetScope = setScope

// MigrationsTable is goose's.
const MigrationsTable = migrationsTable

// UpTo runs the migrations up to a version.
func (m *Migrator) UpTo(ctx context.Context, version int64) ([]Migration, error) {
	return m.upTo(ctx, version)
}

// Pool is the serving role's connections.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }
