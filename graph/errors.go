package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"patchbay/internal/integration"
)

// codes maps what went wrong to the API's extensions.code. Whatever is not in it is INTERNAL.
var codes = map[integration.Kind]string{
	integration.KindInvalid:         "BAD_USER_INPUT",
	integration.KindUnauthenticated: "UNAUTHENTICATED",
	integration.KindForbidden:       "FORBIDDEN",
	integration.KindNotFound:        "NOT_FOUND",
	integration.KindConflict:        "CONFLICT",
	integration.KindUnreadable:      "CREDENTIALS_UNREADABLE",
	integration.KindRateLimited:     "RATE_LIMITED",
	integration.KindProvider:        "PROVIDER_ERROR",
}

const codeInternal = "INTERNAL"

// presenter turns a resolver's error into what a client sees. Several joined errors become as many entries. An error
// that is not made for clients is logged in full and shown as INTERNAL with the request's id.
func presenter(log *slog.Logger, requestID func(context.Context) string) graphql.ErrorPresenterFunc {
	var present graphql.ErrorPresenterFunc
	present = func(ctx context.Context, err error) *gqlerror.Error {
		var located *gqlerror.Error
		cause := err
		path := graphql.GetPath(ctx)
		if errors.As(err, &located) {
			path = located.Path
			if located.Err == nil {
				return withoutValues(located) // gqlgen's own: a query that does not parse, validate or fit the limits
			}
			cause = located.Err
		}
		if joined, ok := cause.(interface{ Unwrap() []error }); ok {
			all := joined.Unwrap()
			for _, one := range all[:len(all)-1] {
				graphql.AddError(ctx, one)
			}
			return present(ctx, all[len(all)-1])
		}
		var own *integration.Error
		if !errors.As(cause, &own) {
			id := requestID(ctx)
			if !errors.Is(ctx.Err(), context.Canceled) { // the client is gone, and nobody hears
				log.ErrorContext(ctx, "a GraphQL field failed", "path", path.String(), "error", cause)
			}
			return &gqlerror.Error{
				Message:    "internal error; the server's log has the details under this request id",
				Path:       path,
				Extensions: map[string]any{"code": codeInternal, "requestId": id},
			}
		}
		shown := show(own, path)
		field := own.Field
		if field == "" && own.Kind == integration.KindInvalid {
			field, shown.Path = argument(ctx, path)
		}
		if field != "" {
			shown.Extensions["field"] = field
		}
		if own.Kind == integration.KindProvider {
			shown.Extensions["provider"], shown.Extensions["reason"] = own.Provider, string(own.Reason)
		}
		return shown
	}
	return present
}

// show is what a client sees of an error that is made for it.
func show(own *integration.Error, path ast.Path) *gqlerror.Error {
	shown := &gqlerror.Error{Message: own.Message, Path: path, Extensions: map[string]any{"code": codes[own.Kind]}}
	if own.Kind == integration.KindRateLimited || own.RetryAfter > 0 {
		shown.Extensions["retryAfterSeconds"] = own.RetryAfterSeconds()
	}
	return shown
}

// quotes are the messages of gqlgen and its parser that repeat what the client wrote, which may be a secret in the
// wrong place, and what remains of them. The location tells the client where to look.
var quotes = []struct {
	message *regexp.Regexp
	rest    string
}{
	{regexp.MustCompile(`(?s)^(Unexpected \S+|Expected .*, found \S+) ".*$`), "$1"},
	{regexp.MustCompile(`(?s)^(Invalid character escape sequence).*$`), "$1"},
	{regexp.MustCompile(`(?s)^(.* cannot represent .* value): .*$`), "$1"},
	{regexp.MustCompile(`(?s)^(Expected value of type "[^"]*"), found .*$`), "$1"},
	{regexp.MustCompile(`(?s)^Value ".*" does not exist in ("[^"]*" enum).*$`), "The value does not exist in $1"},
	{regexp.MustCompile(`(?s)^.* is not a valid (\w+)$`), "not a valid $1"},
	{regexp.MustCompile(`(?s)^operation .* not found$`), "the query has no operation of that name"},
}

func withoutValues(err *gqlerror.Error) *gqlerror.Error {
	for _, q := range quotes {
		if q.message.MatchString(err.Message) {
			err.Message = q.message.ReplaceAllString(err.Message, q.rest)
			break
		}
	}
	return err
}

// argument splits the path of an argument that could not be read: gqlgen reports one as the field's path with the
// argument's own behind it. What lies in the argument input is named as from there, as everywhere else.
func argument(ctx context.Context, path ast.Path) (name string, field ast.Path) {
	field = path
	if fc := graphql.GetFieldContext(ctx); fc != nil {
		field = fc.Path()
	}
	if len(path) <= len(field) {
		return "", path
	}
	var parts []string
	for _, element := range path[len(field):] {
		parts = append(parts, fmt.Sprint(element))
	}
	if len(parts) > 1 && parts[0] == "input" {
		parts = parts[1:]
	}
	return strings.Join(parts, "."), field
}

// recovered turns a resolver's panic into an error. The panic's value is not logged: it may quote anything.
func recovered(log *slog.Logger) graphql.RecoverFunc {
	return func(ctx context.Context, value any) error {
		what := fmt.Sprintf("panic of type %T", value)
		log.ErrorContext(ctx, "a resolver panicked", "panic", what, "stack", string(debug.Stack()))
		return errors.New(what)
	}
}
