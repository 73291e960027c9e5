package syncer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	_ "time/tzdata" // names of time zones, on machines that have none

	"github.com/google/uuid"
	"github.com/robfig/cron/v3"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

const (
	maxEveryMinutes = 7 * 24 * 60
	maxCron         = 200 // characters
	// jitter is the part of an interval by which runs may be late, so that not all of a server's begin together.
	jitter = 0.1
	// mostBackOff bounds how far apart failing scheduled runs get.
	mostBackOff = 24 * time.Hour
)

// everythingAfter is how long scheduled runs read only what changed, which finds no deletions, before one reads everything.
var everythingAfter = 24 * time.Hour

// SetSyncSchedule sets an integration's schedule; nil ends it.
func (s *Service) SetSyncSchedule(ctx context.Context, p integration.Principal, id uuid.UUID, schedule *integration.SyncSchedule) (*integration.SyncState, error) {
	tenant := s.db.Tenant(p.Scope())
	next, err := nextSync(schedule, 0, time.Now())
	if err != nil {
		if state, hidden := tenant.SyncState(ctx, id); hidden != nil || state == nil {
			return nil, orNoIntegration(hidden)
		}
		return nil, err
	}
	return s.changed(ctx, func() (*integration.SyncState, error) { return tenant.SetSyncSchedule(ctx, id, schedule, next) })
}

// nextSync is when a schedule is due after now, nil without one. After so many failures in a row intervals double with each.
func nextSync(schedule *integration.SyncSchedule, failures int, now time.Time) (*time.Time, error) {
	if schedule == nil {
		return nil, nil
	}
	var next time.Time
	switch minutes, line := schedule.EveryMinutes, schedule.Cron; {
	case (minutes == nil) == (line == nil):
		return nil, integration.Invalid("schedule", "schedule needs either everyMinutes or cron")
	case minutes != nil && schedule.TimeZone != nil:
		return nil, integration.Invalid("schedule.timeZone", "schedule.timeZone goes with cron; everyMinutes needs none")
	case minutes != nil:
		if *minutes < 1 || *minutes > maxEveryMinutes {
			return nil, integration.Invalid("schedule.everyMinutes", "schedule.everyMinutes must be from 1 to %d, not %d", maxEveryMinutes, *minutes)
		}
		interval := time.Duration(*minutes) * time.Minute
		next = now.Add(interval + time.Duration(rand.Float64()*jitter*float64(interval)))
	default:
		zone := time.UTC
		if schedule.TimeZone != nil {
			var err error
			if zone, err = time.LoadLocation(*schedule.TimeZone); err != nil || *schedule.TimeZone == "" || *schedule.TimeZone == "Local" {
				return nil, integration.Invalid("schedule.timeZone", "schedule.timeZone must be a name such as Europe/Berlin")
			}
		}
		parsed, err := parseCron(*line)
		if err != nil {
			return nil, err
		}
		if next = parsed.Next(now.In(zone)); next.IsZero() {
			return nil, integration.Invalid("schedule.cron", "schedule.cron is never due: no such day exists")
		}
	}
	if failures > 0 {
		if rest := now.Add(min(time.Minute<<min(failures, 20), mostBackOff)); rest.After(next) {
			next = rest
		}
	}
	next = next.UTC()
	return &next, nil
}

// parseCron reads a line of five fields; the time zone is given apart.
func parseCron(line string) (cron.Schedule, error) {
	if len(line) <= maxCron && !strings.Contains(line, "=") && !strings.HasPrefix(strings.TrimSpace(line), "@") {
		if parsed, err := cron.ParseStandard(line); err == nil {
			return parsed, nil
		}
	}
	return nil, integration.Invalid("schedule.cron", "schedule.cron must have five fields, minute, hour, day of month, month and day of week, such as \"0 6 * * 1-5\"")
}

// startDue queues the runs that schedules ask for.
func (s *Service) startDue(ctx context.Context) error {
	due, err := s.db.DueSyncs(ctx, 100)
	if err != nil {
		return err
	}
	var failed []error
	for _, d := range due {
		if err := s.startScheduled(ctx, d); err != nil {
			failed = append(failed, fmt.Errorf("integration %s: %w", d.IntegrationID, err))
		}
	}
	return errors.Join(failed...)
}

// startScheduled queues one run and says when the next is due, together. A run that is live already makes the next one wait its
// turn. One that cannot succeed, as where a setting is missing by now, is queued too: its end says so.
func (s *Service) startScheduled(ctx context.Context, due store.DueSync) error {
	tenant := s.db.Tenant(integration.Scope{Org: due.Org, Actor: "schedule"})
	live, err := tenant.LiveSyncRuns(ctx, []uuid.UUID{due.IntegrationID})
	if err != nil {
		return err
	}
	err = tenant.InTx(ctx, func(tx *store.Tenant) error {
		state, err := tx.TakeDueSync(ctx, due.IntegrationID)
		if err != nil || state == nil {
			return err
		}
		next, err := nextSync(state.Schedule, state.ConsecutiveFailures, time.Now())
		if err != nil { // of an older version's making
			s.log.WarnContext(ctx, "a schedule cannot be read, and rests", "integration", due.IntegrationID, "error", err)
		}
		if err := tx.SetNextSync(ctx, due.IntegrationID, next); err != nil || len(live) > 0 {
			return err
		}
		_, err = s.queue(ctx, due.Org, tx, store.NewSyncRun{
			ID:            uuid.Must(uuid.NewV7()),
			IntegrationID: due.IntegrationID,
			Trigger:       integration.TriggerSchedule,
			StartSync:     integration.StartSync{Mode: integration.SyncIncremental},
			FullAfter:     &everythingAfter,
		})
		return err
	})
	if integration.IsKind(err, integration.KindConflict) || integration.IsKind(err, integration.KindNotFound) { // somebody was faster, or it was disabled
		return nil
	}
	return err
}

// catchUp queues the runs that find what webhooks did not tell.
func (s *Service) catchUp(ctx context.Context) error {
	due, err := s.db.DueCatchUps(ctx, 100)
	if err != nil {
		return err
	}
	var failed []error
	for _, d := range due {
		if err := s.startCatchUp(ctx, d); err != nil {
			failed = append(failed, fmt.Errorf("integration %s: %w", d.IntegrationID, err))
		}
	}
	return errors.Join(failed...)
}

// startCatchUp queues one run; while one is live, it is due again after that.
func (s *Service) startCatchUp(ctx context.Context, due store.DueHook) error {
	tenant := s.db.Tenant(integration.Scope{Org: due.Org, Actor: "webhook check"})
	err := tenant.InTx(ctx, func(tx *store.Tenant) error {
		needed, full, err := tx.TakeCatchUp(ctx, due.IntegrationID)
		if err != nil || !needed {
			return err
		}
		mode := integration.SyncIncremental
		if full {
			mode = integration.SyncFull
		}
		_, err = s.queue(ctx, due.Org, tx, store.NewSyncRun{
			ID:            uuid.Must(uuid.NewV7()),
			IntegrationID: due.IntegrationID,
			Trigger:       integration.TriggerWebhook,
			StartSync:     integration.StartSync{Mode: mode},
		})
		return err
	})
	if integration.IsKind(err, integration.KindConflict) || integration.IsKind(err, integration.KindNotFound) { // a run is live, or it was disabled
		return nil
	}
	return err
}
