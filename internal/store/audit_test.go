package store_test

import (
	"context"
	"fmt"
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

func TestChainShowsWhatWasChanged(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	at := func(position int64) *int64 { return &position }
	for name, test := range map[string]struct {
		harm   string
		broken *int64
	}{
		"nothing":                     {``, nil},
		"an altered event":            {`UPDATE kb.audit_events SET actor = 'nobody' WHERE id = (SELECT event_id FROM kb.audit_chain WHERE position = 3)`, at(3)},
		"a moved time":                {`UPDATE kb.audit_events SET at = at + interval '1 microsecond' WHERE id = (SELECT event_id FROM kb.audit_chain WHERE position = 2)`, at(2)},
		"a removed event":             {`DELETE FROM kb.audit_events WHERE id = (SELECT event_id FROM kb.audit_chain WHERE position = 4)`, at(4)},
		"a removed entry":             {`DELETE FROM kb.audit_chain WHERE position = 2`, at(3)},
		"a removed event and entry":   {`WITH c AS (DELETE FROM kb.audit_chain WHERE position = 1 RETURNING event_id) DELETE FROM kb.audit_events WHERE id IN (SELECT event_id FROM c)`, at(2)},
		"an event given to another":   {`UPDATE kb.audit_events SET org_id = 'x' WHERE id = (SELECT event_id FROM kb.audit_chain WHERE position = 5)`, at(5)},
		"a changed hash":              {`UPDATE kb.audit_chain SET hash = sha256('x') WHERE position = 6`, at(6)},
		"a secret left in changes":    {`UPDATE kb.audit_events SET changes = '{}' WHERE id = (SELECT event_id FROM kb.audit_chain WHERE position = 7)`, at(7)},
		"a value moved into the next": {`UPDATE kb.audit_events SET request_id = remote_addr, remote_addr = NULL WHERE id = (SELECT event_id FROM kb.audit_chain WHERE position = 1)`, at(1)},
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
			if test.harm != "" {
				if _, err := root.Exec(ctx, test.harm); sqlState(err) != "42501" {
					t.Errorf("the owner could do it without taking the triggers away: %v", err)
				}
				execute(t, root, `SET session_replication_role = replica`)
				execute(t, root, test.harm)
			}
			reports, err := openMigrator(t, d.URL).VerifyAudit(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var got *store.AuditReport
			for _, r := range reports {
				if r.Org == "org" {
					got = &r
				}
			}
			if got == nil || !cmp.Equal(got.Broken, test.broken) {
				t.Errorf("reports %+v, want broken at %v", reports, test.broken)
			}
			if test.harm == "" && (got.Chained != 7 || got.Unchained != 1 || len(got.Head) != 64) {
				t.Errorf("report %+v", *got)
			}
		})
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
	if err != nil || len(reports) != 1 || reports[0].Chained != 40 || reports[0].Unchained != 0 || reports[0].Broken != nil {
		t.Errorf("reports %+v, %v", reports, err)
	}
	if orgs, err := db.OrganisationsToChain(ctx); err != nil || len(orgs) != 0 {
		t.Errorf("%v have events to chain, %v", orgs, err)
	}
}
