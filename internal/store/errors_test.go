package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

func TestConnectionErrorsNameNoCredentials(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := storetest.New(t)
	for name, url := range map[string]string{
		"refused":             "postgres://someone:hunter2@127.0.0.1:1/theirs?sslmode=disable",
		"refused twice":       "postgres://someone:hunter2@127.0.0.1:1,127.0.0.1:2/theirs?sslmode=prefer",
		"keywords":            "host=127.0.0.1 port=1 user=someone password=hunter2 dbname=theirs",
		"no such host":        "postgres://someone:hunter2@nowhere.invalid/theirs",
		"no socket":           "postgres://someone:hunter2@/theirs?host=/nowhere",
		"port is no number":   "postgres://someone:hunter2@localhost:port/theirs",
		"no URL":              "postgres://someone:hunter2@%zz/theirs",
		"keyword without end": "host=localhost user=someone password='hunter2",
		"pool size":           "postgres://someone:hunter2@127.0.0.1:1/theirs?pool_max_conns=many",
		"TLS mode":            "postgres://someone:hunter2@127.0.0.1:1/theirs?sslmode=hunter2",
		"certificate":         "postgres://someone:hunter2@127.0.0.1:1/theirs?sslmode=verify-full&sslrootcert=/nowhere/hunter2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check := func(what string, err error) {
				t.Helper()
				if err == nil {
					t.Errorf("%s: no error", what)
					return
				}
				for _, part := range []string{"someone", "hunter2", "theirs"} {
					if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, part) {
						t.Errorf("%s: the error names %q: %s", what, part, text)
					}
				}
			}
			_, err := store.Open(ctx, store.Options{URL: seal.NewSecret(url), Catalogue: catalogue})
			check("Open", err)
			m, err := store.OpenMigrator(ctx, seal.NewSecret(url), false)
			if err != nil {
				check("OpenMigrator", err)
				return
			}
			defer m.Close()
			_, err = m.Up(ctx)
			check("Up", err)
			_, err = m.Status(ctx)
			check("Status", err)
		})
	}
	t.Run("wrong password", func(t *testing.T) {
		t.Parallel()
		user, _ := storetest.Login(t, "")
		for _, own := range []bool{true, false} {
			if _, err := open(t, db.As(user, "hunter2"), own); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error: %v", err)
			}
		}
	})
}

// A role that is taken away while the server runs is no damaged secret, and no refusal of one request.
func TestLostRoleIsInternal(t *testing.T) {
	t.Parallel()
	user, password := storetest.Login(t, "")
	db := storetest.New(t)
	root := db.Connect(t, "", "")
	execute(t, root, "GRANT patchbay_serve TO "+user)
	s, err := open(t, db.As(user, password), false)
	if err != nil {
		t.Fatal(err)
	}
	execute(t, root, "REVOKE patchbay_serve FROM "+user)
	s.Pool().Reset()
	_, err = s.Tenant(integration.Scope{Org: org}).CreateProject(context.Background(), uuid.New(), "Project")
	for _, kind := range []integration.Kind{integration.KindForbidden, integration.KindUnreadable, integration.KindInvalid} {
		if err == nil || integration.IsKind(err, kind) {
			t.Errorf("error: %v", err)
		}
	}
}

func TestConstraintsAreNamedInErrors(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	createIntegration(t, w.tenant, newIntegration(w.project, "clickup"))
	_, err := w.tenant.CreateIntegration(ctx, ring(), newIntegration(w.project, "clickup"), store.With{})
	wantKind(t, err, integration.KindConflict, "name")
	_, err = w.tenant.CreateProject(ctx, w.project, "Again")
	wantKind(t, err, integration.KindConflict, "id")
	_, err = w.tenant.CreateIntegration(ctx, ring(), newIntegration(uuid.New(), "clickup"), store.With{})
	wantKind(t, err, integration.KindNotFound, "")
	err = w.tenant.InTx(ctx, func(tx *store.Tenant) error {
		_, err := tx.CreateIntegration(ctx, ring(), newIntegration(w.project, "clickup"), store.With{})
		return err
	})
	wantKind(t, err, integration.KindConflict, "name")
}

func TestNotMigrated(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := storetest.Empty(t)
	_ = storetest.New(t) // the roles are there
	s, err := open(t, db.URL, false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Tenant(integration.Scope{Org: org}).Projects(ctx, integration.PageArgs{First: 1})
	if err == nil || !strings.Contains(err.Error(), "patchbay migrate up") {
		t.Errorf("Projects: %v", err)
	}
	if _, err = s.SealingKeys(ctx); err == nil || !strings.Contains(err.Error(), "patchbay migrate up") {
		t.Errorf("SealingKeys: %v", err)
	}
	if err := s.Ping(ctx); err != nil {
		t.Errorf("Ping: %v", err)
	}
}
