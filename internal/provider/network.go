package provider

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// Network is the one way to third parties: it makes clients that keep to the limits of all processes together. It is
// safe for use by several goroutines.
type Network struct {
	log     *slog.Logger
	origins map[string]string
	open    http.RoundTripper // to where the operator or a declaration says
	guarded http.RoundTripper // to where tenants say
}

// NetworkOptions say how a server reaches third parties.
type NetworkOptions struct {
	Log *slog.Logger // nil logs nothing
	// Origins are the operator's own origins of APIs, by provider name; a provider without one has its declaration's.
	Origins map[string]string
	// AllowedHosts and AllowedRanges are the private ones that tenants' settings may name all the same.
	AllowedHosts  []string
	AllowedRanges []netip.Prefix
}

// NewNetwork makes a network.
func NewNetwork(o NetworkOptions) *Network {
	n := &Network{log: o.Log, origins: o.Origins}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	g := guard{ranges: o.AllowedRanges, hosts: map[string]bool{}}
	for _, host := range o.AllowedHosts {
		g.hosts[strings.ToLower(host)] = true
	}
	n.open = newTransport(dialer().DialContext, http.ProxyFromEnvironment)
	// A proxy would look the name up itself, behind the guard's back.
	n.guarded = newTransport(g.dial, nil)
	return n
}

// ClientOptions are what a provider's folder tells of its API.
type ClientOptions struct {
	Provider    string // its name
	DisplayName string // for messages; the name where empty
	Origin      string // scheme and host; paths follow
	Tenant      bool   // Origin comes from a tenant's settings: https only, and no private address
	Token       seal.Secret
	Limit       Limit                                                            // until an answer names one
	MaxBody     int64                                                            // bytes of an answer, unpacked; 32 MiB where 0
	Authorize   func(h http.Header, token string)                                // sets the credentials' header
	Quota       func(h http.Header) (q Quota, told bool)                         // reads the limit's headers; may be nil
	Classify    func(status int, body []byte) (integration.ProviderReason, bool) // where the status alone does not tell; may be nil
}

// Quota is how much of a token's limit is left, as an answer tells it.
type Quota struct {
	Limit     int
	Remaining int
	Reset     time.Time // when the window ends; whole seconds may have been rounded either way
}

// Client returns a client of one account.
func (n *Network) Client(o ClientOptions) *Client {
	c := &Client{o: o, log: n.log.With("provider", o.Provider), transport: n.open}
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

// newTransport makes a pool of connections. A provider's folder reads with some sixteen requests at once, whose
// connections are all kept.
func newTransport(dial func(ctx context.Context, network, address string) (conn, error), proxy proxyFunc) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		Proxy:                  proxy,
		ForceAttemptHTTP2:      true, // which a DialContext of one's own turns off
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    connectTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: 1 << 18,
	}
}
