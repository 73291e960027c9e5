package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	dialect = "https://json-schema.org/draft/2020-12/schema"
	pemFile = "application/x-pem-file"
)

// settings is a provider's settings schema, ready to check what a client sent.
type settings struct {
	provider   string         // display name; for messages
	published  map[string]any // the schema as clients see it
	properties map[string]property
	required   []string           // sorted
	canonical  map[string]string  // alias → property
	validator  *jsonschema.Schema // the schema without "required": drafts may be stored
}

// property is what of a property's schema the checks and messages need.
type property struct {
	Title            string
	Description      string
	Type             string
	WriteOnly        bool
	Format           string
	Pattern          string
	Expected         string `json:"x-expected"`
	Help             string `json:"x-help"`
	Section          string `json:"x-section"`
	Choices          string `json:"x-choices"`
	ContentMediaType string
	Minimum, Maximum *float64
	Default          any
	Items            *property
	MaxItems         int
}

// The forms of names. They have no dot, so that an error's field splits into names.
var (
	settingName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,49}$`)
	aliasName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,49}$`)
)

func parseSettings(schema string) (*settings, error) {
	var parsed struct {
		Schema               string `json:"$schema"`
		Title                string
		Type                 string
		AdditionalProperties any
		Required             []string
		Properties           map[string]property
	}
	s := &settings{canonical: map[string]string{}}
	if err := json.Unmarshal([]byte(schema), &s.published); err != nil {
		return nil, fmt.Errorf("the settings schema is not a JSON object: %w", err)
	}
	var err error
	if s.validator, err = compile(s.published); err != nil {
		return nil, fmt.Errorf("the settings schema is invalid: %w", err)
	}
	if err := json.Unmarshal([]byte(schema), &parsed); err != nil {
		return nil, fmt.Errorf("the settings schema is not one that a simple form can render: %w", err)
	}
	switch {
	case parsed.Schema != dialect:
		return nil, fmt.Errorf("the settings schema must have $schema %s", dialect)
	case parsed.Title == "":
		return nil, errors.New("the settings schema has no title")
	case parsed.Type != "object":
		return nil, errors.New("the settings schema must have type object")
	case parsed.AdditionalProperties != false:
		return nil, errors.New("the settings schema must have additionalProperties false, so that misspelt settings are refused")
	}
	s.properties = parsed.Properties
	for _, name := range s.names() {
		if err := s.properties[name].check(name); err != nil {
			return nil, fmt.Errorf("setting %q: %w", name, err)
		}
	}
	s.required = slices.Sorted(slices.Values(parsed.Required))
	for _, name := range s.required {
		if _, ok := s.properties[name]; !ok {
			return nil, fmt.Errorf("setting %q is required, but no property", name)
		}
	}
	return s, nil
}

// compile leaves "required" out: settings are checked as drafts, and integration.Provider.Missing tells what they lack.
func compile(schema map[string]any) (*jsonschema.Schema, error) {
	draft := maps.Clone(schema)
	delete(draft, "required")
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.RegisterFormat(&jsonschema.Format{Name: "uri", Validate: checkWebAddress})
	const location = "urn:patchbay:settings"
	// The whole schema is compiled first, because its "required" may be invalid too.
	if err := c.AddResource(location, schema); err != nil {
		return nil, err
	}
	if _, err := c.Compile(location); err != nil {
		return nil, err
	}
	if err := c.AddResource(location+":draft", draft); err != nil {
		return nil, err
	}
	return c.Compile(location + ":draft")
}

func (p property) check(name string) error {
	switch {
	case !settingName.MatchString(name):
		return fmt.Errorf("its name must match %s", settingName)
	case p.Title == "":
		return errors.New("it has no title")
	case p.Description == "":
		return errors.New("it has no description")
	case p.Help != "" && !strings.HasPrefix(p.Help, "https://"):
		return errors.New("its x-help must be an https address")
	case !slices.Contains([]string{"", "credentials", "workspace", "import"}, p.Section):
		return fmt.Errorf("its x-section must be credentials, workspace or import, not %q", p.Section)
	case p.Choices != "" && (p.Choices != "workspaces" || p.Type != "string" || p.WriteOnly):
		return errors.New("its x-choices must be workspaces, and it a string that is not secret")
	case p.WriteOnly && p.Type != "string":
		return errors.New("it is writeOnly, so it must be of type string")
	case !slices.Contains([]string{"string", "boolean", "integer", "array"}, p.Type):
		return errors.New("it must be of type string, boolean, integer or array")
	case p.Type == "integer" && (p.Minimum == nil || p.Maximum == nil):
		return errors.New("it is an integer, so it must have a minimum and a maximum")
	case p.Type != "array":
		return p.checkText()
	case p.Items == nil || p.Items.Type != "string":
		return errors.New("it is an array, so its items must be of type string")
	case p.Items.WriteOnly:
		return errors.New("its items are writeOnly, but a secret is a setting of its own")
	case p.MaxItems == 0:
		return errors.New("it is an array, so it must have maxItems")
	}
	return p.Items.checkText()
}

func (p property) checkText() error {
	if p.Format != "" && p.Format != "uri" && p.Format != "email" {
		return fmt.Errorf("its format must be uri or email, not %q", p.Format)
	}
	if p.Pattern != "" && p.Expected == "" {
		return errors.New("it has a pattern, so x-expected must say in words what it asks for")
	}
	return nil
}

func (s *settings) addAliases(aliases map[string][]string) error {
	for _, name := range slices.Sorted(maps.Keys(aliases)) {
		if _, ok := s.properties[name]; !ok {
			return fmt.Errorf("setting %q has aliases, but is no property", name)
		}
		for _, alias := range aliases[name] {
			if _, ok := s.properties[alias]; ok {
				return fmt.Errorf("setting %q: its alias %q is the name of a setting", name, alias)
			}
			if !aliasName.MatchString(alias) {
				return fmt.Errorf("setting %q: its alias %q must match %s", name, alias, aliasName)
			}
			if other, ok := s.canonical[alias]; ok {
				return fmt.Errorf("setting %q: its alias %q is an alias of %q already", name, alias, other)
			}
			s.canonical[alias] = name
		}
	}
	return nil
}

// names returns the settings' names, sorted.
func (s *settings) names() []string { return slices.Sorted(maps.Keys(s.properties)) }

// secrets returns the names of the secret settings, sorted.
func (s *settings) secrets() []string {
	return slices.DeleteFunc(s.names(), func(name string) bool { return !s.properties[name].WriteOnly })
}
