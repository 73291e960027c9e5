package embedpg

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// account is whom postgres runs as. The zero account is ourselves. Root is the exception: postgres refuses to run
// as root, so there it needs another account.
type account struct {
	name string
	cred *syscall.Credential
}

// accountFor returns whom postgres runs as in dir: the one that owns the data there, or else runAs, or else the
// account postgres, or else nobody.
func accountFor(runAs, dir string) (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	names := []string{runAs}
	if runAs == "" {
		if a, ok := dataOwner(dir); ok {
			return a, nil
		}
		names = []string{"postgres", "nobody"}
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return account{}, fmt.Errorf("account %s: user id %q: %w", name, u.Uid, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return account{}, fmt.Errorf("account %s: group id %q: %w", name, u.Gid, err)
		}
		if uid == 0 {
			return account{}, fmt.Errorf("PostgreSQL does not run as root, and %s is root", name)
		}
		return account{name, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return account{}, fmt.Errorf("we run as root, which PostgreSQL refuses, and there is no account %s to run it as",
		strings.Join(names, " or "))
}

// dataOwner returns the account that owns the data in dir, if there is data.
func dataOwner(dir string) (account, bool) {
	found, err := filepath.Glob(filepath.Join(globEscape(dir), "pg[0-9]*", "PG_VERSION"))
	if err != nil || len(found) == 0 {
		return account{}, false
	}
	var st syscall.Stat_t
	if syscall.Stat(found[len(found)-1], &st) != nil || st.Uid == 0 {
		return account{}, false
	}
	name := "with user id " + strconv.FormatUint(uint64(st.Uid), 10)
	if u, err := user.LookupId(strconv.FormatUint(uint64(st.Uid), 10)); err == nil {
		name = u.Username
	}
	return account{name, &syscall.Credential{Uid: st.Uid, Gid: st.Gid}}, true
}

// give makes the account the owner of a file or folder of ours that postgres needs.
func (a account) give(path string) error {
	if a.cred == nil {
		return nil
	}
	return os.Lchown(path, int(a.cred.Uid), int(a.cred.Gid))
}

// blockedAt returns the outermost folder on the way to dir, dir included, that the account may not enter, or "".
// A folder that does not exist does not block.
func (a account) blockedAt(dir string) string {
	if a.cred == nil {
		return ""
	}
	if target, err := filepath.EvalSymlinks(dir); err == nil {
		dir = target
	}
	blocked := ""
	for d := dir; ; d = filepath.Dir(d) {
		var st syscall.Stat_t
		if syscall.Stat(d, &st) == nil {
			enter := uint32(0o001)
			switch {
			case st.Uid == a.cred.Uid:
				enter = 0o100
			case st.Gid == a.cred.Gid:
				enter = 0o010
			}
			if uint32(st.Mode)&enter == 0 {
				blocked = d
			}
		}
		if d == filepath.Dir(d) {
			return blocked
		}
	}
}

// blockedError explains a folder that the account may not enter; postgres's own words would not name it.
func blockedError(a account, blocked string) error {
	return fmt.Errorf("we run as root, so PostgreSQL runs as the account %s, which may not enter %s: "+
		"choose a state folder outside of it, or allow entering with `chmod o+x %s`", a.name, blocked, blocked)
}

// openPrivate opens a file for its owner alone, making it if there is none. Where root works in the folder of an
// ordinary user, the new file is that user's, who would otherwise be locked out of the folder's next use.
func openPrivate(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|os.O_CREATE, 0o600)
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("%w (the folder is in use by another account?)", err)
	}
	if err != nil {
		return nil, err
	}
	var st syscall.Stat_t
	if os.Geteuid() == 0 && syscall.Stat(filepath.Dir(path), &st) == nil && st.Uid != 0 {
		if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// globEscape makes a path stand for itself in a pattern.
func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
