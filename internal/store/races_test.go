package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/store"
)

func TestConcurrentMergesLoseNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	n := newIntegration(w.project, "clickup")
	n.Secrets = nil
	createIntegration(t, w.tenant, n)

	const writers = 20
	want := map[string]string{}
	var all sync.WaitGroup
	for i := range writers {
		name := fmt.Sprintf("secret_%02d", i)
		want[name] = "value of " + name
		all.Go(func() {
			for {
				v, err := w.tenant.IntegrationVersion(ctx, w.project, "clickup")
				if err == nil {
					_, err = w.tenant.UpdateIntegration(ctx, ring(), v, store.IntegrationUpdate{Secrets: secrets(name, "value of "+name)}, store.With{})
				}
				if !errors.Is(err, store.ErrStale) {
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
					return
				}
			}
		})
	}
	all.Wait()
	row := readSealed(t, w.root, n.ID)
	settings, _ := row.open(t, w.root, ring())
	if diff := cmp.Diff(want, settings); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if row.Revision != 1+writers {
		t.Errorf("revision %d, want %d", row.Revision, 1+writers)
	}
}

func TestStaleUpdates(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	createIntegration(t, w.tenant, newIntegration(w.project, "clickup"))
	v, err := w.tenant.IntegrationVersion(ctx, w.project, "clickup")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.tenant.UpdateIntegration(ctx, ring(), v, store.IntegrationUpdate{Enabled: ptr(false)}, store.With{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tenant.UpdateIntegration(ctx, ring(), v, store.IntegrationUpdate{Enabled: ptr(true)}, store.With{}); !errors.Is(err, store.ErrStale) {
		t.Errorf("an update of an older revision: %v", err)
	}
	if i, err := w.tenant.Integration(ctx, w.project, "clickup", store.With{}); err != nil || i.Enabled || i.Revision != 2 {
		t.Errorf("%+v, %v", i, err)
	}
	v.Revision = 2
	if _, err := w.tenant.DeleteIntegration(ctx, w.project, "clickup"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tenant.UpdateIntegration(ctx, ring(), v, store.IntegrationUpdate{Enabled: ptr(true)}, store.With{}); !errors.Is(err, store.ErrStale) {
		t.Errorf("an update of what is gone: %v", err)
	}
}
