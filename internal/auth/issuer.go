package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// issuerTimeout bounds each request to the issuer.
	issuerTimeout = 5 * time.Second
	// issuerPause is how long an answer of the issuer's is repeated instead of asking again: a flood of tokens with
	// unknown keys, or an issuer that is down, costs it one request in that time, from each server.
	issuerPause = 5 * time.Second
	// discoveryLifetime is after how long the issuer is discovered anew, its keys too: one that it no longer publishes
	// counts no longer than that.
	discoveryLifetime = time.Hour
	// discoveryGrace is how long what was discovered counts while the issuer cannot be reached.
	discoveryGrace = 24 * time.Hour
	// maxIssuerAnswer bounds a discovery document, a set of keys, and an answer with tokens, in bytes.
	maxIssuerAnswer = 1 << 20
)

// issuer is an OpenID provider, discovered when it is first needed: a server starts, and takes API keys, without it.
type issuer struct {
	url string
	// asked reaches discovery and keys through a gate; direct reaches the token endpoint.
	asked, direct *http.Client

	mu    sync.Mutex // held while discovering
	known atomic.Pointer[discovered]
}

// discovered is what the issuer said of itself.
type discovered struct {
	provider *oidc.Provider
	keys     keySet
	// style is how a client with a secret shows it.
	style oauth2.AuthStyle
	at    time.Time
}

func newIssuer(url string) *issuer {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 64 << 10
	bounded := bound{transport}
	return &issuer{
		url:   url,
		asked: &http.Client{Transport: &gate{next: bounded, last: map[string]*answered{}}, Timeout: issuerTimeout},
		direct: &http.Client{
			Transport:     bounded,
			Timeout:       issuerTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it would send the code on
		},
	}
}

// discover returns what the issuer says of itself, asking where that is unknown or old. Of those who wait for an issuer
// that does not answer while an old answer will do, there is one at a time.
func (i *issuer) discover(ctx context.Context) (*discovered, error) {
	known := i.known.Load()
	age := func() time.Duration { return time.Since(known.at) }
	if known != nil && age() < discoveryLifetime {
		return known, nil
	}
	if known == nil || age() >= discoveryGrace {
		i.mu.Lock()
	} else if !i.mu.TryLock() {
		return known, nil
	}
	defer i.mu.Unlock()
	if known = i.known.Load(); known != nil && age() < discoveryLifetime { // somebody else has asked meanwhile
		return known, nil
	}
	fresh, err := i.ask(context.WithoutCancel(ctx)) // others wait for the answer
	if err == nil {
		i.known.Store(fresh)
		return fresh, nil
	}
	if known != nil && age() < discoveryGrace {
		return known, nil
	}
	return nil, fmt.Errorf("reach the OpenID issuer %s: %w", i.url, shortened(err))
}

func (i *issuer) ask(ctx context.Context) (*discovered, error) {
	ctx = oidc.ClientContext(ctx, i.asked)
	p, err := oidc.NewProvider(ctx, i.url)
	if err != nil {
		return nil, err
	}
	var said struct {
		Keys  string `json:"jwks_uri"`
		Auth  string `json:"authorization_endpoint"`
		Token string `json:"token_endpoint"`
		// Ways are how clients may authenticate at the token endpoint; by HTTP Basic where it does not say.
		Ways []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := p.Claims(&said); err != nil {
		return nil, err
	}
	if said.Keys == "" {
		return nil, errors.New("its discovery document has no jwks_uri")
	}
	if strings.HasPrefix(i.url, "https:") {
		for _, endpoint := range []string{said.Keys, said.Auth, said.Token} {
			if endpoint != "" && !strings.HasPrefix(endpoint, "https:") {
				return nil, fmt.Errorf("its discovery document names %s, which is not https", endpoint)
			}
		}
	}
	style := oauth2.AuthStyleInHeader
	if len(said.Ways) > 0 && !slices.Contains(said.Ways, "client_secret_basic") {
		style = oauth2.AuthStyleInParams
	}
	keys := keySet{oidc.NewRemoteKeySet(ctx, said.Keys)}
	if err := keys.fetch(ctx); err != nil {
		return nil, err
	}
	return &discovered{provider: p, keys: keys, style: style, at: time.Now()}, nil
}

// keySet is the issuer's keys, fetched when a token names one that is not known. go-oidc makes text of a key set's
// errors, so what became of the signature is noted in a verification beside.
type keySet struct{ remote *oidc.RemoteKeySet }

// verification is what became of a token's signature.
type verification struct {
	good    bool
	unknown error // why there were no keys to check it with
}

// VerifySignature implements oidc.KeySet.
func (k keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.remote.VerifySignature(ctx, jwt)
	if v, ok := ctx.Value(verificationKey{}).(*verification); ok {
		v.good = err == nil
		if err != nil && (ctx.Err() != nil || strings.HasPrefix(err.Error(), "fetching keys")) {
			v.unknown = shortened(err)
		}
	}
	return payload, err
}

type verificationKey struct{}

// nobodys is a token that no key has signed: checking it fetches the keys.
const nobodys = "eyJhbGciOiJSUzI1NiJ9.e30.AA" // {"alg":"RS256"}.{}

// fetch gets the keys before a token needs them: keys that are known are not given up for some that cannot be had.
func (k keySet) fetch(ctx context.Context) error {
	var v verification
	_, _ = k.VerifySignature(context.WithValue(ctx, verificationKey{}, &v), nobodys) // never good
	return v.unknown
}

// gate is a transport that repeats an address's last answer for issuerPause, errors too, as which anything but 200 counts: so
// redirects, which could leave https, are not followed. It is for GET alone.
type gate struct {
	next http.RoundTripper
	mu   sync.Mutex
	last map[string]*answered // by address: the discovery document's and the keys'
}

type answered struct {
	mu     sync.Mutex // held while asking
	at     time.Time
	header http.Header
	body   []byte
	err    error
}

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	a := g.last[r.URL.String()]
	if a == nil {
		a = &answered{}
		g.last[r.URL.String()] = a
	}
	g.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at.IsZero() || time.Since(a.at) >= issuerPause {
		a.header, a.body, a.err = fetch(g.next, r)
		a.at = time.Now()
	}
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{
		Status:        "200 OK",
		StatusCode:    http.StatusOK,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        a.header.Clone(),
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
		Request:       r,
	}, nil
}

func fetch(next http.RoundTripper, r *http.Request) (http.Header, []byte, error) {
	res, err := next.RoundTrip(r)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers with status %d", res.StatusCode)
	}
	return res.Header, body, err
}

// bound is a transport whose answers have at most maxIssuerAnswer bytes.
type bound struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, maxIssuerAnswer)
	}
	return res, err
}

// maxReason bounds an error's text, which may hold a whole answer of the issuer's.
const maxReason = 300

// shortened is the error with a text of bounded length.
func shortened(err error) error {
	if text := err.Error(); len(text) > maxReason {
		return errors.New(strings.ToValidUTF8(text[:maxReason], "") + "…")
	}
	return err
}
