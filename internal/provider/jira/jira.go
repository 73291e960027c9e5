// Package jira is everything that is particular to Jira.
package jira

import (
	_ "embed"

	"patchbay/internal/provider"
)

//go:embed settings.schema.json
var settingsSchema string

// Declaration is what Patchbay tells about Jira. Nothing can be imported yet, so it has no capability.
func Declaration() provider.Declaration {
	return provider.Declaration{
		Name:             "jira",
		DisplayName:      "Jira",
		Description:      "Projects and issues of a Jira Cloud site.",
		DocumentationURL: "https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/",
		SignsWebhooks:    true,
		SettingsSchema:   settingsSchema,
		Aliases:          map[string][]string{"api_token": {"apiToken"}},
	}
}
