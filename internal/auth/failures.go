package auth

import (
	"context"
	"crypto/sha256"
	"net/netip"
)

// identify finds out who a credential's request runs as. Where its address has shown too many bad ones, that is RateLimited,
// and nothing is looked up. bearer says that the credential did not come in a cookie.
func (s *Sessions) identify(ctx context.Context, from netip.Addr, credential string, bearer bool) (id identity) {
	if err := s.Failures.Check(ctx, from, credential, func() error {
		id = s.check(ctx, credential, bearer)
		return id.err
	}); err != nil {
		return identity{err: err}
	}
	return id
}

// check takes a credential for a token of the OpenID provider's where it has that form and did not come in a cookie, and for an
// API key otherwise.
func (s *Sessions) check(ctx context.Context, credential string, bearer bool) identity {
	if s.OIDC != nil && bearer && jwtForm.MatchString(credential) {
		p, until, err := s.OIDC.Authenticate(ctx, credential)
		return identity{principal: p, err: err, until: until}
	}
	found, err := s.keys.find(ctx, credential)
	if err != nil {
		return identity{err: err}
	}
	return identity{principal: principal(found), key: found.ID, parent: found.Parent, expires: found.ExpiresAt, hash: sha256.Sum256([]byte(credential))}
}
