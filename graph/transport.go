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
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodGet+", "+http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		respond(w, &graphql.Response{Errors: gqlerror.List{refuse("BAD_USER_INPUT", "send operations by POST, or queries by GET")}})
		return
	}
	params := &graphql.RawParams{Headers: r.Header}
	params.ReadTime.Start = graphql.Now()
	if status, problem := read(w, r, params); problem != "" {
		w.WriteHeader(status)
		respond(w, &graphql.Response{Errors: gqlerror.List{refuse("BAD_USER_INPUT", "%s", problem)}})
		return
	}
	params.ReadTime.End = graphql.Now()

	op, errs := exec.CreateOperationContext(r.Context(), params)
	tellBalance(w, op)
	if errs != nil {
		var limited *integration.Error
		switch {
		case errors.As(errs[0], &limited) && limited.Kind == integration.KindRateLimited:
			tooMany(w, limited)
		case contentType == typeResponse:
			w.WriteHeader(http.StatusBadRequest)
		}
		respond(w, exec.DispatchError(graphql.WithOperationContext(r.Context(), op), errs))
		return
	}
	if r.Method == http.MethodGet && op.Operation.Operation != ast.Query {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		respond(w, &graphql.Response{Errors: gqlerror.List{refuse("BAD_USER_INPUT", "only queries can be sent by GET: send a %s by POST", op.Operation.Operation)}})
		return
	}
	responses, ctx := exec.DispatchOperation(r.Context(), op)
	response := responses(ctx)
	if response == nil { // the client is gone
		return
	}
	if response.Data == nil {
		response.Data = json.RawMessage("null") // it was executed, so it has an entry
	}
	respond(w, response)
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

// respond writes a response. The data is JSON already: it is copied, where json.Marshal would check and compact it again.
func respond(w io.Writer, res *graphql.Response) {
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
	_, _ = w.Write(b.Bytes()) // the client is gone; there is nobody to tell
}

// mustMarshal encodes what this package made of strings and numbers.
func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
