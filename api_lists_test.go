package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestProvidersAreSortedByDisplayName(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	a := c.do(t, `{ providers { name displayName logoUrl secretSettings capabilities { supportsImport } }
		clickup: provider(name: "clickup") { displayName } nobody: provider(name: "nobody") { name } }`)
	var names []string
	for i := range a.get(t, "providers").([]any) {
		names = append(names, a.text(t, "providers", i, "displayName"))
		want(t, a.text(t, "providers", i, "logoUrl"), c.URL+"/logos/"+a.text(t, "providers", i, "name")+".svg")
	}
	want(t, names, []string{"ClickUp", "GitHub", "Jira", "Linear"})
	want(t, a.get(t, "providers", 0, "secretSettings"), any([]any{"api_token"}))
	want(t, a.text(t, "clickup", "displayName"), "ClickUp")
	want(t, a.get(t, "nobody"), nil)
}

// A project may have several accounts of one provider: the gallery shows them under it.
func TestTheGalleryHoldsEveryProviderWithItsIntegrations(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, input := range []map[string]any{
		{"name": "linear"},
		{"name": "clickup-work", "provider": "clickup", "displayName": "At work"},
		{"name": "clickup"},
		{"name": "clickup-home", "provider": "clickup"},
	} {
		c.create(t, input).wantErrors(t)
	}
	a := c.do(t, `query($org: ID!, $p: UUID!) { gallery(orgId: $org, projectId: $p) {
		provider { name } integrations { name displayName provider { name } syncState { status } } } }`)
	one := func(name, displayName, provider string) any {
		return map[string]any{"name": name, "displayName": displayName, "provider": map[string]any{"name": provider}, "syncState": map[string]any{"status": "PENDING"}}
	}
	entry := func(provider string, integrations ...any) any {
		return map[string]any{"provider": map[string]any{"name": provider}, "integrations": append([]any{}, integrations...)}
	}
	want(t, a.get(t, "gallery"), any([]any{
		entry("clickup", one("clickup", "ClickUp", "clickup"), one("clickup-home", "ClickUp", "clickup"), one("clickup-work", "At work", "clickup")),
		entry("github"),
		entry("jira"),
		entry("linear", one("linear", "Linear", "linear")),
	}))
}

func TestSyncStatesOfAProject(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "linear"}).wantErrors(t)
	c.create(t, map[string]any{"name": "clickup"}).wantErrors(t)
	get := `query($org: ID!, $p: UUID!, $s: SyncStatus) { syncStates(orgId: $org, projectId: $p, status: $s) {
		status totalSynced error workspaceId lastSynced { kind } selection mappings { kind } schedule { cron } consecutiveFailures nextSyncAt currentlyRunning: lastSyncAt } }`
	pending := map[string]any{"status": "PENDING", "totalSynced": 0.0, "error": nil, "workspaceId": nil, "lastSynced": []any{}, "selection": nil,
		"mappings": []any{}, "schedule": nil, "consecutiveFailures": 0.0, "nextSyncAt": nil, "currentlyRunning": nil}
	for _, status := range []any{nil, "PENDING"} {
		want(t, c.do(t, get, map[string]any{"s": status}).get(t, "syncStates"), any([]any{pending, pending}))
	}
	want(t, c.do(t, get, map[string]any{"s": "ERROR"}).get(t, "syncStates"), any([]any{}))
}

func TestPagesOfIntegrations(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	var all []string
	for i := range 5 {
		all = append(all, fmt.Sprintf("linear-%d", i))
	}
	for _, i := range []int{3, 0, 4, 1, 2} {
		c.create(t, map[string]any{"name": all[i], "provider": "linear", "enabled": i%2 == 0}).wantErrors(t)
	}
	const page = `query($org: ID!, $p: UUID!, $first: Int, $after: String, $f: IntegrationFilter) {
		integrations(orgId: $org, projectId: $p, first: $first, after: $after, filter: $f) {
			nodes { name } edges { cursor node { name } } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`
	var seen []string
	var after any
	for _, size := range []int{2, 2, 1} {
		a := c.do(t, page, map[string]any{"first": 2, "after": after})
		nodes := a.get(t, "integrations", "nodes").([]any)
		want(t, len(nodes), size)
		for i := range nodes {
			seen = append(seen, a.text(t, "integrations", "nodes", i, "name"))
			want(t, a.text(t, "integrations", "edges", i, "node", "name"), a.text(t, "integrations", "nodes", i, "name"))
		}
		want(t, a.get(t, "integrations", "pageInfo"), any(map[string]any{
			"hasNextPage": size == 2, "hasPreviousPage": after != nil,
			"startCursor": a.text(t, "integrations", "edges", 0, "cursor"), "endCursor": a.text(t, "integrations", "edges", size-1, "cursor"),
		}))
		want(t, a.get(t, "integrations", "totalCount"), any(5.0))
		after = a.text(t, "integrations", "pageInfo", "endCursor")
	}
	want(t, seen, all)

	beyond := c.do(t, page, map[string]any{"first": 2, "after": after})
	want(t, beyond.get(t, "integrations"), any(map[string]any{"nodes": []any{}, "edges": []any{}, "totalCount": 5.0,
		"pageInfo": map[string]any{"hasNextPage": false, "hasPreviousPage": true, "startCursor": nil, "endCursor": nil}}))

	for _, filter := range []struct {
		f     map[string]any
		total float64
	}{
		{map[string]any{"enabled": true}, 3},
		{map[string]any{"enabled": false, "name": nil}, 2},
		{map[string]any{"name": "linear-3"}, 1},
		{map[string]any{"name": "Linear-3"}, 0},
		{map[string]any{"search": "LINEAR-4"}, 1},
		{map[string]any{"search": "%"}, 0}, // a wildcard is only a character
		{map[string]any{"search": ""}, 5},
	} {
		want(t, c.do(t, page, map[string]any{"first": 1, "f": filter.f}).get(t, "integrations", "totalCount"), any(filter.total))
	}
}

func TestPagesOfProjects(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, name := range []string{"beta", "Alpha", "alpha", "Émile"} {
		c.do(t, `mutation($org: ID!, $n: String!) { createProject(input: {orgId: $org, name: $n}) { id } }`, map[string]any{"n": name})
	}
	const page = `query($org: ID!, $after: String) { projects(orgId: $org, first: 3, after: $after) {
		edges { node { name orgId } } totalCount pageInfo { endCursor hasNextPage } } }`
	first := c.do(t, page)
	second := c.do(t, page, map[string]any{"after": first.text(t, "projects", "pageInfo", "endCursor")})
	var names []string
	for _, a := range []answer{first, second} {
		for i := range a.get(t, "projects", "edges").([]any) {
			names = append(names, a.text(t, "projects", "edges", i, "node", "name"))
		}
		want(t, a.get(t, "projects", "totalCount"), any(5.0))
	}
	slices.Sort(names)
	want(t, names, []string{"Alpha", "Test", "alpha", "beta", "Émile"})
	want(t, first.get(t, "projects", "pageInfo", "hasNextPage"), any(true))
	want(t, second.get(t, "projects", "pageInfo", "hasNextPage"), any(false))
}

// However a client asks for syncState, it is read: it is a non-null field that most requests do not need.
func TestSyncStateAskedForInOddPlaces(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id := c.create(t, map[string]any{"name": "clickup"}).text(t, "createIntegration", "id")
	for name, query := range map[string]string{
		"fragment":                        `{ integrationById(id: $id) { ...I } } fragment I on PublicIntegration { syncState { status } }`,
		"fragment in a fragment":          `{ integrationById(id: $id) { ...I } } fragment I on PublicIntegration { ...J } fragment J on PublicIntegration { syncState { status } }`,
		"fragment of the root":            `{ ...Q } fragment Q on Query { integrationById(id: $id) { syncState { status } } }`,
		"inline fragment":                 `{ integrationById(id: $id) { ... { ... on PublicIntegration { syncState { status } } } } }`,
		"alias":                           `{ integrationById(id: $id) { how: syncState { status } } }`,
		"two aliases":                     `{ integrationById(id: $id) { a: syncState { status } b: syncState { id } } }`,
		"included by a variable":          `{ integrationById(id: $id) { syncState @include(if: $yes) { status } } }`,
		"not skipped by a variable":       `{ integrationById(id: $id) { syncState @skip(if: $no) { status } } }`,
		"skipped and asked for once more": `{ integrationById(id: $id) { syncState @skip(if: $yes) { id } ...I } } fragment I on PublicIntegration { syncState { status } }`,
		"directive on a fragment":         `{ integrationById(id: $id) { ...I @include(if: $yes) } } fragment I on PublicIntegration { syncState { status } }`,
		"the same field twice":            `{ integrationById(id: $id) { id } integrationById(id: $id) { syncState { status } } }`,
		"the same field twice in a list":  `{ integrations(orgId: $org, projectId: $p) { nodes { id } } integrations(orgId: $org, projectId: $p) { edges { node { syncState { status } } } } }`,
		"nodes and edges":                 `{ integrations(orgId: $org, projectId: $p) { nodes { id } edges { node { ...I } } } } fragment I on PublicIntegration { syncState { status } }`,
		"nothing but it":                  `{ integration(orgId: $org, projectId: $p, name: "clickup") { syncState { __typename } } }`,
		"the gallery":                     `{ gallery(orgId: $org, projectId: $p) { ...G } } fragment G on GalleryEntry { integrations { syncState { status } } }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			query = strings.NewReplacer("$id", `"`+id+`"`, "$org", `"acme"`, "$p", `"`+c.project+`"`).Replace(query)
			for _, variable := range []string{"$yes", "$no"} {
				if strings.Contains(query, variable) {
					query = "query(" + variable + ": Boolean!) " + query
				}
			}
			a := c.do(t, query, map[string]any{"yes": true, "no": false})
			if !strings.Contains(a.raw, "PENDING") && !strings.Contains(a.raw, "SyncState") {
				t.Errorf("no sync state in %s", a.raw)
			}
		})
	}
}
