package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

var theHook = store.RegisteredHook{ID: "hook-1", URL: "https://patchbay.example.com/webhooks/clickup/1"}

// register gives an integration a webhook that is to be looked at after so long.
func register(t testing.TB, tenant *store.Tenant, id uuid.UUID, h store.RegisteredHook, checkAfter time.Duration) {
	t.Helper()
	if _, err := tenant.ClaimHook(context.Background(), id, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := tenant.RegisterHook(context.Background(), id, h, checkAfter); err != nil {
		t.Fatal(err)
	}
}

// endpoint is what clients see of an integration's webhook.
func endpoint(t testing.TB, tenant *store.Tenant, id uuid.UUID) integration.WebhookEndpoint {
	t.Helper()
	i, err := tenant.IntegrationByID(context.Background(), id, store.With{Webhook: true})
	if err != nil || i == nil || i.Webhook == nil || i.SyncState != nil {
		t.Fatalf("%+v, %v", i, err)
	}
	return *i.Webhook
}

func TestOneAtATimeSetsUpAWebhook(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	claim := func(lease time.Duration) (*store.RegisteredHook, error) { return w.tenant.ClaimHook(ctx, id, lease) }
	if h, err := claim(time.Minute); err != nil || *h != (store.RegisteredHook{}) {
		t.Fatal(h, err)
	}
	if _, err := claim(time.Minute); !integration.IsKind(err, integration.KindConflict) {
		t.Errorf("a second one: %v", err)
	}
	if err := w.tenant.ReleaseHook(ctx, id); err != nil {
		t.Fatal(err)
	}
	if _, err := claim(-time.Second); err != nil { // as of a server that was killed
		t.Errorf("after the first gave up: %v", err)
	}
	if _, err := claim(time.Minute); err != nil {
		t.Errorf("after the lease: %v", err)
	}
	if err := w.tenant.RegisterHook(ctx, id, theHook, time.Hour); err != nil {
		t.Fatal(err)
	}
	if h, err := claim(time.Minute); err != nil || *h != theHook {
		t.Errorf("after it was registered: %+v, %v", h, err)
	}
	if _, err := w.tenant.ClaimHook(ctx, uuid.New(), time.Minute); !integration.IsKind(err, integration.KindNotFound) {
		t.Errorf("one that is not: %v", err)
	}
	if err := w.tenant.RegisterHook(ctx, uuid.New(), theHook, time.Hour); !integration.IsKind(err, integration.KindNotFound) {
		t.Errorf("one that was deleted meanwhile: %v", err)
	}
}

func TestARegisteredWebhookIsSeenUntilItIsGone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	want := integration.WebhookEndpoint{IntegrationID: id, Provider: "clickup", HasSecret: true}
	if got := endpoint(t, w.tenant, id); got != want {
		t.Errorf("before: %+v", got)
	}
	register(t, w.tenant, id, theHook, time.Hour)
	want.Registered = true
	if got := endpoint(t, w.tenant, id); got != want {
		t.Errorf("registered: %+v", got)
	}
	if h, err := w.tenant.RegisteredHook(ctx, id); err != nil || h == nil || *h != theHook {
		t.Errorf("registered: %+v, %v", h, err)
	}
	if forgotten, err := w.tenant.ForgetHook(ctx, id, "one from before"); forgotten || err != nil {
		t.Errorf("another one: %v, %v", forgotten, err)
	}
	if forgotten, err := w.tenant.ForgetHook(ctx, id, theHook.ID); !forgotten || err != nil {
		t.Errorf("forgotten: %v, %v", forgotten, err)
	}
	want.Registered = false
	if got := endpoint(t, w.tenant, id); got != want {
		t.Errorf("gone: %+v", got)
	}
	if h, err := w.tenant.RegisteredHook(ctx, id); err != nil || h != nil {
		t.Errorf("gone: %+v, %v", h, err)
	}
}

// One that is to be replaced is registered no more, and is not forgotten until another one is.
func TestAWebhookThatIsWantedIsLookedAfter(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	register(t, w.tenant, id, theHook, time.Hour)
	const url = "https://elsewhere.example.com/webhooks/clickup/1"
	if err := w.tenant.WantHook(ctx, id, theHook.ID, url, -time.Second); err != nil {
		t.Fatal(err)
	}
	if endpoint(t, w.tenant, id).Registered {
		t.Error("it is registered")
	}
	if forgotten, err := w.tenant.ForgetHook(ctx, id, theHook.ID); forgotten || err != nil { // by who looked just before
		t.Error(forgotten, err)
	}
	if err := w.tenant.EndHookChecks(ctx, id); err != nil {
		t.Error(err)
	}
	wanted := store.RegisteredHook{ID: theHook.ID, URL: url, Wanted: true}
	if h, err := w.tenant.RegisteredHook(ctx, id); err != nil || h == nil || *h != wanted {
		t.Errorf("%+v, %v", h, err)
	}
	if h, err := w.tenant.ClaimHook(ctx, id, -time.Second); err != nil || *h != wanted {
		t.Errorf("%+v, %v", h, err)
	}
	execute(t, w.root, `UPDATE kb.webhooks SET last_delivery_at = now()`) // of the one from before
	if due, err := w.store.DueHookChecks(ctx, time.Hour, 10); len(due) != 1 || err != nil {
		t.Errorf("due are %v, %v", due, err)
	}
	register(t, w.tenant, id, store.RegisteredHook{ID: "hook-2", URL: url}, time.Hour)
	if h, err := w.tenant.RegisteredHook(ctx, id); err != nil || *h != (store.RegisteredHook{ID: "hook-2", URL: url}) {
		t.Errorf("%+v, %v", h, err)
	}
	if err := w.tenant.WantHook(ctx, id, "", url, time.Hour); err != nil {
		t.Fatal(err)
	}
	if h, err := w.tenant.RegisteredHook(ctx, id); err != nil || *h != (store.RegisteredHook{URL: url, Wanted: true}) {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestAWebhookIsLookedAtByOneWhenItIsDue(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	due := func() bool {
		list, err := w.store.DueHookChecks(ctx, time.Hour, 10)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Equal(list, []store.DueHook{{Org: org, IntegrationID: id}})
	}
	register(t, w.tenant, id, theHook, time.Hour)
	if due() {
		t.Error("due at once")
	}
	register(t, w.tenant, id, theHook, -time.Second)
	if !due() {
		t.Error("not due")
	}
	execute(t, w.root, `UPDATE kb.integrations SET enabled = false`)
	if due() {
		t.Error("due though the integration is disabled")
	}
	execute(t, w.root, `UPDATE kb.integrations SET enabled = true`)
	execute(t, w.root, `UPDATE kb.webhooks SET last_delivery_at = now() - interval '1 minute'`)
	if due() {
		t.Error("due though it delivered a minute ago")
	}
	execute(t, w.root, `UPDATE kb.webhooks SET last_delivery_at = now() - interval '61 minutes'`)
	if !due() {
		t.Error("not due though it has been silent")
	}
	for i, want := range []bool{true, false} {
		if taken, err := w.tenant.TakeHookCheck(ctx, id, time.Hour); taken != want || err != nil {
			t.Errorf("take %d: %v, %v", i+1, taken, err)
		}
	}
	if due() {
		t.Error("due though somebody took it")
	}
}

func TestARunCatchesUpOnceNoOtherIsLive(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	due := func() bool {
		list, err := w.store.DueCatchUps(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Equal(list, []store.DueHook{{Org: org, IntegrationID: id}})
	}
	take := func() bool {
		needed, full, err := w.tenant.TakeCatchUp(ctx, id)
		if err != nil || full {
			t.Fatal(full, err)
		}
		return needed
	}
	register(t, w.tenant, id, theHook, time.Hour)
	if due() || take() {
		t.Error("nobody asked for it")
	}
	if err := w.tenant.NoteCatchUp(ctx, id, 0, false); err != nil {
		t.Fatal(err)
	}
	if !due() || take() || due() {
		t.Error("before anything was imported there is nothing to catch up with")
	}
	execute(t, w.root, `UPDATE kb.sync_states SET cursor = '{"since": "2026-01-01T00:00:00Z"}'`)
	if err := w.tenant.NoteCatchUp(ctx, id, time.Hour, false); err != nil {
		t.Fatal(err)
	}
	if due() || take() {
		t.Error("due at once")
	}
	if err := w.tenant.NoteCatchUp(ctx, id, -time.Second, false); err != nil {
		t.Fatal(err)
	}
	run, err := startRun(ctx, w.tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	if due() {
		t.Error("due while a run is live")
	}
	if _, err := w.tenant.CancelSyncRun(ctx, run.ID); err != nil {
		t.Fatal(err)
	}
	if !due() || !take() || take() || due() {
		t.Error("it is not taken exactly once")
	}
}

// Where deletions may have been lost, the run reads everything, whoever else asks for one; the next one does not.
func TestWhetherARunThatCatchesUpReadsEverything(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	register(t, w.tenant, id, theHook, time.Hour)
	execute(t, w.root, `UPDATE kb.sync_states SET cursor = '{"since": "2026-01-01T00:00:00Z"}'`)
	note := func(full bool) {
		t.Helper()
		if err := w.tenant.NoteCatchUp(ctx, id, -time.Second, full); err != nil {
			t.Fatal(err)
		}
	}
	take := func(want bool) {
		t.Helper()
		if needed, full, err := w.tenant.TakeCatchUp(ctx, id); !needed || full != want || err != nil {
			t.Errorf("needed %t, full %t, not %t, %v", needed, full, want, err)
		}
	}
	note(true)
	note(false)
	take(true)
	note(false)
	take(false)
	if forgotten, err := w.tenant.ForgetHook(ctx, id, theHook.ID); !forgotten || err != nil {
		t.Fatal(forgotten, err)
	}
	note(false) // as there is one again, which tells nothing of what was deleted meanwhile
	take(true)
}

// A run that catches up and fails, or is cancelled, leaves the wish for one; other runs do not.
func TestTheWishToCatchUpOutlivesARunThatFails(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	register(t, w.tenant, id, theHook, time.Hour)
	begin := func(trigger integration.SyncTrigger, mode integration.SyncMode) (run uuid.UUID) {
		t.Helper()
		execute(t, w.root, `UPDATE kb.sync_states SET cursor = jsonb_build_object('since', now(), 'settings', md5(i.public_settings::text)) FROM kb.integrations i`)
		run = uuid.Must(uuid.NewV7())
		if err := w.tenant.InTx(ctx, func(tx *store.Tenant) error {
			_, err := tx.StartSyncRun(ctx, store.NewSyncRun{ID: run, IntegrationID: id, Trigger: trigger, StartSync: integration.StartSync{Mode: mode}})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return run
	}
	end := func(run uuid.UUID, status integration.SyncStatus) {
		t.Helper()
		if held, err := w.tenant.EndSyncRun(ctx, run, store.FirstFence, store.SyncEnd{Status: status}); !held || err != nil {
			t.Fatal(held, err)
		}
	}
	wish := func(want string) { // in minutes, and whether a full one
		t.Helper()
		got := one[string](t, w.root, `SELECT concat_ws(' ', round(extract(epoch FROM catch_up_at - now()) / 60), catch_up_full) FROM kb.webhooks`)
		if got != want {
			t.Errorf("it is wished for in %s, not %s", got, want)
		}
		execute(t, w.root, `UPDATE kb.webhooks SET catch_up_at = NULL, catch_up_full = false`)
	}
	end(begin(integration.TriggerWebhook, integration.SyncFull), integration.SyncError)
	wish("15 t")
	end(begin(integration.TriggerWebhook, integration.SyncIncremental), integration.SyncError)
	wish("30 f")
	execute(t, w.root, `UPDATE kb.sync_states SET consecutive_failures = 40`)
	end(begin(integration.TriggerWebhook, integration.SyncFull), integration.SyncError)
	wish("1440 t")
	run := begin(integration.TriggerWebhook, integration.SyncFull)
	if _, err := w.tenant.CancelSyncRun(ctx, run); err != nil {
		t.Fatal(err)
	}
	wish("60 t")
	end(begin(integration.TriggerWebhook, integration.SyncIncremental), integration.SyncCancelled) // as a disabled integration's
	wish("60 f")
	if err := w.tenant.NoteCatchUp(ctx, id, 2*time.Hour, true); err != nil { // by what was lost while it ran
		t.Fatal(err)
	}
	end(begin(integration.TriggerWebhook, integration.SyncIncremental), integration.SyncCancelled)
	wish("120 t")
	end(begin(integration.TriggerWebhook, integration.SyncFull), integration.SyncSuccess)
	wish("f")
	end(begin(integration.TriggerWebhook, integration.SyncFull), integration.SyncPartial)
	wish("f")
	end(begin(integration.TriggerManual, integration.SyncFull), integration.SyncError)
	wish("f")
}

func TestWhetherAWebhookSecretIsHeld(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	v, err := w.tenant.IntegrationVersionByID(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]bool{webhookSecret: true, webhookSecret + "x": false, "": false} {
		if held, err := w.tenant.HoldsWebhookSecret(ctx, ring(), v, seal.NewSecret(secret)); held != want || err != nil {
			t.Errorf("%q: %v, %v", secret, held, err)
		}
	}
	execute(t, w.root, `UPDATE kb.integrations SET webhook_secret = left(webhook_secret, 20)`)
	if held, err := w.tenant.HoldsWebhookSecret(ctx, ring(), v, seal.NewSecret(webhookSecret)); held || !integration.IsKind(err, integration.KindUnreadable) {
		t.Errorf("one that does not open: %v, %v", held, err)
	}
}
