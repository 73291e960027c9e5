package integration

import (
	"cmp"
	"slices"
	"strings"
)

// Provider describes a third party that integrations connect to. It is data: package provider makes it from what the
// provider's own folder declares, and it is the same for every tenant.
type Provider struct {
	Name             string // slug; the default name of its integrations
	DisplayName      string
	Description      string
	LogoURL          string // absolute; served by this server
	DocumentationURL *string
	Capabilities     ProviderCapabilities
	SettingsSchema   map[string]any // JSON Schema 2020-12; secret settings carry writeOnly: true
	SecretSettings   []string       // sorted
	RequiredSettings []string       // sorted; without them an integration is a draft
}

// ProviderCapabilities are what this server can do with a provider today.
type ProviderCapabilities struct {
	SupportsImport              bool
	SupportsIncrementalSync     bool
	SupportsWebhooks            bool
	SupportsWebhookRegistration bool
	SupportsBidirectionalSync   bool
	RequiresOAuth               bool
}

// Missing names the required settings that have no value yet, given the names of those that have one.
func (p *Provider) Missing(public map[string]any, secrets []string) []string {
	var missing []string
	for _, name := range p.RequiredSettings {
		if _, ok := public[name]; !ok && !slices.Contains(secrets, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// CheckComplete refuses a draft: the error names what is missing.
func (p *Provider) CheckComplete(public map[string]any, secrets []string) error {
	missing := p.Missing(public, secrets)
	if len(missing) == 0 {
		return nil
	}
	return Invalid("settings."+missing[0], "the integration needs these settings first: %s", strings.Join(missing, ", "))
}

// Catalogue is every provider that this server can connect to. It does not change once made.
type Catalogue struct {
	sorted []*Provider
	byName map[string]*Provider
}

// NewCatalogue makes a catalogue, sorted by display name.
func NewCatalogue(providers ...*Provider) *Catalogue {
	c := &Catalogue{sorted: slices.Clone(providers), byName: make(map[string]*Provider, len(providers))}
	slices.SortFunc(c.sorted, func(a, b *Provider) int { return cmp.Compare(a.DisplayName, b.DisplayName) })
	for _, p := range providers {
		c.byName[p.Name] = p
	}
	return c
}

// All returns every provider, sorted by display name. The caller must not change the slice.
func (c *Catalogue) All() []*Provider { return c.sorted }

// Provider returns the provider of that name, or nil.
func (c *Catalogue) Provider(name string) *Provider { return c.byName[name] }

// ProviderOrUnknown is Provider for rows that may have been written by a newer server: a name that this one does not
// know gets a description that says so, and no capability.
func (c *Catalogue) ProviderOrUnknown(name string) *Provider {
	if p := c.byName[name]; p != nil {
		return p
	}
	return &Provider{
		Name:           name,
		DisplayName:    name,
		Description:    "This server does not know this provider.",
		SettingsSchema: map[string]any{},
		SecretSettings: []string{},
	}
}

// Names returns the names of all providers, in the catalogue's order; for messages.
func (c *Catalogue) Names() []string {
	names := make([]string, len(c.sorted))
	for i, p := range c.sorted {
		names[i] = p.Name
	}
	return names
}
