package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// WebhookTarget is the integration that a webhook's address belongs to.
type WebhookTarget struct {
	IntegrationID uuid.UUID
	Org           string
	ProjectID     uuid.UUID
	Provider      string
	Enabled       bool
	Revision      int // of the integration
}

// WebhookTarget looks up the integration of an address, before any tenant is known; nil where there is none.
func (db *DB) WebhookTarget(ctx context.Context, id uuid.UUID) (*WebhookTarget, error) {
	targets, err := db.webhookTargets(ctx, `SELECT integration_id, org_id, project_id, provider, enabled, revision FROM kb.webhook_target($1)`, id)
	if err != nil || len(targets) == 0 {
		return nil, err
	}
	return targets[0], nil
}

// WebhookTargetsByHook looks up the integrations of a provider that have the third party's id of a webhook, at most ten.
func (db *DB) WebhookTargetsByHook(ctx context.Context, provider, hook string) ([]*WebhookTarget, error) {
	return db.webhookTargets(ctx, `SELECT integration_id, org_id, project_id, provider, enabled, revision FROM kb.webhook_targets_by_hook($1, $2)`, provider, hook)
}

func (db *DB) webhookTargets(ctx context.Context, sql string, args ...any) ([]*WebhookTarget, error) {
	rows, err := db.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, translate(err)
	}
	targets, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[WebhookTarget])
	return targets, translate(err)
}

// OpenedWebhookSecrets are what an integration's deliveries may be signed with.
type OpenedWebhookSecrets struct {
	Current       seal.Secret // zero where there is none
	Previous      seal.Secret // valid too until PreviousUntil
	PreviousUntil *time.Time
}

// OpenWebhookSecrets opens an integration's webhook secrets and records that, and for what purpose, in the same statement. One from
// before that has ended is not opened. It returns Unreadable where they do not open, and ErrStale where the integration is gone, or
// was sealed anew since v was read.
func (t *Tenant) OpenWebhookSecrets(ctx context.Context, ring *seal.Ring, v *IntegrationVersion, purpose string) (*OpenedWebhookSecrets, error) {
	if !v.HasWebhookSecret {
		return &OpenedWebhookSecrets{}, nil
	}
	pass, err := derivePassphrases(ring, *v.KeyID, v.ID, t.scope.Org)
	if err != nil {
		return nil, unknownKey(*v.KeyID)
	}
	columns := []string{webhookSecretColumn}
	if v.HasPreviousSecret {
		columns = append(columns, previousWebhookSecretColumn)
	}
	args := []any{t.scope.Org, t.scope.Projects, v.ID, *v.KeyID, pass.webhookSecret.Expose(), pass.previousWebhookSecret.Expose()}
	statement := `
			WITH opened AS (
				SELECT i.id, i.org_id, i.project_id, kb.unseal(i.webhook_secret, $5) AS current,
					CASE WHEN ` + previousCounts + ` THEN kb.unseal(i.previous_webhook_secret, $6) END AS previous,
					i.previous_webhook_secret_until AS until
				FROM kb.integrations i
				WHERE ` + inScope + `
					AND i.id = $3
					AND i.key_id = $4
					AND i.webhook_secret IS NOT NULL
			), ` + t.recorded(&args, "opened", "project_id", "id", audit{integration.AuditSecretsOpen, map[string]any{"purpose": purpose, "opened": columns}}) + `
			SELECT current, previous, until
			FROM opened`
	var opened *OpenedWebhookSecrets
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(statement, args...).QueryRow(into(&opened, func(row pgx.Row) (*OpenedWebhookSecrets, error) {
			var current string
			var previous *string
			o := OpenedWebhookSecrets{}
			if err := row.Scan(&current, &previous, &o.PreviousUntil); err != nil {
				return nil, err
			}
			o.Current = seal.NewSecret(current)
			if previous != nil {
				o.Previous = seal.NewSecret(*previous)
			}
			return &o, nil
		}))
	})
	if err == nil && opened == nil {
		err = ErrStale
	}
	return opened, err
}

// WebhookNote is what is to be noted of an integration's webhook.
type WebhookNote struct {
	IntegrationID uuid.UUID
	Latest        *time.Time // when its latest delivery came; nil for none since
	Refused       int        // how many more were refused
}

// NoteWebhooks notes how integrations' webhooks fare.
func (t *Tenant) NoteWebhooks(ctx context.Context, notes []WebhookNote) error {
	var ids []uuid.UUID
	var latest []*time.Time
	var refused []int
	for _, n := range notes {
		ids, latest, refused = append(ids, n.IntegrationID), append(latest, n.Latest), append(refused, n.Refused)
	}
	return t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			INSERT INTO kb.webhooks AS w (integration_id, org_id, project_id, last_delivery_at, refused)
			SELECT i.id, i.org_id, i.project_id, n.latest, n.refused
			FROM unnest($3::uuid[], $4::timestamptz[], $5::bigint[]) AS n (id, latest, refused)
			JOIN kb.integrations i ON i.id = n.id
			WHERE `+inScope+`
			ORDER BY i.id
			ON CONFLICT (integration_id) DO UPDATE
			SET last_delivery_at = greatest(w.last_delivery_at, excluded.last_delivery_at), refused = w.refused + excluded.refused`,
			t.scope.Org, t.scope.Projects, ids, latest, refused)
	})
}
