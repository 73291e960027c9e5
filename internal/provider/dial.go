package provider

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	connectTimeout = 10 * time.Second
	headerTimeout  = 25 * time.Second
	// wholeTimeout is for one attempt, its body included.
	wholeTimeout = 60 * time.Second
)

type (
	conn      = net.Conn
	proxyFunc = func(*http.Request) (*url.URL, error)
)

func dialer() *net.Dialer { return &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second} }

// errPrivate is a connection that the guard refused.
var errPrivate = errors.New("the host has a private address")

// guard connects to public addresses only, and to the exceptions that the operator names. It looks at the address that
// is connected to, after DNS, so that no name, redirect or second answer of a name server leads anywhere else.
type guard struct {
	hosts  map[string]bool // in small letters
	ranges []netip.Prefix
	// resolver is nil but in tests.
	resolver *net.Resolver
}

func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := dialer()
	d.Resolver = g.resolver
	if host, _, err := net.SplitHostPort(address); err != nil || !g.hosts[strings.ToLower(host)] {
		d.ControlContext = g.control
	}
	return d.DialContext(ctx, network, address)
}

func (g *guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return errPrivate // fail closed: a dialer of TCP names addresses only
	}
	ip := to.Addr().Unmap().WithZone("")
	if public(ip) || slices.ContainsFunc(g.ranges, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return nil
	}
	return errPrivate
}

// reserved are the ranges of IANA's special-purpose registries that are not globally reachable, and those that lead to
// IPv4 addresses through a gateway: what lies behind them is not looked at.
var reserved = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)

// global6 is all of IPv6 that has been given out for use in the Internet; reserved6 are exceptions in it.
var (
	global6   = netip.MustParsePrefix("2000::/3")
	reserved6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)

// public reports whether an address, unmapped and without a zone, is one in the Internet.
func public(ip netip.Addr) bool {
	in := func(p netip.Prefix) bool { return p.Contains(ip) }
	if ip.Is4() {
		return !slices.ContainsFunc(reserved, in)
	}
	return global6.Contains(ip) && !slices.ContainsFunc(reserved6, in)
}

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}
