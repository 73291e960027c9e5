package embedpg

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func mkdir(t *testing.T, dir string, mode os.FileMode) {
	t.Helper()
	if err := makeDir(dir, mode); err != nil {
		t.Fatal(err)
	}
}

func wantMode(t *testing.T, dir string, root, user os.FileMode) {
	t.Helper()
	want := user
	if os.Geteuid() == 0 {
		want = root
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s is %v, want %v", dir, info.Mode().Perm(), want)
	}
}

func TestResolveStateDirMakesIt(t *testing.T) {
	t.Parallel()
	for _, explicit := range []bool{true, false} {
		dir := filepath.Join(tempDir(t), "above", DefaultStateDir)
		got, moved, err := ResolveStateDir(dir, explicit)
		if got != dir || moved || err != nil {
			t.Errorf("got %s, %v, %v", got, moved, err)
		}
		wantMode(t, dir, 0o711, 0o700)
	}
}

func TestResolveStateDirLetsTheAccountPass(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	// A default with a key in it, and an empty one as mktemp -d makes it.
	byName := filepath.Join(tempDir(t), DefaultStateDir)
	mkdir(t, byName, 0o700)
	if err := os.WriteFile(filepath.Join(byName, "key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(tempDir(t), "empty")
	mkdir(t, empty, 0o700)
	for dir, explicit := range map[string]bool{byName: false, empty: true} {
		if got, _, err := ResolveStateDir(dir, explicit); got != dir || err != nil {
			t.Errorf("got %s, %v", got, err)
		}
		wantMode(t, dir, 0o711, 0o700)
	}
	// Somebody's home is not ours to open.
	home := filepath.Join(tempDir(t), "home")
	mkdir(t, home, 0o700)
	if err := os.WriteFile(filepath.Join(home, ".profile"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ResolveStateDir(home, true); err == nil || !strings.Contains(err.Error(), "may not enter "+home) {
		t.Errorf("error is %v", err)
	}
	wantMode(t, home, 0o700, 0o700)
}

func TestStateDirInAClosedFolder(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	closed := filepath.Join(tempDir(t), "closed")
	mkdir(t, closed, 0o700)
	mkdir(t, filepath.Join(closed, "my project"), 0o755)
	dir := filepath.Join(closed, "my project", DefaultStateDir)

	_, _, err := ResolveStateDir(dir, true)
	if err == nil || !strings.Contains(err.Error(), "may not enter "+closed+":") {
		t.Errorf("error is %v", err)
	}
	if _, err := Start(t.Context(), options(dir)); err == nil || !strings.Contains(err.Error(), "may not enter "+closed+":") {
		t.Errorf("start: error is %v", err)
	}

	fallback := filepath.Join(tempDir(t), "lib", "patchbay")
	got, moved, err := resolveStateDir(dir, false, fallback)
	if err != nil || !moved || filepath.Dir(got) != fallback {
		t.Fatalf("got %s, %v, %v", got, moved, err)
	}
	if !regexp.MustCompile(`^my-project-[0-9a-f]{8}$`).MatchString(filepath.Base(got)) {
		t.Errorf("the folder's name is %s", filepath.Base(got))
	}
	again, moved, err := resolveStateDir(dir, false, fallback)
	if again != got || !moved || err != nil {
		t.Errorf("a second time: %s, %v, %v", again, moved, err)
	}
	start(t, options(got))
}

func TestStateDirIsAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(tempDir(t), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ResolveStateDir(file, true); err == nil || !strings.Contains(err.Error(), "is not a folder") {
		t.Errorf("error is %v", err)
	}
}

func TestRunDirOfAnotherIsRefused(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/etc", link); err != nil {
		t.Fatal(err)
	}
	if err := makePrivateDir(link, account{}); err == nil {
		t.Error("a link was taken for a folder of ours")
	}
}
