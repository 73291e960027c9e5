package provider_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/provider"
	"patchbay/internal/provider/builtin"
)

func TestStoredSettingsAreAdopted(t *testing.T) {
	r := registry(t, builtin.All()...)
	for _, c := range []struct {
		name, provider string
		stored         map[string]any
		want           provider.AdoptedSettings
	}{
		{"none", "clickup", nil, provider.AdoptedSettings{}},
		{
			"other spellings, and values of another type", "clickup",
			map[string]any{"apiToken": " pk_1\n", "workspaceId": json.Number("9012345678"), "batchSize": " 100 ", "import_comments": "FALSE", "import_custom_fields": ""},
			provider.AdoptedSettings{
				Public:  map[string]any{"workspace_id": "9012345678", "batch_size": int64(100), "import_comments": false},
				Secrets: secrets("api_token", "pk_1"),
			},
		},
		{
			"one setting by several names", "clickup",
			map[string]any{"api_key": "pk_1", "api_token": "pk_1", "API_KEY": "pk_2"},
			provider.AdoptedSettings{
				Secrets: secrets("api_token", "pk_1"),
				Notes:   []string{"the setting API_KEY was left out: api_token was there too, with another value"},
			},
		},
		{
			"wrong values", "clickup",
			map[string]any{"workspace_id": "pk_secret", "batch_size": "1e3", "import_comments": json.Number("1"), "api_token": []any{"pk_secret"}},
			provider.AdoptedSettings{Notes: []string{
				"the setting api_token was left out: api_token must be a string, not a list",
				"the setting batch_size was left out: batch_size must be a whole number, not a string",
				"the setting import_comments was left out: import_comments must be true or false, not a number",
				`the setting workspace_id was left out: workspace_id must be digits only, such as "9012345678"`,
			}},
		},
		{
			"what the schema does not know", "linear",
			map[string]any{"oauth": map[string]any{"token": "secret"}, "flag": true, "none": nil, "shown as": "****", "pk_ this may be a secret": "x", "nul": "a\x00"},
			provider.AdoptedSettings{
				Secrets: secrets("oauth", `{"token":"secret"}`, "flag", "true", "other_settings", `{"pk_ this may be a secret":"x"}`),
				Notes: []string{
					"settings whose names cannot be shown were kept as the secret other_settings",
					"the setting flag is not known to this server: it was kept as a secret",
					"the setting nul was left out: it contains NUL characters",
					"the setting oauth is not known to this server: it was kept as a secret",
					"the setting was a masked value: it was left out",
				},
			},
		},
		{
			"a provider that this server does not know", "asana",
			map[string]any{"token": "secret"},
			provider.AdoptedSettings{
				Secrets: secrets("token", "secret"),
				Notes:   []string{"the setting token is not known to this server: it was kept as a secret"},
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want.Public == nil {
				c.want.Public = map[string]any{}
			}
			if c.want.Secrets == nil {
				c.want.Secrets = secrets()
			}
			if diff := cmp.Diff(c.want, r.Adopt(c.provider, c.stored)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestProvidersAreFoundByOtherSpellings(t *testing.T) {
	r := registry(t, builtin.All()...)
	for text, want := range map[string]string{"clickup": "clickup", "ClickUp": "clickup", "Click_Up ": "clickup", "git hub": "github", "gitlab": "", "": ""} {
		if got := r.Named(text); got != want {
			t.Errorf("%q is taken for %q, not %q", text, got, want)
		}
	}
}
