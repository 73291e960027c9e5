package graph

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"patchbay/internal/auth"
	"patchbay/internal/integration"
)

const (
	// webSocketProtocol is the one that is spoken; the older one, which is called graphql-ws, is not.
	webSocketProtocol = "graphql-transport-ws"
	// initTimeout is how long a client may take to say who it is, and maxInit how long that may be, in bytes.
	initTimeout = 10 * time.Second
	maxInit     = 16 << 10
	// pongTimeout is how long a client may take to answer a ping.
	pongTimeout = 10 * time.Second
	// bufferSize is of each of a connection's two buffers, in bytes.
	bufferSize = 512
	// maxOperations is how many operations a connection may have at once.
	maxOperations = 100
)

// The protocol's own codes for closing a connection. Clients connect again, but not after 4400, 4401, 4406, 4409 and 4429.
const (
	closeBadRequest   websocket.StatusCode = 4400
	closeUnauthorized websocket.StatusCode = 4401
	closeProtocol     websocket.StatusCode = 4406
	closeInitTimeout  websocket.StatusCode = 4408
	closeDuplicate    websocket.StatusCode = 4409
	closeTooManyInits websocket.StatusCode = 4429
)

// overWebSocket serves operations of any kind over WebSockets. gqlgen's own transport has no limit of operations, waits for ever
// for clients that do not read, and closes with codes after which clients do not do what they should. Origins are checked
// before, by package httpd.
type overWebSocket struct{ *Resolver }

var _ graphql.Transport = overWebSocket{}

func (overWebSocket) Supports(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// Do returns as soon as the connection is a WebSocket: what the server has for requests, 25 KB each, is not needed any more.
func (t overWebSocket) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	streamHeader(w.Header())
	conn, err := websocket.Accept(smallBuffers{w}, r, &websocket.AcceptOptions{Subprotocols: []string{webSocketProtocol}, InsecureSkipVerify: true})
	if err != nil { // it has answered
		return
	}
	go t.serve(context.WithoutCancel(r.Context()), conn, exec)
}

// serve ends with the connection, which ends with the process: Hub.Drain waits for those whose client is known.
func (t overWebSocket) serve(ctx context.Context, conn *websocket.Conn, exec graphql.GraphExecutor) {
	start := time.Now()
	defer func() {
		if v := recover(); v != nil {
			_ = recovered(t.Log)(ctx, v) // it has logged it
		}
		_ = conn.CloseNow() // as a rule it is closed already
		t.Log.InfoContext(ctx, "a WebSocket ended", "milliseconds", float64(time.Since(start).Microseconds())/1000)
	}()
	if conn.Subprotocol() != webSocketProtocol {
		_ = conn.Close(closeProtocol, "Subprotocol not acceptable")
		return
	}
	ctx, signedIn := t.initialise(ctx, conn)
	if !signedIn {
		return
	}
	p, _ := auth.Principal(ctx)
	release, err := t.Live.Slot(p)
	if err != nil {
		_ = conn.Close(websocket.StatusTryAgainLater, "RATE_LIMITED: too many connections")
		return
	}
	defer release()
	ctx, letGo := t.lasting(ctx)
	defer letGo()
	s := &socket{conn: conn, exec: exec, ctx: ctx, operations: map[string]*operation{}}
	stop := context.AfterFunc(ctx, s.end)
	defer stop()
	s.serve()
}

// smallBuffers is a response whose connection has buffers of a size for the protocol's messages, which are few and short, once
// it is no longer HTTP: the server's own have 8 KB together.
type smallBuffers struct{ http.ResponseWriter }

// Hijack implements http.Hijacker.
func (w smallBuffers) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, theirs, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	n := theirs.Reader.Buffered() // what the client has sent already, which is handed on as buffered
	r := bufio.NewReaderSize(io.MultiReader(io.LimitReader(theirs.Reader, int64(n)), conn), max(bufferSize, n))
	if _, err := r.Peek(n); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, bufio.NewReadWriter(r, bufio.NewWriterSize(conn, bufferSize)), nil
}

// initialise waits for who the client is: by what the connection_init says, else by the request that became the connection.
func (t overWebSocket) initialise(ctx context.Context, conn *websocket.Conn) (_ context.Context, ok bool) {
	late := time.AfterFunc(initTimeout, func() { _ = conn.Close(closeInitTimeout, "Connection initialisation timeout") })
	defer late.Stop()
	conn.SetReadLimit(maxInit)
	m, err := readMessage(conn)
	if err == nil && m.Type == "subscribe" {
		_ = conn.Close(closeUnauthorized, "Unauthorized: connection_init comes first")
		return ctx, false
	}
	authorization, err := m.authorization(err)
	if err != nil {
		_ = conn.Close(closeBadRequest, "Invalid message: connection_init comes first, with an object as payload or none")
		return ctx, false
	}
	if authorization != "" {
		ctx = t.Sessions.WithAuthorization(ctx, authorization)
	}
	switch _, err := auth.Principal(ctx); {
	case integration.IsKind(err, integration.KindUnauthenticated):
		_ = conn.Close(closeUnauthorized, "Unauthorized: send a valid API key")
		return ctx, false
	case err != nil:
		t.Log.ErrorContext(ctx, "cannot tell who opened a WebSocket", "error", err)
		_ = conn.Close(websocket.StatusTryAgainLater, "INTERNAL: the API key could not be checked")
		return ctx, false
	}
	return ctx, true
}

// message is one of the protocol's.
type message struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

var errBadMessage = errors.New("the message is none of the protocol")

// readMessage fails with errBadMessage for what is no message, and otherwise where the connection has ended.
func readMessage(conn *websocket.Conn) (m message, err error) {
	kind, text, err := conn.Read(context.Background()) // the connection's end ends it
	if err != nil {
		return m, err
	}
	if kind != websocket.MessageText || !utf8.Valid(text) || decode(bytes.NewReader(text), &m) != nil {
		return m, errBadMessage
	}
	return m, nil
}

// authorization is what a connection_init says in the place of a request's header of this name.
func (m message) authorization(err error) (string, error) {
	if err != nil || m.Type != "connection_init" {
		return "", errBadMessage
	}
	var payload struct{ Authorization string } // or authorization: names are compared without their case
	if len(m.Payload) > 0 && decode(bytes.NewReader(m.Payload), &payload) != nil {
		return "", errBadMessage
	}
	return payload.Authorization, nil
}

// socket is a connection whose client is known.
type socket struct {
	conn *websocket.Conn
	exec graphql.GraphExecutor
	ctx  context.Context // ends with the client's key, or the process
	wait sync.WaitGroup  // operations that run

	mu         sync.Mutex
	operations map[string]*operation // by the client's id
	running    int                   // also those that the client has completed
	beat       *time.Timer
}

type operation struct {
	cancel context.CancelFunc
}

// serve works on what the client sends until the connection ends, and ends what runs then.
func (s *socket) serve() {
	ctx, cancel := context.WithCancel(s.ctx)
	defer s.wait.Wait()
	defer cancel()
	s.conn.SetReadLimit(maxBody)
	if s.send("connection_ack", "", nil) != nil {
		return
	}
	s.mu.Lock()
	s.beat = time.AfterFunc(heartbeat, s.ping)
	s.mu.Unlock()
	defer s.beat.Stop()
	for {
		m, err := readMessage(s.conn)
		switch {
		case errors.Is(err, errBadMessage):
			_ = s.conn.Close(closeBadRequest, "Invalid message received")
			return
		case err != nil:
			return
		}
		if code, reason := s.handle(ctx, m); code != 0 {
			_ = s.conn.Close(code, reason)
			return
		}
	}
}

// handle returns with which code to close the connection, or 0.
func (s *socket) handle(ctx context.Context, m message) (code websocket.StatusCode, reason string) {
	switch m.Type {
	case "subscribe":
		return s.subscribe(ctx, m)
	case "complete":
		s.mu.Lock()
		defer s.mu.Unlock()
		if o := s.operations[m.ID]; o != nil {
			delete(s.operations, m.ID)
			o.cancel()
		}
	case "ping":
		_ = s.send("pong", "", m.Payload) // where it fails the connection has ended, which the next read finds out
	case "pong":
	case "connection_init":
		return closeTooManyInits, "Too many initialisation requests"
	default:
		return closeBadRequest, "Invalid message received"
	}
	return 0, ""
}

func (s *socket) subscribe(ctx context.Context, m message) (code websocket.StatusCode, reason string) {
	params := &graphql.RawParams{}
	params.ReadTime.Start = graphql.Now()
	var payload struct {
		Query         string
		OperationName string
		Variables     map[string]any
		Extensions    map[string]any
	}
	if m.ID == "" || decode(bytes.NewReader(m.Payload), &payload) != nil || payload.Query == "" {
		return closeBadRequest, "Invalid message: subscribe has an id and a payload with query"
	}
	params.Query, params.OperationName, params.Variables, params.Extensions = payload.Query, payload.OperationName, payload.Variables, payload.Extensions
	params.ReadTime.End = graphql.Now()

	ctx, cancel := context.WithCancel(graphql.StartOperationTrace(ctx))
	o := &operation{cancel}
	s.mu.Lock()
	known, full := s.operations[m.ID] != nil, s.running >= maxOperations
	if !known && !full {
		s.operations[m.ID] = o
		s.running++
	}
	s.mu.Unlock()
	switch {
	case known:
		cancel()
		return closeDuplicate, "Subscriber already exists"
	case full:
		cancel()
		s.fail(m.ID, gqlerror.List{refuse("RATE_LIMITED", "a connection may have %d operations at once: complete some first", maxOperations)})
		return 0, ""
	}
	op, errs := s.exec.CreateOperationContext(ctx, params) // one after the other: this costs more than anything else a client may ask for
	if errs != nil {
		s.forget(m.ID, o)
		s.fail(m.ID, s.exec.DispatchError(graphql.WithOperationContext(ctx, op), errs).Errors)
		s.done(o)
		return 0, ""
	}
	s.wait.Go(func() {
		defer s.done(o)
		s.run(ctx, m.ID, o, op)
	})
	return 0, ""
}

// run runs an operation to its end. The protocol has no word for that a subscription has begun, but lets a ping carry anything.
func (s *socket) run(ctx context.Context, id string, o *operation, op *graphql.OperationContext) {
	ctx = withBegun(ctx, func() {
		if ctx.Err() == nil {
			_ = s.send("ping", "", mustMarshal(map[string]string{"subscribed": id})) // where it fails the next message does
		}
	})
	dispatch(ctx, s.exec, op, func(response *graphql.Response) error {
		switch {
		case ctx.Err() != nil: // the client has completed it, or the connection ends
			return ctx.Err()
		case response.Data == nil:
			if s.forget(id, o) {
				s.fail(id, response.Errors)
			}
			return nil
		}
		var b bytes.Buffer
		_ = respond(&b, response) // a buffer takes everything
		return s.send("next", id, b.Bytes())
	})
	if ctx.Err() == nil && s.forget(id, o) {
		_ = s.send("complete", id, nil) // the connection has ended
	}
}

// forget lets the client use an operation's id again, which it may as soon as it hears of the end. It reports whether there is
// an end to tell of.
func (s *socket) forget(id string, o *operation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations[id] != o {
		return false
	}
	delete(s.operations, id)
	return true
}

func (s *socket) done(o *operation) {
	o.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
}

// fail ends an operation that did not come about.
func (s *socket) fail(id string, errs gqlerror.List) {
	_ = s.send("error", id, mustMarshal(errs)) // the connection has ended
}

// send writes a message. A client that does not read loses its connection.
func (s *socket) send(kind, id string, payload []byte) error {
	var b bytes.Buffer
	b.Grow(len(payload) + 64)
	b.WriteString(`{"type":"` + kind + `"`)
	if id != "" {
		b.WriteString(`,"id":`)
		b.Write(mustMarshal(id))
	}
	if len(payload) > 0 {
		b.WriteString(`,"payload":`)
		b.Write(payload)
	}
	b.WriteByte('}')
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, b.Bytes())
}

// ping asks whether the client is still there, and ends the connection where it is not.
func (s *socket) ping() {
	ctx, cancel := context.WithTimeout(context.Background(), pongTimeout)
	defer cancel()
	if s.conn.Ping(ctx) != nil {
		_ = s.conn.CloseNow() // it is gone either way
		return
	}
	if s.ctx.Err() == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.beat.Reset(heartbeat)
	}
}

// end closes the connection because the key or the process ends.
func (s *socket) end() {
	if context.Cause(s.ctx) == auth.ErrEnded {
		_ = s.conn.Close(closeUnauthorized, "Unauthorized: the API key was revoked or has expired")
		return
	}
	_ = s.conn.Close(websocket.StatusServiceRestart, "the server is ending: connect again")
}
