package embedpg

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRestartKeepsData(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s := start(t, options(dir))
	if !s.Owned() || s.BinDir() == "" || s.Dir() != dir {
		t.Errorf("owned %v, programs in %q, state in %q", s.Owned(), s.BinDir(), s.Dir())
	}
	url := s.URL()
	pool := connect(t, s)
	makeNote(t, pool, "kept")
	var checksums, encoding, collation string
	err := pool.QueryRow(t.Context(), `SELECT current_setting('data_checksums'), current_setting('server_encoding'), datcollate
		FROM pg_database WHERE datname = current_database()`).Scan(&checksums, &encoding, &collation)
	if err != nil || checksums != "on" || encoding != "UTF8" || collation != "C" {
		t.Errorf("checksums %s, encoding %s, collation %s, %v", checksums, encoding, collation, err)
	}
	execute(t, pool, `CREATE EXTENSION pgcrypto`)
	pool.Close()
	stop(t, s)
	stop(t, s)
	wantNoServer(t, dir)
	if s.Owned() {
		t.Error("a stopped server is owned")
	}

	again := start(t, options(dir))
	if again.URL() != url {
		t.Error("the URL changed over a restart")
	}
	wantNote(t, connect(t, again), "kept")
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	s := start(t, options(stateDir(t)))
	for _, name := range []string{"password", "postgres.log", "owner.lock"} {
		info, err := os.Stat(filepath.Join(s.Dir(), name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	for _, name := range []string{s.run, dataDirOf(t, s)} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	password, err := readPassword(s.passwordFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if strings.Contains(fmt.Sprintf(verb, s), password) {
			t.Errorf("%s prints the password", verb)
		}
	}
	if len(s.URL()) == 0 || !strings.Contains(s.URL(), password) {
		t.Error("the URL lacks the password")
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", postmaster(t, s.Dir())))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(environ, []byte(canary)) || !bytes.Contains(environ, []byte("LC_ALL=C")) {
		t.Errorf("environment of postgres: %q", environ)
	}
}

func TestLogHasNoParameters(t *testing.T) {
	t.Parallel()
	s := start(t, options(stateDir(t)))
	pool := connect(t, s)
	execute(t, pool, `CREATE TABLE token (value text PRIMARY KEY)`)
	execute(t, pool, `INSERT INTO token VALUES ($1)`, canary)
	for _, sql := range []string{
		`INSERT INTO token VALUES ($1)`,     // the detail quotes the key
		`SELECT $1::text::int`,              // the message quotes the value
		`SELECT 1 / (length($1::text) * 0)`, // the context may list parameters
		`DO $$ BEGIN RAISE EXCEPTION 'no'; END $$`,
	} {
		args := []any{canary}
		if !strings.Contains(sql, "$1") {
			args = nil
		}
		if _, err := pool.Exec(t.Context(), sql, args...); err == nil {
			t.Errorf("%s did not fail", sql)
		}
	}
	if _, err := pool.Exec(t.Context(), `SELECT $1::text, pg_terminate_backend(pg_backend_pid())`, canary); err == nil {
		t.Error("the session was not ended")
	}
	pool.Close()
	stop(t, s)
	b, err := os.ReadFile(s.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte(canary)) {
		t.Errorf("the log has the parameter:\n%s", b)
	}
	for _, line := range []string{"ready to accept connections", "terminating connection", "database system is shut down"} {
		if !bytes.Contains(b, []byte(line)) {
			t.Errorf("the log lacks %q:\n%s", line, b)
		}
	}
}

func TestBigLogIsSetAside(t *testing.T) {
	t.Parallel()
	s := &Server{dir: tempDir(t)}
	if err := os.WriteFile(s.LogFile(), bytes.Repeat([]byte("x"), maxLogSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	f, from, err := s.openLog()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil || from != 0 {
		t.Errorf("starts at %d, %v", from, err)
	}
	if info, err := os.Stat(s.LogFile() + ".1"); err != nil || info.Size() != maxLogSize+1 {
		t.Errorf("old log: %v, %v", info, err)
	}
}

func TestAttach(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	owner := start(t, options(dir))
	attached := start(t, options(dir))
	if attached.Owned() || attached.URL() != owner.URL() {
		t.Errorf("owned %v, same URL %v", attached.Owned(), attached.URL() == owner.URL())
	}
	makeNote(t, connect(t, attached), "shared")
	stop(t, attached)
	wantNote(t, connect(t, owner), "shared")
}

func TestTakeoverWhenOwnerStops(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	owner := start(t, options(dir))
	attached := start(t, options(dir))
	pool := connect(t, attached)
	makeNote(t, pool, "kept")
	stop(t, owner)
	wantNote(t, pool, "kept")
	if !eventually(30*time.Second, attached.Owned) || attached.BinDir() == "" {
		t.Errorf("owned %v, programs in %q", attached.Owned(), attached.BinDir())
	}
}

func TestTakeoverWhenOwnerIsKilled(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	owner := launch(t, dir)
	if !owner.ready(t) {
		t.Fatal("the helper does not own the server")
	}
	attached := start(t, options(dir))
	pool := connect(t, attached)
	makeNote(t, pool, "kept")
	owner.kill()
	if !eventually(30*time.Second, attached.Owned) {
		t.Fatal("no takeover")
	}
	wantNote(t, pool, "kept")
}

func TestKilledParentLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	owner := launch(t, dir)
	owner.ready(t)
	if len(serversOn(dir)) == 0 {
		t.Fatal("no server runs")
	}
	owner.kill()
	// At once, while the old one may still be ending.
	s := start(t, options(dir))
	if !s.Owned() {
		t.Error("not owned")
	}
	stop(t, s)
	wantNoServer(t, dir)

	owner = launch(t, dir)
	owner.ready(t)
	owner.kill()
	wantNoServer(t, dir)
	log, err := os.ReadFile(filepath.Join(dir, "postgres.log"))
	if err != nil || bytes.Contains(log, []byte("not properly shut down")) {
		t.Errorf("the shutdown was not clean (%v):\n%s", err, log)
	}
}

func TestKilledDuringInitdb(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	owner := launch(t, dir)
	if !eventually(20*time.Second, func() bool { return len(serversOn(dir)) > 0 }) {
		t.Fatal("initdb does not run")
	}
	owner.kill()
	s := start(t, options(dir))
	makeNote(t, connect(t, s), "new")
	stop(t, s)
	wantNoServer(t, dir)
}

func TestStopWithoutPatience(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s, err := Start(t.Context(), options(dir))
	if err != nil {
		t.Fatal(err)
	}
	makeNote(t, connect(t, s), "kept")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	first := s.Stop(ended)
	if first == nil || !strings.Contains(first.Error(), "the next start recovers") {
		t.Errorf("error is %v", first)
	}
	if again := s.Stop(t.Context()); again != first {
		t.Errorf("a second time: %v", again)
	}
	wantNoServer(t, dir)
	wantNote(t, connect(t, start(t, options(dir))), "kept")
}

func TestTwoFirstBootsAtOnce(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	one, two := launch(t, dir), launch(t, dir)
	ownedOne, ownedTwo := one.ready(t), two.ready(t)
	if ownedOne == ownedTwo {
		t.Errorf("owned: %v and %v", ownedOne, ownedTwo)
	}
	one.stop(t)
	two.stop(t)
	wantNoServer(t, dir)
}

func TestCrashedPostgresIsStartedAgain(t *testing.T) {
	t.Parallel()
	s := start(t, options(stateDir(t)))
	pool := connect(t, s)
	makeNote(t, pool, "kept")
	for range 2 {
		pid := postmaster(t, s.Dir())
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if !eventually(30*time.Second, func() bool {
			now := postmasterPID(dataDirOf(t, s))
			return now != 0 && now != pid && pool.Ping(t.Context()) == nil
		}) {
			t.Fatal("postgres was not started again")
		}
		wantNote(t, pool, "kept")
	}
}

func dataDirOf(t *testing.T, s *Server) string {
	t.Helper()
	major, err := dataMajor(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(s.Dir(), "pg"+strconv.Itoa(major))
}

func TestStaleLockFileNamesAStranger(t *testing.T) {
	t.Parallel()
	s := start(t, options(stateDir(t)))
	dataDir := dataDirOf(t, s)
	pid := filepath.Join(dataDir, "postmaster.pid")
	lock, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	// After a restart of the machine another process of the same account has the id.
	stranger := exec.Command("sleep", "600")
	stranger.SysProcAttr = &syscall.SysProcAttr{Credential: s.account.cred}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = stranger.Process.Kill()
		_ = stranger.Wait()
	}()
	_, rest, _ := bytes.Cut(lock, []byte("\n"))
	lock = append([]byte(strconv.Itoa(stranger.Process.Pid)+"\n"), rest...)
	if err := os.WriteFile(pid, lock, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.account.give(pid); err != nil {
		t.Fatal(err)
	}
	start(t, options(s.Dir()))
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the stranger is gone: %v", err)
	}
}

func TestCancelledFirstBoot(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		s, err := Start(ctx, options(dir))
		if err == nil {
			err = s.Stop(context.Background())
		}
		failed <- err
	}()
	if !eventually(20*time.Second, func() bool { return len(serversOn(dir)) > 0 }) {
		t.Fatal("initdb does not run")
	}
	cancel()
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("error is %v", err)
	}
	wantNoServer(t, dir)
	start(t, options(dir))
}

func TestFailedBootShowsTheLog(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	o := options(dir)
	o.Settings["shared_buffers"] = "many"
	_, err := Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), `invalid value for parameter "shared_buffers"`) {
		t.Fatalf("error is %v", err)
	}
	start(t, options(dir)) // the lock is free again
}

func TestLongAndOddPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{strings.Repeat("long", 30), "a, b", `it's "x" %20 [y]`} {
		dir := filepath.Join(tempDir(t), name, "state")
		s := start(t, options(dir))
		makeNote(t, connect(t, s), "kept")
		attached := start(t, options(dir))
		wantNote(t, connect(t, attached), "kept")
		stop(t, attached)
		stop(t, s)
		again := start(t, options(dir))
		wantNote(t, connect(t, again), "kept")
		stop(t, again)
		if filepath.Dir(s.run) == "/tmp" {
			if _, err := os.Stat(s.run); !os.IsNotExist(err) {
				t.Errorf("%s is left: %v", s.run, err)
			}
		}
	}
}

// TestOrdinaryUser runs the others that matter as nobody.
func TestOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("we are one already")
	}
	dir := tempDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "embedpg.test")
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	nobody, err := accountFor("nobody", dir)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.v", "-test.run",
		"^(TestRestartKeepsData|TestFilesArePrivate|TestTakeover.*|TestKilledParent.*|TestTwoFirstBoots.*|TestStale.*|TestBundledPackage)$")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, "HOME=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: nobody.cred}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS") != 8 {
		t.Fatalf("as nobody: %v\n%s", err, out)
	}
}

// TestRootServesTheDataOfAUser: sudo in a user's folder must not lock the user out.
func TestRootServesTheDataOfAUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	t.Parallel()
	dir := stateDir(t)
	o := options(dir)
	o.RunAs = "nobody"
	s := start(t, o)
	makeNote(t, connect(t, s), "kept")
	stop(t, s)
	s = start(t, options(dir))
	if s.account.name != "nobody" {
		t.Errorf("runs as %s", s.account.name)
	}
	wantNote(t, connect(t, s), "kept")
}
