package main

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"patchbay/graph/model"
	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// promised is the API that clients were promised before it was built.
const promised = "../shared/design/api.graphqls"

// What is there of the promised API is there as it was promised: under the same names, with the same types, arguments,
// nullabilities and defaults.
func TestTheAPIIsAsPromised(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(promised); err != nil {
		t.Skipf("%s is not there: the promised API is compared only where it lies beside the checkout", promised)
	}
	promise, ours := schemaFrom(t, promised), schema(t)
	compared := 0
	for _, theirs := range promise.Types {
		def := ours.Types[theirs.Name]
		if theirs.BuiltIn || def == nil { // not built yet
			continue
		}
		if def.Kind != theirs.Kind {
			t.Errorf("%s is of kind %s, not %s", def.Name, def.Kind, theirs.Kind)
		}
		for _, v := range def.EnumValues {
			if theirs.EnumValues.ForName(v.Name) == nil {
				t.Errorf("%s.%s was not promised", def.Name, v.Name)
			}
		}
		for _, v := range theirs.EnumValues {
			if def.EnumValues.ForName(v.Name) == nil {
				t.Errorf("%s.%s is missing", def.Name, v.Name)
			}
		}
		for _, f := range def.Fields {
			promisedField := theirs.Fields.ForName(f.Name)
			if promisedField == nil { // an addition; inputs may only gain optional ones
				if def.Kind == ast.InputObject && f.Type.NonNull && f.DefaultValue == nil {
					t.Errorf("%s.%s was not promised and is required", def.Name, f.Name)
				}
				continue
			}
			compared++
			compareTypes(t, def.Name+"."+f.Name, f.Type, promisedField.Type, f.DefaultValue, promisedField.DefaultValue)
			for _, a := range promisedField.Arguments {
				where := def.Name + "." + f.Name + "(" + a.Name + ":)"
				if arg := f.Arguments.ForName(a.Name); arg == nil {
					t.Errorf("%s is missing", where)
				} else {
					compareTypes(t, where, arg.Type, a.Type, arg.DefaultValue, a.DefaultValue)
				}
			}
			for _, a := range f.Arguments {
				if promisedField.Arguments.ForName(a.Name) == nil && a.Type.NonNull && a.DefaultValue == nil {
					t.Errorf("%s.%s(%s:) was not promised and is required", def.Name, f.Name, a.Name)
				}
			}
		}
		// A type that is there is there as a whole, but for what needs types that are not.
		for _, f := range theirs.Fields {
			root := theirs == promise.Query || theirs == promise.Mutation || theirs == promise.Subscription
			if !root && def.Fields.ForName(f.Name) == nil && ours.Types[f.Type.Name()] != nil {
				t.Errorf("%s.%s is missing", def.Name, f.Name)
			}
		}
	}
	for _, d := range promise.Directives {
		if mine := ours.Directives[d.Name]; mine == nil || !slices.Equal(mine.Locations, d.Locations) {
			t.Errorf("@%s is not as promised", d.Name)
		}
	}
	if compared < 100 {
		t.Errorf("only %d fields were compared", compared)
	}
}

func compareTypes(t *testing.T, where string, got, promised *ast.Type, value, promisedValue *ast.Value) {
	t.Helper()
	if got.String() != promised.String() || value.String() != promisedValue.String() {
		t.Errorf("%s: %s = %s, but promised was %s = %s", where, got, value, promised, promisedValue)
	}
}

func TestEverythingInTheAPIIsDescribed(t *testing.T) {
	t.Parallel()
	check := func(where, description string) {
		if strings.TrimSpace(description) == "" {
			t.Errorf("%s has no description", where)
		}
	}
	s := schema(t)
	for _, def := range s.Types {
		if def.BuiltIn {
			continue
		}
		if def != s.Query && def != s.Mutation && def != s.Subscription {
			check(def.Name, def.Description)
		}
		for _, v := range def.EnumValues {
			check(def.Name+"."+v.Name, v.Description)
		}
		for _, f := range def.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			check(def.Name+"."+f.Name, f.Description)
			for _, a := range f.Arguments {
				check(def.Name+"."+f.Name+"("+a.Name+":)", a.Description)
			}
		}
	}
	for _, name := range []string{"authenticated", "hasRole"} {
		check("@"+name, s.Directives[name].Description)
		for _, a := range s.Directives[name].Arguments {
			check("@"+name+"("+a.Name+":)", a.Description)
		}
	}
}

// shown are the output fields whose names sound like a secret, and why each may be there.
var shown = map[string]string{
	"Provider.secretSettings":             "names",
	"PublicIntegration.configuredSecrets": "names",
	"PublicIntegration.secretChanges":     "names and times",
	"PublicIntegration.settings":          "those that are not secret",
	"Provider.settingsSchema":             "what to fill in",
	"PublicIntegration.hasConfiguration":  "whether there is one",
	"ApiKey.prefix":                       "a part too short to guess the rest by",
	"CreatedApiKey.apiKey":                "without the key",
	"CreatedApiKey.key":                   "the key, once",
	"Query.apiKeys":                       "without the keys",
	"Mutation.createApiKey":               "see CreatedApiKey",
	"Mutation.revealSettings":             "the one way to read secrets, off unless configured",
	"Mutation.revokeApiKey":               "without the key",
	"Mutation.rotateWebhookSecret":        "see WebhookSecret",
	"WebhookSecret.secret":                "the secret, once",
	"WebhookEndpoint.hasSecret":           "whether there is one",
	"EncryptionStatus.currentKeyId":       "a fingerprint",
	"EncryptionStatus.sealedRows":         "numbers",
	"SealedRows.keyId":                    "a fingerprint",
	"Mutation.rotateEncryptionKey":        "how far it is",
	"Mutation.testSettings":               "whether they work, and what they reach",
}

var soundsSecret = regexp.MustCompile(`(?i)secret|token|password|passphrase|credential|cipher|sealed|setting|config|key|prefix|hash`)

// No way through the schema leads to a secret: from the root fields on, no field is named like one but those in shown.
func TestNoOutputFieldIsASecret(t *testing.T) {
	t.Parallel()
	s := schema(t)
	seen := map[string]bool{}
	var walk func(def *ast.Definition)
	walk = func(def *ast.Definition) {
		if def == nil || seen[def.Name] || strings.HasPrefix(def.Name, "__") {
			return
		}
		seen[def.Name] = true
		for _, f := range def.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			name := def.Name + "." + f.Name
			if _, allowed := shown[name]; soundsSecret.MatchString(f.Name) && !allowed {
				t.Errorf("%s looks like a secret; if it is none, say so in shown", name)
			}
			walk(s.Types[f.Type.Name()])
		}
	}
	walk(s.Query)
	walk(s.Mutation)
	walk(s.Subscription)
	if !seen["PublicIntegration"] || !seen["CreatedApiKey"] {
		t.Errorf("the walk did not get far: %v", seen)
	}
	for name := range shown {
		def, field, _ := strings.Cut(name, ".")
		if s.Types[def] == nil || s.Types[def].Fields.ForName(field) == nil {
			t.Errorf("shown names %s, which does not exist", name)
		}
	}
}

// No Go type that an answer is made of can hold a secret.
func TestNoOutputTypeCanHoldASecret(t *testing.T) {
	t.Parallel()
	secret := map[reflect.Type]bool{
		reflect.TypeFor[integration.Settings](): true, reflect.TypeFor[integration.SecretText](): true,
		reflect.TypeFor[seal.Secret](): true, reflect.TypeFor[seal.Key](): true, reflect.TypeFor[seal.Ring](): true,
	}
	seen := map[reflect.Type]bool{}
	var walk func(path string, typ reflect.Type)
	walk = func(path string, typ reflect.Type) {
		if secret[typ] {
			t.Errorf("%s can hold a secret: it is a %s", path, typ)
		}
		if seen[typ] {
			return
		}
		seen[typ] = true
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			walk(path, typ.Elem())
		case reflect.Struct:
			for i := range typ.NumField() {
				walk(path+"."+typ.Field(i).Name, typ.Field(i).Type)
			}
		}
	}
	for _, root := range []reflect.Type{
		reflect.TypeFor[integration.PublicIntegration](), reflect.TypeFor[integration.Provider](), reflect.TypeFor[integration.Project](),
		reflect.TypeFor[integration.SyncState](), reflect.TypeFor[integration.APIKey](), reflect.TypeFor[integration.Principal](),
		reflect.TypeFor[model.CreatedAPIKey](), reflect.TypeFor[model.GalleryEntry](), reflect.TypeFor[model.PublicIntegrationConnection](),
		reflect.TypeFor[model.ProjectConnection](), reflect.TypeFor[model.Viewer](), reflect.TypeFor[model.AuditEventConnection](),
		reflect.TypeFor[integration.EncryptionStatus](), reflect.TypeFor[model.WebhookSecret](),
		reflect.TypeFor[model.SyncRunConnection](), reflect.TypeFor[model.SyncedObjectConnection](), reflect.TypeFor[integration.ExternalNode](),
		reflect.TypeFor[integration.ConnectionTest](), reflect.TypeFor[model.WebhookDeliveryConnection](), reflect.TypeFor[model.IntegrationChange](),
	} {
		walk(root.String(), root)
	}
	// The list is whole: every output object of the schema is one of these Go types.
	names := map[string]bool{"Query": true, "Mutation": true, "Subscription": true}
	for typ := range seen {
		names[strings.ToLower(typ.Name())] = true
	}
	for _, def := range schema(t).Types {
		if def.Kind == ast.Object && !def.BuiltIn && !names[def.Name] && !names[strings.ToLower(def.Name)] {
			t.Errorf("no Go type for %s was looked at: add it to the list", def.Name)
		}
	}
}
