package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// hookScope is the predicate of statements on kb.webhooks w: $1 is the organisation, $2 the scope's projects.
const hookScope = `w.org_id = $1 AND ($2::uuid[] IS NULL OR w.project_id = ANY ($2))`

// RegisteredHook is a webhook that this server set up; its fields are empty where there is none.
type RegisteredHook struct {
	ID  string // the third party's
	URL string
	// Wanted is one that is to be made, to lead to URL; ID is the one that it replaces, which may be there still, or empty.
	Wanted bool
}

// hookColumns are a RegisteredHook's.
const hookColumns = `
				CASE WHEN w.hook_url IS NULL THEN '' ELSE coalesce(w.hook_id, '') END,
				coalesce(w.hook_url, ''),
				w.hook_url IS NOT NULL AND w.hook_registered_at IS NULL`

func scanHook(row pgx.Row) (*RegisteredHook, error) {
	var h RegisteredHook
	return &h, row.Scan(&h.ID, &h.URL, &h.Wanted)
}

// ClaimHook keeps others from setting up an integration's webhook for so long, and returns the one that is registered. While another
// one has claimed it, it is a Conflict; an integration outside the scope is NotFound.
func (t *Tenant) ClaimHook(ctx context.Context, id uuid.UUID, lease time.Duration) (h *RegisteredHook, err error) {
	var exists bool
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT `+integrationExists, t.scope.Org, t.scope.Projects, id).QueryRow(func(row pgx.Row) error { return row.Scan(&exists) })
		b.Queue(`
			INSERT INTO kb.webhooks AS w (integration_id, org_id, project_id, claimed_until)
			SELECT i.id, i.org_id, i.project_id, clock_timestamp() + $4::interval
			FROM kb.integrations i
			WHERE `+inScope+`
				AND i.id = $3
			ON CONFLICT (integration_id) DO UPDATE
			SET claimed_until = excluded.claimed_until
			WHERE w.org_id = $1
				AND (w.claimed_until IS NULL OR w.claimed_until < clock_timestamp())
			RETURNING `+hookColumns,
			t.scope.Org, t.scope.Projects, id, lease,
		).QueryRow(into(&h, scanHook))
	})
	switch {
	case err != nil:
		return nil, err
	case !exists:
		return nil, noIntegration()
	case h == nil:
		return nil, integration.Conflict("", "the integration's webhook is being set up by somebody else: try again")
	}
	return h, nil
}

// ReleaseHook ends a claim that led to nothing.
func (t *Tenant) ReleaseHook(ctx context.Context, id uuid.UUID) error {
	return t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`UPDATE kb.webhooks w SET claimed_until = NULL WHERE `+hookScope+` AND w.integration_id = $3`, t.scope.Org, t.scope.Projects, id)
	})
}

// RegisterHook stores the webhook that was set up, records that, and ends the claim. It is to be looked at after so long.
func (t *Tenant) RegisterHook(ctx context.Context, id uuid.UUID, h RegisteredHook, checkAfter time.Duration) error {
	args := []any{t.scope.Org, t.scope.Projects, id, h.ID, h.URL, checkAfter}
	statement := `
			WITH registered AS (
				UPDATE kb.webhooks w
				SET
					hook_registered_at = CASE WHEN w.hook_id = $4 THEN coalesce(w.hook_registered_at, clock_timestamp()) ELSE clock_timestamp() END,
					hook_id = $4,
					hook_url = $5,
					check_at = clock_timestamp() + $6::interval,
					claimed_until = NULL
				WHERE ` + hookScope + `
					AND w.integration_id = $3
				RETURNING w.integration_id, w.org_id, w.project_id
			), ` + t.recorded(&args, "registered", "project_id", "integration_id", audit{integration.AuditWebhookRegister, map[string]any{"hook": h.ID, "url": h.URL}}) + `
			SELECT true
			FROM registered`
	var stored bool
	err := t.send(ctx, func(b *pgx.Batch) { b.Queue(statement, args...).QueryRow(scanIfAny(&stored)) })
	if err == nil && !stored {
		err = noIntegration()
	}
	return err
}

// WantHook notes that a webhook is to be made that leads to a URL, in place of another one or of none. From then on none is registered; the
// check of webhooks makes it, after so long.
func (t *Tenant) WantHook(ctx context.Context, id uuid.UUID, inPlaceOf, url string, after time.Duration) error {
	return t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.webhooks w
			SET
				hook_id = nullif($4, ''), hook_url = $5, hook_registered_at = NULL, check_at = clock_timestamp() + $6::interval,
				catch_up_full = true
			WHERE `+hookScope+`
				AND w.integration_id = $3`,
			t.scope.Org, t.scope.Projects, id, inPlaceOf, url, after)
	})
}

// ForgetHook notes that a webhook is gone: whenever there is one again, a full run finds what was not told meanwhile. It changes nothing where another one is registered, or wanted, by now.
func (t *Tenant) ForgetHook(ctx context.Context, id uuid.UUID, hook string) (forgotten bool, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.webhooks w
			SET hook_id = NULL, hook_url = NULL, hook_registered_at = NULL, check_at = NULL, catch_up_full = true
			WHERE `+hookScope+`
				AND w.integration_id = $3
				AND w.hook_id = $4
				AND w.hook_registered_at IS NOT NULL
			RETURNING true`,
			t.scope.Org, t.scope.Projects, id, hook,
		).QueryRow(scanIfAny(&forgotten))
	})
	return forgotten, err
}

// RegisteredHook returns the webhook that is registered for an integration, or wanted, or nil.
func (t *Tenant) RegisteredHook(ctx context.Context, id uuid.UUID) (h *RegisteredHook, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT `+hookColumns+`
			FROM kb.webhooks w
			WHERE `+hookScope+`
				AND w.integration_id = $3
				AND w.hook_url IS NOT NULL`,
			t.scope.Org, t.scope.Projects, id,
		).QueryRow(into(&h, scanHook))
	})
	return h, err
}

// EndHookChecks notes that an integration without a webhook needs no looking at.
func (t *Tenant) EndHookChecks(ctx context.Context, id uuid.UUID) error {
	return t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`UPDATE kb.webhooks w SET check_at = NULL WHERE `+hookScope+` AND w.integration_id = $3 AND w.hook_id IS NULL AND w.hook_url IS NULL`, t.scope.Org, t.scope.Projects, id)
	})
}

// HoldsWebhookSecret reports whether the webhook secret of the row that v describes is this one. It does not leave the database.
func (t *Tenant) HoldsWebhookSecret(ctx context.Context, ring *seal.Ring, v *IntegrationVersion, secret seal.Secret) (held bool, err error) {
	if !v.HasWebhookSecret {
		return false, nil
	}
	pass, err := derivePassphrases(ring, *v.KeyID, v.ID, t.scope.Org)
	if err != nil {
		return false, unknownKey(*v.KeyID)
	}
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT kb.unseal(i.webhook_secret, $6) = $7
			FROM kb.integrations i
			WHERE `+inScope+`
				AND i.id = $3
				AND i.revision = $4
				AND i.key_id = $5`,
			t.scope.Org, t.scope.Projects, v.ID, v.Revision, *v.KeyID, pass.webhookSecret.Expose(), secret.Expose(),
		).QueryRow(scanIfAny(&held))
	})
	return held, err
}

// DueHook is an integration whose webhook there is something to do about.
type DueHook struct {
	Org           string
	IntegrationID uuid.UUID
}

// DueHookChecks lists at most so many integrations whose webhook is to be looked at. One that delivered within alive is not, unless a new
// one is wanted.
func (db *DB) DueHookChecks(ctx context.Context, alive time.Duration, most int) ([]DueHook, error) {
	return db.dueHooks(ctx, `SELECT org_id, integration_id FROM kb.due_webhook_checks($1, $2)`, alive, most)
}

// DueCatchUps lists at most so many integrations for which a run is to find what webhooks did not tell.
func (db *DB) DueCatchUps(ctx context.Context, most int) ([]DueHook, error) {
	return db.dueHooks(ctx, `SELECT org_id, integration_id FROM kb.due_catch_ups($1)`, most)
}

func (db *DB) dueHooks(ctx context.Context, statement string, args ...any) ([]DueHook, error) {
	rows, err := db.pool.Query(ctx, statement, args...)
	if err != nil {
		return nil, translate(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DueHook])
	return list, translate(err)
}

// TakeHookCheck says when a webhook that is due is to be looked at again, so that no other replica takes it too. It is false where
// it is due no more.
func (t *Tenant) TakeHookCheck(ctx context.Context, id uuid.UUID, again time.Duration) (taken bool, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.webhooks w
			SET check_at = clock_timestamp() + $4::interval
			WHERE `+hookScope+`
				AND w.integration_id = $3
				AND w.check_at <= clock_timestamp()
			RETURNING true`,
			t.scope.Org, t.scope.Projects, id, again,
		).QueryRow(scanIfAny(&taken))
	})
	return taken, err
}

// NoteCatchUp asks for a run that finds what was not told, after so long. full is one that reads everything, and so finds deletions too; who
// asks for less later does not change that.
func (t *Tenant) NoteCatchUp(ctx context.Context, id uuid.UUID, after time.Duration, full bool) error {
	return t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.webhooks w
			SET catch_up_at = clock_timestamp() + $4::interval, catch_up_full = greatest(w.catch_up_full, $5)
			WHERE `+hookScope+`
				AND w.integration_id = $3`,
			t.scope.Org, t.scope.Projects, id, after, full)
	})
}

// orCatchUp asks, in an INSERT INTO kb.webhooks AS w, for a run that finds what was lost, no sooner than one that was asked for before.
const orCatchUp = `ON CONFLICT (integration_id) DO UPDATE
				SET catch_up_at = coalesce(w.catch_up_at, excluded.catch_up_at), catch_up_full = greatest(w.catch_up_full, excluded.catch_up_full)
				WHERE w.org_id = $1`

// wishAgain are WITH queries that keep the wish for a run which ended without having done what it was started for; of that run, the query
// with this name has the row. After failures in a row it is due ever later; somebody's cancelling is heeded for an hour.
func wishAgain(ended string) string {
	return `wished AS (
				INSERT INTO kb.webhooks AS w (integration_id, org_id, project_id, catch_up_at, catch_up_full)
				SELECT
					e.integration_id, e.org_id, e.project_id,
					clock_timestamp() + CASE e.status
						WHEN 'ERROR' THEN least(interval '15 minutes' * power(2, least(s.consecutive_failures, 10)), interval '1 day')
						ELSE interval '1 hour'
					END,
					e.mode = 'FULL'
				FROM ` + ended + ` e
				JOIN kb.sync_states s ON s.integration_id = e.integration_id AND s.org_id = e.org_id
				WHERE e.trigger = 'WEBHOOK'
					AND e.status IN ('ERROR', 'CANCELLED')
				ON CONFLICT (integration_id) DO UPDATE
				SET catch_up_at = greatest(w.catch_up_at, excluded.catch_up_at), catch_up_full = greatest(w.catch_up_full, excluded.catch_up_full)
				WHERE w.org_id = $1
			)`
}

// TakeCatchUp ends the wish for a run, inside InTx: whoever takes it starts the run, a full one if that is said. Should that fail or be
// cancelled, the wish is there again. An integration of which nothing was imported yet has nothing to catch up with.
func (t *Tenant) TakeCatchUp(ctx context.Context, id uuid.UUID) (needed, full bool, err error) {
	scope := []any{t.scope.Org, t.scope.Projects, id}
	err = t.send(ctx, func(b *pgx.Batch) {
		// The state first, as who notes that deliveries were given up has it: each would wait for the other otherwise.
		b.Queue(`SELECT FROM kb.sync_states s WHERE `+stateScope+` AND s.integration_id = $3 FOR UPDATE`, scope...)
		b.Queue(`
			WITH due AS (
				SELECT w.integration_id, w.org_id, w.catch_up_full
				FROM kb.webhooks w
				WHERE `+hookScope+`
					AND w.integration_id = $3
					AND w.catch_up_at <= clock_timestamp()
				FOR UPDATE
			)
			UPDATE kb.webhooks w
			SET catch_up_at = NULL, catch_up_full = false
			FROM due d
			JOIN kb.sync_states s ON s.integration_id = d.integration_id AND s.org_id = d.org_id
			WHERE w.integration_id = d.integration_id
				AND w.org_id = d.org_id
			RETURNING coalesce(s.cursor ->> 'since' IS NOT NULL, false), d.catch_up_full`,
			scope...,
		).QueryRow(scanIfAny(&needed, &full))
	})
	return needed, full, err
}
