package provider

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// explain words what the JSON Schema library found. Its own texts are never used: they repeat values.
func (s *settings) explain(err error, from map[string]string, problems *problems) {
	failed, ok := err.(*jsonschema.ValidationError)
	if !ok {
		problems.keep("settings", "the settings cannot be checked")
		return
	}
	for _, cause := range failed.Causes {
		s.explain(cause, from, problems)
	}
	if len(failed.Causes) > 0 {
		return
	}
	if len(failed.InstanceLocation) == 0 {
		problems.keep("settings", "the settings are not what %s asks for", s.provider)
		return
	}
	name := failed.InstanceLocation[0]
	at, p := place{setting: name, given: from[name], item: -1}, s.properties[name]
	if len(failed.InstanceLocation) > 1 && p.Items != nil {
		i, _ := strconv.Atoi(failed.InstanceLocation[1])
		at, p = at.of(i), *p.Items
	}
	problems.add(at, "%s", p.expectation(failed.ErrorKind))
}

// expectation says what a property asks for where the schema's rule of this kind did not hold.
func (p property) expectation(rule jsonschema.ErrorKind) string {
	switch rule := rule.(type) {
	case *kind.Type:
		return p.expectedType(rule.Got)
	case *kind.Format:
		if p.Format == "uri" {
			return rule.Err.Error() // from checkWebAddress
		}
		return "must be an e-mail address, such as name@example.com"
	case *kind.Pattern:
		return "must be " + p.Expected
	case *kind.Enum:
		return "must be one of " + list(rule.Want)
	case *kind.Minimum, *kind.Maximum:
		return fmt.Sprintf("must be between %s and %s", number(*p.Minimum), number(*p.Maximum))
	case *kind.MinLength:
		if rule.Want == 1 {
			return "must not be empty; give null to remove it"
		}
		return fmt.Sprintf("must be at least %d characters long", rule.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must be at most %d characters long", rule.Want)
	case *kind.MinItems:
		if rule.Want == 1 {
			return "must have an item at least; give null to remove it"
		}
		return fmt.Sprintf("must have at least %d items", rule.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("must not repeat an item: items %d and %d are the same", rule.Duplicates[0]+1, rule.Duplicates[1]+1)
	}
	return "is not what the provider's settings schema asks for"
}

// typeWords are JSON Schema's types in words.
var typeWords = map[string]string{
	"string": "a string", "boolean": "true or false", "integer": "a whole number", "array": "a list of strings",
	"number": "a number", "object": "an object", "null": "null",
}

func (p property) expectedType(got string) string {
	switch {
	case p.Type == "integer" && got == "number":
		return "must be a whole number, without a fraction"
	case p.Expected != "":
		return fmt.Sprintf("must be a string, not %s: %s", gotWord(got), p.Expected)
	}
	return fmt.Sprintf("must be %s, not %s", typeWords[p.Type], gotWord(got))
}

func gotWord(got string) string {
	switch got {
	case "boolean":
		return "a boolean"
	case "array":
		return "a list"
	}
	return typeWords[got]
}

func list(values []any) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprint(v)
	}
	return strings.Join(words, ", ")
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
