package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// tempDir is these tests' folder.
var tempDir string

// program is built once.
var program struct {
	once sync.Once
	path string
}

// binary is the program as its users have it. With the race detector, which watches the same code in the other tests, browsers wait for it.
func binary(t *testing.T) string {
	t.Helper()
	program.once.Do(func() { program.path = build(t, "patchbay") })
	if program.path == "" {
		t.Fatal("the program does not build")
	}
	return program.path
}

func build(t *testing.T, name string, flags ...string) string {
	t.Helper()
	path := filepath.Join(tempDir, name)
	args := append([]string{"build", "-o", path}, flags...)
	command := exec.Command("go", append(args, "patchbay")...)
	command.Dir = ".."
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return path
}

// server is the program with a private database of its own.
type server struct {
	URL     string
	link    string   // signs a browser in, once
	secrets []string // that the log must not hold
	log     *output

	binary, stateDir, addr string
	env                    []string // beside what every program gets
	command                *exec.Cmd
	ended                  chan error
}

// start starts a server as its users do, on a free port, with further variables. It ends with the test.
func start(t *testing.T, binary string, env ...string) *server {
	t.Helper()
	dir, err := os.MkdirTemp(tempDir, "state-*")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL's account must get in
		t.Fatal(err)
	}
	s := &server{log: &output{}, env: env, binary: binary, stateDir: dir, addr: "127.0.0.1:0"}
	t.Cleanup(func() { s.stop(t) })
	s.start(t)
	return s
}

// welcome is what `patchbay serve` prints, and greeting what of it does not need a private database.
var (
	greeting = regexp.MustCompile(`Patchbay listens on (https?://\S+)\n`)
	welcome  = regexp.MustCompile(`(?s)Patchbay listens on (https?://\S+)\n.*Open (https?://\S+/sign-in\?token=(\S+))\n`)
)

// listening is what it logs: where it is, whatever address the world knows it by.
var listening = regexp.MustCompile(`"msg":"listening","address":"([^"]+)"`)

// start starts the server, or starts it again at its address.
func (s *server) start(t *testing.T) {
	t.Helper()
	out := &output{}
	s.link = ""
	s.command = s.program("serve", "--generate-key")
	s.command.Stdout, s.command.Stderr = out, s.log
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	command, ended := s.command, make(chan error, 1)
	s.ended = ended
	go func() { ended <- command.Wait() }()

	private := !slices.ContainsFunc(s.env, func(v string) bool { return strings.HasPrefix(v, "DATABASE_URL=") })
	deadline := time.After(60 * time.Second)
	for {
		if m := welcome.FindStringSubmatch(out.String()); m != nil {
			s.link = m[2]
			s.secrets = append(s.secrets, m[3])
		}
		greeted, logged := greeting.FindStringSubmatch(out.String()), listening.FindStringSubmatch(s.log.String())
		if greeted != nil && logged != nil && (s.link != "" || !private) {
			s.URL, s.addr = greeted[1], logged[1]
			return
		}
		select {
		case err := <-ended:
			s.command = nil
			t.Fatalf("the server ended instead of serving: %v\n%s", err, s.log)
		case <-deadline:
			t.Fatalf("the server does not serve\n%s", s.log)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stop ends the server as Ctrl-C does, and checks that nothing of it is left. It may be called again.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if s.command == nil {
		return
	}
	command := s.command
	s.command = nil
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Errorf("interrupt the server: %v", err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("the server ended with %v\n%s", err, s.log)
		}
	case <-time.After(30 * time.Second):
		_ = command.Process.Signal(syscall.SIGQUIT) // prints where it hangs
		<-s.ended
		t.Errorf("the server did not end within 30 s\n%s", s.log)
	}
	if left := s.processes(t); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
	if left, _ := filepath.Glob(filepath.Join(s.stateDir, "*", "postmaster.pid")); len(left) > 0 {
		t.Errorf("PostgreSQL has not ended cleanly: %s is left", left)
	}
}

// processes are the command lines of what works in the state folder, or names it. Linux only.
func (s *server) processes(t *testing.T) []string {
	t.Helper()
	if runtime.GOOS != "linux" {
		return nil
	}
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, process := range all {
		line, _ := os.ReadFile(filepath.Join(process, "cmdline")) // it may just have ended
		cwd, _ := os.Readlink(filepath.Join(process, "cwd"))
		if strings.HasPrefix(cwd, s.stateDir) || bytes.Contains(line, []byte(s.stateDir)) {
			list = append(list, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return list
}

// key makes an API key of the organisation that the link signs in to. role is viewer, editor or admin.
func (s *server) key(t *testing.T, role string) string {
	t.Helper()
	command := s.program("apikey", "create", "--org", "local", "--role", role, "--name", "e2e "+role)
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, &problems)
	}
	key := strings.TrimSuffix(string(out), "\n")
	s.secrets = append(s.secrets, key)
	return key
}

// program is the binary in the repository's folder, with nothing in its environment but what it needs.
func (s *server) program(args ...string) *exec.Cmd {
	command := exec.Command(s.binary, args...)
	command.Dir = ".."
	command.Env = []string{"PATCHBAY_STATE_DIR=" + s.stateDir, "PATCHBAY_ADDR=" + s.addr, "PATCHBAY_LOG_LEVEL=debug"}
	command.Env = append(command.Env, s.env...)
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "PG_BINDIR", "GORACE", "GOCOVERDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	return command
}

// postgres is the connection string of the server's private database, as its superuser.
func (s *server) postgres(t *testing.T) string {
	t.Helper()
	out, err := s.program("postgres", "url").Output()
	if err != nil {
		t.Fatalf("patchbay postgres url: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// replica starts another server on the same database.
func (s *server) replica(t *testing.T) *server {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(s.stateDir, "encryption-key"))
	if err != nil {
		t.Fatal(err)
	}
	r := &server{log: &output{}, binary: s.binary, stateDir: t.TempDir(), addr: "127.0.0.1:0",
		env: []string{"DATABASE_URL=" + s.postgres(t), "INTEGRATION_ENCRYPTION_KEY=" + strings.TrimSpace(string(key))}}
	t.Cleanup(func() { r.stop(t) })
	r.start(t)
	return r
}

// output is a buffer that a process writes while a test reads.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
