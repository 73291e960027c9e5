// Package httpd is the HTTP side of the server: routes, request ids, the access log, health and readiness. What answers
// the routes is given to it.
package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"patchbay/internal/auth"
)

// Parts are what the routes lead to.
type Parts struct {
	GraphQL  http.Handler
	Pages    http.Handler // the gallery, GraphiQL and the logos
	Webhooks http.Handler
	Sessions *auth.Sessions
	Health   *Health
	// Origin is where browsers reach the server; empty trusts the Host that requests name alone.
	Origin string
	Log    *slog.Logger
	// TrustedProxies are believed where they say that a request came from.
	TrustedProxies []netip.Prefix
}

// New makes the handler of the whole server.
func New(p Parts) http.Handler {
	r := chi.NewRouter()
	r.Use(withRequestID, accessLog(p.Log), noSniff, clientAddress(p.TrustedProxies))

	// A load balancer, several times a second: is the process alive, and may it get traffic?
	r.Get("/healthz", p.Health.live)
	r.Get("/readyz", p.Health.ready)

	// The browser of who started the server, once, from the printed link; a repeat is refused. Without its token, people's
	// browsers on their way to the OpenID provider, which sends them back to the callback, once.
	r.With(deadline).Get("/sign-in", p.Sessions.SignIn)
	r.With(deadline).Get("/sign-in/callback", p.Sessions.Callback)
	// People's browsers, from our own pages, with an API key. A repeat begins another session.
	r.With(sameOrigin(p.Origin), deadline).Post("/sign-in", p.Sessions.SignInWithKey)
	// People's browsers, from our own pages. A repeat finds nothing to end.
	r.With(sameOrigin(p.Origin), deadline).Post("/sign-out", p.Sessions.SignOut)

	// Every client. A browser's cookie counts only in requests from our own pages. Answers are nobody else's.
	r.With(sameOrigin(p.Origin), noStore, p.Sessions.Middleware).Handle("/graphql", p.GraphQL)

	// Third parties, whenever something changes there. A repeat is answered like the first time, and does nothing. The address
	// without an integration is for webhooks that were made for the earlier module.
	r.Post("/webhooks/{provider}/{integration}", p.Webhooks.ServeHTTP)
	r.Post("/webhooks/{provider}", p.Webhooks.ServeHTTP)

	// People's browsers: the gallery is at the root.
	for _, pattern := range []string{
		"/", "/assets/*", "/integrations/*", "/administration", "/administration/*", "/graphiql", "/graphiql/*", "/logos/*",
	} {
		r.Handle(pattern, p.Pages)
	}
	return r
}

// sameOrigin refuses what another site's page makes a browser send. Programs, which send neither Sec-Fetch-Site nor
// Origin, pass; so do reads, whose answers another site's page cannot see, but for those that last.
func sameOrigin(origin string) func(http.Handler) http.Handler {
	p := http.NewCrossOriginProtection()
	deny := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"errors":[{"message":"requests from pages of another origin are refused","extensions":{"code":"FORBIDDEN"}}]}`))
	})
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			checked := r
			if r.Header.Get("Upgrade") != "" || strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream") {
				checked = &http.Request{Method: http.MethodPost, Header: r.Header, Host: r.Host, URL: r.URL}
			}
			// Browsers say nothing of the site where they open a WebSocket, and proxies may change the Host.
			ours := origin != "" && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == origin
			if !ours && p.Check(checked) != nil {
				deny(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// signInTimeout bounds what has to do with signing in, where the database or the OpenID provider may not answer.
const signInTimeout = 30 * time.Second

func deadline(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), signInTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func noStore(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func noSniff(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}
