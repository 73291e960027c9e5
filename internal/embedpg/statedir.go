package embedpg

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// DefaultStateDir is the state folder's name in the working folder when none is configured.
const DefaultStateDir = ".patchbay"

// systemStateDir holds the state folders that could not lie where they were wanted.
const systemStateDir = "/var/lib/patchbay"

// ResolveStateDir returns the absolute path of the state folder, and makes the folder if there is none. An empty
// dir is DefaultStateDir. The folder is 0700, and 0711 under root, so that PostgreSQL's account can pass through it
// to its own folders: a caller that keeps a secret in it makes that file 0600.
//
// Under root, PostgreSQL's account may be unable to enter the wanted folder, as in root's home. A default
// (explicit is false) then moves to a folder named after it under the system's state folder, and moved is true, for
// the caller to print; an explicit one is an error that names the folder in the way. The configuration calls it
// once at start.
func ResolveStateDir(dir string, explicit bool) (resolved string, moved bool, err error) {
	return resolveStateDir(dir, explicit, systemStateDir)
}

func resolveStateDir(dir string, explicit bool, fallback string) (resolved string, moved bool, err error) {
	if dir == "" {
		dir = DefaultStateDir
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", false, fmt.Errorf("state folder: %w", err)
	}
	// Without an account postgres cannot start, which Start says; the folder serves other ends too.
	acc, _ := accountFor("", dir)
	blocked := acc.blockedAt(filepath.Dir(dir))
	if blocked == "" {
		if err := makeStateDir(dir, acc, !explicit); err != nil {
			return "", false, err
		}
		blocked = acc.blockedAt(dir)
	}
	switch {
	case blocked == "":
		return dir, false, nil
	case explicit:
		return "", false, fmt.Errorf("state folder %s: %w", dir, blockedError(acc, blocked))
	}
	moved = true
	resolved = filepath.Join(fallback, fallbackName(dir))
	if err := makeDir(fallback, 0o755); err != nil {
		return "", moved, fmt.Errorf("state folder: %w", err)
	}
	if err := makeStateDir(resolved, acc, true); err != nil {
		return "", moved, err
	}
	if blocked := acc.blockedAt(resolved); blocked != "" {
		return "", moved, fmt.Errorf("state folder %s: %w", resolved, blockedError(acc, blocked))
	}
	return resolved, moved, nil
}

// fallbackName turns a path into a name that a person recognises and that no other path has.
func fallbackName(dir string) string {
	parent := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, filepath.Base(filepath.Dir(dir)))
	sum := sha256.Sum256([]byte(dir))
	return parent[:min(len(parent), 40)] + "-" + hex.EncodeToString(sum[:4])
}

// makeStateDir makes the folder if there is none. Under root it lets PostgreSQL's account pass through, in a folder
// that is certainly a state folder: ours by name, used as one before, or empty. Of any other it changes nothing.
func makeStateDir(dir string, acc account, ours bool) error {
	mode := os.FileMode(0o700)
	if acc.cred != nil {
		mode = 0o711
	}
	info, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		if err := makeDir(dir, mode); err != nil {
			return fmt.Errorf("state folder: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("state folder: %s is not a folder", dir)
	}
	if acc.blockedAt(dir) != dir {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, "owner.lock")); err == nil {
		ours = true
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) == 0 {
		ours = true
	}
	if !ours {
		return nil
	}
	if err := os.Chmod(dir, info.Mode().Perm()|0o011); err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	return nil
}

// makeDir makes a folder and those above it with exactly this mode, whatever the umask; those that exist keep theirs.
func makeDir(dir string, mode os.FileMode) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeDir(parent, mode); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, mode); errors.Is(err, os.ErrExist) {
		return nil // another process was faster
	} else if err != nil {
		return err
	}
	return os.Chmod(dir, mode)
}

// makePrivateDir makes a folder for the account alone. The parent may be shared (/tmp), so what is there already
// must be a real folder of ours or of the account.
func makePrivateDir(dir string, acc account) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || !ownedByUsOr(acc, info) {
		return fmt.Errorf("%s is not a folder of ours: remove it", dir)
	}
	if err := acc.give(dir); err != nil {
		return err
	}
	return os.Chmod(dir, 0o700)
}

// ownedByUsOr tells whether the folder belongs to us or to the account. Root may also find the folder of the
// ordinary account that it stands in for, which is the same.
func ownedByUsOr(acc account, info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (int(st.Uid) == os.Geteuid() || acc.cred != nil && st.Uid == acc.cred.Uid)
}
