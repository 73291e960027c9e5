package optest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// lifetime is that of tokens.
const lifetime = 5 * time.Minute

type key struct {
	id        string
	algorithm jose.SignatureAlgorithm
	private   crypto.Signer
}

func newKey(algorithm jose.SignatureAlgorithm) (k key, err error) {
	k = key{id: rand.Text(), algorithm: algorithm}
	switch algorithm {
	case jose.ES256:
		k.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.EdDSA:
		_, k.private, err = ed25519.GenerateKey(rand.Reader)
	default:
		k.private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	return k, err
}

// signing is a key as the provider signs with it, and published as it shows it.
type (
	signing   struct{ key }
	published struct{ key }
)

func (k signing) ID() string                                  { return k.id }
func (k signing) Key() any                                    { return k.private }
func (k signing) SignatureAlgorithm() jose.SignatureAlgorithm { return k.algorithm }

func (k published) ID() string                         { return k.id }
func (k published) Key() any                           { return k.private.Public() }
func (k published) Algorithm() jose.SignatureAlgorithm { return k.algorithm }
func (published) Use() string                          { return "sig" }

// request is somebody's way through the login form; or a service client's, which needs none.
type request struct {
	id, subject string
	at          time.Time
	audience    []string
	asked       oidc.AuthRequest
}

func (r *request) GetID() string                      { return r.id }
func (r *request) GetACR() string                     { return "" }
func (r *request) GetAMR() []string                   { return []string{"pwd"} }
func (r *request) GetAudience() []string              { return r.audience }
func (r *request) GetAuthTime() time.Time             { return r.at }
func (r *request) GetClientID() string                { return r.asked.ClientID }
func (r *request) GetNonce() string                   { return r.asked.Nonce }
func (r *request) GetRedirectURI() string             { return r.asked.RedirectURI }
func (r *request) GetResponseType() oidc.ResponseType { return r.asked.ResponseType }
func (r *request) GetResponseMode() oidc.ResponseMode { return r.asked.ResponseMode }
func (r *request) GetScopes() []string                { return r.asked.Scopes }
func (r *request) GetState() string                   { return r.asked.State }
func (r *request) GetSubject() string                 { return r.subject }
func (r *request) Done() bool                         { return !r.at.IsZero() }
func (r *request) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: r.asked.CodeChallenge, Method: r.asked.CodeChallengeMethod}
}

// client is one of Client, SecretClient and the service clients.
type client struct {
	id        string
	redirects []string
	auth      oidc.AuthMethod
	kind      op.ApplicationType
}

func (c client) GetID() string                       { return c.id }
func (c client) RedirectURIs() []string              { return c.redirects }
func (client) PostLogoutRedirectURIs() []string      { return nil }
func (c client) ApplicationType() op.ApplicationType { return c.kind }
func (c client) AuthMethod() oidc.AuthMethod         { return c.auth }
func (client) ResponseTypes() []oidc.ResponseType    { return []oidc.ResponseType{oidc.ResponseTypeCode} }
func (client) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeClientCredentials}
}
func (client) LoginURL(id string) string           { return "/login?request=" + id }
func (client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
func (client) IDTokenLifetime() time.Duration      { return lifetime }
func (client) DevMode() bool                       { return true } // allows http
func (client) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
func (client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
func (client) IsScopeAllowed(string) bool           { return false }
func (client) IDTokenUserinfoClaimsAssertion() bool { return true }
func (client) ClockSkew() time.Duration             { return 0 }

// storage is what the provider's library asks for. What no flow of the tests needs fails.
type storage struct{ *Provider }

var errNotHere = errors.New("this provider does not do that")

func (s storage) CreateAuthRequest(_ context.Context, asked *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	if asked.CodeChallenge == "" || asked.CodeChallengeMethod != oidc.CodeChallengeMethodS256 || asked.State == "" || asked.Nonce == "" {
		return nil, oidc.ErrInvalidRequest().WithDescription("this provider demands PKCE with S256, a state and a nonce")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &request{id: rand.Text(), audience: []string{asked.ClientID}, asked: *asked}
	s.requests[r.id] = r
	return r, nil
}

func (s storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.requests[id]; r != nil {
		return r, nil
	}
	return nil, errors.New("no such request")
}

func (s storage) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	id := s.codes[code]
	s.mu.Unlock()
	return s.AuthRequestByID(ctx, id)
}

func (s storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = id
	s.seen = append(s.seen, code)
	return nil
}

func (s storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.requests, id)
	return nil
}

func (storage) CreateAccessToken(context.Context, op.TokenRequest) (string, time.Time, error) {
	return rand.Text(), time.Now().Add(lifetime), nil
}

func (s storage) SigningKey(context.Context) (op.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return signing{s.key}, nil
}

func (s storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []jose.SignatureAlgorithm{s.key.algorithm}, nil
}

func (s storage) KeySet(context.Context) (keys []op.Key, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range append(slices.Clone(s.retired), s.key) {
		keys = append(keys, published{k})
	}
	return keys, nil
}

func (s storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := client{id: id, redirects: slices.Clone(s.redirects), auth: oidc.AuthMethodBasic, kind: op.ApplicationTypeWeb}
	if id == Client {
		c.auth, c.kind = oidc.AuthMethodNone, op.ApplicationTypeUserAgent
	} else if _, known := s.services[id]; !known && id != SecretClient {
		return nil, errors.New("no such client")
	}
	return c, nil
}

func (s storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if id == Client || secret != s.Secret {
		return errors.New("wrong secret")
	}
	return nil
}

func (s storage) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if err := s.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
		return nil, err
	}
	return s.GetClientByClientID(ctx, id)
}

func (storage) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &request{subject: id, audience: []string{Audience}, asked: oidc.AuthRequest{ClientID: id, Scopes: scopes}}, nil
}

// GetPrivateClaimsFromScopes gives the claims of access tokens.
func (s storage) GetPrivateClaimsFromScopes(_ context.Context, subject, client string, _ []string) (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if claims, ok := s.services[client]; ok {
		return claims, nil
	}
	return s.users[subject].claims, nil
}

// SetUserinfoFromScopes gives the claims of ID tokens.
func (s storage) SetUserinfoFromScopes(_ context.Context, info *oidc.UserInfo, subject, _ string, _ []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	info.Subject = subject
	for name, v := range s.users[subject].claims {
		info.AppendClaims(name, v)
	}
	return nil
}

func (storage) Health(context.Context) error { return nil }

func (storage) CreateAccessAndRefreshTokens(context.Context, op.TokenRequest, string) (string, string, time.Time, error) {
	return "", "", time.Time{}, errNotHere
}

func (storage) TokenRequestByRefreshToken(context.Context, string) (op.RefreshTokenRequest, error) {
	return nil, errNotHere
}

func (storage) TerminateSession(context.Context, string, string) error { return errNotHere }

func (storage) RevokeToken(context.Context, string, string, string) *oidc.Error {
	return oidc.ErrServerError()
}

func (storage) GetRefreshTokenInfo(context.Context, string, string) (string, string, error) {
	return "", "", op.ErrInvalidRefreshToken
}

func (storage) SetUserinfoFromToken(context.Context, *oidc.UserInfo, string, string, string) error {
	return errNotHere
}

func (storage) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return errNotHere
}

func (storage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errNotHere
}

func (storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errNotHere
}
