package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/internal/provider/clickup/clickuptest"
	"patchbay/internal/provider/clickup/clickuptest/contract"
	"patchbay/internal/store/storetest"
)

// newClickUp serves a test's own stand-in for ClickUp, and checks what is asked of it and what it answers against ClickUp's
// contract.
func newClickUp(t testing.TB, o clickuptest.Options) *thirdParty {
	t.Helper()
	if o.RateLimit == 0 {
		o.RateLimit = 1_000_000
	}
	fake := clickuptest.New(o)
	server := httptest.NewServer(contract.Checked(t, fake))
	t.Cleanup(server.Close)
	return &thirdParty{fake, server.URL}
}

// connect makes an integration of a stand-in's first Workspace.
func (c *client) connect(t testing.TB, name string, to *thirdParty) (id string) {
	t.Helper()
	return c.create(t, map[string]any{"name": name, "provider": "clickup", "settings": to.settings()}).text(t, "createIntegration", "id")
}

const runFields = `id mode trigger status step processed total counts { type created updated unchanged deleted failed } error failures { externalId reason } waitingUntil startedAt finishedAt`

func (c *client) startSync(t testing.TB, integration string, input map[string]any) answer {
	t.Helper()
	return c.try(t, `mutation ($id: UUID!, $in: StartSyncInput) { startSync(integrationId: $id, input: $in) { `+runFields+` } }`, map[string]any{"id": integration, "in": input})
}

// syncs runs one run to its end.
func (c *client) syncs(t testing.TB, integration string, input map[string]any) answer {
	t.Helper()
	started := c.startSync(t, integration, input)
	return c.ended(t, started.text(t, "startSync", "id"))
}

func (c *client) ended(t testing.TB, run string) (a answer) {
	t.Helper()
	eventually(t, 90*time.Second, "the run to end", func() bool {
		a = c.do(t, `query ($id: UUID!) { syncRun(id: $id) { `+runFields+` } }`, map[string]any{"id": run})
		return a.get(t, "syncRun", "finishedAt") != nil
	})
	return a
}

func (c *client) wantEnd(t testing.TB, a answer, status string) {
	t.Helper()
	if got := a.text(t, "syncRun", "status"); got != status {
		t.Fatalf("the run ended with %s: %s", got, a.raw)
	}
}

// imported lists what an integration has, by type.
func (c *client) imported(t testing.TB, integration string) map[string][]string {
	t.Helper()
	ids := map[string][]string{}
	var after any
	for {
		a := c.do(t, `query ($id: UUID!, $after: String) { syncedObjects(integrationId: $id, first: 200, after: $after) { nodes { type externalId } pageInfo { endCursor hasNextPage } } }`,
			map[string]any{"id": integration, "after": after})
		for _, node := range a.get(t, "syncedObjects", "nodes").([]any) {
			n := node.(map[string]any)
			ids[n["type"].(string)] = append(ids[n["type"].(string)], n["externalId"].(string))
		}
		after = a.get(t, "syncedObjects", "pageInfo", "endCursor")
		if a.get(t, "syncedObjects", "pageInfo", "hasNextPage") == false {
			break
		}
	}
	for _, list := range ids {
		slices.Sort(list)
	}
	return ids
}

// there lists what a stand-in's first Workspace has, as imported does.
func (p *thirdParty) there(selection clickuptest.Selection) map[string][]string {
	s := p.Snapshot(p.Workspaces()[0].ID, selection)
	ids := map[string][]string{"ORGANIZATION": {s.Workspace.ID}}
	add := func(kind, id string) { ids[kind] = append(ids[kind], id) }
	for _, u := range s.Users {
		add("USER", fmt.Sprintf("user:%d", u.ID))
	}
	for _, x := range s.Spaces {
		add("PROJECT", x.ID)
	}
	for _, x := range s.Folders {
		add("COLLECTION", x.ID)
	}
	for _, x := range s.Lists {
		add("COLLECTION", x.ID)
	}
	for _, x := range s.Tasks {
		add("TASK", x.ID)
	}
	for _, x := range s.Comments {
		add("COMMENT", "comment:"+x.ID)
	}
	for _, x := range s.Docs {
		add("DOCUMENT", x.ID)
	}
	for _, x := range s.Pages {
		add("DOCUMENT", x.DocID+"/"+x.ID)
	}
	for _, list := range ids {
		slices.Sort(list)
	}
	return ids
}

// object stores an object t1 of an integration.
func (c *client) object(t testing.TB, integration string) {
	t.Helper()
	rows(t, c.db, `
		INSERT INTO kb.synced_objects (id, integration_id, org_id, project_id, type, external_id, title, listing, content_hash, change_seq)
		SELECT gen_random_uuid(), id, org_id, project_id, 'TASK', 't1', 'A task', 'tasks', sha256('t1'), 1
		FROM kb.integrations
		WHERE id = $1
		RETURNING id::text`, integration)
}

// everything is what includes all there is.
var everything = map[string]any{"includeCompleted": true, "includeArchived": true}

func with(input map[string]any, more ...any) map[string]any {
	all := maps.Clone(input)
	for i := 0; i < len(more); i += 2 {
		all[more[i].(string)] = more[i+1]
	}
	return all
}

func TestAnImport(t *testing.T) {
	t.Parallel()
	clickUp := newClickUp(t, clickuptest.Small(7))
	c := newClientAlone(t, "CLICKUP_API_URL="+clickUp.url)
	id := c.connect(t, "clickup", clickUp)

	tested := c.do(t, `mutation ($s: Map!) { testSettings(provider: "clickup", settings: $s) { ok message account workspaces { id name } } }`,
		map[string]any{"s": map[string]any{"api_token": clickUp.Token()}})
	if tested.get(t, "testSettings", "account") == nil || tested.get(t, "testSettings", "workspaces", 0, "id") == nil {
		t.Errorf("a test with the token alone: %s", tested.raw)
	}
	structure := c.do(t, `query ($id: UUID!) { externalStructure(integrationId: $id) { externalId parentExternalId kind name selectable archived itemCount } }`, map[string]any{"id": id})
	lists := map[string]string{} // an open list of each kind of place
	for _, node := range structure.get(t, "externalStructure").([]any) {
		if n := node.(map[string]any); n["archived"] == false {
			lists[n["kind"].(string)] = n["externalId"].(string)
		}
	}
	want(t, slices.Sorted(maps.Keys(lists)), []string{"folder", "list", "space", "workspace"})

	// One list first, then everything.
	run := c.syncs(t, id, with(everything, "externalIds", []string{lists["list"]}, "batchSize", 10))
	c.wantEnd(t, run, "SUCCESS")
	for _, task := range c.imported(t, id)["TASK"] {
		if found, ok := clickUp.Task(task); !ok || found.ListID != lists["list"] && !slices.Contains(found.AlsoIn, lists["list"]) {
			t.Errorf("task %s is not of the list that was selected", task)
		}
	}
	state := c.do(t, `query ($p: UUID!, $org: ID!) { syncStates(orgId: $org, projectId: $p) { status selection totalSynced workspaceName currentRun { id } lastSynced { kind externalId } } }`)
	want(t, state.get(t, "syncStates", 0, "selection"), any([]any{lists["list"]}))
	want(t, state.get(t, "syncStates", 0, "currentRun"), nil)

	run = c.syncs(t, id, with(everything, "externalIds", nil))
	c.wantEnd(t, run, "SUCCESS")
	want(t, c.imported(t, id), clickUp.there(clickuptest.Selection{}))
	if run.get(t, "syncRun", "processed") != run.get(t, "syncRun", "total") {
		t.Errorf("%s", run.raw)
	}

	// What people change, an incremental run brings; what they delete, a full one.
	random := rand.New(rand.NewPCG(7, 7))
	for range 3 {
		clickUp.Churn(random, 30)
		c.wantEnd(t, c.syncs(t, id, with(everything, "mode", "INCREMENTAL")), "SUCCESS")
		c.wantEnd(t, c.syncs(t, id, with(everything, "confirmDeletions", true)), "SUCCESS")
		want(t, c.imported(t, id), clickUp.there(clickuptest.Selection{}))
	}

	// An object with its surroundings.
	nodes := c.do(t, `query ($id: UUID!) { syncedObjects(integrationId: $id, filter: {type: TASK}, first: 200) {
		totalCount nodes { title externalId externalParentId externalUrl externalSource relationships { type target { type title relationships { type target { title } } } } } } }`, map[string]any{"id": id})
	if url := nodes.text(t, "syncedObjects", "nodes", 0, "externalUrl"); !strings.HasPrefix(url, "https://app.clickup.com/t/") {
		t.Errorf("a task is at %s", url)
	}
	belongs := nodes.get(t, "syncedObjects", "nodes", 0, "relationships").([]any)
	if len(belongs) == 0 || belongs[0].(map[string]any)["target"].(map[string]any)["relationships"] == nil {
		t.Errorf("the first task's relationships are %v", belongs)
	}
	title := nodes.text(t, "syncedObjects", "nodes", 0, "title")
	one := `query ($id: UUID!, $x: String!) { syncedObject(integrationId: $id, externalId: $x) { title relationships { target { externalId } } } }`
	at := func(externalID any) answer { return c.try(t, one, map[string]any{"id": id, "x": externalID}) }
	task := at(nodes.get(t, "syncedObjects", "nodes", 0, "externalId"))
	want(t, task.get(t, "syncedObject", "title"), nodes.get(t, "syncedObjects", "nodes", 0, "title"))
	home := at(task.get(t, "syncedObject", "relationships", 0, "target", "externalId"))
	want(t, home.get(t, "syncedObject", "title"), belongs[0].(map[string]any)["target"].(map[string]any)["title"])
	// A target's texts come where they are asked for.
	homes := c.do(t, `query ($id: UUID!) { syncedObjects(integrationId: $id, filter: {type: TASK}, first: 1) { nodes { relationships { ...to } } } }
		fragment to on Relationship { target { externalId properties } }`, map[string]any{"id": id})
	same := c.do(t, `query ($id: UUID!, $x: String!) { syncedObject(integrationId: $id, externalId: $x) { properties } }`,
		map[string]any{"id": id, "x": homes.get(t, "syncedObjects", "nodes", 0, "relationships", 0, "target", "externalId")}).get(t, "syncedObject", "properties").(map[string]any)
	want(t, homes.get(t, "syncedObjects", "nodes", 0, "relationships", 0, "target", "properties"), any(same))
	want(t, len(same) > 0, true)
	want(t, at("nowhere").Data, map[string]any{"syncedObject": nil})
	at("").wantErrors(t, "BAD_USER_INPUT externalId")

	// What is in it, or below it.
	below := c.do(t, `query ($id: UUID!, $x: String) { syncedObjects(integrationId: $id, filter: {externalParentId: $x, type: TASK}, first: 200) { nodes { externalId externalParentId } } }`,
		map[string]any{"id": id, "x": nodes.get(t, "syncedObjects", "nodes", 0, "externalParentId")}).get(t, "syncedObjects", "nodes").([]any)
	var siblings []any
	for _, o := range below {
		siblings = append(siblings, o.(map[string]any)["externalId"])
		want(t, o.(map[string]any)["externalParentId"], nodes.get(t, "syncedObjects", "nodes", 0, "externalParentId"))
	}
	want(t, slices.Contains(siblings, nodes.get(t, "syncedObjects", "nodes", 0, "externalId")), true)
	found := c.do(t, `query ($id: UUID!, $s: String!) { syncedObjects(integrationId: $id, filter: {search: $s}) { nodes { title } totalCount } }`,
		map[string]any{"id": id, "s": `"` + strings.ReplaceAll(title, `"`, "") + `"`})
	if found.get(t, "syncedObjects", "totalCount") == 0.0 {
		t.Errorf("%q is not found: %s", title, found.raw)
	}
}

// Wrong credentials end a run at once, with words for people and a reason for programs, and what was known stays.
func TestARunWithWrongCredentials(t *testing.T) {
	t.Parallel()
	clickUp := newClickUp(t, clickuptest.Small(8))
	c := newClientAlone(t, "CLICKUP_API_URL="+clickUp.url)
	id := c.connect(t, "clickup", clickUp)
	c.wantEnd(t, c.syncs(t, id, nil), "SUCCESS")
	before := c.imported(t, id)
	clickUp.Revoke(clickUp.Token())
	run := c.syncs(t, id, map[string]any{"mode": "INCREMENTAL"})
	c.wantEnd(t, run, "ERROR")
	if text := run.text(t, "syncRun", "error"); !strings.Contains(text, "auth_failed") {
		t.Errorf("the run says %q", text)
	}
	want(t, c.imported(t, id), before)
	a := c.try(t, `query ($id: UUID!) { externalStructure(integrationId: $id) { name } }`, map[string]any{"id": id})
	a.wantErrors(t, "PROVIDER_ERROR")
	if !strings.Contains(a.raw, `"reason":"auth_failed"`) || !strings.Contains(a.raw, `"provider":"clickup"`) || strings.Contains(a.raw, clickUp.Token()) {
		t.Errorf("%s", a.raw)
	}
	tested := c.do(t, `mutation ($id: UUID!) { testConnection(integrationId: $id) { ok message } }`, map[string]any{"id": id})
	want(t, tested.get(t, "testConnection", "ok"), any(false))
}

func TestWhatNoRunComesOf(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	draft := c.create(t, map[string]any{"name": "clickup"}).text(t, "createIntegration", "id")
	c.startSync(t, draft, nil).wantErrors(t, "BAD_USER_INPUT settings.api_token")
	github := c.create(t, map[string]any{"name": "github", "settings": map[string]any{"access_token": "ghp_ABCDEFGHIJKL"}}).text(t, "createIntegration", "id")
	c.startSync(t, github, nil).wantErrors(t, "BAD_USER_INPUT integrationId")
	id := c.connect(t, "clickup-2", clickUp())
	c.update(t, "clickup-2", map[string]any{"enabled": false}).wantErrors(t)
	c.startSync(t, id, nil).wantErrors(t, "BAD_USER_INPUT integrationId")
	c.update(t, "clickup-2", map[string]any{"enabled": true}).wantErrors(t)
	c.startSync(t, id, map[string]any{"batchSize": 9, "externalIds": []string{}}).wantErrors(t, "BAD_USER_INPUT batchSize", "BAD_USER_INPUT externalIds")
	c.startSync(t, id, map[string]any{"externalIds": []string{"1", ""}}).wantErrors(t, "BAD_USER_INPUT externalIds.1")
	c.try(t, `mutation ($id: UUID!) { setSyncSchedule(integrationId: $id, schedule: {cron: "soon"}) { id } }`, map[string]any{"id": id}).wantErrors(t, "BAD_USER_INPUT schedule.cron")
	c.try(t, `query ($id: UUID!) { syncedObjects(integrationId: $id, after: "x") { totalCount } }`, map[string]any{"id": id}).wantErrors(t, "BAD_USER_INPUT after")
}

// Two servers, one database: of two starts at the same moment one wins, and who watches at the other server sees all of it.
func TestTwoServersSynchronise(t *testing.T) {
	t.Parallel()
	clickUp := newClickUp(t, clickuptest.Small(9))
	c := newClientAlone(t, "CLICKUP_API_URL="+clickUp.url)
	other := *c
	other.server = startServer(t, c.db, "CLICKUP_API_URL="+clickUp.url)
	id := c.connect(t, "clickup", clickUp)
	release := make(chan struct{})
	held := clickUp.Fail(clickuptest.Fault{Route: "GET /api/v2/team", Until: release})
	answers := make([]answer, 2)
	var both sync.WaitGroup
	for i, at := range []*client{c, &other} {
		both.Go(func() { answers[i] = at.startSync(t, id, nil) })
	}
	both.Wait()
	won := slices.IndexFunc(answers, func(a answer) bool { return len(a.codes()) == 0 })
	if won < 0 {
		t.Fatalf("%s\n%s", answers[0].raw, answers[1].raw)
	}
	answers[1-won].wantErrors(t, "CONFLICT")
	run := answers[won].text(t, "startSync", "id")
	watching := []*server{c.server, other.server}[1-won].open(t, c.key, `subscription ($id: UUID!) { syncRunProgress(runId: $id) { status processed finishedAt } }`, map[string]any{"id": run})
	watching.next(t)
	held.Lift()
	close(release)
	var last answer
	seen := 0
	for ended := false; !ended; seen++ {
		last = watching.next(t)
		ended = last.get(t, "syncRunProgress", "finishedAt") != nil
	}
	want(t, last.text(t, "syncRunProgress", "status"), "SUCCESS")
	if seen < 2 {
		t.Errorf("%d changes were seen", seen)
	}
	watching.wantEnd(t, "complete")
}

// A token's limit holds for all integrations and processes that use it.
func TestTheLimitOfATokenHolds(t *testing.T) {
	t.Parallel()
	clickUp := newClickUp(t, clickuptest.Options{
		Seed: 10, Workspaces: 1, Members: 2, Spaces: 1, Lists: 1, Folders: 1, FolderlessLists: 1, TasksPerList: 30, CommentsPerTask: 1, RateLimit: 20, Window: 2 * time.Second,
	})
	c := newClientAlone(t, "CLICKUP_API_URL="+clickUp.url)
	startServer(t, c.db, "CLICKUP_API_URL="+clickUp.url)
	var runs []string
	for _, name := range []string{"one", "two"} {
		runs = append(runs, c.startSync(t, c.connect(t, name, clickUp), everything).text(t, "startSync", "id"))
	}
	for _, run := range runs {
		c.wantEnd(t, c.ended(t, run), "SUCCESS")
	}
	want(t, clickUp.BeyondLimit(), 0)
}

// A server that is killed again and again imports what one that is left alone does, row for row.
func TestAnImportOutlivesItsServers(t *testing.T) {
	t.Parallel()
	const kills = 10
	clickUp := newClickUp(t, clickuptest.Options{
		Seed: 11, Workspaces: 1, Members: 3, Spaces: 2, Folders: 1, Lists: 2, FolderlessLists: 1, TasksPerList: 60, CommentsPerTask: 1, Docs: 3, PagesPerDoc: 3,
	})
	path := program(t)
	left := importWith(t, clickUp, nil)
	disturbed := importWith(t, clickUp, func(db *storetest.Database, running func() bool) {
		slow := clickUp.Fail(clickuptest.Fault{Delay: 150 * time.Millisecond}) // or it would end before
		env := []string{"DATABASE_URL=" + db.URL, "INTEGRATION_ENCRYPTION_KEY=" + testKey, "CLICKUP_API_URL=" + clickUp.url, "PATCHBAY_ADDR=127.0.0.1:0"}
		random := rand.New(rand.NewPCG(11, uint64(time.Now().UnixNano())))
		for killed := range kills {
			before := rows(t, db, `SELECT fence || ' ' || processed FROM kb.sync_runs`)
			victim, _ := process(t, path, env, []string{"work", "serve"}[killed%2])
			eventually(t, 25*time.Second, "the run to be taken up", func() bool { // within 20 s of a kill, and the start of a process
				return !slices.Equal(rows(t, db, `SELECT fence || ' ' || processed FROM kb.sync_runs`), before)
			})
			time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond) // a moment of the import, not of the test
			if !running() {
				t.Fatalf("the run ended after %d kills", killed)
			}
			if err := victim.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = victim.Wait()
			if killed > 0 { // the first time, that its lease runs out is waited for
				rows(t, db, `UPDATE kb.sync_runs SET heartbeat_at = heartbeat_at - interval '1 minute' RETURNING ''`)
			}
		}
		slow.Lift()
		process(t, path, env, "work")
	})
	if len(left) < 300 {
		t.Fatalf("only %d rows were imported", len(left))
	}
	want(t, disturbed, left)
}

// importWith imports everything into a database of its own, and returns what is stored. disturb, where it is given, has to see to
// it that somebody works.
func importWith(t *testing.T, clickUp *thirdParty, disturb func(*storetest.Database, func() bool)) []string {
	t.Helper()
	db := storetest.New(t)
	s := startServer(t, db, "CLICKUP_API_URL="+clickUp.url)
	c := &client{server: s, db: db, org: "acme", key: s.key(t, "acme", "admin")}
	c.project = s.project(t, c.key, c.org)
	id := c.connect(t, "clickup", clickUp)
	if disturb != nil {
		clickUp.SetRateLimit(1, time.Second) // the server is to end before it gets anywhere
		run := c.startSync(t, id, everything).text(t, "startSync", "id")
		if err := s.end(); err != nil {
			t.Fatal(err)
		}
		clickUp.SetRateLimit(1_000_000, time.Minute)
		running := func() bool {
			return rows(t, db, `SELECT (finished_at IS NULL)::text FROM kb.sync_runs WHERE id = $1`, run)[0] == "true"
		}
		disturb(db, running)
		eventually(t, 90*time.Second, "the run to end", func() bool { return !running() })
		if ended := rows(t, db, `SELECT concat_ws(' ', status, error) FROM kb.sync_runs WHERE id = $1`, run)[0]; ended != "SUCCESS" {
			t.Fatalf("the run ended with %s", ended)
		}
	} else {
		c.wantEnd(t, c.syncs(t, id, everything), "SUCCESS")
	}
	return rows(t, db, `
		SELECT concat_ws(' | ', type, external_id, title, md5(content), properties, external_url, external_parent_id, external_updated_at, completed, archived, listing, deleted_at IS NULL, encode(content_hash, 'hex'))
		FROM kb.synced_objects
		UNION ALL
		SELECT concat_ws(' | ', source_id, type, target_id, stated_by)
		FROM kb.synced_relationships
		ORDER BY 1`)
}

// A server that is killed while it marks what is gone leaves the rest to another one: the same is marked, once, in the same order.
func TestMarkingOutlivesItsServer(t *testing.T) {
	t.Parallel()
	clickUp := newClickUp(t, clickuptest.Options{Seed: 12, Workspaces: 1, Members: 2, Spaces: 1, Folders: 1, Lists: 1, FolderlessLists: 1, TasksPerList: 5, CommentsPerTask: 1})
	path := program(t)
	var dbs []*storetest.Database
	var servers []*server
	var clients []*client
	var ids []string
	for range 2 {
		db := storetest.New(t)
		s := startServer(t, db, "CLICKUP_API_URL="+clickUp.url)
		c := &client{server: s, db: db, org: "acme", key: s.key(t, "acme", "admin")}
		c.project = s.project(t, c.key, c.org)
		id := c.connect(t, "clickup", clickUp)
		c.wantEnd(t, c.syncs(t, id, everything), "SUCCESS")
		rows(t, db, `
			INSERT INTO kb.synced_objects (id, integration_id, org_id, project_id, type, external_id, title, external_parent_id, listing, content_hash, change_seq)
			SELECT gen_random_uuid(), i.id, i.org_id, i.project_id, 'COMMENT', 'c' || lpad(n::text, 5, '0'), 'Comment',
				(SELECT min(external_id) FROM kb.synced_objects WHERE type = 'TASK'), 'comments', sha256('c'), 100000 + n
			FROM kb.integrations i, generate_series(1, 12000) n`)
		rows(t, db, `UPDATE kb.sync_states SET change_seq = 200000, total_synced = total_synced + 12000`)
		dbs, servers, clients, ids = append(dbs, db), append(servers, s), append(clients, c), append(ids, id)
	}
	clickUp.DeleteTask(rows(t, dbs[0], `SELECT min(external_id) FROM kb.synced_objects WHERE type = 'TASK'`)[0])
	stored := func(db *storetest.Database) []string {
		return rows(t, db, `
			SELECT concat_ws(' | ', external_id, CASE WHEN deleted_at IS NOT NULL THEN change_seq END, (SELECT total_synced FROM kb.sync_states))
			FROM kb.synced_objects
			UNION ALL
			SELECT concat_ws(' ', type, deleted) FROM kb.sync_run_counts WHERE deleted > 0
			ORDER BY 1`)
	}
	in := with(everything, "confirmDeletions", true)
	clients[0].wantEnd(t, clients[0].syncs(t, ids[0], in), "SUCCESS")
	left := stored(dbs[0])

	db := dbs[1]
	rows(t, db, `CREATE FUNCTION kb.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$`)
	rows(t, db, `CREATE TRIGGER slow AFTER UPDATE ON kb.synced_objects FOR EACH ROW WHEN (NEW.deleted_at IS NOT NULL AND NEW.external_id LIKE '%000') EXECUTE FUNCTION kb.slow()`)
	clickUp.SetRateLimit(1, time.Second) // the server is to end before it gets anywhere
	clients[1].startSync(t, ids[1], in).text(t, "startSync", "id")
	if err := servers[1].end(); err != nil {
		t.Fatal(err)
	}
	clickUp.SetRateLimit(1_000_000, time.Minute)
	env := []string{"DATABASE_URL=" + db.URL, "INTEGRATION_ENCRYPTION_KEY=" + testKey, "CLICKUP_API_URL=" + clickUp.url, "PATCHBAY_ADDR=127.0.0.1:0"}
	victim, _ := process(t, path, env, "work")
	const marked = `SELECT count(*)::text FROM kb.synced_objects WHERE deleted_at IS NOT NULL`
	eventually(t, 40*time.Second, "some to be marked", func() bool { return rows(t, db, marked)[0] != "0" })
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait()
	if n := rows(t, db, marked)[0]; n != "5000" && n != "10000" { // those of whole steps
		t.Fatalf("%s are marked", n)
	}
	rows(t, db, `UPDATE kb.sync_runs SET heartbeat_at = heartbeat_at - interval '1 minute'`)
	process(t, path, env, "work")
	eventually(t, 60*time.Second, "the run to end", func() bool {
		return rows(t, db, `SELECT count(*)::text FROM kb.sync_runs WHERE finished_at IS NULL`)[0] == "0"
	})
	want(t, stored(db), left)
}

// A change of settings is tried with what is stored, and nothing of it is saved.
func TestAChangeIsTriedBeforeItIsSaved(t *testing.T) {
	t.Parallel()
	clickUp := newClickUp(t, clickuptest.Small(9))
	c := newClientAlone(t, "CLICKUP_API_URL="+clickUp.url)
	draft := c.create(t, map[string]any{"name": "clickup", "settings": map[string]any{"api_token": clickUp.Token()}}).text(t, "createIntegration", "id")
	try := func(id string, settings map[string]any) answer {
		return c.try(t, `mutation ($id: UUID!, $s: Map) { testConnection(integrationId: $id, settings: $s) { ok message workspaces { id } } }`, map[string]any{"id": id, "s": settings})
	}
	try(draft, nil).wantErrors(t, "BAD_USER_INPUT settings.workspace_id")
	listed := try(draft, map[string]any{})
	want(t, listed.get(t, "testConnection", "ok"), any(true))
	want(t, listed.get(t, "testConnection", "workspaces", 0, "id"), any(clickUp.Workspaces()[0].ID))

	want(t, try(draft, map[string]any{"workspace_id": "1"}).get(t, "testConnection", "ok"), any(false))
	want(t, try(draft, map[string]any{"api_token": token, "workspace_id": clickUp.Workspaces()[0].ID}).get(t, "testConnection", "ok"), any(false))
	try(draft, map[string]any{"api_token": nil}).wantErrors(t, "BAD_USER_INPUT settings.api_token")
	try(draft, map[string]any{"batch_size": 1}).wantErrors(t, "BAD_USER_INPUT settings.batch_size")
	now := c.do(t, `query ($id: UUID!) { integrationById(id: $id) { revision settings configuredSecrets } }`, map[string]any{"id": draft})
	want(t, now.get(t, "integrationById"), any(map[string]any{"revision": 1.0, "settings": map[string]any{}, "configuredSecrets": []any{"api_token"}}))

	// A stored secret is sent nowhere else, not even for a test.
	jira := c.create(t, map[string]any{"name": "jira", "settings": map[string]any{"site_url": "https://acme.atlassian.net", "api_token": token}}).text(t, "createIntegration", "id")
	try(jira, map[string]any{"site_url": "https://elsewhere.example.com"}).wantErrors(t, "BAD_USER_INPUT settings.site_url")
}
