package doctor_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/internal/doctor"
	"patchbay/internal/seal"
	"patchbay/internal/store/storetest"
)

func TestDisk(t *testing.T) {
	t.Parallel()
	const giga = 1 << 30
	for name, test := range map[string]struct {
		free, total uint64
		err         error
		want        []string
	}{
		"enough":             {20 * giga, 100 * giga, nil, nil},
		"less than a tenth":  {9 * giga, 100 * giga, nil, []string{"warning disk"}},
		"less than 1 GiB":    {giga - 1, 2 * giga, nil, []string{"warning disk"}},
		"nobody knows":       {0, 0, errors.New("no such disk"), []string{"warning disk"}},
		"a small disk, free": {giga, giga, nil, nil},
	} {
		r := doctor.Run(context.Background(), doctor.Options{
			Keys:      doctor.Keys{Ring: seal.NewRing(keys()[0])},
			StateDir:  "/state",
			FreeSpace: func(string) (uint64, uint64, error) { return test.free, test.total, test.err },
			// Without a database.
			DatabaseErr: errors.New("none here"),
		})
		t.Run(name, func(t *testing.T) { wantBad(t, r, append([]string{"severe database-connection"}, test.want...)...) })
	}
}

func TestProviders(t *testing.T) {
	t.Parallel()
	followed := false
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/elsewhere":
			followed = true
		case strings.HasPrefix(r.Host, "moved"):
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case strings.HasPrefix(r.Host, "broken"):
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.WriteHeader(http.StatusUnauthorized) // an answer all the same
		}
	}))
	t.Cleanup(api.Close)
	transport := api.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.InsecureSkipVerify = true // any name reaches the test's server
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "gone") {
			return nil, errors.New("no route")
		}
		return (&net.Dialer{}).DialContext(ctx, network, api.Listener.Addr().String())
	}
	r := doctor.Run(context.Background(), doctor.Options{
		Keys:        doctor.Keys{Ring: seal.NewRing(keys()[0])},
		DatabaseErr: errors.New("none here"),
		Transport:   transport,
		Origins: []doctor.Origin{
			{Provider: "acme", URL: "https://acme.test"}, {Provider: "moved", URL: "https://moved.test"},
			{Provider: "broken", URL: "https://broken.test"}, {Provider: "gone", URL: "https://gone.test"},
		},
	})
	wantBad(t, r, "severe database-connection", "warning provider-broken", "warning provider-gone")
	if f := finding(t, r, "provider-gone"); !strings.Contains(f.Message, "https://gone.test cannot be reached: no route.") || !strings.Contains(f.Remedy, "--offline") {
		t.Errorf("%+v", f)
	}
	if followed {
		t.Error("a redirect was followed")
	}
}

// relay passes connections on to a database's socket or address, as a pooler does, and encrypts its own side where it has a
// certificate.
func relay(t *testing.T, host string, target *url.URL, certificate *tls.Config) (address string) {
	t.Helper()
	network, to := "tcp", target.Host
	if dir := target.Query().Get("host"); strings.HasPrefix(dir, "/") {
		network, to = "unix", filepath.Join(dir, ".s.PGSQL.5432")
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			front, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer front.Close()
				if certificate != nil {
					var request [8]byte // SSLRequest, answered S
					if _, err := io.ReadFull(front, request[:]); err != nil {
						return
					}
					if _, err := front.Write([]byte("S")); err != nil {
						return
					}
					front = tls.Server(front, certificate)
				}
				back, err := net.Dial(network, to)
				if err != nil {
					return
				}
				defer back.Close()
				go func() { _, _ = io.Copy(back, front); _ = back.Close() }()
				_, _ = io.Copy(front, back)
			}()
		}
	}()
	return listener.Addr().String()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var outside string
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			outside = n.IP.String()
		}
	}
	if outside == "" {
		t.Skip("this machine has no address but loopback ones")
	}
	db := storetest.New(t)
	target, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	https := httptest.NewTLSServer(nil)
	t.Cleanup(https.Close)
	through := func(address, sslmode string) *patient {
		u := *target
		u.Host = address
		u.RawQuery = url.Values{"sslmode": {sslmode}}.Encode()
		return newPatient(t, &storetest.Database{URL: u.String(), Name: db.Name})
	}

	p := through(relay(t, outside, target, nil), "disable")
	r := p.examine(t)
	wantBad(t, r, "severe tls")
	if f := finding(t, r, "tls"); !strings.Contains(f.Remedy, "sslmode=verify-full to DATABASE_URL") {
		t.Errorf("%+v", f)
	}
	if f := finding(t, r, "sealed-rows"); f.Severity != doctor.Info {
		t.Errorf("passphrases would travel in the clear: %+v", f)
	}

	encrypted := relay(t, outside, target, https.TLS)
	r = through(encrypted, "require").examine(t)
	wantBad(t, r, "warning tls")
	if f := finding(t, r, "tls-behind-pooler"); f.Severity != doctor.Info {
		t.Errorf("%+v", f)
	}

	wantBad(t, through(relay(t, "127.0.0.1", target, nil), "disable").examine(t))
}
