package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/hashicorp/golang-lru/v2/expirable"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

const (
	// maxToken bounds a bearer token, in bytes.
	maxToken = 16 << 10
	// tokenMemory is how long a token that was found valid is remembered, if it does not expire before.
	tokenMemory = 30 * time.Second
)

// algorithms are how tokens may be signed: never "none", and never by a secret that two sides share.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512,
	oidc.PS256, oidc.PS384, oidc.PS512,
	oidc.ES256, oidc.ES384, oidc.ES512,
	oidc.EdDSA,
}

// jwtForm is what a signed token looks like; an API key has no dot.
var jwtForm = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$`)

// OIDCOptions say which provider's tokens are taken, and what they mean.
type OIDCOptions struct {
	Issuer   string // exactly as it names itself
	Audience string // that bearer tokens must be meant for
	Claims   ClaimNames
	// ClientID is this server's at the provider; empty where browsers do not sign in there.
	ClientID string
	// ClientSecret is empty for a public client.
	ClientSecret seal.Secret
	// PublicURL is where browsers reach the server: an origin.
	PublicURL string
	// FlowKeys seal the cookie of a sign-in that is under way, each of 32 bytes: the first new ones, any old ones. Servers
	// that share them can go on with each other's.
	FlowKeys []seal.Secret
}

// OIDC takes the tokens of an OpenID provider.
type OIDC struct {
	OIDCOptions
	issuer *issuer
	// cache remembers tokens that were found valid, by hash: checking a signature takes as long as answering a request.
	cache *expirable.LRU[[sha256.Size]byte, authenticToken]
}

type authenticToken struct {
	principal integration.Principal
	until     time.Time
}

// NewOIDC makes the service. It does not reach for the provider yet.
func NewOIDC(o OIDCOptions) *OIDC {
	return &OIDC{
		OIDCOptions: o,
		issuer:      newIssuer(o.Issuer),
		cache:       expirable.NewLRU[[sha256.Size]byte, authenticToken](cachedKeys, nil, tokenMemory),
	}
}

// Authenticate returns the principal of a bearer token, and until when the token is valid. It fails with Unauthenticated for one that is not the issuer's,
// not for this server or not valid now, with Forbidden for one whose claims give no rights here, and with another error
// where that could not be found out.
func (o *OIDC) Authenticate(ctx context.Context, token string) (integration.Principal, time.Time, error) {
	if len(token) > maxToken {
		return integration.Principal{}, time.Time{}, integration.Unauthenticated("the token has more than %d bytes", maxToken)
	}
	hash := sha256.Sum256([]byte(token))
	if found, ok := o.cache.Get(hash); ok && time.Now().Before(found.until) {
		return found.principal, found.until, nil
	}
	said, until, err := o.verify(ctx, token, o.Audience)
	if err != nil {
		return integration.Principal{}, time.Time{}, err
	}
	p, err := said.principal(o.Claims)
	if err == nil {
		o.cache.Add(hash, authenticToken{p, until})
	}
	return p, until, err
}

// verify checks everything of a token that does not depend on what it is for, and returns its claims, and until when
// they may be used.
func (o *OIDC) verify(ctx context.Context, token, audience string) (claims, time.Time, error) {
	known, err := o.issuer.discover(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	var v verification
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, verificationKey{}, &v), issuerTimeout)
	defer cancel()
	checked, err := oidc.NewVerifier(o.Issuer, known.keys, &oidc.Config{
		ClientID:             audience,
		SupportedSigningAlgs: algorithms,
		SkipExpiryCheck:      true, // done below: go-oidc knows no leeway for it
	}).Verify(ctx, token)
	switch {
	case v.unknown != nil:
		return nil, time.Time{}, fmt.Errorf("get the keys of the OpenID issuer %s: %w", o.Issuer, v.unknown)
	case err != nil && !v.good: // whose words these are nobody knows: they are not repeated
		return nil, time.Time{}, integration.Unauthenticated("the token is malformed, or not signed by a key of the issuer in an allowed way")
	case err != nil:
		return nil, time.Time{}, integration.Unauthenticated("the token is refused: %s", strings.TrimPrefix(shortened(err).Error(), "oidc: "))
	}
	var said claims
	if err := checked.Claims(&said); err != nil {
		return nil, time.Time{}, integration.Unauthenticated("the token's claims cannot be read")
	}
	until, err := said.expiry(time.Now())
	return said, until, err
}

// Check reaches for the issuer and its keys, and says what prevents that.
func (o *OIDC) Check(ctx context.Context) error {
	known, err := o.issuer.discover(ctx)
	if err != nil {
		return err
	}
	if e := known.provider.Endpoint(); o.ClientID != "" && (e.AuthURL == "" || e.TokenURL == "") {
		return errors.New("its discovery document lacks authorization_endpoint or token_endpoint, which signing in needs")
	}
	return nil
}
