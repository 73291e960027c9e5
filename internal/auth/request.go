package auth

import (
	"context"
	"net/http"
	"strings"

	"patchbay/internal/integration"
)

type contextKey struct{}

// identity is what became of a request's credential: a principal, or why there is none.
type identity struct {
	principal integration.Principal
	err       error
}

// Principal returns who ctx's request runs as. Without a valid credential it fails with Unauthenticated; where the
// credential could not be checked, with what prevented that.
func Principal(ctx context.Context) (integration.Principal, error) {
	id, ok := ctx.Value(contextKey{}).(identity)
	if !ok {
		return integration.Principal{}, integration.Unauthenticated("send an API key as `Authorization: Bearer pb_…`, or sign in at /sign-in")
	}
	return id.principal, id.err
}

// Middleware finds out who each request runs as. It refuses none: what a request may do is decided field by field.
func (s *Sessions) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key, given := s.credential(r); given {
			p, err := s.authenticate(r, key)
			p.Origin = s.origin(r)
			r = r.WithContext(context.WithValue(r.Context(), contextKey{}, identity{p, err}))
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Sessions) origin(r *http.Request) integration.Origin {
	return integration.Origin{RequestID: s.RequestID(r.Context()), RemoteAddr: s.RemoteAddr(r).String()}
}

// credential is the key that the request shows. A bearer token comes before a cookie, which a browser sends unasked.
func (s *Sessions) credential(r *http.Request) (key string, given bool) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			token = "" // refused as an unknown key
		}
		return strings.TrimSpace(token), true
	}
	if cookie, err := r.Cookie(s.cookieName()); err == nil {
		return cookie.Value, true
	}
	return "", false
}
