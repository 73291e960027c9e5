package provider_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/seal"
)

// nameServer is a resolver that finds each name in a list, and nothing else.
func nameServer(t *testing.T, addresses map[string]string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(dnsAnswer(buffer[:n], addresses), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// dnsAnswer answers a query of one question (RFC 1035, 4.1).
func dnsAnswer(query []byte, addresses map[string]string) []byte {
	var labels []string
	at := 12
	for query[at] != 0 {
		labels = append(labels, string(query[at+1:at+1+int(query[at])]))
		at += 1 + int(query[at])
	}
	question := query[12 : at+5]
	kind := binary.BigEndian.Uint16(query[at+1:])
	answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	ip, err := netip.ParseAddr(addresses[strings.ToLower(strings.Join(labels, "."))])
	if err != nil || kind != map[bool]uint16{true: 1, false: 28}[ip.Is4()] {
		return answer
	}
	answer[7] = 1
	answer = append(answer, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(len(ip.AsSlice())))
	return append(answer, ip.AsSlice()...)
}

// site is a tenant's host: a server with TLS that all names lead to, and a network that trusts it.
type site struct {
	*httptest.Server
	network *provider.Network
	log     *bytes.Buffer
	asked   atomic.Int32
}

func newSite(t *testing.T, o provider.NetworkOptions, names map[string]string, answer http.HandlerFunc) *site {
	t.Helper()
	s := &site{log: &bytes.Buffer{}}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(s.Server.Close)
	o.Log = slog.New(slog.NewTextHandler(s.log, nil))
	s.network = provider.NewNetwork(o)
	s.network.Trust(s.Certificate(), nameServer(t, names))
	t.Cleanup(func() { noLeak(t, "the log", s.log.String()) })
	return s
}

// at is the origin of the site under another name. httptest's certificate is for example.com and the loopback addresses.
func (s *site) at(host string) string {
	u, _ := url.Parse(s.URL)
	return "https://" + net.JoinHostPort(host, u.Port())
}

func (s *site) client(origin string, tenant bool) *provider.Client {
	return s.network.Client(provider.ClientOptions{
		Provider: "acme", DisplayName: "Acme", Origin: origin, Tenant: tenant, Token: seal.NewSecret(canary),
		Authorize: func(h http.Header, token string) { h.Set("Authorization", token) },
	})
}

// names that lead where no tenant's setting may lead.
var privateNames = map[string]string{
	"loopback.example.com": "127.0.0.1", "loopback6.example.com": "::1", "metadata.example.com": "169.254.169.254",
	"mapped.example.com": "::ffff:10.0.0.1", "private.example.com": "192.168.1.1", "shared.example.com": "100.64.0.1",
	"local6.example.com": "fd00::1", "link6.example.com": "fe80::1", "nat64.example.com": "64:ff9b::7f00:1", "sixtofour.example.com": "2002:7f00:1::1",
	"zero.example.com": "0.0.0.0", "unspecified6.example.com": "::", "multicast.example.com": "224.0.0.1", "example.com": "127.0.0.1",
}

func TestTenantsReachNoPrivateAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t, provider.NetworkOptions{}, privateNames, nil)
	hosts := []string{"127.0.0.1", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "169.254.169.254", "localhost", "[fe80::1%25lo]"}
	for name := range privateNames {
		hosts = append(hosts, name)
	}
	for _, host := range hosts {
		origin := s.at(strings.Trim(host, "[]"))
		u, err := url.Parse(origin)
		if err != nil {
			t.Fatal(err)
		}
		err = s.client(origin, true).Get(t.Context(), "/", nil, nil)
		wantReason(t, err, integration.ReasonUnavailable, "Acme is at a private address ("+u.Hostname()+
			"), which this server does not connect to; its operator can allow it with PATCHBAY_ALLOW_PRIVATE_HOSTS")
	}
	if n := s.asked.Load(); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
	if err := s.client(s.URL, false).Get(t.Context(), "/", nil, nil); err != nil {
		t.Errorf("where the operator says: %v", err)
	}
}

func TestTheOperatorAllowsPrivateHosts(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]provider.NetworkOptions{
		"by name":    {AllowedHosts: []string{"Example.com"}},
		"by address": {AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	} {
		s := newSite(t, o, privateNames, nil)
		if err := s.client(s.at("EXAMPLE.com"), true).Get(t.Context(), "/", nil, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.client(s.at("metadata.example.com"), true).Get(t.Context(), "/", nil, nil); err == nil || !strings.Contains(err.Error(), "private address") {
			t.Errorf("%s: another host: %v", name, err)
		}
		if n := s.asked.Load(); n != 1 {
			t.Errorf("%s: the server was asked %d times", name, n)
		}
	}
}

func TestTenantsHostsNeedTLS(t *testing.T) {
	t.Parallel()
	s := newSite(t, provider.NetworkOptions{AllowedHosts: []string{"127.0.0.1"}}, nil, nil)
	err := s.client(strings.Replace(s.URL, "https", "http", 1), true).Get(t.Context(), "/", nil, nil)
	wantReason(t, err, integration.ReasonUnavailable, "Acme has an address that does not begin with https://")
}

// What an answer names, a redirect's target or the next page, is asked only where the credentials belong.
func TestCredentialsStayAtTheirOrigin(t *testing.T) {
	t.Parallel()
	other := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked for %s with %q", r.URL, r.Header)
	}))
	t.Cleanup(other.Close)
	s := newSite(t, provider.NetworkOptions{AllowedHosts: []string{"127.0.0.1"}}, privateNames, func(w http.ResponseWriter, r *http.Request) {
		switch to := r.URL.Query().Get("to"); to {
		case "":
			_, _ = w.Write([]byte(`"` + r.URL.Path + `"`))
		default:
			http.Redirect(w, r, to, http.StatusFound)
		}
	})
	for _, tenant := range []bool{true, false} {
		c := s.client(s.URL, tenant)
		for _, to := range []string{
			other.URL + "/x", "http" + strings.TrimPrefix(s.URL, "https") + "/x", s.at("example.com") + "/x", "//169.254.169.254/latest", "file:///etc/passwd",
			strings.Replace(s.URL, "https://", "https://user:password@", 1) + "/x",
		} {
			err := c.Get(t.Context(), "/a", url.Values{"to": {to}}, nil)
			wantReason(t, err, integration.ReasonUnavailable, "Acme sent GET /a on to another host, which is not followed")
			if _, err := c.Do(t.Context(), provider.Request{Path: to}); !integration.IsProviderReason(err, integration.ReasonUnavailable) || !strings.Contains(err.Error(), "which is not followed") {
				t.Errorf("the page %s: %v", to, err)
			}
		}
		var at string
		for _, to := range []string{"/b", s.URL + "/b", "b"} {
			if err := c.Get(t.Context(), "/a", url.Values{"to": {to}}, &at); err != nil || at != "/b" {
				t.Errorf("a redirect to %s led to %q, %v", to, at, err)
			}
		}
	}
}
