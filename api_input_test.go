package main

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// inputs checks bad inputs one by one: each gets these errors, and none of them writes anything.
func (c *client) inputs(t *testing.T, send func(testing.TB, map[string]any) answer, cases map[string]badInput) {
	t.Helper()
	before := contents(t, c.db)
	for name, bad := range cases {
		a := send(t, bad.input)
		if !slices.Equal(a.codes(), bad.errors) {
			t.Errorf("%s: got %q, want %q\n%s", name, a.codes(), bad.errors, a.raw)
		}
	}
	want(t, contents(t, c.db), before)
}

type badInput struct {
	input  map[string]any
	errors []string
}

func invalid(input map[string]any, fields ...string) badInput {
	for i := range fields {
		fields[i] = "BAD_USER_INPUT " + fields[i]
	}
	return badInput{input, fields}
}

func TestCreateIntegrationRefusesBadInput(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "github", "settings": map[string]any{"access_token": token}}).wantErrors(t)
	with := func(settings map[string]any) map[string]any {
		return map[string]any{"name": "clickup", "settings": settings}
	}
	field := func(name string, value any) map[string]any { return map[string]any{"name": "linear", name: value} }
	cases := map[string]badInput{
		"unknown provider":        invalid(map[string]any{"name": "asana"}, "provider"),
		"provider in capitals":    invalid(map[string]any{"name": "clickup", "provider": "ClickUp"}, "provider"),
		"provider with NUL":       invalid(map[string]any{"name": "clickup", "provider": "a\x00"}, "provider"),
		"name in capitals":        invalid(map[string]any{"name": "ClickUp", "provider": "clickup"}, "name"),
		"name with a space":       invalid(map[string]any{"name": "click up", "provider": "clickup"}, "name"),
		"name with two hyphens":   invalid(map[string]any{"name": "click--up", "provider": "clickup"}, "name"),
		"name with NUL":           invalid(map[string]any{"name": "click\x00up", "provider": "clickup"}, "name"),
		"name with a line break":  invalid(map[string]any{"name": "clickup\n", "provider": "clickup"}, "name"),
		"name of nothing":         invalid(map[string]any{"name": "", "provider": "clickup"}, "name"),
		"name of 51 characters":   invalid(map[string]any{"name": strings.Repeat("a", 51), "provider": "clickup"}, "name"),
		"name that exists":        {map[string]any{"name": "github"}, []string{"CONFLICT name"}},
		"projectId no UUID":       invalid(field("projectId", "1234"), "projectId"),
		"projectId in braces":     invalid(field("projectId", "{"+c.project+"}"), "projectId"),
		"projectId without -":     invalid(field("projectId", strings.ReplaceAll(c.project, "-", "")), "projectId"),
		"projectId a number":      invalid(field("projectId", 1), "projectId"),
		"projectId of nobody":     {field("projectId", "00000000-0000-0000-0000-000000000000"), []string{"NOT_FOUND"}},
		"another organisation":    {field("orgId", "other"), []string{"NOT_FOUND"}},
		"displayName of nothing":  invalid(field("displayName", " \t"), "displayName"),
		"displayName with NUL":    invalid(field("displayName", "a\x00"), "displayName"),
		"displayName too long":    invalid(field("displayName", strings.Repeat("é", 256)), "displayName"),
		"displayName, two lines":  invalid(field("displayName", "a\nb"), "displayName"),
		"description with NUL":    invalid(field("description", "a\x00"), "description"),
		"description too long":    invalid(field("description", strings.Repeat("é", 4001)), "description"),
		"logoUrl of a script":     invalid(field("logoUrl", "javascript:alert(1)"), "logoUrl"),
		"logoUrl of data":         invalid(field("logoUrl", "data:image/svg+xml,<svg/>"), "logoUrl"),
		"logoUrl without TLS":     invalid(field("logoUrl", "http://example.com/a.png"), "logoUrl"),
		"logoUrl with a password": invalid(field("logoUrl", "https://u:p@example.com/a.png"), "logoUrl"),
		"logoUrl with NUL":        invalid(field("logoUrl", "https://example.com/\x00"), "logoUrl"),
		"logoUrl too long":        invalid(field("logoUrl", "https://example.com/"+strings.Repeat("a", 493)), "logoUrl"),
		"webhookSecret too short": invalid(field("webhookSecret", "1234567"), "webhookSecret"),
		"webhookSecret too long":  invalid(field("webhookSecret", strings.Repeat("a", 513)), "webhookSecret"),
		"webhookSecret with NUL":  invalid(field("webhookSecret", "12345678\x00"), "webhookSecret"),
		"settings a string":       invalid(field("settings", "api_key"), "settings"),
		"settings a list":         invalid(field("settings", []any{}), "settings"),
		"unknown setting":         invalid(with(map[string]any{"workspace": "1"}), "settings.workspace"),
		"setting with NUL":        invalid(with(map[string]any{"api_token": "a\x00"}), "settings.api_token"),
		"setting's name with NUL": invalid(with(map[string]any{"a\x00": 1}), "settings"),
		"token too long":          invalid(with(map[string]any{"api_token": strings.Repeat("a", 1025)}), "settings.api_token"),
		"token of nothing":        invalid(with(map[string]any{"api_token": ""}), "settings.api_token"),
		"token in two lines":      invalid(with(map[string]any{"api_token": "a\nb"}), "settings.api_token"),
		"token a number":          invalid(with(map[string]any{"api_token": 1}), "settings.api_token"),
		"workspace no number":     invalid(with(map[string]any{"workspace_id": "team"}), "settings.workspace_id"),
		"batch size too large":    invalid(with(map[string]any{"batch_size": 1001}), "settings.batch_size"),
		"batch size a string":     invalid(with(map[string]any{"batch_size": "100"}), "settings.batch_size"),
		"batch size a fraction":   invalid(with(map[string]any{"batch_size": 99.5}), "settings.batch_size"),
		"item of a list":          invalid(map[string]any{"name": "jira", "settings": map[string]any{"project_keys": []any{"ENG", "ops"}}}, "settings.project_keys.1"),
		"address with a password": invalid(map[string]any{"name": "jira", "settings": map[string]any{"site_url": "https://u:p@acme.atlassian.net"}}, "settings.site_url"),
		"several at once": invalid(map[string]any{"name": "My ClickUp", "provider": "clickup", "displayName": "", "logoUrl": "ftp://x", "webhookSecret": "short",
			"settings": map[string]any{"api_token": "****", "batch_size": 1, "import_comments": "yes", "nonsense": true}},
			"name", "displayName", "logoUrl", "webhookSecret", "settings.api_token", "settings.batch_size", "settings.import_comments", "settings.nonsense"),
	}
	for _, mask := range []string{"********", "[redacted]", "[REDACTED]", "••••••••", "pk_***OP"} {
		cases["masked secret "+mask] = invalid(with(map[string]any{"api_token": mask}), "settings.api_token")
	}
	c.inputs(t, c.create, cases)

	want(t, c.create(t, map[string]any{"name": "asana"}).Errors[0].Message, `unknown provider "asana"; this server knows clickup, github, jira, linear`)
}

func TestUpdateIntegrationRefusesBadInput(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "clickup", "settings": map[string]any{"api_token": token, "workspace_id": "1"}}).wantErrors(t)
	c.inputs(t, func(t testing.TB, input map[string]any) answer { return c.update(t, "clickup", input) }, map[string]badInput{
		"settings null":          invalid(map[string]any{"settings": nil}, "settings"),
		"enabled null":           invalid(map[string]any{"enabled": nil}, "enabled"),
		"webhookSecret null":     invalid(map[string]any{"webhookSecret": nil}, "webhookSecret"),
		"several nulls":          invalid(map[string]any{"webhookSecret": nil, "enabled": nil, "settings": nil, "displayName": ""}, "enabled", "settings", "webhookSecret", "displayName"),
		"masked secret":          invalid(map[string]any{"settings": map[string]any{"api_token": "********"}}, "settings.api_token"),
		"good beside bad":        invalid(map[string]any{"description": "new", "settings": map[string]any{"api_token": token + "2", "batch_size": 0}}, "settings.batch_size"),
		"displayName of nothing": invalid(map[string]any{"displayName": ""}, "displayName"),
		"description with NUL":   invalid(map[string]any{"description": "\x00"}, "description"),
		"logoUrl of a script":    invalid(map[string]any{"logoUrl": "javascript:alert(1)"}, "logoUrl"),
		"webhookSecret short":    invalid(map[string]any{"webhookSecret": "1"}, "webhookSecret"),
	})
	for _, name := range []string{"nobody", "", "Click Up", "a\x00b"} {
		c.update(t, name, map[string]any{"enabled": false}).wantErrors(t, "NOT_FOUND")
	}
}

func TestOtherMutationsRefuseBadInput(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	project := func(t testing.TB, input map[string]any) answer {
		all := map[string]any{"orgId": "acme", "name": "Project"}
		maps.Copy(all, input)
		return c.try(t, `mutation($i: CreateProjectInput!) { createProject(input: $i) { id } }`, map[string]any{"i": all})
	}
	c.inputs(t, project, map[string]badInput{
		"nil UUID":         invalid(map[string]any{"id": "00000000-0000-0000-0000-000000000000"}, "id"),
		"no UUID":          invalid(map[string]any{"id": "x"}, "id"),
		"id that exists":   {map[string]any{"id": c.project}, []string{"CONFLICT id"}},
		"name of nothing":  invalid(map[string]any{"name": "  "}, "name"),
		"name with NUL":    invalid(map[string]any{"name": "a\x00"}, "name"),
		"name too long":    invalid(map[string]any{"name": strings.Repeat("x", 256)}, "name"),
		"orgId of another": {map[string]any{"orgId": "other"}, []string{"NOT_FOUND"}},
		"orgId with NUL":   {map[string]any{"orgId": "acme\x00"}, []string{"NOT_FOUND"}},
	})
	apiKey := func(t testing.TB, input map[string]any) answer {
		all := map[string]any{"orgId": "acme", "name": "CI", "role": "VIEWER"}
		maps.Copy(all, input)
		return c.try(t, `mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) { key } }`, map[string]any{"i": all})
	}
	c.inputs(t, apiKey, map[string]badInput{
		"name of nothing":      invalid(map[string]any{"name": ""}, "name"),
		"name with NUL":        invalid(map[string]any{"name": "a\x00"}, "name"),
		"name too long":        invalid(map[string]any{"name": strings.Repeat("x", 201)}, "name"),
		"role of nobody":       {map[string]any{"role": "OWNER"}, []string{"GRAPHQL_VALIDATION_FAILED"}},
		"role in small":        {map[string]any{"role": "admin"}, []string{"GRAPHQL_VALIDATION_FAILED"}},
		"expired already":      invalid(map[string]any{"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
		"no time":              invalid(map[string]any{"expiresAt": "tomorrow"}, "expiresAt"),
		"a date without time":  invalid(map[string]any{"expiresAt": "2999-01-01"}, "expiresAt"),
		"no projects":          invalid(map[string]any{"projectIds": []any{}}, "projectIds"),
		"a project of nobody":  {map[string]any{"projectIds": []any{c.project, "00000000-0000-0000-0000-000000000000"}}, []string{"NOT_FOUND"}},
		"a project that is no": invalid(map[string]any{"projectIds": []any{c.project, "x"}}, "projectIds.1"),
		"several at once":      invalid(map[string]any{"name": "", "expiresAt": "2020-01-01T00:00:00Z", "projectIds": []any{}}, "name", "expiresAt", "projectIds"),
	})
	c.try(t, `mutation { revokeApiKey(id: "x") { id } }`).wantErrors(t, "BAD_USER_INPUT id")
	c.try(t, `mutation { revokeApiKey(id: "00000000-0000-0000-0000-000000000000") { id } }`).wantErrors(t, "NOT_FOUND")
}

func TestListsRefuseBadArguments(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "linear"}).wantErrors(t)
	projects := c.do(t, `{ projects(orgId: "acme") { pageInfo { endCursor } } }`).text(t, "projects", "pageInfo", "endCursor")
	integrations := c.do(t, `query($p: UUID!) { integrations(orgId: "acme", projectId: $p) { pageInfo { endCursor } } }`).text(t, "integrations", "pageInfo", "endCursor")
	for _, list := range []struct{ query, cursorOfAnother string }{
		{`query($org: ID!, $first: Int, $after: String) { list: projects(orgId: $org, first: $first, after: $after) { nodes { id } } }`, integrations},
		{`query($org: ID!, $p: UUID!, $first: Int, $after: String) { list: integrations(orgId: $org, projectId: $p, first: $first, after: $after) { nodes { id } } }`, projects},
	} {
		for _, first := range []any{0, -1, 201, 1_000_000, 2147483647, nil} {
			c.try(t, list.query, map[string]any{"first": first}).wantErrors(t, "BAD_USER_INPUT first")
		}
		for _, first := range []any{"x", 1.5, true, 3_000_000_000} {
			a := c.try(t, list.query, map[string]any{"first": first})
			if len(a.Errors) != 1 || a.Data != nil {
				t.Errorf("first %v: %s", first, a.raw)
			}
		}
		for _, after := range []string{"", "x", "!", list.cursorOfAnother, list.cursorOfAnother + "=", strings.Repeat("a", 100_000), "a\x00",
			base64.RawURLEncoding.EncodeToString([]byte(`["projects","a"]`)), base64.RawURLEncoding.EncodeToString([]byte(`null`)),
			base64.RawURLEncoding.EncodeToString([]byte(`["integrations","\u0000"]`)), base64.RawURLEncoding.EncodeToString([]byte(`["projects","\u0000","` + c.project + `"]`)),
			base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("[", 3000)))} {
			c.try(t, list.query, map[string]any{"first": 1, "after": after}).wantErrors(t, "BAD_USER_INPUT after")
		}
	}
	filter := `query($p: UUID!, $f: IntegrationFilter) { integrations(orgId: "acme", projectId: $p, filter: $f) { nodes { id } } }`
	c.try(t, filter, map[string]any{"f": map[string]any{"search": "a\x00", "name": "\x00"}}).wantErrors(t, "BAD_USER_INPUT filter.name", "BAD_USER_INPUT filter.search")
	c.try(t, `query($p: UUID!, $s: SyncStatus) { syncStates(orgId: "acme", projectId: $p, status: $s) { id } }`, map[string]any{"s": "pending"}).
		wantErrors(t, "GRAPHQL_VALIDATION_FAILED")
}

// A UUID may stand in the query or in a variable; a bad one is named either way.
func TestBadUUIDs(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, bad := range []string{"x", "", c.project[:35], c.project + "0", "urn:uuid:" + c.project, "{" + c.project[1:35] + "}", strings.Repeat("g", 36), "a\x00"} {
		if !strings.Contains(bad, "\x00") {
			c.try(t, fmt.Sprintf(`{ integrationById(id: %q) { id } }`, bad)).wantErrors(t, "BAD_USER_INPUT id")
		}
		c.try(t, `query($id: UUID!) { integrationById(id: $id) { id } }`, map[string]any{"id": bad}).wantErrors(t, "BAD_USER_INPUT id")
		c.try(t, `query($id: UUID!) { integrations(orgId: "acme", projectId: $id) { nodes { id } } }`, map[string]any{"id": bad}).wantErrors(t, "BAD_USER_INPUT projectId")
	}
	c.try(t, `query($id: UUID!) { integrationById(id: $id) { id } }`, map[string]any{"id": 5}).wantErrors(t, "BAD_USER_INPUT id")
	c.try(t, `query($id: UUID!) { integrationById(id: $id) { id } }`).wantErrors(t, "GRAPHQL_VALIDATION_FAILED")
	want(t, c.do(t, `query($id: UUID!) { integrations(orgId: "acme", projectId: $id) { totalCount } }`, map[string]any{"id": strings.ToUpper(c.project)}).
		get(t, "integrations", "totalCount"), any(0.0))
}

// A name that nothing can have is answered as one that nothing has.
func TestNamesThatNothingCanHave(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, name := range []string{"nobody", "", "A B", "a\x00", strings.Repeat("a", 10_000)} {
		v := map[string]any{"n": name}
		want(t, c.do(t, `query($org: ID!, $p: UUID!, $n: String!) { integration(orgId: $org, projectId: $p, name: $n) { id } provider(name: $n) { name } }`, v).Data,
			map[string]any{"integration": nil, "provider": nil})
		c.try(t, `mutation($org: ID!, $p: UUID!, $n: String!) { deleteIntegration(orgId: $org, projectId: $p, name: $n) }`, v).wantErrors(t, "NOT_FOUND")
	}
}
