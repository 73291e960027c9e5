package doctor

import (
	"slices"
	"strings"
	"testing"

	"patchbay/internal/store"
)

func TestVersions(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]Severity{140010: Severe, 150000: OK, 160001: OK, 180003: OK, 190000: Warning} {
		f := judgeVersion(store.Session{Version: version, Release: "x"})
		if f.Severity != want || (f.Remedy == "") != (want == OK) {
			t.Errorf("%d: %+v", version, f)
		}
	}
}

// What the tests' PostgreSQL may not have: pgaudit, and auto_explain as of 16.
func TestLibrariesThatLogParameters(t *testing.T) {
	t.Parallel()
	quiet := map[string]store.Setting{
		"log_statement": {Value: "none"}, "log_min_duration_statement": {Value: "-1"}, "log_parameter_max_length": {Value: "0"},
		"log_parameter_max_length_on_error": {Value: "0"}, "log_min_error_statement": {Value: "panic"},
	}
	for name, test := range map[string]struct {
		settings map[string]string
		want     string
		fix      string
	}{
		"nothing":         {nil, "", ""},
		"pgaudit":         {map[string]string{"pgaudit.log": "write", "pgaudit.role": "", "pgaudit.log_parameter": "on"}, "pgaudit", "ALTER SYSTEM SET pgaudit.log_parameter = off;"},
		"pgaudit by role": {map[string]string{"pgaudit.log": "none", "pgaudit.role": "auditor", "pgaudit.log_parameter": "on"}, "pgaudit", "ALTER SYSTEM SET pgaudit.log_parameter = off;"},
		"pgaudit without": {map[string]string{"pgaudit.log": "all", "pgaudit.role": "", "pgaudit.log_parameter": "off"}, "", ""},
		"auto_explain": {map[string]string{"auto_explain.log_min_duration": "0", "auto_explain.log_parameter_max_length": "-1", "auto_explain.log_verbose": "off"},
			"auto-explain", "ALTER SYSTEM SET auto_explain.log_parameter_max_length = 0;"},
		"auto_explain, idle": {map[string]string{"auto_explain.log_min_duration": "-1", "auto_explain.log_parameter_max_length": "-1", "auto_explain.log_verbose": "on"}, "", ""},
		"auto_explain of 15": {map[string]string{"auto_explain.log_min_duration": "0", "auto_explain.log_verbose": "off"}, "", ""},
		"pg_stat_statements": {map[string]string{"pg_stat_statements.track": "top"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := store.Session{Settings: map[string]store.Setting{}}
			for k, v := range quiet {
				s.Settings[k] = v
			}
			for k, v := range test.settings {
				s.Settings[k] = store.Setting{Value: v, Source: "configuration file"}
			}
			found := judgeLogging(s, "DATABASE_URL")
			var bad []string
			for _, f := range found {
				if f.Severity > Info {
					bad = append(bad, f.Check)
					if !strings.Contains(f.Remedy, test.fix) {
						t.Errorf("the remedy %s has not %s", f.Remedy, test.fix)
					}
				}
			}
			if got := strings.Join(bad, " "); got != test.want {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}

// A remedy changes a setting where it was made.
func TestWhereASettingIsChanged(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"default": "ALTER SYSTEM SET x = 0;", "configuration file": "ALTER SYSTEM SET x = 0;", "command line": "ALTER DATABASE d SET x = 0;",
		"database": "ALTER DATABASE d SET x = 0;", "user": "ALTER ROLE l SET x = 0;", "database user": "ALTER ROLE l IN DATABASE d SET x = 0;",
		"client": "Take x out of the options in V",
	} {
		s := store.Session{Database: "d", Login: "l", Settings: map[string]store.Setting{"x": {Source: source}}}
		if got := set(s, "V", "x", "0"); !strings.Contains(got, want) {
			t.Errorf("%s: %s", source, got)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	got := []string{bytes(0), bytes(1023), bytes(1024), bytes(3 << 29), bytes(5 << 40)}
	if want := []string{"0 B", "1023 B", "1.0 KiB", "1.5 GiB", "5.0 TiB"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
