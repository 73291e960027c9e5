// Package builtin lists the providers that Patchbay is built with.
package builtin

import (
	"patchbay/internal/provider"
	"patchbay/internal/provider/clickup"
	"patchbay/internal/provider/github"
	"patchbay/internal/provider/jira"
	"patchbay/internal/provider/linear"
)

// All returns the declaration of every provider, for provider.NewRegistry. A new provider is one folder and one line here.
func All() []provider.Declaration {
	return []provider.Declaration{
		clickup.Declaration(),
		github.Declaration(),
		jira.Declaration(),
		linear.Declaration(),
	}
}
