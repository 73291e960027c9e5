package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// APIAccount is the SHA-256 of who has a budget. The table names nobody, so it needs no tenant.
type APIAccount [32]byte

// AddAPIUsage adds points that were used at this server to what was used at all of them, and returns the sums of these
// accounts. Sums drain by so many points a second. The database's clock is the only one that counts.
func (db *DB) AddAPIUsage(ctx context.Context, used map[APIAccount]float64, drain float64) (map[APIAccount]float64, error) {
	accounts, points := make([][]byte, 0, len(used)), make([]float64, 0, len(used))
	for account, n := range used {
		accounts, points = append(accounts, account[:]), append(points, n)
	}
	// In order, so that two servers do not wait for each other's rows.
	rows, err := db.pool.Query(ctx, `
		INSERT INTO kb.api_usage AS u (account, points, at)
		SELECT account, points, clock_timestamp()
		FROM unnest($1::bytea[], $2::float8[]) AS used (account, points)
		ORDER BY account
		ON CONFLICT (account) DO UPDATE
		SET points = greatest(u.points - $3 * greatest(extract(epoch FROM clock_timestamp() - u.at)::float8, 0), 0) + EXCLUDED.points,
			at = clock_timestamp()
		RETURNING account, points`,
		accounts, points, drain)
	if err != nil {
		return nil, translate(err)
	}
	sums := make(map[APIAccount]float64, len(used))
	var account []byte
	var sum float64
	_, err = pgx.ForEachRow(rows, []any{&account, &sum}, func() error { sums[APIAccount(account)] = sum; return nil })
	return sums, translate(err)
}

// PruneAPIUsage removes the sums that nobody added to for ten minutes: by then they have drained. Rows that are in use
// elsewhere are left, so that nobody waits.
func (db *DB) PruneAPIUsage(ctx context.Context) error {
	_, err := db.pool.Exec(ctx, `
		DELETE FROM kb.api_usage
		WHERE account IN (
			SELECT account
			FROM kb.api_usage
			WHERE at < clock_timestamp() - interval '10 minutes'
			FOR UPDATE SKIP LOCKED)`)
	return translate(err)
}
