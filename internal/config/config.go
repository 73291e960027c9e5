// Package config reads the environment into one validated struct.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"

	"patchbay/internal/seal"
)

// Config is everything that the environment says. Its env tags are the variables' names; docs/configuration.md and
// .env.example list them all, which a test checks.
type Config struct {
	// DatabaseURL is the PostgreSQL to use; empty means a private one in StateDir.
	DatabaseURL seal.Secret `env:"DATABASE_URL"`
	// MigrateDatabaseURL is the owner's login, for migrations, where DatabaseURL's is one that can only serve.
	MigrateDatabaseURL seal.Secret `env:"PATCHBAY_MIGRATE_DATABASE_URL"`
	// ListenDatabaseURL is for the one connection that hears of other processes; empty means DatabaseURL.
	ListenDatabaseURL seal.Secret `env:"PATCHBAY_LISTEN_DATABASE_URL"`
	// Addr is the address to listen on; port 0 takes a free one.
	Addr Address `env:"PATCHBAY_ADDR" envDefault:"127.0.0.1:8080"`
	// AdminAddr is the address to listen on for the operator; empty means none.
	AdminAddr Address `env:"PATCHBAY_ADMIN_ADDR"`
	// PublicURL is where browsers and providers reach the server; empty means Addr's. No trailing slash.
	PublicURL PublicURL `env:"PATCHBAY_PUBLIC_URL"`
	// WebhookURL is where third parties send webhooks to; empty means PublicURL. No trailing slash.
	WebhookURL PublicURL `env:"PATCHBAY_WEBHOOK_URL"`
	// StateDir holds the private database and the generated key; empty means .patchbay in the working folder.
	StateDir string `env:"PATCHBAY_STATE_DIR"`
	// PostgresBinDir is where the private database's programs are; empty means to look for them.
	PostgresBinDir string `env:"PG_BINDIR"`
	// EncryptionKey seals the secrets. Only `patchbay serve` and `patchbay adopt` need it.
	EncryptionKey seal.Secret `env:"INTEGRATION_ENCRYPTION_KEY"`
	// PreviousEncryptionKeys can still open what they sealed.
	PreviousEncryptionKeys seal.Secret `env:"INTEGRATION_ENCRYPTION_PREVIOUS_KEYS"`
	// RevealSettings lets administrators read stored secrets through the API.
	RevealSettings bool `env:"PATCHBAY_REVEAL_SETTINGS"`
	// RateLimit is what each principal may use of the API, in points a minute; 0 means no limit.
	RateLimit Limit `env:"PATCHBAY_RATE_LIMIT" envDefault:"10000000"`
	// AuthFailureLimit is how many bad credentials an address may show a minute; 0 means no limit.
	AuthFailureLimit Limit `env:"PATCHBAY_AUTH_FAILURE_LIMIT" envDefault:"60"`
	// TrustedProxies are believed where they say that a request came from.
	TrustedProxies Networks `env:"PATCHBAY_TRUSTED_PROXIES"`
	// AllowPrivateHosts are the private hosts that integrations' settings may name all the same.
	AllowPrivateHosts PrivateHosts `env:"PATCHBAY_ALLOW_PRIVATE_HOSTS"`
	// ClickUpAPI is where ClickUp's API is, if not where ClickUp itself has it; the others alike.
	ClickUpAPI APIOrigin `env:"CLICKUP_API_URL"`
	GitHubAPI  APIOrigin `env:"GITHUB_API_URL"`
	LinearAPI  APIOrigin `env:"LINEAR_API_URL"`
	JiraAPI    APIOrigin `env:"JIRA_API_URL"`
	// AdoptKey is the earlier module's key, in whatever form it had; only `patchbay adopt` needs it.
	AdoptKey seal.Secret `env:"PATCHBAY_ADOPT_KEY"`
	// OIDCIssuer is the OpenID provider whose tokens are taken; empty means none.
	OIDCIssuer IssuerURL `env:"PATCHBAY_OIDC_ISSUER"`
	// OIDCAudience is what bearer tokens must be meant for.
	OIDCAudience string `env:"PATCHBAY_OIDC_AUDIENCE"`
	// OIDCClientID is this server's name at the provider; empty means that browsers do not sign in there.
	OIDCClientID string `env:"PATCHBAY_OIDC_CLIENT_ID"`
	// OIDCClientSecret is empty for a public client: PKCE is used either way.
	OIDCClientSecret seal.Secret `env:"PATCHBAY_OIDC_CLIENT_SECRET"`
	// OIDCOrgClaim, OIDCProjectsClaim and OIDCRoleClaim are the claims that a principal is made of.
	OIDCOrgClaim      string `env:"PATCHBAY_OIDC_ORG_CLAIM" envDefault:"org"`
	OIDCProjectsClaim string `env:"PATCHBAY_OIDC_PROJECTS_CLAIM" envDefault:"projects"`
	OIDCRoleClaim     string `env:"PATCHBAY_OIDC_ROLE_CLAIM" envDefault:"role"`
	// LogLevel is the least important level that is logged.
	LogLevel LogLevel `env:"PATCHBAY_LOG_LEVEL" envDefault:"info"`
	// LogFormat is "text", "json", or empty: text on a terminal and json elsewhere.
	LogFormat LogFormat `env:"PATCHBAY_LOG_FORMAT"`
}

// Load reads and checks the environment, given as os.Environ gives it. The error names every variable that is wrong,
// what it should be, and no secret's value.
func Load(environ []string) (Config, error) {
	var c Config
	err := env.ParseWithOptions(&c, env.Options{Environment: env.ToMap(environ)})
	var all env.AggregateError
	if !errors.As(err, &all) {
		return c, errors.Join(err, c.checkOIDC())
	}
	var wrong []error
	for _, one := range all.Errors {
		var parse env.ParseError
		if !errors.As(one, &parse) {
			return c, one
		}
		field, _ := reflect.TypeFor[Config]().FieldByName(parse.Name)
		wrong = append(wrong, fmt.Errorf("%s: %w", field.Tag.Get("env"), parse.Err))
	}
	return c, errors.Join(wrong...)
}

// ErrNoKey is what Keys returns where there is no key.
var ErrNoKey = errors.New("INTEGRATION_ENCRYPTION_KEY is not set: it seals the stored secrets, and there is no default. " +
	"`patchbay key generate` prints a new one; keep it as safe as the database's backups")

// checkOIDC refuses variables that mean nothing without another one.
func (c Config) checkOIDC() error {
	var wrong []error
	if c.OIDCIssuer != "" && c.OIDCAudience == "" {
		wrong = append(wrong, errors.New("PATCHBAY_OIDC_AUDIENCE is needed with PATCHBAY_OIDC_ISSUER: the audience that the provider puts into tokens for this server"))
	}
	if c.OIDCIssuer == "" && (c.OIDCAudience != "" || c.OIDCClientID != "" || !c.OIDCClientSecret.IsZero()) {
		wrong = append(wrong, errors.New("PATCHBAY_OIDC_ISSUER is needed with the other PATCHBAY_OIDC_ variables: the provider's issuer URL"))
	}
	if c.OIDCClientID == "" && !c.OIDCClientSecret.IsZero() {
		wrong = append(wrong, errors.New("PATCHBAY_OIDC_CLIENT_ID is needed with PATCHBAY_OIDC_CLIENT_SECRET: the client that the secret is of"))
	}
	return errors.Join(wrong...)
}

// Keys returns the ring of encryption keys. The error names the variable and what to do.
func (c Config) Keys() (*seal.Ring, error) {
	if c.EncryptionKey.IsZero() {
		return nil, ErrNoKey
	}
	current, err := seal.ParseKey(c.EncryptionKey)
	if err != nil {
		return nil, fmt.Errorf("INTEGRATION_ENCRYPTION_KEY: %w; `patchbay key generate` prints a good one", err)
	}
	var previous []seal.Key
	for i, text := range strings.Split(c.PreviousEncryptionKeys.Expose(), ",") {
		if strings.TrimSpace(text) == "" {
			continue
		}
		key, err := seal.ParseKey(seal.NewSecret(text))
		if err != nil {
			return nil, fmt.Errorf("INTEGRATION_ENCRYPTION_PREVIOUS_KEYS: number %d: %w", i+1, err)
		}
		previous = append(previous, key)
	}
	return seal.NewRing(current, previous...), nil
}

// Address is a host and port to listen on.
type Address string

// UnmarshalText takes host:port, [IPv6]:port or :port.
func (a *Address) UnmarshalText(text []byte) error {
	_, port, err := net.SplitHostPort(string(text))
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%q is no address: expected host:port, such as 127.0.0.1:8080", text)
	}
	*a = Address(text)
	return nil
}

// PublicURL is an origin, without a path.
type PublicURL string

// UnmarshalText takes an http or https origin; a trailing slash is dropped.
func (p *PublicURL) UnmarshalText(text []byte) error {
	return parseOrigin((*string)(p), text, "https://patchbay.example.com")
}

// APIOrigin is where a third party's API is: an origin, without a path.
type APIOrigin string

// UnmarshalText takes an http or https origin; a trailing slash is dropped.
func (o *APIOrigin) UnmarshalText(text []byte) error {
	return parseOrigin((*string)(o), text, "https://api.example.com")
}

func parseOrigin(to *string, text []byte, example string) error {
	u, err := url.Parse(string(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("expected an origin such as %s, without a path", example)
	}
	*to = u.Scheme + "://" + u.Host
	return nil
}

// APIOrigins are the operator's own origins of APIs, by provider name.
func (c Config) APIOrigins() map[string]string {
	origins := map[string]string{}
	for name, origin := range map[string]APIOrigin{"clickup": c.ClickUpAPI, "github": c.GitHubAPI, "linear": c.LinearAPI, "jira": c.JiraAPI} {
		if origin != "" {
			origins[name] = string(origin)
		}
	}
	return origins
}

// PrivateHosts are hosts, and ranges of addresses, in private networks.
type PrivateHosts struct {
	Hosts  []string // in small letters
	Ranges []netip.Prefix
}

var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*$`)

// UnmarshalText takes host names, addresses and CIDRs, separated by commas.
func (p *PrivateHosts) UnmarshalText(text []byte) error {
	for entry := range strings.SplitSeq(string(text), ",") {
		entry = strings.ToLower(strings.TrimSpace(entry))
		prefix, err := netip.ParsePrefix(entry)
		if ip, ipErr := netip.ParseAddr(entry); ipErr == nil {
			prefix, err = netip.PrefixFrom(ip.Unmap().WithZone(""), ip.Unmap().BitLen()), nil
		}
		switch {
		case entry == "":
		case err == nil && prefix.Addr().Is4In6():
			return fmt.Errorf("%q is an IPv4 range written as IPv6: write it as IPv4", entry)
		case err == nil:
			p.Ranges = append(p.Ranges, prefix.Masked())
		case hostName.MatchString(entry):
			p.Hosts = append(p.Hosts, entry)
		default:
			return fmt.Errorf("%q is no host, address or CIDR: expected such as jira.internal, 10.1.2.3 or 10.0.0.0/8, separated by commas", entry)
		}
	}
	return nil
}

// Limit is how much of something is allowed; 0 means no limit.
type Limit int

// UnmarshalText takes a whole number up to a billion.
func (l *Limit) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil || n > 1_000_000_000 {
		return fmt.Errorf("%q is no limit: expected a whole number up to 1,000,000,000, or 0 for no limit", text)
	}
	*l = Limit(n)
	return nil
}

// Networks are ranges of addresses.
type Networks []netip.Prefix

// UnmarshalText takes CIDRs and single addresses, separated by commas.
func (n *Networks) UnmarshalText(text []byte) error {
	*n = nil
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		network, err := netip.ParsePrefix(part)
		if address, single := netip.ParseAddr(part); single == nil {
			network, err = address.WithZone("").Prefix(address.BitLen())
		}
		if err != nil || network.Addr().Is4In6() {
			return fmt.Errorf("%q is no network: expected CIDRs or addresses separated by commas, such as 10.0.0.0/8,fd00::1", part)
		}
		*n = append(*n, network.Masked())
	}
	return nil
}

// IssuerURL is an OpenID provider's issuer, exactly as its tokens name it.
type IssuerURL string

// UnmarshalText takes an https URL, or an http one of this machine.
func (i *IssuerURL) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	if err != nil || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) || u.Host == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" {
		return errors.New("expected the provider's issuer, such as https://login.example.com/realms/acme; http is for this machine alone")
	}
	*i = IssuerURL(text)
	return nil
}

func loopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

// LogLevel is the least important level that is logged.
type LogLevel struct{ slog.Level }

// UnmarshalText takes debug, info, warn or error, in small or capital letters.
func (l *LogLevel) UnmarshalText(text []byte) error {
	if err := l.Level.UnmarshalText(text); err != nil {
		return fmt.Errorf("%q is no log level: expected debug, info, warn or error", text)
	}
	return nil
}

// LogFormat is how log lines are written.
type LogFormat string

// UnmarshalText takes text or json.
func (f *LogFormat) UnmarshalText(text []byte) error {
	switch LogFormat(text) {
	case "", "text", "json":
		*f = LogFormat(text)
		return nil
	}
	return fmt.Errorf("%q is no log format: expected text or json", text)
}
