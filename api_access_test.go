package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"
)

// rootCall is a use of a root field, with ORG, PROJECT, INTEGRATION, KEY, RUN and DELIVERY for the ids of what it is about.
type rootCall struct {
	query  string
	least  string // role
	hidden string // what the field answers where these are not the principal's: null, NOT_FOUND, or "" where it is about none
	// orgWide says that it is about no single project, so that its answer to principals of some projects is another
	// test's matter.
	orgWide bool
}

var rootCalls = map[string]rootCall{
	"Query.viewer":                    {query: `{ viewer { role } }`, least: "viewer"},
	"Query.providers":                 {query: `{ providers { name } }`, least: "viewer"},
	"Query.provider":                  {query: `{ provider(name: "clickup") { name } }`, least: "viewer"},
	"Query.gallery":                   {query: `{ gallery(orgId: "ORG", projectId: "PROJECT") { integrations { id } } }`, least: "viewer", hidden: "NOT_FOUND"},
	"Query.projects":                  {query: `{ projects(orgId: "ORG") { nodes { id } totalCount } }`, least: "viewer", hidden: "NOT_FOUND", orgWide: true},
	"Query.integrations":              {query: `{ integrations(orgId: "ORG", projectId: "PROJECT") { nodes { id } totalCount } }`, least: "viewer", hidden: "NOT_FOUND"},
	"Query.integration":               {query: `{ integration(orgId: "ORG", projectId: "PROJECT", name: "clickup") { id } }`, least: "viewer", hidden: "null"},
	"Query.integrationById":           {query: `{ integrationById(id: "INTEGRATION") { id } }`, least: "viewer", hidden: "null"},
	"Query.syncStates":                {query: `{ syncStates(orgId: "ORG", projectId: "PROJECT") { id } }`, least: "viewer", hidden: "NOT_FOUND"},
	"Query.apiKeys":                   {query: `{ apiKeys(orgId: "ORG") { id } }`, least: "admin", hidden: "NOT_FOUND", orgWide: true},
	"Query.auditEvents":               {query: `{ auditEvents(orgId: "ORG") { nodes { id } totalCount } }`, least: "admin", hidden: "NOT_FOUND", orgWide: true},
	"Query.encryptionStatus":          {query: `{ encryptionStatus { currentKeyId sealedRows { rows } unreadable rotation { done } } }`, least: "admin"},
	"Mutation.rotateEncryptionKey":    {query: `mutation { rotateEncryptionKey { failed } }`, least: "admin"},
	"Mutation.createProject":          {query: `mutation { createProject(input: {orgId: "ORG", name: "New"}) { name } }`, least: "editor", hidden: "NOT_FOUND", orgWide: true},
	"Mutation.createIntegration":      {query: `mutation { createIntegration(input: {orgId: "ORG", projectId: "PROJECT", name: "clickup-2", provider: "clickup"}) { name } }`, least: "editor", hidden: "NOT_FOUND"},
	"Mutation.updateIntegration":      {query: `mutation { updateIntegration(orgId: "ORG", projectId: "PROJECT", name: "clickup", input: {enabled: false}) { name } }`, least: "editor", hidden: "NOT_FOUND"},
	"Mutation.deleteIntegration":      {query: `mutation { deleteIntegration(orgId: "ORG", projectId: "PROJECT", name: "clickup") }`, least: "editor", hidden: "NOT_FOUND"},
	"Mutation.revealSettings":         {query: `mutation { revealSettings(integrationId: "INTEGRATION") }`, least: "admin", hidden: "NOT_FOUND"},
	"Mutation.rotateWebhookSecret":    {query: `mutation { rotateWebhookSecret(integrationId: "INTEGRATION") { previousValidUntil } }`, least: "admin", hidden: "NOT_FOUND"},
	"Mutation.registerWebhook":        {query: `mutation { registerWebhook(integrationId: "INTEGRATION") { webhook { registered } } }`, least: "editor", hidden: "NOT_FOUND"},
	"Mutation.createApiKey":           {query: `mutation { createApiKey(input: {orgId: "ORG", name: "New", role: VIEWER, projectIds: ["PROJECT"]}) { apiKey { name } } }`, least: "admin", hidden: "NOT_FOUND"},
	"Mutation.revokeApiKey":           {query: `mutation { revokeApiKey(id: "KEY") { name } }`, least: "admin", hidden: "NOT_FOUND"},
	"Query.syncRuns":                  {query: `{ syncRuns(integrationId: "INTEGRATION") { nodes { id } totalCount } }`, least: "viewer", hidden: "NOT_FOUND"},
	"Query.syncRun":                   {query: `{ syncRun(id: "RUN") { id } }`, least: "viewer", hidden: "null"},
	"Query.externalStructure":         {query: `{ externalStructure(integrationId: "INTEGRATION") { externalId } }`, least: "viewer", hidden: "NOT_FOUND"},
	"Query.syncedObjects":             {query: `{ syncedObjects(integrationId: "INTEGRATION") { nodes { id } totalCount } }`, least: "viewer", hidden: "NOT_FOUND"},
	"Query.syncedObject":              {query: `{ syncedObject(integrationId: "INTEGRATION", externalId: "t1") { id relationships { target { id } } } }`, least: "viewer", hidden: "null"},
	"Query.webhookDeliveries":         {query: `{ webhookDeliveries(integrationId: "INTEGRATION") { nodes { id } totalCount } }`, least: "viewer", hidden: "NOT_FOUND"},
	"Mutation.replayWebhookDelivery":  {query: `mutation { replayWebhookDelivery(id: "DELIVERY") { status } }`, least: "editor", hidden: "NOT_FOUND"},
	"Mutation.testSettings":           {query: `mutation { testSettings(provider: "clickup", settings: {api_token: "pk_1_UNKNOWN"}) { ok } }`, least: "editor"},
	"Mutation.testConnection":         {query: `mutation { testConnection(integrationId: "INTEGRATION") { ok } }`, least: "editor", hidden: "NOT_FOUND"},
	"Mutation.startSync":              {query: `mutation { startSync(integrationId: "INTEGRATION") { status } }`, least: "editor", hidden: "NOT_FOUND"},
	"Mutation.cancelSync":             {query: `mutation { cancelSync(runId: "RUN") { status } }`, least: "editor", hidden: "NOT_FOUND"},
	"Mutation.resetSyncState":         {query: `mutation { resetSyncState(integrationId: "INTEGRATION") { status } }`, least: "editor", hidden: "NOT_FOUND"},
	"Mutation.updateSyncMappings":     {query: `mutation { updateSyncMappings(integrationId: "INTEGRATION", mappings: [{kind: LIST, externalId: "1", target: "2"}]) { status } }`, least: "editor", hidden: "NOT_FOUND"},
	"Mutation.setSyncSchedule":        {query: `mutation { setSyncSchedule(integrationId: "INTEGRATION", schedule: {everyMinutes: 60}) { status } }`, least: "editor", hidden: "NOT_FOUND"},
	"Subscription.syncRunProgress":    {query: `subscription { syncRunProgress(runId: "RUN") { id } }`, least: "viewer", hidden: "NOT_FOUND"},
	"Subscription.integrationChanged": {query: `subscription { integrationChanged(orgId: "ORG", projectId: "PROJECT") { integrationId integration { ` + integrationFields + ` } } }`, least: "viewer", hidden: "NOT_FOUND"},
	"Subscription.syncStateChanged":   {query: `subscription { syncStateChanged(orgId: "ORG", projectId: "PROJECT") { id } }`, least: "viewer", hidden: "NOT_FOUND"},
}

// tenantIDs are what a call is about.
type tenantIDs struct{ org, project, integration, key, run, delivery string }

func (ids tenantIDs) replace(text string, with tenantIDs) string {
	return strings.NewReplacer(ids.org, with.org, ids.project, with.project, ids.integration, with.integration, ids.key, with.key, ids.run, with.run, ids.delivery, with.delivery).Replace(text)
}

var placeholders = tenantIDs{"ORG", "PROJECT", "INTEGRATION", "KEY", "RUN", "DELIVERY"}

// nowhere is what does not exist.
func nowhere() tenantIDs {
	return tenantIDs{"nowhere", uuid.NewString(), uuid.NewString(), uuid.NewString(), uuid.NewString(), uuid.NewString()}
}

func TestEveryRootFieldDemandsAPrincipalOrARole(t *testing.T) {
	t.Parallel()
	s := schema(t)
	fields := map[string]bool{}
	for _, root := range []*ast.Definition{s.Query, s.Mutation, s.Subscription} {
		if root == nil {
			continue
		}
		for _, f := range root.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			name := root.Name + "." + f.Name
			fields[name] = true
			if f.Directives.ForName("authenticated") == nil && f.Directives.ForName("hasRole") == nil {
				t.Errorf("%s has neither @authenticated nor @hasRole", name)
			}
			if root == s.Mutation && f.Directives.ForName("hasRole") == nil {
				t.Errorf("%s changes something and has no @hasRole", name)
			}
		}
	}
	want(t, slices.Sorted(maps.Keys(rootCalls)), slices.Sorted(maps.Keys(fields))) // a new field needs a row in rootCalls
}

// tenants is a server with the organisation acme, that has all that rootCalls are about, and others.
type tenants struct {
	*client
	acme    tenantIDs
	keys    map[string]string // of acme, by role
	foreign string            // an administrator's key of another organisation
	limited string            // an administrator's key of acme, limited to another project
	other   string            // that project
}

func newTenants(t testing.TB) *tenants {
	t.Helper()
	c := newClient(t)
	return c.tenants(t, c.server.key)
}

// tenants has the others' credentials made by a function: API keys, or whatever counts as much.
func (c *client) tenants(t testing.TB, key func(t testing.TB, org, role string, projects ...string) string) *tenants {
	t.Helper()
	w := &tenants{client: c, keys: map[string]string{}}
	for _, role := range []string{"viewer", "editor", "admin"} {
		w.keys[role] = key(t, "acme", role)
	}
	w.foreign = key(t, "other", "admin")
	w.server.project(t, w.foreign, "other")
	w.other = w.server.project(t, c.key, "acme")
	w.limited = key(t, "acme", "admin", w.other)
	w.acme = tenantIDs{
		org:         "acme",
		project:     c.project,
		integration: c.create(t, map[string]any{"name": "clickup"}).text(t, "createIntegration", "id"),
		key:         c.do(t, `{ apiKeys(orgId: "acme") { id } }`).text(t, "apiKeys", 0, "id"),
	}
	w.acme.run = c.syncRun(t, w.acme.integration)
	w.acme.delivery = c.delivery(t, w.acme.integration)
	c.object(t, w.acme.integration)
	return w
}

// The checks run in this order: authentication, role, tenancy, input. Who fails an earlier one learns nothing of a later.
func TestAccessToEveryRootField(t *testing.T) {
	t.Parallel()
	for name, tenants := range map[string]func(*testing.T) *tenants{
		"API keys":      func(t *testing.T) *tenants { return newTenants(t) },
		"OpenID tokens": newTenantsByToken,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenants(t).accessToEveryRootField(t)
		})
	}
}

func (w *tenants) accessToEveryRootField(t *testing.T) {
	before := contents(t, w.db)
	for name, call := range rootCalls {
		_, field, _ := strings.Cut(name, ".")
		good := placeholders.replace(call.query, w.acme)
		nothing := placeholders.replace(call.query, nowhere())
		bad := placeholders.replace(call.query, tenantIDs{"ORG", "no-uuid", "no-uuid", "no-uuid", "no-uuid", "no-uuid"})
		for _, query := range []string{good, nothing, bad} {
			for _, key := range []string{"", "pb_" + strings.Repeat("a", 52), "nonsense"} {
				if a := w.asked(t, key, query); !slices.Equal(a.codes(), []string{"UNAUTHENTICATED"}) || a.Data[field] != nil {
					t.Errorf("%s without a principal: %s", name, a.raw)
				}
			}
			for _, role := range []string{"viewer", "editor"} {
				if role == call.least {
					break
				}
				if a := w.asked(t, w.keys[role], query); !slices.Equal(a.codes(), []string{"FORBIDDEN"}) || a.Data[field] != nil {
					t.Errorf("%s as %s: %s", name, role, a.raw)
				}
			}
		}
		// Who has the role is let through to the next check.
		if a := w.asked(t, w.keys[call.least], nothing); slices.ContainsFunc(a.codes(), func(code string) bool { return code == "FORBIDDEN" || code == "UNAUTHENTICATED" }) {
			t.Errorf("%s as %s: %s", name, call.least, a.raw)
		}
		if call.hidden == "" {
			continue
		}
		w.hides(t, name, call, w.foreign, "nowhere")
		if !call.orgWide {
			w.hides(t, name, call, w.limited, "acme")
		}
	}
	after := contents(t, w.db)
	delete(before, "key_rotations") // rotateEncryptionKey is about the principal's own organisation, so nothing refused it
	delete(after, "key_rotations")
	want(t, after, before)
}

// hides checks that acme's things get the same answer as what does not exist, but for the ids.
func (w *tenants) hides(t *testing.T, name string, call rootCall, key, org string) {
	t.Helper()
	nothing := nowhere()
	nothing.org = org
	exists := w.asked(t, key, placeholders.replace(call.query, w.acme))
	missing := w.asked(t, key, placeholders.replace(call.query, nothing))
	if got := w.acme.replace(exists.raw, placeholders); got != nothing.replace(missing.raw, placeholders) {
		t.Errorf("%s tells what exists from what does not:\n%s\n%s", name, exists.raw, missing.raw)
	}
	_, field, _ := strings.Cut(name, ".")
	if call.hidden == "null" {
		want(t, exists.Data, map[string]any{field: nil})
		want(t, exists.codes(), []string(nil))
	} else {
		want(t, exists.codes(), []string{call.hidden})
	}
}

// Nobody learns from the checks of settings whether a project or an integration exists.
func TestBadSettingsComeAfterTenancy(t *testing.T) {
	t.Parallel()
	w := newTenants(t)
	bad := map[string]any{"api_token": "********", "nonsense": true}
	for _, other := range []*client{w.as(w.foreign), w.as(w.limited)} {
		for _, a := range []answer{
			other.create(t, map[string]any{"name": "Click Up", "provider": "asana", "displayName": "", "settings": bad}),
			other.update(t, "clickup", map[string]any{"enabled": nil, "displayName": "", "settings": bad, "ifRevision": 7}),
		} {
			a.wantErrors(t, "NOT_FOUND")
			if strings.Contains(a.raw, "ettings") {
				t.Errorf("the settings are spoken of: %s", a.raw)
			}
		}
	}
	viewer := w.as(w.keys["viewer"])
	viewer.create(t, map[string]any{"name": "clickup", "settings": bad}).wantErrors(t, "FORBIDDEN")
	viewer.update(t, "clickup", map[string]any{"settings": bad}).wantErrors(t, "FORBIDDEN")
	w.as("").update(t, "clickup", map[string]any{"settings": bad}).wantErrors(t, "UNAUTHENTICATED")
}

// A name in one project says nothing about another one.
func TestPrincipalsOfSomeProjects(t *testing.T) {
	t.Parallel()
	w := newTenants(t)
	limited := w.as(w.limited)

	want(t, limited.do(t, `{ viewer { role orgId projectIds } }`).Data,
		map[string]any{"viewer": map[string]any{"role": "ADMIN", "orgId": "acme", "projectIds": []any{w.other}}})
	want(t, limited.do(t, `{ projects(orgId: "acme") { nodes { id } totalCount } }`).Data,
		map[string]any{"projects": map[string]any{"nodes": []any{map[string]any{"id": w.other}}, "totalCount": 1.0}})
	limited.try(t, `mutation { createProject(input: {orgId: "acme", name: "Mine"}) { id } }`).wantErrors(t, "FORBIDDEN")

	own := *limited
	own.project = w.other
	own.create(t, map[string]any{"name": "clickup"}).wantErrors(t)
	own.create(t, map[string]any{"name": "clickup"}).wantErrors(t, "CONFLICT name")

	// Keys: only those that reach no further than its own.
	makes := func(projects any) answer {
		return limited.try(t, `mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) { apiKey { id projectIds } } }`,
			map[string]any{"i": map[string]any{"orgId": "acme", "name": "Narrow", "role": "ADMIN", "projectIds": projects}})
	}
	makes(nil).wantErrors(t, "FORBIDDEN")
	makes([]any{w.project}).wantErrors(t, "NOT_FOUND")
	makes([]any{w.other, w.project}).wantErrors(t, "NOT_FOUND")
	made := makes([]any{w.other})
	want(t, made.get(t, "createApiKey", "apiKey", "projectIds"), any([]any{w.other}))
	want(t, limited.do(t, `{ apiKeys(orgId: "acme") { name } }`).Data, map[string]any{"apiKeys": []any{
		map[string]any{"name": "test admin"}, map[string]any{"name": "Narrow"}}})
	limited.try(t, `mutation { revokeApiKey(id: "`+w.acme.key+`") { id } }`).wantErrors(t, "NOT_FOUND")
	limited.do(t, `mutation { revokeApiKey(id: "`+made.text(t, "createApiKey", "apiKey", "id")+`") { id } }`)
}
