package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"patchbay/graph/model"
	"patchbay/graph/scalar"
)

// TestInputsDoNotPrintTheirSecrets: not even from inside gqlgen's Omittable, whose field package fmt looks into.
func TestInputsDoNotPrintTheirSecrets(t *testing.T) {
	t.Parallel()
	settings, err := scalar.UnmarshalSettings(map[string]any{"api_token": "CANARY"})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := scalar.UnmarshalSecretText("CANARY")
	if err != nil {
		t.Fatal(err)
	}
	create := model.CreateIntegrationInput{Settings: graphql.OmittableOf(&settings), WebhookSecret: graphql.OmittableOf(&secret)}
	update := model.UpdateIntegrationInput{Settings: graphql.OmittableOf(&settings), WebhookSecret: graphql.OmittableOf(&secret)}
	for _, v := range []any{create, &create, update, &update, settings, secret, []any{settings, secret}, map[string]any{"x": secret}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "CANARY") || strings.Contains(text, fmt.Sprintf("%x", "CANARY")) {
				t.Errorf("%s of %T prints %s", verb, v, text)
			}
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("input", "value", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("input", "value", v)
		if strings.Contains(log.String(), "CANARY") {
			t.Errorf("%T is logged as %s", v, log.String())
		}
		if b, err := json.Marshal(v); err == nil && strings.Contains(string(b), "CANARY") {
			t.Errorf("%T marshals to %s", v, b)
		}
	}
	if settings.Values()["api_token"] != "CANARY" || secret.Expose() != "CANARY" {
		t.Error("what was put in does not come out")
	}
}
