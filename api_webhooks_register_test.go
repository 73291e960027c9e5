package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"patchbay/internal/provider/clickup/clickuptest"
)

const registerWebhook = `mutation ($id: UUID!) { registerWebhook(integrationId: $id) { revision webhook { url hasSecret registered lastDeliveryAt } } }`

// hook is a webhook as a stand-in for ClickUp shows it.
type hook struct {
	ID, Endpoint, Secret string
	Health               struct{ Status string }
	Events               []string
}

// call asks the stand-in as another program with the same token would.
func (p *thirdParty) call(t testing.TB, method, path, body string, into any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+"/api/v2"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", p.Token())
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err == nil && into != nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s, %v", method, path, answer.StatusCode, raw, err)
	}
}

// hooks are those that lead to a URL.
func (p *thirdParty) hooks(t testing.TB, url string) (list []hook) {
	t.Helper()
	return p.hooksIn(t, p.Workspaces()[0].ID, url)
}

func (p *thirdParty) hooksIn(t testing.TB, workspace, url string) (list []hook) {
	t.Helper()
	var answer struct{ Webhooks []hook }
	p.call(t, http.MethodGet, "/team/"+workspace+"/webhook", "", &answer)
	for _, h := range answer.Webhooks {
		if h.Endpoint == url {
			list = append(list, h)
		}
	}
	return list
}

// hook is the only one that leads to a URL.
func (p *thirdParty) hook(t testing.TB, url string) hook {
	t.Helper()
	list := p.hooks(t, url)
	if len(list) != 1 {
		t.Fatalf("%d webhooks lead to %s", len(list), url)
	}
	return list[0]
}

func (p *thirdParty) removeHook(t testing.TB, id string) {
	t.Helper()
	p.call(t, http.MethodDelete, "/webhook/"+id, "", nil)
}

// registered sets an integration's webhook up, and returns where it leads.
func (c *client) registered(t testing.TB, id string) (url string) {
	t.Helper()
	a := c.do(t, registerWebhook, map[string]any{"id": id})
	url = c.server.URL + "/webhooks/clickup/" + id
	webhook := a.get(t, "registerWebhook", "webhook").(map[string]any)
	delete(webhook, "lastDeliveryAt") // noted some seconds after a delivery
	want(t, webhook, map[string]any{"url": url, "hasSecret": true, "registered": true})
	return url
}

// isRegistered tells what the API says of an integration's webhook.
func (c *client) isRegistered(t testing.TB, id string) bool {
	t.Helper()
	return c.do(t, `query ($id: UUID!) { integrationById(id: $id) { webhook { registered } } }`, map[string]any{"id": id}).get(t, "integrationById", "webhook", "registered").(bool)
}

func TestAWebhookIsRegisteredAndRepaired(t *testing.T) {
	t.Parallel()
	to := newClickUp(t, clickuptest.Small(70))
	c := newClientAlone(t, "CLICKUP_API_URL="+to.url)
	id := c.connect(t, "clickup", to)
	list := c.do(t, `query($org: ID!, $p: UUID!) { integrations(orgId: $org, projectId: $p) { nodes { webhook { hasSecret registered } } } }`)
	want(t, list.get(t, "integrations", "nodes"), any([]any{map[string]any{"webhook": map[string]any{"hasSecret": true, "registered": false}}}))
	url := c.registered(t, id)
	first := to.hook(t, url)
	want(t, c.openedColumn(t, "clickup", "webhook_secret"), first.Secret)
	if len(first.Events) != 22 || first.Health.Status != "active" {
		t.Errorf("it is %+v", first)
	}

	revision := c.do(t, registerWebhook, map[string]any{"id": id}).get(t, "registerWebhook", "revision")
	want(t, to.hook(t, url).ID, first.ID)
	want(t, c.do(t, registerWebhook, map[string]any{"id": id}).get(t, "registerWebhook", "revision"), revision) // nothing to repair, nothing changes

	c.update(t, "clickup", map[string]any{"webhookSecret": "given-by-mistake"}).wantErrors(t)
	c.registered(t, id)
	want(t, to.hook(t, url).ID, first.ID)
	want(t, c.openedColumn(t, "clickup", "webhook_secret"), first.Secret)

	to.removeHook(t, first.ID)
	c.registered(t, id)
	second := to.hook(t, url)
	if second.ID == first.ID {
		t.Error("it was not made anew")
	}
	c.wantWebhookSecrets(t, "clickup", second.Secret, first.Secret)

	to.removeHook(t, second.ID) // and somebody makes one by hand, whose secret is not here
	to.call(t, http.MethodPost, "/team/"+to.Workspaces()[0].ID+"/webhook", `{"endpoint":"`+url+`","events":["taskCreated"]}`, nil)
	strange := to.hook(t, url)
	c.registered(t, id)
	third := to.hook(t, url)
	if third.ID == strange.ID {
		t.Error("the one of unknown secret is still there")
	}
	c.wantWebhookSecrets(t, "clickup", third.Secret, second.Secret)

	trail := c.trail(t, `, filter: {action: "webhook.register", integrationId: "`+id+`"}`)
	if len(trail) != 6 || !strings.HasSuffix(trail[0], "webhook.register map[hook:"+third.ID+" url:"+url+"]") {
		t.Errorf("the trail tells %q", trail)
	}
	for _, h := range []hook{first, second, third} {
		if strings.Contains(c.log.String()+strings.Join(trail, " "), h.Secret) {
			t.Error("a secret is in the log or in the trail")
		}
	}
}

func TestWhatCannotBeRegistered(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	register := func(input map[string]any) answer {
		return c.try(t, registerWebhook, map[string]any{"id": c.create(t, input).text(t, "createIntegration", "id")})
	}
	register(map[string]any{"name": "github"}).wantErrors(t, "BAD_USER_INPUT integrationId")
	register(map[string]any{"name": "draft", "provider": "clickup"}).wantErrors(t, "BAD_USER_INPUT settings.api_token")
	register(map[string]any{"name": "bad-token", "provider": "clickup", "settings": map[string]any{"api_token": "pk_1_NONE", "workspace_id": "9001"}}).wantErrors(t, "PROVIDER_ERROR")
	a := c.do(t, `query($org: ID!, $p: UUID!) { integration(orgId: $org, projectId: $p, name: "github") { webhook { url } } }`)
	if a.get(t, "integration", "webhook") != nil {
		t.Error("a provider without webhooks has one")
	}
}

func TestAWebhookWhoseSecretCannotBeStoredIsRemovedAgain(t *testing.T) {
	t.Parallel()
	to := newClickUp(t, clickuptest.Small(71))
	c := newClientAlone(t, "CLICKUP_API_URL="+to.url)
	id := c.connect(t, "clickup", to)
	secret := c.openedColumn(t, "clickup", "webhook_secret")
	rows(t, c.db, `ALTER TABLE kb.webhooks ADD CONSTRAINT full_disk CHECK (hook_id IS NULL)`)
	c.try(t, registerWebhook, map[string]any{"id": id}).wantErrors(t, "INTERNAL")
	if list := to.hooks(t, c.server.URL+"/webhooks/clickup/"+id); len(list) != 0 {
		t.Errorf("there is %+v", list)
	}
	c.wantWebhookSecrets(t, "clickup", secret, "")
	rows(t, c.db, `ALTER TABLE kb.webhooks DROP CONSTRAINT full_disk`)
	c.registered(t, id) // nothing is left that would be in its way
}

func TestRotatingTheSecretThatTheProviderIssues(t *testing.T) {
	t.Parallel()
	to := newClickUp(t, clickuptest.Small(72))
	c := newClientAlone(t, "CLICKUP_API_URL="+to.url)
	id := c.connect(t, "clickup", to)
	c.try(t, rotateWebhookSecret, map[string]any{"id": id}).wantErrors(t, "BAD_USER_INPUT integrationId") // ClickUp takes none of ours
	url := c.registered(t, id)
	before := to.hook(t, url)
	a := c.do(t, rotateWebhookSecret, map[string]any{"id": id})
	after := to.hook(t, url)
	if after.ID == before.ID || after.Secret == before.Secret {
		t.Error("it is the same webhook")
	}
	want(t, []string{a.text(t, "rotateWebhookSecret", "url"), a.text(t, "rotateWebhookSecret", "secret")}, []string{url, after.Secret})
	if until, err := time.Parse(time.RFC3339, a.text(t, "rotateWebhookSecret", "previousValidUntil")); err != nil || time.Until(until) < 23*time.Hour {
		t.Errorf("the one before counts until %s, %v", until, err)
	}
	c.wantWebhookSecrets(t, "clickup", after.Secret, before.Secret)
}

func TestDeletingAnIntegrationRemovesItsWebhook(t *testing.T) {
	t.Parallel()
	to := newClickUp(t, clickuptest.Small(73))
	down := make(chan struct{})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-down:
			w.WriteHeader(http.StatusForbidden)
		default:
			to.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(proxy.Close)
	c := newClientAlone(t, "CLICKUP_API_URL="+proxy.URL)
	const remove = `mutation ($org: ID!, $p: UUID!, $n: String!) { deleteIntegration(orgId: $org, projectId: $p, name: $n) }`
	url := c.registered(t, c.connect(t, "clickup", to))
	to.hook(t, url)
	c.do(t, remove, map[string]any{"n": "clickup"})
	if list := to.hooks(t, url); len(list) != 0 {
		t.Errorf("there is %+v", list)
	}

	// That the provider refuses keeps nobody from deleting.
	url = c.registered(t, c.connect(t, "another", to))
	left := to.hook(t, url)
	close(down)
	c.do(t, remove, map[string]any{"n": "another"})
	want(t, to.hook(t, url).ID, left.ID)
	if log := c.log.String(); !strings.Contains(log, "a webhook stays at the third party") || !strings.Contains(log, left.ID) {
		t.Error("the log does not tell which webhook stays")
	}
}

// Where the token's limit is used up, as by an import, a webhook is removed, and looked at, once that is over.
func TestWebhooksWaitForTheLimit(t *testing.T) {
	t.Parallel()
	to := newClickUp(t, clickuptest.Small(79))
	var refuses atomic.Value // a method
	refuses.Store("")
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/webhook") && refuses.CompareAndSwap(r.Method, "") {
			w.Header().Set("Retry-After", "5")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		to.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	c := newClientAlone(t, "CLICKUP_API_URL="+proxy.URL)
	id := c.connect(t, "clickup", to)
	url := c.registered(t, id)
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	t.Cleanup(gone.Close)
	to.CreateTask(to.Lists(to.Workspaces()[0].ID)[0].ID, clickuptest.Task{Name: "While nobody listened"})
	for _, d := range to.Deliveries() {
		d.Endpoint = gone.URL
		if _, err := to.Deliver(t.Context(), gone.Client(), d); err != nil {
			t.Fatal(err)
		}
	}
	want(t, to.hook(t, url).Health.Status, "suspended")
	refuses.Store(http.MethodGet)
	rows(t, c.db, `UPDATE kb.webhooks SET check_at = now()`)
	eventually(t, 60*time.Second, "the webhook to be active", func() bool { return to.hook(t, url).Health.Status == "active" })
	want(t, refuses.Load(), any(""))

	refuses.Store(http.MethodDelete)
	c.do(t, `mutation ($org: ID!, $p: UUID!) { deleteIntegration(orgId: $org, projectId: $p, name: "clickup") }`)
	to.hook(t, url)
	eventually(t, 60*time.Second, "the webhook to be removed", func() bool { return len(to.hooks(t, url)) == 0 })
	if strings.Contains(c.log.String(), "a webhook stays at the third party") {
		t.Error("the log tells that it stays")
	}
}

// A server that ends waits a little for what it removes, and tells what stays.
func TestAWebhookThatIsStillToBeRemovedAsTheServerEnds(t *testing.T) {
	t.Parallel()
	to := newClickUp(t, clickuptest.Small(80))
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		to.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	c := newClientAlone(t, "CLICKUP_API_URL="+proxy.URL)
	id := c.connect(t, "clickup", to)
	hook := to.hook(t, c.registered(t, id))
	c.do(t, `mutation ($org: ID!, $p: UUID!) { deleteIntegration(orgId: $org, projectId: $p, name: "clickup") }`)
	if err := c.server.end(); err != nil {
		t.Error(err)
	}
	if log := c.log.String(); !strings.Contains(log, "a webhook stays at the third party") || !strings.Contains(log, hook.ID) || !strings.Contains(log, id) {
		t.Error("the log does not tell which webhook stays, and whose it was")
	}
}

func TestASuspendedWebhookIsWokenAndARunCatchesUp(t *testing.T) {
	t.Parallel()
	to := newClickUp(t, clickuptest.Small(74))
	c := newClientAlone(t, "CLICKUP_API_URL="+to.url)
	id := c.connect(t, "clickup", to)
	c.wantEnd(t, c.syncs(t, id, nil), "SUCCESS")
	url := c.registered(t, id)
	to.Deliveries()

	// The server cannot be reached, and one that answers for it says that all is over.
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	t.Cleanup(gone.Close)
	list := to.Snapshot(to.Workspaces()[0].ID, clickuptest.Selection{}).Lists[0].ID
	lost := to.CreateTask(list, clickuptest.Task{Name: "While nobody listened"})
	deleted := c.imported(t, id)["TASK"][0]
	to.DeleteTask(deleted)
	for _, d := range to.Deliveries() {
		d.Endpoint = gone.URL
		if status, err := to.Deliver(t.Context(), gone.Client(), d); status != http.StatusGone || err != nil {
			t.Fatal(status, err)
		}
	}
	want(t, to.hook(t, url).Health.Status, "suspended")
	rows(t, c.db, `UPDATE kb.webhooks SET check_at = now(), catch_up_at = NULL`)
	eventually(t, 60*time.Second, "the webhook to be active", func() bool { return to.hook(t, url).Health.Status == "active" })
	eventually(t, 60*time.Second, "the run that catches up", func() bool {
		a := c.do(t, `query ($id: UUID!) { syncRuns(integrationId: $id, first: 1) { nodes { trigger mode status } } }`, map[string]any{"id": id})
		got, _ := a.get(t, "syncRuns", "nodes", 0).(map[string]any)
		return got["trigger"] == "WEBHOOK" && got["mode"] == "FULL" && got["status"] == "SUCCESS"
	})
	tasks := c.imported(t, id)["TASK"]
	if !slices.Contains(tasks, lost.ID) || slices.Contains(tasks, deleted) {
		t.Error("what was not told was not found")
	}
	if !c.isRegistered(t, id) {
		t.Error("it is not registered any more")
	}

	to.removeHook(t, to.hook(t, url).ID)
	rows(t, c.db, `UPDATE kb.webhooks SET check_at = now(), last_delivery_at = NULL`)
	eventually(t, 60*time.Second, "the webhook to be found gone", func() bool { return !c.isRegistered(t, id) })
	if !strings.Contains(c.log.String(), "a webhook is gone at the third party") {
		t.Error("the log does not tell")
	}
}

func TestManyWhoRegisterAtOnceLeaveOneWebhook(t *testing.T) {
	t.Parallel()
	to := newClickUp(t, clickuptest.Small(75))
	c := newClientAlone(t, "CLICKUP_API_URL="+to.url)
	id := c.connect(t, "clickup", to)
	answers := make(chan answer)
	const many = 8
	for range many {
		go func() { answers <- c.server.ask(t, c.key, registerWebhook, map[string]any{"id": id}) }()
	}
	worked := 0
	for range many {
		switch a := <-answers; {
		case len(a.Errors) == 0:
			worked++
		case a.codes()[0] != "CONFLICT":
			t.Errorf("it answered %s", a.raw)
		}
	}
	if worked == 0 {
		t.Error("nobody registered it")
	}
	url := c.server.URL + "/webhooks/clickup/" + id
	want(t, c.openedColumn(t, "clickup", "webhook_secret"), to.hook(t, url).Secret)
	want(t, rows(t, c.db, `SELECT hook_id FROM kb.webhooks`), []string{to.hook(t, url).ID})
}

// A webhook goes before another one can be made. Where that fails, or the server is killed in between, it is made later.
func TestAWebhookThatCannotBeReplacedIsMadeLater(t *testing.T) {
	t.Parallel()
	to := newClickUp(t, clickuptest.Small(76))
	var refuses atomic.Bool
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuses.Load() && r.Method == http.MethodPost {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		to.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	c := newClientAlone(t, "CLICKUP_API_URL="+proxy.URL)
	id := c.connect(t, "clickup", to)
	url := c.registered(t, id)
	secret := to.hook(t, url).Secret
	refuses.Store(true)
	a := c.try(t, rotateWebhookSecret, map[string]any{"id": id})
	a.wantErrors(t, "PROVIDER_ERROR")
	if !strings.Contains(a.raw, "the webhook from before is removed, and this server goes on trying to make a new one") {
		t.Errorf("it says %s", a.raw)
	}
	if c.isRegistered(t, id) || len(to.hooks(t, url)) != 0 {
		t.Error("it is still registered")
	}
	want(t, c.openedColumn(t, "clickup", "webhook_secret"), secret) // of what is on its way
	refuses.Store(false)
	want(t, rows(t, c.db, `SELECT (check_at BETWEEN now() AND now() + interval '1 minute')::text FROM kb.webhooks`), []string{"true"})
	rows(t, c.db, `UPDATE kb.webhooks SET check_at = now(), last_delivery_at = now()`)
	eventually(t, 60*time.Second, "the webhook to be made", func() bool { return c.isRegistered(t, id) })
	made := to.hook(t, url)
	c.wantWebhookSecrets(t, "clickup", made.Secret, secret)
	want(t, rows(t, c.db, `SELECT (catch_up_at IS NOT NULL AND catch_up_full)::text FROM kb.webhooks`), []string{"true"})

	// Whoever asks before that is served.
	refuses.Store(true)
	c.try(t, rotateWebhookSecret, map[string]any{"id": id}).wantErrors(t, "PROVIDER_ERROR")
	refuses.Store(false)
	c.do(t, rotateWebhookSecret, map[string]any{"id": id})
	c.wantWebhookSecrets(t, "clickup", to.hook(t, url).Secret, made.Secret)
}

// A webhook that was made for the earlier module leads to the address that all integrations have in common. Once its integration was taken
// over, it is found by its secret, and what it delivers is worked on.
func TestAWebhookOfTheEarlierModuleIsTakenUp(t *testing.T) {
	t.Parallel()
	to := newClickUp(t, clickuptest.Small(77))
	c := newClientAlone(t, "CLICKUP_API_URL="+to.url)
	common := c.server.URL + "/webhooks/clickup"
	var made struct{ Webhook hook }
	to.call(t, http.MethodPost, "/team/"+to.Workspaces()[0].ID+"/webhook", `{"endpoint":"`+common+`","events":["taskCreated"]}`, &made)
	list := to.Lists(to.Workspaces()[0].ID)[0].ID
	deliver := func(name string) (task string, status int) {
		t.Helper()
		task = to.CreateTask(list, clickuptest.Task{Name: name}).ID
		for _, d := range to.Deliveries() {
			var err error
			if status, err = to.Deliver(t.Context(), http.DefaultClient, d); err != nil {
				t.Fatal(err)
			}
		}
		return task, status
	}
	id := c.create(t, map[string]any{"name": "clickup", "provider": "clickup", "settings": to.settings(), "webhookSecret": made.Webhook.Secret}).text(t, "createIntegration", "id")
	other := c.create(t, map[string]any{"name": "clickup-2", "provider": "clickup", "settings": to.settings()}).text(t, "createIntegration", "id")
	_, status := deliver("Before it is known whose it is")
	want(t, status, http.StatusBadRequest)

	rows(t, c.db, `INSERT INTO kb.webhooks (integration_id, org_id, project_id, check_at) SELECT id, org_id, project_id, now() FROM kb.integrations`) // as adopt does
	eventually(t, 60*time.Second, "both to be looked at", func() bool {
		return rows(t, c.db, `SELECT count(*)::text FROM kb.webhooks WHERE check_at IS NULL`)[0] == "1" && c.isRegistered(t, id)
	})
	want(t, c.isRegistered(t, other), false)
	want(t, rows(t, c.db, `SELECT hook_id FROM kb.webhooks WHERE hook_id IS NOT NULL`), []string{made.Webhook.ID})
	want(t, len(to.hook(t, common).Events), 22)
	want(t, rows(t, c.db, `SELECT (catch_up_at IS NOT NULL)::text FROM kb.webhooks WHERE hook_id IS NOT NULL`), []string{"true"})
	heard := c.open(t, `subscription($org: ID!, $p: UUID!) { integrationChanged(orgId: $org, projectId: $p) { integrationId integration { webhook { lastDeliveryAt } } } }`)
	task, status := deliver("Told to the common address")
	want(t, status, http.StatusOK)
	c.settled(t)
	want(t, c.imported(t, id)["TASK"], []string{task})
	delivered := heard.next(t)
	want(t, delivered.text(t, "integrationChanged", "integrationId"), id)
	want(t, delivered.get(t, "integrationChanged", "integration", "webhook", "lastDeliveryAt") != nil, true)

	// Registering makes one of the integration's own, and removes that.
	c.registered(t, id)
	want(t, len(to.hooks(t, common)), 0)
}

// A webhook that several integrations have, as those may that were taken over from the earlier module, stays until none has it.
func TestAWebhookThatIntegrationsShareStaysWithTheOthers(t *testing.T) {
	t.Parallel()
	to := newClickUp(t, clickuptest.Small(81))
	c := newClientAlone(t, "CLICKUP_API_URL="+to.url)
	common := c.server.URL + "/webhooks/clickup"
	var made struct{ Webhook hook }
	to.call(t, http.MethodPost, "/team/"+to.Workspaces()[0].ID+"/webhook", `{"endpoint":"`+common+`","events":["taskCreated"]}`, &made)
	var ids []string
	for _, name := range []string{"first", "second", "third"} {
		ids = append(ids, c.create(t, map[string]any{"name": name, "provider": "clickup", "settings": to.settings(), "webhookSecret": made.Webhook.Secret}).text(t, "createIntegration", "id"))
	}
	rows(t, c.db, `INSERT INTO kb.webhooks (integration_id, org_id, project_id, check_at) SELECT id, org_id, project_id, now() FROM kb.integrations`) // as adopt does
	eventually(t, 60*time.Second, "all to be looked at", func() bool {
		return c.isRegistered(t, ids[0]) && c.isRegistered(t, ids[1]) && c.isRegistered(t, ids[2])
	})
	c.registered(t, ids[0])
	want(t, to.hook(t, common).ID, made.Webhook.ID)
	const remove = `mutation ($org: ID!, $p: UUID!, $n: String!) { deleteIntegration(orgId: $org, projectId: $p, name: $n) }`
	c.do(t, remove, map[string]any{"n": "second"})
	want(t, to.hook(t, common).ID, made.Webhook.ID)
	c.do(t, remove, map[string]any{"n": "third"})
	want(t, len(to.hooks(t, common)), 0)
}

// After the settings name another Workspace, its webhook takes the place of the former one's, whose deliveries are not believed any more.
func TestAWebhookFollowsItsIntegrationToAnotherWorkspace(t *testing.T) {
	t.Parallel()
	o := clickuptest.Small(82)
	o.Workspaces = 2
	to := newClickUp(t, o)
	from, into := to.Workspaces()[0].ID, to.Workspaces()[1].ID
	c := newClientAlone(t, "CLICKUP_API_URL="+to.url)
	id := c.connect(t, "clickup", to)
	url := c.registered(t, id)
	former := to.hook(t, url)
	c.update(t, "clickup", map[string]any{"settings": map[string]any{"import_comments": false}}).wantErrors(t)
	want(t, to.hook(t, url).ID, former.ID)

	c.update(t, "clickup", map[string]any{"enabled": false}).wantErrors(t)
	list := to.CreateList(to.Snapshot(from, clickuptest.Selection{}).Spaces[0].ID, "Of the former Workspace")
	to.CreateTask(list.ID, clickuptest.Task{Name: "Of the former Workspace"})
	due := to.Deliveries()
	for _, d := range due {
		if status, err := to.Deliver(t.Context(), http.DefaultClient, d); status != http.StatusOK || err != nil {
			t.Fatal(status, err)
		}
	}
	c.update(t, "clickup", map[string]any{"enabled": true, "settings": map[string]any{"workspace_id": into}}).wantErrors(t)
	want(t, len(to.hooks(t, url)), 0)
	if status, err := to.Deliver(t.Context(), http.DefaultClient, due[0]); status != http.StatusBadRequest || err != nil {
		t.Errorf("what the former one still tells is answered %d, %v", status, err)
	}
	want(t, rows(t, c.db, `SELECT DISTINCT status || ': ' || error FROM kb.webhook_deliveries`), []string{"IGNORED: the settings name another account since it came"})
	eventually(t, 60*time.Second, "a webhook of the other Workspace", func() bool { return c.isRegistered(t, id) })
	made := to.hooksIn(t, into, url)
	if len(made) != 1 || made[0].Secret == former.Secret {
		t.Fatalf("there are %+v", made)
	}
	c.wantWebhookSecrets(t, "clickup", made[0].Secret, c.openedColumn(t, "clickup", "previous_webhook_secret"))
	want(t, c.storedAs(t, id, list.ID), "none")
}

// With a token that does not know the webhook, it is another account's: it is removed by the one before, and made anew.
func TestAWebhookFollowsItsIntegrationToAnotherAccount(t *testing.T) {
	t.Parallel()
	to := newClickUp(t, clickuptest.Small(83))
	c := newClientAlone(t, "CLICKUP_API_URL="+to.url)
	id := c.connect(t, "clickup", to)
	url := c.registered(t, id)
	former := to.hook(t, url)
	token := func(value string) {
		t.Helper()
		c.update(t, "clickup", map[string]any{"settings": map[string]any{"api_token": value}}).wantErrors(t)
	}
	token(to.Token())
	want(t, to.hook(t, url).ID, former.ID)
	want(t, c.isRegistered(t, id), true)
	token("pk_1_NONE") // of which nothing is known
	want(t, to.hook(t, url).ID, former.ID)
	want(t, c.isRegistered(t, id), true)
	token(to.Token())
	token(to.AddToken(to.Workspaces()[0].ID))
	want(t, len(to.hooks(t, url)), 0)
	eventually(t, 60*time.Second, "a webhook of the other account", func() bool { return c.isRegistered(t, id) })
	c.wantWebhookSecrets(t, "clickup", c.openedColumn(t, "clickup", "webhook_secret"), former.Secret)
}
