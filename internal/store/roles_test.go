package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

// open opens the store with a login.
func open(t testing.TB, url string, ownLogin bool) (*store.DB, error) {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{URL: seal.NewSecret(url), OwnLogin: ownLogin, Catalogue: catalogue})
	if err == nil {
		t.Cleanup(db.Close)
	}
	return db, err
}

// serves does with a login what requests do.
func serves(t testing.TB, url string, ownLogin bool) {
	t.Helper()
	db, err := open(t, url, ownLogin)
	if err != nil {
		t.Errorf("open: %v", err)
		return
	}
	tenant := db.Tenant(integration.Scope{Org: "org of serves"})
	project := createProject(t, tenant, "Project")
	createIntegration(t, tenant, newIntegration(project, "clickup"))
	if !ownLogin {
		if user := one[string](t, db.Pool(), `SELECT current_user::text`); user != "patchbay_serve" {
			t.Errorf("requests run as %s", user)
		}
	}
	db.Close()
}

func migrate(t testing.TB, url string) error {
	t.Helper()
	_, err := openMigrator(t, url).Up(context.Background())
	return err
}

// owned makes an empty database that belongs to a new login.
func owned(t testing.TB, c *storetest.Cluster, options string) (db *storetest.Database, url string) {
	t.Helper()
	user, password := c.Login(t, options)
	db = c.Empty(t)
	c.Exec(t, fmt.Sprintf("ALTER DATABASE %s OWNER TO %s", db.Name, user))
	return db, db.As(user, password)
}

// Roles belong to a whole cluster. Each of these begins where there are none of ours.
func TestNewCluster(t *testing.T) {
	t.Parallel()
	cluster := storetest.NewCluster(t)
	run := func(name string, test func(*testing.T)) {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { cluster.Exec(t, "DROP ROLE IF EXISTS patchbay_owner, patchbay_serve") })
			test(t)
		})
	}
	run("superuser", func(t *testing.T) {
		db := cluster.Empty(t)
		if err := migrate(t, db.URL); err != nil {
			t.Fatal(err)
		}
		serves(t, db.URL, false)
	})
	run("two databases at once", func(t *testing.T) {
		for range 3 {
			a, b := cluster.Empty(t), cluster.Empty(t)
			migrateAtOnce(t, 2*len(versions(t)), a.URL, b.URL)
			serves(t, a.URL, false)
			serves(t, b.URL, false)
			for _, db := range []*storetest.Database{a, b} {
				root := db.Connect(t, "", "")
				execute(t, root, "DROP OWNED BY patchbay_owner, patchbay_serve CASCADE")
			}
			cluster.Exec(t, "DROP ROLE patchbay_owner, patchbay_serve")
		}
	})
	run("database owner who may make roles", func(t *testing.T) {
		_, url := owned(t, cluster, "CREATEROLE")
		if err := migrate(t, url); err != nil {
			t.Fatal(err)
		}
		serves(t, url, false)
		if err := migrate(t, url); err != nil {
			t.Errorf("again: %v", err)
		}
	})
	run("database owner with both roles granted", func(t *testing.T) {
		db, url := owned(t, cluster, "")
		cluster.Exec(t, "CREATE ROLE patchbay_owner")
		cluster.Exec(t, "CREATE ROLE patchbay_serve")
		cluster.Exec(t, "GRANT patchbay_owner, patchbay_serve TO "+loginOf(t, url))
		if err := migrate(t, url); err != nil {
			t.Fatal(err)
		}
		serves(t, url, false)
		root := db.Connect(t, "", "")
		if owner := one[string](t, root, `SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'kb'`); owner != "patchbay_owner" {
			t.Errorf("schema kb belongs to %s", owner)
		}
	})
	run("database owner with nothing granted", func(t *testing.T) {
		db, url := owned(t, cluster, "")
		obeyed(t, db, url)
	})
	run("login that may do nothing", func(t *testing.T) {
		user, password := cluster.Login(t, "")
		db := cluster.Empty(t)
		obeyed(t, db, db.As(user, password))
	})
	run("login with a name to quote", func(t *testing.T) {
		cluster.Exec(t, `CREATE ROLE "Odd ""login" LOGIN PASSWORD 'x'`)
		t.Cleanup(func() { cluster.Exec(t, `DROP ROLE "Odd ""login"`) })
		db := cluster.Empty(t)
		obeyed(t, db, db.As(`Odd "login`, "x"))
	})
	run("tables of the earlier module", func(t *testing.T) { testInTheWay(t, cluster.Empty(t)) })
}

func loginOf(t testing.TB, url string) string {
	t.Helper()
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal("the login's URL cannot be read")
	}
	return cfg.User
}

// obeyed sees the login refused, does as superuser what the error says, word by word, and sees it succeed.
func obeyed(t *testing.T, db *storetest.Database, url string) {
	t.Helper()
	root := db.Connect(t, "", "")
	before := catalogListing(t, root)
	err := migrate(t, url)
	if err == nil {
		t.Fatal("the login could migrate")
	}
	if !strings.Contains(err.Error(), "nothing was migrated") || !strings.Contains(err.Error(), db.Name) {
		t.Errorf("error: %v", err)
	}
	if diff := cmp.Diff(before, catalogListing(t, root)); diff != "" && !strings.Contains(diff, "+ database") {
		t.Errorf("the refused migration changed the database:\n%s", diff)
	}
	lines := strings.Split(err.Error(), "\n  ")
	if len(lines) < 2 {
		t.Fatalf("the error names no statement: %v", err)
	}
	for _, statement := range lines[1:] {
		execute(t, root, statement)
	}
	if err := migrate(t, url); err != nil {
		t.Fatalf("after the statements: %v\n%s", err, strings.Join(lines[1:], "\n"))
	}
	serves(t, url, false)
}

func TestOwnLogin(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		options string
		grants  []string
		wrong   string // part of the error; "" where it works
	}{
		{"member", "", []string{"patchbay_serve"}, ""},
		{"superuser", "SUPERUSER", nil, "not bound by row-level security"},
		{"superuser and member", "SUPERUSER", []string{"patchbay_serve"}, "not bound by row-level security"},
		{"bypasses", "BYPASSRLS", []string{"patchbay_serve"}, "not bound by row-level security"},
		{"owner too", "", []string{"patchbay_serve", "patchbay_owner"}, "not bound by row-level security"},
		{"no member", "", nil, "is no member of patchbay_serve"},
		{"inherits nothing", "NOINHERIT", []string{"patchbay_serve"}, "is no member of patchbay_serve"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			user, password := storetest.Login(t, test.options)
			db := storetest.New(t)
			root := db.Connect(t, "", "")
			for _, role := range test.grants {
				execute(t, root, "GRANT "+role+" TO "+user)
			}
			if test.wrong == "" {
				serves(t, db.As(user, password), true)
				return
			}
			_, err := open(t, db.As(user, password), true)
			if err == nil || !strings.Contains(err.Error(), test.wrong) || !strings.Contains(err.Error(), user) || !strings.Contains(err.Error(), "DATABASE_URL") {
				t.Errorf("error: %v", err)
			}
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// Where requests have a login of their own, the migrating one need not become patchbay_serve.
func TestMigratingLoginBesideTheServingOne(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	owner, ownersPassword := storetest.Login(t, "")
	serving, servingPassword := storetest.Login(t, "")
	db := storetest.Empty(t)
	root := db.Connect(t, "", "")
	execute(t, root, "GRANT CREATE ON DATABASE "+db.Name+" TO "+owner+" WITH GRANT OPTION")
	execute(t, root, "GRANT patchbay_owner TO "+owner)
	execute(t, root, "GRANT patchbay_serve TO "+serving)

	err := migrate(t, db.As(owner, ownersPassword))
	if err == nil || strings.Count(err.Error(), ";\n") != 0 || !strings.Contains(err.Error(), "\n  GRANT patchbay_serve TO "+owner) {
		t.Errorf("with requests on the same login: %v", err)
	}
	m, err := store.OpenMigrator(ctx, seal.NewSecret(db.As(owner, ownersPassword)), true)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if ran, err := m.Up(ctx); err != nil || len(ran) != len(versions(t)) {
		t.Fatalf("%d ran, %v", len(ran), err)
	}
	serves(t, db.As(serving, servingPassword), true)
}

func TestOpenBeforeMigration(t *testing.T) {
	t.Parallel()
	user, password := storetest.Login(t, "")
	db := storetest.New(t)
	if _, err := open(t, db.As(user, password), false); err == nil || !strings.Contains(err.Error(), "patchbay migrate up") {
		t.Errorf("a login that may not become patchbay_serve: %v", err)
	}
}
