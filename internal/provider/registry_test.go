package provider_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// acme is a provider with one setting of each kind.
func acme() provider.Declaration {
	return provider.Declaration{
		Name:             "acme",
		DisplayName:      "Acme",
		Description:      "Imports the notes of Acme.",
		DocumentationURL: "https://acme.example.com/docs",
		Capabilities:     integration.ProviderCapabilities{SupportsImport: true},
		SettingsSchema: `{
			"$schema": "https://json-schema.org/draft/2020-12/schema",
			"title": "Acme settings",
			"type": "object",
			"additionalProperties": false,
			"required": ["token", "account"],
			"properties": {
				"token": {"title": "Token", "description": "A token.", "type": "string", "writeOnly": true, "maxLength": 64},
				"private_key": {"title": "Key", "description": "A PEM file.", "type": "string", "writeOnly": true,
					"contentMediaType": "application/x-pem-file"},
				"account": {"title": "Account", "description": "An account.", "type": "string", "minLength": 3, "maxLength": 8},
				"note": {"title": "Note", "description": "A note.", "type": "string", "minLength": 1},
				"region": {"title": "Region", "description": "Where it is.", "type": "string", "enum": ["eu", "us"]},
				"server": {"title": "Server", "description": "Its address.", "type": "string", "format": "uri"},
				"contact": {"title": "Contact", "description": "Whom to ask.", "type": "string", "format": "email"},
				"deep": {"title": "Deep", "description": "Whether all.", "type": "boolean"},
				"pages": {"title": "Pages", "description": "How many.", "type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 3},
				"tags": {"title": "Tags", "description": "Which ones.", "type": "array", "minItems": 2, "maxItems": 3,
					"uniqueItems": true,
					"items": {"type": "string", "pattern": "^[a-z]+$", "x-expected": "a tag in small letters, such as \"red\""}}
			}
		}`,
		Aliases: map[string][]string{"token": {"apiKey", "api_key"}, "account": {"accountName"}},
	}
}

func registry(t *testing.T, declarations ...provider.Declaration) *provider.Registry {
	t.Helper()
	r, err := provider.NewRegistry("https://patchbay.example.com", declarations...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCatalogueShowsWhatAProviderDeclares(t *testing.T) {
	got := registry(t, acme()).Catalogue().Provider("acme")
	if title := got.SettingsSchema["title"]; title != "Acme settings" {
		t.Errorf("the published schema has the title %v", title)
	}
	if _, ok := got.SettingsSchema["required"].([]any); !ok {
		t.Errorf("the published schema has the required names %v", got.SettingsSchema["required"])
	}
	documentation := "https://acme.example.com/docs"
	want := &integration.Provider{
		Name:             "acme",
		DisplayName:      "Acme",
		Description:      "Imports the notes of Acme.",
		LogoURL:          "https://patchbay.example.com/logos/acme.svg",
		DocumentationURL: &documentation,
		Capabilities:     integration.ProviderCapabilities{SupportsImport: true},
		SettingsSchema:   got.SettingsSchema,
		SecretSettings:   []string{"private_key", "token"},
		RequiredSettings: []string{"account", "token"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestADeclarationThatIsWrongIsRefused(t *testing.T) {
	replaceSchema := func(old, new string) func(*provider.Declaration) {
		return func(d *provider.Declaration) {
			if !strings.Contains(d.SettingsSchema, old) {
				panic("the schema does not contain " + old)
			}
			d.SettingsSchema = strings.Replace(d.SettingsSchema, old, new, 1)
		}
	}
	for _, c := range []struct {
		name   string
		change func(*provider.Declaration)
		want   string // part of the error
	}{
		{"schema is no JSON", func(d *provider.Declaration) { d.SettingsSchema = "{" }, "is not a JSON object"},
		{"schema is no schema", replaceSchema(`"type": "boolean"`, `"type": "yes or no"`), "settings schema is invalid"},
		{"required is no list", replaceSchema(`["token", "account"]`, `"token"`), "settings schema is invalid"},
		{"pattern is no expression", replaceSchema("^[a-z]+$", "["), "settings schema is invalid"},
		{"older dialect", replaceSchema("draft/2020-12", "draft/2019-09"), "must have $schema"},
		{"no title", replaceSchema("Acme settings", ""), "has no title"},
		{"no object", replaceSchema(`"type": "object",`, ``), "must have type object"},
		{"unknown settings allowed", replaceSchema(`"additionalProperties": false,`, ``), "additionalProperties false"},
		{"unknown settings of a kind allowed", replaceSchema(`"additionalProperties": false`, `"additionalProperties": {"type": "string"}`), "additionalProperties false"},
		{"property without a title", replaceSchema(`"title": "Token", `, ``), `setting "token": it has no title`},
		{"property without a description", replaceSchema(`"description": "An account.", `, ``), `setting "account": it has no description`},
		{"property without a type", replaceSchema(`"type": "boolean"`, `"default": true`), `setting "deep": it must be of type`},
		{"property of two types", replaceSchema(`"type": "boolean"`, `"type": ["boolean", "null"]`), "not one that a simple form can render"},
		{"property of type object", replaceSchema(`"type": "boolean"`, `"type": "object"`), `setting "deep": it must be of type`},
		{"secret that is no string", replaceSchema(`"type": "boolean"`, `"type": "boolean", "writeOnly": true`), `setting "deep": it is writeOnly`},
		{"list of secrets", replaceSchema(`"pattern": "^[a-z]+$"`, `"writeOnly": true`), `setting "tags": its items are writeOnly`},
		{"list of numbers", replaceSchema(`"items": {"type": "string"`, `"items": {"type": "integer"`), `setting "tags": it is an array`},
		{"list without an end", replaceSchema(`"maxItems": 3,`, ``), `setting "tags": it is an array, so it must have maxItems`},
		{"integer without a range", replaceSchema(`"maximum": 9, `, ``), `setting "pages": it is an integer`},
		{"pattern without words", replaceSchema("x-expected", "x-unexpected"), `setting "tags": it has a pattern`},
		{"format that is not checked", replaceSchema(`"format": "uri"`, `"format": "web-address"`), `setting "server": its format`},
		{"help that is no address", replaceSchema(`"type": "boolean"`, `"type": "boolean", "x-help": "javascript:alert(1)"`), `setting "deep": its x-help`},
		{"section of no form", replaceSchema(`"type": "boolean"`, `"type": "boolean", "x-section": "advanced"`), `setting "deep": its x-section`},
		{"choices of nothing", replaceSchema(`"type": "boolean"`, `"type": "boolean", "x-choices": "workspaces"`), `setting "deep": its x-choices`},
		{"setting with a dot", replaceSchema(`"deep": {`, `"how.deep": {`), `setting "how.deep": its name`},
		{"required is no property", replaceSchema(`["token", "account"]`, `["token", "acount"]`), `setting "acount" is required, but no property`},
		{"alias is a setting", func(d *provider.Declaration) { d.Aliases["token"] = []string{"account"} }, `setting "token": its alias "account" is the name of a setting`},
		{"alias of two settings", func(d *provider.Declaration) { d.Aliases["account"] = []string{"apiKey"} }, `setting "token": its alias "apiKey" is an alias of "account" already`},
		{"alias given twice", func(d *provider.Declaration) { d.Aliases["token"] = []string{"apiKey", "apiKey"} }, `alias "apiKey" is an alias of "token" already`},
		{"alias of nothing", func(d *provider.Declaration) { d.Aliases["tokn"] = []string{"key"} }, `setting "tokn" has aliases, but is no property`},
		{"alias that is no name", func(d *provider.Declaration) { d.Aliases["token"] = []string{"api.key"} }, `its alias "api.key" must match`},
		{"name that is no slug", func(d *provider.Declaration) { d.Name = "Acme Inc." }, "the name must match"},
		{"no description", func(d *provider.Declaration) { d.Description = "" }, "a description"},
		{"origin without https", func(d *provider.Declaration) { d.APIOrigin = "http://api.acme.example.com" }, "the API's origin must be https:// and a host"},
		{"origin with a path", func(d *provider.Declaration) { d.APIOrigin = "https://api.acme.example.com/v2" }, "the API's origin must be https:// and a host"},
		{"documentation is no address", func(d *provider.Declaration) { d.DocumentationURL = "acme.example.com" }, "the documentation URL must be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := acme()
			c.change(&d)
			_, err := provider.NewRegistry("https://patchbay.example.com", d)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), `provider "`+d.Name+`": `) {
				t.Errorf("the error is %q, want it to name %q and to say %q", err, d.Name, c.want)
			}
		})
	}
}

func TestAProviderDeclaredTwiceIsRefused(t *testing.T) {
	_, err := provider.NewRegistry("https://patchbay.example.com", acme(), acme())
	if err == nil || err.Error() != `provider "acme" is declared twice` {
		t.Errorf("the error is %v", err)
	}
}
