package graph

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"

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
	srv.SetDisableSuggestion(true)
	srv.SetValidationRulesFn(withoutSuggestions)
	srv.SetErrorPresenter(presenter(o.Log, o.RequestID))
	srv.SetRecoverFunc(recovered(o.Log))
	srv.Use(&limits{})
	srv.AroundRootFields(rootAccess)
	return srv
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
