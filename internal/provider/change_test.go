package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/provider/builtin"
	"patchbay/internal/seal"
)

const pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIE\n-----END PRIVATE KEY-----\n"

func secrets(pairs ...string) map[string]seal.Secret {
	m := map[string]seal.Secret{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = seal.NewSecret(pairs[i+1])
	}
	return m
}

func TestSettingsAreSplitIntoPublicAndSecret(t *testing.T) {
	r := registry(t, append(builtin.All(), acme())...)
	for _, c := range []struct {
		name     string
		provider string
		given    map[string]any
		want     provider.SettingsChange
	}{
		{
			"ClickUp as its form sends it", "clickup",
			map[string]any{
				"api_token": "pk_42_ABCDEF", "workspace_id": "9012345678", "import_completed_tasks": true,
				"import_comments": false, "import_custom_fields": true, "batch_size": json.Number("250"),
			},
			provider.SettingsChange{
				Public: map[string]any{
					"workspace_id": "9012345678", "import_completed_tasks": true,
					"import_comments": false, "import_custom_fields": true, "batch_size": int64(250),
				},
				Secrets: secrets("api_token", "pk_42_ABCDEF"),
			},
		},
		{
			"Jira", "jira",
			map[string]any{
				"site_url": "https://acme.atlassian.net/", "email": "ada@example.com", "apiToken": "ATATT3xFfGF0=",
				"project_keys": []any{"ENG", "OPS"}, "jql": "labels = public", "import_comments": true,
			},
			provider.SettingsChange{
				Public: map[string]any{
					"site_url": "https://acme.atlassian.net/", "email": "ada@example.com",
					"project_keys": []any{"ENG", "OPS"}, "jql": "labels = public", "import_comments": true,
				},
				Secrets: secrets("api_token", "ATATT3xFfGF0="),
			},
		},
		{
			"GitHub Enterprise Server", "github",
			map[string]any{
				"token": "github_pat_11ABC", "api_url": "https://github.example.com:8443/api/v3", "organization": "acme-inc",
				"repositories": []string{"acme/handbook", "acme/.github"}, "import_pull_requests": false,
			},
			provider.SettingsChange{
				Public: map[string]any{
					"api_url": "https://github.example.com:8443/api/v3", "organization": "acme-inc",
					"repositories": []any{"acme/handbook", "acme/.github"}, "import_pull_requests": false,
				},
				Secrets: secrets("access_token", "github_pat_11ABC"),
			},
		},
		{
			"Linear by another name of its key", "linear",
			map[string]any{"api_token": "lin_api_ABC", "team_keys": []any{"ENG"}},
			provider.SettingsChange{Public: map[string]any{"team_keys": []any{"ENG"}}, Secrets: secrets("api_key", "lin_api_ABC")},
		},
		{
			"a draft without what is required", "clickup",
			map[string]any{"batch_size": 10},
			provider.SettingsChange{Public: map[string]any{"batch_size": int64(10)}},
		},
		{"nothing", "clickup", nil, provider.SettingsChange{}},
		{
			"null removes, under the setting's own name", "clickup",
			map[string]any{"workspace_id": nil, "apiKey": nil, "import_comments": true},
			provider.SettingsChange{Public: map[string]any{"import_comments": true}, Removed: []string{"api_token", "workspace_id"}},
		},
		{
			"a private key of several lines", "acme",
			map[string]any{"private_key": pem},
			provider.SettingsChange{Secrets: secrets("private_key", pem)},
		},
		{
			"a token with a space and a few stars in it", "acme",
			map[string]any{"token": "correct horse**staple"},
			provider.SettingsChange{Secrets: secrets("token", "correct horse**staple")},
		},
		{
			"text beyond ASCII", "acme",
			map[string]any{"note": "Zürich\n東京 🏯"},
			provider.SettingsChange{Public: map[string]any{"note": "Zürich\n東京 🏯"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := r.Change(c.provider, c.given)
			if err != nil {
				t.Fatal(err)
			}
			if c.want.Public == nil {
				c.want.Public = map[string]any{}
			}
			if c.want.Secrets == nil {
				c.want.Secrets = secrets()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if _, err := json.Marshal(got.Public); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAWholeNumberMayBeSpeltInAnyWay(t *testing.T) {
	r := registry(t, builtin.All()...)
	for _, spelling := range []any{
		100, int32(100), int64(100), uint8(100), float32(100), 100.0,
		json.Number("100"), json.Number("100.0"), json.Number("1e2"),
	} {
		got, err := r.Change("clickup", map[string]any{"batch_size": spelling})
		if err != nil {
			t.Errorf("%T(%v): %v", spelling, spelling, err)
			continue
		}
		if diff := cmp.Diff(map[string]any{"batch_size": int64(100)}, got.Public); diff != "" {
			t.Errorf("%T(%v): %s", spelling, spelling, diff)
		}
	}
}

// violations lists the errors of a change as "field: message".
func violations(t *testing.T, err error) []string {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("the error is no join: %v", err)
	}
	var list []string
	for _, err := range joined.Unwrap() {
		e, ok := err.(*integration.Error)
		if !ok || e.Kind != integration.KindInvalid {
			t.Fatalf("%T is no error about input: %v", err, err)
		}
		list = append(list, e.Field+": "+e.Message)
	}
	return list
}

func TestWrongSettingsAreRefused(t *testing.T) {
	r := registry(t, append(builtin.All(), acme())...)
	const (
		white = "must not begin or end with white space; copy it again without"
		line  = "must be one line without invisible characters; copy it again"
		mask  = "looks like a masked value; leave the setting out to keep what is stored"
		empty = "is empty; give null to remove it, or leave it out to keep what is stored"
	)
	for _, c := range []struct {
		provider, setting string
		value             any
		want              string // "<item>: <text>" for an item of a list, otherwise the text after the setting's name
	}{
		{"clickup", "workspace_id", 9012345678, `must be a string, not a number: digits only, such as "9012345678"`},
		{"clickup", "workspace_id", json.Number("9012345678"), `must be a string, not a number: digits only, such as "9012345678"`},
		{"clickup", "workspace_id", "my-team", `must be digits only, such as "9012345678"`},
		{"clickup", "workspace_id", "9012345678\n", `must be digits only, such as "9012345678"`},
		{"clickup", "workspace_id", "", `must be digits only, such as "9012345678"`},
		{"clickup", "batch_size", 9, "must be between 10 and 1000"},
		{"clickup", "batch_size", json.Number("1001"), "must be between 10 and 1000"},
		{"clickup", "batch_size", json.Number("99999999999999999999"), "must be between 10 and 1000"},
		{"clickup", "batch_size", json.Number("1e999999999"), "must be a number of ordinary size"},
		{"clickup", "batch_size", json.Number("ten"), "must be a number of ordinary size"},
		{"clickup", "batch_size", math.NaN(), "must be a number of ordinary size"},
		{"clickup", "batch_size", 100.5, "must be a whole number, without a fraction"},
		{"clickup", "batch_size", "100", "must be a whole number, not a string"},
		{"clickup", "batch_size", true, "must be a whole number, not a boolean"},
		{"clickup", "batch_size", make(chan int), "is of a kind that JSON does not have"},
		{"clickup", "import_comments", "yes", "must be true or false, not a string"},
		{"clickup", "import_comments", 1, "must be true or false, not a number"},
		{"clickup", "import_completed_tasks", []any{}, "must be true or false, not a list"},
		{"clickup", "import_custom_fields", map[string]any{"a": 1}, "must be true or false, not an object"},
		{"clickup", "api_token", 42, "must be a string, not a number"},
		{"clickup", "api_token", []any{"pk_42"}, "must be a string, not a list"},
		{"clickup", "api_token", map[string]any{"pk_42": "\x00"}, "must be a string, not an object|must not contain NUL characters, which the database cannot store"},
		{"clickup", "api_token", strings.Repeat("x", 1025), "must be at most 1024 characters long"},
		{"clickup", "api_token", "pk_42\x00", "must not contain NUL characters, which the database cannot store"},
		{"clickup", "api_token", "pk_\xff", "must be valid UTF-8"},

		{"linear", "api_key", "", empty},
		{"linear", "api_key", " \n\t", empty},
		{"linear", "api_key", "********", mask},
		{"linear", "api_key", "•", mask},
		{"linear", "api_key", "●·*•", mask},
		{"linear", "api_key", " ***\n", mask},
		{"linear", "api_key", "[redacted]", mask},
		{"linear", "api_key", "[REDACTED]", mask},
		{"linear", "api_key", "lin_••••••9f", mask},
		{"linear", "api_key", "lin_api_1 ", white},
		{"linear", "api_key", "\u00a0lin_api_1", white},
		{"linear", "api_key", "lin_api_1\n", white},
		{"linear", "api_key", "lin_\napi_1", line},
		{"linear", "api_key", "lin_\r\napi_1", line},
		{"linear", "api_key", "lin_\u200bapi_1", line},
		{"linear", "api_key", "lin_\tapi_1", line},
		{"linear", "api_key", pem, white},
		{"linear", "team_keys", "ENG", "must be a list of strings, not a string"},
		{"linear", "team_keys", []any{}, "must have an item at least; give null to remove it"},
		{"linear", "team_keys", []any{"eng"}, "0: must be a team key in capital letters, such as ENG"},
		{"linear", "team_keys", []any{nil}, "0: must be a string, not null: a team key in capital letters, such as ENG"},
		{"linear", "team_keys", []any{"ENG", "E\x00"}, "1: must be a team key in capital letters, such as ENG|1: must not contain NUL characters, which the database cannot store"},

		{"jira", "site_url", "acme.atlassian.net", "must be an address that begins with https://"},
		{"jira", "site_url", "http://acme.atlassian.net", "must be an address that begins with https://"},
		{"jira", "site_url", "https://", "must be an address such as https://example.com"},
		{"jira", "site_url", "https://:443", "must be an address such as https://example.com"},
		{"jira", "site_url", "https://acme.atlassian.net:port", "must be an address such as https://example.com"},
		{"jira", "site_url", "https://acme.atlassian.net:70000", "must have a port between 1 and 65535 in the address, or none"},
		{"jira", "site_url", "https://acme .atlassian.net", "must be an address such as https://example.com"},
		{"jira", "site_url", `https://evil.example\@acme.atlassian.net`, "must be an address such as https://example.com"},
		{"jira", "site_url", "https://ada:hunter2@acme.atlassian.net", "must not have a user name or password in the address"},
		{"jira", "site_url", "https://acme.atlassian.net?", "must not have a query (from ? on) in the address"},
		{"jira", "site_url", "https://acme.atlassian.net#", "must not have a fragment (from # on) in the address"},
		{"jira", "site_url", "https://acme.atlassian.net/jira/your-work", "must be the site's address without a path, such as https://acme.atlassian.net"},
		{"jira", "email", "ada", "must be an e-mail address, such as name@example.com"},
		{"jira", "email", "", "must be an e-mail address, such as name@example.com"},
		{"jira", "project_keys", []any{"ENG", "ENG"}, "must not repeat an item: items 1 and 2 are the same"},
		{"jira", "project_keys", make([]any, 101), "must have at most 100 items, not 101"},
		{"jira", "jql", "", "must not be empty; give null to remove it"},
		{"jira", "jql", "summary ~ \"\x00\"", "must not contain NUL characters, which the database cannot store"},
		{"jira", "jql", strings.Repeat("x", 2001), "must be at most 2000 characters long"},

		{"github", "api_url", "https://github.example.com/api/v3?x=1", "must not have a query (from ? on) in the address"},
		{"github", "api_url", 3, "must be a string, not a number"},
		{"github", "organization", "acme/handbook", "must be the organization's name of letters, digits and hyphens, such as acme"},
		{"github", "repositories", []any{"acme/handbook", "handbook"}, "1: must be a repository as owner/name, such as acme/handbook"},
		{"github", "repositories", []any{"https://github.com/acme/handbook"}, "0: must be a repository as owner/name, such as acme/handbook"},

		{"acme", "account", "ab", "must be at least 3 characters long"},
		{"acme", "region", "mars", "must be one of eu, us"},
		{"acme", "tags", []any{"red"}, "must have at least 2 items"},
		{"acme", "pages", 4, "is not what the provider's settings schema asks for"},
		{"acme", "private_key", "", empty},
		{"acme", "private_key", "****\n****", mask},
	} {
		t.Run(fmt.Sprintf("%s %s %.40q", c.provider, c.setting, fmt.Sprint(c.value)), func(t *testing.T) {
			got, err := r.Change(c.provider, map[string]any{c.setting: c.value})
			if err == nil {
				t.Fatalf("it was accepted as %v", got.Public)
			}
			var want []string
			for _, text := range strings.Split(c.want, "|") {
				field, subject := "settings."+c.setting, c.setting
				if i, rest, ok := strings.Cut(text, ": "); ok && len(i) == 1 {
					field, subject, text = field+"."+i, fmt.Sprintf("item %c of %s", i[0]+1, subject), rest
				}
				want = append(want, field+": "+subject+" "+text)
			}
			if diff := cmp.Diff(want, violations(t, err)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(provider.SettingsChange{}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryViolationIsReported(t *testing.T) {
	r := registry(t, builtin.All()...)
	_, err := r.Change("clickup", map[string]any{
		"workspace_id": 1, "batch_size": 5, "apiKey": "***", "import_comments": "no", "batchSize": 100,
		"import_completed_tasks": true, "pk_42_0123456789ABCDEFGHIJKLMNOPQRSTUVWX": "x",
	})
	const known = "ClickUp has api_token, batch_size, import_comments, import_completed_tasks, import_custom_fields, workspace_id"
	want := []string{
		"settings: unknown setting; " + known, // the name may be a secret
		"settings.api_token: api_token (given as apiKey) looks like a masked value; leave the setting out to keep what is stored",
		`settings.batchSize: unknown setting "batchSize"; ` + known,
		"settings.batch_size: batch_size must be between 10 and 1000",
		"settings.import_comments: import_comments must be true or false, not a string",
		`settings.workspace_id: workspace_id must be a string, not a number: digits only, such as "9012345678"`,
	}
	if diff := cmp.Diff(want, violations(t, err)); diff != "" {
		t.Error(diff)
	}
}

func TestASettingUnderTwoNamesIsRefused(t *testing.T) {
	r := registry(t, builtin.All()...)
	for _, given := range []map[string]any{
		{"apiKey": "pk_1", "api_token": "pk_2"},
		{"apiKey": "pk_1", "api_token": nil},
		{"apiKey": nil, "api_token": "pk_1"},
	} {
		_, err := r.Change("clickup", given)
		want := []string{"settings.api_token: api_token was given twice, as apiKey and as api_token; give it once"}
		if diff := cmp.Diff(want, violations(t, err)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAnUnknownProviderIsRefused(t *testing.T) {
	r := registry(t, builtin.All()...)
	for name, want := range map[string]string{
		"trello": `unknown provider "trello"; this server knows clickup, github, jira, linear`,
		"":       "unknown provider; this server knows clickup, github, jira, linear",
		"github_pat_11ABCDEFGHIJKLMNOPQRSTUVWXYZ": "unknown provider; this server knows clickup, github, jira, linear",
	} {
		_, err := r.Change(name, map[string]any{"api_token": "pk_1"})
		var e *integration.Error
		if !errors.As(err, &e) || e.Kind != integration.KindInvalid || e.Field != "provider" || e.Message != want {
			t.Errorf("%q: the error is %#v, want %q", name, err, want)
		}
	}
}

func TestARequestThatIsWrongEverywhereGetsABoundedAnswer(t *testing.T) {
	r := registry(t, builtin.All()...)
	given := map[string]any{}
	for i := range 1000 {
		given[fmt.Sprintf("setting_%d", i)] = i
	}
	_, err := r.Change("clickup", given)
	got := violations(t, err)
	if last := got[len(got)-1]; len(got) != 101 || last != "settings: and 900 problems more" {
		t.Errorf("%d problems, the last is %q", len(got), last)
	}
}
