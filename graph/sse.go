package graph

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"patchbay/internal/auth"
)

const typeEvents = "text/event-stream"

// overSSE serves operations of any kind as streams of server-sent events, as the protocol GraphQL over SSE words it for
// distinct connections. gqlgen's own transport bounds no body, and logs a bad one.
type overSSE struct{ *Resolver }

var _ graphql.Transport = overSSE{}

// Supports takes only who prefers a stream: urql names the type last in the Accept of every query.
func (overSSE) Supports(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Accept"), typeEvents)
}

func (s overSSE) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	w.Header().Set("Vary", "Accept")
	w.Header().Set("Content-Type", typeJSON+"; charset=utf-8") // unless it becomes a stream
	params, ok := receive(w, r)
	if !ok {
		return
	}
	op, errs := exec.CreateOperationContext(r.Context(), params)
	if errs == nil && !allowed(w, r, op) {
		return
	}
	streamHeader(w.Header())
	w.Header().Set("Content-Type", typeEvents+"; charset=utf-8")
	w.Header().Set("Connection", "close") // its deadlines are no other request's
	out := newEvents(w)
	defer out.close()
	switch _, stranger := auth.Principal(r.Context()); {
	case errs != nil:
		_ = out.next(exec.DispatchError(graphql.WithOperationContext(r.Context(), op), errs)) // the client is gone
	case op.Operation.Operation == ast.Subscription && stranger == nil:
		if !s.stream(r.Context(), exec, op, out) {
			return
		}
	default:
		dispatch(r.Context(), exec, op, out.next)
	}
	out.complete()
}

// stream sends a subscription's events, and reports whether they are complete: where this server ends, clients are to connect
// to another one.
func (s overSSE) stream(ctx context.Context, exec graphql.GraphExecutor, op *graphql.OperationContext, out *events) bool {
	ctx, release := s.lasting(ctx)
	defer release()
	dispatch(withBegun(ctx, out.begin), exec, op, out.next)
	switch context.Cause(ctx) {
	case nil:
		return true
	case auth.ErrEnded:
		return out.next(&graphql.Response{Errors: gqlerror.List{expired()}}) == nil
	default:
		return false
	}
}

// events writes server-sent events.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController

	mu     sync.Mutex
	beat   *time.Timer
	closed bool
}

func newEvents(w http.ResponseWriter) *events {
	e := &events{w: w, control: http.NewResponseController(w)}
	_ = e.control.SetReadDeadline(time.Time{}) // the server's own would end the stream; a recorder of tests has none
	return e
}

// begin tells the client that its subscription is open, and sends comments while there is nothing to say.
func (e *events) begin() {
	_ = e.write(":\n\n") // the next write fails too
	e.mu.Lock()
	defer e.mu.Unlock()
	e.beat = time.AfterFunc(heartbeat, func() { _ = e.write(":\n\n") }) // the server notices itself that the client is gone
}

func (e *events) next(response *graphql.Response) error {
	var b bytes.Buffer
	b.WriteString("event: next\ndata: ")
	if err := respond(&b, response); err != nil {
		return err
	}
	b.WriteString("\n\n")
	return e.write(b.String())
}

func (e *events) complete() {
	_ = e.write("event: complete\ndata:\n\n") // the client is gone
}

func (e *events) write(text string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return io.ErrClosedPipe
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // a recorder of tests has none
	if _, err := io.WriteString(e.w, text); err != nil {
		return err
	}
	if e.beat != nil {
		e.beat.Reset(heartbeat)
	}
	return e.control.Flush()
}

// close ends the writing, before the response is.
func (e *events) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	if e.beat != nil {
		e.beat.Stop()
	}
}
