package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rules say what each package of ours may import directly, of ours and of the drivers that only one package should
// know. A package without a rule fails: new ones are given their place in the house here, and in docs/architecture.md.
var rules = map[string][]string{
	"patchbay": {
		"graph", "internal/adopt", "internal/audit", "internal/auth", "internal/config", "internal/connect", "internal/doctor", "internal/embedpg", "internal/httpd",
		"internal/integration", "internal/live", "internal/provider", "internal/provider/builtin", "internal/ratelimit", "internal/seal", "internal/store", "internal/syncer", "internal/telemetry", "internal/webhook", "web",
	},
	"graph":                                 {"graph/generated", "graph/model", "internal/auth", "internal/connect", "internal/integration", "internal/live", "internal/ratelimit", "internal/store", "internal/syncer", "internal/webhook"},
	"graph/generated":                       {"graph/model", "graph/scalar", "internal/integration"},
	"graph/model":                           {"internal/integration"},
	"graph/scalar":                          {"internal/integration"},
	"internal/adopt":                        {"internal/integration", "internal/provider", "internal/seal", "internal/store"},
	"internal/audit":                        {"internal/integration", "internal/store"},
	"internal/auth":                         {"internal/integration", "internal/ratelimit", "internal/seal", "internal/store", "openid"},
	"internal/auth/optest":                  {"openid provider"}, // for tests alone
	"internal/config":                       {"internal/seal"},
	"internal/connect":                      {"internal/integration", "internal/provider", "internal/seal", "internal/store", "river"}, // workers of its jobs
	"internal/doctor":                       {"internal/seal", "internal/store"},
	"internal/embedpg":                      {"pgx"},
	"internal/httpd":                        {"internal/auth"},
	"internal/integration":                  {},
	"internal/live":                         {"internal/integration", "internal/store"},
	"internal/provider":                     {"internal/integration", "internal/seal"},
	"internal/provider/builtin":             {"internal/provider", "internal/provider/clickup", "internal/provider/github", "internal/provider/jira", "internal/provider/linear"},
	"internal/provider/clickup":             {"internal/integration", "internal/provider", "internal/seal"},
	"internal/provider/clickup/clickuptest": {},
	"internal/provider/clickup/clickuptest/contract": {"internal/provider/clickup/clickuptest"},
	"internal/provider/github":                       {"internal/provider"},
	"internal/provider/jira":                         {"internal/provider"},
	"internal/provider/linear":                       {"internal/provider"},
	"internal/ratelimit":                             {"internal/integration", "internal/store"},
	"internal/seal":                                  {},
	"internal/store":                                 {"internal/integration", "internal/seal", "migrations", "pgx", "river"},
	"internal/store/storetest":                       {"internal/embedpg", "internal/integration", "internal/seal", "internal/store", "pgx"},
	"internal/syncer":                                {"internal/connect", "internal/integration", "internal/provider", "internal/store", "river"},                                          // workers of its jobs
	"internal/webhook":                               {"internal/connect", "internal/integration", "internal/provider", "internal/ratelimit", "internal/store", "internal/syncer", "river"}, // workers of its jobs
	"internal/telemetry":                             {},
	"migrations":                                     {},
	"web":                                            {},
	"bench":                                          {},
	"demo":                                           {"internal/provider/clickup/clickuptest"},
	"e2e":                                            {"internal/provider/clickup/clickuptest"}, // a stand-in, for tests
}

func TestImportsFollowTheArchitecture(t *testing.T) {
	t.Parallel()
	for path, imports := range imports(t) {
		name := strings.TrimPrefix(path, "patchbay/")
		allowed, known := rules[name]
		if !known {
			t.Errorf("package %s has no rule: say in architecture_test.go what it may import", name)
			continue
		}
		for _, i := range imports {
			short, ours := strings.CutPrefix(i, "patchbay/")
			if strings.HasPrefix(i, "github.com/jackc/pgx") {
				short, ours = "pgx", true
			}
			if strings.HasPrefix(i, "github.com/riverqueue/river") {
				short, ours = "river", true
			}
			if strings.HasPrefix(i, "github.com/coreos/go-oidc/") || strings.HasPrefix(i, "golang.org/x/oauth2") {
				short, ours = "openid", true
			}
			if strings.HasPrefix(i, "github.com/zitadel/") {
				short, ours = "openid provider", true
			}
			if ours && !slices.Contains(allowed, short) {
				t.Errorf("%s imports %s, which its rule does not allow", name, short)
			}
		}
	}
}

func TestVocabularyNeedsNothing(t *testing.T) {
	t.Parallel()
	for _, i := range imports(t)["patchbay/internal/integration"] {
		if strings.Contains(i, ".") && i != "github.com/google/uuid" {
			t.Errorf("internal/integration imports %s: it may use the standard library and google/uuid only", i)
		}
	}
}

// imports maps each package of ours to what its files, tests aside, import.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		all[fields[0]] = fields[1:]
	}
	if len(all) < 10 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	return all
}
