package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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
	var mappings map[integration.SyncMappingKind]map[string]string
	if err := errors.Join(decodeObject(r.lastSynced, &lastSynced), decodeObject(r.mappings, &mappings)); err != nil {
		return nil, fmt.Errorf("sync state %s: %w", s.ID, err)
	}
	s.LastSynced = make([]integration.SyncCursor, 0, len(lastSynced))
	for kind, id := range lastSynced {
		s.LastSynced = append(s.LastSynced, integration.SyncCursor{Kind: kind, ExternalID: id})
	}
	slices.SortFunc(s.LastSynced, func(a, b integration.SyncCursor) int { return cmp.Compare(a.Kind, b.Kind) })
	s.Mappings = []integration.SyncMapping{}
	for kind, targets := range mappings {
		for id, target := range targets {
			s.Mappings = append(s.Mappings, integration.SyncMapping{Kind: kind, ExternalID: id, Target: target})
		}
	}
	slices.SortFunc(s.Mappings, func(a, b integration.SyncMapping) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ExternalID, b.ExternalID))
	})
	if r.schedule.EveryMinutes != nil || r.schedule.Cron != nil {
		s.Schedule = &r.schedule
	}
	return &s, nil
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
			states, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*integration.SyncState, error) {
				var r syncStateRow
				if err := row.Scan(r.targets()...); err != nil {
					return nil, err
				}
				return r.value()
			})
			return err
		})
	})
	if err == nil && !exists {
		err = noProject(project)
	}
	return states, err
}
