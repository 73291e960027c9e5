package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// matrixFile holds the table of who may do what, which people read and TestAccessMatrix enforces.
const matrixFile = "docs/access.md"

// outcomes are the table's words for answers' codes; "yes" is an answer, and "null" one that says that there is nothing.
var outcomes = map[string]string{"UNAUTHENTICATED": "sign in", "FORBIDDEN": "forbidden", "NOT_FOUND": "not found"}

// readMatrix returns the table's columns and its cells by operation and column.
func readMatrix(t testing.TB) (columns []string, cells map[string]map[string]string) {
	t.Helper()
	text, err := os.ReadFile(matrixFile)
	if err != nil {
		t.Fatal(err)
	}
	cells = map[string]map[string]string{}
	for line := range strings.Lines(string(text)) {
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		operation := strings.Trim(row[0], "`")
		switch {
		case operation == "operation":
			columns = row[1:]
		case columns == nil || !strings.HasPrefix(line, "|") || strings.HasPrefix(operation, "--"):
		case cells[operation] != nil || len(row) != len(columns)+1:
			t.Fatalf("%s: the row of %s is there twice, or has %d cells and not %d", matrixFile, operation, len(row)-1, len(columns))
		default:
			cells[operation] = map[string]string{}
			for i, column := range columns {
				cells[operation][column] = row[i+1]
			}
		}
	}
	return columns, cells
}

// subjects makes a principal for each column of the table.
func (c *client) subjects(t testing.TB) map[string]string {
	t.Helper()
	other := c.server.key(t, "other", "admin")
	c.server.project(t, other, "other")
	elsewhere := c.server.project(t, c.key, c.org)
	keys := map[string]string{"nobody": "", "revoked key": c.server.key(t, c.org, "admin"), "expired key": c.server.key(t, c.org, "admin")}
	for _, role := range []string{"viewer", "editor", "admin"} {
		keys[role] = c.server.key(t, c.org, role)
		keys["other organisation's "+role] = c.server.key(t, "other", role)
		keys["other project's "+role] = c.server.key(t, c.org, role, elsewhere)
	}
	// Neither has been used before, so no server remembers them.
	rows(t, c.db, `UPDATE kb.api_keys SET revoked_at = now() WHERE prefix = $1`, keys["revoked key"][:11])
	rows(t, c.db, `UPDATE kb.api_keys SET expires_at = now() - interval '1 second' WHERE prefix = $1`, keys["expired key"][:11])
	return keys
}

// furnish makes a project of the client's with everything that rootCalls are about.
func (c *client) furnish(t testing.TB) tenantIDs {
	t.Helper()
	own := *c
	own.project = c.server.project(t, c.key, c.org)
	connected := own.connect(t, "clickup", clickUp())
	own.registered(t, connected) // or ClickUp issues no secret anew
	c.object(t, connected)
	return tenantIDs{
		delivery:    c.delivery(t, connected),
		org:         c.org,
		project:     own.project,
		integration: connected,
		run:         c.syncRun(t, own.create(t, map[string]any{"name": "at-work", "provider": "clickup"}).text(t, "createIntegration", "id")),
		key: own.do(t, `mutation ($p: [UUID!]) { createApiKey(input: {orgId: "acme", name: "Fresh", role: VIEWER, projectIds: $p}) { apiKey { id } } }`,
			map[string]any{"p": []string{own.project}}).text(t, "createApiKey", "apiKey", "id"),
	}
}

// announcing changes a run's integration and its state again and again until the returned function is called, for who waits for
// news.
func (c *client) announcing(t testing.TB, run string) (stop func()) {
	t.Helper()
	ended := make(chan struct{})
	var teller sync.WaitGroup
	teller.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(50 * time.Millisecond):
				rows(t, c.db, `UPDATE kb.integrations SET description = clock_timestamp()::text WHERE id = (SELECT integration_id FROM kb.sync_runs WHERE id = $1)`, run)
				rows(t, c.db, `UPDATE kb.sync_states SET total_synced = total_synced + 1 WHERE integration_id = (SELECT integration_id FROM kb.sync_runs WHERE id = $1)`, run)
				announce(t, c.db, run)
			}
		}
	})
	stop = sync.OnceFunc(func() { close(ended); teller.Wait() })
	t.Cleanup(stop)
	return stop
}

// outcome is the table's word for an answer.
func (a answer) outcome(field string) string {
	switch codes := a.codes(); {
	case len(codes) == 0 && a.Data[field] == nil:
		return "null"
	case len(codes) == 0:
		return "yes"
	case len(codes) == 1 && outcomes[codes[0]] != "" && a.Data[field] == nil:
		return outcomes[codes[0]]
	}
	return a.raw
}

// TestAccessMatrix calls every operation of the schema as everybody in the table's columns, and compares.
func TestAccessMatrix(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t, "PATCHBAY_REVEAL_SETTINGS=true")
	columns, cells := readMatrix(t)
	keys := c.subjects(t)
	ids := c.furnish(t)
	s := schema(t)
	var actual bytes.Buffer
	differs := false
	for _, root := range []*ast.Definition{s.Query, s.Mutation, s.Subscription} {
		if root == nil {
			continue
		}
		for _, f := range root.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			call, known := rootCalls[root.Name+"."+f.Name]
			if !known {
				t.Errorf("rootCalls has no call of %s", f.Name)
				continue
			}
			row := []string{"`" + f.Name + "`"}
			for _, column := range columns {
				key, known := keys[column]
				if !known {
					t.Fatalf("%s has the column %q, which no principal is made for", matrixFile, column)
				}
				told := c.announcing(t, ids.run)
				a := c.server.asked(t, key, placeholders.replace(call.query, ids))
				told()
				got := a.outcome(f.Name)
				if got == "yes" && strings.HasPrefix(column, "other ") &&
					slices.ContainsFunc([]string{ids.project, ids.integration, ids.key, ids.run, ids.delivery}, func(id string) bool { return strings.Contains(a.raw, id) }) {
					t.Errorf("%s as %s shows what is not theirs: %s", f.Name, column, a.raw)
				}
				if want := cells[f.Name][column]; got != want {
					t.Errorf("%s as %s: %q, and the table has %q", f.Name, column, got, want)
					differs = true
				}
				if got == "yes" && root == s.Mutation {
					ids = c.furnish(t)
				}
				row = append(row, got)
			}
			actual.WriteString("| " + strings.Join(row, " | ") + " |\n")
			delete(cells, f.Name)
		}
	}
	for operation := range cells {
		t.Errorf("%s has a row for %s, which the schema does not have", matrixFile, operation)
	}
	for column := range keys {
		if !slices.Contains(columns, column) {
			t.Errorf("%s has no column %q", matrixFile, column)
		}
	}
	if differs {
		t.Logf("the rows as they are:\n%s", actual.String())
	}
}

// recordedAs says which entry of the audit trail each mutation leaves.
var recordedAs = map[string]string{
	"createProject":         "project.create",
	"createIntegration":     "integration.create",
	"updateIntegration":     "integration.update",
	"deleteIntegration":     "integration.delete",
	"revealSettings":        "secrets.open",
	"rotateWebhookSecret":   "webhook_secret.rotate",
	"registerWebhook":       "webhook.register",
	"replayWebhookDelivery": "webhook_delivery.replay",
	"testSettings":          "settings.test",
	"testConnection":        "secrets.open",
	"startSync":             "sync.start",
	"cancelSync":            "sync.cancel",
	"resetSyncState":        "sync.reset",
	"updateSyncMappings":    "sync_mappings.set",
	"setSyncSchedule":       "sync_schedule.set",
	"createApiKey":          "api_key.create",
	"revokeApiKey":          "api_key.revoke",
	"rotateEncryptionKey":   "key.rotate",
}

// TestEveryMutationIsRecorded: a mutation and its entry in the audit trail are there together or not at all. While no entry
// can be written, nothing is changed and nothing is shown.
func TestEveryMutationIsRecorded(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t, "PATCHBAY_REVEAL_SETTINGS=true")
	mutations := schema(t).Mutation.Fields
	ids := c.furnish(t)

	// What is due soon is no change of a mutation's.
	rows(t, c.db, `UPDATE kb.webhooks SET catch_up_at = NULL`)
	// The entries that are still to be chained would be counted as changes.
	rows(t, c.db, `DO $do$ BEGIN
		CREATE FUNCTION kb.no_entry() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no entry'; END $$;
		CREATE TRIGGER no_entry BEFORE INSERT ON kb.audit_events FOR EACH ROW EXECUTE FUNCTION kb.no_entry(); END $do$`)
	jobs := func() []string { return rows(t, c.db, `SELECT count(*)::text FROM river.river_job`) }
	before, queued := contents(t, c.db), jobs()
	for _, f := range mutations {
		if recordedAs[f.Name] == "" {
			t.Errorf("recordedAs does not say how %s is recorded", f.Name)
		}
		a := c.ask(t, c.key, placeholders.replace(rootCalls["Mutation."+f.Name].query, ids), nil)
		if want := []string{"INTERNAL"}; !slices.Equal(a.codes(), want) || a.Data[f.Name] != nil {
			t.Errorf("%s, while it cannot be recorded: %s", f.Name, a.raw)
		}
	}
	want(t, contents(t, c.db), before)
	want(t, jobs(), queued)
	rows(t, c.db, `DROP FUNCTION kb.no_entry CASCADE`)

	count := func(action string) int {
		filter := `action: "` + action + `"`
		if action == "secrets.open" { // runs that were started meanwhile open theirs
			filter += `, integrationId: "` + ids.integration + `"`
		}
		return len(c.trail(t, `, filter: {`+filter+`}`))
	}
	me := c.do(t, `{ viewer { subject } }`).text(t, "viewer", "subject")
	for _, f := range mutations {
		action, n := recordedAs[f.Name], count(recordedAs[f.Name])
		begun := time.Now().Add(-time.Minute) // clocks may differ
		a := c.ask(t, c.key, placeholders.replace(rootCalls["Mutation."+f.Name].query, ids), nil)
		if a.outcome(f.Name) != "yes" {
			t.Errorf("%s: %s", f.Name, a.raw)
		}
		if after := count(action); after != n+1 {
			t.Errorf("%s left %d entries %s", f.Name, after-n, action)
		}
		entry := c.do(t, `query ($a: String!, $me: String!) { auditEvents(orgId: "acme", first: 1, filter: {action: $a, actor: $me}) { nodes { at actor requestId remoteAddr } } }`, map[string]any{"a": action, "me": me})
		at, err := time.Parse(time.RFC3339, entry.text(t, "auditEvents", "nodes", 0, "at"))
		if err != nil || at.Before(begun) || !strings.HasPrefix(entry.text(t, "auditEvents", "nodes", 0, "actor"), "api-key:pb_") ||
			entry.text(t, "auditEvents", "nodes", 0, "requestId") == "" || entry.text(t, "auditEvents", "nodes", 0, "remoteAddr") == "" {
			t.Errorf("%s is recorded as %s", f.Name, entry.raw)
		}
		ids = c.furnish(t)
	}
	for name := range recordedAs {
		if mutations.ForName(name) == nil {
			t.Errorf("recordedAs names %s, which is no mutation", name)
		}
	}
}
