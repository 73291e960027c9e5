// Package linear is everything that is particular to Linear.
package linear

import (
	_ "embed"

	"patchbay/internal/provider"
)

//go:embed settings.schema.json
var settingsSchema string

// Declaration is what Patchbay tells about Linear. Nothing can be imported yet, so it has no capability.
func Declaration() provider.Declaration {
	return provider.Declaration{
		Name:             "linear",
		DisplayName:      "Linear",
		Description:      "Teams, projects, cycles and issues of a Linear workspace.",
		DocumentationURL: "https://linear.app/developers",
		APIOrigin:        "https://api.linear.app",
		SignsWebhooks:    true,
		SettingsSchema:   settingsSchema,
		Aliases:          map[string][]string{"api_key": {"apiKey", "api_token"}},
	}
}
