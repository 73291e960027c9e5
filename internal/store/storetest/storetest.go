// Package storetest gives tests real databases: each its own, cloned from a migrated template, in a private PostgreSQL
// that the test process starts on first use. PATCHBAY_TEST_DATABASE_URL, a superuser's connection string, names another
// server to use instead.
package storetest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"patchbay/internal/embedpg"
	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// cluster is the server that this process's tests use.
var cluster struct {
	once     sync.Once
	err      error
	url      string // of the database postgres, as superuser
	template string // name of the migrated database
	postgres *embedpg.Server
	dir      string
}

var databases atomic.Int64

// Run runs a package's tests and ends the PostgreSQL that they started: call it from TestMain, and exit with what it returns.
func Run(m *testing.M) int {
	code := m.Run()
	if cluster.postgres != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := cluster.postgres.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "end the tests' PostgreSQL:", err)
			code = max(code, 1)
		}
		_ = os.RemoveAll(cluster.dir)
	}
	return code
}

func start() {
	ctx := context.Background()
	cluster.url = os.Getenv("PATCHBAY_TEST_DATABASE_URL")
	if cluster.url == "" {
		if cluster.err = startPrivate(ctx); cluster.err != nil {
			return
		}
	}
	cluster.template = fmt.Sprintf("patchbay_template_%d", os.Getpid())
	if cluster.err = execute(ctx, cluster.url, "CREATE DATABASE "+cluster.template); cluster.err != nil {
		return
	}
	m, err := store.OpenMigrator(ctx, seal.NewSecret(withDatabase(cluster.url, cluster.template)), false)
	if err != nil {
		cluster.err = err
		return
	}
	defer m.Close()
	_, cluster.err = m.Up(ctx)
}

func startPrivate(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "patchbay-test-*")
	if err != nil {
		return err
	}
	cluster.dir = dir
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's account must get in
		return err
	}
	cluster.postgres, err = embedpg.Start(ctx, embedpg.Options{
		StateDir:    filepath.Join(dir, "state"),
		BinDir:      os.Getenv("PG_BINDIR"),
		BundledDirs: bundledDirs(),
		// The data are gone after the tests anyway.
		Settings: map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"},
	})
	if err != nil {
		return err
	}
	cluster.url = cluster.postgres.URL()
	return nil
}

// bundledDirs looks for tools/postgres in the folders above the package under test.
func bundledDirs() []string {
	var dirs []string
	for up := "."; len(up) < 30; up = filepath.Join(up, "..") {
		dirs = append(dirs, filepath.Join(up, "tools/postgres/node_modules"))
	}
	return dirs
}

// LogFile is the log of the tests' private PostgreSQL, or "" with another server.
func LogFile() string {
	if cluster.postgres == nil {
		return ""
	}
	return cluster.postgres.LogFile()
}

// Database is one test's own database.
type Database struct {
	// URL is the connection string of a superuser, who is bound by no row-level security.
	URL string
}

// Empty makes a database that nothing was migrated in. It is dropped when the test ends.
func Empty(t testing.TB) *Database { return create(t, "") }

// New makes a migrated database. It is dropped when the test ends.
func New(t testing.TB) *Database { return create(t, "TEMPLATE") }

func create(t testing.TB, from string) *Database {
	t.Helper()
	cluster.once.Do(start)
	if cluster.err != nil {
		t.Fatalf("start the tests' PostgreSQL: %v", cluster.err)
	}
	name := fmt.Sprintf("patchbay_test_%d_%d", os.Getpid(), databases.Add(1))
	statement := "CREATE DATABASE " + name
	if from != "" {
		statement += " TEMPLATE " + cluster.template
	}
	ctx := context.Background()
	if err := execute(ctx, cluster.url, statement); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(ctx, cluster.url, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return &Database{URL: withDatabase(cluster.url, name)}
}

// Open connects as requests do.
func (d *Database) Open(t testing.TB, catalogue *integration.Catalogue, tracer pgx.QueryTracer) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{URL: seal.NewSecret(d.URL), Catalogue: catalogue, Tracer: tracer})
	if err != nil {
		t.Fatalf("open the database: %v", err)
	}
	t.Cleanup(db.Close)
	return db
}

// Connect connects as the superuser, or as another login where user is not empty.
func (d *Database) Connect(t testing.TB, user, password string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), d.As(user, password))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// As is the connection string of another login; the superuser's where user is empty.
func (d *Database) As(user, password string) string {
	if user == "" {
		return d.URL
	}
	u, err := url.Parse(d.URL)
	if err != nil {
		panic(err) // it was made by withDatabase
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

func withDatabase(connection, name string) string {
	u, err := url.Parse(connection)
	if err != nil {
		panic(fmt.Sprintf("PATCHBAY_TEST_DATABASE_URL must be a URL: %v", err))
	}
	u.Path = "/" + name
	return u.String()
}

func execute(ctx context.Context, connection, statement string) error {
	conn, err := pgx.Connect(ctx, connection)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}
