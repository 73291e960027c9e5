package httpd

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestWhereARequestComesFrom(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, test := range map[string]struct {
		trusted   []netip.Prefix
		peer      string
		forwarded []string
		want      string
	}{
		"directly":                      {nil, "192.0.2.1:1234", nil, "192.0.2.1"},
		"who claims to be another":      {nil, "192.0.2.1:1234", []string{"198.51.100.7"}, "192.0.2.1"},
		"IPv4 on an IPv6 socket":        {nil, "[::ffff:192.0.2.1]:1234", nil, "192.0.2.1"},
		"by a proxy":                    {proxies, "10.0.0.1:1234", []string{"198.51.100.7"}, "198.51.100.7"},
		"by a proxy, over IPv6":         {proxies, "[fd00::1]:1234", []string{"2001:db8::1"}, "2001:db8::1"},
		"by two proxies":                {proxies, "10.0.0.1:1234", []string{"198.51.100.7, 10.2.3.4"}, "198.51.100.7"},
		"with invented hops":            {proxies, "10.0.0.1:1234", []string{"203.0.113.1, 10.0.0.9, 198.51.100.7"}, "198.51.100.7"},
		"with an invented header":       {proxies, "10.0.0.1:1234", []string{"203.0.113.1", "198.51.100.7"}, "198.51.100.7"},
		"not by the proxy":              {proxies, "192.0.2.1:1234", []string{"198.51.100.7"}, "192.0.2.1"},
		"by a proxy that tells nothing": {proxies, "10.0.0.1:1234", nil, "10.0.0.1"},
		"from among the proxies":        {proxies, "10.0.0.1:1234", []string{"10.0.0.7"}, "10.0.0.1"},
		"by a proxy that tells lies":    {proxies, "10.0.0.1:1234", []string{"198.51.100.7, unknown"}, "10.0.0.1"},
		"a trusted address, disguised":  {proxies, "10.0.0.1:1234", []string{"198.51.100.7, ::ffff:10.0.0.2"}, "198.51.100.7"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = test.peer
		r.Header["X-Forwarded-For"] = test.forwarded
		var got string
		clientAddress(test.trusted)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = RemoteAddr(r).String() })).
			ServeHTTP(httptest.NewRecorder(), r)
		if got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
