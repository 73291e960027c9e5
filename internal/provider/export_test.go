package provider

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Through sends a client's requests elsewhere.
func (c *Client) Through(transport http.RoundTripper) { c.transport = transport }

// Trust makes a network trust a certificate, and ask this resolver for tenants' hosts.
func (n *Network) Trust(certificate *x509.Certificate, resolver *net.Resolver) {
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	n.open.TLSClientConfig.RootCAs = roots
	n.guarded.TLSClientConfig.RootCAs = roots
	n.guard.resolver = resolver
}

// NewMemory makes the ledger of several networks in one process.
func NewMemory() Ledger { return &memory{states: map[string][]byte{}} }

// NewTaker makes a limiter of a token whose answers named this limit, and returns what takes a permit and ends its request.
func NewTaker(ledger Ledger, fingerprint string, limit int) func(context.Context) {
	l := newLimiter(ledger, fingerprint, slog.New(slog.DiscardHandler), Limit{})
	answer := http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}
	q := Quota{Limit: limit, Remaining: limit - 1, Reset: time.Now().Add(time.Hour)}
	return func(ctx context.Context) {
		p, _, ok, err := l.take(ctx)
		if !ok || err != nil {
			panic("no permit")
		}
		l.answered(ctx, p, answer, q, true, false)
	}
}
