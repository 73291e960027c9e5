package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"patchbay/internal/seal"
	"patchbay/internal/store/storetest"
)

// forget runs `patchbay secrets forget` with an environment.
func forget(t testing.TB, env []string, args ...string) (out string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err = run(context.Background(), append([]string{"secrets", "forget"}, args...), env, &stdout, &stderr)
	return stdout.String(), err
}

// TestSecretsOfALostKeyAreForgotten: the operator has lost the key of two organisations' integrations, and the server refuses
// to start until they are cleared.
func TestSecretsOfALostKeyAreForgotten(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	lost := startServer(t, db)
	admin, foreign := lost.key(t, "acme", "admin"), lost.key(t, "other", "admin")
	c := &client{server: lost, db: db, key: admin, org: "acme"}
	c.project = lost.project(t, admin, "acme")
	settings := map[string]any{"api_token": "pk_1_ABCDEFGHIJKL", "workspace_id": "9001"}
	c.create(t, map[string]any{"name": "clickup", "settings": settings}).wantErrors(t)
	id := c.create(t, map[string]any{"name": "jira", "enabled": false}).text(t, "createIntegration", "id") // a webhook secret alone
	c.do(t, rotateWebhookSecret, map[string]any{"id": id})
	other := &client{server: lost, db: db, key: foreign, org: "other", project: lost.project(t, foreign, "other")}
	other.create(t, map[string]any{"name": "clickup", "settings": settings}).wantErrors(t)
	if err := lost.end(); err != nil {
		t.Fatal(err)
	}
	lostID := testRing().CurrentID()
	newKey := seal.GenerateKey()
	env := []string{"DATABASE_URL=" + db.URL, "INTEGRATION_ENCRYPTION_KEY=" + newKey.Expose()}

	// The refusal says how.
	err := run(context.Background(), []string{"serve"}, append(env, "PATCHBAY_ADDR=127.0.0.1:0"), &output{}, &output{})
	if err == nil || !strings.Contains(err.Error(), "patchbay secrets forget --key-id") || !strings.Contains(err.Error(), lostID+" (3 integrations)") {
		t.Errorf("the server ended with %v", err)
	}

	// A key that is held, however, is not lost; one that nobody used is not known; and without --confirm nothing happens.
	before := contents(t, db)
	for _, refused := range []struct {
		what string
		env  []string
		id   string
		says []string
	}{
		{"the current key", lost.env, lostID, []string{"is not lost"}},
		{"a previous key", append(env, "INTEGRATION_ENCRYPTION_PREVIOUS_KEYS="+testKey), lostID, []string{"is not lost"}},
		{"an unknown key", env, "0000000000000000", []string{"no integration was sealed", lostID + " (3 integrations)"}},
	} {
		if _, err := forget(t, refused.env, "--key-id", refused.id, "--confirm"); err == nil || !containsAll(err.Error(), refused.says...) {
			t.Errorf("%s: %v", refused.what, err)
		}
	}
	out, err := forget(t, env, "--key-id", lostID)
	if err == nil || !strings.Contains(err.Error(), "nothing was changed: with --confirm, these 3 integrations") || !containsAll(strings.Join(strings.Fields(out), " "), "acme 2", "other 1") {
		t.Errorf("%v\n%s", err, out)
	}
	want(t, contents(t, db), before)

	if out, err = forget(t, env, "--key-id", lostID, "--confirm"); err != nil || !strings.Contains(out, "3 integrations lost their secrets") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := forget(t, env, "--key-id", lostID, "--confirm"); err == nil || !strings.Contains(err.Error(), "nor with any other") {
		t.Errorf("again: %v", err)
	}
	c.server = startServer(t, db, env...)
	a := c.do(t, `query($org: ID!, $p: UUID!) { integrations(orgId: $org, projectId: $p) { nodes { name enabled settings configuredSecrets hasConfiguration revision syncState { status } } } }`)
	want(t, a.get(t, "integrations", "nodes"), any([]any{
		map[string]any{"name": "clickup", "enabled": true, "settings": map[string]any{"workspace_id": "9001"}, "configuredSecrets": []any{}, "hasConfiguration": false,
			"revision": 2.0, "syncState": map[string]any{"status": "PENDING"}},
		map[string]any{"name": "jira", "enabled": false, "settings": map[string]any{}, "configuredSecrets": []any{}, "hasConfiguration": false,
			"revision": 3.0, "syncState": map[string]any{"status": "PENDING"}},
	}))
	want(t, c.trail(t, `, filter: {action: "key.forget"}`), []string{"operator key.forget map[integrations:2 key:" + lostID + "]"})

	// Given anew, all is as before.
	c.update(t, "clickup", map[string]any{"settings": map[string]any{"api_token": "pk_2_ABCDEFGHIJKL"}}).wantErrors(t)
	if until := c.do(t, rotateWebhookSecret, map[string]any{"id": id}).get(t, "rotateWebhookSecret", "previousValidUntil"); until != nil {
		t.Errorf("a secret that is gone counts until %v", until)
	}
}

// Without any key, --confirm alone decides.
func TestSecretsAreForgottenWithoutAnyKey(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	c.create(t, map[string]any{"name": "clickup", "settings": map[string]any{"api_token": "pk_1_ABCDEFGHIJKL"}}).wantErrors(t)
	env := []string{"DATABASE_URL=" + c.db.URL}
	out, err := forget(t, env, "--key-id", testRing().CurrentID())
	if err == nil || !strings.Contains(out, "INTEGRATION_ENCRYPTION_KEY is not set") {
		t.Errorf("%v\n%s", err, out)
	}
	// A previous key without a current one is a mistake, and might be the one.
	if _, err := forget(t, append(env, "INTEGRATION_ENCRYPTION_PREVIOUS_KEYS="+testKey), "--key-id", testRing().CurrentID(), "--confirm"); err == nil || !strings.Contains(err.Error(), "INTEGRATION_ENCRYPTION_KEY is not set") {
		t.Errorf("with a previous key: %v", err)
	}
	want(t, rows(t, c.db, `SELECT (key_id IS NOT NULL)::text FROM kb.integrations`), []string{"true"})
	if out, err := forget(t, env, "--key-id", testRing().CurrentID(), "--confirm"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	want(t, rows(t, c.db, `SELECT (key_id IS NULL AND settings IS NULL AND webhook_secret IS NULL)::text FROM kb.integrations`), []string{"true"})
}

func containsAll(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
