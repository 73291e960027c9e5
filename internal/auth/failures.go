package auth

import (
	"net/http"

	"patchbay/internal/integration"
)

// authenticate finds out who a credential's request runs as. Where its address has shown too many bad ones, it fails
// with RateLimited and looks nothing up.
func (s *Sessions) authenticate(r *http.Request, key string) (p integration.Principal, err error) {
	err = s.Failures.Check(r.Context(), s.RemoteAddr(r), key, func() (err error) {
		p, err = s.keys.Authenticate(r.Context(), key)
		return err
	})
	return p, err
}
