// Package clickup is everything that is particular to ClickUp.
package clickup

import (
	_ "embed"

	"patchbay/internal/provider"
)

//go:embed settings.schema.json
var settingsSchema string

// Declaration is what Patchbay tells about ClickUp. Nothing can be imported yet, so it has no capability.
func Declaration() provider.Declaration {
	return provider.Declaration{
		Name:             "clickup",
		DisplayName:      "ClickUp",
		Description:      "Tasks, lists and documents of a ClickUp Workspace.",
		DocumentationURL: "https://developer.clickup.com/docs",
		APIOrigin:        "https://api.clickup.com",
		SignsWebhooks:    true,
		SettingsSchema:   settingsSchema,
		Aliases:          map[string][]string{"api_token": {"api_key", "apiKey", "apiToken"}},
	}
}
