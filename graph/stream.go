package graph

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"patchbay/internal/auth"
)

const (
	// requestTimeout bounds a query or mutation, so that statements that wait for a lock do not hold every connection for ever.
	requestTimeout = 30 * time.Second
	// writeTimeout bounds how long a stream waits for a client that does not read.
	writeTimeout = 10 * time.Second
	// heartbeat is how often something is sent where there is nothing to say: proxies end what is silent for a minute.
	heartbeat = 15 * time.Second
)

// errEnding is the cause of the end of streams where the process ends.
var errEnding = errors.New("the server is ending")

// lasting is ctx as long as something lasting may run: until release, the end of the principal's key, with the cause
// auth.ErrEnded, or that of the process, with errEnding.
func (r *Resolver) lasting(ctx context.Context) (lasting context.Context, release func()) {
	held, letGo := r.Keys.Hold(ctx)
	lasting, cancel := context.WithCancelCause(held)
	stop := context.AfterFunc(r.Live.Draining(), func() { cancel(errEnding) })
	return lasting, func() {
		stop()
		cancel(nil)
		letGo()
	}
}

// begunKey is the key of what withBegun puts into a context.
type begunKey struct{}

// withBegun has begun called as soon as a subscription that runs with ctx misses nothing, which only its resolver knows, before
// its first response. Of one that is refused it is not called.
func withBegun(ctx context.Context, begun func()) context.Context {
	return context.WithValue(ctx, begunKey{}, begun)
}

// tellBegun calls what withBegun was given.
func tellBegun(ctx context.Context) {
	if begun, ok := ctx.Value(begunKey{}).(func()); ok {
		begun()
	}
}

// dispatch runs an operation and hands each of its responses to send, until there is none more or send fails. Of a
// subscription that did not come about the only response has no data.
func dispatch(ctx context.Context, exec graphql.GraphExecutor, op *graphql.OperationContext, send func(*graphql.Response) error) {
	subscribes := op.Operation.Operation == ast.Subscription
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !subscribes {
		ctx, cancel = context.WithTimeout(ctx, requestTimeout)
		defer cancel()
	}
	defer func() {
		if v := recover(); v != nil {
			_ = send(exec.DispatchError(graphql.WithOperationContext(ctx, op), gqlerror.List{gqlerror.Wrap(op.Recover(ctx, v))}))
		}
	}()
	responses, ctx := exec.DispatchOperation(ctx, op)
	for {
		response := responses(ctx)
		if response == nil { // it is over, or the client is gone
			return
		}
		if !subscribes && response.Data == nil {
			response.Data = json.RawMessage("null") // it was executed, so it has an entry
		}
		if err := send(response); err != nil || !subscribes {
			return
		}
	}
}

// streamHeader tells proxies and browsers to hand a stream on as it comes.
func streamHeader(h http.Header) {
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no") // nginx
}

// expired is what subscribers are told when their key ends.
func expired() *gqlerror.Error {
	return refuse("UNAUTHENTICATED", "%s", auth.ErrEnded)
}
