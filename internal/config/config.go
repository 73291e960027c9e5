// Package config reads the environment into one validated struct.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"reflect"
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
	// PublicURL is where browsers and providers reach the server; empty means Addr's. No trailing slash.
	PublicURL PublicURL `env:"PATCHBAY_PUBLIC_URL"`
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
	// AdoptKey is the earlier module's key, in whatever form it had; only `patchbay adopt` needs it.
	AdoptKey seal.Secret `env:"PATCHBAY_ADOPT_KEY"`
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
		return c, err
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

// Keys returns the ring of encryption keys. The error names the variable and what to do.
func (c Config) Keys() (*seal.Ring, error) {
	if c.EncryptionKey.IsZero() {
		return nil, errors.New("INTEGRATION_ENCRYPTION_KEY is not set: it seals the stored secrets, and there is no default. " +
			"`patchbay key generate` prints a new one; keep it as safe as the database's backups")
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
	u, err := url.Parse(string(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("expected an origin such as https://patchbay.example.com, without a path")
	}
	*p = PublicURL(u.Scheme + "://" + u.Host)
	return nil
}

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
