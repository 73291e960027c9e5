package embedpg

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakePackage makes an npm package of the system's programs, in a folder that only we may enter.
func fakePackage(t *testing.T) (modules string) {
	t.Helper()
	closed := filepath.Join(tempDir(t), "project")
	mkdir(t, closed, 0o700)
	modules = filepath.Join(closed, "node_modules")
	native := filepath.Join(modules, bundledPackage(), "native")
	server := realServer(t)
	for _, name := range []string{"initdb", "postgres"} {
		b, err := os.ReadFile(filepath.Join(server.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(native, "bin", name), string(b), 0o600)
	}
	write(t, filepath.Join(native, "lib", "libx.so.1.2"), "x", 0o600)
	libraries, err := filepath.Glob(filepath.Join(filepath.Dir(server.Dir), "lib", "*.so"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range libraries { // the programs look for them beside themselves
		if err := os.Symlink(path, filepath.Join(native, "lib", filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(native, "pg-symlinks.json"),
		`[{"source":"native/lib/libx.so.1.2","target":"native/lib/libx.so"}]`, 0o600)
	write(t, filepath.Join(modules, bundledPackage(), "package.json"), `{"version":"`+majorOf(t)+`.9.0-beta.1"}`, 0o600)
	return modules
}

func TestBundledPackage(t *testing.T) {
	t.Parallel()
	modules := fakePackage(t)
	o := options(stateDir(t))
	o.BinDir, o.BundledDirs = "npm", []string{filepath.Join(modules, "none"), modules}
	s := start(t, o)
	native := filepath.Join(s.Dir(), "postgres-"+majorOf(t)+".9.0-beta.1")
	if s.BinDir() != filepath.Join(native, "bin") {
		t.Errorf("programs are in %s", s.BinDir())
	}
	if link, err := os.Readlink(filepath.Join(native, "lib", "libx.so")); err != nil || link != "libx.so.1.2" {
		t.Errorf("link leads to %q, %v", link, err)
	}
	makeNote(t, connect(t, s), "kept")
	stop(t, s)

	// node_modules may be removed and its version move on: the copy serves.
	if err := os.RemoveAll(modules); err != nil {
		t.Fatal(err)
	}
	wantNote(t, connect(t, start(t, o)), "kept")
}

// TestRealBundledPackage boots what npm installs.
func TestRealBundledPackage(t *testing.T) {
	t.Parallel()
	modules := filepath.Join("..", "..", "tools", "postgres", "node_modules")
	if _, err := os.Stat(filepath.Join(modules, bundledPackage())); err != nil {
		t.Skip("not installed: npm ci --prefix tools/postgres")
	}
	o := options(stateDir(t))
	o.BinDir, o.BundledDirs = "npm", []string{modules}
	s := start(t, o)
	pool := connect(t, s)
	execute(t, pool, `CREATE EXTENSION pgcrypto`)
	execute(t, pool, `SELECT encode(digest($1::text, 'sha256'), 'hex')`, "x")
	stop(t, s)
	wantNoServer(t, s.Dir())
}

func TestLinksStayInTheCopy(t *testing.T) {
	t.Parallel()
	for _, links := range []string{
		`[{"source":"native/../../x","target":"native/lib/x"}]`,
		`[{"source":"native/x","target":"native/../x"}]`,
		`[{"source":"/etc/passwd","target":"native/x"}]`,
		`no list`,
	} {
		dir := tempDir(t)
		list := filepath.Join(dir, "pg-symlinks.json")
		write(t, list, links, 0o600)
		if err := makeLinks(list, dir); err == nil || !strings.Contains(err.Error(), list) {
			t.Errorf("%s: error is %v", links, err)
		}
	}
}
