package embedpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// canary stands for a secret in our environment.
const canary = "canary-5d0f7c1e"

// helperDir names the state folder in the environment of a helper process.
const helperDir = "EMBEDPG_TEST_HELPER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		os.Exit(helper(dir))
	}
	os.Setenv("INTEGRATION_ENCRYPTION_KEY", canary)
	code := m.Run()
	if code == 0 && !eventually(10*time.Second, func() bool { return runtime.NumGoroutine() <= 2 }) {
		fmt.Println("goroutines are left:")
		_ = pprof.Lookup("goroutine").WriteTo(os.Stdout, 1)
		code = 1
	}
	os.Exit(code)
}

// helper is another process of ours: it starts, says so, and stops when its standard input ends.
func helper(dir string) int {
	s, err := Start(context.Background(), options(dir))
	if err != nil {
		fmt.Println("error", strings.ReplaceAll(err.Error(), "\n", " "))
		return 1
	}
	fmt.Println("ready", s.Owned())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Stop(context.Background()); err != nil {
		fmt.Println("error", err)
		return 1
	}
	return 0
}

// options are those of a small server that need not survive a power cut.
func options(dir string) Options {
	return Options{StateDir: dir, Settings: map[string]string{
		"fsync": "off", "shared_buffers": "8MB", "max_connections": "20",
	}}
}

// tempDir is t.TempDir for folders that any account may enter, whatever the umask and TMPDIR.
func tempDir(t *testing.T) string {
	t.Helper()
	base := os.TempDir()
	if (account{cred: &syscall.Credential{Uid: 65534, Gid: 65534}}).blockedAt(base) != "" && os.Geteuid() == 0 {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "embedpg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func stateDir(t *testing.T) string {
	t.Helper()
	return filepath.Join(tempDir(t), "state")
}

// start starts a server that is stopped when the test ends.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// connect returns a pool as the server's callers use it.
func connect(t *testing.T, s *Server) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func execute(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// wantNote checks what an earlier test step has written with makeNote.
func wantNote(t *testing.T, pool *pgxpool.Pool, want string) {
	t.Helper()
	var got string
	var err error
	recovered := eventually(30*time.Second, func() bool {
		err = pool.QueryRow(t.Context(), `SELECT text FROM note`).Scan(&got)
		return err == nil
	})
	if !recovered || got != want {
		t.Fatalf("note is %q (%v), want %q", got, err, want)
	}
}

func makeNote(t *testing.T, pool *pgxpool.Pool, text string) {
	t.Helper()
	execute(t, pool, `CREATE TABLE note (text text)`)
	execute(t, pool, `INSERT INTO note VALUES ($1)`, text)
}

func eventually(limit time.Duration, cond func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if cond() {
			return true
		}
	}
	return cond()
}

// proc is a helper process.
type proc struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
}

func launch(t *testing.T, dir string) *proc {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperDir+"="+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &proc{cmd, stdin, bufio.NewScanner(stdout)}
	t.Cleanup(p.kill)
	return p
}

// ready waits for the start, and tells whether the helper owns the server.
func (p *proc) ready(t *testing.T) (owned bool) {
	t.Helper()
	p.lines.Scan()
	switch line := p.lines.Text(); line {
	case "ready true":
		return true
	case "ready false":
		return false
	default:
		t.Fatalf("helper says %q (%v)", line, p.lines.Err())
		return false
	}
}

func (p *proc) stop(t *testing.T) {
	t.Helper()
	if err := errors.Join(p.stdin.Close(), p.cmd.Wait()); err != nil {
		t.Fatalf("helper: %v", err)
	}
}

// kill is kill -9; harmless after stop.
func (p *proc) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// postmaster returns the process id of the server in dir.
func postmaster(t *testing.T, dir string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "pg*", "PG_VERSION"))
	if err != nil || len(found) != 1 {
		t.Fatalf("data folders in %s: %v, %v", dir, found, err)
	}
	pid := postmasterPID(filepath.Dir(found[0]))
	if pid == 0 {
		t.Fatal("no postmaster runs")
	}
	return pid
}

// serversOn lists the processes that serve data below dir, their children included.
func serversOn(dir string) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		cwd, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if strings.HasPrefix(cwd, dir+"/") || strings.Contains(string(cmdline), dir+"/") {
			pids = append(pids, pid)
		}
	}
	return pids
}

func wantNoServer(t *testing.T, dir string) {
	t.Helper()
	if !eventually(20*time.Second, func() bool { return len(serversOn(dir)) == 0 }) {
		t.Errorf("processes are left: %v", serversOn(dir))
	}
}
