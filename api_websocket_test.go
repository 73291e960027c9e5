package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// socket is a client's WebSocket.
type socket struct {
	*websocket.Conn
	ctx context.Context
}

type socketMessage struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// dialAs opens a WebSocket with these headers of the request.
func dialAs(t testing.TB, s *server, protocol string, header ...string) (*socket, *http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	conn, res, err := websocket.Dial(ctx, s.URL+"/graphql", &websocket.DialOptions{HTTPHeader: h, Subprotocols: []string{protocol}})
	if err == nil {
		t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return &socket{conn, ctx}, res, err
}

// dial opens a WebSocket whose client shows a key as programs do.
func dial(t testing.TB, s *server, key string) *socket {
	t.Helper()
	w, _, err := dialAs(t, s, "graphql-transport-ws", "Authorization", "Bearer "+key)
	if err != nil {
		t.Fatal(err)
	}
	w.send(t, `{"type":"connection_init"}`)
	w.want(t, `{"type":"connection_ack"}`)
	return w
}

func (w *socket) send(t testing.TB, text string) {
	t.Helper()
	if err := w.Write(w.ctx, websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func (w *socket) subscribe(t testing.TB, id, query string, variables map[string]any) {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(socketMessage{id, "subscribe", payload})
	if err != nil {
		t.Fatal(err)
	}
	w.send(t, string(text))
}

// follow subscribes, and waits for the word that this has begun.
func (w *socket) follow(t testing.TB, id, query string, variables map[string]any) {
	t.Helper()
	w.subscribe(t, id, query, variables)
	w.want(t, `{"type":"ping","payload":{"subscribed":"`+id+`"}}`)
}

func (w *socket) read(t testing.TB) (m socketMessage, text string) {
	t.Helper()
	_, b, err := w.Read(w.ctx)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m, string(b)
}

func (w *socket) want(t testing.TB, text string) {
	t.Helper()
	if _, got := w.read(t); got != text {
		t.Fatalf("got %s, want %s", got, text)
	}
}

// next reads the next response of an operation.
func (w *socket) next(t testing.TB, id string) answer {
	t.Helper()
	m, text := w.read(t)
	if m.Type != "next" || m.ID != id {
		t.Fatalf("got %s instead of a response to %s", text, id)
	}
	a := answer{raw: string(m.Payload)}
	if err := json.Unmarshal(m.Payload, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// refused reads the errors of an operation that did not come about.
func (w *socket) refused(t testing.TB, id string) answer {
	t.Helper()
	m, text := w.read(t)
	if m.Type != "error" || m.ID != id {
		t.Fatalf("got %s instead of errors of %s", text, id)
	}
	a := answer{raw: text}
	if err := json.Unmarshal(m.Payload, &a.Errors); err != nil {
		t.Fatal(err)
	}
	return a
}

// wantClosed reads until the server closes the connection.
func (w *socket) wantClosed(t testing.TB, code websocket.StatusCode) {
	t.Helper()
	for {
		_, text, err := w.Read(w.ctx)
		if err == nil {
			t.Logf("meanwhile %s", text)
			continue
		}
		if got := websocket.CloseStatus(err); got != code {
			t.Fatalf("closed with %d (%v), want %d", got, err, code)
		}
		return
	}
}

func TestOperationsOverAWebSocket(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	run := c.syncRun(t, c.integration(t, "clickup"))
	w := dial(t, c.server, c.server.key(t, c.org, "viewer"))
	w.follow(t, "a", progressQuery, map[string]any{"run": run})
	want(t, w.next(t, "a").Data, progress("PENDING", 0, nil, nil))
	w.send(t, `{"type":"ping","payload":{"a":1}}`)
	w.want(t, `{"type":"pong","payload":{"a":1}}`)
	w.subscribe(t, "b", `{ viewer { role } }`, nil)
	want(t, w.next(t, "b").Data, map[string]any{"viewer": map[string]any{"role": "VIEWER"}})
	w.want(t, `{"type":"complete","id":"b"}`)

	// The rules are those of other requests.
	w.subscribe(t, "b", `mutation { createProject(input: {orgId: "acme", name: "New"}) { id } }`, nil)
	w.next(t, "b").wantErrors(t, "FORBIDDEN")
	w.want(t, `{"type":"complete","id":"b"}`)
	w.subscribe(t, "b", `{ apiKeys(orgId: 1.5) { id } }`, nil)
	w.refused(t, "b").wantErrors(t, "GRAPHQL_VALIDATION_FAILED")
	w.subscribe(t, "b", `{ __type(name: "Query") `+strings.Repeat("{ ofType ", 15)+"{ name }"+strings.Repeat(" }", 15)+` }`, nil)
	w.refused(t, "b").wantErrors(t, "BAD_USER_INPUT")
	w.subscribe(t, "b", `{ viewer { rolle } }`, nil)
	w.refused(t, "b").wantErrors(t, "GRAPHQL_VALIDATION_FAILED")
	w.subscribe(t, "b", `subscription { __typename }`, nil)
	if a := w.refused(t, "b"); len(a.Errors) != 1 {
		t.Error(a.raw)
	}
	w.subscribe(t, "b", progressQuery, map[string]any{"run": c.project})
	w.refused(t, "b").wantErrors(t, "NOT_FOUND")

	// What the client completes goes on no more, and its id may be used again.
	w.follow(t, "c", stateQuery, map[string]any{"org": c.org, "p": c.project})
	w.send(t, `{"type":"complete","id":"c"}`)
	w.follow(t, "c", progressQuery, map[string]any{"run": run})
	want(t, w.next(t, "c").Data, progress("PENDING", 0, nil, nil))
	w.send(t, `{"type":"complete","id":"c"}`)
	w.send(t, `{"type":"ping"}`)
	w.want(t, `{"type":"pong"}`) // so that it has been read
	advance(t, c.db, run, `status = 'CANCELLED', finished_at = now()`)
	want(t, w.next(t, "a").Data, progress("CANCELLED", 0, nil, nil))
	w.want(t, `{"type":"complete","id":"a"}`)
}

// Who a client is, it says as other clients do, or in its first message, as browsers have to with a key.
func TestWhoOpensAWebSocket(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	const protocol = "graphql-transport-ws"
	who := func(init string, header ...string) *socket {
		t.Helper()
		w, _, err := dialAs(t, c.server, protocol, header...)
		if err != nil {
			t.Fatal(err)
		}
		w.send(t, init)
		return w
	}
	viewer := c.server.key(t, c.org, "viewer")
	for _, w := range []*socket{
		who(`{"type":"connection_init"}`, "Authorization", "Bearer "+viewer),
		who(`{"type":"connection_init"}`, "Cookie", "patchbay-session="+viewer, "Origin", c.URL),
		who(`{"type":"connection_init","payload":{"Authorization":"Bearer ` + viewer + `"}}`),
		who(`{"type":"connection_init","payload":{"authorization":"bearer `+viewer+`","more":{}}}`, "Authorization", "Bearer "+c.key),
	} {
		w.want(t, `{"type":"connection_ack"}`)
		w.subscribe(t, "1", `{ viewer { role } }`, nil)
		want(t, w.next(t, "1").Data, map[string]any{"viewer": map[string]any{"role": "VIEWER"}})
	}
	wrong := "pb_" + strings.Repeat("a", 52)
	for _, w := range []*socket{
		who(`{"type":"connection_init"}`),
		who(`{"type":"connection_init"}`, "Authorization", "Bearer "+wrong),
		who(`{"type":"connection_init","payload":{"Authorization":"Bearer `+wrong+`"}}`, "Authorization", "Bearer "+viewer),
		who(`{"type":"connection_init","payload":{"Authorization":"`+viewer+`"}}`, "Authorization", "Bearer "+viewer),
		who(`{"type":"subscribe","id":"1","payload":{"query":"{ __schema { types { name } } }"}}`),
	} {
		w.wantClosed(t, 4401)
	}
	for from, status := range map[string]int{"https://evil.example": 403, "null": 403, c.URL + ".evil.example": 403, c.URL: 101} {
		_, res, err := dialAs(t, c.server, protocol, "Origin", from, "Cookie", "patchbay-session="+viewer)
		if res == nil || res.StatusCode != status {
			t.Errorf("from %s: %v", from, err)
		}
	}
	for _, site := range []string{"cross-site", "same-site"} {
		if _, res, err := dialAs(t, c.server, protocol, "Sec-Fetch-Site", site, "Cookie", "patchbay-session="+viewer); res == nil || res.StatusCode != 403 {
			t.Errorf("from another origin: %v", err)
		}
	}
	for _, secret := range []string{viewer, c.key, wrong} {
		if strings.Contains(c.server.log.String(), secret) {
			t.Error("the log holds a key")
		}
	}
	if !strings.Contains(c.server.log.String(), `"status":101`) {
		t.Error("the log has no line of a WebSocket")
	}
}

// Who does not keep to the protocol is told by the code that it has for that.
func TestWebSocketsThatBreakTheProtocol(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	run := c.syncRun(t, c.integration(t, "clickup"))
	for text, code := range map[string]websocket.StatusCode{
		`{`:                    4400,
		`[]`:                   4400,
		`{"type":"nonsense"}`:  4400,
		`{"type":"subscribe"}`: 4400,
		`{"type":"subscribe","id":"1","payload":{}}`:                     4400,
		"{\"type\":\"ping\",\"id\":\"\xff\"}":                            4400,
		`{"type":"connection_init"}`:                                     4429,
		`{"type":"ping","payload":"` + strings.Repeat("a", 1<<20) + `"}`: websocket.StatusMessageTooBig,
	} {
		w := dial(t, c.server, c.key)
		w.send(t, text)
		w.wantClosed(t, code)
	}
	w := dial(t, c.server, c.key)
	for range 2 {
		w.subscribe(t, "1", progressQuery, map[string]any{"run": run})
	}
	w.wantClosed(t, 4409)
	for _, protocol := range []string{"graphql-ws", "nonsense"} {
		w, _, err := dialAs(t, c.server, protocol, "Authorization", "Bearer "+c.key)
		if err != nil {
			t.Fatal(err)
		}
		w.wantClosed(t, 4406)
	}
	w, _, err := dialAs(t, c.server, "graphql-transport-ws", "Authorization", "Bearer "+c.key)
	if err != nil {
		t.Fatal(err)
	}
	w.send(t, `{"type":"connection_init","payload":"`+strings.Repeat("a", 16<<10)+`"}`)
	w.wantClosed(t, websocket.StatusMessageTooBig)
	res, _ := c.send(t, http.MethodGet, "/graphql", "", "Upgrade", "websocket", "Connection", "Upgrade")
	want(t, res.StatusCode, http.StatusBadRequest)
}

func TestOperationsOfOneConnectionAreLimited(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	run := c.syncRun(t, c.integration(t, "clickup"))
	w := dial(t, c.server, c.key)
	w.SetReadLimit(-1)
	for i := range 100 {
		id := string(rune('a'+i/26)) + string(rune('a'+i%26))
		w.follow(t, id, progressQuery, map[string]any{"run": run})
		w.next(t, id)
	}
	w.subscribe(t, "more", progressQuery, map[string]any{"run": run})
	w.refused(t, "more").wantErrors(t, "RATE_LIMITED")
	w.send(t, `{"type":"complete","id":"aa"}`)
	eventually(t, patience, "room for another operation", func() bool {
		w.subscribe(t, "more", progressQuery, map[string]any{"run": run})
		m, _ := w.read(t)
		return m.Type == "ping"
	})
}

func TestAWebSocketEndsWithItsKeyAndItsServer(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	made := c.do(t, `mutation($org: ID!) { createApiKey(input: {orgId: $org, name: "Short", role: VIEWER}) { key apiKey { id } } }`)
	other := startServer(t, c.db)
	idle, kept := dial(t, other, made.text(t, "createApiKey", "key")), dial(t, other, c.key)
	c.do(t, `mutation($id: UUID!) { revokeApiKey(id: $id) { id } }`, map[string]any{"id": made.text(t, "createApiKey", "apiKey", "id")})
	idle.wantClosed(t, 4401)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		kept.wantClosed(t, websocket.StatusServiceRestart) // clients connect again after it
	}()
	began := time.Now()
	if err := other.end(); err != nil {
		t.Fatal(err)
	}
	<-closed
	if took := time.Since(began); took > drainTimeout/2 {
		t.Errorf("the server took %v to end", took)
	}
}
