package config

import (
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/seal"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Addr: "127.0.0.1:8080", OIDCOrgClaim: "org", OIDCProjectsClaim: "projects", OIDCRoleClaim: "role",
		RateLimit: 10_000_000, AuthFailureLimit: 60,
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEveryWrongValueNamesItsVariable(t *testing.T) {
	t.Parallel()
	_, err := Load([]string{
		"PATCHBAY_ADDR=somewhere",
		"PATCHBAY_PUBLIC_URL=ftp://patchbay.example.com",
		"PATCHBAY_ALLOW_PRIVATE_HOSTS=10.0.0.0/8,http://jira.internal",
		"CLICKUP_API_URL=https://api.clickup.com/api/v2",
		"PATCHBAY_OIDC_ISSUER=http://login.example.com",
		"PATCHBAY_LOG_LEVEL=loud",
		"PATCHBAY_LOG_FORMAT=xml",
		"PATCHBAY_RATE_LIMIT=-1",
		"PATCHBAY_AUTH_FAILURE_LIMIT=many",
		"PATCHBAY_TRUSTED_PROXIES=10.0.0.0/8, proxy.example.com",
	})
	if err == nil {
		t.Fatal("wrong values were taken")
	}
	want := `PATCHBAY_ADDR: "somewhere" is no address: expected host:port, such as 127.0.0.1:8080
PATCHBAY_PUBLIC_URL: expected an origin such as https://patchbay.example.com, without a path
PATCHBAY_RATE_LIMIT: "-1" is no limit: expected a whole number up to 1,000,000,000, or 0 for no limit
PATCHBAY_AUTH_FAILURE_LIMIT: "many" is no limit: expected a whole number up to 1,000,000,000, or 0 for no limit
PATCHBAY_TRUSTED_PROXIES: "proxy.example.com" is no network: expected CIDRs or addresses separated by commas, such as 10.0.0.0/8,fd00::1
PATCHBAY_ALLOW_PRIVATE_HOSTS: "http://jira.internal" is no host, address or CIDR: expected such as jira.internal, 10.1.2.3 or 10.0.0.0/8, separated by commas
CLICKUP_API_URL: expected an origin such as https://api.example.com, without a path
PATCHBAY_OIDC_ISSUER: expected the provider's issuer, such as https://login.example.com/realms/acme; http is for this machine alone
PATCHBAY_LOG_LEVEL: "loud" is no log level: expected debug, info, warn or error
PATCHBAY_LOG_FORMAT: "xml" is no log format: expected text or json`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		variable string
		ok       bool
	}{
		{"PATCHBAY_ADDR=:0", true},
		{"PATCHBAY_ADDR=[::1]:8080", true},
		{"PATCHBAY_ADDR=127.0.0.1", false},
		{"PATCHBAY_ADDR=127.0.0.1:99999", false},
		{"PATCHBAY_PUBLIC_URL=https://patchbay.example.com/", true},
		{"PATCHBAY_PUBLIC_URL=https://patchbay.example.com/path", false},
		{"PATCHBAY_PUBLIC_URL=https://user:password@patchbay.example.com", false},
		{"PATCHBAY_PUBLIC_URL=patchbay.example.com", false},
		{"PATCHBAY_LOG_LEVEL=DEBUG", true},
		{"PATCHBAY_LOG_FORMAT=json", true},
		{"PATCHBAY_RATE_LIMIT=0", true},
		{"PATCHBAY_RATE_LIMIT=1000000000", true},
		{"PATCHBAY_RATE_LIMIT=2000000000", false},
		{"PATCHBAY_RATE_LIMIT=1e6", false},
		{"PATCHBAY_TRUSTED_PROXIES= 10.0.0.0/8,::1, ", true},
		{"PATCHBAY_TRUSTED_PROXIES=10.0.0.0/33", false},
		{"PATCHBAY_TRUSTED_PROXIES=::ffff:10.0.0.1/128", false}, // requests' addresses are never written so
	} {
		if _, err := Load([]string{test.variable}); (err == nil) != test.ok {
			t.Errorf("%s: error %v", test.variable, err)
		}
	}
}

func TestOpenIDVariablesThatNeedAnother(t *testing.T) {
	t.Parallel()
	const issuer, audience, client, secret = "PATCHBAY_OIDC_ISSUER=", "PATCHBAY_OIDC_AUDIENCE=", "PATCHBAY_OIDC_CLIENT_ID=", "PATCHBAY_OIDC_CLIENT_SECRET="
	for _, test := range []struct {
		variables []string
		missing   string // the start of the error; empty where there is none
	}{
		{[]string{issuer + "https://login.example.com", audience + "patchbay"}, ""},
		{[]string{issuer + "https://login.example.com/realms/a/", audience + "patchbay", client + "web", secret + "SECRETSECRET"}, ""},
		{[]string{issuer + "http://127.0.0.1:9000", audience + "patchbay"}, ""},
		{[]string{issuer + "http://[::1]:9000", audience + "patchbay"}, ""},
		{[]string{issuer + "http://localhost", audience + "patchbay", client + "web"}, ""},
		{[]string{issuer + "http://localhost.example.com", audience + "patchbay"}, "PATCHBAY_OIDC_ISSUER: expected"},
		{[]string{issuer + "https://user:password@login.example.com", audience + "patchbay"}, "PATCHBAY_OIDC_ISSUER: expected"},
		{[]string{issuer + "login.example.com", audience + "patchbay"}, "PATCHBAY_OIDC_ISSUER: expected"},
		{[]string{issuer + "https://login.example.com"}, "PATCHBAY_OIDC_AUDIENCE is needed"},
		{[]string{audience + "patchbay"}, "PATCHBAY_OIDC_ISSUER is needed"},
		{[]string{client + "web"}, "PATCHBAY_OIDC_ISSUER is needed"},
		{[]string{issuer + "https://login.example.com", audience + "patchbay", secret + "SECRETSECRET"}, "PATCHBAY_OIDC_CLIENT_ID is needed"},
	} {
		_, err := Load(test.variables)
		if test.missing == "" && err != nil || test.missing != "" && (err == nil || !strings.HasPrefix(err.Error(), test.missing) || strings.Contains(err.Error(), "SECRETSECRET")) {
			t.Errorf("%v: error %v", test.variables, err)
		}
	}
}

func TestPublicURLHasNoTrailingSlash(t *testing.T) {
	t.Parallel()
	c, err := Load([]string{"PATCHBAY_PUBLIC_URL=https://patchbay.example.com/"})
	if err != nil || c.PublicURL != "https://patchbay.example.com" {
		t.Errorf("got %q, %v", c.PublicURL, err)
	}
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	c, err := Load([]string{"PATCHBAY_TRUSTED_PROXIES=10.1.2.3/8, fd00::1,192.0.2.7"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(c.TrustedProxies), "[10.0.0.0/8 fd00::1/128 192.0.2.7/32]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPrivateHosts(t *testing.T) {
	t.Parallel()
	c, err := Load([]string{"PATCHBAY_ALLOW_PRIVATE_HOSTS= Jira.Internal,10.1.2.3/8, 127.0.0.1, fd00::1,::ffff:192.168.0.1,, "})
	want := PrivateHosts{Hosts: []string{"jira.internal"}, Ranges: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::1/128"), netip.MustParsePrefix("192.168.0.1/32"),
	}}
	if err != nil || !reflect.DeepEqual(c.AllowPrivateHosts, want) {
		t.Errorf("got %v, %v", c.AllowPrivateHosts, err)
	}
	for _, wrong := range []string{"https://a", "a b", "a/b", "10.0.0.0/33", "*.internal", "::ffff:10.0.0.0/104", "a:443"} {
		if _, err := Load([]string{"PATCHBAY_ALLOW_PRIVATE_HOSTS=" + wrong}); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}

func TestAPIOrigins(t *testing.T) {
	t.Parallel()
	c, err := Load([]string{"CLICKUP_API_URL=http://127.0.0.1:9000/", "JIRA_API_URL=https://jira.example.com"})
	want := map[string]string{"clickup": "http://127.0.0.1:9000", "jira": "https://jira.example.com"}
	if diff := cmp.Diff(want, c.APIOrigins()); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	good, other := seal.GenerateKey().Expose(), seal.GenerateKey().Expose()
	for _, test := range []struct {
		name, current, previous string
		wantErr                 string
	}{
		{"one key", good, "", ""},
		{"with a previous one, and stray commas", good, "," + other + ", ", ""},
		{"none", "", "", "INTEGRATION_ENCRYPTION_KEY is not set"},
		{"short", "secretsecret", "", "INTEGRATION_ENCRYPTION_KEY: the encryption key is too weak: it has 12 bytes"},
		{"monotonous", strings.Repeat("ab", 40), "", "INTEGRATION_ENCRYPTION_KEY: the encryption key is too weak: it has only"},
		{"a weak previous one", good, other + ",weak", "INTEGRATION_ENCRYPTION_PREVIOUS_KEYS: number 2: the encryption key is too weak"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := Load([]string{"INTEGRATION_ENCRYPTION_KEY=" + test.current, "INTEGRATION_ENCRYPTION_PREVIOUS_KEYS=" + test.previous})
			if err != nil {
				t.Fatal(err)
			}
			ring, err := c.Keys()
			if test.wantErr == "" {
				if err != nil || !ring.Has(ring.CurrentID()) {
					t.Fatalf("%v, %v", ring, err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), test.wantErr) {
				t.Fatalf("error %v", err)
			}
			for _, secret := range []string{"secretsecret", "abab", "weak,", other} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error repeats a key: %v", err)
				}
			}
		})
	}
}

// TestDocumented compares the struct with the two places that people read.
func TestDocumented(t *testing.T) {
	t.Parallel()
	var want []string
	for field := range fields(reflect.TypeFor[Config]()) {
		want = append(want, field.Tag.Get("env"))
	}
	slices.Sort(want)
	for file, pattern := range map[string]string{
		"../../docs/configuration.md": "(?m)^\\| `([A-Z_]+)` \\|",
		"../../.env.example":          `(?m)^#([A-Z_]+)=`,
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			got = append(got, m[1])
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s lists other variables than the struct (-struct +file)\n%s", file, diff)
		}
	}
}

func fields(of reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range of.NumField() {
			if !yield(of.Field(i)) {
				return
			}
		}
	}
}
