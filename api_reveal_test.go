package main

import (
	"context"
	"slices"
	"strings"
	"testing"
)

const reveal = `mutation ($id: UUID!) { revealSettings(integrationId: $id) }`

func TestSettingsAreNotRevealedUnlessTheOperatorAllowsIt(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id := c.create(t, map[string]any{"name": "clickup", "settings": map[string]any{"api_token": "pk_1_ABCDEFGHIJKL"}}).text(t, "createIntegration", "id")
	a := c.try(t, reveal, map[string]any{"id": id})
	want(t, a.codes(), []string{"FORBIDDEN"})
	if !strings.Contains(a.raw, "PATCHBAY_REVEAL_SETTINGS=true") || strings.Contains(a.raw, "ABCDEF") {
		t.Errorf("the answer is %s", a.raw)
	}
}

func TestSettingsAreRevealedAndThatIsRecorded(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t, "PATCHBAY_REVEAL_SETTINGS=true")
	settings := map[string]any{"api_token": "pk_1_ABCDEFGHIJKL", "workspace_id": "9001", "batch_size": 20.0}
	id := c.create(t, map[string]any{"name": "clickup", "settings": settings}).text(t, "createIntegration", "id")
	draft := c.create(t, map[string]any{"name": "draft", "provider": "jira"}).text(t, "createIntegration", "id")
	want(t, c.do(t, reveal, map[string]any{"id": id}).get(t, "revealSettings"), any(settings))
	want(t, c.do(t, reveal, map[string]any{"id": draft}).get(t, "revealSettings"), any(map[string]any{}))
	trail := c.trail(t, `, filter: {action: "secrets.open", integrationId: "`+id+`"}`)
	if len(trail) != 1 || !strings.HasSuffix(trail[0], "map[purpose:reveal settings:[api_token]]") {
		t.Errorf("the trail tells %q", trail)
	}
	if all := strings.Join(c.trail(t, ""), " ") + c.server.log.String() + strings.Join(rows(t, c.db, `SELECT e::text FROM kb.audit_events e`), " "); strings.Contains(all, "ABCDEF") {
		t.Error("the token is in the trail or in the log")
	}

	editor := c.server.key(t, "acme", "editor")
	want(t, c.as(editor).try(t, reveal, map[string]any{"id": id}).codes(), []string{"FORBIDDEN"})
	foreign := c.server.key(t, "other", "admin")
	want(t, c.as(foreign).try(t, reveal, map[string]any{"id": id}).codes(), []string{"NOT_FOUND"})

	// A ciphertext that was copied from elsewhere does not open, and is recorded nowhere as opened.
	if _, err := c.db.Connect(t, "", "").Exec(context.Background(), `
		UPDATE kb.integrations SET settings = i.settings, configured_secrets = i.configured_secrets FROM kb.integrations i
		WHERE kb.integrations.name = 'draft' AND i.name = 'clickup'`); err != nil {
		t.Fatal(err)
	}
	want(t, c.try(t, reveal, map[string]any{"id": draft}).codes(), []string{"CREDENTIALS_UNREADABLE"})
	if n := len(c.trail(t, `, filter: {action: "secrets.open"}`)); n != 2 {
		t.Errorf("%d openings are recorded, want 2", n)
	}
	if denied := c.trail(t, `, filter: {action: "mutation.denied"}`); !slices.ContainsFunc(denied, func(e string) bool { return strings.Contains(e, "revealSettings") }) {
		t.Errorf("the editor's attempt is not recorded: %q", denied)
	}
}
