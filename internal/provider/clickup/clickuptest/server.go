package clickuptest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A Server answers as ClickUp's API does, under the paths /api/v2 and /api/v3. It is safe for concurrent use.
type Server struct {
	opts Options
	mux  *http.ServeMux

	hooks    hooks
	limits   limits
	troubles troubles
	log      requestLog
	queries  queryCache

	mu         sync.RWMutex // guards what follows
	users      []*User
	userJSON   map[int64][]byte
	workspaces []*workspace
	spaces     map[string]*space
	folders    map[string]*folder
	lists      map[string]*list
	fields     map[string]*Field
	docs       map[string]*doc
	pages      map[string]*page
	tokens     map[string]*token
	codes      map[string]*token // OAuth codes not yet redeemed
	webhooks   []*webhook
	outbox     []Delivery

	sown                            []*list // the lists that the seed made
	seeded                          int     // tasks that it made
	nextTask                        int
	places                          int64
	fieldsMade, docsMade, pagesMade int
	events                          int
	last                            int64                   // Unix ms of the latest change
	changed                         map[int]*Task           // by number; nil for deleted ones
	shownIn                         map[string]map[int]bool // numbers of changed tasks by the lists that show them
	talk                            map[int][]*Comment      // of tasks whose comments changed, oldest first
	spoken                          map[int]int             // index of the latest comment given to a task, and of the latest reply
	gone                            map[string]bool         // ids of deleted spaces, folders, lists, comments, docs and pages
	version                         atomic.Uint64           // counts changes
}

// New makes a server, and one token that reaches everything: see [Server.Token].
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Window <= 0 {
		o.Window = time.Minute
	}
	s := &Server{
		opts: o, mux: http.NewServeMux(), userJSON: map[int64][]byte{}, spaces: map[string]*space{}, folders: map[string]*folder{}, lists: map[string]*list{},
		fields: map[string]*Field{}, docs: map[string]*doc{}, pages: map[string]*page{}, tokens: map[string]*token{}, codes: map[string]*token{},
		changed: map[int]*Task{}, shownIn: map[string]map[int]bool{}, talk: map[int][]*Comment{}, spoken: map[int]int{}, gone: map[string]bool{}, last: seedEnds,
	}
	s.limits.set(o.RateLimit, o.Window)
	s.log.counts = map[string]int64{}
	s.sow()
	s.tokens[s.Token()] = &token{value: s.Token(), user: s.users[0], all: true}
	s.route()
	return s
}

func (s *Server) route() {
	s.handle("POST /api/v2/oauth/token", s.redeemCode)
	s.handle("GET /api/v2/user", s.getUser)
	s.handle("GET /api/v2/team", s.getTeams)
	s.handle("GET /api/v2/team/{team_id}/space", s.getSpaces)
	s.handle("GET /api/v2/team/{team_id}/task", s.getTeamTasks)
	s.handle("GET /api/v2/team/{team_id}/field", s.getFields)
	s.handle("GET /api/v2/team/{team_id}/custom_item", s.getCustomItems)
	s.handle("GET /api/v2/team/{team_id}/shared", s.getShared)
	s.handle("GET /api/v2/team/{team_id}/webhook", s.getWebhooks)
	s.handle("POST /api/v2/team/{team_id}/webhook", s.createWebhook)
	s.handle("PUT /api/v2/webhook/{webhook_id}", s.updateWebhook)
	s.handle("DELETE /api/v2/webhook/{webhook_id}", s.deleteWebhook)
	s.handle("GET /api/v2/space/{space_id}", s.getSpace)
	s.handle("GET /api/v2/space/{space_id}/folder", s.getFolders)
	s.handle("GET /api/v2/space/{space_id}/list", s.getLists)
	s.handle("GET /api/v2/space/{space_id}/tag", s.getTags)
	s.handle("GET /api/v2/space/{space_id}/field", s.getFields)
	s.handle("GET /api/v2/folder/{folder_id}", s.getFolder)
	s.handle("GET /api/v2/folder/{folder_id}/list", s.getLists)
	s.handle("GET /api/v2/folder/{folder_id}/field", s.getFields)
	s.handle("GET /api/v2/list/{list_id}", s.getList)
	s.handle("GET /api/v2/list/{list_id}/task", s.getListTasks)
	s.handle("GET /api/v2/list/{list_id}/field", s.getFields)
	s.handle("GET /api/v2/list/{list_id}/member", s.getMembers)
	s.handle("GET /api/v2/task/{task_id}", s.getTask)
	s.handle("GET /api/v2/task/{task_id}/comment", s.getComments)
	s.handle("GET /api/v2/comment/{comment_id}/reply", s.getReplies)
	s.handle("GET /api/v3/workspaces/{workspace_id}/docs", s.getDocs)
	s.handle("GET /api/v3/workspaces/{workspace_id}/docs/{doc_id}", s.getDoc)
	s.handle("GET /api/v3/workspaces/{workspace_id}/docs/{doc_id}/page_listing", s.getPageListing)
	s.handle("GET /api/v3/workspaces/{workspace_id}/docs/{doc_id}/pages", s.getPages)
	s.handle("GET /api/v3/workspaces/{workspace_id}/docs/{doc_id}/pages/{page_id}", s.getPage)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.log.add(r, "unknown path", http.StatusNotFound)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, "<!DOCTYPE html>\n<html><body><pre>Cannot %s the page</pre></body></html>\n", r.Method)
	})
}

// ServeHTTP answers one request of ClickUp's API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// A call is a request while it is answered.
type call struct {
	*http.Request
	query url.Values
	token *token
	buf   []byte // reused from answer to answer
}

// An answer is JSON.
type answer struct {
	status int
	body   []byte
}

var buffers = sync.Pool{New: func() any { return &[]byte{} }}

// handle gives a path its handler, which runs with the state locked: to read on GET, to write otherwise.
func (s *Server) handle(pattern string, handler func(*call) answer) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.hooks.run(r)
		trouble := s.troubles.find(r)
		buf := buffers.Get().(*[]byte)
		defer buffers.Put(buf)
		a := s.answer(w.Header(), &call{Request: r, query: r.URL.Query(), buf: (*buf)[:0]}, handler, trouble)
		if cap(a.body) > cap(*buf) {
			*buf = a.body
		}
		s.log.add(r, pattern, a.status)
		trouble.write(w, r, a)
	})
}

func (s *Server) answer(header http.Header, c *call, handler func(*call) answer, trouble *Trouble) answer {
	if c.Pattern != "POST /api/v2/oauth/token" {
		refusal, ok := s.authenticate(c)
		if !ok {
			return refusal
		}
		if !s.limits.take(header, c.token.value, s.opts.Now()) {
			return refuse(http.StatusTooManyRequests, "Rate limit reached", "APP_002")
		}
	}
	if trouble != nil && trouble.Status != 0 {
		return trouble.answer(c)
	}
	if c.Method == http.MethodGet {
		s.mu.RLock()
		defer s.mu.RUnlock()
	} else {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	return handler(c)
}

// flag reads a boolean of the query; what is no boolean is false.
func (c *call) flag(name string) bool {
	on, _ := strconv.ParseBool(c.query.Get(name))
	return on
}

func (c *call) reply(v any) answer {
	return answer{http.StatusOK, append(c.buf, mustJSON(v)...)}
}

func refuse(status int, text, code string) answer {
	return answer{status, mustJSON(map[string]string{"err": text, "ECODE": code})}
}

// missing is the answer to an id that leads to nothing.
func (s *Server) missing(id, kind string) answer {
	if s.gone[id] {
		return refuse(http.StatusNotFound, kind+" not found, deleted", "ITEM_013")
	}
	return unauthorized()
}

func unauthorized() answer {
	return refuse(http.StatusUnauthorized, "Team not authorized", "OAUTH_027")
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("clickuptest: %v", err)) // the shapes are ours
	}
	return b
}

// ms is a time as most of version 2 writes it.
func ms(t int64) string { return strconv.FormatInt(t, 10) }

// clock is the time of a change: now, or a moment later than the change before it.
func (s *Server) clock() int64 {
	s.last = max(s.last+1, s.opts.Now().UnixMilli())
	s.version.Add(1)
	return s.last
}
