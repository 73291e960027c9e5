package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"patchbay/internal/seal"
)

// FingerprintKey is the key that all processes name tokens with, as the fingerprints of ChangeRateLimit.
func (db *DB) FingerprintKey(ctx context.Context) (seal.Secret, error) {
	var key []byte
	if err := db.pool.QueryRow(ctx, `SELECT kb.the_fingerprint_key()`).Scan(&key); err != nil {
		return seal.Secret{}, fmt.Errorf("read the key of fingerprints: %w", translate(err))
	}
	if len(key) == 0 { // each process would be content with its own row
		return seal.Secret{}, errors.New("the key of fingerprints is missing: kb.fingerprint_key has no row")
	}
	return seal.NewSecret(string(key)), nil
}

// ChangeRateLimit gives change the database's time and the state that is kept for a token, and keeps what it returns. The
// row is locked meanwhile; for at most 5 s where a machine vanishes. A token that is new makes rows go whose state nobody
// changed for a day: no window is that long.
func (db *DB) ChangeRateLimit(ctx context.Context, fingerprint string, change func(now time.Time, state []byte) ([]byte, error)) error {
	return translate(pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		var now time.Time
		var state []byte
		var isNew bool
		b := &pgx.Batch{}
		b.Queue(`SET LOCAL idle_in_transaction_session_timeout = '5s'`)
		b.Queue(`
			INSERT INTO kb.rate_limits AS r (fingerprint)
			VALUES ($1)
			ON CONFLICT (fingerprint) DO UPDATE
			SET changed_at = clock_timestamp()
			RETURNING r.changed_at, r.state, r.state = '{}'`,
			fingerprint,
		).QueryRow(func(row pgx.Row) error { return row.Scan(&now, &state, &isNew) })
		if err := tx.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
		next, err := change(now, state)
		if err != nil {
			return err
		}
		b = &pgx.Batch{}
		b.Queue(`UPDATE kb.rate_limits SET state = $2 WHERE fingerprint = $1`, fingerprint, next)
		if isNew {
			b.Queue(`
				DELETE FROM kb.rate_limits
				WHERE fingerprint IN (
					SELECT r.fingerprint
					FROM kb.rate_limits r
					WHERE r.changed_at < clock_timestamp() - interval '1 day'
					ORDER BY r.fingerprint
					FOR UPDATE SKIP LOCKED
				)`)
		}
		return tx.SendBatch(ctx, b).Close()
	}))
}
