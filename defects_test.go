package main

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/internal/seal"
)

// The earlier module's defects that could come back in what there is so far, each a test. Some are told elsewhere:
//
//   - secrets in answers, logs and tables, whole or in part: TestNoSecretComesToLight
//   - masked values that were stored over a secret, taken over from it: TestAlteredRows in package adopt
//   - secrets in what can be asked for: TestNoOutputFieldIsASecret, TestNoOutputTypeCanHoldASecret
//   - a second integration of one name: TestOfTwoIntegrationsOfOneNameOneIsMade
//   - a change lost between two writers: TestNoUpdateIsLost
//   - only the first page of a list: TestPagesOfIntegrations, TestPagesOfProjects
//   - what does not open, overwritten: TestSecretsThatDoNotOpen
//   - serving without a key, with a weak one or with another one: TestServerRefusesToStart, TestKeyIsChanged
//   - AES-128, NULL ciphertexts, ciphertexts that open elsewhere: package store

// Reads did decrypt every secret. Now they work where PostgreSQL does not even let them see the sealed columns.
func TestDefectReadsTouchedSecrets(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	id := c.create(t, map[string]any{"name": "linear", "settings": map[string]any{"api_key": token}}).text(t, "createIntegration", "id")
	rows(t, c.db, `DO $do$ BEGIN
		REVOKE SELECT ON kb.integrations FROM patchbay_serve;
		EXECUTE (
			SELECT format('GRANT SELECT (%s) ON kb.integrations TO patchbay_serve', string_agg(quote_ident(attname), ', '))
			FROM pg_attribute
			WHERE attrelid = 'kb.integrations'::regclass AND attnum > 0 AND NOT attisdropped AND attname NOT IN ('settings', 'webhook_secret'));
	END $do$`)
	c.update(t, "linear", map[string]any{"settings": map[string]any{"api_key": token + "2"}}).wantErrors(t, "INTERNAL") // so they are out of sight
	c.do(t, `query($org: ID!, $p: UUID!, $id: UUID!) {
		integrations(orgId: $org, projectId: $p) { nodes { `+integrationFields+` } totalCount }
		integration(orgId: $org, projectId: $p, name: "linear") { `+integrationFields+` }
		integrationById(id: $id) { `+integrationFields+` }
		gallery(orgId: $org, projectId: $p) { integrations { `+integrationFields+` } }
		syncStates(orgId: $org, projectId: $p) { status }
	}`, map[string]any{"id": id})
}

// Clients got a masked secret to show, sent it back, and it was stored over the real one.
func TestDefectAMaskedSecretReplacedTheRealOne(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "clickup", "settings": map[string]any{"api_token": token, "workspace_id": "1"}, "webhookSecret": "issued-by-clickup"}).wantErrors(t)
	for _, mask := range []string{"********", "****", "[redacted]", "[REDACTED]", "••••••••", "pk_42_****MNOP", "pk_…****", " ******** "} {
		c.update(t, "clickup", map[string]any{"description": "changed too", "settings": map[string]any{"api_token": mask}}).
			wantErrors(t, "BAD_USER_INPUT settings.api_token")
		c.update(t, "clickup", map[string]any{"webhookSecret": mask}).wantErrors(t, "BAD_USER_INPUT webhookSecret")
	}
	// What a form sends back of an integration as it was read changes no secret.
	read := c.do(t, `query($org: ID!, $p: UUID!) { integration(orgId: $org, projectId: $p, name: "clickup") { displayName description enabled settings } }`).
		get(t, "integration").(map[string]any)
	c.update(t, "clickup", read).wantErrors(t)
	settings, webhook := c.opened(t, "clickup")
	want(t, settings, map[string]any{"api_token": token})
	want(t, webhook, "issued-by-clickup")
}

// Secrets were stored as plain text where no key was set; there is no such mode.
func TestDefectPlaintextInTheDatabase(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "linear", "settings": map[string]any{"api_key": token}, "webhookSecret": "issued-by-linear"}).wantErrors(t)
	if found := rows(t, c.db, `SELECT to_jsonb(i)::text FROM kb.integrations i`)[0]; strings.Contains(found, token) || strings.Contains(found, "issued-by-linear") {
		t.Errorf("stored as plain text: %s", found)
	}
}

// A wrong key read as no settings at all, and the next save made that true.
func TestDefectAWrongKeyReadAsEmptySettings(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "linear", "settings": map[string]any{"api_key": token}}).wantErrors(t)
	before := contents(t, c.db)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := run(ctx, []string{"serve"}, append(slices.Clone(c.env), "INTEGRATION_ENCRYPTION_KEY="+seal.GenerateKey().Expose()), io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "INTEGRATION_ENCRYPTION_PREVIOUS_KEYS") {
		t.Errorf("serve ended with %v", err)
	}
	want(t, contents(t, c.db), before)
}

// The first characters of tokens were logged, to recognise them by.
func TestDefectPrefixesOfTokensInLogs(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t)
	const secret = "ßQZXKß-ÞQXKZÞ-ðKQZXð" // in no other word of a log
	c.create(t, map[string]any{"name": "clickup", "settings": map[string]any{"api_token": secret}}).wantErrors(t)
	c.update(t, "clickup", map[string]any{"settings": map[string]any{"api_token": secret + secret}}).wantErrors(t)
	c.update(t, "clickup", map[string]any{"settings": map[string]any{"workspace_id": secret}}).wantErrors(t, "BAD_USER_INPUT settings.workspace_id")
	rows(t, c.db, `ALTER TABLE kb.integrations ADD CONSTRAINT never CHECK (false) NOT VALID`)
	c.update(t, "clickup", map[string]any{"settings": map[string]any{"api_token": secret}, "webhookSecret": secret}).wantErrors(t, "INTERNAL")
	log := c.log.String()
	letters := []rune(secret)
	for i := range len(letters) - 2 {
		if part := string(letters[i : i+3]); strings.Contains(log, part) {
			t.Fatalf("the log holds %q", part)
		}
	}
	if !strings.Contains(log, `"level":"ERROR"`) {
		t.Error("nothing was logged")
	}
}

// Whatever a tenant's requests left behind in the server or in a connection, the next tenant sees nothing of it.
func TestDefectOneTenantsStateInAnothersRequest(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	acme, other := c, c.as(c.server.key(t, "other", "admin"))
	other.org = "other"
	other.project = c.server.project(t, other.key, "other")
	acme.create(t, map[string]any{"name": "linear", "settings": map[string]any{"api_key": token}}).wantErrors(t)
	const get = `query($org: ID!, $p: UUID!) { integrations(orgId: $org, projectId: $p) { totalCount } viewer { orgId } }`
	for i, a := range together(60, func(i int) answer { return []*client{acme, other}[i%2].try(t, get) }) {
		want(t, a.Data, map[string]any{
			"integrations": map[string]any{"totalCount": float64(1 - i%2)},
			"viewer":       map[string]any{"orgId": []any{"acme", "other"}[i%2]},
		})
	}
}
