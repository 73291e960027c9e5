package provider_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

func TestAConnectionIsMadeFromStoredSettings(t *testing.T) {
	t.Parallel()
	var got provider.Access
	d := acme()
	d.APIOrigin = "https://api.acme.example"
	d.SettingsSchema = `{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Acme settings", "type": "object", "additionalProperties": false,
		"required": ["token"],
		"properties": {
			"token": {"title": "Token", "description": "A token.", "type": "string", "writeOnly": true},
			"size": {"title": "Size", "description": "A size.", "type": "integer", "minimum": 1, "maximum": 900, "default": 100},
			"pages": {"title": "Pages", "description": "How many.", "type": "integer", "minimum": 1, "maximum": 900, "default": 100},
			"deep": {"title": "Deep", "description": "Whether all.", "type": "boolean", "default": true},
			"shallow": {"title": "Shallow", "description": "Whether not.", "type": "boolean", "default": true},
			"region": {"title": "Region", "description": "Where.", "type": "string", "default": "eu"},
			"account": {"title": "Account", "description": "Which.", "type": "string"},
			"tags": {"title": "Tags", "description": "Which.", "type": "array", "maxItems": 3, "items": {"type": "string"}, "default": ["a"]}
		}
	}`
	d.Connect = func(a provider.Access) (provider.Connection, error) {
		got = a
		return nil, nil
	}
	r := registry(t, d)
	public := map[string]any{"pages": 7.0, "shallow": false, "gone": "x"} // numbers as JSON from the database has them
	for origin, n := range map[string]*provider.Network{
		"https://api.acme.example": provider.NewNetwork(provider.NetworkOptions{Origins: map[string]string{"other": "http://127.0.0.1:1"}}),
		"http://127.0.0.1:1":       provider.NewNetwork(provider.NetworkOptions{Origins: map[string]string{"acme": "http://127.0.0.1:1"}}),
	} {
		if _, err := r.Connect(n, "acme", public, secrets("token", "t")); err != nil {
			t.Fatal(err)
		}
		want := provider.Access{
			Settings: map[string]any{"size": int64(100), "pages": int64(7), "deep": true, "shallow": false, "region": "eu", "tags": []any{"a"}},
			Secrets:  secrets("token", "t"), Origin: origin, Network: n,
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(provider.Access{}, "Network")); diff != "" || got.Network != n {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	if len(public) != 3 {
		t.Errorf("the stored settings were changed: %v", public)
	}
}

func TestWhatCannotBeImportedIsNotConnectedTo(t *testing.T) {
	t.Parallel()
	r := registry(t, acme())
	for _, name := range []string{"acme", "none"} {
		_, err := r.Connect(provider.NewNetwork(provider.NetworkOptions{}), name, nil, nil)
		if !integration.IsKind(err, integration.KindInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
