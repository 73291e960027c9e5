package syncer

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
)

func TestNextSync(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 28, 23, 30, 0, 0, time.UTC) // half past midnight in Berlin, a day before its clocks change
	line := func(cron string, zone ...string) *integration.SyncSchedule {
		s := &integration.SyncSchedule{Cron: &cron}
		if len(zone) > 0 {
			s.TimeZone = &zone[0]
		}
		return s
	}
	for _, c := range []struct {
		schedule *integration.SyncSchedule
		failures int
		want     time.Time
	}{
		{line("0 6 * * *"), 0, time.Date(2026, 3, 29, 6, 0, 0, 0, time.UTC)},
		{line("0 6 * * *", "Europe/Berlin"), 0, time.Date(2026, 3, 29, 4, 0, 0, 0, time.UTC)}, // in summer time
		{line("*/15 * * * *"), 0, time.Date(2026, 3, 28, 23, 45, 0, 0, time.UTC)},
		{line("*/15 * * * *"), 6, time.Date(2026, 3, 29, 0, 34, 0, 0, time.UTC)}, // 64 minutes
		{line("*/15 * * * *"), 1000, now.Add(mostBackOff)},
		{line("0 0 1 1 *"), 1000, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		next, err := nextSync(c.schedule, c.failures, now)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, *next); diff != "" {
			t.Errorf("%s after %d failures: -want +got:\n%s", *c.schedule.Cron, c.failures, diff)
		}
	}
	minutes := 60
	earliest, latest := now.Add(1000*time.Hour), now
	for range 200 {
		next, err := nextSync(&integration.SyncSchedule{EveryMinutes: &minutes}, 0, now)
		if err != nil {
			t.Fatal(err)
		}
		if next.Before(earliest) {
			earliest = *next
		}
		if next.After(latest) {
			latest = *next
		}
	}
	if earliest.Before(now.Add(time.Hour)) || latest.After(now.Add(66*time.Minute)) || latest.Sub(earliest) < time.Minute {
		t.Errorf("intervals of an hour end between %s and %s after", earliest.Sub(now), latest.Sub(now))
	}
	if next, err := nextSync(nil, 3, now); next != nil || err != nil {
		t.Errorf("without a schedule: %v, %v", next, err)
	}
}

func TestWhatNoScheduleMayBe(t *testing.T) {
	t.Parallel()
	number := func(n int) *int { return &n }
	text := func(s string) *string { return &s }
	for _, c := range []struct {
		schedule integration.SyncSchedule
		field    string
	}{
		{integration.SyncSchedule{}, "schedule"},
		{integration.SyncSchedule{EveryMinutes: number(5), Cron: text("* * * * *")}, "schedule"},
		{integration.SyncSchedule{EveryMinutes: number(0)}, "schedule.everyMinutes"},
		{integration.SyncSchedule{EveryMinutes: number(10081)}, "schedule.everyMinutes"},
		{integration.SyncSchedule{EveryMinutes: number(5), TimeZone: text("UTC")}, "schedule.timeZone"},
		{integration.SyncSchedule{Cron: text("")}, "schedule.cron"},
		{integration.SyncSchedule{Cron: text("* * * *")}, "schedule.cron"},
		{integration.SyncSchedule{Cron: text("* * * * * *")}, "schedule.cron"},
		{integration.SyncSchedule{Cron: text("60 * * * *")}, "schedule.cron"},
		{integration.SyncSchedule{Cron: text("@daily")}, "schedule.cron"},
		{integration.SyncSchedule{Cron: text("TZ=Asia/Tokyo * * * * *")}, "schedule.cron"},
		{integration.SyncSchedule{Cron: text("0 0 31 2 *")}, "schedule.cron"},
		{integration.SyncSchedule{Cron: text("* * * * *"), TimeZone: text("Mars/Olympus")}, "schedule.timeZone"},
		{integration.SyncSchedule{Cron: text("* * * * *"), TimeZone: text("Local")}, "schedule.timeZone"},
		{integration.SyncSchedule{Cron: text("* * * * *"), TimeZone: text("../etc/passwd")}, "schedule.timeZone"},
	} {
		_, err := nextSync(&c.schedule, 0, time.Now())
		shown, ok := err.(*integration.Error)
		if !ok || shown.Field != c.field {
			t.Errorf("%+v: %v", c.schedule, err)
		}
	}
}
