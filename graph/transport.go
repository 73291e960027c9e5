package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"patchbay/internal/integration"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 1 << 20

const (
	typeJSON     = "application/json"
	typeResponse = "application/graphql-response+json"
)

// overHTTP serves GET for queries and POST for all operations, as the GraphQL over HTTP draft words it. gqlgen's own
// transports do not pass its audits, bound no body, and echo a bad one.
type overHTTP struct{}

var _ graphql.Transport = overHTTP{}

func (overHTTP) Supports(*http.Request) bool { return true }

func (overHTTP) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	w.Header().Set("Vary", "Accept")
	contentType := negotiate(r.Header.Get("Accept"))
	if contentType == "" {
		http.Error(w, "Accept must allow "+typeResponse+" or "+typeJSON+".", http.StatusNotAcceptable)
		return
	}
	w.Header().Set("Content-Type", contentType+"; charset=utf-8")
	params, ok := receive(w, r)
	if !ok {
		return
	}
	op, errs := exec.CreateOperationContext(r.Context(), params)
	tellBalance(w, op)
	if errs == nil && op.Operation.Operation == ast.Subscription {
		errs = gqlerror.List{refuse("BAD_USER_INPUT", "a subscription is a stream: send it with Accept: %s, or over a WebSocket", typeEvents)}
	}
	if errs != nil {
		var limited *integration.Error
		switch {
		case errors.As(errs[0], &limited) && limited.Kind == integration.KindRateLimited:
			tooMany(w, limited)
		case contentType == typeResponse:
			w.WriteHeader(http.StatusBadRequest)
		}
		_ = respond(w, exec.DispatchError(graphql.WithOperationContext(r.Context(), op), errs))
		return
	}
	if !allowed(w, r, op) {
		return
	}
	dispatch(r.Context(), exec, op, func(response *graphql.Response) error { return respond(w, response) })
}

// receive reads the request of one operation. Where it cannot, it answers why.
func receive(w http.ResponseWriter, r *http.Request) (params *graphql.RawParams, ok bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodGet+", "+http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, "send operations by POST, or queries and subscriptions by GET")
		return nil, false
	}
	params = &graphql.RawParams{Headers: r.Header}
	params.ReadTime.Start = graphql.Now()
	if status, problem := read(w, r, params); problem != "" {
		answer(w, status, problem)
		return nil, false
	}
	params.ReadTime.End = graphql.Now()
	return params, true
}

// allowed refuses mutations by GET, which pages of other origins may make browsers send.
func allowed(w http.ResponseWriter, r *http.Request, op *graphql.OperationContext) bool {
	if r.Method == http.MethodGet && op.Operation.Operation == ast.Mutation {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, "a mutation cannot be sent by GET: send it by POST")
		return false
	}
	return true
}

// answer refuses a request before there is an operation.
func answer(w http.ResponseWriter, status int, problem string) {
	w.WriteHeader(status)
	_ = respond(w, &graphql.Response{Errors: gqlerror.List{refuse("BAD_USER_INPUT", "%s", problem)}}) // the client is gone
}

// negotiate picks the media type to answer with; empty means that the client takes neither.
func negotiate(accept string) string {
	if accept == "" {
		return typeJSON
	}
	for part := range strings.SplitSeq(accept, ",") {
		switch mediaType, _, _ := mime.ParseMediaType(strings.TrimSpace(part)); mediaType {
		case typeResponse:
			return typeResponse
		case typeJSON, "*/*", "application/*":
			return typeJSON
		}
	}
	return ""
}

// read fills params from the request. Where it cannot, it says with which status and why; never by quoting the body,
// which may hold secrets.
func read(w http.ResponseWriter, r *http.Request, params *graphql.RawParams) (status int, problem string) {
	if r.Method == http.MethodGet {
		q := r.URL.Query()
		for _, v := range []string{"query", "operationName", "variables", "extensions"} {
			if !utf8.ValidString(q.Get(v)) {
				return http.StatusBadRequest, v + " must be valid UTF-8"
			}
		}
		params.Query, params.OperationName = q.Get("query"), q.Get("operationName")
		for name, into := range map[string]*map[string]any{"variables": &params.Variables, "extensions": &params.Extensions} {
			if v := q.Get(name); v != "" && decode(strings.NewReader(v), into) != nil {
				return http.StatusBadRequest, name + " must be a JSON object"
			}
		}
	} else {
		if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != typeJSON {
			return http.StatusUnsupportedMediaType, "Content-Type must be " + typeJSON
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return http.StatusRequestEntityTooLarge, "the body may have at most 1 MiB"
		}
		if !utf8.Valid(body) { // the decoder would replace what is not, in secrets too
			return http.StatusBadRequest, "the body must be valid UTF-8"
		}
		var op struct {
			Query         string
			OperationName string
			Variables     map[string]any
			Extensions    map[string]any
		}
		if err == nil {
			err = decode(bytes.NewReader(body), &op)
		}
		params.Query, params.OperationName, params.Variables, params.Extensions = op.Query, op.OperationName, op.Variables, op.Extensions
		if err != nil {
			return http.StatusBadRequest, "the body must be one JSON object with query and, optionally, operationName, variables and extensions"
		}
	}
	if params.Query == "" {
		return http.StatusBadRequest, "query is missing"
	}
	return 0, ""
}

// decode reads one JSON value, with numbers as they were written, and nothing behind it.
func decode(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.Join(errors.New("more than one JSON value"), err)
	}
	return nil
}

// respond writes a response; it fails where the client is gone. The data is JSON already: it is copied, where json.Marshal would check and compact it again.
func respond(w io.Writer, res *graphql.Response) error {
	var b bytes.Buffer
	b.Grow(len(res.Data) + 64)
	entry := func(name string, value []byte) {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + name + `":`)
		b.Write(value)
	}
	b.WriteByte('{')
	if len(res.Errors) > 0 {
		entry("errors", mustMarshal(res.Errors))
	}
	if res.Data != nil {
		entry("data", res.Data)
	}
	if len(res.Extensions) > 0 {
		entry("extensions", mustMarshal(res.Extensions))
	}
	b.WriteByte('}')
	_, err := w.Write(b.Bytes())
	return err
}

// mustMarshal encodes what this package made of strings and numbers.
func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
