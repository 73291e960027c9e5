package embedpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// becomeOwner runs postgres on the data in the state folder, which it makes first if there is none. The caller holds
// the lock.
func (s *Server) becomeOwner(ctx context.Context) (*child, error) {
	bin, err := FindBinaries(ctx, s.opts)
	if err != nil {
		return nil, err
	}
	if bin.Bundled {
		if bin, err = s.install(ctx, bin); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	s.binDir = bin.Dir
	s.mu.Unlock()

	dataDir := filepath.Join(s.dir, fmt.Sprintf("pg%d", bin.Major))
	if err := makePrivateDir(s.run, s.account); err != nil {
		return nil, err
	}
	password, err := s.ensurePassword(dataDir)
	if err != nil {
		return nil, err
	}
	if s.url == "" {
		s.url = makeURL(password, s.run)
	}
	if !hasData(dataDir) {
		if err := s.initdb(ctx, bin, dataDir, password); err != nil {
			return nil, err
		}
	}
	if err := s.awaitPrevious(ctx, dataDir); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	return s.boot(ctx, bin, dataDir)
}

// initdb makes the data folder. It works in a folder of another name until all is done, so that an interrupted one
// leaves nothing that looks like data.
func (s *Server) initdb(ctx context.Context, bin Binaries, dataDir, password string) error {
	s.log.Info("making a private PostgreSQL", "dir", s.dir, "version", bin.Version)
	leftovers, _ := filepath.Glob(filepath.Join(globEscape(s.dir), "initdb-*"))
	for _, old := range leftovers {
		_ = os.RemoveAll(old) // of an initdb that was killed; one that is still ending may keep it
	}
	work, err := os.MkdirTemp(s.dir, "initdb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := s.account.give(work); err != nil {
		return err
	}

	// The password goes through a pipe: no file that the other account must be able to read.
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	if s.account.cred != nil { // opening /dev/fd/3 asks for the right to read the pipe
		if err := r.Chown(int(s.account.cred.Uid), int(s.account.cred.Gid)); err != nil {
			return err
		}
	}
	if _, err := w.WriteString(password + "\n"); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	args := []string{"-D", work, "-U", superuser, "-E", "UTF8", "--locale=C", "--lc-ctype=" + characterType(ctx), "--data-checksums",
		"--auth=scram-sha-256", "--pwfile=/dev/fd/3", "--no-instructions"}
	if s.opts.Settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	var out bytes.Buffer
	cmd := exec.Command(filepath.Join(bin.Dir, "initdb"), args...)
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = []*os.File{r}, &out, &out
	c, err := spawn(cmd, s.account)
	if err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	select {
	case <-c.exited:
	case <-ctx.Done():
		_ = c.stop(ctx, 0)
		return fmt.Errorf("initdb: %w", ctx.Err())
	}
	if c.err != nil {
		return fmt.Errorf("initdb: %w%s", c.err, indent(out.Bytes()))
	}
	return os.Rename(work, dataDir)
}

// characterType is the locale that knows capitals beyond ASCII, where the system has it: searches ignore case by it. The
// order of texts stays that of locale C, which no upgrade of the system changes.
func characterType(ctx context.Context) string {
	installed, err := exec.CommandContext(ctx, "locale", "-a").Output()
	if err == nil {
		for name := range strings.FieldsSeq(string(installed)) {
			if strings.EqualFold(strings.ReplaceAll(name, "-", ""), "C.utf8") {
				return name
			}
		}
	}
	return "C"
}

// boot starts postgres and returns when the database is there. A server that a killed owner left behind may hold
// the data for a moment longer than its lock file tells, so that refusal is tried again.
func (s *Server) boot(ctx context.Context, bin Binaries, dataDir string) (*child, error) {
	for begun := time.Now(); ; {
		c, err := s.bootOnce(ctx, bin, dataDir)
		if err == nil {
			s.log.Info("private PostgreSQL runs", "dir", s.dir, "version", bin.Version, "log", s.LogFile())
			return c, nil
		}
		if !errors.Is(err, errStillInUse) || time.Since(begun) > endingTimeout || sleep(ctx, 10*pollInterval) != nil {
			return nil, err
		}
	}
}

// errStillInUse is postgres's refusal of data that another server has not let go of.
var errStillInUse = errors.New("the data is still in use")

func (s *Server) bootOnce(ctx context.Context, bin Binaries, dataDir string) (*child, error) {
	for _, name := range []string{".s.PGSQL." + port, ".s.PGSQL." + port + ".lock"} {
		if err := os.Remove(filepath.Join(s.run, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err // left by a crash; its process id may be a stranger's by now
		}
	}
	logFile, from, err := s.openLog()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(bin.Dir, "postgres"), s.serverArgs(dataDir)...)
	cmd.Stdout, cmd.Stderr = logFile, logFile // the file itself, so that logging does not need us
	c, err := spawn(cmd, s.account)
	err = errors.Join(err, logFile.Close())
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	for {
		err := s.ensureDatabase(ctx)
		if err == nil {
			return c, nil
		}
		select {
		case <-c.exited:
			tail := s.logTail(from)
			if strings.Contains(tail, "is still in use") || strings.Contains(tail, `"postmaster.pid" already exists`) {
				return nil, fmt.Errorf("%w: postgres: %s%s", errStillInUse, c.how(), tail)
			}
			return nil, fmt.Errorf("postgres: %s%s", c.how(), tail)
		case <-ctx.Done():
			_ = c.stop(context.WithoutCancel(ctx), stopGrace)
			return nil, fmt.Errorf("postgres is not ready: %w%s", errors.Join(ctx.Err(), err), s.logTail(from))
		case <-time.After(pollInterval):
		}
	}
}

// serverArgs is postgres's command line, which anyone on this machine may read: no secret belongs here.
func (s *Server) serverArgs(dataDir string) []string {
	args := []string{"-D", dataDir, "-k", s.run, "-p", port}
	settings := []string{
		"listen_addresses=",
		"unix_socket_permissions=0700",
		"cluster_name=patchbay",
		"ssl=off",
		"logging_collector=off",
		"log_destination=stderr",
		// Parameters hold credentials, and the log outlives them. The message of a failed statement may quote its
		// parameters whatever these two say, so no such message is logged: the client gets it. "log" still shows
		// what the server itself does, and all that ends a session or the server.
		"log_parameter_max_length=0",
		"log_parameter_max_length_on_error=0",
		"log_min_messages=log",
		"log_min_error_statement=panic",
	}
	settings = slices.DeleteFunc(settings, func(setting string) bool {
		name, _, _ := strings.Cut(setting, "=")
		return slices.Contains(s.opts.Omitted, name)
	})
	for _, name := range slices.Sorted(maps.Keys(s.opts.Settings)) {
		settings = append(settings, name+"="+s.opts.Settings[name])
	}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	return args
}

// connect opens a connection as the superuser.
func (s *Server) connect(ctx context.Context, name string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(s.url)
	if err != nil {
		return nil, errors.New("the private PostgreSQL's connection string does not parse") // err may quote it
	}
	cfg.Database = name
	cfg.ConnectTimeout = 5 * time.Second
	return pgx.ConnectConfig(ctx, cfg)
}

// ping tells whether the database answers.
func (s *Server) ping(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := s.connect(ctx, name)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.Ping(ctx)
}

// answers tells whether a server of ours is at our socket.
func (s *Server) answers(ctx context.Context) bool { return s.ping(ctx, "postgres") == nil }

// ensureDatabase makes the database if it is missing. Its error also says that postgres is not ready yet.
func (s *Server) ensureDatabase(ctx context.Context) error {
	conn, err := s.connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var exists bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, database).Scan(&exists)
	if err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, `CREATE DATABASE `+database)
	return err
}
