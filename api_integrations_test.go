package main

import (
	"encoding/hex"
	"testing"
)

const token = "pk_42_ABCDEFGHIJKLMNOP"

// The main job: connect ClickUp, look at it, change it, remove it.
func TestAnIntegrationFromCreationToDeletion(t *testing.T) {
	t.Parallel()
	c := newClient(t)

	created := c.create(t, map[string]any{"name": "clickup", "settings": map[string]any{
		"api_token": token, "workspace_id": "9012345678", "batch_size": 250, "import_comments": false,
	}})
	created.wantErrors(t)
	id := created.text(t, "createIntegration", "id")
	createdBy := created.text(t, "createIntegration", "createdBy")
	integration := map[string]any{
		"id": id, "name": "clickup", "displayName": "ClickUp", "description": nil, "enabled": true,
		"orgId": "acme", "projectId": c.project, "logoUrl": nil, "createdBy": createdBy, "revision": 1.0,
		"settings":          map[string]any{"workspace_id": "9012345678", "batch_size": 250.0, "import_comments": false},
		"configuredSecrets": []any{"api_token"}, "hasConfiguration": true, "provider": map[string]any{"name": "clickup"},
		"syncState": map[string]any{"integrationId": id, "projectId": c.project, "status": "PENDING"},
	}
	want(t, created.Data, map[string]any{"createIntegration": integration})
	want(t, createdBy, c.do(t, `{ viewer { subject } }`).text(t, "viewer", "subject"))

	read := c.do(t, `query($org: ID!, $p: UUID!, $id: UUID!) {
		integrations(orgId: $org, projectId: $p) { nodes { `+integrationFields+` } totalCount }
		integration(orgId: $org, projectId: $p, name: "clickup") { `+integrationFields+` }
		integrationById(id: $id) { `+integrationFields+` }
	}`, map[string]any{"id": id})
	want(t, read.Data, map[string]any{
		"integrations":    map[string]any{"nodes": []any{integration}, "totalCount": 1.0},
		"integration":     integration,
		"integrationById": integration,
	})

	updated := c.update(t, "clickup", map[string]any{"displayName": "Our ClickUp", "description": "Tasks\nof all teams", "enabled": false,
		"logoUrl": "https://example.com/logo.svg", "settings": map[string]any{"batch_size": 10}})
	updated.wantErrors(t)
	integration["displayName"], integration["description"], integration["enabled"] = "Our ClickUp", "Tasks\nof all teams", false
	integration["logoUrl"], integration["revision"] = "https://example.com/logo.svg", 2.0
	integration["settings"] = map[string]any{"workspace_id": "9012345678", "batch_size": 10.0, "import_comments": false}
	want(t, updated.Data, map[string]any{"updateIntegration": integration})

	remove := `mutation($org: ID!, $p: UUID!) { deleteIntegration(orgId: $org, projectId: $p, name: "clickup") }`
	want(t, c.do(t, remove).Data, map[string]any{"deleteIntegration": id})
	want(t, c.do(t, `query($id: UUID!) { integrationById(id: $id) { id } }`, map[string]any{"id": id}).Data, map[string]any{"integrationById": nil})
	c.try(t, remove).wantErrors(t, "NOT_FOUND")
	want(t, rows(t, c.db, `SELECT id::text FROM kb.sync_states`), []string{})
}

func TestTimesAreUTCToTheMicrosecond(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "linear"}).wantErrors(t)
	get := `query($org: ID!, $p: UUID!) { integration(orgId: $org, projectId: $p, name: "linear") { createdAt updatedAt syncState { createdAt lastSyncAt } } }`
	before := c.do(t, get)
	const layout = `YYYY-MM-DD"T"HH24:MI:SS.US"Z"`
	want(t, []string{before.text(t, "integration", "createdAt")}, rows(t, c.db, `SELECT to_char(created_at AT TIME ZONE 'UTC', $1) FROM kb.integrations`, layout))
	want(t, before.get(t, "integration", "syncState", "lastSyncAt"), nil)
	c.update(t, "linear", map[string]any{"description": "changed"}).wantErrors(t)
	after := c.do(t, get)
	want(t, after.text(t, "integration", "createdAt"), before.text(t, "integration", "createdAt"))
	if after.text(t, "integration", "updatedAt") <= before.text(t, "integration", "updatedAt") {
		t.Errorf("updatedAt did not advance: %s", after.raw)
	}
}

func TestAbsentStaysNullRemovesAndAValueReplaces(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "jira", "displayName": "Our Jira", "description": "All teams", "logoUrl": "https://example.com/a.png",
		"settings": map[string]any{"site_url": "https://acme.atlassian.net", "email": "ada@example.com", "api_token": token, "project_keys": []any{"ENG"}},
	}).wantErrors(t)

	for _, step := range []struct {
		input map[string]any
		want  map[string]any
	}{
		{ // every other field stays
			map[string]any{"settings": map[string]any{"project_keys": []any{"OPS", "ENG"}, "jql": "labels = public"}},
			map[string]any{"displayName": "Our Jira", "description": "All teams", "logoUrl": "https://example.com/a.png", "enabled": true, "revision": 2.0,
				"settings":          map[string]any{"site_url": "https://acme.atlassian.net", "email": "ada@example.com", "project_keys": []any{"OPS", "ENG"}, "jql": "labels = public"},
				"configuredSecrets": []any{"api_token"}, "hasConfiguration": true},
		},
		{
			map[string]any{"displayName": nil, "description": nil, "logoUrl": nil, "settings": map[string]any{"jql": nil, "project_keys": nil}},
			map[string]any{"displayName": "Jira", "description": nil, "logoUrl": nil, "enabled": true, "revision": 3.0,
				"settings":          map[string]any{"site_url": "https://acme.atlassian.net", "email": "ada@example.com"},
				"configuredSecrets": []any{"api_token"}, "hasConfiguration": true},
		},
		{ // a required one is gone: a draft again
			map[string]any{"enabled": false, "settings": map[string]any{"api_token": nil}},
			map[string]any{"displayName": "Jira", "description": nil, "logoUrl": nil, "enabled": false, "revision": 4.0,
				"settings":          map[string]any{"site_url": "https://acme.atlassian.net", "email": "ada@example.com"},
				"configuredSecrets": []any{}, "hasConfiguration": false},
		},
		{ // what has no value may be removed again
			map[string]any{"settings": map[string]any{"api_token": nil, "jql": nil}},
			map[string]any{"displayName": "Jira", "description": nil, "logoUrl": nil, "enabled": false, "revision": 5.0,
				"settings":          map[string]any{"site_url": "https://acme.atlassian.net", "email": "ada@example.com"},
				"configuredSecrets": []any{}, "hasConfiguration": false},
		},
		{
			map[string]any{"settings": map[string]any{"api_token": token + "2"}},
			map[string]any{"displayName": "Jira", "description": nil, "logoUrl": nil, "enabled": false, "revision": 6.0,
				"settings":          map[string]any{"site_url": "https://acme.atlassian.net", "email": "ada@example.com"},
				"configuredSecrets": []any{"api_token"}, "hasConfiguration": true},
		},
	} {
		a := c.update(t, "jira", step.input)
		a.wantErrors(t)
		got := map[string]any{}
		for name := range step.want {
			got[name] = a.get(t, "updateIntegration", name)
		}
		want(t, got, step.want)
	}
}

// A draft is an integration without a setting that its provider requires.
func TestADraftIsStoredAndBecomesAConfiguration(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	draft := c.create(t, map[string]any{"name": "clickup"})
	draft.wantErrors(t)
	want(t, draft.get(t, "createIntegration", "hasConfiguration"), any(false))
	want(t, draft.get(t, "createIntegration", "settings"), any(map[string]any{}))
	want(t, draft.get(t, "createIntegration", "configuredSecrets"), any([]any{}))
	half := c.update(t, "clickup", map[string]any{"settings": map[string]any{"api_token": token}})
	want(t, half.get(t, "updateIntegration", "hasConfiguration"), any(false))
	whole := c.update(t, "clickup", map[string]any{"settings": map[string]any{"workspace_id": "1"}})
	want(t, whole.get(t, "updateIntegration", "hasConfiguration"), any(true))
	want(t, whole.get(t, "updateIntegration", "configuredSecrets"), any([]any{"api_token"}))
}

func TestAnAliasIsStoredUnderTheSettingsOwnName(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, alias := range []string{"api_key", "apiKey", "apiToken", "api_token"} {
		name := "clickup-" + map[string]string{"api_key": "a", "apiKey": "b", "apiToken": "c", "api_token": "d"}[alias]
		a := c.create(t, map[string]any{"name": name, "provider": "clickup", "settings": map[string]any{alias: token}})
		a.wantErrors(t)
		want(t, a.get(t, "createIntegration", "configuredSecrets"), any([]any{"api_token"}))
		removed := c.update(t, name, map[string]any{"settings": map[string]any{alias: nil}})
		want(t, removed.get(t, "updateIntegration", "configuredSecrets"), any([]any{}))
	}
	c.create(t, map[string]any{"name": "clickup", "settings": map[string]any{"apiKey": token, "api_token": token}}).
		wantErrors(t, "BAD_USER_INPUT settings.api_token")
}

func TestDefaultsOfWhatIsGivenAsNull(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	a := c.create(t, map[string]any{"name": "github", "provider": nil, "displayName": nil, "description": nil, "enabled": nil,
		"logoUrl": nil, "settings": nil, "webhookSecret": nil})
	a.wantErrors(t)
	want(t, a.text(t, "createIntegration", "displayName"), "GitHub")
	want(t, a.get(t, "createIntegration", "enabled"), any(true))
	want(t, a.text(t, "createIntegration", "provider", "name"), "github")
	want(t, rows(t, c.db, `SELECT (webhook_secret IS NOT NULL)::text FROM kb.integrations`), []string{"true"})
}

func TestARevisionThatIsNoLongerTrueChangesNothing(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "linear", "settings": map[string]any{"api_key": token}}).wantErrors(t)
	first := c.update(t, "linear", map[string]any{"ifRevision": 1, "description": "mine"})
	first.wantErrors(t)
	want(t, first.get(t, "updateIntegration", "revision"), any(2.0))

	before := contents(t, c.db)
	late := c.update(t, "linear", map[string]any{"ifRevision": 1, "description": "theirs", "settings": map[string]any{"api_key": token + "2"}})
	late.wantErrors(t, "CONFLICT ifRevision")
	want(t, late.get(t), any(map[string]any(nil)))
	c.update(t, "linear", map[string]any{"ifRevision": 1}).wantErrors(t, "CONFLICT ifRevision")
	want(t, contents(t, c.db), before)

	c.update(t, "linear", map[string]any{"ifRevision": nil, "description": "theirs"}).wantErrors(t)
}

func TestAnEmptyPatchChangesNothing(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	created := c.create(t, map[string]any{"name": "linear", "settings": map[string]any{"api_key": token}})
	before := contents(t, c.db)
	for _, input := range []map[string]any{{}, {"settings": map[string]any{}}, {"ifRevision": 1}} {
		a := c.update(t, "linear", input)
		a.wantErrors(t)
		want(t, a.get(t, "updateIntegration"), created.get(t, "createIntegration"))
	}
	want(t, contents(t, c.db), before)
}

// A webhook secret is made where none is given, and another one for each integration; one that is given replaces it.
func TestWebhookSecretsAreMadeAndReplaced(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	made := map[string]bool{}
	for _, name := range []string{"linear", "github"} {
		c.create(t, map[string]any{"name": name}).wantErrors(t)
		_, secret := c.opened(t, name)
		if b, err := hex.DecodeString(secret); err != nil || len(b) != 32 {
			t.Errorf("a webhook secret of %d characters was made: %v", len(secret), err)
		}
		made[secret] = true
	}
	want(t, len(made), 2)
	c.update(t, "linear", map[string]any{"webhookSecret": "issued-by-linear"}).wantErrors(t)
	settings, secret := c.opened(t, "linear")
	want(t, secret, "issued-by-linear")
	want(t, settings, map[string]any(nil))
	c.update(t, "linear", map[string]any{"settings": map[string]any{"api_key": token}}).wantErrors(t)
	settings, secret = c.opened(t, "linear")
	want(t, secret, "issued-by-linear")
	want(t, settings, map[string]any{"api_key": token})
}

// When a secret was given is kept by its name, and goes with it.
func TestWhenASecretWasGiven(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "jira", "settings": map[string]any{"site_url": "https://acme.atlassian.net", "api_token": token}}).wantErrors(t)
	changes := func() []any {
		a := c.do(t, `query($org: ID!, $p: UUID!) { integration(orgId: $org, projectId: $p, name: "jira") { secretChanges { name changedAt } } }`)
		return a.get(t, "integration", "secretChanges").([]any)
	}
	at := func(list []any) string {
		if len(list) != 1 || list[0].(map[string]any)["name"] != "api_token" {
			t.Fatalf("the changes are %v", list)
		}
		return list[0].(map[string]any)["changedAt"].(string)
	}
	first := at(changes())
	c.update(t, "jira", map[string]any{"settings": map[string]any{"email": "ada@example.com"}}).wantErrors(t)
	want(t, at(changes()), first)
	c.update(t, "jira", map[string]any{"settings": map[string]any{"api_token": token + "2"}}).wantErrors(t)
	if second := at(changes()); second <= first {
		t.Errorf("given at %s, and again at %s", first, second)
	}
	c.update(t, "jira", map[string]any{"settings": map[string]any{"api_token": nil}}).wantErrors(t)
	want(t, changes(), []any{})
}
