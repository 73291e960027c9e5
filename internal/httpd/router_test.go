package httpd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/auth"
)

// server is the router around an API that does what the test says.
type server struct {
	http.Handler
	health *Health
	log    bytes.Buffer
}

func newServer(api http.HandlerFunc) *server {
	s := &server{health: &Health{Ping: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler)}}
	s.Handler = New(Parts{
		GraphQL: api,
		Pages:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("page " + r.URL.Path)) }),
		Webhooks: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("webhook of " + r.PathValue("provider") + " " + r.PathValue("integration")))
		}),
		Sessions: auth.NewSessions(nil, auth.SessionOptions{Secure: false, Log: slog.New(slog.DiscardHandler), RequestID: func(context.Context) string { return "" }, RemoteAddr: RemoteAddr}),
		Health:   s.health,
		Origin:   "https://patchbay.example.com",
		Log:      slog.New(LogHandler{slog.NewJSONHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})}),
	})
	return s
}

func (s *server) send(method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func (s *server) lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(s.log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, entry)
	}
	return lines
}

func want(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRoutes(t *testing.T) {
	s := newServer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("api")) })
	for target, answer := range map[string]struct {
		status int
		body   string
	}{
		"/graphql":           {200, "api"},
		"/healthz":           {200, "ok\n"},
		"/readyz":            {200, "ready\n"},
		"/":                  {200, "page /"},
		"/assets/x.js":       {200, "page /assets/x.js"},
		"/integrations/x":    {200, "page /integrations/x"},
		"/administration":    {200, "page /administration"},
		"/administration/x":  {200, "page /administration/x"},
		"/graphiql":          {200, "page /graphiql"},
		"/graphiql/x.js":     {200, "page /graphiql/x.js"},
		"/logos/clickup.svg": {200, "page /logos/clickup.svg"},
		"/nothing":           {404, "404 page not found\n"},
		"/graphql/nothing":   {404, "404 page not found\n"},
	} {
		w := s.send("GET", target)
		want(t, w.Code, answer.status)
		want(t, w.Body.String(), answer.body)
		want(t, w.Header().Get("X-Content-Type-Options"), "nosniff")
	}
	for _, target := range []string{"/healthz", "/readyz", "/sign-in/callback"} {
		want(t, s.send("POST", target).Code, http.StatusMethodNotAllowed)
	}
	want(t, s.send("GET", "/sign-out").Code, http.StatusMethodNotAllowed)
}

// Only our own pages sign a browser in with a key, or another site could sign it in as somebody of its own.
func TestSigningInFromElsewhere(t *testing.T) {
	s := newServer(nil)
	for header, status := range map[string]int{"cross-site": http.StatusForbidden, "same-site": http.StatusForbidden, "same-origin": http.StatusUnauthorized} {
		want(t, s.send("POST", "/sign-in", "Sec-Fetch-Site", header, "Authorization", "Bearer nonsense").Code, status)
	}
	want(t, s.send("POST", "/sign-in", "Origin", "https://evil.example.com").Code, http.StatusForbidden)
}

// Only our own pages sign a browser out.
func TestSigningOutFromElsewhere(t *testing.T) {
	s := newServer(nil)
	for header, status := range map[string]int{"cross-site": http.StatusForbidden, "same-site": http.StatusForbidden, "same-origin": http.StatusSeeOther} {
		w := s.send("POST", "/sign-out", "Sec-Fetch-Site", header)
		want(t, w.Code, status)
		want(t, len(w.Result().Cookies()) > 0, status == http.StatusSeeOther)
	}
	want(t, s.send("POST", "/sign-out", "Origin", "https://evil.example.com").Code, http.StatusForbidden)
}

// What comes back from a provider is not for the log.
func TestTheAccessLogOfASignIn(t *testing.T) {
	s := newServer(nil)
	s.send("GET", "/sign-in/callback?code=SECRET&state=SECRET", "Cookie", "patchbay-sign-in=SECRET")
	s.send("GET", "/sign-in?token=SECRET")
	for _, line := range s.lines(t) {
		want(t, strings.HasPrefix(line["path"].(string), "/sign-in"), true)
	}
	if strings.Contains(s.log.String(), "SECRET") {
		t.Errorf("the log holds a secret: %s", s.log.String())
	}
}

func TestReadiness(t *testing.T) {
	s := newServer(nil)
	s.health.Ping = func(context.Context) error { return errors.New("connection refused") }
	w := s.send("GET", "/readyz")
	want(t, w.Code, http.StatusServiceUnavailable)
	want(t, w.Body.String(), "the database does not answer\n")
	want(t, s.send("GET", "/healthz").Code, 200) // a restart would not help

	s.health.Ping = func(context.Context) error { return nil }
	s.health.Drain()
	w = s.send("GET", "/readyz")
	want(t, w.Code, http.StatusServiceUnavailable)
	want(t, w.Body.String(), "ending\n")
	want(t, s.send("GET", "/healthz").Code, 200)
}

// The access log has a line for each request, without what may hold a secret: query string, headers, body.
func TestTheAccessLog(t *testing.T) {
	s := newServer(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("12345"))
	})
	w := s.send("GET", "/graphql?query=SECRET", "Authorization", "Bearer SECRET", "Cookie", "a=SECRET", "X-Request-Id", "request-0001", "User-Agent", "SECRET", "Referer", "SECRET")
	want(t, w.Header().Get("X-Request-Id"), "request-0001")
	lines := s.lines(t)
	want(t, len(lines), 1)
	delete(lines[0], "time")
	delete(lines[0], "milliseconds")
	want(t, lines[0], map[string]any{"level": "INFO", "msg": "request", "method": "GET", "path": "/graphql", "status": 418.0, "bytes": 5.0,
		"remote": "192.0.2.1:1234", "request_id": "request-0001"})

	s.log.Reset()
	s.send("GET", "/healthz")
	want(t, s.lines(t)[0]["level"], any("DEBUG")) // every few seconds, of no interest

	s.log.Reset()
	s.send("GET"+strings.Repeat("T", 60_000), "/webhooks/"+strings.Repeat("é", 30_000))
	line := s.lines(t)[0]
	want(t, line["path"], any("/webhooks/"+strings.Repeat("é", 95)+"…"))
	want(t, len(line["method"].(string)) < 300, true)
}

// A panic ends its request only, and its value, which may quote anything, is not logged.
func TestAPanicIsAnswered(t *testing.T) {
	s := newServer(func(http.ResponseWriter, *http.Request) { panic("SECRET") })
	w := s.send("POST", "/graphql", "X-Request-Id", "request-0001")
	want(t, w.Code, http.StatusInternalServerError)
	want(t, w.Body.String(), "internal error\n")
	lines := s.lines(t)
	want(t, len(lines), 2)
	want(t, [...]any{lines[0]["level"], lines[0]["panic"], lines[0]["request_id"]}, [...]any{"ERROR", "string", "request-0001"})
	want(t, lines[1]["status"], any(500.0))
	if strings.Contains(s.log.String(), "SECRET") {
		t.Errorf("the log holds the panic's value: %s", s.log.String())
	}
}

// What lasts is for our own pages and for programs, whatever the method: another site's page cannot read it, but could have
// many of them opened.
func TestStreamsAreForOurOwnPages(t *testing.T) {
	s := newServer(func(http.ResponseWriter, *http.Request) {})
	for name, stream := range map[string][]string{"events": {"Accept", "text/event-stream"}, "a WebSocket": {"Upgrade", "websocket", "Connection", "Upgrade"}} {
		for _, r := range []struct {
			from   []string
			status int
		}{
			{nil, 200},
			{[]string{"Sec-Fetch-Site", "same-origin"}, 200},
			{[]string{"Sec-Fetch-Site", "cross-site"}, 403},
			{[]string{"Sec-Fetch-Site", "same-site"}, 403},
			{[]string{"Origin", "http://example.com"}, 200}, // the Host of httptest's requests
			{[]string{"Origin", "https://patchbay.example.com"}, 200},
			{[]string{"Origin", "http://patchbay.example.com"}, 403},
			{[]string{"Origin", "https://evil.example"}, 403},
			{[]string{"Origin", "https://patchbay.example.com", "Sec-Fetch-Site", "cross-site"}, 403},
		} {
			if w := s.send("GET", "/graphql", append(r.from, stream...)...); w.Code != r.status {
				t.Errorf("%s with %q: %d, want %d", name, r.from, w.Code, r.status)
			}
		}
		want(t, s.send("GET", "/graphql", "Sec-Fetch-Site", "cross-site").Code, 200)
	}
}

func TestWebhooksHaveTwoAddresses(t *testing.T) {
	s := newServer(nil)
	want(t, s.send("POST", "/webhooks/clickup/some-id").Body.String(), "webhook of clickup some-id")
	want(t, s.send("POST", "/webhooks/clickup").Body.String(), "webhook of clickup ")
	want(t, s.send("GET", "/webhooks/clickup").Code, 405)
}
