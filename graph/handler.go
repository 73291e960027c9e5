package graph

import (
	"context"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"patchbay/graph/generated"
	"patchbay/internal/auth"
)

const (
	// cachedQueries and cachedLength bound the memory of the cache of parsed and validated operations: clients send few
	// different ones, and a parsed one takes some twenty times its text.
	cachedQueries = 500
	cachedLength  = 8 << 10 // bytes
)

// operations is that cache. What strangers send is not worth remembering, and what is long would fill the memory.
type operations struct {
	graphql.Cache[*ast.QueryDocument]
}

// Add implements graphql.Cache.
func (c operations) Add(ctx context.Context, query string, parsed *ast.QueryDocument) {
	if _, stranger := auth.Principal(ctx); stranger == nil && len(query) <= cachedLength {
		c.Cache.Add(ctx, query, parsed)
	}
}

// NewHandler makes the handler of /graphql. Who a request runs as is found out before, by package auth. requestID returns
// the id that INTERNAL errors name, for finding the log lines.
func NewHandler(r *Resolver, requestID func(context.Context) string) http.Handler {
	srv := handler.New(generated.NewExecutableSchema(generated.Config{
		Resolvers:  r,
		Directives: directives,
		Complexity: costs(),
	}))
	srv.AddTransport(overWebSocket{r})
	srv.AddTransport(overSSE{r})
	srv.AddTransport(overHTTP{})
	srv.SetQueryCache(operations{lru.New[*ast.QueryDocument](cachedQueries)})
	srv.SetParserTokenLimit(maxTokens)
	srv.SetDisableSuggestion(true)
	srv.SetValidationRulesFn(withoutSuggestions)
	present := presenter(r.Log, requestID)
	srv.SetErrorPresenter(present)
	srv.SetRecoverFunc(recovered(r.Log))
	srv.Use(&limits{budgets: r.Budgets})
	srv.AroundRootFields(r.rootAccess)
	srv.AroundOperations(subscriptionAccess(present))
	return turnAway(srv)
}

// withoutSuggestions are the rules that operations are validated by, with the variants that do not ask "Did you mean":
// the schema is for the signed-in. SetDisableSuggestion replaces but two of them.
func withoutSuggestions() *rules.Rules {
	r := rules.NewDefaultRules()
	for name, quiet := range map[string]core.Rule{
		"KnownArgumentNames":  rules.KnownArgumentNamesRuleWithoutSuggestions,
		"KnownTypeNames":      rules.KnownTypeNamesRuleWithoutSuggestions,
		"ValuesOfCorrectType": rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
	} {
		r.ReplaceRule(name, quiet.RuleFunc)
	}
	return r
}
