package embedpg

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write writes a file that all may read, and its folder.
func write(t *testing.T, path string, content string, mode os.FileMode) {
	t.Helper()
	mkdir(t, filepath.Dir(path), 0o755)
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// fakeServer makes programs that only tell what they are.
func fakeServer(t *testing.T, version string, contrib bool) (bin string) {
	t.Helper()
	dir := tempDir(t)
	bin, share := filepath.Join(dir, "bin"), filepath.Join(dir, "share")
	write(t, filepath.Join(bin, "postgres"), "#!/bin/sh\necho 'postgres (PostgreSQL) "+version+"'\n", 0o755)
	write(t, filepath.Join(bin, "initdb"), "#!/bin/sh\necho 'share_path="+share+"'\necho 'PGPATH="+bin+"'\n", 0o755)
	if contrib {
		write(t, filepath.Join(share, "extension", "pgcrypto.control"), "", 0o644)
	}
	return bin
}

func TestInspect(t *testing.T) {
	t.Parallel()
	acc, err := accountFor("", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		version string
		contrib bool
		want    Binaries
		wantErr string
	}{
		{version: "16.4 (Debian 16.4-1)", contrib: true, want: Binaries{Version: "16.4", Major: 16}},
		{version: "18beta1", contrib: true, want: Binaries{Version: "18beta1", Major: 18}},
		{version: "16.4", wantErr: "no extension pgcrypto"},
		{version: "14.9", contrib: true, wantErr: "PostgreSQL 14 is not one of 15 to 18"},
		{version: "19devel", contrib: true, wantErr: "PostgreSQL 19 is not one of 15 to 18"},
		{version: "new", contrib: true, wantErr: "answers"},
	} {
		dir := fakeServer(t, c.version, c.contrib)
		got, err := inspect(t.Context(), acc, dir)
		if c.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), c.wantErr) {
				t.Errorf("%s: error is %v, want %s", c.version, err, c.wantErr)
			}
			continue
		}
		c.want.Dir = dir
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", c.version, err, diff)
		}
	}
}

func TestFindBinariesWhenThereAreNone(t *testing.T) {
	t.Parallel()
	empty := tempDir(t)
	withoutContrib := fakeServer(t, "16.4", false)
	for _, c := range []struct {
		options Options
		reason  string
	}{
		{Options{BinDir: empty}, "PG_BINDIR=" + empty},
		{Options{BinDir: withoutContrib}, withoutContrib + ": PostgreSQL 16.4 has no extension pgcrypto"},
		{Options{BinDir: "npm"}, ""},
		{Options{BinDir: "npm", BundledDirs: []string{empty}}, "no npm package there"},
	} {
		c.options.StateDir = stateDir(t)
		_, err := FindBinaries(t.Context(), c.options)
		if !errors.Is(err, ErrNoBinaries) {
			t.Errorf("error is %v", err)
			continue
		}
		for _, remedy := range []string{"DATABASE_URL", "apt-get install postgresql", "PG_BINDIR", "make run", c.reason} {
			if !strings.Contains(err.Error(), remedy) {
				t.Errorf("the error does not name %q:\n%v", remedy, err)
			}
		}
		if _, err := Start(t.Context(), c.options); !errors.Is(err, ErrNoBinaries) {
			t.Errorf("start: error is %v", err)
		}
	}
}

func TestDataDecidesTheMajor(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	write(t, filepath.Join(dir, "pg16", "PG_VERSION"), "16\n", 0o644)
	o := Options{StateDir: dir, BinDir: fakeServer(t, "16.4", true)}
	if b, err := FindBinaries(t.Context(), o); err != nil || b.Major != 16 {
		t.Errorf("got %+v, %v", b, err)
	}
	// The system's may be any: the bundled one is taken since it fits the data.
	modules := tempDir(t)
	write(t, filepath.Join(modules, bundledPackage(), "package.json"), `{"version": "16.9.0-beta.1"}`, 0o644)
	write(t, filepath.Join(modules, bundledPackage(), "native", "bin", "initdb"), "", 0o755)
	write(t, filepath.Join(modules, bundledPackage(), "native", "bin", "postgres"), "", 0o755)
	o = Options{StateDir: dir, BundledDirs: []string{modules}}
	b, err := FindBinaries(t.Context(), o)
	if err != nil || b.Major != 16 {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestDataOfAnotherMajor(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	version := filepath.Join(dir, "pg14", "PG_VERSION")
	write(t, version, "14\n", 0o600)
	o := options(dir)
	o.BinDir = realServer(t).Dir
	_, err := Start(t.Context(), o)
	if err == nil {
		t.Fatal("started")
	}
	for _, want := range []string{"PostgreSQL 14", "only PostgreSQL " + majorOf(t), "install PostgreSQL 14"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	if b, err := os.ReadFile(version); err != nil || string(b) != "14\n" {
		t.Errorf("the data is now %q, %v", b, err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "pg*")); len(found) != 1 {
		t.Errorf("data folders: %v", found)
	}
}

// realServer is the system's PostgreSQL.
func realServer(t *testing.T) Binaries {
	t.Helper()
	b, err := FindBinaries(context.Background(), Options{StateDir: stateDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func majorOf(t *testing.T) string {
	t.Helper()
	major, _, _ := strings.Cut(realServer(t).Version, ".")
	return major
}
