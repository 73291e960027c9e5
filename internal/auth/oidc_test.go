package auth

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"patchbay/internal/auth/optest"
	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

var names = ClaimNames{Org: "org", Projects: "projects", Role: "role"}

func newOIDC(t testing.TB) (*OIDC, *optest.Provider) {
	t.Helper()
	p := optest.New(t)
	return NewOIDC(OIDCOptions{
		Issuer: p.URL, Audience: optest.Audience, Claims: names, ClientID: optest.Client, PublicURL: "http://patchbay.test",
		FlowKeys: []seal.Secret{seal.NewSecret(rand.Text()[:16] + rand.Text()[:16])},
	}), p
}

// later lets the issuer be asked again at once, as if issuerPause had passed.
func (o *OIDC) later() {
	g := o.issuer.asked.Transport.(*gate)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range g.last {
		a.mu.Lock()
		a.at = a.at.Add(-issuerPause)
		a.mu.Unlock()
	}
}

// meet has the service meet the provider's new key. go-oidc hands the answer of a fetch to whoever asks in the moment
// between its end and its being put away, which a busy machine makes longer.
func (o *OIDC) meet(t testing.TB, provider *optest.Provider) {
	t.Helper()
	got := "not tried"
	for begun := time.Now(); got != ""; time.Sleep(time.Millisecond) {
		if time.Since(begun) > issuerTimeout {
			t.Fatalf("a token of a new %s key is %s", provider.Key().Algorithm, got)
		}
		o.later()
		got = o.outcome(provider.Sign(t, nil))
	}
}

// outcome is how a token fared: "" where it was taken, or the kind of the failure.
func (o *OIDC) outcome(token string) string {
	_, _, err := o.Authenticate(context.Background(), token)
	switch {
	case err == nil:
		return ""
	case integration.IsKind(err, integration.KindUnauthenticated):
		return "unauthenticated"
	case integration.IsKind(err, integration.KindForbidden):
		return "forbidden"
	}
	return "unknown"
}

// The provider's own token is taken, and names who it is of.
func TestAProvidersToken(t *testing.T) {
	t.Parallel()
	o, provider := newOIDC(t)
	project := uuid.New()
	p, _, err := o.Authenticate(t.Context(), provider.Token(t, "ci", map[string]any{"org": "acme", "role": "editor", "projects": []any{project}, "email": "ci@example.com"}))
	if err != nil {
		t.Fatal(err)
	}
	want(t, p, integration.Principal{Subject: "oidc:ci (ci@example.com)", Org: "acme", Role: integration.RoleEditor, Projects: []uuid.UUID{project}})
}

// Every way to sign that is allowed, and every time within the leeway.
func TestTokensThatAreTaken(t *testing.T) {
	t.Parallel()
	o, provider := newOIDC(t)
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	for name, claims := range map[string]map[string]any{
		"plain":                          nil,
		"expired within the leeway":      {"exp": in(5*time.Second - ClockLeeway)},
		"not yet valid, within the same": {"nbf": in(ClockLeeway - 5*time.Second), "iat": in(ClockLeeway - 5*time.Second)},
		"times with fractions":           {"exp": float64(in(time.Minute)) + 0.5},
		"without iat":                    {"iat": nil},
		"for ever":                       {"exp": 1e18},
		"for several":                    {"aud": []string{"other", optest.Audience}},
	} {
		if got := o.outcome(provider.Sign(t, claims)); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, algorithm := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA} {
		provider.Rotate(t, algorithm)
		o.meet(t, provider)
	}
}

// A token that is remembered ends no later for that.
func TestATokenEndsWhenItExpires(t *testing.T) {
	t.Parallel()
	o, provider := newOIDC(t)
	if err := o.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	expires := time.Now().Add(6 * time.Second).Truncate(time.Second)
	token := provider.Sign(t, map[string]any{"exp": expires.Add(-ClockLeeway).Unix()})
	for asked := time.Now(); o.outcome(token) == ""; asked = time.Now() {
		if asked.After(expires) {
			t.Fatalf("the token is taken %s too late", asked.Sub(expires))
		}
		time.Sleep(10 * time.Millisecond)
	}
	want(t, o.outcome(token), "unauthenticated")
	want(t, o.cache.Len(), 1) // it was remembered
}

func TestTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	o, provider := newOIDC(t)
	provider.Rotate(t, jose.RS256)
	stranger := optest.New(t)
	stranger.Rotate(t, jose.RS256)
	good := provider.Sign(t, nil)
	want(t, o.outcome(good), "")
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	key := provider.Key()
	jwk := key.Key.(jose.JSONWebKey)
	public, err := x509.MarshalPKIXPublicKey(jwk.Public().Key)
	if err != nil {
		t.Fatal(err)
	}
	asSecret := func(secret []byte) string {
		return provider.SignWith(t, jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: secret, KeyID: jwk.KeyID}}, nil)
	}
	parts := strings.Split(good, ".")
	var payload map[string]any
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(text, &payload) != nil {
		t.Fatal(err)
	}
	payload["role"], payload["org"] = "admin", "elsewhere"
	forged, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	header := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	strangersKey := stranger.Key().Key.(jose.JSONWebKey)
	embedded, err := json.Marshal(map[string]any{"alg": "RS256", "jwk": strangersKey.Public()})
	if err != nil {
		t.Fatal(err)
	}
	strangers := strings.Split(stranger.Sign(t, map[string]any{"iss": provider.URL}), ".")
	for name, token := range map[string]string{
		"expired":                      provider.Sign(t, map[string]any{"exp": in(-ClockLeeway - 5*time.Second)}),
		"not yet valid":                provider.Sign(t, map[string]any{"nbf": in(ClockLeeway + 10*time.Second)}),
		"issued in the future":         provider.Sign(t, map[string]any{"iat": in(ClockLeeway + 10*time.Second)}),
		"without an end":               provider.Sign(t, map[string]any{"exp": nil}),
		"an end that is no number":     provider.Sign(t, map[string]any{"exp": "tomorrow"}),
		"an end that is null":          provider.Sign(t, map[string]any{"exp": json.RawMessage("null")}),
		"an end in other letters":      provider.Sign(t, map[string]any{"exp": nil, "EXP": in(time.Hour)}),
		"a begin that is no time":      provider.Sign(t, map[string]any{"nbf": json.RawMessage("null")}),
		"for another audience":         provider.Sign(t, map[string]any{"aud": "other"}),
		"for the browsers' client":     provider.Sign(t, map[string]any{"aud": optest.Client}),
		"for nobody":                   provider.Sign(t, map[string]any{"aud": nil}),
		"another issuer":               provider.Sign(t, map[string]any{"iss": stranger.URL}),
		"another issuer's":             stranger.Sign(t, nil),
		"another's key, our issuer":    strings.Join(strangers, "."),
		"a key that it brings along":   header(string(embedded)) + "." + strangers[1] + "." + strangers[2],
		"of nobody":                    provider.Sign(t, map[string]any{"sub": nil}),
		"of somebody not to be shown":  provider.Sign(t, map[string]any{"sub": "a\nb"}),
		"of somebody without end":      provider.Sign(t, map[string]any{"sub": strings.Repeat("a", maxSubjectID+1)}),
		"not signed":                   header(`{"alg":"none"}`) + "." + parts[1] + ".",
		"not signed, in other letters": header(`{"alg":"nOnE"}`) + "." + parts[1] + ".",
		"without its signature":        parts[0] + "." + parts[1] + ".",
		"signed with the public key":   asSecret(public),
		"the same as PEM":              asSecret(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		"other claims":                 parts[0] + "." + base64.RawURLEncoding.EncodeToString(forged) + "." + parts[2],
		"another signature":            parts[0] + "." + parts[1] + "." + strings.Split(provider.Sign(t, map[string]any{"sub": "other"}), ".")[2],
		"too long":                     provider.Sign(t, map[string]any{"more": strings.Repeat("x", maxToken)}),
		"no JSON":                      header("{") + "." + parts[1] + "." + parts[2],
		"unknown and critical header":  header(`{"alg":"RS256","crit":["x"],"x":1}`) + "." + parts[1] + "." + parts[2],
	} {
		if got := o.outcome(token); got != "unauthenticated" {
			t.Errorf("%s: %q", name, got)
		}
	}
	// What nobody has signed is repeated in no answer.
	_, _, err = o.Authenticate(t.Context(), header(`{"alg":"SECRETSECRET"}`)+"."+parts[1]+"."+parts[2])
	if err == nil || strings.Contains(err.Error(), "SECRETSECRET") {
		t.Errorf("the answer is %v", err)
	}
}

// A claim that cannot be read never means more rights than one that can, and the refusal names it.
func TestClaims(t *testing.T) {
	t.Parallel()
	id := uuid.New()
	for _, test := range []struct {
		name   string
		claims map[string]any // over those of a good token; nil is left out
		want   integration.Principal
		wrong  string // the claim that the refusal names
	}{
		{"all projects", nil, integration.Principal{Role: integration.RoleAdmin}, ""},
		{"some", map[string]any{"projects": []any{id}}, integration.Principal{Role: integration.RoleAdmin, Projects: []uuid.UUID{id}}, ""},
		{"none", map[string]any{"projects": []any{}}, integration.Principal{Role: integration.RoleAdmin, Projects: []uuid.UUID{}}, ""},
		{"any case", map[string]any{"role": "eDiTor"}, integration.Principal{Role: integration.RoleEditor}, ""},
		{"the highest", map[string]any{"role": []any{"viewer", "owner", 7, "EDITOR", "viewer"}}, integration.Principal{Role: integration.RoleEditor}, ""},
		{"no role", map[string]any{"role": nil}, integration.Principal{}, "role"},
		{"unknown role", map[string]any{"role": "owner"}, integration.Principal{}, "role"},
		{"nearly a role", map[string]any{"role": "vıewer"}, integration.Principal{}, "role"},
		{"unknown roles", map[string]any{"role": []any{"owner", []any{"admin"}}}, integration.Principal{}, "role"},
		{"role as an object", map[string]any{"role": map[string]any{"admin": true}}, integration.Principal{}, "role"},
		{"role null", map[string]any{"role": json.RawMessage("null")}, integration.Principal{}, "role"},
		{"role in other letters", map[string]any{"role": nil, "Role": "admin"}, integration.Principal{}, "role"},
		{"no org", map[string]any{"org": nil}, integration.Principal{}, "org"},
		{"an empty org", map[string]any{"org": " "}, integration.Principal{}, "org"},
		{"a long org", map[string]any{"org": strings.Repeat("a", 256)}, integration.Principal{}, "org"},
		{"an org with NUL", map[string]any{"org": "a\x00b"}, integration.Principal{}, "org"},
		{"an org of half a letter", map[string]any{"org": json.RawMessage(`"a\ud800"`)}, integration.Principal{}, "org"},
		{"several orgs", map[string]any{"org": []any{"acme"}}, integration.Principal{}, "org"},
		{"projects null", map[string]any{"projects": json.RawMessage("null")}, integration.Principal{}, "projects"},
		{"projects as text", map[string]any{"projects": id.String()}, integration.Principal{}, "projects"},
		{"projects as an object", map[string]any{"projects": map[string]any{id.String(): true}}, integration.Principal{}, "projects"},
		{"no UUIDs", map[string]any{"projects": []any{id, "*"}}, integration.Principal{}, "projects"},
		{"UUIDs in another form", map[string]any{"projects": []any{"{" + id.String() + "}"}}, integration.Principal{}, "projects"},
		{"a null among them", map[string]any{"projects": []any{nil}}, integration.Principal{}, "projects"},
		{"too many", map[string]any{"projects": make([]string, maxClaimedProjects+1)}, integration.Principal{}, "projects"},
	} {
		all := claims{"sub": json.RawMessage(`"1"`), "org": json.RawMessage(`"acme"`), "role": json.RawMessage(`"ADMIN"`)}
		for name, v := range test.claims {
			delete(all, name)
			if v != nil {
				text, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				all[name] = text
			}
		}
		got, err := all.principal(names)
		if test.wrong != "" {
			if !integration.IsKind(err, integration.KindForbidden) || !strings.Contains(err.Error(), fmt.Sprintf("its claim %q", test.wrong)) {
				t.Errorf("%s: %+v, %v", test.name, got, err)
			}
			want(t, got, integration.Principal{})
			continue
		}
		test.want.Subject, test.want.Org = "oidc:1", "acme"
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		want(t, got, test.want)
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 300)
	for text, subject := range map[string]string{
		`{"sub": "1"}`:                                                                    "oidc:1",
		`{"sub": "1", "name": "Jane"}`:                                                    "oidc:1 (Jane)",
		`{"sub": "1", "name": "Jane", "email": "jane@x"}`:                                 "oidc:1 (jane@x)",
		`{"sub": "1", "email": "jane@x", "email_verified": true}`:                         "oidc:1 (jane@x)",
		`{"sub": "1", "name": "Jane", "email": "boss@x", "email_verified": false}`:        "oidc:1 (Jane)",
		`{"sub": "1", "email": "boss@x", "email_verified": "false"}`:                      "oidc:1",
		`{"sub": "1", "name": "J\u0000a\u001bn\ne\u202e\u2028"}`:                          "oidc:1 (Jane)",
		`{"sub": "1", "name": "\n"}`:                                                      "oidc:1",
		`{"sub": "1", "name": ["Jane"]}`:                                                  "oidc:1",
		`{"sub": "1", "name": "` + long + `"}`:                                            "oidc:1 (" + long[:2*(maxSubject-9)] + "…",
		`{"sub": "` + strings.Repeat("a", maxSubjectID) + `", "preferred_username": "j"}`: "oidc:" + strings.Repeat("a", maxSubjectID-1) + "…",
	} {
		var c claims
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		got, err := c.subject()
		if err != nil || got != subject {
			t.Errorf("%.60s: %q, %v", text, got, err)
		}
	}
}

// The provider changes its keys while the server serves: the new one is fetched when it is seen first, the old one holds for
// as long as it is published.
func TestTheIssuersKeysAreRotated(t *testing.T) {
	t.Parallel()
	o, provider := newOIDC(t)
	const keys = "/keys"
	old := provider.Sign(t, nil)
	want(t, o.outcome(old), "")
	want(t, provider.Requests(keys), 1)

	provider.Rotate(t, jose.ES256)
	o.meet(t, provider)
	for i := range 20 {
		want(t, o.outcome(provider.Sign(t, map[string]any{"sub": fmt.Sprint(i)})), "")
		want(t, o.outcome(old), "")
	}
	want(t, provider.Requests(keys), 2)

	// Withdrawn, it ends with the next discovery at the latest.
	older := provider.SignWith(t, provider.Key(), map[string]any{"sub": "older"})
	provider.Rotate(t, jose.RS256)
	provider.Withdraw()
	want(t, o.outcome(older), "")
	o.later()
	o.age(discoveryLifetime)
	want(t, o.outcome(provider.SignWith(t, provider.Key(), nil)), "")
	o.cache.Purge()
	want(t, o.outcome(older), "unauthenticated")
}

// age makes what was discovered older.
func (o *OIDC) age(by time.Duration) {
	known := *o.issuer.known.Load()
	known.at = known.at.Add(-by)
	o.issuer.known.Store(&known)
}

// A flood of tokens that name keys which nobody has, or are signed wrongly, costs the issuer one request in issuerPause; good
// tokens are taken meanwhile.
func TestAFloodOfUnknownKeys(t *testing.T) {
	t.Parallel()
	o, provider := newOIDC(t)
	begun := time.Now()
	want(t, o.outcome(provider.Sign(t, nil)), "")
	stranger := optest.New(t)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 50 {
				key := stranger.Key()
				jwk := key.Key.(jose.JSONWebKey)
				jwk.KeyID = fmt.Sprintf("%d-%d", worker, i)
				if i%2 == 0 {
					jwk.KeyID = provider.Key().Key.(jose.JSONWebKey).KeyID
				}
				key.Key = jwk
				if got := o.outcome(provider.SignWith(t, key, map[string]any{"sub": fmt.Sprint(worker, i)})); got != "unauthenticated" {
					t.Errorf("a stranger's token: %q", got)
				}
				if i%10 == 0 {
					if got := o.outcome(provider.Sign(t, map[string]any{"sub": fmt.Sprint(worker, i)})); got != "" {
						t.Errorf("a good token: %q", got)
					}
				}
			}
		})
	}
	all.Wait()
	allowed := 1 + int(time.Since(begun)/issuerPause)
	if n := provider.Requests("/keys"); n < 1 || n > allowed {
		t.Errorf("the keys were asked for %d times, want at most %d", n, allowed)
	}
	want(t, provider.Requests("/.well-known/openid-configuration"), 1)
}

// While the issuer is away nobody is told that their token is wrong; it is not asked for each, and comes back by itself.
func TestAnIssuerThatIsAway(t *testing.T) {
	t.Parallel()
	o, provider := newOIDC(t)
	provider.Break(true)
	token := provider.Sign(t, nil)
	for range 20 {
		want(t, o.outcome(token), "unknown")
	}
	want(t, provider.Requests("/.well-known/openid-configuration"), 1)
	if err := o.Check(t.Context()); err == nil || !strings.Contains(err.Error(), provider.URL) || !strings.Contains(err.Error(), "status 503") {
		t.Errorf("the error is %v", err)
	}
	provider.Break(false)
	o.later()
	want(t, o.outcome(token), "")
	if err := o.Check(t.Context()); err != nil {
		t.Error(err)
	}

	// Known keys go on to count, for a day; unknown ones cannot be checked.
	known := provider.Key()
	provider.Break(true)
	o.later()
	o.age(discoveryLifetime)
	want(t, o.outcome(provider.Sign(t, map[string]any{"sub": "another"})), "")
	provider.Rotate(t, jose.RS256)
	want(t, o.outcome(provider.Sign(t, nil)), "unknown")

	// Nor are they given up for an issuer that says who it is and not its keys.
	provider.BreakPath("/keys")
	o.later()
	want(t, o.outcome(provider.SignWith(t, known, map[string]any{"sub": "a third"})), "")
	want(t, provider.Requests("/keys") > 2, true)
	provider.Break(true)
	o.age(discoveryGrace)
	o.cache.Purge()
	want(t, o.outcome(token), "unknown")
}

// What an issuer may not say of itself.
func TestDiscoveryThatIsWrong(t *testing.T) {
	t.Parallel()
	var document string
	issuer := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case document == "moved":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case r.URL.Path == "/keys":
			_, _ = w.Write([]byte(`{"keys": []}`))
		case r.URL.Path == "/endless":
			_, _ = w.Write([]byte(`"` + strings.Repeat("x", maxIssuerAnswer) + `"`))
		case r.URL.Path == "/broken":
			_, _ = w.Write([]byte(`{"keys": {}}`))
		default:
			_, _ = w.Write([]byte(strings.ReplaceAll(document, "ISSUER", "https://"+r.Host)))
		}
	}))
	t.Cleanup(issuer.Close)
	const good = `{"issuer": "ISSUER", "jwks_uri": "ISSUER/keys", "authorization_endpoint": "ISSUER/a", "token_endpoint": "ISSUER/t"}`
	for text, reason := range map[string]string{
		"":      "could not unmarshal",
		"moved": "status 302",
		`{"issuer": "ISSUER", "x": "` + strings.Repeat("x", maxIssuerAnswer) + `"}`: "too large",
		strings.Replace(good, `"ISSUER"`, `"https://other.example.com"`, 1):         "did not match",
		strings.Replace(good, `"jwks_uri"`, `"other"`, 1):                           "no jwks_uri",
		strings.Replace(good, "ISSUER/keys", "http://127.0.0.1/keys", 1):            "not https",
		strings.Replace(good, "ISSUER/t", "http://127.0.0.1/t", 1):                  "not https",
		strings.Replace(good, "ISSUER/keys", "ISSUER/broken", 1):                    "failed to decode keys",
		strings.Replace(good, "ISSUER/keys", "ISSUER/endless", 1):                   "too large",
		strings.Replace(good, `"token_endpoint"`, `"other"`, 1):                     "lacks authorization_endpoint or token_endpoint",
	} {
		document = text
		o := NewOIDC(OIDCOptions{Issuer: issuer.URL, Audience: "a", ClientID: "b", Claims: names})
		o.issuer.asked.Transport.(*gate).next = bound{issuer.Client().Transport}
		err := o.Check(t.Context())
		if err == nil || !strings.Contains(err.Error(), reason) || len(err.Error()) > 2*maxReason {
			t.Errorf("%.100q: error %v", text, err)
		}
		if got := o.outcome(nobodys); got != "unknown" && !strings.HasPrefix(reason, "lacks") {
			t.Errorf("%.100q: a token is %q", text, got)
		}
	}
}

// A cookie holds API keys only, and without a provider nothing is a token.
func TestATokenInACookie(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t, false)
	o, provider := newOIDC(t)
	s.OIDC = o
	token := provider.Sign(t, nil)
	if _, err := s.who("Cookie", "patchbay-session="+token); !integration.IsKind(err, integration.KindUnauthenticated) {
		t.Errorf("a token in a cookie: %v", err)
	}
	p, err := s.who("Authorization", "Bearer "+token)
	if err != nil || p.Subject != "oidc:somebody" || p.Origin.RemoteAddr == "" {
		t.Errorf("runs as %+v, %v", p, err)
	}
	s.OIDC = nil
	if _, err := s.who("Authorization", "Bearer "+token); !integration.IsKind(err, integration.KindUnauthenticated) {
		t.Errorf("a token where no provider is configured: %v", err)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	o, provider := newOIDC(b)
	for _, algorithm := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256} {
		provider.Rotate(b, algorithm)
		o.meet(b, provider)
		token := provider.Sign(b, nil)
		for name, remember := range map[string]bool{"remembered": true, "verified": false} {
			b.Run(string(algorithm)+" "+name, func(b *testing.B) {
				for b.Loop() {
					if !remember {
						o.cache.Purge()
					}
					if _, _, err := o.Authenticate(b.Context(), token); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
