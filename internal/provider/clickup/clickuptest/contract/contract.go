// Package contract checks requests and answers against the OpenAPI documents that ClickUp publishes. It is for tests.
package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"patchbay/internal/provider/clickup/clickuptest"
)

// documents are ClickUp's, with what precedes their paths.
var documents = []struct{ file, prefix string }{
	{"clickup-api-v2-reference.json", "/api"},
	{"ClickUp_PUBLIC_API_V3.json", ""},
}

// ErrAbsent is where ClickUp's documents are not beside the repository: they are not ours to copy into it.
var ErrAbsent = errors.New("ClickUp's OpenAPI documents are not in ../shared/contracts/clickup beside the repository, so nothing was checked against them")

// A Contract is what ClickUp's documents say, but for the deviations.
type Contract struct {
	operations []*operation
}

type operation struct {
	name       string   // such as "GET /api/v2/list/{list_id}/task"
	segments   []string // of the path; those in braces stand for any
	parameters []parameter
	body       *jsonschema.Schema // nil for none
	answers    map[int]*jsonschema.Schema
}

type parameter struct {
	Name     string
	In       string
	Required bool
	Schema   struct {
		Type    string
		Enum    []any
		Minimum *float64
		Maximum *float64
		Items   struct{ Type string }
	}
}

var opened = sync.OnceValues(open)

// Open reads the documents, once.
func Open() (*Contract, error) { return opened() }

func open() (*Contract, error) {
	folder, err := find()
	if err != nil {
		return nil, err
	}
	c := &Contract{}
	for _, d := range documents {
		raw, err := os.ReadFile(filepath.Join(folder, d.file))
		if errors.Is(err, os.ErrNotExist) {
			return nil, ErrAbsent
		}
		if err != nil {
			return nil, err
		}
		if err := c.read(raw, d.file, d.prefix); err != nil {
			return nil, fmt.Errorf("%s: %w", d.file, err)
		}
	}
	return c, nil
}

// find looks for the documents from the repository's root, which is where go.mod is.
func find() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return filepath.Join(at, "..", "shared", "contracts", "clickup"), nil
		}
		if at == filepath.Dir(at) {
			return "", ErrAbsent
		}
		at = filepath.Dir(at)
	}
}

func (c *Contract) read(raw []byte, file, prefix string) error {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	root := document.(map[string]any)
	nullable(root)
	if err := deviate(root, prefix); err != nil {
		return err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(file, root); err != nil {
		return err
	}
	for path, methods := range root["paths"].(map[string]any) {
		item := methods.(map[string]any)
		for _, method := range []string{"get", "post", "put", "delete"} {
			declared, ok := item[method].(map[string]any)
			if !ok {
				continue
			}
			o := &operation{name: strings.ToUpper(method) + " " + prefix + path, segments: strings.Split(prefix+path, "/"), answers: map[int]*jsonschema.Schema{}}
			if err := o.read(compiler, root, item, declared, file, path, method); err != nil {
				return fmt.Errorf("%s: %w", o.name, err)
			}
			c.operations = append(c.operations, o)
		}
	}
	return nil
}

func (o *operation) read(compiler *jsonschema.Compiler, root, item, declared map[string]any, file, path, method string) error {
	at := file + "#/paths/" + url.PathEscape(pointer.Replace(path)) + "/" + method
	for _, of := range []map[string]any{item, declared} {
		all, _ := of["parameters"].([]any)
		for _, one := range all {
			p, err := readParameter(root, one)
			if err != nil {
				return err
			}
			o.parameters = append(o.parameters, p)
		}
	}
	if body, ok := declared["requestBody"].(map[string]any); ok {
		if content := resolve(root, body)["content"].(map[string]any); content["application/json"] != nil {
			schema, err := compiler.Compile(at + "/requestBody/content/application~1json/schema")
			if err != nil {
				return err
			}
			o.body = schema
		}
	}
	for status, one := range declared["responses"].(map[string]any) {
		number, err := strconv.Atoi(status)
		if err != nil {
			continue // "default"
		}
		content, _ := resolve(root, one)["content"].(map[string]any)
		media, ok := content["application/json"].(map[string]any)
		if !ok || media["schema"] == nil {
			o.answers[number] = nil // any
			continue
		}
		if o.answers[number], err = compiler.Compile(at + "/responses/" + status + "/content/application~1json/schema"); err != nil {
			return err
		}
	}
	return nil
}

func readParameter(root map[string]any, declared any) (parameter, error) {
	var p parameter
	one := resolve(root, declared)
	flat := map[string]any{"name": one["name"], "in": one["in"], "required": one["required"], "schema": resolve(root, one["schema"])}
	raw, err := json.Marshal(flat)
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	return p, err
}

// Wrap reports what in requests and answers breaks the contract. The handler behind it answers as without.
func (c *Contract) Wrap(next http.Handler, report func(error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := c.operation(r)
		if o == nil {
			report(fmt.Errorf("%s %s: ClickUp's API has no such path", r.Method, r.URL.Path))
			next.ServeHTTP(w, r)
			return
		}
		if err := o.checkRequest(r); err != nil {
			report(fmt.Errorf("request %s: %w", o.name, err))
		}
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		if w.Header().Get(clickuptest.TroubleHeader) != "" {
			return // an answer that is meant to be wrong
		}
		if err := o.checkAnswer(rec.status, rec.body.Bytes()); err != nil {
			report(fmt.Errorf("answer to %s: %w", o.name, err))
		}
	})
}

// Checked is Wrap for a test, which fails. Where the documents are absent it says so, and checks nothing.
func Checked(t testing.TB, next http.Handler) http.Handler {
	t.Helper()
	c, err := Open()
	if errors.Is(err, ErrAbsent) {
		t.Log(err)
		return next
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.Wrap(next, func(err error) { t.Error(err) })
}

type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.body.Write(b)
	return r.ResponseWriter.Write(b)
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// operation is nil for a path that ClickUp does not have. Where two fit, the one with fewer parameters is meant.
func (c *Contract) operation(r *http.Request) *operation {
	asked := strings.Split(r.URL.Path, "/")
	var best *operation
	for _, o := range c.operations {
		if strings.HasPrefix(o.name, r.Method+" ") && o.fits(asked) && (best == nil || o.placeholders() < best.placeholders()) {
			best = o
		}
	}
	return best
}

func (o *operation) fits(asked []string) bool {
	return slices.EqualFunc(o.segments, asked, func(declared, got string) bool {
		return declared == got || strings.HasPrefix(declared, "{") && got != ""
	})
}

func (o *operation) placeholders() int {
	return strings.Count(o.name, "{")
}

func (o *operation) checkRequest(r *http.Request) error {
	var problems []error
	if r.Header.Get("Authorization") == "" && !strings.HasSuffix(o.name, "/oauth/token") {
		problems = append(problems, errors.New("the header Authorization is missing"))
	}
	query := r.URL.Query()
	asked := strings.Split(r.URL.Path, "/")
	for _, p := range o.parameters {
		switch p.In { // the only header declared is Content-Type, which OpenAPI says to ignore as a parameter
		case "path":
			for i, segment := range o.segments {
				if segment == "{"+p.Name+"}" {
					problems = append(problems, p.check(asked[i]))
				}
			}
		case "query":
			values, given := query[p.Name]
			if p.Required && !given {
				problems = append(problems, fmt.Errorf("the parameter %s is missing", p.Name))
			}
			if p.Schema.Type != "array" && len(values) > 1 {
				problems = append(problems, fmt.Errorf("the parameter %s is given %d times", p.Name, len(values)))
			}
			for _, v := range values {
				problems = append(problems, p.check(v))
			}
			delete(query, p.Name)
		}
	}
	for name := range query {
		problems = append(problems, fmt.Errorf("the parameter %s is not known", name))
	}
	if o.body != nil {
		problems = append(problems, o.checkBody(r))
	}
	return errors.Join(problems...)
}

// check judges a path's or query's text by the type that it is declared to have.
func (p *parameter) check(value string) error {
	kind := p.Schema.Type
	if kind == "array" {
		kind = p.Schema.Items.Type
	}
	wrong := fmt.Errorf("the parameter %s is %q, which is no %s", p.Name, value, kind)
	switch kind {
	case "number", "integer":
		number, err := strconv.ParseFloat(value, 64)
		if err != nil || kind == "integer" && number != float64(int64(number)) {
			return wrong
		}
		if p.Schema.Minimum != nil && number < *p.Schema.Minimum || p.Schema.Maximum != nil && number > *p.Schema.Maximum {
			return fmt.Errorf("the parameter %s is %s, which is out of bounds", p.Name, value)
		}
	case "boolean":
		if value != "true" && value != "false" {
			return wrong
		}
	}
	if len(p.Schema.Enum) > 0 && !slices.Contains(p.Schema.Enum, any(value)) {
		return fmt.Errorf("the parameter %s is %q, which is none of %v", p.Name, value, p.Schema.Enum)
	}
	return nil
}

func (o *operation) checkBody(r *http.Request) error {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	r.Body = io.NopCloser(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	if kind := r.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		return fmt.Errorf("the body's Content-Type is %q, not application/json", kind)
	}
	return conforms(o.body, raw)
}

// checkAnswer judges errors that the documents do not declare, which is most, by the form that ClickUp's page on errors
// gives them.
func (o *operation) checkAnswer(status int, body []byte) error {
	schema, declared := o.answers[status]
	switch {
	case declared && schema != nil:
		return conforms(schema, body)
	case declared && json.Valid(body):
		return nil
	case declared:
		return errors.New("the body is not valid JSON")
	}
	var failure struct {
		Err   string `json:"err"`
		Ecode string `json:"ECODE"`
	}
	if err := json.Unmarshal(body, &failure); err != nil || status < 400 || status > 499 || failure.Err == "" || failure.Ecode == "" {
		return fmt.Errorf(`status %d is not declared, and the body is not {"err": …, "ECODE": …}`, status)
	}
	return nil
}

func conforms(schema *jsonschema.Schema, body []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the body is not valid JSON: %w", err)
	}
	return schema.Validate(value)
}
