package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// What cannot be an operation is refused before anything is read of it, with a status and a word on what to send.
func TestRequestsThatAreNoOperation(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	before := contents(t, c.db)
	const typename = `{"query":"{ __typename }"}`
	deep := `{"query":"{ __typename }","variables":{"a":` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + `}}`
	for name, r := range map[string]struct {
		contentType, body string
		status            int
		message           string
	}{
		"text":                 {"text/plain", typename, 415, "Content-Type must be application/json"},
		"a form":               {"application/x-www-form-urlencoded", "query={__typename}", 415, "Content-Type must be application/json"},
		"a multipart form":     {"multipart/form-data; boundary=x", "--x--", 415, "Content-Type must be application/json"},
		"no type":              {"", typename, 415, "Content-Type must be application/json"},
		"over 1 MiB":           {"application/json", `{"query":"{ __typename }","variables":{"a":"` + strings.Repeat("a", 1<<20) + `"}}`, 413, "the body may have at most 1 MiB"},
		"over 1 MiB, no JSON":  {"application/json", strings.Repeat("a", 1<<21), 413, "the body may have at most 1 MiB"},
		"nothing":              {"application/json", "", 400, notOneObject},
		"no JSON":              {"application/json", "query { viewer }", 400, notOneObject},
		"a list":               {"application/json", "[" + typename + "]", 400, notOneObject},
		"a string":             {"application/json", `"{ __typename }"`, 400, notOneObject},
		"something behind it":  {"application/json", typename + typename, 400, notOneObject},
		"garbage behind it":    {"application/json", typename + "x", 400, notOneObject},
		"deep JSON":            {"application/json", deep, 400, notOneObject},
		"a number as query":    {"application/json", `{"query":1}`, 400, notOneObject},
		"variables in a list":  {"application/json", `{"query":"{ __typename }","variables":[]}`, 400, notOneObject},
		"null":                 {"application/json", "null", 400, "query is missing"},
		"no query":             {"application/json", "{}", 400, "query is missing"},
		"invalid UTF-8":        {"application/json", "{\"query\":\"{ __typename }\",\"variables\":{\"a\":\"\xff\"}}", 400, "the body must be valid UTF-8"},
		"half a character":     {"application/json", "{\"query\":\"{ __typename # \xc3 }\"}", 400, "the body must be valid UTF-8"},
		"UTF-16 with its mark": {"application/json", "\xfe\xff\x00{\x00}", 400, "the body must be valid UTF-8"},
	} {
		res, body := c.send(t, http.MethodPost, "/graphql", r.body, "Content-Type", r.contentType, "Authorization", "Bearer "+c.key)
		wanted, _ := json.Marshal(map[string]any{"errors": []any{map[string]any{"message": r.message, "extensions": map[string]any{"code": "BAD_USER_INPUT"}}}})
		if res.StatusCode != r.status || !sameJSON(body, string(wanted)) {
			t.Errorf("%s: got %d %s, want %d %s", name, res.StatusCode, body, r.status, wanted)
		}
	}
	want(t, contents(t, c.db), before)
}

const notOneObject = "the body must be one JSON object with query and, optionally, operationName, variables and extensions"

func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

func TestOperationsThatAskForTooMuch(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	bomb := `{ viewer { ...F0 } }`
	for i := range 60 {
		bomb += fmt.Sprintf(" fragment F%d on Viewer { ...F%d ...F%d }", i, i+1, i+1)
	}
	bomb += ` fragment F60 on Viewer { role }`
	for name, o := range map[string]struct{ query, code, message string }{
		"too deep":               {`{ __type(name: "Query") ` + strings.Repeat("{ ofType ", 15) + "{ name }" + strings.Repeat(" }", 15) + ` }`, "BAD_USER_INPUT", "17 fields deep"},
		"too costly":             {`{ a: integrations(orgId: "acme", projectId: "` + c.project + `", first: 200) { nodes { ` + manyAliases(210) + ` } } }`, "BAD_USER_INPUT", "complexity"},
		"fragments that double":  {bomb, "BAD_USER_INPUT", "more than 20000 fields"},
		"too many tokens":        {`{ viewer { ` + strings.Repeat("role ", 3000) + ` } }`, "GRAPHQL_PARSE_FAILED", "token limit"},
		"braces without end":     {strings.Repeat("{a", 900), "GRAPHQL_PARSE_FAILED", ""},
		"a fragment in itself":   {`{ viewer { ...F } } fragment F on Viewer { ...F }`, "GRAPHQL_VALIDATION_FAILED", "itself"},
		"an unknown field":       {`{ viewer { rolle } }`, "GRAPHQL_VALIDATION_FAILED", `Cannot query field "rolle" on type "Viewer".`},
		"a field below a scalar": {`{ viewer { role { a } } }`, "GRAPHQL_VALIDATION_FAILED", ""},
		"no operation":           {`fragment F on Viewer { role }`, "GRAPHQL_VALIDATION_FAILED", ""},
		"only a comment":         {`# nothing`, "GRAPHQL_", ""},
	} {
		for _, key := range []string{"", c.key} { // for strangers too, at once
			a := c.as(key).try(t, o.query)
			if a.Data != nil || len(a.Errors) == 0 {
				t.Errorf("%s: %s", name, a.raw)
				continue
			}
			code, _ := a.Errors[0].Extensions["code"].(string)
			if key != "" && (!strings.HasPrefix(code, o.code) || !strings.Contains(a.Errors[0].Message, o.message)) {
				t.Errorf("%s: %s", name, a.raw)
			}
		}
	}
}

func manyAliases(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d: name ", i)
	}
	return b.String()
}

// The largest page with everything that an integration shows fits the limits, asked for as nodes and as edges at once.
func TestTheLargestPageWithEveryFieldIsAllowed(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "linear"}).wantErrors(t)
	s := schema(t)
	scalars := func(typeName string) string {
		var fields []string
		for _, f := range s.Types[typeName].Fields {
			if t := s.Types[f.Type.Name()]; !strings.HasPrefix(f.Name, "__") && t.IsLeafType() {
				fields = append(fields, f.Name)
			}
		}
		return strings.Join(fields, " ")
	}
	state := scalars("SyncState") + ` lastSynced { kind externalId } mappings { kind externalId target } schedule { everyMinutes cron timeZone }`
	node := scalars("PublicIntegration") + ` provider { ` + scalars("Provider") + ` capabilities { ` + scalars("ProviderCapabilities") + ` } } syncState { ` + state + ` }`
	a := c.do(t, `query($org: ID!, $p: UUID!) { integrations(orgId: $org, projectId: $p, first: 200) {
		nodes { `+node+` } edges { cursor node { `+node+` } } pageInfo { `+scalars("PageInfo")+` } totalCount } }`)
	want(t, a.get(t, "integrations", "edges", 0, "node"), a.get(t, "integrations", "nodes", 0))

	c.do(t, `query($org: ID!, $p: UUID!) {
		gallery(orgId: $org, projectId: $p) { provider { `+scalars("Provider")+` } integrations { `+node+` } }
		projects(orgId: $org, first: 200) { nodes { `+scalars("Project")+` } }
		apiKeys(orgId: $org) { `+scalars("ApiKey")+` }
		syncStates(orgId: $org, projectId: $p) { `+state+` }
		viewer { `+scalars("Viewer")+` } }`)
}

// What GraphiQL and code generators ask: the question of graphql-js with every option on.
const introspection = `query IntrospectionQuery {
  __schema {
    description
    queryType { name }
    mutationType { name }
    subscriptionType { name }
    types { ...FullType }
    directives {
      name
      description
      isRepeatable
      locations
      args(includeDeprecated: true) { ...InputValue }
    }
  }
}
fragment FullType on __Type {
  kind
  name
  description
  specifiedByURL
  isOneOf
  fields(includeDeprecated: true) {
    name
    description
    args(includeDeprecated: true) { ...InputValue }
    type { ...TypeRef }
    isDeprecated
    deprecationReason
  }
  inputFields(includeDeprecated: true) { ...InputValue }
  interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) {
    name
    description
    isDeprecated
    deprecationReason
  }
  possibleTypes { ...TypeRef }
}
fragment InputValue on __InputValue {
  name
  description
  type { ...TypeRef }
  defaultValue
  isDeprecated
  deprecationReason
}
fragment TypeRef on __Type {
  kind name
  ofType { kind name
    ofType { kind name
      ofType { kind name
        ofType { kind name
          ofType { kind name
            ofType { kind name
              ofType { kind name
                ofType { kind name
                  ofType { kind name } } } } } } } } }
}`

func TestTheSchemaIsForTheSignedIn(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	a := c.as(c.server.key(t, "acme", "viewer")).do(t, introspection)
	want(t, a.text(t, "__schema", "queryType", "name"), "Query")
	if len(a.get(t, "__schema", "types").([]any)) < 30 {
		t.Errorf("few types in %s", a.raw)
	}
	stranger := c.as("")
	for _, query := range []string{
		introspection,
		`{ __type(name: "Query") { name } }`,
		`{ ...F } fragment F on Query { s: __schema { types { name } } }`,
		`{ ... @include(if: false) { __schema { types { name } } } }`,
	} {
		refused := stranger.try(t, query)
		refused.wantErrors(t, "UNAUTHENTICATED")
		want(t, refused.Data, map[string]any(nil))
	}
	want(t, stranger.do(t, `{ __typename }`).Data, map[string]any{"__typename": "Query"})
	stranger.try(t, `{ viewer { rol } }`).wantErrors(t, "GRAPHQL_VALIDATION_FAILED")
	if a := stranger.try(t, `{ viewr { role } provider(nam: "x") { name } ... on Provder { name } }`); strings.Contains(a.raw, "Did you mean") {
		t.Errorf("a stranger is told names: %s", a.raw)
	}
}
