package syncer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/connect"
	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
	"patchbay/internal/syncer"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

var ring = sync.OnceValue(func() *seal.Ring {
	key, err := seal.ParseKey(seal.GenerateKey())
	if err != nil {
		panic(err)
	}
	return seal.NewRing(key)
})

// source is a third party of lists with tasks with comments.
type source struct {
	mu       sync.Mutex
	lists    map[string][]task
	comments map[string][]string
	perPage  int
	silent   bool   // comments are not imported
	refused  string // the task whose comments are not shown
	odd      string // the task whose comments cannot be read this time
	unread   string // the list that cannot be read
	broken   bool   // it may be the next time
	relists  bool   // it can read listings again

	// hook, where it is set, is asked before each request; its error is the request's.
	hook func(ctx context.Context, request string) error
	// requests counts them.
	requests map[string]int
}

type task struct {
	id, title string
	updated   time.Time
	closed    bool
	archived  bool // in no listing
}

func newSource() *source {
	return &source{lists: map[string][]task{}, comments: map[string][]string{}, perPage: 3, requests: map[string]int{}}
}

// fill makes so many tasks in a list, every second with a comment.
func (s *source) fill(list string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range n {
		id := fmt.Sprintf("%s-%03d", list, len(s.lists[list]))
		s.lists[list] = append(s.lists[list], task{id: id, title: "Task " + id, updated: time.Now().Add(-time.Hour)})
		if i%2 == 0 {
			s.comments[id] = []string{"comment on " + id}
		}
	}
}

// change lets fn change the source.
func (s *source) change(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

// edit changes a task's title.
func (s *source) edit(list string, i int, title string) {
	s.change(func() { s.lists[list][i].title, s.lists[list][i].updated = title, time.Now() })
}

// remove deletes a task.
func (s *source) remove(list string, i int) {
	s.change(func() { s.lists[list] = slices.Delete(s.lists[list], i, i+1) })
}

// request is one: it may fail, and sees the source as it is.
func (s *source) request(ctx context.Context, name string, fn func()) error {
	s.mu.Lock()
	hook := s.hook
	s.requests[name]++
	s.mu.Unlock()
	if hook != nil {
		if err := hook(ctx, name); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
	return ctx.Err()
}

func (s *source) count(request string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[request]
}

func (s *source) onRequest(hook func(ctx context.Context, request string) error) {
	s.change(func() { s.hook = hook })
}

// account is a provider.Connection to a source.
type account struct{ *source }

type cursor struct {
	List   string
	Offset int
}

func (a account) Test(ctx context.Context) (provider.Account, error) {
	return provider.Account{Name: "Ada"}, a.request(ctx, "test", func() {})
}

func (a account) Structure(ctx context.Context) (nodes []integration.ExternalNode, err error) {
	err = a.request(ctx, "structure", func() {
		for _, list := range slices.Sorted(maps.Keys(a.lists)) {
			nodes = append(nodes, integration.ExternalNode{ExternalID: list, Kind: "list", Name: list, Selectable: true})
		}
	})
	return nodes, err
}

func (account) Options() provider.Options { return provider.Options{BatchSize: 10} }

func (a account) object(list string, t task) provider.Object {
	return provider.Object{
		Type: integration.ObjectTask, ExternalID: t.id, Kind: "task", Title: t.title, ParentID: list, UpdatedAt: &t.updated, Completed: t.closed, Archived: t.archived,
		Listing: "tasks of " + list, HasDetails: !a.silent, Properties: map[string]any{"closed": t.closed},
		Relations: []provider.Relation{{Type: integration.RelBelongsTo, To: list}},
	}
}

func (account) list(name string) provider.Object {
	return provider.Object{Type: integration.ObjectCollection, ExternalID: name, Kind: "list", Title: name, Listing: "lists"}
}

func (a account) Import(ctx context.Context, plan provider.Plan, from []byte) iter.Seq2[*provider.Page, error] {
	return func(yield func(*provider.Page, error) bool) {
		var at cursor
		if from != nil {
			if err := json.Unmarshal(from, &at); err != nil {
				yield(nil, err)
				return
			}
		}
		page := func(p *provider.Page, at cursor) bool {
			p.Cursor, _ = json.Marshal(at)
			return yield(p, nil)
		}
		var lists []string
		if from == nil {
			for _, id := range plan.Selection {
				gone := false
				err := a.request(ctx, "selected", func() { gone = a.lists[id] == nil })
				if err != nil {
					yield(nil, err)
					return
				}
				if gone && !page(&provider.Page{Gone: []provider.Ref{{Type: integration.ObjectCollection, ExternalID: id}}}, cursor{}) {
					return
				}
			}
		}
		p := &provider.Page{Step: "lists", Covered: []string{"lists"}, Workspace: &integration.ExternalAccount{ID: "w1", Name: "Works"}}
		err := a.request(ctx, "lists", func() {
			lists = slices.Sorted(maps.Keys(a.lists))
			total := len(lists)
			for _, list := range lists {
				total += len(a.lists[list])
				p.Objects = append(p.Objects, a.list(list))
			}
			p.Total = &total
		})
		if err != nil {
			yield(nil, err)
			return
		}
		if from == nil && !page(p, cursor{}) {
			return
		}
		for _, list := range lists {
			if list < at.List || plan.Selection != nil && !slices.Contains(plan.Selection, list) {
				continue
			}
			offset := 0
			if list == at.List {
				offset = at.Offset
			}
			for more := true; more; {
				p := &provider.Page{Step: "tasks of " + list}
				covered := true
				err := a.request(ctx, "tasks", func() {
					all := a.lists[list]
					if list == a.unread {
						p.Failed = append(p.Failed, integration.SyncFailure{Type: integration.ObjectCollection, ExternalID: list, Reason: "it cannot be read", Broken: a.broken})
						all, covered = nil, false
					}
					end := min(offset+a.perPage, len(all))
					for _, t := range all[min(offset, len(all)):end] {
						switch {
						case t.archived:
						case plan.Since != nil && t.updated.Before(*plan.Since):
						case t.title == "broken":
							p.Failed = append(p.Failed, integration.SyncFailure{Type: integration.ObjectTask, ExternalID: t.id, Reason: "it is broken"})
						default:
							o := a.object(list, t)
							o.OnlyKnown = t.closed && !plan.IncludeCompleted
							p.Objects = append(p.Objects, o)
						}
					}
					offset = end
					more = offset < len(all)
				})
				if err != nil {
					yield(nil, err)
					return
				}
				if !more && covered {
					p.Covered = []string{"tasks of " + list}
				}
				if !page(p, cursor{list, offset}) {
					return
				}
			}
			at = cursor{}
		}
	}
}

func (a account) Details(ctx context.Context, _ provider.Plan, of []provider.Ref) iter.Seq2[*provider.Page, error] {
	return func(yield func(*provider.Page, error) bool) {
		for _, ref := range of {
			p := &provider.Page{Done: []provider.Ref{ref}}
			err := a.request(ctx, "comments", func() {
				if a.silent {
					return
				}
				if ref.ExternalID == a.refused {
					p.Failed = []integration.SyncFailure{{Type: ref.Type, ExternalID: ref.ExternalID, Reason: "it is refused"}}
					return
				}
				if ref.ExternalID == a.odd {
					p.Done, p.Failed = nil, []integration.SyncFailure{{Type: ref.Type, ExternalID: ref.ExternalID, Reason: "it is odd"}}
					return
				}
				p.Covered = []string{"comments of " + ref.ExternalID}
				for i, text := range a.comments[ref.ExternalID] {
					p.Objects = append(p.Objects, provider.Object{
						Type: integration.ObjectComment, ExternalID: fmt.Sprintf("comment:%s:%d", ref.ExternalID, i), Title: text, Content: text,
						ParentID: ref.ExternalID, Listing: "comments of " + ref.ExternalID,
						Relations: []provider.Relation{{Type: integration.RelCommentOn, To: ref.ExternalID}},
					})
				}
			})
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (a account) Fetch(ctx context.Context, _ provider.Plan, refs []provider.Ref) iter.Seq2[*provider.Page, error] {
	return func(yield func(*provider.Page, error) bool) {
		for _, ref := range refs {
			p := &provider.Page{Done: []provider.Ref{ref}}
			err := a.request(ctx, "one", func() {
				for list, tasks := range a.lists {
					if list == ref.ExternalID {
						p.Objects = append(p.Objects, a.list(list))
					}
					for _, t := range tasks {
						switch {
						case t.id != ref.ExternalID:
						case t.title == "broken":
							p.Done, p.Failed = nil, append(p.Failed, integration.SyncFailure{Type: integration.ObjectTask, ExternalID: t.id, Reason: "it is broken"})
						default:
							p.Objects = append(p.Objects, a.object(list, t))
						}
					}
				}
				if len(p.Objects)+len(p.Failed) == 0 {
					p.Gone = []provider.Ref{ref}
				}
			})
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// relister is an account of a third party that gives what is archived a hundred at a time.
type relister struct{ account }

func (a relister) Relist(ctx context.Context, _ provider.Plan, listing string, from []byte) iter.Seq2[*provider.Page, error] {
	return func(yield func(*provider.Page, error) bool) {
		at, list := 0, strings.TrimPrefix(listing, "tasks of ")
		if from != nil {
			if err := json.Unmarshal(from, &at); err != nil {
				yield(nil, err)
				return
			}
		}
		for more := true; more; {
			p := &provider.Page{}
			err := a.request(ctx, "again", func() {
				all := a.lists[list]
				end := min(at+100, len(all))
				for _, t := range all[min(at, end):end] {
					o := a.object(list, t)
					o.OnlyKnown = t.archived
					p.Objects = append(p.Objects, o)
				}
				at, more = end, end < len(all)
			})
			p.Cursor, _ = json.Marshal(at)
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// world is a database with one integration of a source.
type world struct {
	t           *testing.T
	data        *storetest.Database
	db          *store.DB
	connect     *connect.Service
	source      *source
	admin       integration.Principal
	integration *integration.PublicIntegration
	root        *pgx.Conn
}

const settingsSchema = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Settings", "type": "object", "additionalProperties": false, "required": ["token"],
	"properties": {"token": {"title": "Token", "description": "A token.", "type": "string", "writeOnly": true, "maxLength": 100}}
}`

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, data: storetest.New(t), source: newSource(), admin: integration.Principal{Subject: "tests", Org: "acme", Role: integration.RoleAdmin}}
	registry, err := provider.NewRegistry("", provider.Declaration{
		Name: "works", DisplayName: "Works", Description: "Tasks.", DocumentationURL: "https://example.com", SettingsSchema: settingsSchema,
		Capabilities: integration.ProviderCapabilities{SupportsImport: true, SupportsIncrementalSync: true},
		Limit:        provider.Limit{Requests: 100, Window: time.Minute},
		Connect: func(provider.Access) (provider.Connection, error) {
			if w.source.relists {
				return relister{account{w.source}}, nil
			}
			return account{w.source}, nil
		},
	})
	w.must(err)
	w.db = w.data.Open(t, registry.Catalogue(), nil)
	w.connect, err = connect.New(t.Context(), w.db, ring(), registry, connect.Options{Network: provider.NewNetwork(provider.NetworkOptions{})})
	w.must(err)
	project, err := w.connect.CreateProject(t.Context(), w.admin, nil, "Project")
	w.must(err)
	settings := integration.NewSettings(map[string]any{"token": "a token of tests"})
	w.integration, err = w.connect.CreateIntegration(t.Context(), w.admin, connect.NewIntegration{ProjectID: project.ID, Name: "works", Settings: &settings}, store.With{})
	w.must(err)
	w.root = w.data.Connect(t, "", "")
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) tenant() *store.Tenant { return w.db.Tenant(w.admin.Scope()) }

// works starts a process that works on runs; it ends with the test, or by what is returned.
func (w *world) works() (s *syncer.Service, stop func()) {
	w.t.Helper()
	s = syncer.New(w.db, w.connect, slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	crew, err := w.db.Work(w.t.Context(), slog.New(slog.DiscardHandler), s.Workers())
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { s.Watch(ctx) })
	stop = sync.OnceFunc(func() {
		s.Drain()
		cancel()
		watching.Wait()
		if err := crew.Stop(); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	return s, stop
}

func (w *world) start(s *syncer.Service, in integration.StartSync) *integration.SyncRun {
	w.t.Helper()
	run, err := s.StartSync(w.t.Context(), w.admin, w.integration.ID, in)
	w.must(err)
	return run
}

// ended waits for a run's end.
func (w *world) ended(run *integration.SyncRun) *integration.SyncRun {
	w.t.Helper()
	return w.until(run, (*integration.SyncRun).Ended)
}

func (w *world) until(run *integration.SyncRun, ok func(*integration.SyncRun) bool) *integration.SyncRun {
	w.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		now, err := w.tenant().SyncRun(w.t.Context(), run.ID)
		w.must(err)
		if ok(now) {
			return now
		}
		run = now
	}
	w.t.Fatalf("the run stays as it is: %+v", run)
	return nil
}

// run runs one to its end.
func (w *world) run(s *syncer.Service, in integration.StartSync) *integration.SyncRun {
	w.t.Helper()
	return w.ended(w.start(s, in))
}

func (w *world) state() *integration.SyncState {
	w.t.Helper()
	state, err := w.tenant().SyncState(w.t.Context(), w.integration.ID)
	w.must(err)
	return state
}

// objects lists what is stored, title by external id, those marked as deleted left out.
func (w *world) objects() map[string]string {
	w.t.Helper()
	rows, err := w.root.Query(w.t.Context(), `SELECT external_id, title FROM kb.synced_objects WHERE integration_id = $1 AND deleted_at IS NULL`, w.integration.ID)
	w.must(err)
	all := map[string]string{}
	var id, title string
	_, err = pgx.ForEachRow(rows, []any{&id, &title}, func() error { all[id] = title; return nil })
	w.must(err)
	return all
}

// there lists what the source has.
func (s *source) there() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]string{}
	for list, tasks := range s.lists {
		all[list] = list
		for _, t := range tasks {
			all[t.id] = t.title
			for i, text := range s.comments[t.id] {
				all[fmt.Sprintf("comment:%s:%d", t.id, i)] = text
			}
		}
	}
	return all
}

func (w *world) wantObjects() {
	w.t.Helper()
	w.want(w.objects(), w.source.there())
}

func (w *world) want(got, want any) {
	w.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("-want +got:\n%s", diff)
	}
}

func (w *world) wantKind(err error, kind integration.Kind) {
	w.t.Helper()
	if !integration.IsKind(err, kind) {
		w.t.Errorf("%v, want an error of kind %d", err, kind)
	}
}

func count(r *integration.SyncRun, kind integration.ObjectType) integration.SyncCount {
	for _, c := range r.Counts {
		if c.Type == kind {
			return c
		}
	}
	return integration.SyncCount{Type: kind}
}

func full() integration.StartSync { return integration.StartSync{Mode: integration.SyncFull} }

func incremental() integration.StartSync {
	return integration.StartSync{Mode: integration.SyncIncremental}
}

func ptr[T any](v T) *T { return &v }
