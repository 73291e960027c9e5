package auth

import (
	"context"
	"errors"
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
	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/ratelimit"
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

// exchange shows a key as our pages do.
func (s *Sessions) exchange(header string) *http.Response {
	r := httptest.NewRequest("POST", "/sign-in", nil)
	r.Header.Set("Authorization", header)
	w := httptest.NewRecorder()
	s.SignInWithKey(w, r)
	return w.Result()
}

// A key's session may do what the key may, and is recorded as its sign-in.
func TestAKeyIsExchangedForASession(t *testing.T) {
	t.Parallel()
	s, db := newSessions(t, true)
	project := uuid.New()
	if _, err := db.Tenant(admin.Scope()).CreateProject(t.Context(), project, "P"); err != nil {
		t.Fatal(err)
	}
	in := time.Now().Add(time.Hour).Truncate(time.Second)
	made, key, err := s.keys.Create(t.Context(), admin, NewKey{Name: "CI", Role: integration.RoleEditor, Projects: []uuid.UUID{project}, ExpiresAt: &in})
	if err != nil {
		t.Fatal(err)
	}
	res := s.exchange("Bearer " + key.Expose())
	want(t, [...]any{res.StatusCode, res.Header.Get("Cache-Control"), res.Header.Get("Referrer-Policy")}, [...]any{http.StatusNoContent, "no-store", "no-referrer"})
	cookie := res.Cookies()[0]
	want(t, [...]any{cookie.Name, cookie.Path, cookie.Domain, cookie.HttpOnly, cookie.Secure, cookie.SameSite, cookie.Expires.Unix()},
		[...]any{"__Host-patchbay-session", "/", "", true, true, http.SameSiteLaxMode, in.Unix()}) // not 12 hours
	if cookie.Value == key.Expose() {
		t.Error("the cookie is the key")
	}
	p, err := s.who("Cookie", cookie.Name+"="+cookie.Value)
	p.Origin = integration.Origin{}
	subject := "api-key:" + made.Prefix + " (CI)"
	want(t, p, integration.Principal{Subject: subject, Org: "local", Role: integration.RoleEditor, Projects: []uuid.UUID{project}})
	if err != nil {
		t.Error(err)
	}
	page, err := db.Tenant(admin.Scope()).AuditEvents(t.Context(), integration.AuditFilter{}, integration.PageArgs{First: 1})
	if err != nil || page.Items[0].Node.Action != string(integration.AuditSessionCreate) || page.Items[0].Node.Actor != subject || page.Items[0].Node.Changes["begunWith"] != made.ID.String() {
		t.Errorf("the trail: %+v, %v", page.Items, err)
	}
	keys, err := db.Tenant(admin.Scope()).APIKeys(t.Context())
	if err != nil || len(keys) != 2 || *keys[1].SessionOf != subject || *keys[1].CreatedBy != subject || keys[1].ExpiresAt.Unix() != in.Unix() {
		t.Errorf("listed are %+v, %v", keys, err)
	}
}

// However the key ends, its sessions do: where it was revoked, elsewhere, and one that began while it was being revoked.
func TestAKeysSessionsEndWithIt(t *testing.T) {
	t.Parallel()
	s, db := newSessions(t, false)
	elsewhere := NewSessions(NewKeys(db), s.SessionOptions)
	made, key, err := s.keys.Create(t.Context(), admin, NewKey{Name: "CI", Role: integration.RoleAdmin})
	if err != nil {
		t.Fatal(err)
	}
	begin := func() string { return s.exchange("Bearer " + key.Expose()).Cookies()[0].String() }
	cookie := begin()
	signedIn := func(s *Sessions, cookie string) bool { _, err := s.who("Cookie", cookie); return err == nil }
	want(t, []bool{signedIn(s, cookie), signedIn(elsewhere, cookie)}, []bool{true, true})
	of, _ := s.keys.find(t.Context(), key.Expose())
	r := httptest.NewRequest("GET", "/graphql", nil)
	r.Header.Set("Cookie", cookie)
	var stream context.Context
	s.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stream, _ = s.keys.Hold(r.Context()) })).ServeHTTP(httptest.NewRecorder(), r)
	if _, err := s.keys.Revoke(t.Context(), admin, made.ID); err != nil {
		t.Fatal(err)
	}
	want(t, signedIn(s, cookie), false)
	<-stream.Done()
	want(t, errors.Is(context.Cause(stream), ErrEnded), true)
	w := httptest.NewRecorder()
	if err := s.begin(w, httptest.NewRequest("POST", "/sign-in", nil), principal(of), of); err != nil {
		t.Fatal(err)
	}
	late := w.Result().Cookies()[0].String()
	want(t, []bool{signedIn(s, late), signedIn(elsewhere, late)}, []bool{false, false})
	for deadline := time.Now().Add(RevocationDelay + 3*time.Second); signedIn(elsewhere, cookie); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the session goes on at another server")
		}
	}
	keys, err := db.Tenant(admin.Scope()).APIKeys(t.Context())
	if err != nil || len(keys) != 3 || keys[0].RevokedAt == nil || keys[1].RevokedAt == nil {
		t.Errorf("listed are %+v, %v", keys, err)
	}
	page, err := db.Tenant(admin.Scope()).AuditEvents(t.Context(), integration.AuditFilter{}, integration.PageArgs{First: 9})
	if err != nil || len(page.Items) != 4 { // made, signed in, revoked, signed in in vain
		t.Errorf("the trail: %+v, %v", page.Items, err)
	}
}

// Only a key that was asked for begins a session: one that a session could begin would outlive it.
func TestWhatIsExchangedForNoSession(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t, false)
	s.Failures = ratelimit.NewFailures(6)
	session := s.follow(s.NewLink(admin)).Cookies()[0].Value
	for _, header := range []string{"", "nonsense", "Bearer " + session, "Bearer pb_" + strings.Repeat("a", 52), "Bearer a.b.c"} {
		res := s.exchange(header)
		want(t, [...]any{res.StatusCode, len(res.Cookies())}, [...]any{http.StatusUnauthorized, 0})
	}
	for range 3 {
		s.exchange("Bearer nonsense")
	}
	res := s.exchange("Bearer nonsense")
	want(t, [...]any{res.StatusCode, res.Header.Get("Retry-After") != ""}, [...]any{http.StatusTooManyRequests, true})
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
