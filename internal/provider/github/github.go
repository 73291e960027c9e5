// Package github is everything that is particular to GitHub.
package github

import (
	_ "embed"

	"patchbay/internal/provider"
)

//go:embed settings.schema.json
var settingsSchema string

// Declaration is what Patchbay tells about GitHub. Nothing can be imported yet, so it has no capability.
func Declaration() provider.Declaration {
	return provider.Declaration{
		Name:             "github",
		DisplayName:      "GitHub",
		Description:      "Issues, pull requests and milestones of GitHub repositories.",
		DocumentationURL: "https://docs.github.com/en/rest",
		APIOrigin:        "https://api.github.com",
		SignsWebhooks:    true,
		SettingsSchema:   settingsSchema,
		Aliases:          map[string][]string{"access_token": {"token"}},
	}
}
