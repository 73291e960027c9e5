package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// Forgetting a key clears its rows and no others, and ends a rotation that nobody can advance.
func TestForgetKey(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	lost := newIntegration(w.project, "lost")
	if _, err := w.tenant.CreateIntegration(ctx, seal.NewRing(keys()[1]), lost, store.With{}); err != nil {
		t.Fatal(err)
	}
	rotateWebhook(t, w.tenant, seal.NewRing(keys()[1]), lost.ID, "second", time.Hour)
	kept := createIntegration(t, w.tenant, newIntegration(w.project, "kept"))
	before := readSealed(t, w.root, kept.ID)
	rotation := startRotation(t, w.tenant, nextRing()) // to the key that is lost

	cleared := 0
	if err := w.tenant.InTx(ctx, func(tx *store.Tenant) (err error) {
		cleared, err = tx.ForgetKey(ctx, keys()[1].ID())
		return err
	}); err != nil || cleared != 1 {
		t.Errorf("%d cleared, %v", cleared, err)
	}
	want := sealedRow{ID: lost.ID, Org: org, Configured: []string{}, Public: map[string]any{"workspace_id": "w1"}, Revision: 3}
	if diff := cmp.Diff(want, readSealed(t, w.root, lost.ID)); diff != "" {
		t.Errorf("the row (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(before, readSealed(t, w.root, kept.ID)); diff != "" {
		t.Errorf("another key's row was changed\n%s", diff)
	}
	wantRotation(t, w.tenant, rotation, 1, 0, 0, true)
	i, err := w.tenant.IntegrationByID(ctx, lost.ID, store.With{State: true})
	if err != nil || i.HasConfiguration || !i.Enabled || i.SyncState.Status != integration.SyncPending {
		t.Errorf("%+v, %v", i, err)
	}
	if err := w.tenant.InTx(ctx, func(tx *store.Tenant) (err error) {
		cleared, err = tx.ForgetKey(ctx, keys()[1].ID())
		return err
	}); err != nil || cleared != 0 {
		t.Errorf("again: %d cleared, %v", cleared, err)
	}
	if events := column[string](t, w.root, `SELECT changes::text FROM kb.audit_events WHERE action = 'key.forget'`); len(events) != 1 {
		t.Errorf("the trail tells %q", events)
	}
}
