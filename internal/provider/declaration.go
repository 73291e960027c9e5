package provider

import (
	"time"

	"patchbay/internal/integration"
)

// Limit is how many requests one token may send in a window of time.
type Limit struct {
	Requests int
	Window   time.Duration
}

// Declaration is what a provider's folder tells about itself. NewRegistry checks it.
type Declaration struct {
	Name             string // slug of at most 50 characters; kept in every integration's row, so it never changes
	DisplayName      string // as the third party writes itself
	Description      string // one sentence
	DocumentationURL string // the third party's public documentation of its API
	Capabilities     integration.ProviderCapabilities

	// SignsWebhooks says that the third party can sign its webhooks with a secret that this server keeps. With Webhooks it does.
	SignsWebhooks bool

	// Webhooks is how it tells of changes; nil where this server does not listen to it.
	Webhooks *Webhooks

	// APIOrigin is where the third party's public API is: https and a host, without a path. Empty where every account has
	// one of its own.
	APIOrigin string

	// SettingsSchema is a JSON Schema 2020-12 of an object that a simple form can render: each property is a string, a
	// boolean, an integer or an array of strings, with a title and a description. Beside the standard's keywords:
	//
	//   - writeOnly marks a secret: a string, sealed when stored, never shown;
	//   - contentMediaType "application/x-pem-file" allows a secret of several lines;
	//   - format is uri (an https address without user, query and fragment) or email;
	//   - x-expected says in words what pattern asks for, to complete "… must be …";
	//   - x-help is the https address of a page of the third party's that shows where the value is found;
	//   - x-section is the part of a form that the setting belongs to: credentials (a secret's, where it says nothing),
	//     workspace or import (any other's);
	//   - x-choices "workspaces" says that the value is the id of one of those that a test of the connection lists.
	//
	// required names what a sync needs; an integration without it is a draft and may be stored.
	SettingsSchema string

	// Limit is the lowest limit that the third party publishes. It holds until an answer names one.
	Limit Limit

	// Connect makes connections; nil where nothing can be imported. It asks nothing of the third party and fails only for
	// settings that cannot be used, with an *integration.Error that names the setting.
	Connect func(Access) (Connection, error)

	// Aliases are other names that a setting is accepted under, by the setting's name. Only the setting's name is stored.
	Aliases map[string][]string
}
