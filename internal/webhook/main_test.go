package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/connect"
	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/ratelimit"
	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
	"patchbay/internal/webhook"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

var ring = sync.OnceValue(func() *seal.Ring {
	key, err := seal.ParseKey(seal.GenerateKey())
	if err != nil {
		panic(err)
	}
	return seal.NewRing(key)
})

// thing is an object of a source.
type thing struct {
	kind          integration.ObjectType
	parent, title string
	updated       *time.Time
	closed        bool
}

// source is a third party of spaces with lists with tasks with comments.
type source struct {
	mu       sync.Mutex
	things   map[string]thing
	comments map[string][]string
	reads    map[string]int // by id
	hook     func(ctx context.Context, id string) error
	opened   int // connections
	now      time.Time
}

func newSource() *source {
	s := &source{things: map[string]thing{}, comments: map[string][]string{}, reads: map[string]int{}, now: time.Now().Add(-time.Hour).Truncate(time.Millisecond)}
	s.put("space", integration.ObjectProject, "", "Space")
	s.put("list", integration.ObjectCollection, "space", "List")
	return s
}

// put makes or changes an object.
func (s *source) put(id string, kind integration.ObjectType, parent, title string) {
	s.change(func() {
		s.now = s.now.Add(time.Second)
		at := s.now
		s.things[id] = thing{kind: kind, parent: parent, title: title, updated: &at}
	})
}

func (s *source) task(id, title string) { s.put(id, integration.ObjectTask, "list", title) }

func (s *source) remove(id string) { s.change(func() { delete(s.things, id) }) }

func (s *source) change(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

func (s *source) onRead(hook func(ctx context.Context, id string) error) {
	s.change(func() { s.hook = hook })
}

func (s *source) read(ctx context.Context, id string, fn func()) error {
	s.mu.Lock()
	hook := s.hook
	s.reads[id]++
	fn()
	s.mu.Unlock()
	if hook != nil {
		if err := hook(ctx, id); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *source) count(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads[id]
}

// account is a provider.Connection to a source.
type account struct{ *source }

func (account) Test(context.Context) (provider.Account, error) { return provider.Account{}, nil }

func (account) Structure(context.Context) ([]integration.ExternalNode, error) { return nil, nil }

func (account) Options() provider.Options { return provider.Options{BatchSize: 100} }

func (account) Import(context.Context, provider.Plan, []byte) iter.Seq2[*provider.Page, error] {
	return func(func(*provider.Page, error) bool) {}
}

func (a account) Fetch(ctx context.Context, plan provider.Plan, refs []provider.Ref) iter.Seq2[*provider.Page, error] {
	return func(yield func(*provider.Page, error) bool) {
		for _, ref := range refs {
			p := &provider.Page{Done: []provider.Ref{ref}}
			err := a.read(ctx, ref.ExternalID, func() {
				t, ok := a.things[ref.ExternalID]
				if !ok || t.kind != ref.Type {
					p.Gone = []provider.Ref{ref}
					return
				}
				if t.title == "odd" {
					p.Done, p.Failed = nil, []integration.SyncFailure{{Type: t.kind, ExternalID: ref.ExternalID, Reason: "the answer is odd"}}
					return
				}
				if t.title == "broken" {
					p.Failed = []integration.SyncFailure{{Type: t.kind, ExternalID: ref.ExternalID, Reason: "it is broken"}}
					return
				}
				p.Objects = []provider.Object{{
					Type: t.kind, ExternalID: ref.ExternalID, Title: t.title, ParentID: t.parent, UpdatedAt: t.updated, Completed: t.closed, Listing: "in " + t.parent,
					HasDetails: t.kind == integration.ObjectTask,
				}}
				p.Objects[0].Outside = plan.Selection != nil
				for at := ref.ExternalID; at != ""; at = a.things[at].parent {
					if slices.Contains(plan.Selection, at) {
						p.Objects[0].Outside = false
					}
				}
				for _, m := range plan.Mappings {
					if m.ExternalID == ref.ExternalID {
						p.Objects[0].ParentID = m.Target
					}
				}
				if t.parent != "" {
					p.Objects[0].Relations = []provider.Relation{{Type: integration.RelBelongsTo, To: t.parent}}
				}
			})
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

func (a account) Details(ctx context.Context, _ provider.Plan, of []provider.Ref) iter.Seq2[*provider.Page, error] {
	return func(yield func(*provider.Page, error) bool) {
		for _, ref := range of {
			p := &provider.Page{Done: []provider.Ref{ref}, Covered: []string{"comments of " + ref.ExternalID}}
			err := a.read(ctx, "comments of "+ref.ExternalID, func() {
				if slices.Contains(a.comments[ref.ExternalID], "odd") {
					p.Done, p.Covered, p.Failed = nil, nil, []integration.SyncFailure{{Type: ref.Type, ExternalID: ref.ExternalID, Reason: "the comments are odd"}}
					return
				}
				for _, text := range a.comments[ref.ExternalID] {
					p.Objects = append(p.Objects, provider.Object{
						Type: integration.ObjectComment, ExternalID: "comment:" + text, Title: text, ParentID: ref.ExternalID, Listing: "comments of " + ref.ExternalID,
						Relations: []provider.Relation{{Type: integration.RelCommentOn, To: ref.ExternalID}},
					})
				}
			})
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// message is what the source's webhooks send.
type message struct {
	ID     string                 `json:"id,omitempty"`
	Hook   string                 `json:"hook,omitempty"`
	Event  string                 `json:"event"`
	Type   integration.ObjectType `json:"type,omitempty"`
	Object string                 `json:"object,omitempty"`
}

var hooks = provider.Webhooks{
	Headers: []string{"X-Kind"},
	Creates: []string{"created"},
	Verify: func(h http.Header, body []byte, secrets []seal.Secret, _ time.Time) bool {
		ok := false
		for _, secret := range secrets {
			ok = hmac.Equal([]byte(h.Get("X-Signature")), []byte(signature(secret.Expose(), body))) || ok
		}
		return ok
	},
	Read: func(h http.Header, body []byte) (provider.Delivery, error) {
		var m message
		if err := json.Unmarshal(body, &m); err != nil {
			return provider.Delivery{}, err
		}
		d := provider.Delivery{ID: m.ID, Key: m.ID, Event: m.Event}
		ref := provider.Ref{Type: m.Type, ExternalID: m.Object}
		switch m.Event {
		case "changed", "created":
			d.Changed = []provider.Ref{ref}
		case "commented":
			d.Changed, d.Details = []provider.Ref{ref}, []provider.Ref{ref}
		case "moved":
			d.Changed, d.Moved = []provider.Ref{ref}, []provider.Ref{ref}
		case "deleted":
			d.Gone = []provider.Ref{ref}
		case "":
			return d, errors.New("no event")
		default:
			d.Ignored = true
		}
		return d, nil
	},
	HookID: func(body []byte) (string, bool) {
		_, after, found := bytes.Cut(body[:min(len(body), 200)], []byte(`"hook":"`))
		id, _, ended := bytes.Cut(after, []byte(`"`))
		return string(id), found && ended
	},
}

func signature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

const settingsSchema = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Settings", "type": "object", "additionalProperties": false, "required": ["token"],
	"properties": {"token": {"title": "Token", "description": "A token.", "type": "string", "writeOnly": true, "maxLength": 100}}
}`

// world is a database with an integration of a source, and a server that its webhooks are sent to.
type world struct {
	t           testing.TB
	data        *storetest.Database
	db          *store.DB
	connect     *connect.Service
	source      *source
	admin       integration.Principal
	project     uuid.UUID
	integration *integration.PublicIntegration
	secret      string
	root        *pgx.Conn
	service     *webhook.Service
	url         string
	log         *output
	targets     targetLookups
}

// targetLookups counts the statements that look up whom deliveries are for.
type targetLookups struct{ n atomic.Int64 }

func (l *targetLookups) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, "kb.webhook_target") {
		l.n.Add(1)
	}
	return ctx
}

func (*targetLookups) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// output is a log that is written while a test reads it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func newWorld(t testing.TB, failures *ratelimit.Failures) *world {
	t.Helper()
	w := &world{t: t, data: storetest.New(t), source: newSource(), log: &output{}, admin: integration.Principal{Subject: "tests", Org: "acme", Role: integration.RoleAdmin}}
	registry, err := provider.NewRegistry("", provider.Declaration{
		Name: "works", DisplayName: "Works", Description: "Tasks.", DocumentationURL: "https://example.com", SettingsSchema: settingsSchema,
		Capabilities: integration.ProviderCapabilities{SupportsImport: true}, Limit: provider.Limit{Requests: 100, Window: time.Minute}, Webhooks: &hooks,
		Connect: func(provider.Access) (provider.Connection, error) {
			w.source.change(func() { w.source.opened++ })
			return account{w.source}, nil
		},
	})
	w.must(err)
	w.db = w.data.Open(t, registry.Catalogue(), &w.targets)
	w.connect, err = connect.New(context.Background(), w.db, ring(), registry, connect.Options{Network: provider.NewNetwork(provider.NetworkOptions{})})
	w.must(err)
	project, err := w.connect.CreateProject(context.Background(), w.admin, nil, "Project")
	w.must(err)
	w.project = project.ID
	w.integration, w.secret = w.integrate("works")
	w.root = w.data.Connect(t, "", "")
	w.service = w.newService(failures)
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/{provider}/{integration}", w.service)
	mux.Handle("POST /webhooks/{provider}", w.service)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *world) newService(failures *ratelimit.Failures) *webhook.Service {
	return webhook.New(w.db, w.connect, webhook.Options{
		RemoteAddr: func(r *http.Request) netip.Addr { return netip.MustParseAddrPort(r.RemoteAddr).Addr() }, Failures: failures,
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
}

// integrate makes an integration with a secret that its source issued.
func (w *world) integrate(name string) (*integration.PublicIntegration, string) {
	w.t.Helper()
	return w.integrateWith(name, strings.Repeat("0123456789", 3)+name)
}

func (w *world) integrateWith(name, secret string) (*integration.PublicIntegration, string) {
	w.t.Helper()
	given := integration.NewSecretText(secret)
	settings := integration.NewSettings(map[string]any{"token": "a token of tests"})
	works := "works"
	made, err := w.connect.CreateIntegration(context.Background(), w.admin, connect.NewIntegration{
		ProjectID: w.project, Name: name, Provider: &works, Settings: &settings, WebhookSecret: &given,
	}, store.With{})
	w.must(err)
	return made, secret
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) want(got, want any) {
	w.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("-want +got:\n%s", diff)
	}
}

func (w *world) tenant() *store.Tenant { return w.db.Tenant(w.admin.Scope()) }

func (w *world) path() string { return "/webhooks/works/" + w.integration.ID.String() }

// post sends a delivery and returns the answer's status and text.
func (w *world) post(path string, body []byte, sig string) (int, string) {
	w.t.Helper()
	status, text, err := w.tryPost(path, body, sig)
	w.must(err)
	return status, text
}

func (w *world) tryPost(path string, body []byte, sig string) (int, string, error) {
	req, err := http.NewRequest(http.MethodPost, w.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if sig != "" {
		req.Header.Set("X-Signature", sig)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(res.Body)
	return res.StatusCode, text.String(), err
}

// send sends a signed message, which has to be taken.
func (w *world) send(m message) {
	w.t.Helper()
	body, err := json.Marshal(m)
	w.must(err)
	if status, text := w.post(w.path(), body, signature(w.secret, body)); status != http.StatusOK {
		w.t.Fatalf("status %d: %s", status, text)
	}
}

// deliveries counts the integration's by status.
func (w *world) deliveries() map[string]int {
	w.t.Helper()
	rows, err := w.root.Query(context.Background(), `SELECT status, count(*) FROM kb.webhook_deliveries GROUP BY status`)
	w.must(err)
	all := map[string]int{}
	var status string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&status, &n}, func() error { all[status] = n; return nil })
	w.must(err)
	return all
}

// value is the one that a statement returns.
func value[T any](w *world, sql string, args ...any) (v T) {
	w.t.Helper()
	w.must(w.root.QueryRow(context.Background(), sql, args...).Scan(&v))
	return v
}

// eventually waits for what takes an unknown, but bounded time.
func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("not in time: %s\n%s", what, w.log)
		}
	}
}

func task(n int) string { return fmt.Sprintf("task-%03d", n) }
