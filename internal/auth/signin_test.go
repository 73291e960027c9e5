package auth

import (
	"bytes"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/auth/optest"
	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// signIn is a browser that signs in: the cookies that it was given, and what the log says.
type signIn struct {
	*Sessions
	provider *optest.Provider
	db       *store.DB
	log      bytes.Buffer
	cookies  map[string]*http.Cookie
}

func newSignIn(t *testing.T, secure bool) *signIn {
	t.Helper()
	s, db := newSessions(t, secure)
	o, provider := newOIDC(t)
	s.OIDC = o
	if secure {
		o.PublicURL = "https://patchbay.test"
	}
	provider.Redirect(o.PublicURL + "/sign-in/callback")
	provider.User("jane", "JANESPASSWORD", map[string]any{"org": "acme", "role": "editor", "email": "jane@example.com"})
	b := &signIn{Sessions: s, provider: provider, db: db, cookies: map[string]*http.Cookie{}}
	s.Log = slog.New(slog.NewTextHandler(&b.log, nil))
	return b
}

// get has the browser open an address of the server's, and keeps the cookies that it is given.
func (b *signIn) get(handler http.HandlerFunc, address string) (*http.Response, string) {
	r := httptest.NewRequest("GET", address, nil)
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	handler(w, r)
	res := w.Result()
	for _, c := range res.Cookies() {
		b.cookies[c.Name] = c
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	body, _ := io.ReadAll(res.Body)
	return res, string(body)
}

// to opens /sign-in and returns where at the provider that leads.
func (b *signIn) to(t *testing.T, query string) string {
	t.Helper()
	res, body := b.get(b.SignIn, "/sign-in"+query)
	if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), b.provider.URL+"/authorize?") {
		t.Fatalf("/sign-in answered %s, %q: %s", res.Status, res.Header.Get("Location"), body)
	}
	return res.Header.Get("Location")
}

func TestABrowserSignsInAtTheProvider(t *testing.T) {
	t.Parallel()
	for _, client := range []string{optest.Client, optest.SecretClient} {
		b := newSignIn(t, false)
		b.OIDC.ClientID = client
		if client == optest.SecretClient {
			b.OIDC.ClientSecret = seal.NewSecret(b.provider.Secret)
		}
		authorize := b.to(t, "?returnTo=/graphiql%3Ftab=1")
		asked, err := url.Parse(authorize)
		if err != nil {
			t.Fatal(err)
		}
		q := asked.Query()
		want(t, []string{q.Get("response_type"), q.Get("code_challenge_method"), q.Get("client_id"), q.Get("redirect_uri"), q.Get("scope")},
			[]string{"code", "S256", client, "http://patchbay.test/sign-in/callback", "openid profile email"})
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			if len(q.Get(name)) < 26 {
				t.Errorf("%s is %q", name, q.Get(name))
			}
		}
		flow := b.cookies["patchbay-sign-in"]
		want(t, [...]any{flow.Path, flow.Domain, flow.HttpOnly, flow.Secure, flow.SameSite}, [...]any{"/", "", true, false, http.SameSiteLaxMode})
		if in := time.Until(flow.Expires); in > FlowLifetime || in < FlowLifetime-time.Minute {
			t.Errorf("the sign-in ends in %s", in)
		}

		back := b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD")
		res, body := b.get(b.Callback, back)
		if res.StatusCode != http.StatusSeeOther {
			t.Fatalf("the callback answered %s: %s", res.Status, body)
		}
		want(t, []string{res.Header.Get("Location"), res.Header.Get("Cache-Control"), res.Header.Get("Referrer-Policy")}, []string{"/graphiql?tab=1", "no-store", "no-referrer"})
		want(t, len(b.cookies), 1) // the flow's is gone
		session := b.cookies["patchbay-session"]
		if in := time.Until(session.Expires); in > SessionLifetime || in < SessionLifetime-time.Minute {
			t.Errorf("the session ends in %s", in)
		}
		p, err := b.who("Cookie", session.Name+"="+session.Value)
		p.Origin = integration.Origin{}
		want(t, p, integration.Principal{Subject: "oidc:jane (jane@example.com)", Org: "acme", Role: integration.RoleEditor})
		if err != nil {
			t.Error(err)
		}
		keys, err := b.db.Tenant(integration.Scope{Org: "acme"}).APIKeys(t.Context())
		if err != nil || len(keys) != 1 || !strings.HasPrefix(keys[0].Name, "Browser session of ") || time.Until(*keys[0].ExpiresAt) > SessionLifetime {
			t.Errorf("listed are %+v, %v", keys, err)
		}

		// The same address again, in this browser and in another that had the cookie all the same.
		res, _ = b.get(b.Callback, back)
		want(t, res.StatusCode, http.StatusBadRequest)
		b.cookies[flow.Name] = flow
		res, body = b.get(b.Callback, back)
		want(t, res.StatusCode, http.StatusBadRequest)
		if !strings.Contains(body, "it has been used") || !strings.Contains(body, "http://patchbay.test/sign-in") {
			t.Errorf("a used code is answered: %s", body)
		}
		b.silent(t, back, flow.Value, session.Value)
	}
}

// silent checks that the log holds no value of an address's query, and no other secret.
func (b *signIn) silent(t *testing.T, address string, secrets ...string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"code", "state"} {
		secrets = append(secrets, u.Query().Get(name))
	}
	for _, secret := range append(secrets, b.provider.Codes()...) {
		if len(secret) > 5 && strings.Contains(b.log.String(), secret) {
			t.Errorf("the log holds %s: %s", secret, &b.log)
		}
	}
}

// Whatever goes wrong, nobody is signed in, and the browser is told what to do.
func TestSignInsThatFail(t *testing.T) {
	t.Parallel()
	change := func(address string, set ...string) string {
		u, _ := url.Parse(address)
		q := u.Query()
		for i := 0; i < len(set); i += 2 {
			q.Set(set[i], set[i+1])
		}
		u.RawQuery = q.Encode()
		return u.String()
	}
	const begun = "This sign-in was not begun in this browser"
	for _, test := range []struct {
		name   string
		attack func(t *testing.T, b *signIn, authorize string) (back string)
		status int
		says   string
		logged string
	}{
		{"refused by the provider", func(t *testing.T, b *signIn, authorize string) string {
			return change("/sign-in/callback", "error", "access_denied", "error_description", "SECRETSECRET", "state", state(authorize))
		}, 403, "did not let you in", "access_denied"},
		{"failed at the provider", func(t *testing.T, b *signIn, authorize string) string {
			return change("/sign-in/callback", "error", "server_error", "state", state(authorize))
		}, 502, "could not sign you in", "server_error"},
		{"an error that nobody knows", func(t *testing.T, b *signIn, authorize string) string {
			return change("/sign-in/callback", "error", "SECRETSECRET\nforged", "state", state(authorize))
		}, 502, "could not sign you in", "another error than the standards define"},
		{"an error of another flow", func(t *testing.T, b *signIn, authorize string) string {
			return "/sign-in/callback?error=access_denied"
		}, 400, begun, "state"},
		{"another state", func(t *testing.T, b *signIn, authorize string) string {
			return change(b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD"), "state", rand.Text())
		}, 400, begun, "state"},
		{"no state", func(t *testing.T, b *signIn, authorize string) string {
			return change(b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD"), "state", "")
		}, 400, begun, "state"},
		{"another browser", func(t *testing.T, b *signIn, authorize string) string {
			b.cookies = map[string]*http.Cookie{}
			return b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD")
		}, 400, begun, "no cookie"},
		{"a forged cookie", func(t *testing.T, b *signIn, authorize string) string {
			f := flow{State: state(authorize), Expires: time.Now().Add(time.Hour)}
			b.cookies["patchbay-sign-in"].Value, _ = f.seal(seal.NewSecret(strings.Repeat("x", 32)))
			return b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD")
		}, 400, begun, "does not open"},
		{"a cookie that is none", func(t *testing.T, b *signIn, authorize string) string {
			b.cookies["patchbay-sign-in"].Value = "SECRETSECRET!"
			return b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD")
		}, 400, begun, "not one that was set here"},
		{"too late", func(t *testing.T, b *signIn, authorize string) string {
			r := httptest.NewRequest("GET", "/", nil)
			r.AddCookie(b.cookies["patchbay-sign-in"])
			f, err := b.flow(r)
			if err != nil {
				t.Fatal(err)
			}
			f.Expires = time.Now()
			b.cookies["patchbay-sign-in"].Value, _ = f.seal(b.OIDC.FlowKeys[0])
			return b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD")
		}, 400, begun, "took too long"},
		{"another nonce", func(t *testing.T, b *signIn, authorize string) string {
			return b.provider.LogIn(t, change(authorize, "nonce", rand.Text()), "jane", "JANESPASSWORD")
		}, 400, "not for this sign-in", "nonce"},
		{"a token of another client", func(t *testing.T, b *signIn, authorize string) string {
			b.OIDC.issuer.direct.Transport = answers{b.provider.Sign(t, map[string]any{"aud": []string{"other", optest.Client}, "azp": "other", "nonce": nonce(authorize)})}
			return b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD")
		}, 400, "not for this sign-in", "another client"},
		{"a token for programs", func(t *testing.T, b *signIn, authorize string) string {
			b.OIDC.issuer.direct.Transport = answers{b.provider.Sign(t, map[string]any{"nonce": nonce(authorize)})}
			return b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD")
		}, 400, "not for this sign-in", "expected audience"},
		{"an expired token", func(t *testing.T, b *signIn, authorize string) string {
			b.OIDC.issuer.direct.Transport = answers{b.provider.Sign(t, map[string]any{"aud": optest.Client, "nonce": nonce(authorize), "exp": 1})}
			return b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD")
		}, 400, "not for this sign-in", "expired"},
		{"no token", func(t *testing.T, b *signIn, authorize string) string {
			b.OIDC.issuer.direct.Transport = answers{""}
			return b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD")
		}, 502, "did not answer as it should", "no ID token"},
		{"a token endpoint that leads elsewhere", func(t *testing.T, b *signIn, authorize string) string {
			back := b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD")
			elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the code was sent on") }))
			t.Cleanup(elsewhere.Close)
			b.OIDC.issuer.direct.Transport = leads{elsewhere.URL}
			return back
		}, 502, "refused this server", "status 307"},
		{"another challenge", func(t *testing.T, b *signIn, authorize string) string {
			return b.provider.LogIn(t, change(authorize, "code_challenge", strings.Repeat("a", 43)), "jane", "JANESPASSWORD")
		}, 400, "it has been used, or is too old", "invalid_grant"},
		{"another code", func(t *testing.T, b *signIn, authorize string) string {
			return change(b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD"), "code", "SECRETSECRET")
		}, 400, "it has been used, or is too old", "invalid_grant"},
		{"a wrong secret", func(t *testing.T, b *signIn, authorize string) string {
			b.OIDC.ClientID, b.OIDC.ClientSecret = optest.SecretClient, seal.NewSecret("SECRETSECRET")
			return b.provider.LogIn(t, b.to(t, ""), "jane", "JANESPASSWORD")
		}, 502, "refused this server", "PATCHBAY_OIDC_CLIENT_SECRET"},
		{"the provider goes away", func(t *testing.T, b *signIn, authorize string) string {
			back := b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD")
			b.provider.Break(true)
			return back
		}, 502, "refused this server", "status 503"},
		{"without a role", func(t *testing.T, b *signIn, authorize string) string {
			b.provider.User("guest", "GUESTSPASSWORD", map[string]any{"org": "acme"})
			return b.provider.LogIn(t, authorize, "guest", "GUESTSPASSWORD")
		}, 403, `its claim "role" must be viewer, editor or admin`, "role"},
		{"without projects", func(t *testing.T, b *signIn, authorize string) string {
			b.provider.User("guest", "GUESTSPASSWORD", map[string]any{"org": "acme", "role": "admin", "projects": []any{}})
			return b.provider.LogIn(t, authorize, "guest", "GUESTSPASSWORD")
		}, 403, `its claim "projects" must be`, "projects"},
		{"for a project that is not there", func(t *testing.T, b *signIn, authorize string) string {
			b.provider.User("guest", "GUESTSPASSWORD", map[string]any{"org": "acme", "role": "admin", "projects": []any{uuid.New()}})
			return b.provider.LogIn(t, authorize, "guest", "GUESTSPASSWORD")
		}, 403, `The claim "projects" names a project that does not exist here`, "does not exist"},
		{"the database is away", func(t *testing.T, b *signIn, authorize string) string {
			b.db.Close()
			return b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD")
		}, 500, "the server's log says why", "level=ERROR"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newSignIn(t, false)
			back := test.attack(t, b, b.to(t, ""))
			res, body := b.get(b.Callback, back)
			want(t, res.StatusCode, test.status)
			want(t, res.Header.Get("Content-Type"), "text/plain; charset=utf-8")
			want(t, res.Header.Get("Cache-Control"), "no-store")
			if !strings.Contains(body, test.says) || !strings.Contains(body, "http://patchbay.test/sign-in") {
				t.Errorf("the browser reads: %s", body)
			}
			if !strings.Contains(b.log.String(), test.logged) || strings.Count(b.log.String(), "\n") != 1 {
				t.Errorf("logged is: %s", &b.log)
			}
			for _, text := range []string{body, b.log.String()} {
				if strings.Contains(text, "SECRETSECRET") {
					t.Errorf("what came from outside is repeated: %s", text)
				}
			}
			b.silent(t, back)
			want(t, len(b.cookies), 0)
		})
	}
}

// leads is a transport that is sent on by whatever it asks at another address.
type leads struct{ to string }

func (l leads) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(l.to, "http://"+r.URL.Host) {
		return http.DefaultTransport.RoundTrip(r)
	}
	w := httptest.NewRecorder()
	http.Redirect(w, r, l.to, http.StatusTemporaryRedirect)
	return w.Result(), nil
}

// answers is a token endpoint with an ID token of its own.
type answers struct{ token string }

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"access_token": "SECRETSECRET", "token_type": "Bearer", "id_token": "`+a.token+`"}`)
	return w.Result(), nil
}

func state(authorize string) string { return asked(authorize, "state") }
func nonce(authorize string) string { return asked(authorize, "nonce") }

func asked(authorize, name string) string {
	u, _ := url.Parse(authorize)
	return u.Query().Get(name)
}

// A provider that is away keeps nobody from using a key, and is told apart from one that refuses.
func TestSignInWhileTheProviderIsAway(t *testing.T) {
	t.Parallel()
	b := newSignIn(t, false)
	b.provider.Break(true)
	res, body := b.get(b.SignIn, "/sign-in")
	want(t, res.StatusCode, http.StatusBadGateway)
	want(t, len(b.cookies), 0)
	if !strings.Contains(body, "cannot be reached") || !strings.Contains(b.log.String(), "status 503") {
		t.Errorf("%s\n%s", body, &b.log)
	}
}

// Without a provider /sign-in says what to do instead.
func TestSignInWithoutAProvider(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t, false)
	o, _ := newOIDC(t)
	o.ClientID = ""
	for _, s.OIDC = range []*OIDC{nil, o} {
		w := httptest.NewRecorder()
		s.SignIn(w, httptest.NewRequest("GET", "/sign-in", nil))
		want(t, w.Code, http.StatusForbidden)
		for _, hint := range []string{"apikey create", "first page", "PATCHBAY_OIDC_ISSUER", "PATCHBAY_OIDC_CLIENT_ID"} {
			if !strings.Contains(w.Body.String(), hint) {
				t.Errorf("it does not speak of %s: %s", hint, w.Body)
			}
		}
		w = httptest.NewRecorder()
		s.Callback(w, httptest.NewRequest("GET", "/sign-in/callback?code=1&state=2", nil))
		want(t, w.Code, http.StatusNotFound)
	}
}

// A sign-in may end at another server than it began at, also while the encryption key is being changed.
func TestASignInEndsAtAnotherServer(t *testing.T) {
	t.Parallel()
	b := newSignIn(t, false)
	back := b.provider.LogIn(t, b.to(t, ""), "jane", "JANESPASSWORD")
	elsewhere := *b.OIDC
	elsewhere.issuer = newIssuer(b.OIDC.Issuer)
	elsewhere.FlowKeys = append([]seal.Secret{seal.NewSecret(strings.Repeat("n", 32))}, b.OIDC.FlowKeys...)
	other := NewSessions(NewKeys(b.db), b.SessionOptions)
	other.OIDC = &elsewhere
	res, body := b.get(other.Callback, back)
	if res.StatusCode != http.StatusSeeOther {
		t.Errorf("the other server answered %s: %s", res.Status, body)
	}
}

// Over https both cookies are bound to the host, and never sent without encryption.
func TestSignInCookiesOverHTTPS(t *testing.T) {
	t.Parallel()
	b := newSignIn(t, true)
	authorize := b.to(t, "")
	look := func(name string) {
		t.Helper()
		c := b.cookies[name]
		if c == nil {
			t.Fatalf("no cookie is called %s: %v", name, b.cookies)
		}
		want(t, [...]any{c.Path, c.Domain, c.HttpOnly, c.Secure, c.SameSite}, [...]any{"/", "", true, true, http.SameSiteLaxMode})
	}
	look("__Host-patchbay-sign-in")
	back := b.provider.LogIn(t, authorize, "jane", "JANESPASSWORD")

	// One that any host of the domain could set does not count.
	flow := b.cookies["__Host-patchbay-sign-in"]
	b.cookies = map[string]*http.Cookie{"patchbay-sign-in": {Name: "patchbay-sign-in", Value: flow.Value}}
	res, _ := b.get(b.Callback, back)
	want(t, res.StatusCode, http.StatusBadRequest)

	b.cookies = map[string]*http.Cookie{flow.Name: flow}
	res, _ = b.get(b.Callback, back)
	want(t, res.StatusCode, http.StatusSeeOther)
	look("__Host-patchbay-session")
	want(t, len(b.cookies), 1)
	b.get(b.SignOut, "/sign-out")
	want(t, len(b.cookies), 0)
}

func TestPagesToGoOnTo(t *testing.T) {
	t.Parallel()
	for page, own := range map[string]bool{
		"/": true, "/graphiql": true, "/graphiql?a=b&c=/d#e": true, "/a/../b": true, "/graphiql?u=https://evil.example.com": true, "/%5cevil.example.com": true,
		"": false, "graphiql": false, "https://evil.example.com": false, "//evil.example.com": false, `/\evil.example.com`: false, `\\evil.example.com`: false,
		"/\t/evil.example.com": false, "/\n/evil.example.com": false, " //evil.example.com": false, "///evil.example.com": false, "https:evil.example.com": false,
		"javascript:alert(1)": false, "http:/evil": false, "/a\x00": false, "/ä": false, "?a": false, "#a": false, "/%zz": false,
		"/" + strings.Repeat("a", maxReturnTo): false, "/sign-in": false, "/sign-in?returnTo=/": false, "/%73ign-in": false, "/x/../sign-out": false, "/./sign-in": false,
	} {
		expected := "/"
		if own {
			expected = page
		}
		want(t, ownPage(page), expected)
	}
}

// Signing out ends the session here at once, wherever its cookie is, and it is recorded. An API key is not anybody's to end so.
func TestSigningOut(t *testing.T) {
	t.Parallel()
	s, db := newSessions(t, false)
	cookie := s.follow(s.NewLink(admin)).Cookies()[0]
	out := func(value string) *http.Response {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/sign-out", nil)
		if value != "" {
			r.AddCookie(&http.Cookie{Name: cookie.Name, Value: value})
		}
		s.SignOut(w, r)
		return w.Result()
	}
	_, key, err := s.keys.Create(t.Context(), admin, NewKey{Name: "CI", Role: integration.RoleViewer})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // again, nothing is left to end
		for _, value := range []string{cookie.Value, key.Expose(), "", "nonsense"} {
			res := out(value)
			want(t, [...]any{res.StatusCode, res.Header.Get("Location"), res.Header.Get("Cache-Control")}, [...]any{http.StatusSeeOther, "/", "no-store"})
			gone := res.Cookies()[0]
			want(t, [...]any{gone.Name, gone.Value, gone.MaxAge, gone.Path}, [...]any{cookie.Name, "", -1, "/"})
		}
	}
	if _, err := s.who("Cookie", cookie.Name+"="+cookie.Value); !integration.IsKind(err, integration.KindUnauthenticated) {
		t.Errorf("the session goes on: %v", err)
	}
	if _, err := s.who("Authorization", "Bearer "+key.Expose()); err != nil {
		t.Errorf("the API key has ended: %v", err)
	}
	page, err := db.Tenant(admin.Scope()).AuditEvents(t.Context(), integration.AuditFilter{}, integration.PageArgs{First: 10})
	if err != nil {
		t.Fatal(err)
	}
	last := page.Items[0].Node
	want(t, []string{last.Action, last.Actor, *last.RemoteAddr}, []string{"api_key.revoke", "local administrator", "192.0.2.1"})
	want(t, len(page.Items), 3) // the session, the key, and this

	db.Close()
	s.keys.cache.Purge()
	res := out(cookie.Value)
	want(t, [...]any{res.StatusCode, len(res.Cookies())}, [...]any{http.StatusInternalServerError, 0})
}
