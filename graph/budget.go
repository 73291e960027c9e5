package graph

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"patchbay/internal/auth"
	"patchbay/internal/integration"
	"patchbay/internal/ratelimit"
)

// rootPoints is what a field of the root takes of a budget beside its complexity, and what an operation takes at least:
// receiving a request and asking the database takes the server about as long as writing a hundred fields.
const rootPoints = 100

// balanceKey is where an operation's statistics have its principal's ratelimit.Balance.
const balanceKey = "balance"

// spend takes points from the budget of the principal, if there is one, for an operation that took some before, and
// refuses it where they are not left.
func (l *limits) spend(ctx context.Context, points, before int) *gqlerror.Error {
	p, stranger := auth.Principal(ctx)
	if stranger != nil || l.budgets == nil {
		return nil
	}
	balance := l.budgets.Spend(p, points, before)
	graphql.GetOperationContext(ctx).Stats.SetExtension(balanceKey, balance)
	if balance.RetryAfter > 0 {
		return gqlerror.Wrap(integration.RateLimited(balance.RetryAfter,
			"the operation takes %d points or more, and %d of %d a minute are left: wait, or ask for less", before+points, balance.Remaining, balance.Limit))
	}
	return nil
}

// tellBalance tells the client what is left of its budget, in the words of draft-ietf-httpapi-ratelimit-headers-11.
func tellBalance(w http.ResponseWriter, op *graphql.OperationContext) {
	balance, ok := op.Stats.GetExtension(balanceKey).(ratelimit.Balance)
	if !ok {
		return
	}
	w.Header().Set("RateLimit-Policy", `"points";q=`+strconv.Itoa(balance.Limit)+`;w=60`)
	w.Header().Set("RateLimit", `"points";r=`+strconv.Itoa(balance.Remaining))
}

// tooMany begins the answer to a request too many, in every media type with 429: that is what proxies and the clients'
// HTTP libraries act on.
func tooMany(w http.ResponseWriter, err *integration.Error) {
	w.Header().Set("Retry-After", strconv.Itoa(err.RetryAfterSeconds()))
	w.WriteHeader(http.StatusTooManyRequests)
}

// turnAway answers whose address has shown too many bad credentials, before anything is read.
func turnAway(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := auth.Principal(r.Context())
		var limited *integration.Error
		if err == nil || !errors.As(err, &limited) || limited.Kind != integration.KindRateLimited {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Vary", "Accept")
		w.Header().Set("Content-Type", cmp.Or(negotiate(r.Header.Get("Accept")), typeJSON)+"; charset=utf-8")
		tooMany(w, limited)
		respond(w, &graphql.Response{Errors: gqlerror.List{show(limited, nil)}})
	})
}
