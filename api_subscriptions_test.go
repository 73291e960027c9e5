package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"patchbay/internal/store/storetest"
)

// patience bounds how long these tests wait for what should come at once.
const patience = 30 * time.Second

// stream is an open subscription, by server-sent events.
type stream struct {
	*http.Response
	lines *bufio.Scanner
	end   func()
}

// open sends an operation that asks for a stream. It ends with the test.
func (s *server) open(t testing.TB, key, query string, variables map[string]any) *stream {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return s.openRequest(t, key, r, cancel)
}

func (s *server) openRequest(t testing.TB, key string, r *http.Request, end func()) *stream {
	t.Helper()
	r.Header.Set("Accept", "text/event-stream")
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return &stream{res, bufio.NewScanner(res.Body), end}
}

// read returns the next event, "" where the stream ends without one.
func (s *stream) read(t testing.TB) (event, data string) {
	t.Helper()
	for s.lines.Scan() {
		switch line := s.lines.Text(); {
		case strings.HasPrefix(line, "event: "):
			event = strings.TrimPrefix(line, "event: ")
		case strings.HasPrefix(line, "data:"):
			data += strings.TrimPrefix(strings.TrimPrefix(line, "data:"), " ")
		case line == "" && event != "":
			return event, data
		}
	}
	if err := s.lines.Err(); err != nil {
		t.Fatalf("the stream broke: %v", err)
	}
	return "", ""
}

// next returns the next response, which has to come.
func (s *stream) next(t testing.TB) answer {
	t.Helper()
	event, data := s.read(t)
	if event != "next" {
		t.Fatalf("got the event %q instead of a response", event)
	}
	a := answer{raw: data}
	if err := json.Unmarshal([]byte(data), &a); err != nil {
		t.Fatalf("the response is no JSON: %v\n%s", err, data)
	}
	return a
}

func (s *stream) wantEnd(t testing.TB, event string) {
	t.Helper()
	if got, data := s.read(t); got != event {
		t.Fatalf("the stream ended with %q %s, want %q", got, data, event)
	}
	if event != "" {
		s.wantEnd(t, "")
	}
}

// asked answers an operation of any kind: a subscription with its first response.
func (s *server) asked(t testing.TB, key, query string) answer {
	t.Helper()
	if !strings.HasPrefix(query, "subscription") {
		return s.ask(t, key, query, nil)
	}
	stream := s.open(t, key, query, nil)
	defer stream.end()
	return stream.next(t)
}

// syncRun makes a run that no worker takes over, of an integration of the client's project.
func (c *client) syncRun(t testing.TB, integration string) string {
	t.Helper()
	return rows(t, c.db, `
		INSERT INTO kb.sync_runs (id, integration_id, org_id, project_id, mode, trigger, heartbeat_at)
		SELECT gen_random_uuid(), id, org_id, project_id, 'FULL', 'MANUAL', now() + interval '1 day'
		FROM kb.integrations WHERE id = $1
		RETURNING id::text`, integration)[0]
}

// advance changes a run as workers do, and tells of it.
func advance(t testing.TB, db *storetest.Database, run, set string) {
	t.Helper()
	quietly(t, db, run, set)
	announce(t, db, run)
}

// quietly changes a run and tells nobody.
func quietly(t testing.TB, db *storetest.Database, run, set string) {
	t.Helper()
	rows(t, db, `UPDATE kb.sync_runs SET `+set+` WHERE id = $1 RETURNING id::text`, run)
}

func announce(t testing.TB, db *storetest.Database, run string) {
	t.Helper()
	rows(t, db, `SELECT pg_notify('patchbay_sync', json_build_object('p', project_id, 'i', integration_id, 'r', id, 's', true)::text)::text FROM kb.sync_runs WHERE id = $1`, run)
}

const (
	progressQuery = `subscription($run: UUID!) { syncRunProgress(runId: $run) { status processed total step } }`
	changeQuery   = `subscription($org: ID!, $p: UUID!) { integrationChanged(orgId: $org, projectId: $p) { integrationId integration { displayName enabled syncState { currentRun { processed } } } } }`
	stateQuery    = `subscription($org: ID!, $p: UUID!) { syncStateChanged(orgId: $org, projectId: $p) { status integrationId } }`
	runQuery      = `subscription($org: ID!, $p: UUID!) { syncStateChanged(orgId: $org, projectId: $p) { currentRun { processed } } }`
)

func (c *client) open(t testing.TB, query string, variables ...map[string]any) *stream {
	t.Helper()
	all := map[string]any{}
	if strings.Contains(query, "$org") {
		all["org"], all["p"] = c.org, c.project
	}
	for _, v := range variables {
		maps.Copy(all, v)
	}
	return c.server.open(t, c.key, query, all)
}

func (c *client) integration(t testing.TB, name string) string {
	t.Helper()
	return c.create(t, map[string]any{"name": name}).text(t, "createIntegration", "id")
}

func progress(status string, processed float64, total, step any) map[string]any {
	return map[string]any{"syncRunProgress": map[string]any{"status": status, "processed": processed, "total": total, "step": step}}
}

// A run is told of from where it stands to its end, by whichever server one asks.
func TestARunIsFollowedToItsEnd(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	run := c.syncRun(t, c.integration(t, "clickup"))
	other := startServer(t, c.db)
	viewer := c.server.key(t, c.org, "viewer")
	variables := map[string]any{"run": run}
	streams := []*stream{c.open(t, progressQuery, variables), other.open(t, viewer, progressQuery, variables)}
	all := func(check func(*stream)) {
		for _, s := range streams {
			check(s)
		}
	}
	all(func(s *stream) {
		want(t, s.StatusCode, 200)
		want(t, s.Header.Get("Content-Type"), "text/event-stream; charset=utf-8")
		want(t, s.Header.Get("Cache-Control"), "no-store, no-transform")
		want(t, s.Header.Get("X-Accel-Buffering"), "no")
		want(t, s.next(t).Data, progress("PENDING", 0, nil, nil))
	})
	advance(t, c.db, run, `status = 'RUNNING', processed = 3, total = 7, step = 'reading'`)
	all(func(s *stream) { want(t, s.next(t).Data, progress("RUNNING", 3, 7.0, "reading")) })
	announce(t, c.db, run) // nothing has changed, so nothing is sent
	advance(t, c.db, run, `processed = 5`)
	all(func(s *stream) { want(t, s.next(t).Data, progress("RUNNING", 5, 7.0, "reading")) })
	advance(t, c.db, run, `status = 'SUCCESS', processed = 7, step = NULL, finished_at = now()`)
	all(func(s *stream) {
		want(t, s.next(t).Data, progress("SUCCESS", 7, 7.0, nil))
		s.wantEnd(t, "complete")
	})

	// One that has ended is told of once.
	s := c.open(t, progressQuery, variables)
	want(t, s.next(t).Data, progress("SUCCESS", 7, 7.0, nil))
	s.wantEnd(t, "complete")

	// A stream is logged once, at its end, without what was asked or by whom.
	const line = `"msg":"request","method":"POST","path":"/graphql","status":200`
	eventually(t, patience, "a line for each of four requests", func() bool { return strings.Count(c.server.log.String(), line) == 4 })
	for _, secret := range []string{c.key, viewer, "syncRunProgress"} {
		if strings.Contains(c.server.log.String()+other.log.String(), secret) {
			t.Errorf("the log holds %.10s", secret)
		}
	}
}

// A run that goes away with its integration is not waited for.
func TestARunThatIsDeletedEndsItsStream(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	run := c.syncRun(t, c.integration(t, "clickup"))
	s := c.open(t, progressQuery, map[string]any{"run": run})
	s.next(t)
	event := rows(t, c.db, `SELECT json_build_object('p', project_id, 'i', integration_id, 'r', id)::text FROM kb.sync_runs WHERE id = $1`, run)[0]
	c.do(t, `mutation($org: ID!, $p: UUID!) { deleteIntegration(orgId: $org, projectId: $p, name: "clickup") }`)
	rows(t, c.db, `SELECT pg_notify('patchbay_sync', $1)::text`, event)
	s.wantEnd(t, "complete")
}

func TestStatesThatChangeAreTold(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	first, second := c.integration(t, "clickup"), c.integration(t, "linear")
	plain, withRun := c.open(t, stateQuery), c.open(t, runQuery)
	state := func(status, integration string) map[string]any {
		return map[string]any{"syncStateChanged": map[string]any{"status": status, "integrationId": integration}}
	}
	current := func(run any) map[string]any {
		return map[string]any{"syncStateChanged": map[string]any{"currentRun": run}}
	}
	change := func(integration, status string) {
		rows(t, c.db, `UPDATE kb.sync_states SET sync_status = $2 WHERE integration_id = $1 RETURNING id::text`, integration, status)
	}
	run := c.syncRun(t, second)
	change(second, "RUNNING")
	advance(t, c.db, run, `status = 'RUNNING', processed = 1`)
	want(t, plain.next(t).Data, state("RUNNING", second))
	want(t, withRun.next(t).Data, current(map[string]any{"processed": 1.0}))
	advance(t, c.db, run, `processed = 2`)
	want(t, withRun.next(t).Data, current(map[string]any{"processed": 2.0}))
	// The state itself has not changed since: who does not ask for the run hears next of another integration.
	third := c.syncRun(t, first)
	change(first, "RUNNING")
	announce(t, c.db, third)
	want(t, plain.next(t).Data, state("RUNNING", first))
	want(t, withRun.next(t).Data, current(map[string]any{"processed": 0.0}))
	// Through the API itself.
	c.do(t, `mutation($i: UUID!) { updateSyncMappings(integrationId: $i, mappings: [{kind: SPACE, externalId: "1", target: "2"}]) { id } }`, map[string]any{"i": first})
	want(t, plain.next(t).Data, state("RUNNING", first))
	want(t, withRun.next(t).Data, current(map[string]any{"processed": 0.0}))
	// Of what is gone there is nothing to tell.
	c.do(t, `mutation($org: ID!, $p: UUID!) { deleteIntegration(orgId: $org, projectId: $p, name: "clickup") }`)
	rows(t, c.db, `SELECT pg_notify('patchbay_sync', json_build_object('p', $1::text, 'i', $2::text)::text)::text`, c.project, first)
	change(second, "PARTIAL")
	advance(t, c.db, run, `status = 'PARTIAL', finished_at = now()`)
	want(t, plain.next(t).Data, state("PARTIAL", second))
	want(t, withRun.next(t).Data, current(nil))
}

// Two who look at the same integrations see what each of them changes.
func TestIntegrationsThatChangeAreTold(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	first := c.integration(t, "clickup")
	s := c.open(t, changeQuery)
	change := func(id string, integration any) map[string]any {
		return map[string]any{"integrationChanged": map[string]any{"integrationId": id, "integration": integration}}
	}
	of := func(displayName string, enabled bool) map[string]any {
		return map[string]any{"displayName": displayName, "enabled": enabled, "syncState": map[string]any{"currentRun": nil}}
	}
	second := c.integration(t, "linear")
	want(t, s.next(t).Data, change(second, of("Linear", true)))
	c.do(t, `mutation($org: ID!, $p: UUID!) { updateIntegration(orgId: $org, projectId: $p, name: "clickup", input: {enabled: false}) { id } }`)
	want(t, s.next(t).Data, change(first, of("ClickUp", false)))
	// What only the synchronisation does, and what changes nothing, is no news.
	c.do(t, `mutation($org: ID!, $p: UUID!) { updateIntegration(orgId: $org, projectId: $p, name: "clickup", input: {}) { id } }`)
	c.do(t, `mutation($i: UUID!) { updateSyncMappings(integrationId: $i, mappings: [{kind: SPACE, externalId: "1", target: "2"}]) { id } }`, map[string]any{"i": first})
	c.do(t, `mutation($org: ID!, $p: UUID!) { deleteIntegration(orgId: $org, projectId: $p, name: "linear") }`)
	want(t, s.next(t).Data, change(second, nil))
	c.do(t, `mutation($org: ID!, $p: UUID!) { updateIntegration(orgId: $org, projectId: $p, name: "clickup", input: {displayName: "Studio"}) { id } }`)
	want(t, s.next(t).Data, change(first, of("Studio", false)))
}

// What happens while nothing could be heard is found out afterwards.
func TestTheListeningConnectionBreaks(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	integration := c.integration(t, "clickup")
	run := c.syncRun(t, integration)
	progressing, changing, configuring := c.open(t, progressQuery, map[string]any{"run": run}), c.open(t, stateQuery), c.open(t, `subscription($org: ID!, $p: UUID!) { integrationChanged(orgId: $org, projectId: $p) { integrationId integration { id } } }`)
	progressing.next(t)
	other := c.integration(t, "linear")
	want(t, configuring.next(t).text(t, "integrationChanged", "integrationId"), other)
	want(t, changing.next(t).text(t, "syncStateChanged", "integrationId"), other)
	quietly(t, c.db, run, `processed = 4`)
	rows(t, c.db, `UPDATE kb.sync_states SET sync_status = 'RUNNING' WHERE integration_id = $1 RETURNING id::text`, integration)
	rows(t, c.db, `DELETE FROM kb.integrations WHERE id = $1 RETURNING id::text`, other)
	const listeners = `FROM pg_stat_activity WHERE application_name = 'patchbay listen' AND datname = current_database()`
	want(t, rows(t, c.db, `SELECT usename::text `+listeners), rows(t, c.db, `SELECT current_user::text`))
	want(t, rows(t, c.db, `SELECT pg_terminate_backend(pid)::text `+listeners), []string{"true"})
	want(t, progressing.next(t).Data, progress("PENDING", 4, nil, nil))
	want(t, changing.next(t).text(t, "syncStateChanged", "status"), "RUNNING")
	want(t, configuring.next(t).Data, map[string]any{"integrationChanged": map[string]any{"integrationId": other, "integration": nil}})
	advance(t, c.db, run, `processed = 5`)
	want(t, progressing.next(t).Data, progress("PENDING", 5, nil, nil))
}

// Behind a pooler, what is heard comes over a connection of another address.
func TestTheListeningConnectionHasItsOwnAddress(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	const listeners = `SELECT usename::text FROM pg_stat_activity WHERE application_name = 'patchbay listen' AND datname = current_database()`
	user, password := storetest.Login(t, "")
	rows(t, db, `DO $$ BEGIN EXECUTE 'GRANT patchbay_serve TO `+user+`'; END $$`)
	c := &client{db: db}
	c.server = startServer(t, db, "PATCHBAY_LISTEN_DATABASE_URL="+db.As(user, password))
	c.moveIn(t)
	run := c.syncRun(t, c.integration(t, "clickup"))
	s := c.open(t, progressQuery, map[string]any{"run": run})
	s.next(t)
	eventually(t, patience, "a connection", func() bool { return len(rows(t, db, listeners)) == 1 })
	want(t, rows(t, db, listeners), []string{user})
	advance(t, db, run, `processed = 1`)
	want(t, s.next(t).Data, progress("PENDING", 1, nil, nil))
}

// A subscription ends soon after its key, on every server.
func TestARevokedKeyEndsItsStreams(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	other := startServer(t, c.db)
	run := c.syncRun(t, c.integration(t, "clickup"))
	variables := map[string]any{"run": run}
	made := c.do(t, `mutation($org: ID!) { createApiKey(input: {orgId: $org, name: "Short", role: VIEWER}) { key apiKey { id } } }`)
	key := made.text(t, "createApiKey", "key")
	kept := other.open(t, c.key, progressQuery, variables)
	kept.next(t)
	streams := []*stream{c.server.open(t, key, progressQuery, variables), other.open(t, key, progressQuery, variables)}
	for _, s := range streams {
		s.next(t)
	}
	revoked := time.Now()
	c.do(t, `mutation($id: UUID!) { revokeApiKey(id: $id) { id } }`, map[string]any{"id": made.text(t, "createApiKey", "apiKey", "id")})
	for _, s := range streams {
		s.next(t).wantErrors(t, "UNAUTHENTICATED")
		s.wantEnd(t, "complete")
	}
	t.Logf("ended %v after the revocation", time.Since(revoked))

	// So does one whose key expires.
	brief := c.do(t, `mutation($org: ID!, $at: Time) { createApiKey(input: {orgId: $org, name: "Brief", role: VIEWER, expiresAt: $at}) { key } }`,
		map[string]any{"at": time.Now().Add(6 * time.Second).Format(time.RFC3339Nano)}).text(t, "createApiKey", "key")
	s := c.server.open(t, brief, progressQuery, variables)
	s.next(t)
	s.next(t).wantErrors(t, "UNAUTHENTICATED")
	s.wantEnd(t, "complete")

	advance(t, c.db, run, `processed = 1`)
	want(t, kept.next(t).Data, progress("PENDING", 1, nil, nil))
}

// A server that ends lets its subscribers go, so that they connect to another one: what is not complete does not say so.
func TestAServerThatEndsEndsItsStreams(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	s := c.open(t, progressQuery, map[string]any{"run": c.syncRun(t, c.integration(t, "clickup"))})
	s.next(t)
	began := time.Now()
	if err := c.server.end(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > drainTimeout/2 {
		t.Errorf("the server took %v to end", took)
	}
	s.wantEnd(t, "")
	if strings.Contains(c.server.log.String(), "cut off") {
		t.Error("a stream was cut off")
	}
}

// What may be streamed, and by which requests.
func TestRequestsForStreams(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	run := c.syncRun(t, c.integration(t, "clickup"))
	get := func(query string, header ...string) *stream {
		r, err := http.NewRequest(http.MethodGet, c.URL+"/graphql?"+url.Values{"query": {query}}.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return c.server.openRequest(t, c.key, r, func() {})
	}
	written := strings.Replace(progressQuery, "($run: UUID!)", "", 1)
	written = strings.Replace(written, "$run", `"`+run+`"`, 1)
	s := get(written)
	want(t, s.next(t).Data, progress("PENDING", 0, nil, nil))
	advance(t, c.db, run, `processed = 1`)
	want(t, s.next(t).Data, progress("PENDING", 1, nil, nil))
	_ = s.Body.Close()

	s = get(`{ viewer { role } }`)
	want(t, s.next(t).Data, map[string]any{"viewer": map[string]any{"role": "ADMIN"}})
	s.wantEnd(t, "complete")
	s = get(`mutation { createProject(input: {orgId: "acme", name: "Forged"}) { id } }`)
	want(t, s.StatusCode, http.StatusMethodNotAllowed)
	for _, from := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
		want(t, get(written, from...).StatusCode, http.StatusForbidden)
	}
	for query, code := range map[string]string{
		`subscription { __typename }`: "",
		`subscription { syncRunProgress(runId: "` + run + `") @skip(if: true) { id } }`:                                                    "",
		`subscription { a: syncRunProgress(runId: "` + run + `") { id } b: syncRunProgress(runId: "` + run + `") { id } }`:                 "",
		`subscription { syncRunProgress(runId: "no-uuid") { id } }`:                                                                        "BAD_USER_INPUT",
		`subscription { syncRunProgress(runId: "00000000-0000-4000-8000-000000000000") { id } }`:                                           "NOT_FOUND",
		`subscription { syncRunProgress(runId: "` + run + `") { ` + manyAliases(1000) + ` } }`:                                             "GRAPHQL_PARSE_FAILED",
		`subscription { syncStateChanged(orgId: "other", projectId: "` + c.project + `") { id } }`:                                         "NOT_FOUND",
		`subscription { syncStateChanged(orgId: "` + c.org + `", projectId: "00000000-0000-4000-8000-000000000000") { id } }`:              "NOT_FOUND",
		`subscription { integrationChanged(orgId: "other", projectId: "` + c.project + `") { integrationId } }`:                            "NOT_FOUND",
		`subscription { integrationChanged(orgId: "` + c.org + `", projectId: "00000000-0000-4000-8000-000000000000") { integrationId } }`: "NOT_FOUND",
	} {
		s := c.open(t, query)
		a := s.next(t)
		if a.Data != nil || len(a.Errors) == 0 || code != "" && !strings.HasPrefix(a.codes()[0], code) {
			t.Errorf("%s: %s", query, a.raw)
		}
		s.wantEnd(t, "complete")
	}

	// Who does not ask for a stream gets none; who only would take one too, neither.
	for _, accept := range []string{"application/json", "application/graphql-response+json", "application/json, text/event-stream", "*/*"} {
		body, _ := json.Marshal(map[string]any{"query": written})
		res, text := c.send(t, http.MethodPost, "/graphql", string(body), "Content-Type", "application/json", "Authorization", "Bearer "+c.key, "Accept", accept)
		if !strings.Contains(text, "text/event-stream") || strings.Contains(text, `"data"`) || res.Header.Get("Content-Type") == "text/event-stream" {
			t.Errorf("Accept: %s: %s", accept, text)
		}
	}
	// A body that cannot be read is refused as without a stream.
	res, text := c.send(t, http.MethodPost, "/graphql", "{", "Content-Type", "application/json", "Accept", "text/event-stream")
	want(t, res.StatusCode, http.StatusBadRequest)
	want(t, res.Header.Get("Content-Type"), "application/json; charset=utf-8")
	if !strings.Contains(text, notOneObject) {
		t.Error(text)
	}
}

// Who goes away leaves nothing behind. Not parallel: it counts this process's goroutines.
func TestClientsThatGoAwayLeaveNothing(t *testing.T) {
	c := newClientAlone(t)
	run := c.syncRun(t, c.integration(t, "clickup"))
	var streams []*stream
	for range 20 {
		s := c.open(t, progressQuery, map[string]any{"run": run})
		s.next(t)
		streams = append(streams, s)
	}
	var sockets []*socket
	for range 20 {
		w := dial(t, c.server, c.key)
		sockets = append(sockets, w)
		w.follow(t, "1", progressQuery, map[string]any{"run": run})
		w.next(t, "1")
	}
	if n := serving(); n < 40 {
		t.Fatalf("only %d goroutines serve 40 streams", n)
	}
	for _, s := range streams {
		s.end()
		_, _ = io.Copy(io.Discard, s.Body)
	}
	for _, w := range sockets {
		_ = w.CloseNow()
	}
	eventually(t, patience, "the end of all that served them", func() bool { return serving() == 0 })
}

// serving is the number of goroutines in package graph.
func serving() (n int) {
	var b strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&b, 2)
	runtime.Gosched()
	for stack := range strings.SplitSeq(b.String(), "\n\n") {
		if strings.Contains(stack, "patchbay/graph.") {
			n++
		}
	}
	return n
}

// Who takes nothing of what is sent loses its stream, and holds up nobody until then.
func TestClientsThatDoNotRead(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	run := c.syncRun(t, c.integration(t, "clickup"))
	const query = `subscription($run: UUID!) { syncRunProgress(runId: $run) { processed error } }`
	body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"run": run}})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nX-Request-Id: does-not-read\r\nContent-Length: %d\r\n\r\n%s",
		c.key, len(body), body)
	if _, err := conn.Read(make([]byte, 12)); err != nil { // it has begun
		t.Fatal(err)
	}
	deaf := dial(t, c.server, c.key)
	deaf.subscribe(t, "1", query, map[string]any{"run": run})

	reads := c.open(t, `subscription($run: UUID!) { syncRunProgress(runId: $run) { processed } }`, map[string]any{"run": run})
	reads.next(t)
	for n := 1.0; n <= 12; n++ {
		advance(t, c.db, run, `processed = processed + 1, error = repeat(processed::text || 'x', 1000000)`)
		want(t, reads.next(t).get(t, "syncRunProgress", "processed"), any(n))
	}
	eventually(t, patience, "the end of both streams", func() bool {
		log := c.server.log.String()
		return strings.Contains(log, `"request_id":"does-not-read"`) && strings.Contains(log, `"msg":"a WebSocket ended"`)
	})
}
