package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"patchbay/internal/auth/optest"
	"patchbay/internal/seal"
	"patchbay/internal/store/storetest"
)

// canaries are strings that must come to light nowhere: in no answer, no log, no table. Whatever shows 12 characters of
// one, in a row and as they are, in hex or in base64, is found.
type canaries struct{ parts map[string]string }

const canaryPart = 12

// add takes a string under a name that may be shown.
func (c *canaries) add(name, text string) {
	forms := []string{text, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text)))}
	for shift := range 3 { // where it stands in what is encoded decides what base64 makes of it
		forms = append(forms,
			base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + text))[4:],
			base64.URLEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + text))[4:])
	}
	for _, form := range forms {
		for i := range len(form) - canaryPart + 1 {
			c.parts[form[i:i+canaryPart]] = name
		}
	}
}

// fresh makes a new one, in no form that a setting would refuse, and too long to be taken for a name.
func (c *canaries) fresh(name string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 44)
	for i := range b {
		b[i] = letters[rand.N(len(letters))]
	}
	b[0] = 'S'
	c.add(name, string(b))
	return string(b)
}

// in returns the names of those of which a part is in a text, sorted.
func (c *canaries) in(text string) []string {
	found := map[string]bool{}
	for i := range len(text) - canaryPart + 1 {
		if name, ok := c.parts[text[i:i+canaryPart]]; ok {
			found[name] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func TestCanariesAreFoundInEveryForm(t *testing.T) {
	t.Parallel()
	c := &canaries{parts: map[string]string{}}
	secret := c.fresh("one")
	c.fresh("another")
	for _, text := range []string{secret, "x" + secret[9:21] + "x", hex.EncodeToString([]byte("xy" + secret)),
		base64.StdEncoding.EncodeToString([]byte(`{"api_token":"` + secret + `"}`)), base64.RawURLEncoding.EncodeToString([]byte("a" + secret))} {
		want(t, c.in("before "+text+" behind"), []string{"one"})
	}
	want(t, c.in(secret[:11]+" "+secret[12:23]), []string(nil))
}

// mine is a run of all operations with secrets in right and in wrong places.
type mine struct {
	*client
	canaries
	answers bytes.Buffer
}

// hear keeps an answer for the search.
func (m *mine) hear(a answer) answer {
	m.answers.WriteString(a.raw + "\n")
	return a
}

func (m *mine) tell(t *testing.T, query string, variables map[string]any) answer {
	return m.hear(m.try(t, query, variables))
}

func TestNoSecretComesToLight(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	// PostgreSQL logs every statement; never their parameters, which is up to the server's own configuration.
	rows(t, db, `DO $do$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET log_statement = ''all''', current_database());
		EXECUTE format('ALTER DATABASE %I SET log_min_messages = ''warning''', current_database());
		EXECUTE format('ALTER DATABASE %I SET log_min_error_statement = ''error''', current_database());
		EXECUTE format('ALTER DATABASE %I SET log_error_verbosity = ''verbose''', current_database());
	END $do$`)
	c := &client{db: db, org: "acme"}
	m := &mine{client: c, canaries: canaries{parts: map[string]string{}}}
	provider := optest.New(t)
	m.add("the OpenID client's secret", provider.Secret)
	c.server = startServer(t, db, openIDEnv(provider, "PATCHBAY_OIDC_CLIENT_ID="+optest.SecretClient, "PATCHBAY_OIDC_CLIENT_SECRET="+provider.Secret, "PATCHBAY_ADMIN_ADDR=127.0.0.1:0")...)
	provider.Redirect(c.URL + "/sign-in/callback")
	m.add("the encryption key", testKey)
	c.key = c.server.key(t, "acme", "admin")
	m.add("the API key of the command line", c.key)
	c.project = c.server.project(t, c.key, "acme")

	m.rightPlaces(t)
	m.wrongPlaces(t)
	m.noOperations(t)
	m.databaseErrors(t)
	m.everyField(t)
	m.openID(t, provider)
	// Without the key, as after its loss; the secrets are left for the search.
	out, err := forget(t, []string{"DATABASE_URL=" + db.URL}, "--key-id", testRing().CurrentID())
	m.answers.WriteString(fmt.Sprint(out, err, "\n"))

	// What is public must be found by the same search, or it proves nothing.
	control := &canaries{parts: map[string]string{}}
	public := control.fresh("control")
	m.hear(m.update(t, "jira", map[string]any{"settings": map[string]any{"jql": public}})).wantErrors(t)
	m.send(t, http.MethodPost, "/graphql", "{}", "X-Request-Id", public, "Content-Type", "application/json")
	rows(t, db, `SELECT '`+public+`'`)

	places := map[string]string{
		"the answers":      m.answers.String(),
		"stderr":           m.log.String(),
		"the database":     fmt.Sprint(contents(t, db)),
		"the jobs":         strings.Join(rows(t, db, `SELECT to_jsonb(j)::text FROM river.river_job j UNION ALL SELECT '`+public+`'`), "\n"),
		"statements":       strings.Join(rows(t, db, `SELECT query FROM pg_stat_activity UNION ALL SELECT statement FROM pg_prepared_statements UNION ALL SELECT '`+public+`'`), "\n"),
		"PostgreSQL's log": databaseLog(t, db, public),
	}
	for place, text := range places {
		want(t, control.in(text), []string{"control"})
		if found := m.in(text); len(found) > 0 {
			t.Errorf("%s: holds %q", place, found)
		}
	}
	want(t, m.in(m.out.String()+c.metrics(t)), []string(nil))

	// Forgotten, nothing sealed is left, and what tells of it holds no secret.
	out, err = forget(t, []string{"DATABASE_URL=" + db.URL}, "--key-id", testRing().CurrentID(), "--confirm")
	if err != nil {
		t.Error(err)
	}
	want(t, m.in(out+m.log.String()+fmt.Sprint(contents(t, db))+strings.Join(rows(t, db, `SELECT e::text FROM kb.audit_events e`), " ")), []string(nil))
	want(t, rows(t, db, `SELECT i.id::text FROM kb.integrations i WHERE concat(settings, webhook_secret, previous_webhook_secret, key_id) <> ''`), []string{})
}

// databaseLog is the log of the tests' PostgreSQL, once a text is in it that was logged last.
func databaseLog(t *testing.T, db *storetest.Database, last string) string {
	t.Helper()
	file := storetest.LogFile()
	if file == "" {
		t.Log("the log of PATCHBAY_TEST_DATABASE_URL's server is not looked at")
		return last
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(last)) {
		t.Error("the last statement is not in PostgreSQL's log")
	}
	return string(text)
}

// rightPlaces uses secrets as they are meant to be used.
func (m *mine) rightPlaces(t *testing.T) {
	for _, provider := range []string{"clickup", "github", "jira", "linear"} {
		secrets := m.do(t, `query($n: String!) { provider(name: $n) { secretSettings } }`, map[string]any{"n": provider}).get(t, "provider", "secretSettings").([]any)
		with := func(when string) map[string]any {
			settings := map[string]any{}
			for _, name := range secrets {
				settings[name.(string)] = m.fresh(fmt.Sprint(provider, " ", name, " ", when))
			}
			return map[string]any{"settings": settings, "webhookSecret": m.fresh(provider + " webhookSecret " + when)}
		}
		created := with("created")
		created["name"] = provider
		m.hear(m.create(t, created)).wantErrors(t)
		m.hear(m.update(t, provider, with("replaced"))).wantErrors(t)
		m.hear(m.update(t, provider, map[string]any{"webhookSecret": m.fresh(provider + " webhookSecret alone")})).wantErrors(t)
		m.hear(m.update(t, provider, map[string]any{"ifRevision": 1, "settings": with("late")["settings"]})).wantErrors(t, "CONFLICT ifRevision")
		created["webhookSecret"] = m.fresh(provider + " webhookSecret of a second one")
		m.hear(m.create(t, created)).wantErrors(t, "CONFLICT name")

		literal := fmt.Sprintf(`mutation($org: ID!, $p: UUID!) { createIntegration(input: {orgId: $org, projectId: $p, name: "%s-2", provider: %q,
			settings: {%s: %q}, webhookSecret: """%s"""}) { id } }`, provider, provider, secrets[0], m.fresh(provider+" literal"), m.fresh(provider+" block"))
		m.tell(t, literal, nil).wantErrors(t)
		if provider == "clickup" { // which issues secrets itself
			continue
		}
		for range 2 { // the only answers that show them
			id := m.do(t, `query($org: ID!, $p: UUID!, $n: String!) { integration(orgId: $org, projectId: $p, name: $n) { id } }`, map[string]any{"n": provider + "-2"}).text(t, "integration", "id")
			m.add(provider+" rotated webhook secret", m.do(t, rotateWebhookSecret, map[string]any{"id": id}).text(t, "rotateWebhookSecret", "secret"))
		}
	}
	token := clickUp().AddToken(clickUp().Workspaces()[0].ID)
	m.add("ClickUp's token", token)
	registered := m.create(t, map[string]any{"name": "registered", "provider": "clickup", "settings": map[string]any{"api_token": token, "workspace_id": clickUp().Workspaces()[0].ID}})
	id := m.hear(registered).text(t, "createIntegration", "id")
	m.tell(t, registerWebhook, map[string]any{"id": id}).wantErrors(t)
	m.add("the secret that ClickUp issued", m.openedColumn(t, "registered", "webhook_secret"))
	m.add("the next secret that ClickUp issued", m.do(t, rotateWebhookSecret, map[string]any{"id": id}).text(t, "rotateWebhookSecret", "secret"))
	ring := testRing()
	for _, id := range rows(t, m.db, `SELECT id::text FROM kb.integrations`) {
		for _, column := range []string{"settings", "webhook_secret", "previous_webhook_secret"} {
			pass, err := ring.Passphrase(ring.CurrentID(), seal.Cell{Table: "kb.integrations", Column: column, Row: uuid.MustParse(id), Org: "acme"})
			if err != nil {
				t.Fatal(err)
			}
			m.add("a passphrase", pass.Expose())
		}
	}
}

// wrongPlaces puts secrets where they do not belong. Most are refused, and the refusal does not repeat them.
func (m *mine) wrongPlaces(t *testing.T) {
	for provider, names := range map[string][]string{
		"clickup": {"workspace_id", "batch_size", "import_comments"},
		"github":  {"organization", "repositories", "api_url", "import_pull_requests"},
		"jira":    {"site_url", "email", "project_keys", "import_comments"},
		"linear":  {"team_keys", "import_comments"},
	} {
		for _, name := range names {
			for shape, value := range map[string]func(string) any{
				"text":    func(s string) any { return s },
				"list":    func(s string) any { return []any{s, s} },
				"object":  func(s string) any { return map[string]any{s: s} },
				"address": func(s string) any { return "https://" + s + ":" + s + "@example.com/?" + s },
				"nested":  func(s string) any { return []any{[]any{map[string]any{"a": s}}} },
			} {
				input := map[string]any{"settings": map[string]any{name: value(m.fresh(provider + " " + name + " " + shape))}}
				if a := m.hear(m.update(t, provider, input)); len(a.Errors) == 0 {
					t.Errorf("%s.%s takes a secret as %s", provider, name, shape)
				}
			}
		}
		for _, value := range []any{m.fresh("settings as text"), []any{m.fresh("settings as list")}, map[string]any{m.fresh("name of a setting"): 1},
			map[string]any{"api_token": []any{m.fresh("token in a list")}, "api_key": map[string]any{"a": m.fresh("token in an object")}},
			map[string]any{"api_token": m.fresh("token with NUL") + "\x00", "access_token": m.fresh("in two lines") + "\n"},
			map[string]any{"api_token": "***" + m.fresh("token masked in part")},
			map[string]any{"api_token": strings.Repeat(m.fresh("token too long"), 100), "access_token": " " + m.fresh("token with a space")}} {
			m.hear(m.update(t, provider, map[string]any{"settings": value}))
			m.hear(m.create(t, map[string]any{"name": "new-" + provider, "provider": provider, "settings": value, "displayName": "\x00"}))
		}
	}
	for _, input := range []map[string]any{
		{"name": m.fresh("name")}, {"name": "x", "provider": m.fresh("provider")}, {"name": "x", "orgId": m.fresh("orgId")},
		{"name": "x", "projectId": m.fresh("projectId")}, {"name": "x", "enabled": m.fresh("enabled")}, {"name": "x", "unknown": m.fresh("unknown field")},
		{"name": "linear", "logoUrl": m.fresh("logoUrl")}, {"name": "linear", "displayName": m.fresh("displayName") + "\x00"},
		{"name": "linear", "webhookSecret": []any{m.fresh("webhookSecret in a list")}}, {"name": "linear", "webhookSecret": m.fresh("webhookSecret with NUL") + "\x00"},
		{"name": "linear", "webhookSecret": strings.Repeat(m.fresh("webhookSecret too long"), 20)},
	} {
		if a := m.hear(m.create(t, input)); len(a.Errors) == 0 {
			t.Errorf("created: %s", a.raw)
		}
	}
	for _, name := range []string{"a" + strings.ToLower(m.fresh("name in small letters")), m.fresh("name to change")} {
		m.add("name", name)
		m.hear(m.update(t, name, map[string]any{"enabled": true}))
		m.tell(t, `mutation($org: ID!, $p: UUID!, $n: String!) { deleteIntegration(orgId: $org, projectId: $p, name: $n) }`, map[string]any{"n": name})
		m.tell(t, `query($org: ID!, $p: UUID!, $n: String!) { integration(orgId: $org, projectId: $p, name: $n) { id } provider(name: $n) { name }
			integrations(orgId: $org, projectId: $p, after: $n, filter: {search: $n, name: $n}) { nodes { id } } }`, map[string]any{"n": name})
		m.tell(t, `query($n: ID!) { projects(orgId: $n) { totalCount } }`, map[string]any{"n": name})
	}
	for _, typed := range []string{"Int", "Boolean", "Float", "ID", "String", "UUID", "Map", "Time", "Role", "SyncStatus", "CreateIntegrationInput", "[UUID!]"} {
		for _, value := range []any{m.fresh("variable"), []any{m.fresh("variable in a list")}, map[string]any{"input": m.fresh("variable in an object")}} {
			m.tell(t, `query($v: `+typed+`) { a: integrations(orgId: "acme", projectId: $v) { nodes { id } } b: integrations(orgId: "acme", projectId: "x", first: $v) { nodes { id } } }`, map[string]any{"v": value})
			m.tell(t, `mutation($v: `+typed+`) { createApiKey(input: {orgId: "acme", name: "\u0000", role: VIEWER, expiresAt: $v, projectIds: $v}) { key } }`, map[string]any{"v": value})
			m.tell(t, `query($p: UUID!, $v: `+typed+`) { syncStates(orgId: "acme", projectId: $p, status: $v) { id } }`, map[string]any{"v": value})
		}
	}
	m.tell(t, `mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) { key } }`, map[string]any{"i": map[string]any{"orgId": "acme", "name": "x", "role": m.fresh("role in an input")}})
	m.tell(t, `query($s: SyncStatus, $p: UUID!) { syncStates(orgId: "acme", projectId: $p, status: $s) { id } }`, map[string]any{"s": m.fresh("status")})
}

// noOperations sends what does not parse, validate or arrive whole.
func (m *mine) noOperations(t *testing.T) {
	create := `mutation { createIntegration(input: {orgId: "acme", projectId: "` + m.project + `", name: "broken", provider: "linear", `
	for _, rest := range []string{
		`settings: {api_key: "%s"`, `settings: {api_key: "%s}) { id } }`, `settings: {api_key: %s "%[1]s"}}) { id } }`, `settings: {api_key: "\uZZZZ%s"}}) { id } }`,
		`settings: {api_key: "\q%s"}}) { id } }`, `webhookSecret: %s}) { id } }`, `webhookSecret: ["%s"]}) { id } }`, `webhookSecret: {a: "%s"}}) { id } }`,
		`enabled: "%s"}) { id } }`, `enabled: """%s"""}) { id } }`, `enabled: ["%s"]}) { id } }`, `enabled: %s}) { id } }`, `settings: "%s"}) { id } }`, `settings: ["%s"]}) { id } }`,
		`settings: %s}) { id } }`, `settings: {a: "%s"}}) { id } } "%[1]s"`, `nonsense: "%s"}) { id } }`, `webhookSecret: "%s" }) { id(a: "%[1]s") nonsense } }`, `webhookSecret: "%s") } }`,
		`webhookSecret: "%s` + "\x00" + `"}) { id } }`, `displayName: null, webhookSecret: '%s'}) { id } }`,
	} {
		m.tell(t, create+fmt.Sprintf(rest, m.fresh("literal: "+rest)), nil)
	}
	for _, query := range []string{
		`%s`, `"%s"`, `query($a: Int = "%s") { viewer { role } }`, `query($a: Role = %s) { viewer { role } }`, `query($a: [Int] = ["%s"]) { viewer { role } }`,
		`{ viewer @include(if: "%s") { role } }`, `{ integrations(orgId: "acme", projectId: "` + m.project + `", first: "%s") { nodes { id } } }`,
		`{ integrations(orgId: "acme", projectId: "%s", after: "%[1]s") { nodes { id } } }`, `{ syncStates(orgId: "acme", projectId: "` + m.project + `", status: %s) { id } }`,
		`{ syncStates(orgId: "acme", projectId: "` + m.project + `", status: "%s") { id } }`, `{ integrationById(id: "%s") { id } }`, `{ integrationById(id: %s) { id } }`,
	} {
		m.tell(t, fmt.Sprintf(query, m.fresh("query: "+query)), nil)
	}
	operation, err := json.Marshal(map[string]any{"query": create + `settings: {api_key: "` + m.fresh("body") + `"}}) { id } }`, "operationName": m.fresh("operationName"),
		"variables": map[string]any{"a": m.fresh("unused variable")}, "extensions": map[string]any{"a": m.fresh("extension")}})
	if err != nil {
		t.Fatal(err)
	}
	whole := string(operation)
	auth := []string{"Authorization", "Bearer " + m.key, "Content-Type", "application/json"}
	for _, r := range []struct {
		method, path, body string
		header             []string
	}{
		{"POST", "/graphql", whole, auth},
		{"POST", "/graphql", whole[:len(whole)-20], auth},
		{"POST", "/graphql", "[" + whole + "]", auth},
		{"POST", "/graphql", whole + whole, auth},
		{"POST", "/graphql", whole + "\xff", auth},
		{"POST", "/graphql", strings.Repeat(whole, 3000), auth},
		{"PUT", "/graphql", whole, auth},
		{"POST", "/graphql", whole, []string{"Content-Type", "text/plain; a=" + m.fresh("content type")}},
		{"POST", "/graphql", whole, append([]string{"Accept", m.fresh("accept")}, auth...)},
		{"POST", "/graphql", whole, append([]string{"Origin", "https://" + m.fresh("origin")}, auth...)},
		{"POST", "/graphql", `{"query":"{ viewer { role } }"}`, []string{"Content-Type", "application/json", "Authorization", "Bearer " + m.fresh("unknown key")}},
		{"POST", "/graphql", `{"query":"{ viewer { role } }"}`, []string{"Content-Type", "application/json", "Authorization", "Basic " + m.fresh("basic")}},
		{"POST", "/graphql", `{"query":"{ viewer { role } }"}`, []string{"Content-Type", "application/json", "Cookie", "patchbay-session=" + m.fresh("cookie")}},
		{"GET", "/graphql?" + url.Values{"query": {`mutation { a(b: "` + m.fresh("GET") + `") }`}, "variables": {m.fresh("GET variables")}}.Encode(), "", auth},
		{"GET", "/graphql?" + url.Values{"query": {`query($v: UUID!) { integrationById(id: $v) { id } }`}, "variables": {`{"v":"` + m.fresh("GET variable") + `"}`}}.Encode(), "", auth},
		{"GET", "/sign-in?token=" + m.fresh("sign-in"), "", nil},
		{"POST", "/sign-in", m.fresh("sign-in body"), []string{"Authorization", "Bearer " + m.fresh("sign-in key")}},
	} {
		_, text := m.send(t, r.method, r.path, r.body, r.header...)
		m.answers.WriteString(text + "\n")
	}
}

// openID shows an OpenID provider's tokens and codes, good and bad, and signs browsers in.
func (m *mine) openID(t *testing.T, provider *optest.Provider) {
	tell := func(path string, header ...string) *http.Response {
		t.Helper()
		res, text := m.send(t, "GET", path, "", header...)
		if res.StatusCode < 300 || res.StatusCode > 399 { // a redirect repeats where it leads
			m.answers.WriteString(text + "\n")
		}
		for _, cookie := range res.Cookies() {
			if cookie.Value != "" {
				m.add("the cookie "+cookie.Name, cookie.Value)
			}
		}
		return res
	}
	for name, token := range map[string]string{
		"good":              provider.Sign(t, nil),
		"expired":           provider.Sign(t, map[string]any{"exp": 1}),
		"of no role":        provider.Sign(t, map[string]any{"role": m.fresh("role")}),
		"of odd projects":   provider.Sign(t, map[string]any{"projects": []string{m.fresh("project")}}),
		"with other claims": provider.Sign(t, map[string]any{"more": m.fresh("another claim")}),
		"damaged":           provider.Sign(t, nil) + "x",
		"in no form":        m.fresh("first part") + "." + m.fresh("second part") + "." + m.fresh("third part"),
	} {
		_, body, _ := strings.Cut(token, ".") // the header is every token's
		m.add("a token "+name, body)
		m.hear(m.ask(t, token, `{ viewer { subject } }`, nil))
	}
	for _, password := range []string{"once", "again"} {
		provider.User("jane", password, map[string]any{"org": "acme", "role": "viewer"})
		begun := tell("/sign-in?returnTo=/graphiql%3F" + m.fresh("returnTo"))
		to, err := begun.Location()
		if err != nil {
			t.Fatal(err)
		}
		m.add("the state", to.Query().Get("state"))
		m.add("the nonce", to.Query().Get("nonce"))
		back := strings.TrimPrefix(provider.LogIn(t, to.String(), "jane", password), m.URL)
		cookie := begun.Cookies()[0].String()
		if password == "again" { // at a provider that goes away
			provider.Break(true)
		}
		for range 2 {
			tell(back, "Cookie", cookie)
		}
	}
	provider.Break(false)
	for _, code := range provider.Codes() {
		m.add("a code", code)
	}
	for _, query := range []url.Values{
		{"code": {m.fresh("code")}, "state": {m.fresh("a wrong state")}}, {"error": {m.fresh("error")}, "error_description": {m.fresh("error_description")}},
	} {
		tell("/sign-in/callback?"+query.Encode(), "Cookie", "patchbay-sign-in="+m.fresh("a wrong cookie"))
	}
	exchanged, _ := m.send(t, "POST", "/sign-in", "", "Authorization", "Bearer "+m.key)
	m.add("the cookie that a key was exchanged for", exchanged.Cookies()[0].Value)
	signedIn := m.hear(m.ask(t, m.key, `{ auditEvents(orgId: "acme", filter: {action: "session.create"}) { nodes { actor changes } totalCount } }`, nil))
	want(t, signedIn.get(t, "auditEvents", "totalCount"), any(2.0))
}

// databaseErrors makes statements fail while they carry secrets.
func (m *mine) databaseErrors(t *testing.T) {
	attempt := func(when string, codes ...string) {
		t.Helper()
		m.hear(m.update(t, "linear", map[string]any{"settings": map[string]any{"api_key": m.fresh("update, " + when)}, "webhookSecret": m.fresh("webhook, " + when)})).wantErrors(t, codes...)
		m.hear(m.create(t, map[string]any{"name": "fails", "provider": "linear", "settings": map[string]any{"api_key": m.fresh("create, " + when)}})).wantErrors(t, "INTERNAL")
	}
	for _, fault := range []struct{ when, breaks, mends string }{
		{"a constraint fails", `ALTER TABLE kb.integrations ADD CONSTRAINT never CHECK (false) NOT VALID`, `ALTER TABLE kb.integrations DROP CONSTRAINT never`},
		{"sealing is not allowed", `REVOKE EXECUTE ON FUNCTION kb.seal(text, text) FROM patchbay_serve`, `GRANT EXECUTE ON FUNCTION kb.seal(text, text) TO patchbay_serve`},
		{"sealing fails", `ALTER FUNCTION kb.seal(text, text) RENAME TO seal_moved`, `ALTER FUNCTION kb.seal_moved(text, text) RENAME TO seal`},
		{"a trigger fails", `DO $do$ BEGIN
			CREATE FUNCTION kb.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'row %', NEW; END $$;
			CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON kb.integrations FOR EACH ROW EXECUTE FUNCTION kb.fail(); END $do$`, `DROP FUNCTION kb.fail CASCADE`},
		{"the tables are gone", `ALTER SCHEMA kb RENAME TO kb_gone`, `ALTER SCHEMA kb_gone RENAME TO kb`},
	} {
		rows(t, m.db, fault.breaks)
		attempt(fault.when, "INTERNAL")
		rows(t, m.db, fault.mends)
	}
	// A ciphertext of another row does not open, and what is merged into it is not stored.
	rows(t, m.db, `UPDATE kb.integrations SET settings = (SELECT settings FROM kb.integrations WHERE name = 'github') WHERE name = 'linear-2'`)
	rows(t, m.db, `UPDATE kb.integrations SET configured_secrets = '{api_key,other}' WHERE name = 'linear-2'`)
	m.hear(m.update(t, "linear-2", map[string]any{"settings": map[string]any{"api_key": m.fresh("merged into a damaged row")}})).wantErrors(t, "CREDENTIALS_UNREADABLE")
}

// everyField asks every root field, as several principals, and for everything that there is to be seen.
func (m *mine) everyField(t *testing.T) {
	made := m.do(t, `mutation { createApiKey(input: {orgId: "acme", name: "Made", role: ADMIN}) { key apiKey { id } } }`)
	key := made.text(t, "createApiKey", "key") // the only answer that shows it
	m.add("the API key of the API", key)
	ids := tenantIDs{"acme", m.project, m.do(t, `query($org: ID!, $p: UUID!) { integration(orgId: $org, projectId: $p, name: "clickup") { id } }`).text(t, "integration", "id"),
		made.text(t, "createApiKey", "apiKey", "id"), "", ""}
	ids.run = m.syncRun(t, ids.integration)
	ids.delivery = m.delivery(t, ids.integration)
	progress := m.server.open(t, key, placeholders.replace(rootCalls["Subscription.syncRunProgress"].query, ids), nil)
	m.hear(progress.next(t)).wantErrors(t)
	states := m.server.open(t, key, placeholders.replace(rootCalls["Subscription.syncStateChanged"].query, ids), nil)
	changes := m.server.open(t, key, placeholders.replace(rootCalls["Subscription.integrationChanged"].query, ids), nil)
	m.do(t, `mutation($org: ID!, $p: UUID!) { updateIntegration(orgId: $org, projectId: $p, name: "clickup", input: {description: "told"}) { id } }`)
	m.hear(changes.next(t)).wantErrors(t)
	rows(t, m.db, `UPDATE kb.sync_states SET sync_status = 'RUNNING' WHERE integration_id = $1 RETURNING id::text`, ids.integration)
	advance(t, m.db, ids.run, `processed = 1`)
	m.hear(states.next(t)).wantErrors(t)
	m.hear(progress.next(t)).wantErrors(t)
	for _, key := range []string{key, m.key, ""} {
		for _, name := range slices.Sorted(maps.Keys(rootCalls)) {
			if call := rootCalls[name]; name != "Mutation.createApiKey" && !strings.HasPrefix(name, "Subscription.") {
				m.hear(m.ask(t, key, placeholders.replace(call.query, ids), nil))
			}
		}
		m.hear(m.ask(t, key, introspection, nil))
	}
	m.hear(m.ask(t, key, `{ viewer { subject } }`, nil)).wantErrors(t, "UNAUTHENTICATED") // revoked
	for ended := false; !ended; {                                                         // after what the calls have changed
		last := states.next(t)
		if m.hear(last); len(last.codes()) > 0 {
			last.wantErrors(t, "UNAUTHENTICATED")
			ended = true
		}
	}
	m.tell(t, `query($org: ID!, $p: UUID!) { integrations(orgId: $org, projectId: $p, first: 200) { nodes { `+integrationFields+` } }
		apiKeys(orgId: $org) { id name prefix } providers { name settingsSchema } }`, nil)
}
