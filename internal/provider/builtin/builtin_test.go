package builtin_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/provider/builtin"
	"patchbay/internal/seal"
)

// formKeywords are what a simple form generator renders.
var formKeywords = []string{
	"title", "description", "type", "default", "examples", "enum", "format", "pattern", "x-expected", "writeOnly",
	"x-help", "x-section", "x-choices",
	"minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "uniqueItems", "items",
}

// capabilities are what this server can do with each provider; nothing with those that are not here.
var capabilities = map[string]integration.ProviderCapabilities{
	"clickup": {SupportsImport: true, SupportsIncrementalSync: true, SupportsWebhooks: true, SupportsWebhookRegistration: true},
}

func newRegistry(t *testing.T) *provider.Registry {
	t.Helper()
	r, err := provider.NewRegistry("https://patchbay.example.com", builtin.All()...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEveryDeclarationIsComplete(t *testing.T) {
	r := newRegistry(t)
	for _, p := range r.Catalogue().All() {
		t.Run(p.Name, func(t *testing.T) {
			if strings.Count(p.Description, ".") != 1 || !strings.HasSuffix(p.Description, ".") {
				t.Errorf("the description is not one sentence: %q", p.Description)
			}
			if diff := cmp.Diff(capabilities[p.Name], p.Capabilities); diff != "" {
				t.Errorf("the capabilities are not what this server can do: %s", diff)
			}
			for name, schema := range p.SettingsSchema["properties"].(map[string]any) {
				checkProperty(t, r, p, name, schema.(map[string]any))
			}
		})
	}
}

func checkProperty(t *testing.T, r *provider.Registry, p *integration.Provider, name string, schema map[string]any) {
	for keyword := range schema {
		if !slices.Contains(formKeywords, keyword) {
			t.Errorf("%s has %s, which a simple form does not render", name, keyword)
		}
	}
	if title, description := schema["title"].(string), schema["description"].(string); len(title) < 4 || !strings.HasSuffix(description, ".") {
		t.Errorf("%s has the title %q and the description %q", name, title, description)
	}
	values, _ := schema["examples"].([]any)
	if standard, ok := schema["default"]; ok {
		values = append(values, standard)
	}
	for _, value := range values {
		if _, err := r.Change(p.Name, map[string]any{name: value}); err != nil {
			t.Errorf("a default or example is refused: %v", err)
		}
	}
	secret := slices.Contains(p.SecretSettings, name)
	if secret && schema["x-help"] == nil {
		t.Errorf("%s is secret, and nothing shows where it is found", name)
	}
	switch {
	case secret && (schema["type"] != "string" || schema["maxLength"] == nil || len(values) > 0):
		t.Errorf("%s is secret, so it must be a string with a maxLength, no default and no examples", name)
	case !secret && schema["type"] == "boolean" && schema["default"] == nil:
		t.Errorf("%s is a boolean without a default", name)
	case !secret && schema["type"] == "string" && schema["maxLength"] == nil && schema["pattern"] == nil:
		t.Errorf("%s is a string of any length", name)
	}
}

func TestWhatCanBeImportedHasAConnection(t *testing.T) {
	for _, d := range builtin.All() {
		if d.Capabilities.SupportsImport != (d.Connect != nil) {
			t.Errorf("%s says that it can import: %v, and that it has a connection: %v", d.Name, d.Capabilities.SupportsImport, d.Connect != nil)
		}
		if d.Connect != nil && (d.Limit.Requests <= 0 || d.Limit.Window <= 0) {
			t.Errorf("%s has no limit: %+v", d.Name, d.Limit)
		}
	}
}

func TestWhoseWebhooksAreListenedToAndKept(t *testing.T) {
	r := newRegistry(t)
	for _, d := range builtin.All() {
		if d.Capabilities.SupportsWebhooks != (d.Webhooks != nil) || r.Webhooks(d.Name) != d.Webhooks {
			t.Errorf("%s says that it has webhooks: %v, and how they are read: %v", d.Name, d.Capabilities.SupportsWebhooks, r.Webhooks(d.Name))
		}
		if d.Webhooks != nil && !r.SignsWebhooks(d.Name) {
			t.Errorf("%s signs nothing", d.Name)
		}
		if d.Connect == nil {
			continue
		}
		secrets := map[string]seal.Secret{}
		for _, name := range r.Catalogue().Provider(d.Name).SecretSettings {
			secrets[name] = seal.NewSecret("a secret")
		}
		connection, err := d.Connect(provider.Access{Secrets: secrets, Origin: d.APIOrigin, Network: provider.NewNetwork(provider.NetworkOptions{})})
		if err != nil {
			t.Fatal(err)
		}
		if _, keeps := connection.(provider.HookKeeper); keeps != d.Capabilities.SupportsWebhookRegistration {
			t.Errorf("%s says that it can register webhooks: %v, and its connection can: %v", d.Name, d.Capabilities.SupportsWebhookRegistration, keeps)
		}
	}
	if r.Webhooks("asana") != nil || r.SignsWebhooks("asana") {
		t.Error("a provider that is not known has webhooks")
	}
}

func TestTheSettingsThatAreKnownToUsers(t *testing.T) {
	type names struct{ All, Secret, Required []string }
	got := map[string]names{}
	for _, p := range newRegistry(t).Catalogue().All() {
		properties := p.SettingsSchema["properties"].(map[string]any)
		got[p.Name] = names{slices.Sorted(maps.Keys(properties)), p.SecretSettings, p.RequiredSettings}
	}
	want := map[string]names{
		"clickup": {
			[]string{"api_token", "batch_size", "import_comments", "import_completed_tasks", "import_custom_fields", "workspace_id"},
			[]string{"api_token"}, []string{"api_token", "workspace_id"},
		},
		"github": {
			[]string{"access_token", "api_url", "import_comments", "import_pull_requests", "organization", "repositories"},
			[]string{"access_token"}, []string{"access_token"},
		},
		"jira": {
			[]string{"api_token", "email", "import_comments", "jql", "project_keys", "site_url"},
			[]string{"api_token"}, []string{"api_token", "email", "site_url"},
		},
		"linear": {
			[]string{"api_key", "import_comments", "team_keys"},
			[]string{"api_key"}, []string{"api_key"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestClickUpDefaults(t *testing.T) {
	properties := newRegistry(t).Catalogue().Provider("clickup").SettingsSchema["properties"].(map[string]any)
	got := map[string]any{}
	for name, schema := range properties {
		if standard, ok := schema.(map[string]any)["default"]; ok {
			got[name] = standard
		}
	}
	want := map[string]any{
		"import_completed_tasks": false, "import_comments": true, "import_custom_fields": true, "batch_size": 100.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
