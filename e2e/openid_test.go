package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"patchbay/internal/auth/optest"
)

// TestOpenID signs a browser in at a real provider: where the server is on this machine, and where a proxy stands before it
// that speaks https.
func TestOpenID(t *testing.T) {
	t.Parallel()
	node := needNode(t)
	browser := needBrowser(t)
	needWeb(t)
	for _, test := range []struct {
		name, cookie string
		https        bool
	}{
		{"http", "patchbay-session", false},
		{"https", "__Host-patchbay-session", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			const password = "PASSWORDOFTHEE2ETEST"
			provider := optest.New(t)
			provider.User("jane", password, map[string]any{"org": "local", "role": "editor", "email": "jane@example.com"})
			provider.User("guest", password, map[string]any{"org": "local"})
			env := []string{
				"PATCHBAY_OIDC_ISSUER=" + provider.URL, "PATCHBAY_OIDC_AUDIENCE=" + optest.Audience,
				"PATCHBAY_OIDC_CLIENT_ID=" + optest.SecretClient, "PATCHBAY_OIDC_CLIENT_SECRET=" + provider.Secret,
			}
			var addr atomic.Value
			if test.https {
				proxy := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
					r.Out.URL.Scheme, r.Out.URL.Host = "http", addr.Load().(string)
					r.Out.Host = r.In.Host
				}})
				proxy.Config.ErrorLog = log.New(io.Discard, "", 0) // the browser does not like the certificate at first
				proxy.StartTLS()
				t.Cleanup(proxy.Close)
				env = append(env, "PATCHBAY_PUBLIC_URL="+proxy.URL)
			}
			s := start(t, binary(t), env...)
			addr.Store(s.addr)
			provider.Redirect(s.URL + "/sign-in/callback")
			admin := s.key(t, "admin")
			node.run(t, filepath.Join("browser", "openid.mjs"), map[string]func(){"revoke": func() { s.revokeSession(t, admin) }},
				"PATCHBAY_URL="+s.URL, "CHROMIUM="+browser, "OPENID_PROVIDER="+provider.URL, "OPENID_PASSWORD="+password, "OPENID_COOKIE="+test.cookie)
			t.Run("gallery", func(t *testing.T) {
				node.run(t, filepath.Join("browser", "gallery-openid.mjs"), map[string]func(){"revoke": func() { s.revokeSession(t, admin) }},
					"PATCHBAY_URL="+s.URL, "CHROMIUM="+browser, "OPENID_PROVIDER="+provider.URL, "OPENID_PASSWORD="+password)
			})
			s.stop(t)
			for _, secret := range append(append(s.secrets, provider.Secret, password), provider.Codes()...) {
				if strings.Contains(s.log.String(), secret) {
					t.Error("the server's log holds a secret")
				}
			}
		})
	}
}

// revokeSession ends the newest key of the organisation, as its administrator.
func (s *server) revokeSession(t *testing.T, admin string) {
	t.Helper()
	ask := func(query string) string {
		body, err := json.Marshal(map[string]string{"query": query})
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequest(http.MethodPost, "http://"+s.addr+"/graphql", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+admin)
		_, text := do(t, request)
		return text
	}
	var listed struct {
		Data struct {
			Keys []struct{ ID, Name string } `json:"apiKeys"`
		}
	}
	text := ask(`{ apiKeys(orgId: "local") { id name } }`)
	if err := json.Unmarshal([]byte(text), &listed); err != nil || len(listed.Data.Keys) == 0 {
		t.Fatalf("the keys are %s", text)
	}
	newest := listed.Data.Keys[len(listed.Data.Keys)-1]
	if !strings.HasPrefix(newest.Name, "Browser session of ") {
		t.Errorf("the newest key is called %s", newest.Name)
	}
	if text := ask(`mutation { revokeApiKey(id: "` + newest.ID + `") { id } }`); !strings.Contains(text, newest.ID) {
		t.Errorf("revoking answered %s", text)
	}
}
