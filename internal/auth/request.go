package auth

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/integration"
)

type contextKey struct{}

// identity is what became of a request's credential: a principal, or why there is none.
type identity struct {
	principal integration.Principal // its Origin is known in any case
	err       error
	key       uuid.UUID         // the API key's id; the nil UUID for a token
	parent    *uuid.UUID        // of a session: the API key that began it
	expires   *time.Time        // when the API key or session ends by itself; nil means never
	hash      [sha256.Size]byte // of the API key
	until     time.Time         // when a token ends
}

// nobody is the identity of requests without a credential.
func nobody() identity {
	return identity{err: integration.Unauthenticated("send an API key as `Authorization: Bearer pb_…`, or sign in at /sign-in")}
}

func of(ctx context.Context) identity {
	if id, ok := ctx.Value(contextKey{}).(identity); ok {
		return id
	}
	return nobody()
}

// Principal returns who ctx's request runs as. Without a valid credential it fails with Unauthenticated; where the
// credential could not be checked, with what prevented that.
func Principal(ctx context.Context) (integration.Principal, error) {
	id := of(ctx)
	return id.principal, id.err
}

// Expiry returns when ctx's API key or session ends by itself: nil means never. Of a token it returns nil too: it says so itself.
func Expiry(ctx context.Context) *time.Time { return of(ctx).expires }

// Middleware finds out who each request runs as. It refuses none: what a request may do is decided field by field.
func (s *Sessions) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := nobody()
		if key, given := s.credential(r); given {
			id = s.identify(r.Context(), s.RemoteAddr(r), key, r.Header.Get("Authorization") != "")
		}
		id.principal.Origin = s.origin(r)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, id)))
	})
}

// WithAuthorization is ctx for who shows this Authorization header later than in the request's own headers, as browsers have
// to over a WebSocket. It comes before what the request showed.
func (s *Sessions) WithAuthorization(ctx context.Context, authorization string) context.Context {
	origin := of(ctx).principal.Origin
	from, _ := netip.ParseAddr(origin.RemoteAddr) // as Middleware wrote it
	id := s.identify(ctx, from, bearer(authorization), true)
	id.principal.Origin = origin
	return context.WithValue(ctx, contextKey{}, id)
}

func (s *Sessions) origin(r *http.Request) integration.Origin {
	return integration.Origin{RequestID: s.RequestID(r.Context()), RemoteAddr: s.RemoteAddr(r).String()}
}

// credential is the key that the request shows. A bearer token comes before a cookie, which a browser sends unasked.
func (s *Sessions) credential(r *http.Request) (key string, given bool) {
	if header := r.Header.Get("Authorization"); header != "" {
		return bearer(header), true
	}
	if cookie, err := r.Cookie(s.cookieName()); err == nil {
		return cookie.Value, true
	}
	return "", false
}

// bearer is the key in an Authorization header.
func bearer(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "" // refused as an unknown key
	}
	return strings.TrimSpace(token)
}
