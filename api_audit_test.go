package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// trail is the audit trail of acme as "actor action changes", newest first.
func (c *client) trail(t testing.TB, arguments string) []string {
	t.Helper()
	a := c.do(t, `{ auditEvents(orgId: "acme", first: 200`+arguments+`) { nodes { actor action changes requestId remoteAddr } totalCount } }`)
	var list []string
	for i := range a.get(t, "auditEvents", "nodes").([]any) {
		list = append(list, fmt.Sprintf("%s %s %v", a.text(t, "auditEvents", "nodes", i, "actor"), a.text(t, "auditEvents", "nodes", i, "action"), a.get(t, "auditEvents", "nodes", i, "changes")))
	}
	if len(list) != int(a.get(t, "auditEvents", "totalCount").(float64)) {
		t.Errorf("totalCount differs from %d: %s", len(list), a.raw)
	}
	return list
}

func TestTrailOfTheAPI(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "clickup", "settings": map[string]any{"api_token": "pk_1_ABCDEFGHIJKL", "workspace_id": "9001"}})
	c.do(t, `mutation { updateIntegration(orgId: "acme", projectId: "`+c.project+`", name: "clickup", input: {enabled: false, settings: {apiKey: "pk_2_ABCDEFGHIJKL", workspace_id: null}}) { id } }`)
	c.do(t, `mutation { deleteIntegration(orgId: "acme", projectId: "`+c.project+`", name: "clickup") }`)
	trail := c.trail(t, `, projectId: "`+c.project+`"`)
	wants := []string{
		"integration.delete map[name:clickup]",
		"integration.update map[fields:[enabled] removedSettings:[workspace_id] settings:[api_token]]",
		"integration.create map[name:clickup provider:clickup settings:[api_token workspace_id]]",
		"project.create map[name:Test]",
	}
	if len(trail) != len(wants) {
		t.Fatalf("the trail tells %q", trail)
	}
	for i, end := range wants {
		if !strings.HasPrefix(trail[i], "api-key:pb_") || !strings.HasSuffix(trail[i], end) {
			t.Errorf("entry %d is %q, want %q", i, trail[i], end)
		}
	}
	a := c.do(t, `{ auditEvents(orgId: "acme", projectId: "`+c.project+`", first: 1, filter: {action: "integration.update"}) { nodes { requestId remoteAddr projectId } totalCount } }`)
	if a.text(t, "auditEvents", "nodes", 0, "remoteAddr") != "127.0.0.1" || len(a.text(t, "auditEvents", "nodes", 0, "requestId")) != 36 || a.get(t, "auditEvents", "totalCount") != 1.0 {
		t.Errorf("an entry: %s", a.raw)
	}
}

func TestTrailTellsWhatWasDenied(t *testing.T) {
	t.Parallel()
	w := newTenants(t)
	for _, denied := range []struct{ key, query string }{
		{w.keys["viewer"], `mutation { createProject(input: {orgId: "acme", name: "New"}) { id } }`},
		{w.keys["editor"], `mutation { createProject(input: {orgId: "other", name: "New"}) { id } }`},
		{w.limited, `mutation { createApiKey(input: {orgId: "other", name: "New", role: VIEWER}) { key } }`},
		{w.limited, `mutation { again: createProject(input: {orgId: "acme", name: "New"}) { id } }`},
		{w.limited, `mutation { rotateEncryptionKey { id } }`},
		{w.limited, `mutation { rotateWebhookSecret(integrationId: "` + w.acme.integration + `") { url } }`},
		{w.keys["admin"], `mutation { revealSettings(integrationId: "` + w.acme.integration + `") }`}, // off
		{"", `mutation { createProject(input: {orgId: "acme", name: "New"}) { id } }`},                // nobody's
		{w.keys["viewer"], `{ apiKeys(orgId: "acme") { id } }`},                                       // a query
	} {
		if a := w.ask(t, denied.key, denied.query, nil); len(a.Errors) != 1 {
			t.Fatalf("%s answered %s", denied.query, a.raw)
		}
	}
	var got []string
	for _, e := range w.trail(t, `, filter: {action: "mutation.denied"}`)[:7] {
		got = append(got, e[strings.Index(e, "mutation.denied"):])
	}
	// The newest: neither the stranger's attempt nor the query is among them.
	want(t, got, []string{
		"mutation.denied map[code:FORBIDDEN mutation:revealSettings]",
		"mutation.denied map[code:NOT_FOUND mutation:rotateWebhookSecret]",
		"mutation.denied map[code:FORBIDDEN mutation:rotateEncryptionKey]",
		"mutation.denied map[code:FORBIDDEN mutation:createProject]",
		"mutation.denied map[code:NOT_FOUND mutation:createApiKey]",
		"mutation.denied map[code:NOT_FOUND mutation:createProject]",
		"mutation.denied map[code:FORBIDDEN mutation:createProject]",
	})
}

// TestTrailIsChainedAndVerified: the server chains entries within seconds, and the command finds what was altered.
func TestTrailIsChainedAndVerified(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	c.create(t, map[string]any{"name": "clickup"})
	pending := func() []string { return rows(t, c.db, `SELECT event_id::text FROM kb.audit_pending`) }
	eventually(t, 10*time.Second, "the entries to be chained", func() bool { return len(pending()) == 0 })
	report := strings.Fields(strings.Split(c.server.command(t, "audit", "verify"), "\n")[1])
	if len(report) != 5 || report[0] != "acme" || report[2] != "0" || report[3] != "holds" || len(report[4]) != 64 {
		t.Errorf("the report is %q", report)
	}
	id := func(action string) string {
		return rows(t, c.db, `SELECT id::text FROM kb.audit_events WHERE action = '`+action+`'`)[0]
	}
	altered, removed := id("project.create"), id("integration.create")
	// The first break hides no later one.
	for _, harm := range []struct {
		sql  string
		want [][]string
	}{
		{`UPDATE kb.audit_events SET actor = 'nobody' WHERE id = '` + altered + `'`, [][]string{{altered, "altered"}}},
		{`DELETE FROM kb.audit_events WHERE id = '` + removed + `'`, [][]string{{altered, "altered"}, {removed, "removed"}}},
	} {
		root := c.db.Connect(t, "", "")
		for _, sql := range []string{`SET session_replication_role = replica`, harm.sql} {
			if _, err := root.Exec(context.Background(), sql); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		err := run(context.Background(), []string{"audit", "verify"}, c.server.env, &out, c.server.log)
		if err == nil || !strings.Contains(err.Error(), "the audit trail of one organisation was altered") || !slices.Contains(strings.Fields(out.String()), "broken") {
			t.Errorf("%v\n%s", err, out.String())
		}
		_, told, _ := strings.Cut(out.String(), "BROKEN\n")
		var got [][]string
		for line := range strings.Lines(told) {
			if f := strings.Fields(line); len(f) > 2 && f[0] == "acme" {
				got = append(got, f[2:])
			} else {
				t.Errorf("a line %q", line)
			}
		}
		want(t, got, harm.want)
	}
}
