package store

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/seal"
)

// SealingKeys is as DB's.
func (i *Inspection) SealingKeys(ctx context.Context) (map[string]int, error) {
	return sealingKeys(ctx, i.conn)
}

// Sealing is what became of a throwaway value.
type Sealing struct {
	PgcryptoVersion string
	Sealed          string // base64 of an OpenPGP message
	Opens           bool   // with its passphrase
	OpensForOthers  bool   // with another one
}

// TrySealing seals a throwaway value and opens it again, as it does real ones.
func (i *Inspection) TrySealing(ctx context.Context, plaintext, passphrase, other seal.Secret) (s Sealing, err error) {
	err = i.conn.QueryRow(ctx, `
		SELECT
			coalesce((SELECT extversion FROM pg_extension WHERE extname = 'pgcrypto'), ''),
			s.sealed,
			kb.opens(s.sealed, $2) AND kb.unseal(s.sealed, $2) = $1,
			kb.opens(s.sealed, $3)
		FROM (SELECT kb.seal($1, $2) AS sealed OFFSET 0) s`,
		plaintext.Expose(), passphrase.Expose(), other.Expose(),
	).Scan(&s.PgcryptoVersion, &s.Sealed, &s.Opens, &s.OpensForOthers)
	return s, translate(err)
}

// UnreadableRow is a row with a sealed value that does not open.
type UnreadableRow struct {
	Table   string
	ID      uuid.UUID
	Columns []string
}

// Opened counts the rows that were tried, and lists the first that do not open.
type Opened struct {
	Rows       int // whose key the ring has; others are not tried
	Unreadable int
	First      []UnreadableRow
}

// rowsPerTry bounds a batch of OpenAll; opening a value takes well below a millisecond.
const rowsPerTry = 500

// OpenAll tries every sealed value of all tenants, and keeps the first few rows that do not open. Plaintexts stay in the
// database; passphrases travel to it, so a server that logs parameters should not be asked.
func (i *Inspection) OpenAll(ctx context.Context, ring *seal.Ring, keep int) (o Opened, err error) {
	for after := uuid.Nil; ; {
		// One snapshot for both statements: a row may be sealed anew at any time.
		var last uuid.UUID
		err := pgx.BeginTxFunc(ctx, i.conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			last, err = openSome(ctx, tx, ring, after, keep, &o)
			return err
		})
		if err != nil {
			return o, translate(err)
		}
		if last == uuid.Nil {
			return o, nil
		}
		after = last
	}
}

// openSome tries the next rows by id, and returns the last one's id, or none where there are no more.
func openSome(ctx context.Context, tx pgx.Tx, ring *seal.Ring, after uuid.UUID, keep int, o *Opened) (last uuid.UUID, err error) {
	rows, err := tx.Query(ctx, `
		SELECT i.id, i.org_id, i.key_id
		FROM kb.integrations i
		WHERE i.id > $1
			AND i.key_id IS NOT NULL
		ORDER BY i.id
		LIMIT $2`,
		after, rowsPerTry,
	)
	if err != nil {
		return last, err
	}
	var ids []uuid.UUID
	var settings, webhooks, previous []string
	var id uuid.UUID
	var org, keyID string
	_, err = pgx.ForEachRow(rows, []any{&id, &org, &keyID}, func() error {
		last = id
		if !ring.Has(keyID) {
			return nil
		}
		pass, err := derivePassphrases(ring, keyID, id, org)
		ids = append(ids, id)
		settings = append(settings, pass.settings.Expose())
		webhooks = append(webhooks, pass.webhookSecret.Expose())
		previous = append(previous, pass.previousWebhookSecret.Expose())
		return err
	})
	if err != nil {
		return last, err
	}
	rows, err = tx.Query(ctx, `
		SELECT id, columns
		FROM (
			SELECT
				i.id AS id,
				array_remove(ARRAY[
					CASE WHEN NOT kb.opens(i.settings, p.settings) THEN '`+settingsColumn+`' END,
					CASE WHEN NOT kb.opens(i.webhook_secret, p.webhook_secret) THEN '`+webhookSecretColumn+`' END,
					CASE WHEN `+previousCounts+` AND NOT kb.opens(i.previous_webhook_secret, p.previous) THEN '`+previousWebhookSecretColumn+`' END
				], NULL) AS columns
			FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) p (id, settings, webhook_secret, previous)
			JOIN kb.integrations i ON i.id = p.id
			OFFSET 0
		) tried
		WHERE columns <> '{}'
		ORDER BY id`,
		ids, settings, webhooks, previous,
	)
	if err != nil {
		return last, err
	}
	row := UnreadableRow{Table: integrationsTable}
	o.Rows += len(ids)
	_, err = pgx.ForEachRow(rows, []any{&row.ID, &row.Columns}, func() error {
		o.Unreadable++
		if len(o.First) < keep {
			o.First = append(o.First, UnreadableRow{row.Table, row.ID, slices.Clone(row.Columns)})
		}
		return nil
	})
	return last, err
}
