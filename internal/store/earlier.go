package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"patchbay/internal/seal"
)

// setAside is what ends the names of the earlier module's tables once they made room for ours.
const setAside = "_before_patchbay"

// The earlier module's tables, by the names that it gave them.
const (
	earlierIntegrations = "integrations"
	earlierSyncStates   = "clickup_sync_state"
)

// Earlier is the earlier module's data, read in one read-only transaction.
type Earlier struct {
	conn   *pgx.Conn
	tx     pgx.Tx
	zone   string
	crypto string // pgcrypto's schema, quoted; empty where the database lacks it

	integrations, syncStates, projects *earlierTable // nil where there is none
}

// earlierTable is a table that was found, and the types of its columns.
type earlierTable struct {
	name  string // with its schema, quoted
	types map[string]string
}

// EarlierIntegration is a row of the earlier module's integrations, as it was stored.
type EarlierIntegration struct {
	ID, ProjectID        uuid.UUID // uuid.Nil for NULL
	OrgID, Name          string
	DisplayName          string
	Description, LogoURL *string
	Enabled              bool
	Settings             seal.Secret // the column's bytes: encrypted or not
	WebhookSecret        seal.Secret // likewise
	CreatedBy            *string
	CreatedAt, UpdatedAt *time.Time
}

// EarlierSyncState is a row of the earlier module's clickup_sync_state.
type EarlierSyncState struct {
	ID, IntegrationID          uuid.UUID // uuid.Nil for NULL
	LastSyncAt, LastSuccessful *time.Time
	Status                     string
	Error                      *string
	TotalSynced                int
	LastSynced                 map[string]string // by kind
	WorkspaceID, WorkspaceName *string
	Mappings                   map[string][]byte // JSON, by our kinds
	CreatedAt, UpdatedAt       *time.Time
}

// EarlierProject is a row of the projects beside the earlier module's tables.
type EarlierProject struct {
	OrgID string
	Name  string // empty where there is none
}

// OpenEarlier connects to the database that holds the earlier module's tables, under their own names or under those that
// SetEarlierAside gives them. Times without a zone are read in this one, an IANA name.
func OpenEarlier(ctx context.Context, url seal.Secret, zone string) (*Earlier, error) {
	conn, err := pgx.Connect(ctx, url.Expose())
	if err != nil {
		return nil, fmt.Errorf("connect to the earlier module's database: %w", withoutDSN(err))
	}
	e := &Earlier{conn: conn, zone: zone}
	if err := e.begin(ctx); err != nil {
		e.Close(ctx)
		return nil, err
	}
	return e, nil
}

// Close ends the connection.
func (e *Earlier) Close(ctx context.Context) { _ = e.conn.Close(context.WithoutCancel(ctx)) }

func (e *Earlier) begin(ctx context.Context) (err error) {
	e.tx, err = e.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return fmt.Errorf("read the earlier module's database: %w", translate(err))
	}
	// With policies that bind the login, rows would be missed without a word; so it is an error.
	if _, err := e.tx.Exec(ctx, `SET LOCAL row_security = off`); err != nil {
		return translate(err)
	}
	if err := keepOutOfLog(ctx, e.tx); err != nil {
		return err
	}
	var known bool
	err = e.tx.QueryRow(ctx, `
		SELECT
			EXISTS (SELECT FROM pg_timezone_names WHERE name = $1),
			coalesce((SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pgcrypto'), '')`,
		e.zone,
	).Scan(&known, &e.crypto)
	if err != nil {
		return fmt.Errorf("look at the earlier module's database: %w", translate(err))
	}
	if !known {
		return fmt.Errorf("%q is no time zone that PostgreSQL knows: expected a name such as Europe/Berlin", e.zone)
	}
	if e.integrations, err = e.find(ctx, earlierIntegrations); err != nil {
		return err
	}
	if e.syncStates, err = e.find(ctx, earlierSyncStates); err != nil {
		return err
	}
	if e.integrations == nil {
		return errors.New("the database has no table kb.integrations of the earlier module")
	}
	for _, column := range []string{"id", "name", "org_id", "project_id"} {
		if e.integrations.types[column] == "" {
			return fmt.Errorf("%s is not the earlier module's: it has no column %s", e.integrations.name, column)
		}
	}
	if e.syncStates != nil && e.syncStates.types["integration_id"] == "" {
		return fmt.Errorf("%s is not the earlier module's: it has no column integration_id", e.syncStates.name)
	}
	e.projects, err = e.columns(ctx, "projects")
	if e.projects != nil && (e.projects.types["id"] == "" || e.projects.types["org_id"] == "") {
		e.projects = nil
	}
	return err
}

// keepOutOfLog keeps bind parameters, which are keys and secrets, out of the server's log for the rest of a transaction. It
// fails where the server would log them and the login may not change that.
func keepOutOfLog(ctx context.Context, tx pgx.Tx) error {
	var login string
	var logged bool
	_, err := tx.Exec(ctx, `
		SELECT set_config(name, '0', true)
		FROM pg_settings
		WHERE name = 'log_parameter_max_length_on_error'
			OR name = 'log_parameter_max_length' AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)`)
	if err == nil {
		err = tx.QueryRow(ctx, `
			SELECT
				quote_ident(current_user),
				coalesce(current_setting('log_parameter_max_length', true), '-1') <> '0'
					AND (current_setting('log_statement') IN ('mod', 'all')
						OR current_setting('log_min_duration_statement') <> '-1'
						OR coalesce(current_setting('log_min_duration_sample', true), '-1') <> '-1')`,
		).Scan(&login, &logged)
	}
	if err != nil {
		return fmt.Errorf("look at what the database server logs: %w", translate(err))
	}
	if logged {
		return fmt.Errorf("the database server logs statements with their parameters, so keys and secrets would be in its log. "+
			"Run as a superuser, then start again:\n  ALTER ROLE %s SET log_parameter_max_length = 0;", login)
	}
	return nil
}

// find looks for a table of the earlier module: set aside, or under its own name where that is not ours.
func (e *Earlier) find(ctx context.Context, name string) (*earlierTable, error) {
	aside, err := e.columns(ctx, name+setAside)
	if aside != nil || err != nil {
		return aside, err
	}
	var ours bool
	if err := e.tx.QueryRow(ctx, `SELECT EXISTS (`+migrationsTableExists+`)`).Scan(&ours); err != nil || ours {
		return nil, translate(err)
	}
	return e.columns(ctx, name)
}

// columns reads the columns of a table in schema kb; nil where there is no such table.
func (e *Earlier) columns(ctx context.Context, name string) (*earlierTable, error) {
	rows, err := e.tx.Query(ctx, `
		SELECT a.attname, a.atttypid::regtype::text
		FROM pg_class c
		JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = to_regnamespace('kb')
			AND c.relname = $1
			AND c.relkind IN ('r', 'p')
			AND a.attnum > 0
			AND NOT a.attisdropped`, name)
	if err != nil {
		return nil, translate(err)
	}
	t := &earlierTable{name: pgx.Identifier{"kb", name}.Sanitize(), types: map[string]string{}}
	var column, kind string
	_, err = pgx.ForEachRow(rows, []any{&column, &kind}, func() error { t.types[column] = kind; return nil })
	if err != nil || len(t.types) == 0 {
		return nil, translate(err)
	}
	return t, nil
}

// text selects a column as text, or NULL where the table lacks it.
func (t *earlierTable) text(column string) string { return t.as(column, "text") }

func (t *earlierTable) as(column, kind string) string {
	if t.types[column] == "" {
		return "NULL::" + kind
	}
	return pgx.Identifier{column}.Sanitize() + "::" + kind
}

// time selects a time; $1 is the zone of those that have none. What is no finite time is NULL.
func (t *earlierTable) time(column string) string {
	quoted := pgx.Identifier{column}.Sanitize()
	switch t.types[column] {
	case "timestamp without time zone":
		return "CASE WHEN isfinite(" + quoted + ") THEN " + quoted + " AT TIME ZONE $1 END"
	case "timestamp with time zone":
		return "CASE WHEN isfinite(" + quoted + ") THEN " + quoted + " END"
	}
	return "NULL::timestamptz"
}

// bytes selects the bytes of a text or binary column.
func (t *earlierTable) bytes(column string) string {
	switch t.types[column] {
	case "":
		return "NULL::bytea"
	case "bytea":
		return pgx.Identifier{column}.Sanitize()
	}
	return "convert_to(" + t.text(column) + ", 'UTF8')"
}

// Integrations reads every integration, the oldest first.
func (e *Earlier) Integrations(ctx context.Context) ([]EarlierIntegration, error) {
	t := e.integrations
	rows, err := e.tx.Query(ctx, `
		SELECT
			coalesce(`+t.as("id", "uuid")+`, '00000000-0000-0000-0000-000000000000'),
			coalesce(`+t.as("project_id", "uuid")+`, '00000000-0000-0000-0000-000000000000'),
			coalesce(`+t.text("org_id")+`, ''),
			coalesce(`+t.text("name")+`, ''),
			coalesce(`+t.text("display_name")+`, ''),
			`+t.text("description")+`,
			`+t.text("logo_url")+`,
			coalesce(`+t.as("enabled", "boolean")+`, true),
			coalesce(`+t.bytes("settings_encrypted")+`, `+t.bytes("settings")+`),
			`+t.bytes("webhook_secret")+`,
			`+t.text("created_by")+`,
			`+t.time("created_at")+` AS created,
			`+t.time("updated_at")+`
		FROM `+t.name+`
		WHERE $1::text IS NOT NULL
		ORDER BY created, 1`, e.zone)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.name, translate(err))
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (i EarlierIntegration, err error) {
		var settings, webhookSecret []byte
		err = row.Scan(scanID(&i.ID), scanID(&i.ProjectID), &i.OrgID, &i.Name, &i.DisplayName, &i.Description, &i.LogoURL, &i.Enabled,
			&settings, &webhookSecret, &i.CreatedBy, &i.CreatedAt, &i.UpdatedAt)
		i.Settings, i.WebhookSecret = seal.NewSecret(string(settings)), seal.NewSecret(string(webhookSecret))
		return i, err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.name, translate(err))
	}
	return all, nil
}

// SyncStates reads every sync state, of one integration the latest first.
func (e *Earlier) SyncStates(ctx context.Context) ([]EarlierSyncState, error) {
	t := e.syncStates
	if t == nil {
		return nil, nil
	}
	kinds := []string{"task", "doc", "list", "folder", "space"}
	mappings := map[string]string{"SPACE": "space_mappings", "LIST": "list_mappings", "FOLDER": "folder_mappings", "USER": "user_mappings", "CUSTOM_FIELD": "custom_field_mappings"}
	lastSynced := ""
	for _, kind := range kinds {
		lastSynced += ", '" + kind + "', nullif(" + t.text("last_"+kind+"_synced_id") + ", '')"
	}
	mapped := ""
	for kind, column := range mappings {
		mapped += ", '" + kind + "', " + t.as(column, "jsonb")
	}
	rows, err := e.tx.Query(ctx, `
		SELECT
			coalesce(`+t.as("id", "uuid")+`, '00000000-0000-0000-0000-000000000000'),
			coalesce(`+t.as("integration_id", "uuid")+`, '00000000-0000-0000-0000-000000000000') AS integration,
			`+t.time("last_sync_at")+`,
			`+t.time("last_successful_sync")+`,
			coalesce(`+t.text("sync_status")+`, ''),
			`+t.text("sync_error")+`,
			least(greatest(coalesce(`+t.as("total_synced", "bigint")+`, 0), 0), 2147483647),
			jsonb_strip_nulls(jsonb_build_object(`+lastSynced[2:]+`)),
			`+t.text("workspace_id")+`,
			`+t.text("workspace_name")+`,
			jsonb_strip_nulls(jsonb_build_object(`+mapped[2:]+`)),
			`+t.time("created_at")+`,
			`+t.time("updated_at")+` AS updated
		FROM `+t.name+`
		WHERE $1::text IS NOT NULL
		ORDER BY integration, updated DESC NULLS LAST, 1`, e.zone)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.name, translate(err))
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s EarlierSyncState, err error) {
		var mappings map[string]jsonText
		err = row.Scan(scanID(&s.ID), scanID(&s.IntegrationID), &s.LastSyncAt, &s.LastSuccessful, &s.Status, &s.Error, &s.TotalSynced,
			&s.LastSynced, &s.WorkspaceID, &s.WorkspaceName, &mappings, &s.CreatedAt, &s.UpdatedAt)
		s.Mappings = make(map[string][]byte, len(mappings))
		for kind, text := range mappings {
			s.Mappings[kind] = text
		}
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.name, translate(err))
	}
	return all, nil
}

// jsonText is JSON that is kept as it came.
type jsonText []byte

// UnmarshalJSON copies the text.
func (j *jsonText) UnmarshalJSON(b []byte) error { *j = append((*j)[:0], b...); return nil }

// Projects reads the projects beside the earlier module's tables, where there are any and the login may.
func (e *Earlier) Projects(ctx context.Context) (map[uuid.UUID]EarlierProject, error) {
	all := map[uuid.UUID]EarlierProject{}
	if e.projects == nil {
		return all, nil
	}
	var may bool
	if err := e.tx.QueryRow(ctx, `SELECT has_table_privilege($1::text, 'SELECT')`, e.projects.name).Scan(&may); err != nil || !may {
		return all, translate(err)
	}
	rows, err := e.tx.Query(ctx, `
		SELECT id::uuid, coalesce(`+e.projects.text("org_id")+`, ''), coalesce(`+e.projects.text("name")+`, '')
		FROM `+e.projects.name+`
		WHERE id IS NOT NULL
		ORDER BY id`)
	if err != nil {
		return nil, translate(err)
	}
	var id uuid.UUID
	var p EarlierProject
	_, err = pgx.ForEachRow(rows, []any{scanID(&id), &p.OrgID, &p.Name}, func() error { all[id] = p; return nil })
	return all, translate(err)
}

// CanDecrypt reports whether the database has pgcrypto.
func (e *Earlier) CanDecrypt() bool { return e.crypto != "" }

// EarlierForm is a way in which the earlier module encrypted.
type EarlierForm int

const (
	// EarlierOpenPGP is pgp_sym_encrypt with the key's text as the passphrase.
	EarlierOpenPGP EarlierForm = iota
	// EarlierCBC is encrypt(…, digest(key, 'sha256'), 'aes-cbc').
	EarlierCBC
)

// Decrypt opens what the earlier module encrypted. It reports false where that does not open. As binary, because
// PostgreSQL's errors about text quote its bytes.
func (e *Earlier) Decrypt(ctx context.Context, form EarlierForm, sealed []byte, key seal.Secret) (opened []byte, ok bool, err error) {
	if e.crypto == "" {
		return nil, false, nil
	}
	statement := `SELECT ` + e.crypto + `.pgp_sym_decrypt_bytea($1::bytea, $2::text)`
	if form == EarlierCBC {
		statement = `SELECT ` + e.crypto + `.decrypt($1::bytea, ` + e.crypto + `.digest($2::text, 'sha256'), 'aes-cbc')`
	}
	err = pgx.BeginFunc(ctx, e.tx, func(save pgx.Tx) error {
		return save.QueryRow(ctx, statement, sealed, key.Expose()).Scan(&opened)
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == externalRoutine || pg.Code[:2] == "22") {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("decrypt with the earlier module's database: %w", translate(err))
	}
	return opened, true, nil
}

// Referrers lists the foreign keys and views of others that refer to the earlier module's tables: they keep doing so
// after these were set aside.
func (e *Earlier) Referrers(ctx context.Context) ([]string, error) {
	names := []string{e.integrations.name}
	if e.syncStates != nil {
		names = append(names, e.syncStates.name)
	}
	rows, err := e.tx.Query(ctx, `
		WITH ours AS (SELECT unnest($1::text[])::regclass AS id)
		SELECT format('the foreign key %s of %s refers to %s', conname, conrelid::regclass, confrelid::regclass)
		FROM pg_constraint
		WHERE contype = 'f'
			AND confrelid IN (SELECT id FROM ours)
			AND conrelid NOT IN (SELECT id FROM ours)
		UNION
		SELECT format('the view %s reads %s', r.ev_class::regclass, d.refobjid::regclass)
		FROM pg_depend d
		JOIN pg_rewrite r ON r.oid = d.objid
		WHERE d.classid = 'pg_rewrite'::regclass
			AND d.refclassid = 'pg_class'::regclass
			AND d.refobjid IN (SELECT id FROM ours)
			AND r.ev_class <> d.refobjid
		ORDER BY 1`, names)
	if err != nil {
		return nil, translate(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return all, translate(err)
}
