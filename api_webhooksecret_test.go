package main

import (
	"context"
	"strings"
	"testing"
	"time"
)

const rotateWebhookSecret = `mutation ($id: UUID!) { rotateWebhookSecret(integrationId: $id) { url secret previousValidUntil } }`

func TestWebhookSecretIsShownOnce(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id := c.create(t, map[string]any{"name": "work", "provider": "jira", "webhookSecret": "issued-by-another"}).text(t, "createIntegration", "id")
	before := time.Now()
	a := c.do(t, rotateWebhookSecret, map[string]any{"id": id})
	want(t, a.text(t, "rotateWebhookSecret", "url"), c.server.URL+"/webhooks/jira/"+id)
	first := a.text(t, "rotateWebhookSecret", "secret")
	until, err := time.Parse(time.RFC3339, a.text(t, "rotateWebhookSecret", "previousValidUntil"))
	if err != nil || until.Sub(before) < 24*time.Hour-time.Minute || until.Sub(before) > 24*time.Hour+time.Minute {
		t.Errorf("the one before counts until %s, %v", until, err)
	}
	if len(first) != 64 {
		t.Errorf("the secret has %d characters", len(first))
	}
	c.wantWebhookSecrets(t, "work", first, "issued-by-another")
	second := c.do(t, rotateWebhookSecret, map[string]any{"id": id}).text(t, "rotateWebhookSecret", "secret")
	if second == first {
		t.Error("both secrets are the same")
	}
	c.wantWebhookSecrets(t, "work", second, first)
	trail := c.trail(t, `, filter: {action: "webhook_secret.rotate", integrationId: "`+id+`"}`)
	if len(trail) != 2 || !strings.HasSuffix(trail[0], "map[grace:24h0m0s opened:[webhookSecret]]") {
		t.Errorf("the trail tells %q", trail)
	}
	if all := c.server.log.String() + strings.Join(trail, " "); strings.Contains(all, first) || strings.Contains(all, second) {
		t.Error("a secret is in the trail or in the log")
	}
}

// wantWebhookSecrets compares what the two sealed columns hold.
func (c *client) wantWebhookSecrets(t testing.TB, name, present, previous string) {
	t.Helper()
	want(t, []string{c.openedColumn(t, name, "webhook_secret"), c.openedColumn(t, name, "previous_webhook_secret")}, []string{present, previous})
}

func TestWebhookSecretOfAConfiguredAddress(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t, "PATCHBAY_WEBHOOK_URL=https://hooks.example.com/")
	id := c.create(t, map[string]any{"name": "github"}).text(t, "createIntegration", "id")
	want(t, c.do(t, rotateWebhookSecret, map[string]any{"id": id}).text(t, "rotateWebhookSecret", "url"), "https://hooks.example.com/webhooks/github/"+id)

	// As after a downgrade: a provider that this server does not know.
	if _, err := c.db.Connect(t, "", "").Exec(context.Background(), `UPDATE kb.integrations SET provider = 'asana'`); err != nil {
		t.Fatal(err)
	}
	c.try(t, rotateWebhookSecret, map[string]any{"id": id}).wantErrors(t, "BAD_USER_INPUT integrationId")
}
