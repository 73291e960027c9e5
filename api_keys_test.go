package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"patchbay/internal/auth"
)

// newKey makes a key by the API and returns its id and its text.
func (c *client) newKey(t testing.TB, input map[string]any) (id, text string) {
	t.Helper()
	all := map[string]any{"orgId": c.org, "name": "CI", "role": "VIEWER"}
	for name, v := range input {
		all[name] = v
	}
	a := c.do(t, `mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) { key apiKey { id } } }`, map[string]any{"i": all})
	return a.text(t, "createApiKey", "apiKey", "id"), a.text(t, "createApiKey", "key")
}

func (c *client) revoke(t testing.TB, id string) answer {
	t.Helper()
	return c.do(t, `mutation($id: UUID!) { revokeApiKey(id: $id) { id revokedAt } }`, map[string]any{"id": id})
}

// works reports whether a key is accepted.
func (s *server) works(t testing.TB, key string) bool {
	t.Helper()
	a := s.ask(t, key, `{ viewer { role } }`, nil)
	if len(a.Errors) > 0 {
		a.wantErrors(t, "UNAUTHENTICATED")
	}
	return len(a.Errors) == 0
}

func TestAKeyIsShownOnceAndKeptAsItsHash(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id, key := c.newKey(t, map[string]any{"name": "CI of the website", "role": "EDITOR", "expiresAt": "2999-12-31T23:59:59.123456Z"})
	want(t, c.as(key).do(t, `{ viewer { subject role orgId projectIds } }`).Data, map[string]any{"viewer": map[string]any{
		"subject": "api-key:" + key[:11] + " (CI of the website)", "role": "EDITOR", "orgId": "acme", "projectIds": nil}})

	listed := c.do(t, `{ apiKeys(orgId: "acme") { id name prefix role orgId projectIds expiresAt revokedAt lastUsedAt createdAt } }`)
	if strings.Contains(listed.raw, key[:12]) {
		t.Error("the list shows the key")
	}
	made := listed.get(t, "apiKeys", 1).(map[string]any)
	used, err := time.Parse(time.RFC3339Nano, made["lastUsedAt"].(string))
	if err != nil || time.Since(used).Abs() > time.Minute {
		t.Errorf("lastUsedAt is %v", made["lastUsedAt"])
	}
	delete(made, "lastUsedAt")
	delete(made, "createdAt")
	want(t, made, map[string]any{"id": id, "name": "CI of the website", "prefix": key[:11], "role": "EDITOR", "orgId": "acme",
		"projectIds": nil, "expiresAt": "2999-12-31T23:59:59.123456Z", "revokedAt": nil})

	hash := sha256.Sum256([]byte(key))
	want(t, rows(t, c.db, `SELECT encode(hash, 'hex') FROM kb.api_keys WHERE id = $1`, id), []string{hex.EncodeToString(hash[:])})
	if all := fmt.Sprint(contents(t, c.db)); strings.Contains(all, key[:12]) || strings.Contains(all, hex.EncodeToString([]byte(key))) {
		t.Error("the database holds the key")
	}
}

func TestTheAuthorizationHeader(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	const body = `{"query":"{ viewer { role } }"}`
	for header, accepted := range map[string]bool{
		"Bearer " + c.key:                      true,
		"bearer " + c.key:                      true,
		"BEARER   " + c.key + " ":              true,
		"Bearer":                               false,
		"Bearer ":                              false,
		c.key:                                  false,
		"Basic " + c.key:                       false,
		"Token " + c.key:                       false,
		"Bearer " + c.key + "a":                false,
		"Bearer " + c.key[:54]:                 false,
		"Bearer " + strings.ToUpper(c.key):     false,
		"Bearer pb_" + strings.Repeat("a", 52): false,
		"Bearer Bearer " + c.key:               false,
	} {
		res, text := c.send(t, "POST", "/graphql", body, "Content-Type", "application/json", "Authorization", header)
		if res.StatusCode != 200 || strings.Contains(text, `"role":"ADMIN"`) != accepted || strings.Contains(text, "UNAUTHENTICATED") == accepted {
			t.Errorf("%q: %d %s", strings.ReplaceAll(header, c.key, "KEY"), res.StatusCode, text)
		}
	}
}

func TestAKeyEndsWhenItExpires(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	expires := time.Now().Add(5 * time.Second)
	_, key := c.newKey(t, map[string]any{"expiresAt": expires.Format(time.RFC3339Nano)})
	want(t, c.works(t, key), true)
	eventually(t, 30*time.Second, "the key expires", func() bool { return !c.works(t, key) })
	if early := time.Until(expires); early > 0 {
		t.Errorf("the key ended %s early", early)
	}
	want(t, len(c.do(t, `{ apiKeys(orgId: "acme") { id } }`).get(t, "apiKeys").([]any)), 2)
}

func TestARevokedKeyEndsHereAtOnceAndElsewhereSoon(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	elsewhere := startServer(t, c.db)
	id, key := c.newKey(t, nil)
	for _, s := range []*server{c.server, elsewhere} {
		want(t, s.works(t, key), true) // and is remembered
	}
	first := c.revoke(t, id)
	want(t, c.works(t, key), false)
	eventually(t, auth.RevocationDelay+3*time.Second, "the other replica refuses the key", func() bool { return !elsewhere.works(t, key) })
	want(t, c.revoke(t, id).Data, first.Data) // revoking again changes nothing
}

// A key may end itself; the answer still comes.
func TestAKeyMayRevokeItself(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id, key := c.newKey(t, map[string]any{"role": "ADMIN"})
	c.as(key).revoke(t, id)
	want(t, c.works(t, key), false)
}

// Most requests need no query for their key.
func TestMostRequestsNeedNoQueryForTheirKey(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	rows(t, c.db, `DO $do$ BEGIN EXECUTE format($$ALTER DATABASE %I SET track_functions = 'all'$$, current_database()); END $do$`)
	counted := startServer(t, c.db) // its connections count
	const requests = 200
	begin := time.Now()
	for range requests {
		want(t, counted.works(t, c.key), true)
	}
	allowed := 2 + int(time.Since(begin)/auth.RevocationDelay)
	if err := counted.end(); err != nil { // a connection that ends reports its counts
		t.Fatal(err)
	}
	lookUps := 0
	eventually(t, 10*time.Second, "the look-ups are counted", func() bool {
		for _, n := range rows(t, c.db, `SELECT calls::text FROM pg_stat_user_functions WHERE funcname = 'authenticate_api_key'`) {
			_, _ = fmt.Sscan(n, &lookUps)
		}
		return lookUps > 0
	})
	if lookUps > allowed {
		t.Errorf("%d requests looked their key up %d times; at most %d were expected", requests, lookUps, allowed)
	}
}

// A browser that shows a key once stays signed in as it, over reloads, and no longer than the key works.
func TestABrowserSignsInWithAKey(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	id, key := c.newKey(t, map[string]any{"name": "Jane", "role": "ADMIN", "projectIds": []string{c.project}, "expiresAt": expires.Format(time.RFC3339)})
	refused, _ := c.send(t, "POST", "/sign-in", "", "Authorization", "Bearer "+key, "Sec-Fetch-Site", "cross-site")
	want(t, []int{refused.StatusCode, len(refused.Cookies())}, []int{403, 0})
	in, text := c.send(t, "POST", "/sign-in", "", "Authorization", "Bearer "+key, "Sec-Fetch-Site", "same-origin")
	want(t, []any{in.StatusCode, text}, []any{204, ""})
	session := in.Cookies()[0].Value
	const who = `{ viewer { subject role orgId projectIds expiresAt } }`
	subject := "api-key:" + key[:11] + " (Jane)"
	want(t, c.as(session).do(t, who).Data, map[string]any{"viewer": map[string]any{
		"subject": subject, "role": "ADMIN", "orgId": "acme", "projectIds": []any{c.project}, "expiresAt": expires.Format("2006-01-02T15:04:05.000000Z")}})
	want(t, c.do(t, who).get(t, "viewer", "expiresAt"), any(nil)) // of a key that never ends

	listed := c.do(t, `{ apiKeys(orgId: "acme") { sessionOf createdBy } }`).get(t, "apiKeys").([]any)
	want(t, listed, []any{
		map[string]any{"sessionOf": nil, "createdBy": "operator"},
		map[string]any{"sessionOf": nil, "createdBy": "api-key:" + c.key[:11] + " (test admin)"},
		map[string]any{"sessionOf": subject, "createdBy": subject},
	})
	want(t, c.trail(t, `, filter: {action: "session.create"}`)[0][:len(subject)+15], subject+" session.create")
	c.revoke(t, id)
	want(t, c.works(t, session), false)
	for _, one := range c.do(t, `{ apiKeys(orgId: "acme") { revokedAt } }`).get(t, "apiKeys").([]any)[1:] {
		if one.(map[string]any)["revokedAt"] == nil {
			t.Error("the list shows a key that does not work as one that does")
		}
	}
	if strings.Contains(c.log.String(), key[:20]) || strings.Contains(c.log.String(), session[:20]) {
		t.Error("the log holds a key")
	}
}
