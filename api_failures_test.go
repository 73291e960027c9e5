package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// A failure inside tells the client nothing but an id, and the log under that id what happened.
func TestAnInternalErrorNamesTheRequestAndNothingElse(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	rows(t, c.db, `ALTER TABLE kb.sync_states RENAME COLUMN total_synced TO moved`)
	body, err := json.Marshal(map[string]any{"query": `query($p: UUID!) { syncStates(orgId: "acme", projectId: $p) { id } }`, "variables": map[string]any{"p": c.project}})
	if err != nil {
		t.Fatal(err)
	}
	const id = "trace-of-a-proxy.1"
	res, text := c.send(t, http.MethodPost, "/graphql", string(body), "Content-Type", "application/json", "Authorization", "Bearer "+c.key, "X-Request-Id", id)
	want(t, res.StatusCode, http.StatusOK)
	want(t, res.Header.Get("X-Request-Id"), id)
	want(t, text, `{"errors":[{"message":"internal error; the server's log has the details under this request id","path":["syncStates"],`+
		`"extensions":{"code":"INTERNAL","requestId":"`+id+`"}}],"data":null}`)

	var cause map[string]any
	for line := range strings.Lines(c.log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("a log line is no JSON: %s", line)
		}
		if entry["request_id"] == id && entry["level"] == "ERROR" {
			cause = entry
		}
	}
	if e, _ := cause["error"].(string); !strings.Contains(e, "s.total_synced does not exist") || cause["path"] != "syncStates" {
		t.Errorf("the log has no cause under the request's id: %v", cause)
	}
}

// One field that fails leaves the others as they are, where it may be null.
func TestAFieldThatFailsLeavesTheOthers(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	c.create(t, map[string]any{"name": "linear"}).wantErrors(t)
	rows(t, c.db, `ALTER TABLE kb.sync_states RENAME COLUMN total_synced TO moved`)
	a := c.try(t, `query($org: ID!, $p: UUID!) {
		fails: integration(orgId: $org, projectId: $p, name: "linear") { syncState { id } }
		works: integration(orgId: $org, projectId: $p, name: "linear") { name } }`)
	a.wantErrors(t, "INTERNAL")
	want(t, a.Errors[0].Path, []any{"fails"})
	want(t, a.Data, map[string]any{"fails": nil, "works": map[string]any{"name": "linear"}})
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for id, taken := range map[string]bool{
		"0198c0de-7a3b-7c2d-9e4f-5a6b7c8d9e0f": true,
		"Root.1-67891233_abcdef":               true,
		strings.Repeat("a", 64):                true,
		strings.Repeat("a", 65):                false,
		"short":                                false,
		"":                                     false,
		"with a space":                         false,
		`quote"and=more`:                       false,
		"umlaut-ü-umlaut":                      false,
		"tab\tin\tit\tsomewhere":               false,
	} {
		res, _ := c.send(t, http.MethodGet, "/healthz", "", "X-Request-Id", id)
		got := res.Header.Get("X-Request-Id")
		if taken != (got == id) {
			t.Errorf("%q became %q", id, got)
		}
		if _, err := uuid.Parse(got); !taken && err != nil {
			t.Errorf("%q became %q, which is no UUID", id, got)
		}
	}
	first, _ := c.send(t, http.MethodGet, "/healthz", "")
	second, _ := c.send(t, http.MethodGet, "/healthz", "")
	if cmp.Equal(first.Header["X-Request-Id"], second.Header["X-Request-Id"]) {
		t.Error("two requests have one id")
	}
}

// A secret that does not open is an error of its own, and nothing is stored over it.
func TestSecretsThatDoNotOpen(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "github", "settings": map[string]any{"access_token": token}}).wantErrors(t)
	c.create(t, map[string]any{"name": "linear", "settings": map[string]any{"api_key": token}}).wantErrors(t)
	// Copied from another row, with a second secret, so that an update has to open what is there.
	rows(t, c.db, `UPDATE kb.integrations SET configured_secrets = '{access_token,api_key}',
		settings = (SELECT settings FROM kb.integrations WHERE name = 'github') WHERE name = 'linear'`)
	before := contents(t, c.db)
	c.update(t, "linear", map[string]any{"settings": map[string]any{"api_key": token + "2"}}).wantErrors(t, "CREDENTIALS_UNREADABLE")
	want(t, contents(t, c.db), before)

	// Reads open nothing; and giving every secret anew needs none of the old ones.
	want(t, c.do(t, `query($org: ID!, $p: UUID!) { integration(orgId: $org, projectId: $p, name: "linear") { configuredSecrets } }`).
		get(t, "integration", "configuredSecrets"), any([]any{"access_token", "api_key"}))
	rows(t, c.db, `UPDATE kb.integrations SET configured_secrets = '{api_key}' WHERE name = 'linear'`)
	c.update(t, "linear", map[string]any{"settings": map[string]any{"api_key": token + "3"}}).wantErrors(t)
	settings, _ := c.opened(t, "linear")
	want(t, settings, map[string]any{"api_key": token + "3"})
}
