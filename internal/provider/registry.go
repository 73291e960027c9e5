package provider

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"patchbay/internal/integration"
)

// Registry is every provider that this server is built with. It does not change once made, and is safe for use by
// several goroutines.
type Registry struct {
	catalogue *integration.Catalogue
	settings  map[string]*settings // by provider name
	signs     map[string]bool      // by provider name
	webhooks  map[string]*Webhooks // by provider name
	connects  map[string]connects
}

// providerName is the form of a provider's name: it fits the column that keeps it, and URLs.
var providerName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,49}$`)

// NewRegistry checks the declarations and makes the registry of them. logoBase is this server's public URL, without a
// trailing slash. The error, made at start-up and for the developer of a provider, names provider and setting.
func NewRegistry(logoBase string, declarations ...Declaration) (*Registry, error) {
	r := &Registry{
		settings: make(map[string]*settings, len(declarations)),
		signs:    make(map[string]bool, len(declarations)),
		webhooks: make(map[string]*Webhooks, len(declarations)),
		connects: make(map[string]connects, len(declarations)),
	}
	providers := make([]*integration.Provider, len(declarations))
	for i, d := range declarations {
		if r.settings[d.Name] != nil {
			return nil, fmt.Errorf("provider %q is declared twice", d.Name)
		}
		s, err := d.check()
		if err != nil {
			return nil, fmt.Errorf("provider %q: %w", d.Name, err)
		}
		r.settings[d.Name] = s
		r.signs[d.Name] = d.SignsWebhooks || d.Webhooks != nil
		r.webhooks[d.Name] = d.Webhooks
		r.connects[d.Name] = connects{to: d.Connect, origin: d.APIOrigin}
		providers[i] = &integration.Provider{
			Name:             d.Name,
			DisplayName:      d.DisplayName,
			Description:      d.Description,
			LogoURL:          logoBase + "/logos/" + d.Name + ".svg",
			DocumentationURL: &d.DocumentationURL,
			Capabilities:     d.Capabilities,
			SettingsSchema:   s.published,
			SecretSettings:   s.secrets(),
			RequiredSettings: s.required,
		}
	}
	r.catalogue = integration.NewCatalogue(providers...)
	return r, nil
}

// Catalogue returns the providers as clients see them.
func (r *Registry) Catalogue() *integration.Catalogue { return r.catalogue }

// SignsWebhooks reports whether a provider's webhooks are signed with a secret that this server keeps; not those of a
// provider that it does not know.
func (r *Registry) SignsWebhooks(name string) bool { return r.signs[name] }

// Webhooks is how a provider tells of changes; nil where this server does not listen to it, or does not know it.
func (r *Registry) Webhooks(name string) *Webhooks { return r.webhooks[name] }

// names returns the providers' names, sorted; for messages.
func (r *Registry) names() []string { return slices.Sorted(maps.Keys(r.settings)) }

func (d *Declaration) check() (*settings, error) {
	if !providerName.MatchString(d.Name) {
		return nil, fmt.Errorf("the name must match %s", providerName)
	}
	if d.DisplayName == "" || d.Description == "" {
		return nil, errors.New("a display name and a description are needed")
	}
	if err := checkWebAddress(d.DocumentationURL); err != nil {
		return nil, fmt.Errorf("the documentation URL %w", err)
	}
	if origin := strings.TrimPrefix(d.APIOrigin, "https://"); d.APIOrigin != "" && (origin == d.APIOrigin || origin == "" || strings.ContainsAny(origin, "/?#@ ")) {
		return nil, errors.New("the API's origin must be https:// and a host")
	}
	s, err := parseSettings(d.SettingsSchema)
	if err != nil {
		return nil, err
	}
	s.provider = d.DisplayName
	return s, s.addAliases(d.Aliases)
}
