package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/ratelimit"
)

const (
	// LinkLifetime is how long a sign-in link can be used, once.
	LinkLifetime = 15 * time.Minute
	// SessionLifetime is how long a browser stays signed in.
	SessionLifetime = 12 * time.Hour
)

// Sessions signs browsers in. A session is an API key of limited life in a cookie that scripts cannot read, so it is
// listed, expires and can be revoked like any other.
type Sessions struct {
	keys *Keys
	SessionOptions

	mu    sync.Mutex
	links []link
}

type link struct {
	token     string
	principal integration.Principal
	expires   time.Time
}

// SessionOptions are what Sessions needs of its surroundings.
type SessionOptions struct {
	// Secure says that browsers reach the server by https.
	Secure bool
	Log    *slog.Logger
	// RequestID returns the id of ctx's request, for the audit trail.
	RequestID func(context.Context) string
	// RemoteAddr returns where a request comes from.
	RemoteAddr func(*http.Request) netip.Addr
	// Failures limits how many bad credentials an address may show; nil limits nobody.
	Failures *ratelimit.Failures
}

// NewSessions makes the service.
func NewSessions(keys *Keys, o SessionOptions) *Sessions {
	return &Sessions{keys: keys, SessionOptions: o}
}

// NewLink makes the token of a link that signs one browser in as p, once, within LinkLifetime.
func (s *Sessions) NewLink(p integration.Principal) (token string) {
	token = rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = append(s.links, link{token, p, time.Now().Add(LinkLifetime)})
	return token
}

// redeem uses a link up. It returns false for one that is unknown, used or too old.
func (s *Sessions) redeem(token string) (link, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range s.links {
		if subtle.ConstantTimeCompare([]byte(l.token), []byte(token)) == 1 {
			s.links = append(s.links[:i], s.links[i+1:]...)
			return l, time.Now().Before(l.expires)
		}
	}
	return link{}, false
}

// restore makes a link that was redeemed in vain usable again.
func (s *Sessions) restore(l link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = append(s.links, l)
}

// SignIn answers GET /sign-in?token=…, where the printed link leads: it sets the session cookie and goes on to the
// first page. A link that was used, or is too old, gets 403 and a word on what to do.
func (s *Sessions) SignIn(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	l, ok := s.redeem(r.URL.Query().Get("token"))
	if !ok {
		http.Error(w, "This sign-in link has been used or is too old. Restart the server for a new one, or use an API key made by `patchbay apikey create`.", http.StatusForbidden)
		return
	}
	l.principal.Origin = s.origin(r)
	now := time.Now()
	expires := now.Add(SessionLifetime)
	_, key, err := s.keys.Create(r.Context(), l.principal, NewKey{
		Name:      fmt.Sprintf("Browser session of %s", now.UTC().Format("2006-01-02 15:04 UTC")),
		Role:      l.principal.Role,
		Projects:  l.principal.Projects,
		ExpiresAt: &expires,
		Subject:   l.principal.Subject,
	})
	if err != nil {
		s.restore(l)
		s.Log.ErrorContext(r.Context(), "cannot sign a browser in", "error", err)
		http.Error(w, "Signing in failed; the server's log says why.", http.StatusInternalServerError)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name:     s.cookieName(),
		Value:    key.Expose(),
		Path:     "/",
		Expires:  expires,
		HttpOnly: true,
		Secure:   s.Secure,
		SameSite: http.SameSiteLaxMode,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// cookieName has the __Host- prefix, which binds the cookie to this host, wherever browsers allow it: over https.
func (s *Sessions) cookieName() string {
	if s.Secure {
		return "__Host-patchbay-session"
	}
	return "patchbay-session"
}
