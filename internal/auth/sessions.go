package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/ratelimit"
	"patchbay/internal/store"
)

const (
	// LinkLifetime is how long a sign-in link can be used, once.
	LinkLifetime = 15 * time.Minute
	// SessionLifetime is how long a browser stays signed in.
	SessionLifetime = 12 * time.Hour
	// sessionHistory is for how long sessions are kept that have expired.
	sessionHistory = 30 * 24 * time.Hour
	// pruneEvery is how often old ones are removed, and pruneAtOnce how many then.
	pruneEvery  = 10 * time.Minute
	pruneAtOnce = 1000
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
	// OIDC takes the tokens of an OpenID provider, and sends browsers there to sign in; nil where there is none.
	OIDC *OIDC
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
// first page. A link that was used, or is too old, gets 403 and a word on what to do. Without a token the browser is sent
// to the OpenID provider.
func (s *Sessions) SignIn(w http.ResponseWriter, r *http.Request) {
	private(w.Header())
	if !r.URL.Query().Has("token") {
		s.beginSignIn(w, r)
		return
	}
	l, ok := s.redeem(r.URL.Query().Get("token"))
	if !ok {
		http.Error(w, "This sign-in link has been used or is too old. Restart the server for a new one, or use an API key made by `patchbay apikey create`.", http.StatusForbidden)
		return
	}
	l.principal.Origin = s.origin(r)
	if err := s.begin(w, r, l.principal, nil); err != nil {
		s.restore(l)
		s.Log.ErrorContext(r.Context(), "cannot sign a browser in", "error", err)
		http.Error(w, "Signing in failed; the server's log says why.", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// private keeps an answer, and the address that it is the answer of, to the browser that asked.
func private(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
}

// begin starts a session and sets its cookie. Begun with an API key, it ends with that at the latest.
func (s *Sessions) begin(w http.ResponseWriter, r *http.Request, p integration.Principal, with *store.AuthenticAPIKey) error {
	now := time.Now()
	expires := now.Add(SessionLifetime)
	var parent *uuid.UUID
	if with != nil {
		parent = &with.ID
		if with.ExpiresAt != nil && with.ExpiresAt.Before(expires) {
			expires = *with.ExpiresAt
		}
	}
	_, key, err := s.keys.Create(r.Context(), p, NewKey{
		Name:      fmt.Sprintf("Browser session of %s", now.UTC().Format("2006-01-02 15:04 UTC")),
		Role:      p.Role,
		Projects:  p.Projects,
		ExpiresAt: &expires,
		Subject:   p.Subject,
		Parent:    parent,
	})
	if err == nil {
		http.SetCookie(w, s.cookie(s.cookieName(), key.Expose(), expires))
	}
	return err
}

// SignInWithKey answers POST /sign-in, by which our own pages exchange an API key, shown as a bearer token, for a session: 204
// and its cookie. The session may do what the key may, and ends when it does. The router refuses it to other sites' pages.
func (s *Sessions) SignInWithKey(w http.ResponseWriter, r *http.Request) {
	private(w.Header())
	key := bearer(r.Header.Get("Authorization"))
	var found *store.AuthenticAPIKey
	err := s.Failures.Check(r.Context(), s.RemoteAddr(r), key, func() (err error) {
		if found, err = s.keys.find(r.Context(), key); err == nil && found.Subject != nil {
			err = integration.Unauthenticated("this is a browser session's key, which signs nobody else in")
		}
		return err
	})
	if err == nil {
		p := principal(found)
		p.Origin = s.origin(r)
		err = s.begin(w, r, p, found)
	}
	var shown *integration.Error
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.As(err, &shown) && shown.Kind == integration.KindUnauthenticated:
		http.Error(w, shown.Message, http.StatusUnauthorized)
	case errors.As(err, &shown) && shown.Kind == integration.KindRateLimited:
		w.Header().Set("Retry-After", strconv.Itoa(shown.RetryAfterSeconds()))
		http.Error(w, shown.Message, http.StatusTooManyRequests)
	default:
		s.Log.ErrorContext(r.Context(), "cannot sign a browser in", "error", err)
		http.Error(w, "Signing in failed; the server's log says why.", http.StatusInternalServerError)
	}
}

// SignOut answers POST /sign-out: it ends the session at once, clears its cookie and goes on to the first page. The router
// refuses it to other sites' pages.
func (s *Sessions) SignOut(w http.ResponseWriter, r *http.Request) {
	private(w.Header())
	if cookie, err := r.Cookie(s.cookieName()); err == nil {
		if err := s.keys.endSession(r.Context(), cookie.Value, s.origin(r)); err != nil {
			s.Log.ErrorContext(r.Context(), "cannot sign a browser out", "error", err)
			http.Error(w, "Signing out failed, and the session goes on; the server's log says why. Try again.", http.StatusInternalServerError)
			return
		}
	}
	http.SetCookie(w, s.cookie(s.cookieName(), "", time.Time{}))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// Prune removes old sessions until ctx ends.
func (s *Sessions) Prune(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if err := s.keys.db.PruneSessions(ctx, sessionHistory, pruneAtOnce); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "sessions that expired long ago cannot be removed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// cookie is one that scripts cannot read and other sites' pages do not make a browser send; without an end it is removed.
func (s *Sessions) cookie(name, value string, expires time.Time) *http.Cookie {
	c := &http.Cookie{
		Name:     name,
		Value:    value,
		Path:     "/",
		Expires:  expires,
		HttpOnly: true,
		Secure:   s.Secure,
		SameSite: http.SameSiteLaxMode,
	}
	if expires.IsZero() {
		c.MaxAge = -1
	}
	return c
}

// cookieName has the __Host- prefix, which binds the cookie to this host, wherever browsers allow it: over https.
func (s *Sessions) cookieName() string { return s.hostBound("patchbay-session") }

func (s *Sessions) hostBound(name string) string {
	if s.Secure {
		return "__Host-" + name
	}
	return name
}
