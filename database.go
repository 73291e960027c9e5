package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"patchbay/internal/embedpg"
	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// errNotPrivate is what commands about the private PostgreSQL answer where there is none.
var errNotPrivate = errors.New("DATABASE_URL is set, so there is no private PostgreSQL")

// keyFile is where a generated encryption key is kept, in the state folder.
const keyFile = "encryption-key"

// stopTimeout bounds the private PostgreSQL's shutdown.
const stopTimeout = 15 * time.Second

// place is where the data lives: the configured database, or a private one in the state folder.
type place struct {
	*app
	stateDir string // empty with a configured database
}

func (p *place) private() bool { return p.stateDir != "" }

func (a *app) place() (*place, error) {
	p := &place{app: a}
	for variable, url := range map[string]seal.Secret{"DATABASE_URL": a.config.DatabaseURL, "PATCHBAY_MIGRATE_DATABASE_URL": a.config.MigrateDatabaseURL, "PATCHBAY_LISTEN_DATABASE_URL": a.config.ListenDatabaseURL} {
		if err := store.CheckURL(url); err != nil {
			return nil, fmt.Errorf("%s: %w", variable, err)
		}
	}
	if !a.config.DatabaseURL.IsZero() {
		return p, nil
	}
	if !a.config.MigrateDatabaseURL.IsZero() {
		return nil, errors.New("PATCHBAY_MIGRATE_DATABASE_URL is set and DATABASE_URL is not: set both, or neither for a private database")
	}
	if !a.config.ListenDatabaseURL.IsZero() {
		return nil, errors.New("PATCHBAY_LISTEN_DATABASE_URL is set and DATABASE_URL is not: set both, or neither for a private database")
	}
	dir, moved, err := embedpg.ResolveStateDir(a.config.StateDir, a.config.StateDir != "")
	if err != nil {
		return nil, fmt.Errorf("PATCHBAY_STATE_DIR: %w", err)
	}
	if moved {
		a.log.Info("PostgreSQL's account cannot enter the working folder: the state folder lies elsewhere", "folder", dir)
	}
	p.stateDir = dir
	return p, nil
}

// keys reads the encryption keys: from the environment, else from the file beside the private database, which is made
// where generate allows it.
func (p *place) keys(generate bool) (*seal.Ring, error) {
	cfg := p.config
	if cfg.EncryptionKey.IsZero() && p.private() {
		path := filepath.Join(p.stateDir, keyFile)
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) && generate {
			text, err = p.generateKey(path)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("read the encryption key: %w", err)
		}
		cfg.EncryptionKey = seal.NewSecret(string(text))
	}
	return cfg.Keys()
}

// generateKey makes the first key of a private database. Beside data there was one before, which no new one replaces.
func (p *place) generateKey(path string) ([]byte, error) {
	if p.made() {
		return nil, fmt.Errorf("%s is gone, and there are data that its key sealed: bring the file back, or set INTEGRATION_ENCRYPTION_KEY to that key; "+
			"if the key is lost for good, set a new one, and the start tells what to do", path)
	}
	text, err := newKeyFile(path)
	if err == nil {
		p.log.Info("made an encryption key: without it the stored secrets are lost, so back it up", "file", path)
	}
	return text, err
}

// made tells whether the private database has been made.
func (p *place) made() bool {
	data, _ := filepath.Glob(filepath.Join(p.stateDir, "pg*", "PG_VERSION")) // fails for a bad pattern only
	return len(data) > 0
}

// newKeyFile writes a new key for its owner's eyes only. Where another process was faster, its key counts.
func newKeyFile(path string) ([]byte, error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), keyFile+"-*") // 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(seal.GenerateKey().Expose() + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

// database is an open place: connection strings that work, and what must be ended after use.
type database struct {
	url, migrateURL, listenURL seal.Secret

	ownLogin bool // url's and listenURL's logins can serve and nothing more
	postgres *embedpg.Server
}

// open starts, or attaches to, the private PostgreSQL where that is what is used.
func (p *place) open(ctx context.Context) (*database, error) {
	if !p.private() {
		d := &database{
			url:        p.config.DatabaseURL,
			migrateURL: p.config.MigrateDatabaseURL,
			listenURL:  p.config.ListenDatabaseURL,
			ownLogin:   !p.config.MigrateDatabaseURL.IsZero(),
		}
		if d.listenURL.IsZero() {
			d.listenURL = d.url
		}
		if !d.ownLogin {
			d.migrateURL = d.url
		}
		return d, nil
	}
	pg, err := embedpg.Start(ctx, p.embedOptions())
	if err != nil {
		return nil, err
	}
	url := seal.NewSecret(pg.URL())
	return &database{url: url, migrateURL: url, listenURL: url, postgres: pg}, nil
}

// withDatabase opens the database for one command.
func (a *app) withDatabase(fn func(*place, *database) error) (err error) {
	p, err := a.place()
	if err != nil {
		return err
	}
	d, err := p.open(a.ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return fn(p, d)
}

func (p *place) embedOptions() embedpg.Options {
	return embedpg.Options{
		StateDir:    p.stateDir,
		BinDir:      p.config.PostgresBinDir,
		BundledDirs: bundledDirs(),
		Log:         p.log,
	}
}

// bundledDirs are where `make run` installs PostgreSQL's programs on a machine that has none: in the project, beside
// the folder of this binary, or in the working folder.
func bundledDirs() []string {
	const modules = "tools/postgres/node_modules"
	dirs := []string{modules}
	if exe, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Join(filepath.Dir(exe), "..", modules))
	}
	return dirs
}

// close ends the private PostgreSQL if this process runs it.
func (d *database) close() error {
	if d.postgres == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return d.postgres.Stop(ctx)
}

// tracer sees every statement that requests and jobs send; nil outside tests.
var tracer = store.Options{}.Tracer

// serving says how requests connect.
func (d *database) serving(catalogue *integration.Catalogue) store.Options {
	return store.Options{URL: d.url, OwnLogin: d.ownLogin, Catalogue: catalogue, Tracer: tracer}
}

// listening says how the connection that hears of other processes connects.
func (d *database) listening() store.Options {
	return store.Options{URL: d.listenURL, OwnLogin: d.ownLogin}
}

func (d *database) migrator(ctx context.Context) (*store.Migrator, error) {
	return store.OpenMigrator(ctx, d.migrateURL, d.ownLogin)
}

func (d *database) migrate(ctx context.Context) error {
	m, err := d.migrator(ctx)
	if err != nil {
		return err
	}
	defer m.Close()
	_, err = m.Up(ctx)
	return err
}
