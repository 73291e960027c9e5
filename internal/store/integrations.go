package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
)

// integrationList names the cursors of Integrations.
const integrationList = "integrations"

// integrationColumns are what PublicIntegration shows; the sealed columns are never among them.
const integrationColumns = `
	i.id, i.name, i.provider, i.display_name, i.description, i.enabled, i.org_id, i.project_id,
	i.logo_url, i.created_at, i.updated_at, i.created_by, i.revision, i.public_settings, i.configured_secrets`

// inScope is the predicate of every statement on kb.integrations i; $1 is the organisation, $2 the scope's projects.
const inScope = `i.org_id = $1 AND ($2::uuid[] IS NULL OR i.project_id = ANY ($2))`

// With says what is read together with integrations.
type With struct {
	State   bool
	Webhook bool // opens nothing
	Secrets bool // when each was given, nothing of the secrets themselves
}

// integrationSource selects integrations from a table or query, joined with their sync states from another, and with what is known of
// their webhooks, where those are wanted.
func integrationSource(integrations, states string, with With) string {
	columns, from := integrationColumns, integrations+` i`
	if with.State {
		columns += `, ` + syncStateColumns
		from += ` JOIN ` + states + ` s ON s.integration_id = i.id AND s.org_id = i.org_id`
	}
	if with.Webhook {
		columns += `, i.webhook_secret IS NOT NULL, coalesce(w.hook_registered_at IS NOT NULL, false), w.last_delivery_at`
		from += ` LEFT JOIN kb.webhooks w ON w.integration_id = i.id AND w.org_id = i.org_id`
	}
	if with.Secrets {
		columns += `, i.secret_changes`
	}
	return `SELECT ` + columns + ` FROM ` + from
}

// scanIntegration scans what integrationSource selects.
func (t *Tenant) scanIntegration(with With) func(pgx.Row) (*integration.PublicIntegration, error) {
	return func(row pgx.Row) (*integration.PublicIntegration, error) {
		var i integration.PublicIntegration
		var provider string
		var state syncStateRow
		targets := []any{
			scanID(&i.ID), &i.Name, &provider, &i.DisplayName, &i.Description, &i.Enabled, &i.OrgID, scanID(&i.ProjectID),
			&i.LogoURL, &i.CreatedAt, &i.UpdatedAt, &i.CreatedBy, &i.Revision, &i.Settings, &i.ConfiguredSecrets,
		}
		if with.State {
			targets = append(targets, state.targets()...)
		}
		var webhook integration.WebhookEndpoint
		if with.Webhook {
			targets = append(targets, &webhook.HasSecret, &webhook.Registered, &webhook.LastDeliveryAt)
		}
		var given map[string]time.Time
		if with.Secrets {
			targets = append(targets, &given)
		}
		if err := row.Scan(targets...); err != nil {
			return nil, err
		}
		for _, name := range i.ConfiguredSecrets {
			if at, known := given[name]; known {
				i.SecretChanges = append(i.SecretChanges, &integration.SecretChange{Name: name, ChangedAt: at})
			}
		}
		if with.State {
			var err error
			if i.SyncState, err = state.value(); err != nil {
				return nil, err
			}
		}
		i.Provider = t.db.catalogue.ProviderOrUnknown(provider)
		if with.Webhook && i.Provider.Capabilities.SupportsWebhooks {
			webhook.IntegrationID, webhook.Provider = i.ID, provider
			i.Webhook = &webhook
		}
		i.HasConfiguration = t.db.catalogue.Provider(provider) != nil && len(i.Provider.Missing(i.Settings, i.ConfiguredSecrets)) == 0
		return &i, nil
	}
}

// Integrations lists a project's integrations, sorted by name. A project outside the scope is NotFound.
func (t *Tenant) Integrations(ctx context.Context, project uuid.UUID, f integration.Filter, args integration.PageArgs, with With) (integration.Page[*integration.PublicIntegration], error) {
	page := newPage[*integration.PublicIntegration](args)
	after := ""
	if args.After != nil {
		keys, err := integration.DecodeCursor("after", integrationList, *args.After, 1)
		if err != nil {
			return page.Page, err
		}
		after = keys[0]
	}
	var search *string
	if f.Search != nil {
		pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(*f.Search) + "%"
		search = &pattern
	}
	const matches = inScope + `
		AND ` + projectExists + `
		AND i.project_id = $3
		AND ($4::text IS NULL OR i.name = $4)
		AND ($5::boolean IS NULL OR i.enabled = $5)
		AND ($6::text IS NULL OR i.name ILIKE $6 OR i.display_name ILIKE $6 OR i.description ILIKE $6)`
	filter := []any{t.scope.Org, t.scope.Projects, project, f.Name, f.Enabled, search}
	var exists bool
	scan := t.scanIntegration(with)
	err := t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT
				`+projectExists+`,
				CASE WHEN $7 THEN (
					SELECT count(*)
					FROM kb.integrations i
					WHERE `+matches+`
				) ELSE 0 END`,
			append(slices.Clone(filter), args.CountTotal)...,
		).QueryRow(func(row pgx.Row) error { return row.Scan(&exists, &page.Total) })
		b.Queue(
			integrationSource("kb.integrations", "kb.sync_states", with)+`
			WHERE `+matches+`
				AND i.name > $7
			ORDER BY i.name
			LIMIT $8`,
			append(slices.Clone(filter), after, args.First+1)...,
		).Query(func(rows pgx.Rows) error {
			return page.collect(rows, func(row pgx.CollectableRow) (*integration.PublicIntegration, string, error) {
				i, err := scan(row)
				if err != nil {
					return nil, "", err
				}
				return i, integration.EncodeCursor(integrationList, i.Name), nil
			})
		})
	})
	if err == nil && !exists {
		err = noProject(project)
	}
	return page.Page, err
}

// ProjectIntegrations returns all of a project's integrations, sorted by name; for the gallery. A project outside the
// scope is NotFound.
func (t *Tenant) ProjectIntegrations(ctx context.Context, project uuid.UUID, with With) ([]*integration.PublicIntegration, error) {
	var exists bool
	var all []*integration.PublicIntegration
	scan := t.scanIntegration(with)
	err := t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT `+projectExists, t.scope.Org, t.scope.Projects, project).
			QueryRow(func(row pgx.Row) error { return row.Scan(&exists) })
		b.Queue(
			integrationSource("kb.integrations", "kb.sync_states", with)+`
			WHERE `+inScope+`
				AND `+projectExists+`
				AND i.project_id = $3
			ORDER BY i.name`,
			t.scope.Org, t.scope.Projects, project,
		).Query(func(rows pgx.Rows) (err error) {
			all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*integration.PublicIntegration, error) { return scan(row) })
			return err
		})
	})
	if err == nil && !exists {
		err = noProject(project)
	}
	return all, err
}

// Integration returns one integration by its name, or nil where the scope has none.
func (t *Tenant) Integration(ctx context.Context, project uuid.UUID, name string, with With) (found *integration.PublicIntegration, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(
			integrationSource("kb.integrations", "kb.sync_states", with)+`
			WHERE `+inScope+`
				AND `+projectExists+`
				AND i.project_id = $3
				AND i.name = $4`,
			t.scope.Org, t.scope.Projects, project, name,
		).QueryRow(into(&found, t.scanIntegration(with)))
	})
	return found, err
}

// IntegrationByID returns one integration, or nil where the scope has none.
func (t *Tenant) IntegrationByID(ctx context.Context, id uuid.UUID, with With) (found *integration.PublicIntegration, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(
			integrationSource("kb.integrations", "kb.sync_states", with)+`
			WHERE `+inScope+`
				AND i.id = $3`,
			t.scope.Org, t.scope.Projects, id,
		).QueryRow(into(&found, t.scanIntegration(with)))
	})
	return found, err
}

// DeleteIntegration removes an integration and all that hangs on it; of a large import, ForgetMore removes the rest. It returns nil
// where the scope has none.
func (t *Tenant) DeleteIntegration(ctx context.Context, project uuid.UUID, name string) (deleted *uuid.UUID, err error) {
	args := []any{t.scope.Org, t.scope.Projects, project, name}
	statement := `
			WITH deleted AS (
				DELETE FROM kb.integrations i
				WHERE ` + inScope + `
					AND ` + projectExists + `
					AND i.project_id = $3
					AND i.name = $4
				RETURNING i.id, i.org_id, i.project_id
			), ` + t.recorded(&args, "deleted", "project_id", "id", audit{integration.AuditIntegrationDelete, map[string]any{"name": name}}) + `
			SELECT id
			FROM deleted`
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(briefly)
		// In the order that runs lock in, or the two would wait for each other.
		b.Queue(`
			SELECT
			FROM kb.integrations i
			JOIN kb.sync_runs r ON r.integration_id = i.id AND r.org_id = i.org_id
			WHERE `+inScope+`
				AND `+projectExists+`
				AND i.project_id = $3
				AND i.name = $4
				AND r.finished_at IS NULL
			FOR UPDATE OF r`, args[:4]...)
		b.Queue(`
			SELECT
			FROM kb.integrations i
			JOIN kb.sync_states s ON s.integration_id = i.id AND s.org_id = i.org_id
			WHERE `+inScope+`
				AND `+projectExists+`
				AND i.project_id = $3
				AND i.name = $4
			FOR UPDATE OF s`, args[:4]...)
		b.Queue(statement, args...).QueryRow(into(&deleted, func(row pgx.Row) (*uuid.UUID, error) {
			var id uuid.UUID
			return &id, row.Scan(&id)
		}))
	})
	return deleted, err
}

// ForgetMore removes at most so many rows of each kind that integrations left which are deleted, of any tenant: nobody can see
// them any more. It returns whether there may be more.
func (db *DB) ForgetMore(ctx context.Context, most int) (more bool, err error) {
	err = db.pool.QueryRow(ctx, `SELECT kb.forget_more($1)`, most).Scan(&more)
	return more, translate(err)
}
