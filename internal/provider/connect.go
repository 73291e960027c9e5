package provider

import (
	"cmp"
	"maps"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// connects is what of a declaration makes connections.
type connects struct {
	to     func(Access) (Connection, error)
	origin string
}

// Connect makes a connection from an integration's stored settings, none of the required ones missing. It asks nothing of
// the third party. It fails, with an *integration.Error, for a provider that nothing can be imported through and for
// settings that cannot be used.
func (r *Registry) Connect(n *Network, providerName string, public map[string]any, secrets map[string]seal.Secret) (Connection, error) {
	c := r.connects[providerName]
	if c.to == nil {
		return nil, integration.Invalid("provider", "nothing can be imported through the provider%s", quoted(providerName))
	}
	return c.to(Access{
		Settings: r.settings[providerName].withDefaults(public),
		Secrets:  maps.Clone(secrets),
		Origin:   cmp.Or(n.origins[providerName], c.origin),
		Network:  n,
	})
}

// withDefaults are the settings as Change gives them (a number that the database returned may be a float64), and for those
// that are not set the schema's defaults, where it has one.
func (s *settings) withDefaults(public map[string]any) map[string]any {
	all := make(map[string]any, len(s.properties))
	for name, p := range s.properties {
		value, ok := public[name]
		if !ok || value == nil {
			value = p.Default
		}
		if value == nil || p.WriteOnly {
			continue
		}
		if plainValue, ok := plain(value, place{setting: name, given: name, item: -1}, &problems{}); ok {
			all[name] = plainValue
		}
	}
	return all
}
