package store_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

// What the migrations' files say of themselves is what the database has after them.
func TestRightsOfAMigratedDatabase(t *testing.T) {
	t.Parallel()
	db := storetest.New(t).Open(t, catalogue, nil)
	var got store.Rights
	err := db.Inspect(context.Background(), func(i *store.Inspection) (err error) {
		got, err = i.Rights(context.Background())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := store.Rights{
		Migrated: true,
		Roles:    []store.Role{{Name: "patchbay_owner", Excess: []string{}, MemberOf: []string{}}, {Name: "patchbay_serve", Excess: []string{}, MemberOf: []string{}}},
		Views:    []store.View{}, Owned: []string{}, Public: []store.PublicGrant{},
		// These two are looked at below.
		Tables: got.Tables, Definers: got.Definers,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(got.Tables) < 4 || len(got.Definers) < 2 {
		t.Errorf("tables %v, functions %v", got.Tables, got.Definers)
	}
	for _, table := range got.Tables {
		if !table.RowSecurity || table.Forced || len(table.MissingPolicies)+len(table.ExtraPolicies) > 0 {
			t.Errorf("%+v", table)
		}
	}
	for _, f := range got.Definers {
		if !f.Known || !f.Owned || !f.Fixed {
			t.Errorf("%+v", f)
		}
	}
}

func TestInspectionOfAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	m := openMigrator(t, storetest.Empty(t).URL)
	err := m.Inspect(ctx, func(i *store.Inspection) error {
		rights, err := i.Rights(ctx)
		if rights.Migrated {
			t.Error("there is no schema yet")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOpens(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	made := createIntegration(t, w.tenant, newIntegration(w.project, "clickup"))
	row := readSealed(t, w.root, made.ID)
	right, other := row.passphrase(t, ring(), "settings"), row.passphrase(t, ring(), "webhook_secret")
	for _, test := range []struct {
		sealed     *string
		passphrase string
		want       *bool
	}{
		{row.Settings, right, ptr(true)},
		{row.Settings, other, ptr(false)},
		{ptr("no base64"), right, ptr(false)},
		{ptr(""), right, ptr(false)},
		{ptr((*row.Settings)[:40]), right, ptr(false)},
		{nil, right, nil},
	} {
		if diff := cmp.Diff(test.want, one[*bool](t, w.root, `SELECT kb.opens($1, $2)`, test.sealed, test.passphrase)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// A row whose key is not held is not tried, and not taken for damaged.
func TestOpenAllPassesOverOtherKeys(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	createIntegration(t, w.tenant, newIntegration(w.project, "clickup"))
	for i, want := range []store.Opened{{Rows: 1}, {}} {
		var got store.Opened
		err := openMigrator(t, w.db.URL).Inspect(ctx, func(in *store.Inspection) (err error) {
			if err = in.BecomeOwner(ctx); err == nil {
				got, err = in.OpenAll(ctx, seal.NewRing(keys()[i]), 5)
			}
			return err
		})
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}
