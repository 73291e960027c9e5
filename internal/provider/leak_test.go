package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"patchbay/internal/integration"
	"patchbay/internal/provider/builtin"
)

// A token may be put in any setting, right or wrong, in any shape: no text of an error may hold a part of it.
func TestNoErrorShowsASecret(t *testing.T) {
	r := registry(t, append(builtin.All(), acme())...)
	var places [][2]string // provider and setting
	for _, p := range r.Catalogue().All() {
		for name := range p.SettingsSchema["properties"].(map[string]any) {
			places = append(places, [2]string{p.Name, name})
		}
		for _, name := range []string{"apiKey", "api_key", "api_token", "token", "no_such_setting"} {
			places = append(places, [2]string{p.Name, name})
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		// Letters that no message has, so that a hit is a leak and not chance.
		core := rapid.StringMatching(`[QZXK§ñ]{8,40}`).Draw(t, "secret")
		secret := rapid.SampledFrom([]string{"", "pk_42_", "https://", "https://ada:", "ada@", "ENG/", "a\x00", "*** ", "\n", " "}).Draw(t, "before") +
			core + rapid.SampledFrom([]string{"", "\n", "@example.com", "#", "?", "\xff", "•••", strings.Repeat("Q", 3000)}).Draw(t, "after")
		value := rapid.SampledFrom([]any{
			secret, []any{secret}, []any{secret, secret}, []string{secret}, map[string]any{secret: secret},
			[]any{map[string]any{"a": secret}}, []any{[]any{secret}}, nil,
		}).Draw(t, "shape")
		given := map[string]any{}
		where := rapid.SampledFrom(places).Draw(t, "where")
		given[where[1]] = value
		for range rapid.IntRange(0, 3).Draw(t, "more") {
			given[rapid.SampledFrom(places).Draw(t, "also")[1]] = value
		}
		if rapid.Bool().Draw(t, "as name") {
			given[secret+strings.Repeat(core, 5)] = true // as long as a token; a short name is shown
		}
		change, err := r.Change(where[0], given)
		shown := fmt.Sprintf("%v %+v %#v", change.Secrets, change, change.Secrets)
		if err == nil { // what is public may show what it was given
			shown = fmt.Sprintf("%v %#v", change.Secrets, change.Secrets)
		} else {
			for _, line := range violationsOf(err) {
				shown += line.Field + " " + line.Message + "\n"
			}
			shown += fmt.Sprintf("%v %+v", err, err)
		}
		letters := []rune(core)
		for i := range len(letters) - 3 {
			if part := string(letters[i : i+4]); strings.Contains(shown, part) {
				t.Fatalf("%q is shown:\n%s", part, shown)
			}
		}
	})
}

func violationsOf(err error) []*integration.Error {
	var list []*integration.Error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			list = append(list, err.(*integration.Error))
		}
	}
	return list
}
