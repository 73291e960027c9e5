package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// RotateWebhookSecret gives the row that v describes a new webhook secret, and keeps the present one valid for so long
// beside it; one from before that counts no more. It returns until when, nil where there was no secret. The present one is
// opened and sealed anew inside the database, since a passphrase is bound to its column. It returns ErrStale and Unreadable
// as UpdateIntegration does.
func (t *Tenant) RotateWebhookSecret(ctx context.Context, ring *seal.Ring, v *IntegrationVersion, secret seal.Secret, grace time.Duration) (until *time.Time, err error) {
	after, err := derivePassphrases(ring, ring.CurrentID(), v.ID, t.scope.Org)
	if err != nil {
		return nil, err
	}
	var before passphrases
	if v.KeyID != nil {
		if before, err = derivePassphrases(ring, *v.KeyID, v.ID, t.scope.Org); err != nil {
			return nil, unknownKey(*v.KeyID)
		}
	}
	settings, webhook := keep, fresh
	if v.KeyID != nil && *v.KeyID != ring.CurrentID() && len(v.ConfiguredSecrets) > 0 {
		settings = merged
	}
	if v.HasWebhookSecret {
		webhook = merged
	}
	event := audit{integration.AuditWebhookSecretRotate, map[string]any{"opened": openedColumns(settings, webhook, clear), "grace": grace.String()}}
	args := []any{
		t.scope.Org, t.scope.Projects, v.ID, v.Revision, v.KeyID, ring.CurrentID(), grace,
		settings, before.settings.Expose(), after.settings.Expose(),
		secret.Expose(), before.webhookSecret.Expose(), after.webhookSecret.Expose(), after.previousWebhookSecret.Expose(),
	}
	statement := `
			WITH rotated AS (
				UPDATE kb.integrations i
				SET
					revision = i.revision + 1,
					key_id = $6,
					settings = CASE $8
						WHEN 'keep' THEN i.settings
						WHEN 'merged' THEN kb.seal(kb.unseal(i.settings, $9), $10)
					END,
					webhook_secret = kb.seal($11, $13),
					previous_webhook_secret = CASE WHEN i.webhook_secret IS NOT NULL THEN kb.seal(kb.unseal(i.webhook_secret, $12), $14) END,
					previous_webhook_secret_until = CASE WHEN i.webhook_secret IS NOT NULL THEN now() + $7::interval END
				WHERE ` + inScope + `
					AND i.id = $3
					AND i.revision = $4
					AND i.key_id IS NOT DISTINCT FROM $5
				RETURNING i.id, i.org_id, i.project_id, i.previous_webhook_secret_until
			), ` + t.recorded(&args, "rotated", "project_id", "id", event) + `
			SELECT previous_webhook_secret_until
			FROM rotated`
	var rotated *struct{ until *time.Time }
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(statement, args...).QueryRow(into(&rotated, func(row pgx.Row) (*struct{ until *time.Time }, error) {
			var r struct{ until *time.Time }
			return &r, row.Scan(&r.until)
		}))
	})
	if err == nil && rotated == nil {
		err = ErrStale
	}
	if err != nil {
		return nil, err
	}
	return rotated.until, nil
}
