package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

// everyChange makes one of each change that the trail tells of, and returns what it should tell, oldest first.
func everyChange(t *testing.T, tenant *store.Tenant) (want []string) {
	t.Helper()
	ctx := context.Background()
	project := createProject(t, tenant, "Town")
	if _, err := tenant.CreateIntegration(ctx, ring(), newIntegration(project, "clickup"), store.With{}); err != nil {
		t.Fatal(err)
	}
	_, err := update(tenant, ring(), project, "clickup", store.IntegrationUpdate{
		DisplayName: ptr("Other"), Secrets: secrets("api_token", "another token"), PublicSettings: map[string]any{"batch_size": 20}, Removed: []string{"workspace_id"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tenant.DeleteIntegration(ctx, project, "clickup"); err != nil {
		t.Fatal(err)
	}
	key, err := tenant.CreateAPIKey(ctx, newKey(nil))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second changes nothing
		if _, err := tenant.RevokeAPIKey(ctx, key.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := tenant.RecordDenied(ctx, "createProject", "FORBIDDEN"); err != nil {
		t.Fatal(err)
	}
	return []string{
		`project.create map[name:Town]`,
		`integration.create map[name:clickup provider:clickup settings:[api_token workspace_id]]`,
		`integration.update map[fields:[displayName] removedSettings:[workspace_id] settings:[api_token batch_size]]`,
		`integration.delete map[name:clickup]`,
		fmt.Sprintf(`api_key.create map[key:%s name:%s projects:<nil> role:%s]`, key.ID, key.Name, key.Role),
		fmt.Sprintf(`api_key.revoke map[key:%s]`, key.ID),
		`mutation.denied map[code:FORBIDDEN mutation:createProject]`,
	}
}

func TestTrailTellsEveryChange(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := storetest.New(t).Open(t, catalogue, nil)
	origin := integration.Origin{RequestID: "request-1", RemoteAddr: "192.0.2.7"}
	tenant := db.Tenant(integration.Scope{Org: "org", Actor: "somebody", Origin: origin})
	want := everyChange(t, tenant)

	page, err := tenant.AuditEvents(ctx, integration.AuditFilter{}, integration.PageArgs{First: 100, CountTotal: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := len(page.Items) - 1; i >= 0; i-- {
		e := page.Items[i].Node
		got = append(got, fmt.Sprintf("%s %v", e.Action, e.Changes))
		if e.Actor != "somebody" || e.OrgID != "org" || *e.RequestID != origin.RequestID || *e.RemoteAddr != origin.RemoteAddr {
			t.Errorf("%s is told of %s in %s, request %s from %s", e.Action, e.Actor, e.OrgID, *e.RequestID, *e.RemoteAddr)
		}
		if inProject := e.ProjectID != nil; inProject != (strings.HasPrefix(e.Action, "integration.") || e.Action == string(integration.AuditProjectCreate)) {
			t.Errorf("%s names the project %v", e.Action, e.ProjectID)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || page.Total != len(want) {
		t.Errorf("%d in total, (-want +got)\n%s", page.Total, diff)
	}
}

func TestTrailHasNothingOfWhatFailed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := storetest.New(t).Open(t, catalogue, nil)
	tenant := db.Tenant(integration.Scope{Org: "org"})
	project := createProject(t, tenant, "Town")
	createIntegration(t, tenant, newIntegration(project, "clickup"))
	if _, err := tenant.CreateIntegration(ctx, ring(), newIntegration(project, "clickup"), store.With{}); !integration.IsKind(err, integration.KindConflict) {
		t.Fatal(err)
	}
	if _, err := tenant.DeleteIntegration(ctx, project, "none"); err != nil {
		t.Fatal(err)
	}
	_ = tenant.InTx(ctx, func(tx *store.Tenant) error {
		if _, err := tx.DeleteIntegration(ctx, project, "clickup"); err != nil {
			t.Error(err)
		}
		return fmt.Errorf("no")
	})
	page, err := tenant.AuditEvents(ctx, integration.AuditFilter{}, integration.PageArgs{First: 100})
	if err != nil || len(page.Items) != 2 {
		t.Errorf("%d events, %v, want 2", len(page.Items), err)
	}
}

func TestTrailIsFilteredAndPaged(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := storetest.New(t).Open(t, catalogue, nil)
	tenant := db.Tenant(integration.Scope{Org: "org", Actor: "somebody"})
	everyChange(t, tenant)
	everyChange(t, db.Tenant(integration.Scope{Org: "org", Actor: "somebody else"}))
	everyChange(t, db.Tenant(integration.Scope{Org: "other org"}))
	all, err := tenant.AuditEvents(ctx, integration.AuditFilter{}, integration.PageArgs{First: 100})
	if err != nil || len(all.Items) != 14 {
		t.Fatalf("%d events, %v", len(all.Items), err)
	}
	at := all.Items[7].Node.At
	for name, test := range map[string]struct {
		filter integration.AuditFilter
		want   int
	}{
		"of an actor":         {integration.AuditFilter{Actor: ptr("somebody else")}, 7},
		"of an action":        {integration.AuditFilter{Action: ptr("integration.update")}, 2},
		"of a project":        {integration.AuditFilter{ProjectID: all.Items[len(all.Items)-1].Node.ProjectID}, 4},
		"of an integration":   {integration.AuditFilter{IntegrationID: all.Items[len(all.Items)-2].Node.IntegrationID}, 3},
		"since":               {integration.AuditFilter{Since: &at}, 8},
		"until":               {integration.AuditFilter{Until: &at}, 6},
		"of an unknown actor": {integration.AuditFilter{Actor: ptr("nobody")}, 0},
	} {
		page, err := tenant.AuditEvents(ctx, test.filter, integration.PageArgs{First: 100, CountTotal: true})
		if err != nil || len(page.Items) != test.want || page.Total != test.want {
			t.Errorf("%s: %d events of %d, %v, want %d", name, len(page.Items), page.Total, err, test.want)
		}
	}
	var paged []uuid.UUID
	args := integration.PageArgs{First: 3}
	for range 10 {
		page, err := tenant.AuditEvents(ctx, integration.AuditFilter{}, args)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Items {
			paged = append(paged, i.Node.ID)
			args.After = &i.Cursor
		}
		if !page.HasNext {
			break
		}
	}
	var want []uuid.UUID
	for _, i := range all.Items {
		want = append(want, i.Node.ID)
	}
	if diff := cmp.Diff(want, paged); diff != "" {
		t.Errorf("in pages of 3 (-all at once +paged)\n%s", diff)
	}
	limited := db.Tenant(integration.Scope{Org: "org", Projects: []uuid.UUID{*all.Items[len(all.Items)-1].Node.ProjectID}})
	if page, err := limited.AuditEvents(ctx, integration.AuditFilter{}, integration.PageArgs{First: 100}); err != nil || len(page.Items) != 4 {
		t.Errorf("limited to a project: %d events, %v, want 4", len(page.Items), err)
	}
}

// TestChainShowsWhatWasChanged: what an owner without triggers does to the trail is told with the id of each event that it
// concerns. A break is written as its position, what it is, and the place that its event was chained at, from 1; 8 waits.
func TestChainShowsWhatWasChanged(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const (
		alter      = `UPDATE kb.audit_events SET actor = 'nobody' WHERE id = ANY (ids[%d:%d]);`
		remove     = `DELETE FROM kb.audit_events WHERE id = ANY (ids[%d:%d]);`
		removeLink = `DELETE FROM kb.audit_chain WHERE position BETWEEN %d AND %d;`
	)
	span := func(statement string, from, to int) string { return fmt.Sprintf(statement, from, to) }
	for name, test := range map[string]struct {
		harm string
		want []string
	}{
		"nothing":                     {``, nil},
		"an altered event":            {span(alter, 3, 3), []string{"3 altered: 3"}},
		"the first altered":           {span(alter, 1, 1), []string{"1 altered: 1"}},
		"the last altered":            {span(alter, 7, 7), []string{"7 altered: 7"}},
		"a moved time":                {`UPDATE kb.audit_events SET at = at + interval '1 microsecond' WHERE id = ids[2];`, []string{"2 altered: 2"}},
		"changes taken away":          {`UPDATE kb.audit_events SET changes = '{}' WHERE id = ids[7];`, []string{"7 altered: 7"}},
		"a value moved into the next": {`UPDATE kb.audit_events SET request_id = remote_addr, remote_addr = NULL WHERE id = ids[1];`, []string{"1 altered: 1"}},
		"an event given to another":   {`UPDATE kb.audit_events SET org_id = 'x' WHERE id = ids[5];`, []string{"5 altered: 5"}},
		"a removed event":             {span(remove, 4, 4), []string{"4 removed: 4"}},
		"the first removed":           {span(remove, 1, 1), []string{"1 removed: 1"}},
		"the last removed":            {span(remove, 7, 7), []string{"7 removed: 7"}},
		"one altered, a later one removed": {
			span(alter, 2, 2) + span(remove, 5, 5), []string{"2 altered: 2", "5 removed: 5"},
		},
		"one removed, a later one altered": {
			span(remove, 2, 2) + span(alter, 5, 5), []string{"2 removed: 2", "5 altered: 5"},
		},
		"one altered, the next removed": {
			span(alter, 2, 2) + span(remove, 3, 3), []string{"2 altered: 2", "3 removed: 3"},
		},
		"two altered in a row": {span(alter, 2, 3), []string{"2 altered: 2", "3 altered: 3"}},
		"all removed": {
			span(remove, 1, 7), []string{"1 removed: 1", "2 removed: 2", "3 removed: 3", "4 removed: 4", "5 removed: 5", "6 removed: 6", "7 removed: 7"},
		},
		"a changed hash":               {`UPDATE kb.audit_chain SET hash = sha256('x') WHERE position = 6;`, []string{"6 altered: 6"}},
		"the last hash changed":        {`UPDATE kb.audit_chain SET hash = sha256('x') WHERE position = 7;`, []string{"7 altered: 7"}},
		"an event and its hash anew":   {span(alter, 6, 6) + `UPDATE kb.audit_chain c SET hash = kb.audit_hash((SELECT b.hash FROM kb.audit_chain b WHERE b.position = 5), e) FROM kb.audit_events e WHERE c.position = 6 AND e.id = ids[6];`, []string{"7 altered: 7"}},
		"a removed link":               {span(removeLink, 2, 2), []string{"2 missing in the chain", "3 cannot be checked: 3", "- neither chained nor waiting: 2"}},
		"the first link removed":       {span(removeLink, 1, 1), []string{"1 missing in the chain", "2 cannot be checked: 2", "- neither chained nor waiting: 1"}},
		"the last link removed":        {span(removeLink, 7, 7), []string{"- neither chained nor waiting: 7"}},
		"all links removed":            {span(removeLink, 6, 7) + span(removeLink, 1, 5) + span(remove, 1, 6), []string{"- neither chained nor waiting: 7"}},
		"a removed event and link":     {span(removeLink, 1, 1) + span(remove, 1, 1), []string{"1 missing in the chain", "2 cannot be checked: 2"}},
		"links removed, the next gone": {span(removeLink, 2, 4) + span(remove, 2, 5), []string{"2 missing in the chain", "5 removed: 5"}},
		"a link to another event":      {`UPDATE kb.audit_chain SET event_id = ids[8] WHERE position = 3;`, []string{"3 altered: 8", "- neither chained nor waiting: 3"}},
		"an event that waited removed": {span(remove, 8, 8), []string{"- removed before it was chained: 8"}},
		"an event that never waits":    {`DELETE FROM kb.audit_pending;`, []string{"- neither chained nor waiting: 8"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := storetest.New(t)
			db := d.Open(t, catalogue, nil)
			tenant := db.Tenant(integration.Scope{Org: "org", Origin: integration.Origin{RemoteAddr: "192.0.2.7"}})
			everyChange(t, tenant)
			if n, err := tenant.ExtendAuditChain(ctx, 100); n != 7 || err != nil {
				t.Fatalf("%d chained, %v", n, err)
			}
			if err := tenant.RecordDenied(ctx, "createProject", "FORBIDDEN"); err != nil { // the tail
				t.Fatal(err)
			}
			root := d.Connect(t, "", "")
			ids := column[string](t, root, `SELECT e.id::text FROM kb.audit_events e LEFT JOIN kb.audit_chain c ON c.event_id = e.id ORDER BY c.position NULLS LAST`)
			if test.harm != "" {
				harm := `DO $do$ DECLARE ids uuid[] := '{` + strings.Join(ids, ",") + `}'; BEGIN ` + test.harm + ` END $do$`
				if _, err := root.Exec(ctx, harm); sqlState(err) != "42501" && !strings.Contains(harm, "kb.audit_pending") {
					t.Errorf("the owner could do it without taking the triggers away: %v", err)
				}
				execute(t, root, `SET session_replication_role = replica`)
				execute(t, root, harm)
			}
			reports, err := openMigrator(t, d.URL).VerifyAudit(ctx)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(reports, func(r store.AuditReport) bool { return r.Org == "org" })
			if i < 0 {
				t.Fatalf("reports %+v", reports)
			}
			var got []string
			for _, b := range reports[i].Breaks {
				line := "- " + b.What
				if b.Position > 0 {
					line = fmt.Sprint(b.Position, " ", b.What)
				}
				if b.EventID != nil {
					line += fmt.Sprint(": ", 1+slices.Index(ids, b.EventID.String()))
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || reports[i].Broken != int64(len(got)) {
				t.Errorf("%d broken, breaks (-want +got)\n%s", reports[i].Broken, diff)
			}
			if test.harm == "" && (reports[i].Chained != 7 || reports[i].Unchained != 1 || len(reports[i].Head) != 64) {
				t.Errorf("report %+v", reports[i])
			}
		})
	}
}

// TestManyBreaksAreCounted: of more breaks than a report names, the first are named, in each organisation.
func TestManyBreaksAreCounted(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := storetest.New(t)
	db := d.Open(t, catalogue, nil)
	const events = store.AuditBreaksTold + 5
	root := d.Connect(t, "", "")
	for _, org := range []string{"org", "other"} {
		execute(t, root, `INSERT INTO kb.audit_events (id, org_id, actor, action, changes) SELECT gen_random_uuid(), $1, 'a', 'project.create', '{}' FROM generate_series(1, $2)`, org, events)
		if n, err := db.Tenant(integration.Scope{Org: org}).ExtendAuditChain(ctx, events); n != events || err != nil {
			t.Fatalf("%d chained, %v", n, err)
		}
	}
	execute(t, root, `SET session_replication_role = replica`)
	execute(t, root, `UPDATE kb.audit_events SET actor = 'nobody'`)
	reports, err := openMigrator(t, d.URL).VerifyAudit(ctx)
	if err != nil || len(reports) != 2 {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	for _, r := range reports {
		ids := column[uuid.UUID](t, root, `SELECT event_id FROM kb.audit_chain WHERE org_id = $1 ORDER BY position LIMIT $2`, r.Org, store.AuditBreaksTold)
		var got []uuid.UUID
		for _, b := range r.Breaks {
			got = append(got, *b.EventID)
		}
		if diff := cmp.Diff(ids, got); diff != "" || r.Broken != events {
			t.Errorf("%s: %d broken (-want +got)\n%s", r.Org, r.Broken, diff)
		}
	}
}

// TestChainersDoNotFork: many at once chain each event once, in one line.
func TestChainersDoNotFork(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := storetest.New(t)
	db := d.Open(t, catalogue, nil)
	tenant := db.Tenant(integration.Scope{Org: "org"})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if err := tenant.RecordDenied(ctx, "createProject", "FORBIDDEN"); err != nil {
					t.Error(err)
				}
				if _, err := tenant.ExtendAuditChain(ctx, 3); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for range 20 {
		if _, err := tenant.ExtendAuditChain(ctx, 3); err != nil {
			t.Fatal(err)
		}
	}
	reports, err := openMigrator(t, d.URL).VerifyAudit(ctx)
	if err != nil || len(reports) != 1 || reports[0].Chained != 40 || reports[0].Unchained != 0 || reports[0].Broken != 0 {
		t.Errorf("reports %+v, %v", reports, err)
	}
	if orgs, err := db.OrganisationsToChain(ctx); err != nil || len(orgs) != 0 {
		t.Errorf("%v have events to chain, %v", orgs, err)
	}
}
