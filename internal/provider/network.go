package provider

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// Network is the one way to third parties: it makes clients that keep to the limits of all processes together. It is
// safe for use by several goroutines.
type Network struct {
	log     *slog.Logger
	origins map[string]string
	open    *http.Transport // to where the operator or a declaration says
	guarded *http.Transport // to where tenants say
	guard   *guard

	ledger      Ledger
	fingerprint func(seal.Secret) string
	limiters    *lru.Cache[string, *limiter] // by fingerprint
	making      sync.Mutex
}

// maxTokens is how many tokens' permits a process keeps at hand.
const maxTokens = 10_000

// NetworkOptions say how a server reaches third parties.
type NetworkOptions struct {
	Log *slog.Logger // nil logs nothing
	// Ledger is what the processes share; nil keeps limits within this one.
	Ledger Ledger
	// Fingerprint names a token without telling it, in all processes alike.
	Fingerprint func(token seal.Secret) string
	// Origins are the operator's own origins of APIs, by provider name; a provider without one has its declaration's.
	Origins map[string]string
	// AllowedHosts and AllowedRanges are the private ones that tenants' settings may name all the same.
	AllowedHosts  []string
	AllowedRanges []netip.Prefix
}

// NewNetwork makes a network.
func NewNetwork(o NetworkOptions) *Network {
	n := &Network{log: o.Log, origins: o.Origins, ledger: o.Ledger, fingerprint: o.Fingerprint}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	if n.ledger == nil {
		n.ledger, n.fingerprint = &memory{states: map[string][]byte{}}, newFingerprint()
	}
	n.limiters, _ = lru.New[string, *limiter](maxTokens) // fails for sizes below 1
	n.guard = &guard{ranges: o.AllowedRanges, hosts: map[string]bool{}}
	for _, host := range o.AllowedHosts {
		n.guard.hosts[strings.ToLower(host)] = true
	}
	n.open = newTransport(dialer().DialContext, http.ProxyFromEnvironment)
	// A proxy would look the name up itself, behind the guard's back.
	n.guarded = newTransport(n.guard.dial, nil)
	return n
}

// ClientOptions are what a provider's folder tells of its API.
type ClientOptions struct {
	Provider    string // its name
	DisplayName string // for messages; the name where empty
	Origin      string // scheme and host; paths follow
	Tenant      bool   // Origin comes from a tenant's settings: https only, and no private address
	Token       seal.Secret
	Bucket      string // which one, where a token has several limits, such as one for searches alone
	Limit       Limit  // until an answer names one; zero where none is published
	MaxBody     int64  // bytes of an answer, unpacked; 32 MiB where 0

	Authorize func(h http.Header, token string)                                // sets the credentials' header
	Quota     func(h http.Header) (q Quota, told bool)                         // reads the limit's headers; may be nil
	Classify  func(status int, body []byte) (integration.ProviderReason, bool) // where the status alone does not tell; may be nil
}

// Quota is how much of a token's limit is left, as an answer tells it.
type Quota struct {
	Limit     int
	Remaining int
	Reset     time.Time // when the window ends; whole seconds may have been rounded either way
}

// Client returns a client of one account.
func (n *Network) Client(o ClientOptions) *Client {
	c := &Client{o: o, log: n.log.With("provider", o.Provider), transport: n.open, limiter: n.limiter(o)}
	if o.DisplayName == "" {
		c.o.DisplayName = o.Provider
	}
	if o.MaxBody == 0 {
		c.o.MaxBody = 32 << 20
	}
	if o.Tenant {
		c.transport = n.guarded
	}
	return c
}

// limiter returns the limiter of a token, which all clients of it in this process share. The same text may be the token of
// another account elsewhere.
func (n *Network) limiter(o ClientOptions) *limiter {
	fingerprint := n.fingerprint(seal.NewSecret(o.Provider + "\n" + o.Bucket + "\n" + o.Origin + "\n" + o.Token.Expose()))
	n.making.Lock()
	defer n.making.Unlock()
	l, ok := n.limiters.Get(fingerprint)
	if !ok {
		l = newLimiter(n.ledger, fingerprint, n.log.With("provider", o.Provider), o.Limit)
		n.limiters.Add(fingerprint, l)
	}
	return l
}

// newTransport makes a pool of connections. A provider's folder reads with some sixteen requests at once, whose
// connections are all kept.
func newTransport(dial func(ctx context.Context, network, address string) (conn, error), proxy proxyFunc) *http.Transport {
	return &http.Transport{
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		DialContext:            dial,
		Proxy:                  proxy,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second}, // notices that a connection died
		ForceAttemptHTTP2:      true,                                                                                // which a DialContext of one's own turns off
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    connectTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: 1 << 18,
	}
}
