// Package webhook is what third parties tell of changes: it verifies deliveries, stores each once before it is answered, and reads
// anew, in jobs, what they are about.
package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/metric"

	"patchbay/internal/connect"
	"patchbay/internal/integration"
	"patchbay/internal/ratelimit"
	"patchbay/internal/store"
)

// Options are what of the surroundings the Service asks.
type Options struct {
	// RemoteAddr is where a request came from.
	RemoteAddr func(*http.Request) netip.Addr
	// Failures limits deliveries that nobody signed; nil does not.
	Failures *ratelimit.Failures
	Log      *slog.Logger
	// Meter measures for the operator; nil does not.
	Meter metric.Meter
}

// Service receives deliveries and works on them. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	connect *connect.Service
	Options
	measures measures
	bodies   *bodies

	mu    sync.Mutex
	notes map[uuid.UUID]*note // of integrations, since they were last written
	open  map[uuid.UUID]*opened
	// changed are the integrations whose objects changed, until subscribers were told; the project by integration.
	changed map[uuid.UUID]uuid.UUID
}

// note is what is to be written of an integration's webhook.
type note struct {
	org     string
	project uuid.UUID
	latest  *time.Time // when a delivery came
	refused int        // deliveries that nobody signed
}

// New makes the service.
func New(db *store.DB, c *connect.Service, o Options) *Service {
	return &Service{db: db, connect: c, Options: o, measures: newMeasures(o.Meter), bodies: newBodies(), notes: map[uuid.UUID]*note{}, open: map[uuid.UUID]*opened{}, changed: map[uuid.UUID]uuid.UUID{}}
}

// noted lets fn change what is to be written of a target's webhook.
func (s *Service) noted(t *store.WebhookTarget, fn func(*note)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.notes[t.IntegrationID]
	if n == nil {
		n = &note{org: t.Org, project: t.ProjectID}
		s.notes[t.IntegrationID] = n
	}
	fn(n)
}

// writeNotes writes what was noted, and tells subscribers where deliveries came. What cannot be written is noted again.
func (s *Service) writeNotes(ctx context.Context) (failed error) {
	s.mu.Lock()
	notes := s.notes
	s.notes = map[uuid.UUID]*note{}
	s.mu.Unlock()
	ofOrg := map[string][]store.WebhookNote{}
	for id, n := range notes {
		ofOrg[n.org] = append(ofOrg[n.org], store.WebhookNote{IntegrationID: id, Latest: n.latest, Refused: n.refused})
	}
	var events []store.Event
	for org, list := range ofOrg {
		for some := range slices.Chunk(list, notesAtOnce) {
			err := s.db.Tenant(integration.Scope{Org: org}).NoteWebhooks(ctx, some)
			if err != nil {
				failed = err
			}
			for _, n := range some {
				project := notes[n.IntegrationID].project
				switch {
				case err != nil:
					s.noteAgain(org, project, n)
				case n.Latest != nil:
					events = append(events, store.Event{Project: project, Integration: n.IntegrationID, Itself: true})
				}
			}
		}
	}
	if len(events) > 0 {
		if err := s.db.Publish(ctx, events...); err != nil {
			s.Log.WarnContext(ctx, "subscribers cannot be told that deliveries came", "error", err)
		}
	}
	return failed
}

// noteAgain notes what could not be written.
func (s *Service) noteAgain(org string, project uuid.UUID, n store.WebhookNote) {
	s.noted(&store.WebhookTarget{IntegrationID: n.IntegrationID, Org: org, ProjectID: project}, func(again *note) {
		again.refused += n.Refused
		if again.latest == nil {
			again.latest = n.Latest
		}
	})
}
