package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"patchbay/internal/integration"
)

func TestEveryKindOfErrorHasACode(t *testing.T) {
	for kind := integration.KindInvalid; kind <= integration.KindProvider; kind++ {
		if codes[kind] == "" {
			t.Errorf("kind %d has no code", kind)
		}
	}
}

// A panic's value may quote anything, so neither the log nor the client gets it.
func TestAPanicsValueIsNotShown(t *testing.T) {
	const secret = "pk_42_ABCDEFGH"
	for _, value := range []any{secret, errors.New(secret), fmt.Errorf("wrapped: %w", errors.New(secret)), []string{secret}, &integration.Error{Message: secret}} {
		var log bytes.Buffer
		err := recovered(slog.New(slog.NewTextHandler(&log, nil)))(context.Background(), value)
		if strings.Contains(log.String()+err.Error()+fmt.Sprintf("%+v", err), secret[:6]) {
			t.Errorf("a panic with a %T shows it: %v\n%s", value, err, log.String())
		}
		if !strings.Contains(log.String(), "TestAPanicsValueIsNotShown") {
			t.Errorf("the log has no stack: %s", log.String())
		}
	}
}

type panics struct{ value any }

func (p panics) Read([]byte) (int, error) { panic(p.value) }

func TestAPanicIsAnInternalErrorToTheClient(t *testing.T) {
	const secret = "pk_42_ABCDEFGH"
	var log bytes.Buffer
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/graphql", panics{secret})
	r.Header.Set("Content-Type", "application/json")
	strangers(&log).ServeHTTP(w, r)
	want(t, w.Code, http.StatusInternalServerError)
	want(t, w.Body.String(), `{"errors":[{"message":"internal error; the server's log has the details under this request id","extensions":{"code":"INTERNAL","requestId":"request-1"}}],"data":null}`)
	if strings.Contains(log.String(), secret[:6]) || !strings.Contains(log.String(), "panic of type string") {
		t.Errorf("the log: %s", log.String())
	}
}

// Messages of the parser and the validation say where and what, and repeat no value.
func TestMessagesRepeatNoValue(t *testing.T) {
	for message, rest := range map[string]string{
		`Unexpected String "secret"`:                                                   `Unexpected String`,
		`Unexpected BlockString "line\n\"secret\""`:                                    `Unexpected BlockString`,
		`Expected "on", found Name "secret"`:                                           `Expected "on", found Name`,
		`Expected Name, found String`:                                                  `Expected Name, found String`,
		`Invalid character escape sequence: \u secret`:                                 `Invalid character escape sequence`,
		"Int cannot represent non-integer value: \"a\nsecret\"":                        `Int cannot represent non-integer value`,
		`Boolean cannot represent a non boolean value: "value: secret"`:                `Boolean cannot represent a non boolean value`,
		`String cannot represent a non string value: ["secret"]`:                       `String cannot represent a non string value`,
		`Enum "Role!" cannot represent non-enum value: "secret".`:                      `Enum "Role!" cannot represent non-enum value`,
		`Expected value of type "Role!", found "secret".`:                              `Expected value of type "Role!"`,
		`Value "secret" does not exist in "Role!" enum.`:                               `The value does not exist in "Role!" enum`,
		`secret is not a valid Role`:                                                   `not a valid Role`,
		`operation secret not found`:                                                   `the query has no operation of that name`,
		`Cannot query field "rolle" on type "Viewer".`:                                 `Cannot query field "rolle" on type "Viewer".`,
		`Field "CreateProjectInput.name" of required type "String!" was not provided.`: `Field "CreateProjectInput.name" of required type "String!" was not provided.`,
	} {
		want(t, withoutValues(&gqlerror.Error{Message: message}).Message, rest)
	}
}

// Every violation becomes an entry of its own, in order, however they were joined.
func TestJoinedErrorsAreShownOneByOne(t *testing.T) {
	invalid := func(field string) error { return integration.Invalid(field, "%s is wrong", field) }
	joined := errors.Join(invalid("a"), errors.Join(invalid("b"), errors.Join(invalid("c"))), nil, invalid("d"))
	ctx := graphql.WithResponseContext(context.Background(), presenter(slog.New(slog.DiscardHandler), nil), graphql.DefaultRecover)
	graphql.AddError(ctx, joined)
	var fields []any
	for _, e := range graphql.GetErrors(ctx) {
		fields = append(fields, e.Extensions["field"])
	}
	want(t, fields, []any{"a", "b", "c", "d"})
}

func TestAProvidersFailureNamesItAndTheReason(t *testing.T) {
	failed := integration.ProviderFailed("clickup", integration.ReasonAuthFailed, "ClickUp answered 401 to GET /api/v2/team")
	ctx := graphql.WithResponseContext(context.Background(), presenter(slog.New(slog.DiscardHandler), nil), graphql.DefaultRecover)
	graphql.AddError(ctx, fmt.Errorf("test the connection: %w", failed))
	want(t, graphql.GetErrors(ctx)[0].Message, "ClickUp answered 401 to GET /api/v2/team")
	want(t, graphql.GetErrors(ctx)[0].Extensions, map[string]any{"code": "PROVIDER_ERROR", "provider": "clickup", "reason": "auth_failed"})
}

func TestAProvidersFailureTellsWhenAnotherTryMayDo(t *testing.T) {
	failed := integration.ProviderFailed("clickup", integration.ReasonRateLimited, "used up")
	failed.RetryAfter = 29_500 * time.Millisecond
	ctx := graphql.WithResponseContext(context.Background(), presenter(slog.New(slog.DiscardHandler), nil), graphql.DefaultRecover)
	graphql.AddError(ctx, failed)
	want(t, graphql.GetErrors(ctx)[0].Extensions, map[string]any{"code": "PROVIDER_ERROR", "provider": "clickup", "reason": "rate_limited", "retryAfterSeconds": 30})
}
