// Package storetest gives tests real databases: each its own, cloned from a migrated template, in a private PostgreSQL
// that the test process starts on first use. PATCHBAY_TEST_DATABASE_URL, a superuser's connection string, names another
// server to use instead.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"

	"patchbay/internal/embedpg"
	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// shared is the server that most of this process's tests use.
var shared struct {
	Cluster
	once     sync.Once
	err      error
	template string // name of the migrated database
	postgres *embedpg.Server
	dir      string
}

// names makes databases and logins distinct.
var names atomic.Int64

// Run runs a package's tests, sees that the statements of the serving role kept to one tenant each, and ends the PostgreSQL
// that was started: call it from TestMain, and exit with what it returns.
func Run(m *testing.M) int {
	code := statements.report(m.Run())
	if shared.postgres != nil {
		if err := stop(shared.postgres, shared.dir); err != nil {
			fmt.Fprintln(os.Stderr, "end the tests' PostgreSQL:", err)
			code = max(code, 1)
		}
	}
	return code
}

func start() {
	ctx := context.Background()
	shared.url = os.Getenv("PATCHBAY_TEST_DATABASE_URL")
	if shared.url == "" {
		if shared.postgres, shared.dir, shared.err = startPrivate(ctx); shared.err != nil {
			return
		}
		shared.url = shared.postgres.URL()
	}
	shared.template = fmt.Sprintf("patchbay_template_%d", os.Getpid())
	if shared.err = execute(ctx, shared.url, "CREATE DATABASE "+shared.template); shared.err != nil {
		return
	}
	m, err := store.OpenMigrator(ctx, seal.NewSecret(withDatabase(shared.url, shared.template)), false)
	if err != nil {
		shared.err = err
		return
	}
	defer m.Close()
	_, shared.err = m.Up(ctx)
}

// startPrivate starts a PostgreSQL in a new folder, which is removed again where that fails.
func startPrivate(ctx context.Context, omitted ...string) (s *embedpg.Server, dir string, err error) {
	dir, err = os.MkdirTemp("", "patchbay-test-*")
	if err != nil {
		return nil, "", err
	}
	if err = os.Chmod(dir, 0o755); err == nil { // PostgreSQL's account must get in
		s, err = embedpg.Start(ctx, embedpg.Options{
			StateDir:    filepath.Join(dir, "state"),
			BinDir:      os.Getenv("PG_BINDIR"),
			BundledDirs: bundledDirs(),
			// The data are gone after the tests anyway.
			Settings: map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"},
			Omitted:  omitted,
		})
	}
	if err != nil {
		_ = os.RemoveAll(dir)
	}
	return s, dir, err
}

func stop(s *embedpg.Server, dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = s.Stop(ctx) // it ends by SIGKILL where it does not in time, and its data are thrown away
	return os.RemoveAll(dir)
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
	shared.once.Do(start)
	if shared.postgres == nil {
		return ""
	}
	return shared.postgres.LogFile()
}

// BinDir is the folder of the private PostgreSQL's programs, or "" with another server.
func BinDir() string {
	shared.once.Do(start)
	if shared.postgres == nil {
		return ""
	}
	return shared.postgres.BinDir()
}

// Cluster is a PostgreSQL server.
type Cluster struct {
	url string // of one database, as superuser
}

// NewCluster starts a PostgreSQL for one test alone: roles belong to a whole cluster, and this one has none of ours. The
// test is skipped where no PostgreSQL is installed. The private PostgreSQL's settings that are omitted are as PostgreSQL has
// them, and ALTER SYSTEM can change them.
func NewCluster(t testing.TB, omitted ...string) *Cluster {
	t.Helper()
	s, dir, err := startPrivate(context.Background(), omitted...)
	if errors.Is(err, embedpg.ErrNoBinaries) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("start a PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		if err := stop(s, dir); err != nil {
			t.Errorf("end the test's PostgreSQL: %v", err)
		}
	})
	return &Cluster{url: s.URL()}
}

// Database is one test's own database.
type Database struct {
	// URL is the connection string of a superuser, who is bound by no row-level security.
	URL string
	// Name is the database's.
	Name string
}

// Empty makes a database that nothing was migrated in. It is dropped when the test ends.
func Empty(t testing.TB) *Database {
	t.Helper()
	return sharedCluster(t).Empty(t)
}

// New makes a migrated database. It is dropped when the test ends.
func New(t testing.TB) *Database {
	t.Helper()
	return sharedCluster(t).create(t, " TEMPLATE "+shared.template)
}

// Login makes a login of the tests' cluster with these options of CREATE ROLE. It is dropped when the test ends: make it
// before the databases that it is to own.
func Login(t testing.TB, options string) (user, password string) {
	t.Helper()
	return sharedCluster(t).Login(t, options)
}

func sharedCluster(t testing.TB) *Cluster {
	t.Helper()
	shared.once.Do(start)
	if shared.err != nil {
		t.Fatalf("start the tests' PostgreSQL: %v", shared.err)
	}
	return &shared.Cluster
}

// Empty is like the function Empty.
func (c *Cluster) Empty(t testing.TB) *Database {
	t.Helper()
	return c.create(t, "")
}

// Login is like the function Login.
func (c *Cluster) Login(t testing.TB, options string) (user, password string) {
	t.Helper()
	user, password = fmt.Sprintf("patchbay_login_%d_%d", os.Getpid(), names.Add(1)), "a password of tests"
	c.Exec(t, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s' %s", user, password, options))
	t.Cleanup(func() { c.Exec(t, "DROP ROLE "+user) })
	return user, password
}

// Exec runs a statement as superuser, outside every test's database.
func (c *Cluster) Exec(t testing.TB, statement string) {
	t.Helper()
	if err := execute(context.Background(), c.url, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func (c *Cluster) create(t testing.TB, options string) *Database {
	t.Helper()
	name := fmt.Sprintf("patchbay_test_%d_%d", os.Getpid(), names.Add(1))
	c.Exec(t, "CREATE DATABASE "+name+options)
	t.Cleanup(func() { c.Exec(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return &Database{URL: withDatabase(c.url, name), Name: name}
}

// Open connects as requests do. Statements are checked, save in benchmarks, and shown to another tracer where there is one.
func (d *Database) Open(t testing.TB, catalogue *integration.Catalogue, tracer pgx.QueryTracer) *store.DB {
	t.Helper()
	if _, measured := t.(*testing.B); !measured && tracer == nil {
		tracer = statements
	} else if !measured {
		tracer = multitracer.New(statements, tracer)
	}
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
		panic("the URL of a test's database cannot be read") // it was made by withDatabase
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
