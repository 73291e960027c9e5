package provider

import (
	"crypto/x509"
	"net"
	"net/http"
)

// Through sends a client's requests elsewhere.
func (c *Client) Through(transport http.RoundTripper) { c.transport = transport }

// Trust makes a network trust these certificates, and ask this resolver for tenants' hosts unless it is nil.
func (n *Network) Trust(roots *x509.CertPool, resolver *net.Resolver) {
	n.open.TLSClientConfig.RootCAs = roots
	n.guarded.TLSClientConfig.RootCAs = roots
	n.guard.resolver = resolver
}

// NewMemory makes the ledger of several networks in one process.
func NewMemory() Ledger { return &memory{states: map[string][]byte{}} }
