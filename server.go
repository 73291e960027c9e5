// Patchbay is an integrations backend: a GraphQL API over PostgreSQL that keeps the credentials of a project's
// integrations encrypted and never tells them.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"patchbay/graph"
	"patchbay/internal/audit"
	"patchbay/internal/auth"
	"patchbay/internal/connect"
	"patchbay/internal/doctor"
	"patchbay/internal/httpd"
	"patchbay/internal/integration"
	"patchbay/internal/live"
	"patchbay/internal/provider"
	"patchbay/internal/provider/builtin"
	"patchbay/internal/ratelimit"
	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/syncer"
	"patchbay/internal/webhook"
	"patchbay/web"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	var status exitStatus
	switch {
	case errors.As(err, &status): // the command has said why
		os.Exit(int(status))
	case err != nil:
		fmt.Fprintln(os.Stderr, "patchbay:", err)
		os.Exit(1)
	}
}

// drainTimeout is how long requests that run may take to end once the server was asked to.
const drainTimeout = 20 * time.Second

// startupChecksTimeout bounds the checks that run while the server already serves.
const startupChecksTimeout = 20 * time.Second

// localOrg is the organisation of the private database's browser sessions.
const localOrg = "local"

// Run serves and works on jobs until a signal asks it to end, then lets what runs finish: first requests, then jobs.
func (c *serveCommand) Run(a *app) (err error) {
	tuneGC(a.environ)
	ctx := a.ctx
	place, err := a.place()
	if err != nil {
		return err
	}
	ring, err := place.keys(c.GenerateKey)
	if err != nil {
		return err
	}
	database, err := place.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.close()) }()
	if err := database.migrate(ctx); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", string(a.config.Addr))
	if err != nil {
		return fmt.Errorf("PATCHBAY_ADDR: %w; choose another address, or port 0 for a free one", err)
	}
	defer listener.Close()
	origin := a.origin(listener.Addr())
	providers, err := provider.NewRegistry(origin, builtin.All()...)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, database.serving(providers.Catalogue()))
	if err != nil {
		return err
	}
	defer db.Close()
	checks, stopChecks := context.WithTimeout(ctx, startupChecksTimeout)
	checked := make(chan struct{})
	go func() {
		defer close(checked)
		doctor.Startup(checks, db, place.doctorOptions(database), a.log)
	}()
	defer func() { stopChecks(); <-checked }()
	network, err := a.network(ctx, db)
	if err != nil {
		return err
	}
	service, err := connect.New(ctx, db, ring, providers, connect.Options{
		Reveal:     a.config.RevealSettings,
		WebhookURL: cmp.Or(string(a.config.WebhookURL), origin),
		Network:    network,
		Log:        a.log,
	})
	if err != nil {
		return err
	}
	runs := syncer.New(db, service, a.log)
	meter, stopAdmin, err := a.serveAdmin()
	if err != nil {
		return err
	}
	defer stopAdmin()
	webhooks := webhook.New(db, service, webhook.Options{
		RemoteAddr: httpd.RemoteAddr, Failures: ratelimit.NewFailures(int(a.config.AuthFailureLimit)), Log: a.log, Meter: meter,
	})
	pages, err := web.New(web.Dist(), a.config.OIDCIssuer != "" && a.config.OIDCClientID != "")
	if err != nil {
		return err
	}
	keys := auth.NewKeys(db)
	flowKeys, err := ring.Derive("sign-in cookie")
	if err != nil {
		return err
	}
	sessions := auth.NewSessions(keys, auth.SessionOptions{
		Secure: strings.HasPrefix(origin, "https:"), Log: a.log, RequestID: httpd.RequestID, RemoteAddr: httpd.RemoteAddr,
		Failures: ratelimit.NewFailures(int(a.config.AuthFailureLimit)), OIDC: a.openID(origin, flowKeys),
	})
	budgets := ratelimit.NewBudgets(int(a.config.RateLimit))
	health := &httpd.Health{Ping: db.Ping, Log: a.log}
	hub := live.New(database.listening(), a.log)
	resolver := &graph.Resolver{
		DB: db, Connect: service, Syncer: runs, Webhooks: webhooks, Keys: keys, Sessions: sessions, Live: hub, Catalogue: providers.Catalogue(), Budgets: budgets, Log: a.log,
	}
	handler := httpd.New(httpd.Parts{
		GraphQL:  graph.NewHandler(resolver, httpd.RequestID),
		Pages:    pages,
		Webhooks: webhooks,
		Sessions: sessions,
		Health:   health,
		Origin:   origin,
		Log:      a.log,

		TrustedProxies: a.config.TrustedProxies,
	})
	a.log.Info("listening", "address", listener.Addr().String(), "url", origin, "version", version(), "encryption_key", ring.CurrentID())
	if !web.Built() {
		a.log.Warn("the web pages are not built: run `make web`, which needs Node.js; the API works without them")
	}
	fmt.Fprintf(a.stdout, "Patchbay listens on %s\n", origin)
	if place.private() {
		if err := welcome(ctx, a.stdout, origin, db, service, sessions); err != nil {
			return err
		}
	}
	beside, stop := context.WithCancel(context.WithoutCancel(ctx)) // on to the end of the last request and job
	var helpers sync.WaitGroup
	helpers.Go(func() { audit.Chain(beside, db, a.log) })
	helpers.Go(func() { budgets.Exchange(beside, db, a.log) })
	helpers.Go(func() { sessions.Prune(beside) })
	defer helpers.Wait()
	defer stop()
	stopWork, err := startWork(ctx, db, service, runs, webhooks, a.log)
	if err != nil {
		return err
	}
	listening, stopListening := context.WithCancel(context.WithoutCancel(ctx)) // on to the end of the last subscription
	var listeners sync.WaitGroup
	listeners.Go(func() { hub.Listen(listening) })
	listeners.Go(func() { keys.Watch(listening, a.log) })
	defer listeners.Wait()
	defer stopListening()
	err = serve(ctx, listener, handler, hub, health, a.log)
	err = errors.Join(err, stopWork())
	service.Close()
	return err
}

// serve answers requests until ctx ends, then drains: it turns unready, takes no new connections, and lets what runs end.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, hub *live.Hub, health *httpd.Health, log *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	log.Info("ending: finishing the requests that run")
	health.Drain()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	var streams sync.WaitGroup
	streams.Go(func() { hub.Drain(drain) }) // Shutdown knows no WebSockets
	defer streams.Wait()
	if err := server.Shutdown(drain); err != nil {
		log.Warn("some requests did not end in time and were cut off", "after", drainTimeout)
		_ = server.Close() // the connections are gone either way
	}
	<-ended
	return nil
}

// network is the way to third parties.
func (a *app) network(ctx context.Context, db *store.DB) (*provider.Network, error) {
	key, err := db.FingerprintKey(ctx)
	if err != nil {
		return nil, err
	}
	return provider.NewNetwork(provider.NetworkOptions{
		Log:           a.log,
		Ledger:        db,
		Fingerprint:   func(token seal.Secret) string { return seal.Fingerprint(key, token) },
		Origins:       a.config.APIOrigins(),
		AllowedHosts:  a.config.AllowPrivateHosts.Hosts,
		AllowedRanges: a.config.AllowPrivateHosts.Ranges,
	}), nil
}

// welcome makes the first project of a private database and prints the link that signs a browser in.
func welcome(ctx context.Context, out io.Writer, origin string, db *store.DB, service *connect.Service, sessions *auth.Sessions) error {
	admin := integration.Principal{Subject: "local administrator", Org: localOrg, Role: integration.RoleAdmin}
	projects, err := db.Tenant(admin.Scope()).Projects(ctx, integration.PageArgs{First: 1})
	if err != nil {
		return fmt.Errorf("look for a first project: %w", err)
	}
	if len(projects.Items) == 0 {
		if _, err := service.CreateProject(ctx, admin, (*uuid.UUID)(nil), "First project"); err != nil {
			return fmt.Errorf("make a first project: %w", err)
		}
	}
	fmt.Fprintf(out, "\n  Open %s/sign-in?token=%s\n\n  The link signs one browser in, once, within %d minutes, as ADMIN of the organisation %q.\n",
		origin, sessions.NewLink(admin), int(auth.LinkLifetime.Minutes()), localOrg)
	return nil
}

// openID takes the configured provider's tokens; it is nil where there is none.
func (a *app) openID(origin string, flowKeys []seal.Secret) *auth.OIDC {
	c := a.config
	if c.OIDCIssuer == "" {
		return nil
	}
	return auth.NewOIDC(auth.OIDCOptions{
		Issuer:       string(c.OIDCIssuer),
		Audience:     c.OIDCAudience,
		Claims:       auth.ClaimNames{Org: c.OIDCOrgClaim, Projects: c.OIDCProjectsClaim, Role: c.OIDCRoleClaim},
		ClientID:     c.OIDCClientID,
		ClientSecret: c.OIDCClientSecret,
		PublicURL:    origin,
		FlowKeys:     flowKeys,
	})
}

// origin is where browsers reach the server: the configured URL, or the address that it listens on.
func (a *app) origin(listening net.Addr) string {
	if a.config.PublicURL != "" {
		return string(a.config.PublicURL)
	}
	address := listening.(*net.TCPAddr)
	host := address.IP.String()
	if address.IP.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(address.Port))
}

// tuneGC collects garbage less often than Go's default, which costs a fifth of the throughput here, within a limit on
// memory. GOGC and GOMEMLIMIT decide where they are set.
func tuneGC(environ []string) {
	set := func(name string) bool {
		for _, v := range environ {
			if strings.HasPrefix(v, name+"=") {
				return true
			}
		}
		return false
	}
	if !set("GOGC") {
		debug.SetGCPercent(300)
	}
	if !set("GOMEMLIMIT") {
		debug.SetMemoryLimit(1 << 30)
	}
}
