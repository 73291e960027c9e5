package auth

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

func peer(r *http.Request) netip.Addr { return netip.MustParseAddrPort(r.RemoteAddr).Addr() }

var admin = integration.Principal{Subject: "local administrator", Org: "local", Role: integration.RoleAdmin}

func want(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func newSessions(t *testing.T, secure bool) (*Sessions, *store.DB) {
	t.Helper()
	db := storetest.New(t).Open(t, integration.NewCatalogue(), nil)
	return NewSessions(NewKeys(db), SessionOptions{Secure: secure, Log: slog.New(slog.DiscardHandler), RequestID: func(context.Context) string { return "" }, RemoteAddr: peer}), db
}

func (s *Sessions) follow(token string) *http.Response {
	w := httptest.NewRecorder()
	s.SignIn(w, httptest.NewRequest("GET", "/sign-in?token="+url.QueryEscape(token), nil))
	return w.Result()
}

// who runs a request with these headers through the middleware.
func (s *Sessions) who(header ...string) (p integration.Principal, err error) {
	r := httptest.NewRequest("POST", "/graphql", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	s.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p, err = Principal(r.Context())
	})).ServeHTTP(httptest.NewRecorder(), r)
	return p, err
}

func TestALinkSignsOneBrowserInOnce(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t, false)
	link := s.NewLink(admin)
	res := s.follow(link)
	want(t, res.StatusCode, http.StatusSeeOther)
	want(t, res.Header.Get("Location"), "/")
	want(t, res.Header.Get("Cache-Control"), "no-store")
	want(t, res.Header.Get("Referrer-Policy"), "no-referrer")
	cookie := res.Cookies()[0]
	want(t, [...]any{cookie.Name, cookie.Path, cookie.Domain, cookie.HttpOnly, cookie.Secure, cookie.SameSite},
		[...]any{"patchbay-session", "/", "", true, false, http.SameSiteLaxMode})
	if in := time.Until(cookie.Expires); in > SessionLifetime || in < SessionLifetime-time.Minute {
		t.Errorf("the session ends in %s", in)
	}
	p, err := s.who("Cookie", cookie.Name+"="+cookie.Value)
	if err != nil || p.Org != "local" || p.Role != integration.RoleAdmin || p.Projects != nil {
		t.Errorf("signed in as %+v, %v", p, err)
	}

	for _, token := range []string{link, "", "nonsense", strings.ToLower(link)} {
		res := s.follow(token)
		want(t, res.StatusCode, http.StatusForbidden)
		want(t, res.Header.Get("Cache-Control"), "no-store")
		want(t, len(res.Cookies()), 0)
	}
}

// Who cannot be recorded as signing in is not signed in.
func TestASignInIsRecordedOrFails(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := storetest.New(t)
	opened := db.Open(t, integration.NewCatalogue(), nil)
	s := NewSessions(NewKeys(opened), SessionOptions{Log: slog.New(slog.DiscardHandler), RequestID: func(context.Context) string { return "r" }, RemoteAddr: peer})
	root := db.Connect(t, "", "")
	exec := func(sql string) {
		t.Helper()
		if _, err := root.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`ALTER TABLE kb.audit_events ADD CONSTRAINT full_disk CHECK (false) NOT VALID`)
	link := s.NewLink(admin)
	res := s.follow(link)
	want(t, res.StatusCode, http.StatusInternalServerError)
	want(t, len(res.Cookies()), 0)
	keys, err := opened.Tenant(admin.Scope()).APIKeys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want(t, len(keys), 0)
	exec(`ALTER TABLE kb.audit_events DROP CONSTRAINT full_disk`)
	want(t, s.follow(link).StatusCode, http.StatusSeeOther)
	page, err := opened.Tenant(admin.Scope()).AuditEvents(ctx, integration.AuditFilter{}, integration.PageArgs{First: 5})
	if err != nil || len(page.Items) != 1 || page.Items[0].Node.Action != string(integration.AuditSessionCreate) || page.Items[0].Node.Actor != admin.Subject {
		t.Errorf("the trail: %+v, %v", page.Items, err)
	}
}

func TestALinkEndsByItself(t *testing.T) {
	t.Parallel()
	s := NewSessions(nil, SessionOptions{Secure: false, Log: slog.New(slog.DiscardHandler), RequestID: func(context.Context) string { return "" }, RemoteAddr: peer})
	link := s.NewLink(admin)
	if in := time.Until(s.links[0].expires); in > LinkLifetime || in < LinkLifetime-time.Minute {
		t.Errorf("the link ends in %s", in)
	}
	s.links[0].expires = time.Now()
	want(t, s.follow(link).StatusCode, http.StatusForbidden)
	want(t, len(s.links), 0)
}

// Signing in can fail where the database does; the link can be tried again then.
func TestALinkSurvivesAFailure(t *testing.T) {
	t.Parallel()
	s, db := newSessions(t, false)
	link := s.NewLink(admin)
	db.Close()
	for range 2 {
		res := s.follow(link)
		want(t, res.StatusCode, http.StatusInternalServerError)
		want(t, len(res.Cookies()), 0)
	}
}

// Over https the cookie is bound to the host, and never sent without encryption.
func TestTheCookieOverHTTPS(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t, true)
	cookie := s.follow(s.NewLink(admin)).Cookies()[0]
	want(t, [...]any{cookie.Name, cookie.Path, cookie.Domain, cookie.HttpOnly, cookie.Secure, cookie.SameSite},
		[...]any{"__Host-patchbay-session", "/", "", true, true, http.SameSiteLaxMode})
	if _, err := s.who("Cookie", "patchbay-session="+cookie.Value); !integration.IsKind(err, integration.KindUnauthenticated) {
		t.Errorf("a cookie that any host of the domain could set is taken: %v", err)
	}
	if _, err := s.who("Cookie", cookie.Name+"="+cookie.Value); err != nil {
		t.Error(err)
	}
}

// A session is a key: it is listed, and ends with it.
func TestASessionEndsWithItsKey(t *testing.T) {
	t.Parallel()
	s, db := newSessions(t, false)
	cookie := s.follow(s.NewLink(admin)).Cookies()[0]
	signedIn := func() bool { _, err := s.who("Cookie", cookie.String()); return err == nil }
	want(t, signedIn(), true)
	keys, err := db.Tenant(admin.Scope()).APIKeys(t.Context())
	if err != nil || len(keys) != 1 || !strings.HasPrefix(keys[0].Name, "Browser session of ") || keys[0].ExpiresAt == nil {
		t.Fatalf("listed are %+v, %v", keys, err)
	}
	if _, err := s.keys.Revoke(t.Context(), admin, keys[0].ID); err != nil {
		t.Fatal(err)
	}
	want(t, signedIn(), false)
}

// A browser sends its cookie unasked; who gives a key means the key, also a wrong one.
func TestABearerTokenComesBeforeTheCookie(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t, false)
	session := s.follow(s.NewLink(admin)).Cookies()[0].String()
	viewer := integration.Principal{Subject: "test", Org: "local", Role: integration.RoleAdmin}
	_, key, err := s.keys.Create(t.Context(), viewer, NewKey{Name: "viewer", Role: integration.RoleViewer})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.who("Cookie", session, "Authorization", "Bearer "+key.Expose())
	if err != nil || p.Role != integration.RoleViewer {
		t.Errorf("runs as %+v, %v", p, err)
	}
	for _, header := range []string{"Bearer pb_" + strings.Repeat("a", 52), "Bearer", "Basic " + key.Expose(), "nonsense"} {
		if _, err := s.who("Cookie", session, "Authorization", header); !integration.IsKind(err, integration.KindUnauthenticated) {
			t.Errorf("%q beside a session: %v", strings.Fields(header)[0], err)
		}
	}
}
