package auth

import (
	"context"
	"net/http"

	"patchbay/internal/integration"
)

// authenticate finds out who a credential's request runs as. Where its address has shown too many bad ones, it fails
// with RateLimited and looks nothing up.
func (s *Sessions) authenticate(r *http.Request, credential string) (p integration.Principal, err error) {
	err = s.Failures.Check(r.Context(), s.RemoteAddr(r), credential, func() (err error) {
		p, err = s.check(r.Context(), credential, r.Header.Get("Authorization") != "")
		return err
	})
	return p, err
}

// check returns the principal of a credential: a token of the OpenID provider's where it has that form and did not come in a
// cookie, and an API key otherwise.
func (s *Sessions) check(ctx context.Context, credential string, bearer bool) (integration.Principal, error) {
	if s.OIDC != nil && bearer && jwtForm.MatchString(credential) {
		return s.OIDC.Authenticate(ctx, credential)
	}
	return s.keys.Authenticate(ctx, credential)
}
