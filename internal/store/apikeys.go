package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
)

const apiKeyColumns = `id, org_id, name, prefix, role, project_ids, subject, created_by, created_at, expires_at, last_used_at, revoked_at`

func scanAPIKey(row pgx.Row) (*integration.APIKey, error) {
	var k integration.APIKey
	err := row.Scan(&k.ID, &k.OrgID, &k.Name, &k.Prefix, &k.Role, &k.ProjectIDs, &k.SessionOf, &k.CreatedBy, &k.CreatedAt, &k.ExpiresAt, &k.LastUsedAt, &k.RevokedAt)
	return &k, err
}

// NewAPIKey is what CreateAPIKey stores.
type NewAPIKey struct {
	ID        uuid.UUID
	Name      string
	Prefix    string
	Hash      []byte // SHA-256 of the key
	Role      integration.Role
	Projects  []uuid.UUID // nil means all
	ExpiresAt *time.Time
	// Subject is whose browser session the key is; empty for a key that was asked for.
	Subject string
	// Parent is the API key that began the session; nil for any other session, and for what is none. Its projects are the
	// session's, whichever of them are left.
	Parent *uuid.UUID
}

// CreateAPIKey inserts a key of the scope's organisation. A project that the scope does not have is NotFound.
func (t *Tenant) CreateAPIKey(ctx context.Context, n NewAPIKey) (key *integration.APIKey, err error) {
	args := []any{n.ID, t.scope.Org, n.Name, n.Prefix, n.Hash, n.Role, n.Projects, t.scope.Actor, n.ExpiresAt, t.scope.Projects, n.Subject, n.Parent}
	event := audit{integration.AuditAPIKeyCreate, map[string]any{"key": n.ID, "name": n.Name, "role": n.Role, "projects": n.Projects}}
	if n.Subject != "" {
		event = audit{integration.AuditSessionCreate, map[string]any{"key": n.ID, "role": n.Role}}
	}
	if n.Parent != nil {
		event.changes["begunWith"] = *n.Parent
	}
	statement := `
			WITH created AS (
				INSERT INTO kb.api_keys (id, org_id, name, prefix, hash, role, project_ids, created_by, expires_at, subject, parent_id)
				SELECT $1, $2::text, $3, $4, $5, $6, $7::uuid[], $8, $9, nullif($11, ''), $12::uuid
				WHERE NOT EXISTS (
					SELECT FROM unnest(CASE WHEN $12::uuid IS NULL THEN $7::uuid[] END) wanted
					WHERE NOT EXISTS (
						SELECT FROM kb.projects p
						WHERE p.id = wanted
							AND p.org_id = $2::text
							AND ($10::uuid[] IS NULL OR p.id = ANY ($10))))
				RETURNING ` + apiKeyColumns + `
			), ` + t.recorded(&args, "created", "NULL::uuid", "NULL::uuid", event) + `
			SELECT ` + apiKeyColumns + `
			FROM created`
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(statement, args...).QueryRow(into(&key, scanAPIKey))
	})
	if err == nil && key == nil {
		err = integration.NotFound("a project in projectIds does not exist")
	}
	return key, err
}

// APIKeys lists the scope's keys, oldest first, revoked and expired ones too.
func (t *Tenant) APIKeys(ctx context.Context) (keys []*integration.APIKey, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT `+apiKeyColumns+`
			FROM kb.api_keys
			WHERE org_id = $1
				AND ($2::uuid[] IS NULL OR project_ids <@ $2)
			ORDER BY created_at, id`,
			t.scope.Org, t.scope.Projects,
		).Query(func(rows pgx.Rows) (err error) {
			keys, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*integration.APIKey, error) { return scanAPIKey(row) })
			return err
		})
	})
	return keys, err
}

// RevokeAPIKey ends a key for good, and the sessions that it began. Revoking it again changes nothing.
func (t *Tenant) RevokeAPIKey(ctx context.Context, id uuid.UUID) (key *integration.APIKey, err error) {
	args := []any{id, t.scope.Org, t.scope.Projects}
	const mine = `id = $1
					AND org_id = $2
					AND ($3::uuid[] IS NULL OR project_ids <@ $3)`
	statement := `
			WITH revoked AS (
				UPDATE kb.api_keys
				SET revoked_at = now()
				WHERE ` + mine + `
					AND revoked_at IS NULL
				RETURNING ` + apiKeyColumns + `
			), sessions AS (
				UPDATE kb.api_keys
				SET revoked_at = now()
				WHERE org_id = $2
					AND parent_id = (SELECT id FROM revoked)
					AND revoked_at IS NULL
			), ` + t.recorded(&args, "revoked", "NULL::uuid", "NULL::uuid", audit{integration.AuditAPIKeyRevoke, map[string]any{"key": id}}) + `
			SELECT ` + apiKeyColumns + `
			FROM revoked
			UNION ALL
			SELECT ` + apiKeyColumns + `
			FROM kb.api_keys
			WHERE ` + mine + `
				AND revoked_at IS NOT NULL`
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(statement, args...).QueryRow(into(&key, scanAPIKey))
	})
	if err == nil && key == nil {
		err = integration.NotFound("no API key has the id %s", id)
	}
	return key, err
}

// AuthenticAPIKey is what is known of a key that a request has shown.
type AuthenticAPIKey struct {
	ID        uuid.UUID
	Org       string
	Name      string
	Prefix    string
	Subject   *string // whose browser session it is; nil for a key that was asked for
	Role      integration.Role
	Projects  []uuid.UUID
	ExpiresAt *time.Time
	Parent    *uuid.UUID // the API key that began the session
}

// AuthenticateAPIKey looks a key up by its SHA-256, whatever its organisation, and notes that it was used. It returns
// nil for one that is unknown, revoked or expired.
func (db *DB) AuthenticateAPIKey(ctx context.Context, hash []byte) (*AuthenticAPIKey, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT id, org_id, name, prefix, subject, role, project_ids, expires_at, parent_id
		FROM kb.authenticate_api_key($1)`, hash)
	if err != nil {
		return nil, translate(err)
	}
	key, err := pgx.CollectOneRow(rows, pgx.RowToAddrOfStructByPos[AuthenticAPIKey])
	if err == pgx.ErrNoRows {
		return nil, nil
	}
	return key, translate(err)
}

// ValidAPIKeys returns which of these SHA-256 are of keys that are neither revoked nor expired, and notes that they are in use.
func (db *DB) ValidAPIKeys(ctx context.Context, hashes [][]byte) ([][]byte, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT k.hash
		FROM unnest($1::bytea[]) AS k (hash)
		WHERE EXISTS (SELECT FROM kb.authenticate_api_key(k.hash))`, hashes)
	if err != nil {
		return nil, translate(err)
	}
	valid, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	return valid, translate(err)
}

// PruneSessions removes up to so many browser sessions, of whatever organisation, that expired so long ago.
func (db *DB) PruneSessions(ctx context.Context, since time.Duration, atOnce int) error {
	_, err := db.pool.Exec(ctx, `SELECT kb.prune_sessions($1, $2)`, since, atOnce)
	return translate(err)
}
