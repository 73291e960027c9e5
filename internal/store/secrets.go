package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// Names of the sealed columns, as they go into the passphrases.
const (
	integrationsTable           = "kb.integrations"
	settingsColumn              = "settings"
	webhookSecretColumn         = "webhook_secret"
	previousWebhookSecretColumn = "previous_webhook_secret"
)

// passphrases seal or open the sealed columns of one row.
type passphrases struct {
	settings, webhookSecret, previousWebhookSecret seal.Secret
}

func derivePassphrases(ring *seal.Ring, keyID string, id uuid.UUID, org string) (p passphrases, err error) {
	cell := seal.Cell{Table: integrationsTable, Column: settingsColumn, Row: id, Org: org}
	if p.settings, err = ring.Passphrase(keyID, cell); err != nil {
		return p, err
	}
	cell.Column = webhookSecretColumn
	if p.webhookSecret, err = ring.Passphrase(keyID, cell); err != nil {
		return p, err
	}
	cell.Column = previousWebhookSecretColumn
	p.previousWebhookSecret, err = ring.Passphrase(keyID, cell)
	return p, err
}

// secretPairs are secrets as two parallel arrays for jsonb_object. As text parameters they can be in no JSON error of
// PostgreSQL's, which would quote them.
func secretPairs(secrets map[string]seal.Secret) (names, values []string) {
	names = make([]string, 0, len(secrets))
	for name := range secrets {
		names = append(names, name)
	}
	slices.Sort(names)
	values = make([]string, len(names))
	for i, name := range names {
		values[i] = secrets[name].Expose()
	}
	return names, values
}

// NewIntegration is what CreateIntegration stores.
type NewIntegration struct {
	ID             uuid.UUID // made before the insert: the passphrases are bound to it
	ProjectID      uuid.UUID
	Name           string
	Provider       string
	DisplayName    string
	Description    *string
	Enabled        bool
	LogoURL        *string
	PublicSettings map[string]any
	Secrets        map[string]seal.Secret
	WebhookSecret  seal.Secret
}

// CreateIntegration seals and inserts an integration with its sync state, in one statement. A project outside the
// scope is NotFound, a name that the project has already is a Conflict.
func (t *Tenant) CreateIntegration(ctx context.Context, ring *seal.Ring, n NewIntegration, with With) (created *integration.PublicIntegration, err error) {
	pass, err := derivePassphrases(ring, ring.CurrentID(), n.ID, t.scope.Org)
	if err != nil {
		return nil, err
	}
	names, values := secretPairs(n.Secrets)
	args := []any{
		t.scope.Org, t.scope.Projects, n.ProjectID, n.ID, n.Name, n.Provider, n.DisplayName, n.Description, n.Enabled, n.LogoURL, t.scope.Actor,
		jsonObject(n.PublicSettings), names, values, ring.CurrentID(), pass.settings.Expose(), pass.webhookSecret.Expose(), n.WebhookSecret.Expose(), uuid.Must(uuid.NewV7()),
	}
	event := audit{integration.AuditIntegrationCreate, map[string]any{
		"name": n.Name, "provider": n.Provider, "settings": settingNames(n.PublicSettings, n.Secrets),
	}}
	statement := `
			WITH created AS (
				INSERT INTO kb.integrations (
					id, project_id, org_id, name, provider, display_name, description, enabled, logo_url, created_by,
					public_settings, configured_secrets, secret_changes, key_id, settings, webhook_secret)
				SELECT
					$4, p.id, p.org_id, $5, $6, $7, $8, $9, $10, nullif($11, ''),
					$12, $13::text[], ` + givenNow("$13") + `, $15,
					CASE WHEN $13::text[] <> '{}' THEN kb.seal(jsonb_object($13::text[], $14::text[])::text, $16) END,
					kb.seal($18, $17)
				FROM kb.projects p
				WHERE p.id = $3
					AND p.org_id = $1
					AND ($2::uuid[] IS NULL OR p.id = ANY ($2))
				RETURNING *
			), state AS (
				INSERT INTO kb.sync_states (id, integration_id, org_id, project_id)
				SELECT $19, id, org_id, project_id
				FROM created
				RETURNING *
			), ` + t.recorded(&args, "created", "project_id", "id", event) + `
			` + integrationSource("created", "state", with)
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(statement, args...).QueryRow(into(&created, t.scanIntegration(with)))
	})
	if err == nil && created == nil {
		err = noProject(n.ProjectID)
	}
	return created, err
}

// givenNow is the SQL of secret_changes for secrets that are given now; names is that of their names.
func givenNow(names string) string {
	return `(SELECT coalesce(jsonb_object_agg(name, now()), '{}') FROM unnest(` + names + `::text[]) AS name)`
}

// settingNames are the names of settings, public and secret, sorted; for the audit trail.
func settingNames(public map[string]any, secrets map[string]seal.Secret) []string {
	names := slices.Collect(maps.Keys(public))
	names = slices.AppendSeq(names, maps.Keys(secrets))
	slices.Sort(names)
	return names
}

// jsonObject is m, or an empty object where pgx would send NULL.
func jsonObject(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// IntegrationVersion is what an update must know of the row that it changes.
type IntegrationVersion struct {
	ID                uuid.UUID
	ProjectID         uuid.UUID
	Provider          string
	Revision          int
	KeyID             *string // nil while nothing is sealed
	ConfiguredSecrets []string
	HasWebhookSecret  bool
	HasPreviousSecret bool // a webhook secret from before the present one that still counts
	PublicSettings    map[string]any
}

// previousCounts is the condition under which a previous webhook secret still counts. Whatever seals a row drops one
// that does not, opened or not.
const previousCounts = `i.previous_webhook_secret_until > now()`

const versionColumns = `
				i.id, i.project_id, i.provider, i.revision, i.key_id, i.configured_secrets, i.webhook_secret IS NOT NULL,
				coalesce(` + previousCounts + `, false), i.public_settings`

func scanVersion(row pgx.Row) (*IntegrationVersion, error) {
	var v IntegrationVersion
	return &v, row.Scan(&v.ID, &v.ProjectID, &v.Provider, &v.Revision, &v.KeyID, &v.ConfiguredSecrets, &v.HasWebhookSecret, &v.HasPreviousSecret, &v.PublicSettings)
}

// IntegrationVersion reads the present version of an integration, or nil where the scope has none. It opens nothing.
func (t *Tenant) IntegrationVersion(ctx context.Context, project uuid.UUID, name string) (v *IntegrationVersion, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT `+versionColumns+`
			FROM kb.integrations i
			WHERE `+inScope+`
				AND `+projectExists+`
				AND i.project_id = $3
				AND i.name = $4`,
			t.scope.Org, t.scope.Projects, project, name,
		).QueryRow(into(&v, scanVersion))
	})
	return v, err
}

// IntegrationVersionByID is IntegrationVersion by the integration's id.
func (t *Tenant) IntegrationVersionByID(ctx context.Context, id uuid.UUID) (v *IntegrationVersion, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT `+versionColumns+`
			FROM kb.integrations i
			WHERE `+inScope+`
				AND i.id = $3`,
			t.scope.Org, t.scope.Projects, id,
		).QueryRow(into(&v, scanVersion))
	})
	return v, err
}

// OpenedSettings are an integration's settings with the secret ones in plain text.
type OpenedSettings struct {
	Public  map[string]any
	Secrets map[string]seal.Secret
}

// OpenSettings opens an integration's secrets and records that, and for what purpose, in the same statement. It returns
// Unreadable where they do not open, and ErrStale where the integration is gone, or was sealed anew since v was read.
func (t *Tenant) OpenSettings(ctx context.Context, ring *seal.Ring, v *IntegrationVersion, purpose string) (*OpenedSettings, error) {
	var keyID string
	var pass passphrases
	if len(v.ConfiguredSecrets) > 0 {
		var err error
		keyID = *v.KeyID
		if pass, err = derivePassphrases(ring, keyID, v.ID, t.scope.Org); err != nil {
			return nil, unknownKey(keyID)
		}
	}
	args := []any{t.scope.Org, t.scope.Projects, v.ID, keyID, pass.settings.Expose()}
	event := audit{integration.AuditSecretsOpen, map[string]any{"purpose": purpose, "settings": v.ConfiguredSecrets}}
	statement := `
			WITH opened AS (
				SELECT i.id, i.org_id, i.project_id, i.public_settings,
					CASE WHEN i.settings IS NULL THEN '{}' ELSE kb.unseal(i.settings, $5) END AS secrets
				FROM kb.integrations i
				WHERE ` + inScope + `
					AND i.id = $3
					AND (i.settings IS NULL AND $4 = '' OR i.key_id = $4)
			), ` + t.recorded(&args, "opened", "project_id", "id", event) + `
			SELECT public_settings, secrets
			FROM opened`
	var opened *OpenedSettings
	err := t.send(ctx, func(b *pgx.Batch) {
		b.Queue(statement, args...).QueryRow(into(&opened, func(row pgx.Row) (*OpenedSettings, error) {
			var o OpenedSettings
			var text string
			if err := row.Scan(&o.Public, &text); err != nil {
				return nil, err
			}
			var secrets map[string]string
			if err := json.Unmarshal([]byte(text), &secrets); err != nil {
				return nil, fmt.Errorf("the opened secrets of integration %s are no object of texts", v.ID) // the cause would quote them
			}
			o.Secrets = make(map[string]seal.Secret, len(secrets))
			for name, value := range secrets {
				o.Secrets[name] = seal.NewSecret(value)
			}
			return &o, nil
		}))
	})
	if err == nil && opened == nil {
		err = ErrStale
	}
	return opened, err
}

// unknownKey is what is said of secrets whose key the server lacks.
func unknownKey(id string) error {
	return integration.Unreadable("the stored secrets were sealed with a key that this server does not have (%s): "+
		"add it to INTEGRATION_ENCRYPTION_PREVIOUS_KEYS, or give every secret setting and webhookSecret anew", id)
}

// IntegrationUpdate is a change of one integration; what is nil or empty stays as it is.
type IntegrationUpdate struct {
	DisplayName    *string
	Description    **string // to NULL where it points to nil
	Enabled        *bool
	LogoURL        **string // to NULL where it points to nil
	PublicSettings map[string]any
	Secrets        map[string]seal.Secret
	Removed        []string     // names of settings, public or secret, that lose their value
	WebhookSecret  *seal.Secret // the ones before it count no more
}

// changes names what the update changes, for the audit trail.
func (u *IntegrationUpdate) changes() map[string]any {
	fields := []string{}
	for field, given := range map[string]bool{
		"displayName":   u.DisplayName != nil,
		"description":   u.Description != nil,
		"enabled":       u.Enabled != nil,
		"logoUrl":       u.LogoURL != nil,
		"webhookSecret": u.WebhookSecret != nil,
	} {
		if given {
			fields = append(fields, field)
		}
	}
	slices.Sort(fields)
	changes := map[string]any{"fields": fields, "settings": settingNames(u.PublicSettings, u.Secrets)}
	if len(u.Removed) > 0 {
		changes["removedSettings"] = u.Removed
	}
	return changes
}

// A sealing says what an update does to a sealed column.
type sealing string

const (
	keep   sealing = "keep"   // leaves the ciphertext as it is
	clear  sealing = "clear"  // removes it
	fresh  sealing = "fresh"  // seals the given value alone; the old one need not open
	merged sealing = "merged" // opens the old one, applies the change, seals the result
)

// plan decides what becomes of the sealed columns, and which secrets have a value afterwards. As soon as one of them is
// sealed anew, all end under the same key.
func (u *IntegrationUpdate) plan(v *IntegrationVersion, currentKey string) (settings, webhook, previous sealing, configured []string) {
	gone := func(name string) bool {
		_, replaced := u.Secrets[name]
		return replaced || slices.Contains(u.Removed, name)
	}
	kept := slices.DeleteFunc(slices.Clone(v.ConfiguredSecrets), gone)
	configured, _ = secretPairs(u.Secrets)
	configured = append(configured, kept...)
	slices.Sort(configured)

	settings, webhook, previous = keep, keep, keep
	switch {
	case len(configured) == 0 && len(v.ConfiguredSecrets) > 0:
		settings = clear
	case len(u.Secrets) > 0 && len(kept) == 0:
		settings = fresh
	case len(u.Secrets) > 0 || len(kept) < len(v.ConfiguredSecrets):
		settings = merged
	}
	if u.WebhookSecret != nil {
		webhook, previous = fresh, clear
	}
	rekey := v.KeyID != nil && *v.KeyID != currentKey && (settings == fresh || settings == merged || webhook == fresh)
	if rekey && settings == keep && len(configured) > 0 {
		settings = merged
	}
	if rekey && webhook == keep && v.HasWebhookSecret {
		webhook = merged
	}
	if rekey && previous == keep {
		previous = clear
		if v.HasPreviousSecret {
			previous = merged
		}
	}
	return settings, webhook, previous, configured
}

// UpdateIntegration applies u to the row that v describes, in one statement that also opens, merges and seals the
// secrets as needed. It returns ErrStale where the row has another revision or key by now, and Unreadable, with the row as it
// was, where secrets that must be kept do not open.
func (t *Tenant) UpdateIntegration(ctx context.Context, ring *seal.Ring, v *IntegrationVersion, u IntegrationUpdate, with With) (updated *integration.PublicIntegration, err error) {
	settings, webhook, previous, configured := u.plan(v, ring.CurrentID())
	seals := settings == fresh || settings == merged || webhook == fresh || webhook == merged
	opens := settings == merged || webhook == merged // as previous does with them only

	keyID := v.KeyID
	var before, after passphrases
	if opens {
		if before, err = derivePassphrases(ring, *v.KeyID, v.ID, t.scope.Org); err != nil {
			return nil, unknownKey(*v.KeyID)
		}
	}
	if seals {
		current := ring.CurrentID()
		keyID = &current
		if after, err = derivePassphrases(ring, current, v.ID, t.scope.Org); err != nil {
			return nil, err
		}
	}
	if settings == clear && webhook == keep && !v.HasWebhookSecret {
		keyID = nil
	}
	names, values := secretPairs(u.Secrets)
	var webhookSecret string
	if u.WebhookSecret != nil {
		webhookSecret = u.WebhookSecret.Expose()
	}
	description, setDescription := optional(u.Description)
	logoURL, setLogoURL := optional(u.LogoURL)
	removed := u.Removed
	if removed == nil {
		removed = []string{}
	}
	args := []any{
		t.scope.Org, t.scope.Projects, v.ID, v.Revision,
		u.DisplayName, setDescription, description, u.Enabled, setLogoURL, logoURL,
		removed, jsonObject(u.PublicSettings), configured, keyID,
		settings, names, values, after.settings.Expose(), before.settings.Expose(),
		webhook, webhookSecret, after.webhookSecret.Expose(), before.webhookSecret.Expose(), v.KeyID,
		previous, after.previousWebhookSecret.Expose(), before.previousWebhookSecret.Expose(),
	}
	event := audit{integration.AuditIntegrationUpdate, u.changes()}
	if opens {
		event.changes["opened"] = openedColumns(settings, webhook, previous)
	}
	statement := `
			WITH updated AS (
				UPDATE kb.integrations i
				SET
					revision = i.revision + 1,
					display_name = coalesce($5, i.display_name),
					description = CASE WHEN $6 THEN $7 ELSE i.description END,
					enabled = coalesce($8, i.enabled),
					logo_url = CASE WHEN $9 THEN $10 ELSE i.logo_url END,
					public_settings = (i.public_settings - $11::text[]) || $12::jsonb,
					configured_secrets = $13::text[],
					secret_changes = (i.secret_changes - $11::text[]) || ` + givenNow("$16") + `,
					key_id = $14,
					settings = CASE $15
						WHEN 'keep' THEN i.settings
						WHEN 'fresh' THEN kb.seal(jsonb_object($16::text[], $17::text[])::text, $18)
						WHEN 'merged' THEN kb.seal(
							((kb.unseal(i.settings, $19)::jsonb - $11::text[]) || jsonb_object($16::text[], $17::text[]))::text, $18)
					END,
					webhook_secret = CASE $20
						WHEN 'keep' THEN i.webhook_secret
						WHEN 'fresh' THEN kb.seal($21, $22)
						WHEN 'merged' THEN kb.seal(kb.unseal(i.webhook_secret, $23), $22)
					END,
					previous_webhook_secret = CASE WHEN ` + previousCounts + ` THEN
						CASE $25
							WHEN 'keep' THEN i.previous_webhook_secret
							WHEN 'merged' THEN kb.seal(kb.unseal(i.previous_webhook_secret, $27), $26)
						END
					END,
					previous_webhook_secret_until = CASE WHEN ` + previousCounts + ` AND $25 <> 'clear' THEN i.previous_webhook_secret_until END
				WHERE ` + inScope + `
					AND i.id = $3
					AND i.revision = $4
					AND i.key_id IS NOT DISTINCT FROM $24
				RETURNING i.*
			), ` + t.recorded(&args, "updated", "project_id", "id", event) + `
			` + integrationSource("updated", "kb.sync_states", with)
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(statement, args...).QueryRow(into(&updated, t.scanIntegration(with)))
	})
	if err == nil && updated == nil {
		err = ErrStale
	}
	return updated, err
}

// openedColumns names the sealed columns that are opened to be sealed anew, for the audit trail.
func openedColumns(settings, webhook, previous sealing) []string {
	names := []string{}
	for _, column := range []struct {
		name string
		done sealing
	}{{"settings", settings}, {"webhookSecret", webhook}, {"previousWebhookSecret", previous}} {
		if column.done == merged {
			names = append(names, column.name)
		}
	}
	return names
}

func optional(change **string) (value *string, given bool) {
	if change == nil {
		return nil, false
	}
	return *change, true
}
