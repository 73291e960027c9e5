package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"patchbay/internal/integration"
)

// ForgetKey clears, inside InTx, whatever a key sealed in the scope, and records that: the integrations stay, without
// their secrets. It returns how many they were. A rotation to that key, which nobody can advance, ends.
func (t *Tenant) ForgetKey(ctx context.Context, keyID string) (cleared int, err error) {
	if t.tx == nil {
		return 0, errors.New("store: ForgetKey outside InTx")
	}
	err = t.send(ctx, func(b *pgx.Batch) {
		// In the order of their ids, as a rotation locks them.
		b.Queue(`
			WITH locked AS (
				SELECT i.id
				FROM kb.integrations i
				WHERE `+inScope+`
					AND i.key_id = $3
				ORDER BY i.id
				FOR NO KEY UPDATE OF i
			)
			UPDATE kb.integrations i
			SET
				revision = i.revision + 1,
				configured_secrets = '{}',
				secret_changes = '{}',
				settings = NULL,
				webhook_secret = NULL,
				previous_webhook_secret = NULL,
				previous_webhook_secret_until = NULL,
				key_id = NULL
			FROM locked l
			WHERE `+inScope+`
				AND i.id = l.id
				AND i.key_id = $3`,
			t.scope.Org, t.scope.Projects, keyID,
		).Exec(func(done pgconn.CommandTag) error {
			cleared = int(done.RowsAffected())
			return nil
		})
		b.Queue(`
			UPDATE kb.key_rotations r
			SET finished_at = clock_timestamp(), fence = r.fence + 1
			WHERE `+rotationScope+`
				AND r.key_id = $3
				AND r.finished_at IS NULL`,
			t.scope.Org, t.scope.Projects, keyID)
	})
	if err != nil || cleared == 0 {
		return 0, err
	}
	return cleared, t.record(ctx, nil, nil, audit{integration.AuditKeyForget, map[string]any{"key": keyID, "integrations": cleared}})
}
