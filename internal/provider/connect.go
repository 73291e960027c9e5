package provider

import (
	"maps"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// Connect makes a connection from an integration's settings; the schema's defaults are filled in.
func (r *Registry) Connect(n *Network, providerName string, public map[string]any, secrets map[string]seal.Secret) (Connection, error) {
	s := r.settings[providerName]
	if s == nil || s.connect == nil {
		return nil, integration.Invalid("provider", "nothing can be imported from this provider yet")
	}
	settings := map[string]any{}
	for name, property := range s.published["properties"].(map[string]any) {
		if value, ok := property.(map[string]any)["default"]; ok {
			settings[name] = value
		}
	}
	maps.Copy(settings, public)
	return s.connect(Access{Settings: settings, Secrets: secrets, Network: n})
}
