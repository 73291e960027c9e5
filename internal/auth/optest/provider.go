// Package optest runs a real OpenID provider for tests, on a port of this machine: discovery, keys that rotate, a login form,
// the authorization code flow with PKCE, and service clients with tokens that are JWTs. Nothing but tests uses it.
package optest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"html/template"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	// Audience is what the tokens of service clients are for.
	Audience = "patchbay-api"
	// Client is a public client, and SecretClient one with Secret; both sign browsers in.
	Client       = "patchbay-web"
	SecretClient = "patchbay-web-confidential"
)

// Provider is a running OpenID provider.
type Provider struct {
	URL string
	// Secret is SecretClient's, and that of every service client.
	Secret string

	server *httptest.Server

	mu        sync.Mutex
	key       key
	retired   []key // published, and used no more
	users     map[string]user
	services  map[string]map[string]any // claims, by client id
	redirects []string
	requests  map[string]*request // by id
	codes     map[string]string   // ids by code
	answered  map[string]int
	seen      []string // codes and tokens that were handed out
	broken    func(path string) bool
}

type user struct {
	password string
	claims   map[string]any
}

// New starts a provider, which ends with the test.
func New(t testing.TB) *Provider {
	t.Helper()
	p := &Provider{
		Secret:   "SECRETOFTHEPROVIDER" + rand.Text(),
		users:    map[string]user{},
		services: map[string]map[string]any{},
		requests: map[string]*request{},
		codes:    map[string]string{},
		answered: map[string]int{},
		broken:   func(string) bool { return false },
	}
	p.Rotate(t, jose.ES256) // made faster than one of RSA
	var handler http.Handler
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.answered[r.URL.Path]++
		broken := p.broken(r.URL.Path)
		p.mu.Unlock()
		if broken {
			http.Error(w, "broken on purpose", http.StatusServiceUnavailable)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(p.server.Close)
	p.URL = p.server.URL
	provider, err := op.NewProvider(&op.Config{CryptoKey: sha256.Sum256([]byte(p.Secret)), CryptoKeyId: "1", CodeMethodS256: true, AuthMethodPost: true},
		storage{p}, op.StaticIssuer(p.URL), op.WithAllowInsecure())
	if err != nil {
		t.Fatal(err)
	}
	back := op.AuthCallbackURL(provider)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) { form(w, r.URL.Query().Get("request"), "") })
	mux.HandleFunc("POST /login", op.NewIssuerInterceptor(provider.IssuerFromRequest).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.PostFormValue("request")
		if !p.login(id, r.PostFormValue("name"), r.PostFormValue("password")) {
			form(w, id, "The name or the password is wrong.")
			return
		}
		http.Redirect(w, r, back(r.Context(), id), http.StatusFound)
	}))
	mux.Handle("/", provider)
	handler = mux
	return p
}

var page = template.Must(template.New("login").Parse(`<!doctype html><html lang="en"><title>Provider</title><link rel="icon" href="data:,">
<form method="post" action="/login"><input type="hidden" name="request" value="{{.ID}}">
<p role="alert">{{.Problem}}</p>
<label>Name <input name="name"></label> <label>Password <input name="password" type="password"></label> <button>Log in</button></form></html>`))

func form(w http.ResponseWriter, id, problem string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, struct{ ID, Problem string }{id, problem})
}

// User adds somebody who can log in. claims, such as org and role, go into tokens beside the standard's.
func (p *Provider) User(name, password string, claims map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[name] = user{password, claims}
}

func (p *Provider) login(id, name, password string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, known := p.users[name]
	r := p.requests[id]
	if !known || u.password != password || r == nil {
		return false
	}
	r.subject, r.at = name, time.Now()
	return true
}

// Redirect allows browsers to be sent back to an address.
func (p *Provider) Redirect(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.redirects = append(p.redirects, address)
}

// Token has the provider issue an access token for Audience to a service client with these claims.
func (p *Provider) Token(t testing.TB, client string, claims map[string]any) string {
	t.Helper()
	p.mu.Lock()
	p.services[client] = claims
	p.mu.Unlock()
	res, err := http.PostForm(p.URL+"/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {p.Secret}, "scope": {"openid"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	body, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil || strings.Count(answer.Token, ".") != 2 {
		t.Fatalf("the provider gave no token: %v %s", err, body)
	}
	return answer.Token
}

// Sign signs any claims with the provider's present key, over those of a good token: a nil claim is left out.
func (p *Provider) Sign(t testing.TB, claims map[string]any) string {
	t.Helper()
	return p.SignWith(t, p.Key(), claims)
}

// SignWith is Sign with another key, or with another way to sign.
func (p *Provider) SignWith(t testing.TB, key jose.SigningKey, claims map[string]any) string {
	t.Helper()
	all := map[string]any{
		"iss": p.URL, "aud": Audience, "sub": "somebody", "org": "acme", "role": "admin",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// Key is what the provider signs with at present.
func (p *Provider) Key() jose.SigningKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	return jose.SigningKey{Algorithm: p.key.algorithm, Key: jose.JSONWebKey{Key: p.key.private, KeyID: p.key.id}}
}

// Rotate has the provider sign with a new key from now on, and go on publishing the ones before.
func (p *Provider) Rotate(t testing.TB, algorithm jose.SignatureAlgorithm) {
	t.Helper()
	k, err := newKey(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.key.private != nil {
		p.retired = append(p.retired, p.key)
	}
	p.key = k
}

// Withdraw stops publishing every key but the present one.
func (p *Provider) Withdraw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = nil
}

// Break has the provider answer everything with 503, or mends it.
func (p *Provider) Break(broken bool) { p.breakWhat(func(string) bool { return broken }) }

// BreakPath has the provider answer one path alone with 503.
func (p *Provider) BreakPath(path string) {
	p.breakWhat(func(asked string) bool { return asked == path })
}

func (p *Provider) breakWhat(broken func(path string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = broken
}

// Requests is how many requests to a path came so far.
func (p *Provider) Requests(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answered[path]
}

// Codes are those that were handed out.
func (p *Provider) Codes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

// LogIn fills in the login form that the provider's authorization endpoint led to, and returns where the browser is sent
// back to.
func (p *Provider) LogIn(t testing.TB, authorize, name, password string) (back string) {
	t.Helper()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	next := func(res *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		to, err := res.Location()
		if err != nil {
			body, _ := io.ReadAll(res.Body)
			t.Fatalf("%s answered %s instead of leading on: %s", res.Request.URL.Path, res.Status, body)
		}
		return to.String()
	}
	login := next(browser.Get(authorize))
	to, err := url.Parse(login)
	if err != nil {
		t.Fatal(err)
	}
	if to.Path != "/login" { // refused at once
		return login
	}
	done := next(browser.PostForm(p.URL+"/login", url.Values{"request": {to.Query().Get("request")}, "name": {name}, "password": {password}}))
	return next(browser.Get(done))
}
