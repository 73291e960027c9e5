// Package clickup is everything that is particular to ClickUp.
package clickup

import (
	_ "embed"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

//go:embed settings.schema.json
var settingsSchema string

// name is also what ClickUp's errors say.
const name = "clickup"

// limit is that of the cheaper plans; the others have 1,000 and 10,000.
var limit = provider.Limit{Requests: 100, Window: time.Minute}

// Declaration is what Patchbay tells about ClickUp.
func Declaration() provider.Declaration {
	structures := &answers{}
	return provider.Declaration{
		Name:             name,
		DisplayName:      "ClickUp",
		Description:      "Tasks, lists and documents of a ClickUp Workspace.",
		DocumentationURL: "https://developer.clickup.com/docs",
		APIOrigin:        "https://api.clickup.com",
		Webhooks:         &webhooks,
		SettingsSchema:   settingsSchema,
		Aliases:          map[string][]string{"api_token": {"api_key", "apiKey", "apiToken"}},
		Capabilities:     integration.ProviderCapabilities{SupportsImport: true, SupportsIncrementalSync: true, SupportsWebhooks: true, SupportsWebhookRegistration: true},
		Limit:            limit,
		Connect:          func(a provider.Access) (provider.Connection, error) { return connect(a, structures) },
	}
}
