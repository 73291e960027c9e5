package httpd

import (
	"net/http"
	"net/netip"

	"github.com/go-chi/chi/v5/middleware"
)

// clientAddress finds out where requests come from. Where they come by way of proxies that are trusted, that is the last
// address in X-Forwarded-For that is no such proxy's; else nobody's word is taken for it.
func clientAddress(proxies []netip.Prefix) func(http.Handler) http.Handler {
	if len(proxies) == 0 {
		return middleware.ClientIPFromRemoteAddr
	}
	trusted := make([]string, len(proxies))
	for i, p := range proxies {
		trusted[i] = p.String()
	}
	return middleware.ClientIPFromXFF(trusted...)
}

// RemoteAddr is the address of the request's client, or of the proxy that does not tell it.
func RemoteAddr(r *http.Request) netip.Addr {
	if address := middleware.GetClientIPAddr(r.Context()); address.IsValid() {
		return address
	}
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // of a TCP connection, it has both
	return peer.Addr().Unmap()
}
