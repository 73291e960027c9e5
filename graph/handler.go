package graph

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"

	"patchbay/graph/generated"
)

// cachedQueries bounds the cache of parsed and validated operations; clients send few different ones.
const cachedQueries = 1000

// Options are what the handler needs of its surroundings.
type Options struct {
	Log *slog.Logger
	// RequestID returns the id that INTERNAL errors name, for finding the log lines.
	RequestID func(context.Context) string
}

// NewHandler makes the handler of /graphql. Who a request runs as is found out before, by package auth.
func NewHandler(r *Resolver, o Options) http.Handler {
	srv := handler.New(generated.NewExecutableSchema(generated.Config{
		Resolvers:  r,
		Directives: directives,
		Complexity: costs(),
	}))
	srv.AddTransport(overHTTP{})
	srv.SetQueryCache(lru.New[*ast.QueryDocument](cachedQueries))
	srv.SetParserTokenLimit(maxTokens)
	srv.SetDisableSuggestion(true) // the schema is for the signed-in
	srv.SetErrorPresenter(presenter(o.Log, o.RequestID))
	srv.SetRecoverFunc(recovered(o.Log))
	srv.Use(&limits{})
	srv.AroundRootFields(rootAccess)
	return srv
}
