package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// rotateWebhook gives an integration a webhook secret and returns until when the one before counts.
func rotateWebhook(t testing.TB, tenant *store.Tenant, ring *seal.Ring, id uuid.UUID, secret string, grace time.Duration) *time.Time {
	t.Helper()
	v, err := tenant.IntegrationVersionByID(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	until, err := tenant.RotateWebhookSecret(context.Background(), ring, v, seal.NewSecret(secret), grace)
	if err != nil {
		t.Fatalf("rotate the webhook secret: %v", err)
	}
	return until
}

// wantWebhooks compares an integration's two webhook secrets.
func wantWebhooks(t testing.TB, w *workspace, ring *seal.Ring, id uuid.UUID, present, previous string) {
	t.Helper()
	row := readSealed(t, w.root, id)
	_, got := row.open(t, w.root, ring)
	if diff := cmp.Diff([]string{present, previous}, []string{got, row.openPrevious(t, w.root, ring)}); diff != "" {
		t.Errorf("webhook secrets (-want +got)\n%s", diff)
	}
}

func TestWebhookSecretIsRotated(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	before := time.Now()
	until := rotateWebhook(t, w.tenant, ring(), id, "second", time.Hour)
	if until == nil || until.Before(before.Add(time.Hour-time.Minute)) || until.After(time.Now().Add(time.Hour+time.Minute)) {
		t.Errorf("the one before counts until %v", until)
	}
	wantWebhooks(t, w, ring(), id, "second", webhookSecret)
	row := readSealed(t, w.root, id)
	wantStrongMessage(t, *row.Previous)
	if _, err := w.root.Exec(ctx, `SELECT kb.unseal($1, $2)`, *row.Previous, row.passphrase(t, ring(), "webhook_secret")); sqlState(err) != "39000" {
		t.Errorf("the previous one opens with the present one's passphrase: %v", err)
	}
	rotateWebhook(t, w.tenant, ring(), id, "third", time.Hour)
	wantWebhooks(t, w, ring(), id, "third", "second")

	v, err := w.tenant.IntegrationVersionByID(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	rotateWebhook(t, w.tenant, ring(), id, "fourth", time.Hour)
	if _, err := w.tenant.RotateWebhookSecret(ctx, ring(), v, seal.NewSecret("late"), time.Hour); err != store.ErrStale {
		t.Errorf("a rotation that lost a race: %v", err)
	}
	wantWebhooks(t, w, ring(), id, "fourth", "third")

	// One that is given ends every one before it.
	if _, err := update(w.tenant, ring(), w.project, "clickup", store.IntegrationUpdate{WebhookSecret: ptr(seal.NewSecret("given"))}); err != nil {
		t.Fatal(err)
	}
	wantWebhooks(t, w, ring(), id, "given", "")

	execute(t, w.root, `UPDATE kb.integrations SET webhook_secret = NULL WHERE id = $1`, id)
	if until := rotateWebhook(t, w.tenant, ring(), id, "first again", time.Hour); until != nil {
		t.Errorf("there was none, and it counts until %v", until)
	}
	wantWebhooks(t, w, ring(), id, "first again", "")
	if events := column[string](t, w.root, `SELECT changes::text FROM kb.audit_events WHERE action = 'webhook_secret.rotate' AND integration_id = $1 ORDER BY at`, id); len(events) != 4 ||
		events[0] != `{"grace": "1h0m0s", "opened": ["webhookSecret"]}` || events[3] != `{"grace": "1h0m0s", "opened": []}` {
		t.Errorf("the trail tells %q", events)
	}
}

// A previous webhook secret goes to another key with its row, while it counts; whatever seals the row drops one that does not.
func TestPreviousWebhookSecretUnderANewKey(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, change := range map[string]func(t *testing.T, w *workspace, id uuid.UUID) (present string){
		"key rotation": func(t *testing.T, w *workspace, _ uuid.UUID) string {
			rotation := startRotation(t, w.tenant, nextRing())
			for !advance(t, w.tenant, nextRing(), rotation, store.FirstFence, 5).Finished {
			}
			wantRotation(t, w.tenant, rotation, 1, 1, 0, true)
			return "second"
		},
		"update of a secret": func(t *testing.T, w *workspace, _ uuid.UUID) string {
			if _, err := update(w.tenant, nextRing(), w.project, "clickup", store.IntegrationUpdate{Secrets: secrets("api_token", "new")}); err != nil {
				t.Fatal(err)
			}
			return "second"
		},
		"webhook rotation": func(t *testing.T, w *workspace, id uuid.UUID) string {
			rotateWebhook(t, w.tenant, nextRing(), id, "third", time.Hour)
			return "third"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorkspace(t, nil)
			id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
			rotateWebhook(t, w.tenant, ring(), id, "second", time.Hour)
			present := change(t, w, id)
			previous := webhookSecret
			if present == "third" {
				previous = "second"
			}
			next := seal.NewRing(keys()[1])
			wantWebhooks(t, w, next, id, present, previous)
			settings, _ := readSealed(t, w.root, id).open(t, w.root, next)
			if len(settings) != 1 {
				t.Errorf("settings %v", settings)
			}

			// Back, after it has ended and is damaged.
			execute(t, w.root, `UPDATE kb.integrations SET previous_webhook_secret = 'damaged', previous_webhook_secret_until = now() - interval '1 s'`)
			back := seal.NewRing(keys()[0], keys()[1])
			if n, err := w.tenant.CountUnreadable(ctx, back, 5); n != 0 || err != nil {
				t.Errorf("%d unreadable, %v", n, err)
			}
			rotation := startRotation(t, w.tenant, back)
			for !advance(t, w.tenant, back, rotation, store.FirstFence, 5).Finished {
			}
			wantRotation(t, w.tenant, rotation, 1, 1, 0, true)
			wantWebhooks(t, w, ring(), id, present, "")
		})
	}
}

// A previous webhook secret that counts and does not open is damage like any other.
func TestPreviousWebhookSecretThatDoesNotOpen(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	rotateWebhook(t, w.tenant, ring(), id, "second", time.Hour)
	execute(t, w.root, `UPDATE kb.integrations SET previous_webhook_secret = webhook_secret`)
	if n, err := w.tenant.CountUnreadable(ctx, ring(), 5); n != 1 || err != nil {
		t.Errorf("%d unreadable, %v", n, err)
	}
	before := readSealed(t, w.root, id)
	_, err := update(w.tenant, nextRing(), w.project, "clickup", store.IntegrationUpdate{Secrets: secrets("api_token", "new")})
	wantKind(t, err, integration.KindUnreadable, "")
	rotation := startRotation(t, w.tenant, nextRing())
	if step := advance(t, w.tenant, nextRing(), rotation, store.FirstFence, 5); !cmp.Equal(step.Failed, []uuid.UUID{id}) {
		t.Errorf("the rotation's step: %+v", step)
	}
	if diff := cmp.Diff(before, readSealed(t, w.root, id)); diff != "" {
		t.Errorf("the row was changed\n%s", diff)
	}

	// The present one is damaged: a rotation, which would keep it, is refused; giving one mends it.
	execute(t, w.root, `UPDATE kb.integrations SET webhook_secret = settings`)
	v, err := w.tenant.IntegrationVersionByID(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.tenant.RotateWebhookSecret(ctx, ring(), v, seal.NewSecret("third"), time.Hour)
	wantKind(t, err, integration.KindUnreadable, "")
	if _, err := update(w.tenant, ring(), w.project, "clickup", store.IntegrationUpdate{WebhookSecret: ptr(seal.NewSecret("given"))}); err != nil {
		t.Fatal(err)
	}
	wantWebhooks(t, w, ring(), id, "given", "")
}
