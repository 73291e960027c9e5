package store_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

// sealedRow is what of an integration only tests read.
type sealedRow struct {
	ID                uuid.UUID
	Org               string
	Settings, Webhook *string
	Previous          *string // webhook secret
	KeyID             *string
	Configured        []string
	Public            map[string]any
	Revision          int
}

func readSealed(t testing.TB, q querier, id uuid.UUID) sealedRow {
	t.Helper()
	return one[sealedRowScan](t, q, `
		SELECT jsonb_build_object('ID', id, 'Org', org_id, 'Settings', settings, 'Webhook', webhook_secret,
			'Previous', previous_webhook_secret, 'KeyID', key_id,
			'Configured', configured_secrets, 'Public', public_settings, 'Revision', revision)
		FROM kb.integrations
		WHERE id = $1`, id).sealedRow
}

// sealedRowScan reads a sealedRow from JSON.
type sealedRowScan struct{ sealedRow }

func (s *sealedRowScan) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &s.sealedRow) }

// passphrase is that of one of a row's columns.
func (r sealedRow) passphrase(t testing.TB, ring *seal.Ring, column string) string {
	t.Helper()
	p, err := ring.Passphrase(*r.KeyID, seal.Cell{Table: "kb.integrations", Column: column, Row: r.ID, Org: r.Org})
	if err != nil {
		t.Fatal(err)
	}
	return p.Expose()
}

// open returns what a row's sealed columns hold.
func (r sealedRow) open(t testing.TB, q querier, ring *seal.Ring) (settings map[string]string, webhook string) {
	t.Helper()
	settings = map[string]string{}
	if r.Settings != nil {
		settings = one[map[string]string](t, q, `SELECT kb.unseal($1, $2)::jsonb`, *r.Settings, r.passphrase(t, ring, "settings"))
	}
	if r.Webhook != nil {
		webhook = one[string](t, q, `SELECT kb.unseal($1, $2)`, *r.Webhook, r.passphrase(t, ring, "webhook_secret"))
	}
	return settings, webhook
}

// openPrevious returns what a row's previous webhook secret is, or "".
func (r sealedRow) openPrevious(t testing.TB, q querier, ring *seal.Ring) string {
	t.Helper()
	if r.Previous == nil {
		return ""
	}
	return one[string](t, q, `SELECT kb.unseal($1, $2)`, *r.Previous, r.passphrase(t, ring, "previous_webhook_secret"))
}

// update applies u to the present version of an integration.
func update(tenant *store.Tenant, ring *seal.Ring, project uuid.UUID, name string, u store.IntegrationUpdate) (*integration.PublicIntegration, error) {
	v, err := tenant.IntegrationVersion(context.Background(), project, name)
	if err != nil {
		return nil, err
	}
	return tenant.UpdateIntegration(context.Background(), ring, v, u, store.With{State: true})
}

func TestSecretsAreStoredSealed(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	n := newIntegration(w.project, "clickup")
	n.Secrets = secrets("api_token", "pk_canary", "other_token", "canary with \"quotes\", \\ and 🔑")
	createIntegration(t, w.tenant, n)
	row := readSealed(t, w.root, n.ID)
	for _, column := range []string{*row.Settings, *row.Webhook} {
		wantStrongMessage(t, column)
		master := masterTexts[0].Expose()
		raw, err := base64.StdEncoding.DecodeString(master)
		if err != nil {
			t.Fatal(err)
		}
		for form, passphrase := range map[string]string{
			"the master key's text": master, "its bytes in hex": hex.EncodeToString(raw), "its bytes in base64": base64.RawURLEncoding.EncodeToString(raw), "its id": ring().CurrentID(),
		} {
			if _, err := w.root.Exec(context.Background(), `SELECT kb.pgp_sym_decrypt(decode($1, 'base64'), $2)`, column, passphrase); sqlState(err) != "39000" {
				t.Errorf("decrypting with %s: %v", form, err)
			}
		}
	}
	settings, webhook := row.open(t, w.root, ring())
	if diff := cmp.Diff(map[string]string{"api_token": "pk_canary", "other_token": "canary with \"quotes\", \\ and 🔑"}, settings); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
	if webhook != webhookSecret {
		t.Errorf("opened the webhook secret %q", webhook)
	}
	if all := one[string](t, w.root, `SELECT i::text FROM kb.integrations i`); strings.Contains(all, "canary") || strings.Contains(all, webhookSecret) {
		t.Error("the row holds a secret in plain text")
	}
}

func TestSealedColumnsAreChecked(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	i := createIntegration(t, w.tenant, newIntegration(w.project, "clickup"))
	long := strings.Repeat("x", 64)
	for _, args := range [][]any{{nil, long}, {"text", nil}, {"text", ""}, {"text", long[1:]}, {nil, nil}} {
		if _, err := w.root.Exec(ctx, `SELECT kb.seal($1, $2)`, args...); sqlState(err) != "22004" {
			t.Errorf("kb.seal%v: %v", args, err)
		}
	}
	for _, args := range [][]any{{nil, long}, {"text", nil}} {
		if _, err := w.root.Exec(ctx, `SELECT kb.unseal($1, $2)`, args...); sqlState(err) != "22004" {
			t.Errorf("kb.unseal%v: %v", args, err)
		}
	}
	for _, set := range []string{
		`settings = NULL`,
		`configured_secrets = '{}'`,
		`configured_secrets = '{}', settings = NULL, webhook_secret = NULL`,
		`key_id = NULL`,
		`public_settings = '[]'`,
		`name = 'No Slug'`,
		`previous_webhook_secret = 'x'`,
		`previous_webhook_secret_until = now()`,
		`webhook_secret = NULL, previous_webhook_secret = 'x', previous_webhook_secret_until = now()`,
	} {
		if _, err := w.root.Exec(ctx, `UPDATE kb.integrations SET `+set+` WHERE id = $1`, i.ID); sqlState(err) != "23514" {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// What cannot be opened is never read as empty, nor written over by a merge.
func TestWhatDoesNotOpenStays(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	elsewhere := w.store.Tenant(integration.Scope{Org: "org-b"})
	victim := createIntegration(t, w.tenant, newIntegration(w.project, "victim"))
	neighbour := readSealed(t, w.root, createIntegration(t, w.tenant, newIntegration(w.project, "neighbour")).ID)
	foreign := readSealed(t, w.root, createIntegration(t, elsewhere, newIntegration(createProject(t, elsewhere, "Foreign"), "foreign")).ID)
	good := readSealed(t, w.root, victim.ID)
	message, err := base64.StdEncoding.DecodeString(*good.Settings)
	if err != nil {
		t.Fatal(err)
	}

	put := func(settings string) {
		execute(t, w.root, `UPDATE kb.integrations SET settings = $1, configured_secrets = '{api_token}' WHERE id = $2`, settings, victim.ID)
	}
	merge := store.IntegrationUpdate{Secrets: secrets("other_token", "new"), DisplayName: ptr("New"), PublicSettings: map[string]any{"x": 1}}
	// stays sees a merge refused and the row as it was; it reports whether the settings opened after all.
	stays := func(t testing.TB, settings string) (opened bool) {
		put(settings)
		before := one[string](t, w.root, `SELECT i::text FROM kb.integrations i WHERE id = $1`, victim.ID)
		_, err := update(w.tenant, ring(), w.project, "victim", merge)
		if err == nil {
			return true
		}
		wantKind(t, err, integration.KindUnreadable, "")
		if after := one[string](t, w.root, `SELECT i::text FROM kb.integrations i WHERE id = $1`, victim.ID); after != before {
			t.Errorf("the row was changed:\n%s\n%s", before, after)
		}
		return false
	}
	for name, settings := range map[string]string{
		"of another row":          *neighbour.Settings,
		"of another organisation": *foreign.Settings,
		"of the other column":     *good.Webhook,
		"no base64":               "!!!!",
		"damaged base64":          (*good.Settings)[:len(*good.Settings)-1] + "*",
		"base64 cut off":          (*good.Settings)[:len(*good.Settings)-3],
		"empty":                   "",
		"base64 of nothing":       "====",
		"half of it":              base64.StdEncoding.EncodeToString(message[:len(message)/2]),
		"with more after it":      base64.StdEncoding.EncodeToString(append(slices.Clone(message), 0)),
		"plain text":              base64.StdEncoding.EncodeToString([]byte(`{"api_token": "x"}`)),
	} {
		if stays(t, settings) {
			t.Errorf("%s: the settings opened", name)
			continue
		}
		put(settings)
		// Replacing every secret, or removing it, needs nothing to open.
		if _, err := update(w.tenant, ring(), w.project, "victim", store.IntegrationUpdate{Secrets: secrets("api_token", "anew")}); err != nil {
			t.Errorf("%s: replace: %v", name, err)
		}
		if settings, webhook := readSealed(t, w.root, victim.ID).open(t, w.root, ring()); settings["api_token"] != "anew" || webhook != webhookSecret {
			t.Errorf("%s: replaced by %v, %s", name, settings, webhook)
		}
		put(settings)
		if _, err := update(w.tenant, ring(), w.project, "victim", store.IntegrationUpdate{Removed: []string{"api_token"}}); err != nil {
			t.Errorf("%s: remove: %v", name, err)
		}
		if row := readSealed(t, w.root, victim.ID); row.Settings != nil || len(row.Configured) != 0 || row.Webhook == nil || row.KeyID == nil {
			t.Errorf("%s: removed: %+v", name, row)
		}
	}

	t.Run("bits", func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) {
			bad := slices.Clone(message)
			switch rapid.IntRange(0, 3).Draw(r, "kind") {
			case 0:
				bad = bad[:rapid.IntRange(0, len(bad)-1).Draw(r, "length")]
			case 1:
				bad = append(bad, rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(r, "more")...)
			default:
				for range rapid.IntRange(1, 3).Draw(r, "flips") {
					bad[rapid.IntRange(0, len(bad)-1).Draw(r, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(r, "bit")
				}
			}
			if bytes.Equal(bad, message) {
				return // flipped back
			}
			if !stays(t, base64.StdEncoding.EncodeToString(bad)) {
				return
			}
			// pgcrypto overlooks some damage to the length of the last packet; the content is authenticated all the same.
			opened, _ := readSealed(t, w.root, victim.ID).open(t, w.root, ring())
			if diff := cmp.Diff(map[string]string{"api_token": "token of victim", "other_token": "new"}, opened); diff != "" {
				r.Errorf("% x opened to something else (-want +got)\n%s", bad, diff)
			}
		})
	})
	t.Run("webhook secret", func(t *testing.T) {
		put(*good.Settings)
		execute(t, w.root, `UPDATE kb.integrations SET webhook_secret = $1 WHERE id = $2`, *good.Settings, victim.ID)
		rotated := seal.NewRing(keys()[1], keys()[0]) // so that it must be sealed anew
		_, err := update(w.tenant, rotated, w.project, "victim", merge)
		wantKind(t, err, integration.KindUnreadable, "")
	})
}

func TestUpdatesUnderANewKey(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	older, newer := keys()[0].ID(), keys()[1].ID()
	both, newOnly := seal.NewRing(keys()[1], keys()[0]), seal.NewRing(keys()[1])
	all := store.IntegrationUpdate{Secrets: secrets("api_token", "B", "other_token", "B"), WebhookSecret: ptr(seal.NewSecret("hook B"))}
	tests := []struct {
		name     string
		update   store.IntegrationUpdate
		lost     bool // what happens without the old key: Unreadable
		keyID    string
		settings map[string]string
		webhook  string
	}{
		{"display name", store.IntegrationUpdate{DisplayName: ptr("New")}, false, older, map[string]string{"api_token": "A", "other_token": "A"}, webhookSecret},
		{"public setting", store.IntegrationUpdate{PublicSettings: map[string]any{"x": "y"}, Removed: []string{"workspace_id"}}, false, older, map[string]string{"api_token": "A", "other_token": "A"}, webhookSecret},
		{"one secret", store.IntegrationUpdate{Secrets: secrets("api_token", "B")}, true, newer, map[string]string{"api_token": "B", "other_token": "A"}, webhookSecret},
		{"one secret removed", store.IntegrationUpdate{Removed: []string{"api_token"}}, true, newer, map[string]string{"other_token": "A"}, webhookSecret},
		{"every secret", store.IntegrationUpdate{Secrets: all.Secrets}, true, newer, map[string]string{"api_token": "B", "other_token": "B"}, webhookSecret},
		{"every secret removed", store.IntegrationUpdate{Removed: []string{"api_token", "other_token"}}, false, older, map[string]string{}, webhookSecret},
		{"webhook secret", store.IntegrationUpdate{WebhookSecret: all.WebhookSecret}, true, newer, map[string]string{"api_token": "A", "other_token": "A"}, "hook B"},
		{"every secret removed, webhook secret", store.IntegrationUpdate{Removed: []string{"api_token", "other_token"}, WebhookSecret: all.WebhookSecret}, false, newer, map[string]string{}, "hook B"},
		{"all", all, false, newer, map[string]string{"api_token": "B", "other_token": "B"}, "hook B"},
	}
	for i, test := range tests {
		for name, r := range map[string]*seal.Ring{"both keys": both, "the new key": newOnly} {
			t.Run(test.name+" with "+name, func(t *testing.T) {
				n := newIntegration(w.project, strings.ReplaceAll(name, " ", "-")+"-"+string(rune('a'+i)))
				n.Secrets = secrets("api_token", "A", "other_token", "A")
				createIntegration(t, w.tenant, n)
				before := readSealed(t, w.root, n.ID)
				_, err := update(w.tenant, r, w.project, n.Name, test.update)
				if r == newOnly && test.lost {
					wantKind(t, err, integration.KindUnreadable, "")
					for _, part := range []string{older, "INTEGRATION_ENCRYPTION_PREVIOUS_KEYS"} {
						if err != nil && !strings.Contains(err.Error(), part) {
							t.Errorf("the error does not name %s: %v", part, err)
						}
					}
					if diff := cmp.Diff(before, readSealed(t, w.root, n.ID)); diff != "" {
						t.Errorf("the row was changed:\n%s", diff)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				row := readSealed(t, w.root, n.ID)
				if *row.KeyID != test.keyID {
					t.Errorf("sealed under %s, want %s", *row.KeyID, test.keyID)
				}
				settings, webhook := row.open(t, w.root, both)
				if diff := cmp.Diff(test.settings, settings); diff != "" || webhook != test.webhook {
					t.Errorf("webhook secret %q, settings (-want +got):\n%s", webhook, diff)
				}
			})
		}
	}
}

// An update that opens secrets to seal them anew says which.
func TestOpeningsOfUpdatesAreRecorded(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	n := newIntegration(w.project, "clickup")
	n.Secrets = secrets("api_token", "A", "other_token", "A")
	createIntegration(t, w.tenant, n)
	rotateWebhook(t, w.tenant, ring(), n.ID, "second", time.Hour)
	for _, u := range []struct {
		ring *seal.Ring
		store.IntegrationUpdate
	}{
		{ring(), store.IntegrationUpdate{DisplayName: ptr("New")}},
		{ring(), store.IntegrationUpdate{Secrets: n.Secrets}},
		{ring(), store.IntegrationUpdate{Secrets: secrets("api_token", "B")}},
		{nextRing(), store.IntegrationUpdate{Secrets: secrets("api_token", "C")}},
	} {
		if _, err := update(w.tenant, u.ring, w.project, "clickup", u.IntegrationUpdate); err != nil {
			t.Fatal(err)
		}
	}
	opened := column[string](t, w.root, `SELECT coalesce((changes -> 'opened')::text, '') FROM kb.audit_events WHERE action = 'integration.update' ORDER BY at`)
	if diff := cmp.Diff([]string{"", "", `["settings"]`, `["settings", "webhookSecret", "previousWebhookSecret"]`}, opened); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// vault is what an integration should hold.
type vault struct {
	Revision int
	KeyID    string
	Public   map[string]any
	Secrets  map[string]string
	Webhook  string
	Previous string // webhook secret
}

// apply is what an update should do.
func (v *vault) apply(u store.IntegrationUpdate, currentKey string) {
	v.Revision++
	lost := false
	for _, name := range u.Removed {
		delete(v.Public, name)
		if _, had := v.Secrets[name]; had {
			delete(v.Secrets, name)
			lost = true
		}
	}
	// Removing the last secret seals nothing.
	if u.WebhookSecret != nil || len(u.Secrets) > 0 || lost && len(v.Secrets) > 0 {
		v.KeyID = currentKey
	}
	for name, value := range u.PublicSettings {
		v.Public[name] = value
	}
	for name, secret := range u.Secrets {
		v.Secrets[name] = secret.Expose()
	}
	if u.WebhookSecret != nil {
		v.Webhook, v.Previous = u.WebhookSecret.Expose(), ""
	}
}

func TestUpdatesKeepWhatTheyShould(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	secretName := rapid.SampledFrom([]string{"s1", "s2", "s3", "s4"})
	publicName := rapid.SampledFrom([]string{"p1", "p2", "p3"})
	// PostgreSQL's text holds anything but NUL.
	value := rapid.StringMatching(`[^\x00]{1,40}`)
	public := rapid.OneOf(value.AsAny(), rapid.Bool().AsAny(), rapid.Float64Range(-1e9, 1e9).AsAny())
	drawSecrets := func(r *rapid.T, least int) map[string]seal.Secret {
		m := map[string]seal.Secret{}
		for name, v := range rapid.MapOfN(secretName, value, least, 4).Draw(r, "secrets") {
			m[name] = seal.NewSecret(v)
		}
		return m
	}
	rapid.Check(t, func(r *rapid.T) {
		current := 0
		rings := []*seal.Ring{seal.NewRing(keys()[0], keys()[1]), seal.NewRing(keys()[1], keys()[0])}
		n := newIntegration(w.project, "i-"+strings.ToLower(strings.ReplaceAll(uuid.NewString(), "-", "")))
		n.Secrets = drawSecrets(r, 0)
		n.PublicSettings = rapid.MapOfN(publicName, public, 0, 3).Draw(r, "public")
		want := vault{Revision: 1, KeyID: rings[0].CurrentID(), Public: map[string]any{}, Secrets: map[string]string{}, Webhook: webhookSecret}
		for name, v := range n.PublicSettings {
			want.Public[name] = v
		}
		for name, s := range n.Secrets {
			want.Secrets[name] = s.Expose()
		}
		answer, err := w.tenant.CreateIntegration(context.Background(), rings[0], n, store.With{State: true})
		if err != nil {
			r.Fatal(err)
		}
		check := func() {
			row := readSealed(t, w.root, n.ID)
			settings, webhook := row.open(t, w.root, rings[current])
			got := vault{Revision: row.Revision, KeyID: *row.KeyID, Public: row.Public, Secrets: settings, Webhook: webhook,
				Previous: row.openPrevious(t, w.root, rings[current])}
			if diff := cmp.Diff(want, got); diff != "" {
				r.Fatalf("stored (-want +got):\n%s", diff)
			}
			names := slices.Sorted(maps.Keys(want.Secrets))
			if diff := cmp.Diff(append([]string{}, names...), append([]string{}, row.Configured...)); diff != "" {
				r.Fatalf("configured secrets (-want +got):\n%s", diff)
			}
			if answer.Revision != want.Revision || !cmp.Equal(answer.Settings, want.Public) || !slices.Equal(answer.ConfiguredSecrets, names) || answer.SyncState == nil {
				r.Fatalf("answer %+v, want %+v", answer, want)
			}
		}
		check()
		for range rapid.IntRange(1, 6).Draw(r, "steps") {
			if rapid.IntRange(0, 3).Draw(r, "rotate") == 0 {
				current = (current + 1) % len(rings)
			}
			if rapid.IntRange(0, 3).Draw(r, "rotate the webhook secret") == 0 {
				v, err := w.tenant.IntegrationVersionByID(context.Background(), n.ID)
				if err != nil {
					r.Fatal(err)
				}
				secret := value.Draw(r, "rotated webhook secret")
				if _, err := w.tenant.RotateWebhookSecret(context.Background(), rings[current], v, seal.NewSecret(secret), time.Hour); err != nil {
					r.Fatal(err)
				}
				want.Revision++
				want.KeyID, want.Webhook, want.Previous = rings[current].CurrentID(), secret, want.Webhook
			}
			var u store.IntegrationUpdate
			if rapid.Bool().Draw(r, "set secrets") {
				u.Secrets = drawSecrets(r, 1)
			}
			if rapid.Bool().Draw(r, "set public") {
				u.PublicSettings = rapid.MapOfN(publicName, public, 1, 3).Draw(r, "public")
			}
			if rapid.Bool().Draw(r, "remove") {
				u.Removed = rapid.SliceOfNDistinct(rapid.OneOf(secretName, publicName), 1, 7, rapid.ID).Draw(r, "removed")
			}
			if rapid.IntRange(0, 3).Draw(r, "set webhook secret") == 0 {
				u.WebhookSecret = ptr(seal.NewSecret(value.Draw(r, "webhook secret")))
			}
			if answer, err = update(w.tenant, rings[current], w.project, n.Name, u); err != nil {
				r.Fatal(err)
			}
			want.apply(u, rings[current].CurrentID())
			check()
		}
	})
}

func TestFailuresLeakNoParameters(t *testing.T) {
	t.Parallel()
	if storetest.LogFile() == "" {
		t.Skip("the log of another server is not ours to read; unset PATCHBAY_TEST_DATABASE_URL to run this test")
	}
	ctx := context.Background()
	d := storetest.New(t)
	root := d.Connect(t, "", "")
	// As servers are commonly set up, not as our private one is.
	execute(t, root, `ALTER DATABASE `+d.Name+` SET log_min_messages = 'warning'`)
	execute(t, root, `ALTER DATABASE `+d.Name+` SET log_min_error_statement = 'error'`)
	tenant := d.Open(t, catalogue, nil).Tenant(integration.Scope{Org: org})
	project := createProject(t, tenant, "Project")
	const canary = "canary-77ac"
	n := newIntegration(project, "clickup")
	n.Secrets, n.WebhookSecret = secrets("api_token", canary), seal.NewSecret(canary)
	createIntegration(t, tenant, n)
	row := readSealed(t, root, n.ID)
	passphrase := row.passphrase(t, ring(), "settings")

	var failures []error
	fails := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s did not fail", what)
		}
		failures = append(failures, err)
	}
	again := n
	again.ID = uuid.New()
	_, err := tenant.CreateIntegration(ctx, ring(), again, store.With{})
	fails("a second one", err)
	for name, secret := range map[string]string{"NUL": canary + "\x00", "no UTF-8": canary + "\xff"} {
		bad := newIntegration(project, "bad")
		bad.Secrets = secrets("api_token", secret)
		_, err = tenant.CreateIntegration(ctx, ring(), bad, store.With{})
		fails(name+" in a secret", err)
		wantKind(t, err, integration.KindInvalid, "")
		_, err = update(tenant, ring(), project, "clickup", store.IntegrationUpdate{WebhookSecret: ptr(seal.NewSecret(secret))})
		fails(name+" in a webhook secret", err)
		wantKind(t, err, integration.KindInvalid, "")
	}
	long := newIntegration(project, strings.Repeat("x", 60))
	long.Secrets = n.Secrets
	_, err = tenant.CreateIntegration(ctx, ring(), long, store.With{})
	fails("a name that is too long", err)
	noSlug := newIntegration(project, "No Slug")
	noSlug.Secrets = n.Secrets
	_, err = tenant.CreateIntegration(ctx, ring(), noSlug, store.With{})
	fails("a name that is no slug", err)
	execute(t, root, `UPDATE kb.integrations SET settings = webhook_secret`)
	_, err = update(tenant, ring(), project, "clickup", store.IntegrationUpdate{Secrets: secrets("other_token", canary)})
	fails("a merge with what does not open", err)

	for _, err := range failures {
		for e := err; e != nil; e = errors.Unwrap(e) {
			if text := toJSON(t, []any{e.Error(), e}); strings.Contains(text, canary) || strings.Contains(text, passphrase) {
				t.Errorf("the error shows a parameter: %s", text)
			}
		}
	}
	log, err := os.ReadFile(storetest.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{canary, passphrase, row.passphrase(t, ring(), "webhook_secret")} {
		if bytes.Contains(log, []byte(secret)) {
			t.Errorf("PostgreSQL's log has the parameter %s", secret)
		}
	}
	if !bytes.Contains(log, []byte("integrations_project_id_name_key")) {
		t.Error("PostgreSQL's log has none of the errors")
	}
}
