package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
)

// auditList names the cursors of AuditEvents.
const auditList = "auditEvents"

// systemActor is whom changes are recorded under that no principal asked for.
const systemActor = "system"

// audit is an event to record.
type audit struct {
	action  integration.AuditAction
	changes map[string]any
}

// recorded is a WITH query, audited, that records an event for every row of rows, an earlier WITH query with an org_id. So
// the event commits with the change, and a change that found nothing to do leaves none. project and integration are
// expressions over rows. The statement's arguments grow by the event's.
func (t *Tenant) recorded(args *[]any, rows, project, integrationID string, e audit) string {
	n := len(*args)
	*args = append(*args, uuid.Must(uuid.NewV7()), t.actor(), string(e.action), jsonObject(e.changes), t.scope.Origin.RequestID, t.scope.Origin.RemoteAddr)
	return fmt.Sprintf(`audited AS (
				INSERT INTO kb.audit_events (id, org_id, project_id, integration_id, actor, action, changes, request_id, remote_addr)
				SELECT $%d, org_id, %s, %s, $%d, $%d, $%d, nullif($%d, ''), nullif($%d, '')
				FROM %s
			)`, n+1, project, integrationID, n+2, n+3, n+4, n+5, n+6, rows)
}

// RecordDenied records that a mutation was refused to the scope's actor. code is the API's.
func (t *Tenant) RecordDenied(ctx context.Context, mutation, code string) error {
	return t.record(ctx, nil, nil, audit{integration.AuditMutationDenied, map[string]any{"mutation": mutation, "code": code}})
}

// RecordSettingsTest records that the scope's actor tried settings that are not stored.
func (t *Tenant) RecordSettingsTest(ctx context.Context, provider string) error {
	return t.record(ctx, nil, nil, audit{integration.AuditSettingsTest, map[string]any{"provider": provider}})
}

// record writes an event that belongs to no change of a row.
func (t *Tenant) record(ctx context.Context, project, integrationID *uuid.UUID, e audit) error {
	args := []any{t.scope.Org, project, integrationID}
	statement := `
			WITH happened AS (
				SELECT $1::varchar AS org_id, $2::uuid AS project_id, $3::uuid AS integration_id
			), ` + t.recorded(&args, "happened", "project_id", "integration_id", e) + `
			SELECT FROM happened`
	return t.send(ctx, func(b *pgx.Batch) { b.Queue(statement, args...) })
}

// AuditEvents lists the scope's trail, newest first.
func (t *Tenant) AuditEvents(ctx context.Context, f integration.AuditFilter, args integration.PageArgs) (integration.Page[*integration.AuditEvent], error) {
	page := newPage[*integration.AuditEvent](args)
	var afterAt *time.Time
	var afterID *uuid.UUID
	if args.After != nil {
		at, id, err := decodeTimeCursor(auditList, *args.After)
		if err != nil {
			return page.Page, err
		}
		afterAt, afterID = &at, &id
	}
	const matches = `
			FROM kb.audit_events e
			WHERE e.org_id = $1
				AND ($2::uuid[] IS NULL OR e.project_id = ANY ($2))
				AND ($3::uuid IS NULL OR e.project_id = $3)
				AND ($4::uuid IS NULL OR e.integration_id = $4)
				AND ($5::text IS NULL OR e.action = $5)
				AND ($6::text IS NULL OR e.actor = $6)
				AND ($7::timestamptz IS NULL OR e.at >= $7)
				AND ($8::timestamptz IS NULL OR e.at < $8)`
	filter := []any{t.scope.Org, t.scope.Projects, f.ProjectID, f.IntegrationID, f.Action, f.Actor, f.Since, f.Until}
	err := t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT e.id, e.at, e.actor, e.action, e.org_id, e.project_id, e.integration_id, e.changes, e.request_id, e.remote_addr`+matches+`
				AND ($9::timestamptz IS NULL OR (e.at, e.id) < ($9, $10::uuid))
			ORDER BY e.at DESC, e.id DESC
			LIMIT $11`,
			append(slices.Clone(filter), afterAt, afterID, args.First+1)...,
		).Query(func(rows pgx.Rows) error {
			return page.collect(rows, func(row pgx.CollectableRow) (*integration.AuditEvent, string, error) {
				var e integration.AuditEvent
				err := row.Scan(&e.ID, &e.At, &e.Actor, &e.Action, &e.OrgID, &e.ProjectID, &e.IntegrationID, &e.Changes, &e.RequestID, &e.RemoteAddr)
				return &e, encodeTimeCursor(auditList, e.At, e.ID), err
			})
		})
		if args.CountTotal {
			b.Queue(`
			SELECT count(*)`+matches, filter...).QueryRow(func(row pgx.Row) error { return row.Scan(&page.Total) })
		}
	})
	return page.Page, err
}

// OrganisationsToChain names the organisations that have events which their chains do not.
func (db *DB) OrganisationsToChain(ctx context.Context) ([]string, error) {
	rows, err := db.pool.Query(ctx, `SELECT org_id FROM kb.organisations_to_chain()`)
	if err != nil {
		return nil, translate(err)
	}
	orgs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return orgs, translate(err)
}

// ExtendAuditChain appends at most so many of the scope's events to its chain, and returns how many it did.
func (t *Tenant) ExtendAuditChain(ctx context.Context, most int) (added int, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT kb.extend_audit_chain($1)`, most).QueryRow(func(row pgx.Row) error { return row.Scan(&added) })
	})
	return added, err
}

// AuditBreaksTold is how many breaks of one organisation's trail a report names.
const AuditBreaksTold = 100

// AuditReport is how one organisation's trail stands.
type AuditReport struct {
	Org       string
	Chained   int64        // events in the chain
	Head      string       // hash of the last of them, in hex: written down elsewhere, it shows a chain cut short
	Unchained int64        // events that the chain does not have yet
	Broken    int64        // breaks found; 0 where the trail holds
	Breaks    []AuditBreak // the first AuditBreaksTold of them, in the chain's order
}

// AuditBreak is one place where a trail does not hold.
type AuditBreak struct {
	Position int64      // in the chain, from 1; 0 where the event has none
	EventID  *uuid.UUID // nil where nothing that is left names the event
	What     string     // in words, those of auditBreaks
}

// VerifyAudit follows every organisation's chain to its end. It runs as the owner, who sees all of them, and changes nothing.
func (m *Migrator) VerifyAudit(ctx context.Context) ([]AuditReport, error) {
	var reports []AuditReport
	// Both queries see one moment: the server goes on chaining meanwhile.
	err := pgx.BeginTxFunc(ctx, m.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL ROLE "+ownerRole); err != nil {
			return cannotBecome(ownerRole, err)
		}
		rows, err := tx.Query(ctx, auditChains)
		if err != nil {
			return err
		}
		reports, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (AuditReport, error) {
			var r AuditReport
			var head []byte
			err := row.Scan(&r.Org, &r.Chained, &head, &r.Unchained)
			r.Head = hex.EncodeToString(head)
			return r, err
		})
		if err != nil {
			return err
		}
		of := make(map[string]*AuditReport, len(reports))
		for i := range reports {
			of[reports[i].Org] = &reports[i]
		}
		rows, err = tx.Query(ctx, auditBreaks)
		if err != nil {
			return err
		}
		var org string
		var b AuditBreak
		_, err = pgx.ForEachRow(rows, []any{&org, &b.Position, &b.EventID, &b.What}, func() error {
			r := of[org]
			if r.Broken++; r.Broken <= AuditBreaksTold {
				r.Breaks = append(r.Breaks, b)
			}
			return nil
		})
		return err
	})
	return reports, translate(err)
}

// auditChains tells how long each organisation's chain is. One without a chain, or without events, is there too.
const auditChains = `
		WITH organisations AS (
			SELECT org_id FROM kb.audit_events
			UNION
			SELECT org_id FROM kb.audit_chain
			UNION
			SELECT org_id FROM kb.audit_pending
		)
		SELECT
			o.org_id,
			(SELECT count(*) FROM kb.audit_chain c WHERE c.org_id = o.org_id),
			coalesce((SELECT c.hash FROM kb.audit_chain c WHERE c.org_id = o.org_id ORDER BY c.position DESC LIMIT 1), ''::bytea),
			(SELECT count(*) FROM kb.audit_pending p JOIN kb.audit_events e ON e.id = p.event_id WHERE p.org_id = o.org_id)
		FROM organisations o
		ORDER BY o.org_id`

// auditBreaks follows the chains: a link holds if its event is there and hashes to it, right after the link before. That
// takes the stored hash of the link before, so one break hides no other. A link whose event hashes to it after the hash
// that the link before should have holds as well: what was altered is the hash before it, which is told there. An event
// waits in kb.audit_pending from its insertion until it is chained, so that none is ever in both or in neither.
const auditBreaks = `
		WITH links AS (
			SELECT
				c.org_id,
				c.position,
				c.event_id,
				c.hash,
				e,
				1 + coalesce(lag(c.position) OVER chain, 0) AS due,
				kb.audit_hash(coalesce(lag(c.hash) OVER chain, ''::bytea), e) AS due_hash
			FROM kb.audit_chain c
			LEFT JOIN kb.audit_events e ON e.id = c.event_id
			WINDOW chain AS (PARTITION BY c.org_id ORDER BY c.position)
		), followed AS (
			SELECT
				org_id,
				position,
				event_id,
				due,
				CASE
					WHEN (e).id IS NULL THEN 'removed'
					WHEN (e).org_id <> org_id THEN 'altered'
					WHEN position <> due THEN 'cannot be checked'
					WHEN hash = due_hash THEN NULL
					WHEN hash = kb.audit_hash(lag(due_hash) OVER chain, e) THEN NULL
					ELSE 'altered'
				END AS what
			FROM links
			WINDOW chain AS (PARTITION BY org_id ORDER BY position)
		), breaks AS (
			SELECT org_id, position, event_id, what
			FROM followed
			WHERE what IS NOT NULL
			UNION ALL
			SELECT org_id, due, NULL, 'missing in the chain'
			FROM followed
			WHERE position <> due
			UNION ALL
			SELECT e.org_id, 0, e.id, 'neither chained nor waiting'
			FROM kb.audit_events e
			WHERE NOT EXISTS (SELECT FROM kb.audit_chain c WHERE c.event_id = e.id)
				AND NOT EXISTS (SELECT FROM kb.audit_pending p WHERE p.event_id = e.id)
			UNION ALL
			SELECT p.org_id, 0, p.event_id, 'removed before it was chained'
			FROM kb.audit_pending p
			WHERE NOT EXISTS (SELECT FROM kb.audit_events e WHERE e.id = p.event_id)
				AND NOT EXISTS (SELECT FROM kb.audit_chain c WHERE c.event_id = p.event_id)
		)
		SELECT org_id, position, event_id, what
		FROM breaks
		ORDER BY org_id, position = 0, position, event_id`
