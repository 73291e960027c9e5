package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
)

const syncStateColumns = `
	s.id, s.integration_id, s.project_id, s.sync_status, s.last_sync_at, s.last_successful_sync, s.sync_error,
	s.total_synced, s.workspace_id, s.workspace_name, s.last_synced, s.selection, s.mappings,
	s.every_minutes, s.cron, s.time_zone, s.consecutive_failures, s.next_sync_at, s.created_at, s.updated_at`

// syncStateRow scans syncStateColumns.
type syncStateRow struct {
	state                integration.SyncState
	lastSynced, mappings []byte // JSON
	schedule             integration.SyncSchedule
}

func (r *syncStateRow) targets() []any {
	s := &r.state
	return []any{
		scanID(&s.ID), scanID(&s.IntegrationID), scanID(&s.ProjectID), &s.Status, &s.LastSyncAt, &s.LastSuccessfulSync, &s.Error,
		&s.TotalSynced, &s.WorkspaceID, &s.WorkspaceName, &r.lastSynced, &s.Selection, &r.mappings,
		&r.schedule.EveryMinutes, &r.schedule.Cron, &r.schedule.TimeZone, &s.ConsecutiveFailures, &s.NextSyncAt, &s.CreatedAt, &s.UpdatedAt,
	}
}

func (r *syncStateRow) value() (*integration.SyncState, error) {
	s := r.state
	var lastSynced map[string]string
	var err error
	if s.Mappings, err = decodeMappings(r.mappings); err == nil {
		err = decodeObject(r.lastSynced, &lastSynced)
	}
	if err != nil {
		return nil, fmt.Errorf("sync state %s: %w", s.ID, err)
	}
	s.LastSynced = make([]integration.SyncCursor, 0, len(lastSynced))
	for kind, id := range lastSynced {
		s.LastSynced = append(s.LastSynced, integration.SyncCursor{Kind: kind, ExternalID: id})
	}
	slices.SortFunc(s.LastSynced, func(a, b integration.SyncCursor) int { return cmp.Compare(a.Kind, b.Kind) })
	if r.schedule.EveryMinutes != nil || r.schedule.Cron != nil {
		s.Schedule = &r.schedule
	}
	return &s, nil
}

// decodeMappings returns mappings sorted by kind and external id.
func decodeMappings(text []byte) ([]integration.SyncMapping, error) {
	list := []integration.SyncMapping{}
	var mappings map[integration.SyncMappingKind]map[string]string
	err := decodeObject(text, &mappings)
	for kind, targets := range mappings {
		for id, target := range targets {
			list = append(list, integration.SyncMapping{Kind: kind, ExternalID: id, Target: target})
		}
	}
	slices.SortFunc(list, func(a, b integration.SyncMapping) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ExternalID, b.ExternalID))
	})
	return list, err
}

// decodeObject decodes a JSON object into a map. Most are empty, and lists have many: those are not decoded.
func decodeObject[M ~map[K]V, K comparable, V any](text []byte, into *M) error {
	if string(text) == "{}" {
		return nil
	}
	return json.Unmarshal(text, into)
}

// scanID is the target to scan an id into. pgx would read a *uuid.UUID by its sql.Scanner, through text.
func scanID(id *uuid.UUID) *[16]byte { return (*[16]byte)(id) }

// SyncStates lists the sync state of every integration of a project, or of those in one status, sorted by the
// integrations' names.
func (t *Tenant) SyncStates(ctx context.Context, project uuid.UUID, status *integration.SyncStatus) ([]*integration.SyncState, error) {
	var exists bool
	var states []*integration.SyncState
	err := t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT `+projectExists, t.scope.Org, t.scope.Projects, project).
			QueryRow(func(row pgx.Row) error { return row.Scan(&exists) })
		b.Queue(`
			SELECT `+syncStateColumns+`
			FROM kb.sync_states s
			JOIN kb.integrations i ON i.id = s.integration_id AND i.org_id = s.org_id
			WHERE `+inScope+`
				AND `+projectExists+`
				AND i.project_id = $3
				AND ($4::text IS NULL OR s.sync_status = $4)
			ORDER BY i.name`,
			t.scope.Org, t.scope.Projects, project, status,
		).Query(func(rows pgx.Rows) (err error) {
			states, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*integration.SyncState, error) { return scanSyncState(row) })
			return err
		})
	})
	if err == nil && !exists {
		err = noProject(project)
	}
	return states, err
}

// SyncState returns the state of an integration, or nil where the scope has none.
func (t *Tenant) SyncState(ctx context.Context, id uuid.UUID) (state *integration.SyncState, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT `+syncStateColumns+`
			FROM kb.sync_states s
			WHERE `+stateScope+`
				AND s.integration_id = $3`,
			t.scope.Org, t.scope.Projects, id,
		).QueryRow(into(&state, scanSyncState))
	})
	return state, err
}

// stateScope is the predicate of statements on kb.sync_states s: $1 is the organisation, $2 the scope's projects.
const stateScope = `s.org_id = $1 AND ($2::uuid[] IS NULL OR s.project_id = ANY ($2))`

func scanSyncState(row pgx.Row) (*integration.SyncState, error) {
	var r syncStateRow
	if err := row.Scan(r.targets()...); err != nil {
		return nil, err
	}
	return r.value()
}

// lockState keeps the state of the integration $3 from others until the transaction ends.
const lockState = `SELECT FROM kb.sync_states s WHERE ` + stateScope + ` AND s.integration_id = $3 FOR UPDATE`

// changeSyncState changes an integration's state and records that. set is what follows SET, with arguments from $4 on, only
// a further condition, and also a further WITH query. It returns nil where the scope has no such integration, or the condition does not hold.
func (t *Tenant) changeSyncState(ctx context.Context, id uuid.UUID, e audit, set, only, also string, values ...any) (state *integration.SyncState, err error) {
	args := append([]any{t.scope.Org, t.scope.Projects, id}, values...)
	statement := `
			WITH changed AS (
				UPDATE kb.sync_states s
				SET ` + set + `
				WHERE ` + stateScope + `
					AND s.integration_id = $3` + only + `
				RETURNING *
			), ` + also + t.recorded(&args, "changed", "project_id", "integration_id", e) + `
			SELECT ` + syncStateColumns + `
			FROM changed s`
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(briefly)
		b.Queue(lockState, t.scope.Org, t.scope.Projects, id) // first, so that the condition is of what whoever held it before has committed
		b.Queue(statement, args...).QueryRow(into(&state, scanSyncState))
	})
	return state, err
}

// ResetSyncState forgets where an integration's runs go on, so that the next one reads everything, details too; imported objects stay. It
// returns nil where the scope has no such integration, and a Conflict while a run is live.
func (t *Tenant) ResetSyncState(ctx context.Context, id uuid.UUID) (state *integration.SyncState, err error) {
	state, err = t.changeSyncState(ctx, id, audit{integration.AuditSyncReset, nil}, `
					sync_status = 'PENDING', sync_error = NULL, cursor = NULL, last_synced = '{}', consecutive_failures = 0,
					details_swept_at = 'epoch', details_sweep_after = NULL, details_sweep_listings = NULL`, `
					AND NOT EXISTS (
						SELECT FROM kb.sync_runs r
						WHERE r.integration_id = s.integration_id AND r.org_id = s.org_id AND r.finished_at IS NULL)`, `unnoted AS (
				DELETE FROM kb.sync_pending p
				USING changed s
				WHERE p.integration_id = s.integration_id
					AND p.org_id = s.org_id
			), `)
	if err != nil || state != nil {
		return state, err
	}
	live, err := t.LiveSyncRuns(ctx, []uuid.UUID{id})
	if err == nil && len(live) > 0 {
		err = liveRun
	}
	return nil, err
}

// SetSyncSchedule sets or, with nil, ends an integration's schedule. next is when it is due first. It returns nil where the scope
// has no such integration.
func (t *Tenant) SetSyncSchedule(ctx context.Context, id uuid.UUID, s *integration.SyncSchedule, next *time.Time) (*integration.SyncState, error) {
	changes := map[string]any{"everyMinutes": nil, "cron": nil, "timeZone": nil}
	if s == nil {
		s = &integration.SyncSchedule{}
	} else {
		changes = map[string]any{"everyMinutes": s.EveryMinutes, "cron": s.Cron, "timeZone": s.TimeZone}
	}
	return t.changeSyncState(ctx, id, audit{integration.AuditSyncScheduleSet, changes}, `
					every_minutes = $4, cron = $5, time_zone = $6, next_sync_at = $7`, "", "",
		s.EveryMinutes, s.Cron, s.TimeZone, next)
}

// SetSyncMappings replaces an integration's mappings. It returns nil where the scope has no such integration.
func (t *Tenant) SetSyncMappings(ctx context.Context, id uuid.UUID, mappings []integration.SyncMapping) (*integration.SyncState, error) {
	byKind := map[integration.SyncMappingKind]map[string]string{}
	counts := map[string]any{}
	for _, m := range mappings {
		if byKind[m.Kind] == nil {
			byKind[m.Kind] = map[string]string{}
		}
		byKind[m.Kind][m.ExternalID] = m.Target
		counts[string(m.Kind)] = len(byKind[m.Kind])
	}
	return t.changeSyncState(ctx, id, audit{integration.AuditSyncMappingsSet, counts}, `mappings = $4`, "", "", byKind)
}

// DueSync is an integration whose schedule is due.
type DueSync struct {
	Org           string
	IntegrationID uuid.UUID
}

// DueSyncs lists at most so many integrations whose schedule is due, the longest due first.
func (db *DB) DueSyncs(ctx context.Context, most int) ([]DueSync, error) {
	rows, err := db.pool.Query(ctx, `SELECT org_id, integration_id FROM kb.due_syncs($1)`, most)
	if err != nil {
		return nil, translate(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DueSync])
	return list, translate(err)
}

// TakeDueSync returns the state of an integration whose schedule is due, inside InTx, and keeps other replicas from taking it
// too. It returns nil where it is due no more.
func (t *Tenant) TakeDueSync(ctx context.Context, id uuid.UUID) (state *integration.SyncState, err error) {
	err = t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			SELECT `+syncStateColumns+`
			FROM kb.sync_states s
			WHERE `+stateScope+`
				AND s.integration_id = $3
				AND s.next_sync_at <= clock_timestamp()
			FOR UPDATE SKIP LOCKED`,
			t.scope.Org, t.scope.Projects, id,
		).QueryRow(into(&state, scanSyncState))
	})
	return state, err
}

// SetNextSync says when an integration's schedule is due again.
func (t *Tenant) SetNextSync(ctx context.Context, id uuid.UUID, next *time.Time) error {
	return t.send(ctx, func(b *pgx.Batch) {
		b.Queue(`
			UPDATE kb.sync_states s
			SET next_sync_at = $4
			WHERE `+stateScope+`
				AND s.integration_id = $3`,
			t.scope.Org, t.scope.Projects, id, next)
	})
}
