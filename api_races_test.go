package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"patchbay/internal/seal"
)

// together runs n calls at once and returns their answers.
func together(n int, call func(i int) answer) []answer {
	answers := make([]answer, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			answers[i] = call(i)
		})
	}
	close(start)
	wg.Wait()
	return answers
}

// Thirty clients change one integration at once, each another setting of it: every change is there in the end.
func TestNoUpdateIsLost(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "jira", "settings": map[string]any{"site_url": "https://acme.atlassian.net"}}).wantErrors(t)
	changes := []map[string]any{
		{"settings": map[string]any{"site_url": "https://acme.atlassian.net"}},
		{"settings": map[string]any{"email": "ada@example.com"}},
		{"settings": map[string]any{"api_token": "token-of-the-race-0001"}},
		{"settings": map[string]any{"project_keys": []any{"ENG"}}},
		{"settings": map[string]any{"jql": "labels = public"}},
		{"settings": map[string]any{"import_comments": false}},
		{"description": "raced"},
		{"displayName": "Raced"},
		{"logoUrl": "https://example.com/raced.png"},
		{"webhookSecret": "webhook-secret-of-the-race"},
	}
	for i, a := range together(30, func(i int) answer { return c.update(t, "jira", changes[i%len(changes)]) }) {
		if len(a.Errors) > 0 {
			t.Errorf("update %d: %s", i, a.raw)
		}
	}
	a := c.do(t, `query($org: ID!, $p: UUID!) { integration(orgId: $org, projectId: $p, name: "jira") {
		revision settings configuredSecrets hasConfiguration description displayName logoUrl } }`)
	want(t, a.Data, map[string]any{"integration": map[string]any{
		"revision": 31.0, "configuredSecrets": []any{"api_token"}, "hasConfiguration": true, "description": "raced", "displayName": "Raced",
		"logoUrl": "https://example.com/raced.png",
		"settings": map[string]any{"site_url": "https://acme.atlassian.net", "email": "ada@example.com", "project_keys": []any{"ENG"},
			"jql": "labels = public", "import_comments": false},
	}})
	settings, webhook := c.opened(t, "jira")
	want(t, settings, map[string]any{"api_token": "token-of-the-race-0001"})
	want(t, webhook, "webhook-secret-of-the-race")
}

// testRing holds the key of servers under test.
var testRing = sync.OnceValue(func() *seal.Ring {
	key, err := seal.ParseKey(seal.NewSecret(testKey))
	if err != nil {
		panic(err)
	}
	return seal.NewRing(key)
})

// opened decrypts an integration's secrets as a holder of the encryption key and of the database can.
func (c *client) opened(t testing.TB, name string) (settings map[string]any, webhookSecret string) {
	t.Helper()
	if text := c.openedColumn(t, name, "settings"); text != "" {
		if err := json.Unmarshal([]byte(text), &settings); err != nil {
			t.Fatal(err)
		}
	}
	return settings, c.openedColumn(t, name, "webhook_secret")
}

// openedColumn decrypts one sealed column of an integration; "" where it is NULL.
func (c *client) openedColumn(t testing.TB, name, column string) (plain string) {
	t.Helper()
	ctx := context.Background()
	conn := c.db.Connect(t, "", "")
	var id [16]byte
	var keyID, sealed *string
	if err := conn.QueryRow(ctx, `SELECT id, key_id, `+column+` FROM kb.integrations WHERE name = $1 AND project_id = $2`, name, c.project).
		Scan(&id, &keyID, &sealed); err != nil {
		t.Fatal(err)
	}
	if sealed == nil {
		return ""
	}
	pass, err := testRing().Passphrase(*keyID, seal.Cell{Table: "kb.integrations", Column: column, Row: id, Org: c.org})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(ctx, `SELECT kb.unseal($1, $2)`, *sealed, pass.Expose()).Scan(&plain); err != nil {
		t.Fatalf("open %s: %v", column, err)
	}
	return plain
}

func TestOfTwoIntegrationsOfOneNameOneIsMade(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	var codes []string
	for _, a := range together(8, func(i int) answer {
		return c.create(t, map[string]any{"name": "linear", "settings": map[string]any{"api_key": fmt.Sprintf("lin_api_%040d", i)}})
	}) {
		codes = append(codes, strings.Join(a.codes(), ","))
	}
	slices.Sort(codes)
	want(t, codes, append([]string{""}, slices.Repeat([]string{"CONFLICT name"}, 7)...))
	want(t, rows(t, c.db, `SELECT (SELECT count(*) FROM kb.integrations) || ' and ' || (SELECT count(*) FROM kb.sync_states)`), []string{"1 and 1"})
}

// Of several clients that read the same revision, one wins, and the others are told.
func TestOfSeveralUpdatesOfOneRevisionOneWins(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "linear"}).wantErrors(t)
	won := 0
	for _, a := range together(10, func(i int) answer {
		return c.update(t, "linear", map[string]any{"ifRevision": 1, "description": fmt.Sprint(i)})
	}) {
		if len(a.Errors) == 0 {
			won++
		} else {
			a.wantErrors(t, "CONFLICT ifRevision")
		}
	}
	want(t, won, 1)
	want(t, c.do(t, `query($org: ID!, $p: UUID!) { integration(orgId: $org, projectId: $p, name: "linear") { revision } }`).
		get(t, "integration", "revision"), any(2.0))
}
