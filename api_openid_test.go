package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"patchbay/internal/auth"
	"patchbay/internal/auth/optest"
	"patchbay/internal/store/storetest"
)

func openIDEnv(p *optest.Provider, more ...string) []string {
	return append([]string{"PATCHBAY_OIDC_ISSUER=" + p.URL, "PATCHBAY_OIDC_AUDIENCE=" + optest.Audience}, more...)
}

// newOpenIDClient is a client of a server that takes a provider's tokens, and lets browsers sign in there.
func newOpenIDClient(t testing.TB) (*client, *optest.Provider) {
	t.Helper()
	p := optest.New(t)
	c := newClientAlone(t, openIDEnv(p, "PATCHBAY_OIDC_CLIENT_ID="+optest.Client)...)
	p.Redirect(c.URL + "/sign-in/callback")
	return c, p
}

// newTenantsByToken is newTenants with the provider's tokens in place of API keys.
func newTenantsByToken(t *testing.T) *tenants {
	t.Helper()
	c, p := newOpenIDClient(t)
	return c.tenants(t, func(t testing.TB, org, role string, projects ...string) string {
		claims := map[string]any{"org": org, "role": role}
		if len(projects) > 0 {
			claims["projects"] = projects
		}
		return p.Token(t, strings.Join([]string{"service", org, role, fmt.Sprint(len(projects))}, "-"), claims)
	})
}

func TestATokenOfTheProvider(t *testing.T) {
	t.Parallel()
	w := newTenantsByToken(t)
	want(t, w.as(w.keys["editor"]).do(t, `{ viewer { subject role orgId projectIds } }`).Data, map[string]any{"viewer": map[string]any{
		"subject": "oidc:service-acme-editor-0", "role": "EDITOR", "orgId": "acme", "projectIds": nil}})
	want(t, w.as(w.limited).do(t, `{ viewer { role projectIds } projects(orgId: "acme") { nodes { id } totalCount } }`).Data, map[string]any{
		"viewer":   map[string]any{"role": "ADMIN", "projectIds": []any{w.other}},
		"projects": map[string]any{"nodes": []any{map[string]any{"id": w.other}}, "totalCount": 1.0}})
	w.as(w.keys["viewer"]).try(t, `mutation { createProject(input: {orgId: "acme", name: "New"}) { id } }`).wantErrors(t, "FORBIDDEN")
	w.as(w.keys["editor"]).do(t, `mutation { createProject(input: {orgId: "acme", name: "New"}) { id } }`)
	trail := w.trail(t, "")
	if !strings.HasPrefix(trail[0], "oidc:service-acme-editor-0 project.create ") || !strings.HasPrefix(trail[1], "oidc:service-acme-viewer-0 mutation.denied ") {
		t.Errorf("the trail tells %q", trail[:2])
	}
}

// What is wrong with a token is said; a claim that is missing is named.
func TestTokensThatTheAPIRefuses(t *testing.T) {
	t.Parallel()
	c, p := newOpenIDClient(t)
	for _, test := range []struct {
		token, code, says string
	}{
		{p.Sign(t, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), "UNAUTHENTICATED", "the token has expired"},
		{p.Sign(t, map[string]any{"aud": "other"}), "UNAUTHENTICATED", `expected audience "patchbay-api"`},
		{p.Sign(t, nil) + "A", "UNAUTHENTICATED", "not signed by a key of the issuer"},
		{p.Sign(t, map[string]any{"role": nil}), "FORBIDDEN", `its claim "role" must be viewer, editor or admin`},
		{p.Sign(t, map[string]any{"projects": "all"}), "FORBIDDEN", `its claim "projects" must be a list`},
		{"a.b", "UNAUTHENTICATED", "the API key is unknown"},
	} {
		a := c.ask(t, test.token, `{ viewer { role } }`, nil)
		a.wantErrors(t, test.code)
		if !strings.Contains(a.Errors[0].Message, test.says) {
			t.Errorf("answered %s, want %q", a.raw, test.says)
		}
	}
	other := newClient(t) // takes no tokens
	other.ask(t, p.Sign(t, nil), `{ viewer { role } }`, nil).wantErrors(t, "UNAUTHENTICATED")
}

// A server starts, and takes API keys, while the provider is away. A token is then neither good nor bad.
func TestAProviderThatIsAway(t *testing.T) {
	t.Parallel()
	p := optest.New(t)
	p.Break(true)
	c := newClientAlone(t, openIDEnv(p)...)
	want(t, c.works(t, c.key), true)
	token := p.Sign(t, nil)
	a := c.ask(t, token, `{ viewer { role } }`, nil)
	a.wantErrors(t, "INTERNAL")
	if id, _ := a.Errors[0].Extensions["requestId"].(string); id == "" || !strings.Contains(c.log.String(), id) || !strings.Contains(c.log.String(), "status 503") {
		t.Errorf("answered %s, logged %s", a.raw, c.log)
	}
	p.Break(false)
	eventually(t, 15*time.Second, "the token is taken", func() bool { return len(c.ask(t, token, `{ viewer { role } }`, nil).Errors) == 0 })

	// Its keys change while the server serves.
	p.Rotate(t, jose.ES256)
	rotated := p.Sign(t, nil)
	eventually(t, 15*time.Second, "the new key is known", func() bool { return len(c.ask(t, rotated, `{ viewer { role } }`, nil).Errors) == 0 })
	want(t, c.works(t, token), true)
}

// browser is one that keeps cookies and follows redirects.
func (s *server) browser(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// who asks the API who the browser is of; "" where it is nobody's.
func (s *server) who(t testing.TB, browser *http.Client) string {
	t.Helper()
	res, err := browser.Post(s.URL+"/graphql", "application/json", strings.NewReader(`{"query":"{ viewer { subject role orgId } }"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "UNAUTHENTICATED") {
		return ""
	}
	return string(text)
}

func TestSigningInAndOutWithABrowser(t *testing.T) {
	t.Parallel()
	c, p := newOpenIDClient(t)
	p.User("jane", "JANESPASSWORD", map[string]any{"org": "acme", "role": []string{"viewer", "EDITOR"}, "projects": []string{c.project}, "email": "jane@example.com"})
	browser := c.browser(t)
	open := func(res *http.Response, err error) *http.Response {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res
	}
	login := open(browser.Get(c.URL + "/sign-in?returnTo=" + url.QueryEscape("/graphiql?tab=1")))
	want(t, strings.HasPrefix(login.Request.URL.String(), p.URL+"/login?"), true)
	in := open(browser.PostForm(p.URL+"/login", url.Values{"request": {login.Request.URL.Query().Get("request")}, "name": {"jane"}, "password": {"JANESPASSWORD"}}))
	want(t, in.Request.URL.String(), c.URL+"/graphiql?tab=1")
	const jane = `{"data":{"viewer":{"subject":"oidc:jane (jane@example.com)","role":"EDITOR","orgId":"acme"}}}`
	want(t, c.who(t, browser), jane)

	// The session is a key: it is listed, reaches no further than the token, and may not make another.
	listed := c.do(t, `{ apiKeys(orgId: "acme") { name role projectIds expiresAt } }`)
	session := listed.get(t, "apiKeys", 1).(map[string]any)
	expires, err := time.Parse(time.RFC3339Nano, session["expiresAt"].(string))
	if err != nil || time.Until(expires) > auth.SessionLifetime || time.Until(expires) < auth.SessionLifetime-time.Minute {
		t.Errorf("the session ends at %v", session["expiresAt"])
	}
	want(t, []any{session["role"], session["projectIds"]}, []any{"EDITOR", []any{c.project}})

	// Another site's page does not sign it out; our own does, at once.
	forged, err := http.NewRequest(http.MethodPost, c.URL+"/sign-out", nil)
	if err != nil {
		t.Fatal(err)
	}
	forged.Header.Set("Sec-Fetch-Site", "cross-site")
	want(t, open(browser.Do(forged)).StatusCode, http.StatusForbidden)
	want(t, c.who(t, browser), jane)
	kept := browser.Jar.Cookies(in.Request.URL)
	open(browser.Post(c.URL+"/sign-out", "", nil))
	want(t, c.who(t, browser), "")
	want(t, len(browser.Jar.Cookies(in.Request.URL)), 0)
	browser.Jar.SetCookies(in.Request.URL, kept) // as somebody who has copied it
	want(t, c.who(t, browser), "")

	var trail []string
	for _, e := range c.trail(t, "")[:2] {
		trail = append(trail, e[:strings.Index(e, " map[")])
	}
	want(t, trail, []string{"oidc:jane (jane@example.com) api_key.revoke", "oidc:jane (jane@example.com) session.create"})
	for _, secret := range append(p.Codes(), "JANESPASSWORD", kept[0].Value) {
		if strings.Contains(c.log.String(), secret) {
			t.Error("the log holds a secret")
		}
	}
}

// behind is the server without what stands before it: at the address that it listens on.
func (s *server) behind(t testing.TB) *server {
	t.Helper()
	m := regexp.MustCompile(`"msg":"listening","address":"([^"]+)"`).FindStringSubmatch(s.log.String())
	if m == nil {
		t.Fatalf("the log does not tell the address: %s", s.log)
	}
	return &server{URL: "http://" + m[1]}
}

// A sign-in begins at one server and ends at another.
func TestASignInAcrossReplicas(t *testing.T) {
	t.Parallel()
	c, p := newOpenIDClient(t)
	p.User("jane", "JANESPASSWORD", map[string]any{"org": "acme", "role": "viewer"})
	other := startServer(t, c.db, openIDEnv(p, "PATCHBAY_OIDC_CLIENT_ID="+optest.Client, "PATCHBAY_PUBLIC_URL="+c.URL)...)
	begun, _ := c.send(t, "GET", "/sign-in", "")
	back := p.LogIn(t, begun.Header.Get("Location"), "jane", "JANESPASSWORD")
	ended, text := other.behind(t).send(t, "GET", strings.TrimPrefix(back, c.URL), "", "Cookie", begun.Cookies()[0].String())
	if ended.StatusCode != http.StatusSeeOther || !slices.ContainsFunc(ended.Cookies(), func(c *http.Cookie) bool { return c.Name == "patchbay-session" && c.Value != "" }) {
		t.Errorf("the other server answered %s: %s", ended.Status, text)
	}
}

// Behind https both cookies are the host's.
func TestCookiesOfAServerBehindHTTPS(t *testing.T) {
	t.Parallel()
	p := optest.New(t)
	p.User("jane", "JANESPASSWORD", map[string]any{"org": "acme", "role": "viewer"})
	p.Redirect("https://patchbay.test/sign-in/callback")
	s := startServer(t, storetest.New(t), openIDEnv(p, "PATCHBAY_OIDC_CLIENT_ID="+optest.Client, "PATCHBAY_PUBLIC_URL=https://patchbay.test")...)
	behind := s.behind(t)
	begun, _ := behind.send(t, "GET", "/sign-in", "")
	back := p.LogIn(t, begun.Header.Get("Location"), "jane", "JANESPASSWORD")
	ended, _ := behind.send(t, "GET", strings.TrimPrefix(back, "https://patchbay.test"), "", "Cookie", begun.Cookies()[0].String())
	for _, res := range []*http.Response{begun, ended} {
		for _, cookie := range res.Cookies() {
			want(t, [...]any{strings.HasPrefix(cookie.Name, "__Host-patchbay-"), cookie.Secure, cookie.Path, cookie.Domain}, [...]any{true, true, "/", ""})
		}
	}
	want(t, ended.StatusCode, http.StatusSeeOther)
}
