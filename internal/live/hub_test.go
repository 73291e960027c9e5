package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

var ann = integration.Principal{Org: "acme", Subject: "ann"}

// deaf is a hub that hears only what a test tells it.
func deaf() *Hub { return New(store.Options{}, slog.New(slog.DiscardHandler)) }

func subscribe(t *testing.T, h *Hub, topic Topic) *Subscription {
	t.Helper()
	s, err := h.Subscribe(ann, topic)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// take waits for news.
func take(t *testing.T, s *Subscription) (changed []uuid.UUID, all bool) {
	t.Helper()
	select {
	case <-s.News():
		return s.Take()
	case <-time.After(30 * time.Second):
		t.Fatal("no news came")
		return nil, false
	}
}

func wantNone(t *testing.T, s *Subscription) {
	t.Helper()
	select {
	case <-s.News():
		changed, all := s.Take()
		t.Fatalf("unexpected news: %v %v", changed, all)
	default:
	}
}

func TestAnEventReachesWhoSubscribedToItsRunOrProject(t *testing.T) {
	t.Parallel()
	h := deaf()
	e := store.Event{Project: uuid.New(), Integration: uuid.New(), Run: uuid.New()}
	run, project, other, closed := subscribe(t, h, Run(e.Run)), subscribe(t, h, States(e.Project)), subscribe(t, h, States(uuid.New())), subscribe(t, h, Run(e.Run))
	integrations := subscribe(t, h, Integrations(e.Project))
	closed.Close()
	closed.Close()
	h.heard(e)
	for _, s := range []*Subscription{run, project} {
		if changed, all := take(t, s); all || !slices.Equal(changed, []uuid.UUID{e.Integration}) {
			t.Errorf("heard %v %v", changed, all)
		}
		wantNone(t, s)
	}
	wantNone(t, other)
	wantNone(t, closed)
	wantNone(t, integrations)
	h.heard(store.Event{Project: e.Project, Integration: e.Integration, Itself: true})
	for _, s := range []*Subscription{project, integrations} {
		if changed, all := take(t, s); all || !slices.Equal(changed, []uuid.UUID{e.Integration}) {
			t.Errorf("heard %v %v", changed, all)
		}
	}
	wantNone(t, run)
	h.missed()
	for _, s := range []*Subscription{run, project, integrations, other} {
		if _, all := take(t, s); !all {
			t.Error("after a gap something may have changed")
		}
	}
	wantNone(t, closed)
}

// However much happens while nobody looks, it is one piece of news, and of bounded size.
func TestWhatHappensMeanwhileIsOne(t *testing.T) {
	t.Parallel()
	h := deaf()
	project := uuid.New()
	s := subscribe(t, h, States(project))
	known := []uuid.UUID{uuid.New(), uuid.New()}
	for range 1000 {
		for _, id := range known {
			h.heard(store.Event{Project: project, Integration: id})
		}
	}
	if changed, all := take(t, s); all || len(changed) != 2 {
		t.Errorf("heard %v %v", changed, all)
	}
	for range maxChanged + 1 {
		h.heard(store.Event{Project: project, Integration: uuid.New()})
	}
	if changed, all := take(t, s); !all || len(changed) != 0 {
		t.Errorf("heard %d, %v", len(changed), all)
	}
	wantNone(t, s)
}

func TestSlotsAreLimited(t *testing.T) {
	t.Parallel()
	h := deaf()
	var releases []func()
	for i := range MaxSlots {
		p := integration.Principal{Org: "acme", Subject: fmt.Sprint(i / MaxSlotsEach)}
		release, err := h.Slot(p)
		if err != nil {
			t.Fatalf("slot %d: %v", i, err)
		}
		releases = append(releases, release)
		if i == MaxSlotsEach-1 {
			if _, err := h.Slot(p); !integration.IsKind(err, integration.KindRateLimited) {
				t.Fatalf("one principal too many: %v", err)
			}
			if s, err := h.Subscribe(p, Run(uuid.New())); s != nil || !integration.IsKind(err, integration.KindRateLimited) {
				t.Fatalf("a subscription too many: %v", err)
			}
		}
	}
	if _, err := h.Slot(ann); !integration.IsKind(err, integration.KindRateLimited) {
		t.Fatalf("one too many: %v", err)
	}
	releases[0]()
	releases[0]()
	s := subscribe(t, h, Run(uuid.New()))
	if _, err := h.Slot(ann); err == nil {
		t.Fatal("a slot that was released twice counts twice")
	}
	s.Close()
	for _, release := range releases {
		release()
	}
	if h.slots != 0 || len(h.slotsEach) != 0 || len(h.subscriptions) != 0 {
		t.Errorf("left are %d slots, %v, %v", h.slots, h.slotsEach, h.subscriptions)
	}
}

func TestDrainWaitsForSlots(t *testing.T) {
	t.Parallel()
	h := deaf()
	s := subscribe(t, h, Run(uuid.New()))
	ended := make(chan struct{})
	context.AfterFunc(h.Draining(), func() { s.Close(); close(ended) })
	h.Drain(t.Context())
	<-ended
	if h.slots != 0 {
		t.Errorf("%d slots are taken", h.slots)
	}
	if _, err := h.Subscribe(ann, Run(uuid.New())); err == nil {
		t.Error("a hub that drains takes a subscription")
	}

	h = deaf()
	subscribe(t, h, Run(uuid.New())) // never ends
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.Drain(ctx)
	h = deaf()
	h.Drain(t.Context()) // nothing to wait for
}

func TestFewReadAtOnce(t *testing.T) {
	t.Parallel()
	h := deaf()
	var wait sync.WaitGroup
	started, release := make(chan struct{}), make(chan struct{})
	for range maxReads {
		wait.Go(func() {
			_ = h.Read(t.Context(), func() error { started <- struct{}{}; <-release; return nil })
		})
		<-started
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Read(ctx, func() error { t.Error("one too many reads"); return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(release)
	wait.Wait()
}

// Many subscribe, look and leave while events come in; for the race detector.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	h := deaf()
	project, run := uuid.New(), uuid.New()
	topics := []Topic{States(project), Run(run)}
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			for range 50 {
				s, err := h.Subscribe(ann, topics[i%2])
				if err != nil {
					t.Error(err)
					return
				}
				h.heard(store.Event{Project: project, Integration: uuid.New(), Run: run})
				take(t, s)
				h.missed()
				s.Close()
			}
		})
	}
	wait.Wait()
	if h.slots != 0 {
		t.Errorf("%d slots are taken", h.slots)
	}
}

// The hub hears what any process publishes, as the serving role, and again after its connection was cut.
func TestListen(t *testing.T) {
	t.Parallel()
	database := storetest.New(t)
	db := database.Open(t, integration.NewCatalogue(), nil)
	h := New(store.Options{URL: seal.NewSecret(database.URL)}, slog.New(slog.DiscardHandler))
	e := store.Event{Project: uuid.New(), Integration: uuid.New(), Run: uuid.New()}
	s := subscribe(t, h, Run(e.Run))
	ctx, cancel := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	listening.Go(func() { h.Listen(ctx) })
	defer listening.Wait()
	defer cancel()
	if _, all := take(t, s); !all {
		t.Error("what happened before it listened may have changed something")
	}
	publish := func() {
		t.Helper()
		if err := db.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if changed, all := take(t, s); all || !slices.Equal(changed, []uuid.UUID{e.Integration}) {
			t.Errorf("heard %v %v", changed, all)
		}
	}
	publish()
	conn := database.Connect(t, "", "")
	for _, nonsense := range []string{"", "{", `{"p": 1}`, "null", `{}`} {
		if _, err := conn.Exec(t.Context(), `SELECT pg_notify('patchbay_sync', $1)`, nonsense); err != nil {
			t.Fatal(err)
		}
	}
	publish()
	for range 2 {
		tag, err := conn.Exec(t.Context(), `
			SELECT pg_terminate_backend((
				SELECT pid
				FROM pg_stat_activity
				WHERE application_name = 'patchbay listen' AND datname = current_database()
				ORDER BY backend_start DESC -- the one before may still be ending
				LIMIT 1
			))`)
		if err != nil || tag.RowsAffected() != 1 {
			t.Fatalf("%s, %v", tag, err)
		}
		if _, all := take(t, s); !all {
			t.Error("what happened while it did not listen may have changed something")
		}
		publish()
	}
}
