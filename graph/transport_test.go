package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
)

// strangers serves without a database, as to strangers.
func strangers(log *bytes.Buffer) http.Handler {
	return NewHandler(&Resolver{Catalogue: integration.NewCatalogue(), Log: slog.New(slog.NewTextHandler(log, nil))}, func(context.Context) string { return "request-1" })
}

func send(t *testing.T, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	strangers(&bytes.Buffer{}).ServeHTTP(w, r)
	return w
}

func want(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

const typename = `{"query":"{ __typename }"}`

// The newer media type tells by the status that a request was no operation; the older one always says 200.
func TestTheAnswersMediaTypeIsNegotiated(t *testing.T) {
	const response, old = "application/graphql-response+json; charset=utf-8", "application/json; charset=utf-8"
	for _, test := range []struct {
		accept, contentType string
		unparsable          int
	}{
		{"", old, 200},
		{"*/*", old, 200},
		{"application/*", old, 200},
		{"application/json", old, 200},
		{"application/json; charset=utf-8", old, 200},
		{"text/html, application/json;q=0.9, */*;q=0.8", old, 200},
		{"application/graphql-response+json", response, 400},
		{"application/graphql-response+json; charset=utf-8, application/json;q=0.9", response, 400},
		{"application/json, application/graphql-response+json", old, 200},
	} {
		w := send(t, "POST", "/graphql", typename, "Content-Type", "application/json", "Accept", test.accept)
		want(t, w.Code, 200)
		want(t, w.Header().Get("Content-Type"), test.contentType)
		want(t, w.Header().Get("Vary"), "Accept")
		want(t, w.Body.String(), `{"data":{"__typename":"Query"}}`)
		broken := send(t, "POST", "/graphql", `{"query":"{"}`, "Content-Type", "application/json", "Accept", test.accept)
		want(t, broken.Code, test.unparsable)
	}
	for _, accept := range []string{"text/html", "image/*", "nonsense", "application/xml, text/plain"} {
		w := send(t, "POST", "/graphql", typename, "Content-Type", "application/json", "Accept", accept)
		want(t, w.Code, http.StatusNotAcceptable)
	}
}

func TestContentTypesThatAreTaken(t *testing.T) {
	for contentType, status := range map[string]int{
		"application/json":                         200,
		"application/json; charset=utf-8":          200,
		"APPLICATION/JSON":                         200,
		"":                                         415,
		"text/plain":                               415,
		"application/graphql":                      415,
		"application/x-www-form-urlencoded":        415,
		"multipart/form-data; boundary=a":          415,
		"application/json, text/plain":             415,
		"text/plain; application/json":             415,
		"application/graphql-response+json":        415,
		"application/json-patch+json":              415,
		"application/json; charset=utf-8; =broken": 415,
	} {
		if w := send(t, "POST", "/graphql", typename, "Content-Type", contentType); w.Code != status {
			t.Errorf("%q: %d", contentType, w.Code)
		}
	}
}

func TestGETOfAQuery(t *testing.T) {
	get := func(parameters ...string) (int, string) {
		q := url.Values{}
		for i := 0; i < len(parameters); i += 2 {
			q.Set(parameters[i], parameters[i+1])
		}
		w := send(t, "GET", "/graphql?"+q.Encode(), "")
		return w.Code, w.Body.String()
	}
	const two = `query A($yes: Boolean!) { a: __typename @include(if: $yes) } query B { b: __typename }`
	for _, test := range []struct {
		parameters []string
		status     int
		body       string
	}{
		{[]string{"query", "{ __typename }"}, 200, `{"data":{"__typename":"Query"}}`},
		{[]string{"query", two, "operationName", "B"}, 200, `{"data":{"b":"Query"}}`},
		{[]string{"query", two, "operationName", "A", "variables", `{"yes":true}`}, 200, `{"data":{"a":"Query"}}`},
		{[]string{"query", two, "operationName", "A", "variables", `{"yes":false}`}, 200, `{"data":{}}`},
		{[]string{"query", "{ __typename }", "variables", "", "extensions", "{}"}, 200, `{"data":{"__typename":"Query"}}`},
		{[]string{"query", two, "operationName", "C"}, 200, `{"errors":[{"message":"the query has no operation of that name","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`},
		{nil, 400, `{"errors":[{"message":"query is missing","extensions":{"code":"BAD_USER_INPUT"}}]}`},
		{[]string{"query", "{ __typename }", "variables", "[]"}, 400, `{"errors":[{"message":"variables must be a JSON object","extensions":{"code":"BAD_USER_INPUT"}}]}`},
		{[]string{"query", "{ __typename }", "extensions", "x"}, 400, `{"errors":[{"message":"extensions must be a JSON object","extensions":{"code":"BAD_USER_INPUT"}}]}`},
		{[]string{"query", "{ __typename }", "variables", `{"a":"` + "\xff" + `"}`}, 400, `{"errors":[{"message":"variables must be valid UTF-8","extensions":{"code":"BAD_USER_INPUT"}}]}`},
		{[]string{"query", "mutation { revokeApiKey(id: 1) { id } }"}, 405, `{"errors":[{"message":"a mutation cannot be sent by GET: send it by POST","extensions":{"code":"BAD_USER_INPUT"}}]}`},
	} {
		status, body := get(test.parameters...)
		want(t, status, test.status)
		want(t, body, test.body)
	}
}

func TestMethodsThatAreNotTaken(t *testing.T) {
	for _, method := range []string{"PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"} {
		w := send(t, method, "/graphql", typename, "Content-Type", "application/json")
		want(t, w.Code, http.StatusMethodNotAllowed)
		want(t, w.Header().Get("Allow"), "GET, POST")
	}
}

// What was executed has data, if only null; what was not has none.
func TestDataIsThereWhereAnOperationWasExecuted(t *testing.T) {
	for query, data := range map[string]string{
		`{ __typename }`: `{"__typename":"Query"}`,
		`{ __typename provider(name: "x") { name } }`: `{"__typename":"Query","provider":null}`,
		`{ __typename viewer { role } }`:              `null`,
		`mutation { revokeApiKey(id: "x") { id } }`:   `null`,
		`{`:                               "",
		`{ nonsense }`:                    "",
		`{ __schema { types { name } } }`: "",
		`query($v: Int!) { viewer @skip(if: $v) { role }}`: "",
		`# nothing`: "",
	} {
		body, err := json.Marshal(map[string]any{"query": query})
		if err != nil {
			t.Fatal(err)
		}
		w := send(t, "POST", "/graphql", string(body), "Content-Type", "application/json")
		var answer map[string]json.RawMessage
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s: %v in %s", query, err, w.Body)
		}
		if string(answer["data"]) != data {
			t.Errorf("%s: the data are %s", query, w.Body)
		}
		if _, has := answer["data"]; has != (data != "") {
			t.Errorf("%s: %s", query, w.Body)
		}
		if data != `{"__typename":"Query"}` && len(answer["errors"]) == 0 {
			t.Errorf("%s: no errors in %s", query, w.Body)
		}
	}
}

// A client that goes away while its operation runs is no failure of the server.
func TestAClientThatGoesAwayIsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var log bytes.Buffer
	r := httptest.NewRequestWithContext(ctx, "POST", "/graphql", strings.NewReader(typename))
	r.Header.Set("Content-Type", "application/json")
	strangers(&log).ServeHTTP(httptest.NewRecorder(), r)
	want(t, log.String(), "")
}
