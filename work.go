package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/metric"

	"patchbay/internal/connect"
	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/provider/builtin"
	"patchbay/internal/store"
	"patchbay/internal/syncer"
	"patchbay/internal/webhook"
)

type (
	workCommand      struct{}
	rotateKeyCommand struct{}
)

// Run works on jobs until a signal asks it to end, then lets those that run finish their slice.
func (workCommand) Run(a *app) error {
	meter, stopAdmin, err := a.serveAdmin()
	if err != nil {
		return err
	}
	defer stopAdmin()
	return a.withWorkers(meter, func(service *connect.Service, _ *store.DB) error {
		a.log.Info("working on jobs", "version", version())
		fmt.Fprintln(a.stdout, "Patchbay works on jobs")
		<-a.ctx.Done()
		a.log.Info("ending: finishing the jobs that run")
		return nil
	})
}

// rotationPoll is how often rotate-key looks how far the rotations are.
const rotationPoll = 500 * time.Millisecond

// Run rotates every organisation that has something under another key, together with whatever servers there are, and
// returns when all of it is done.
func (rotateKeyCommand) Run(a *app) error {
	return a.withWorkers(nil, func(service *connect.Service, db *store.DB) error {
		orgs, err := service.OrganisationsToRotate(a.ctx)
		if err != nil {
			return err
		}
		if len(orgs) == 0 {
			fmt.Fprintln(a.stdout, "everything is sealed under the current key")
			return nil
		}
		running := map[string]uuid.UUID{}
		for _, org := range orgs {
			r, err := service.RotateKey(a.ctx, integration.Principal{Subject: operator, Org: org, Role: integration.RoleAdmin})
			if err != nil {
				return fmt.Errorf("rotate the key of organisation %q: %w", org, err)
			}
			running[org] = r.ID
		}
		return a.awaitRotations(db, running)
	})
}

// awaitRotations prints how far rotations are until they are finished, and fails where rows did.
func (a *app) awaitRotations(db *store.DB, running map[string]uuid.UUID) error {
	tick := time.NewTicker(rotationPoll)
	defer tick.Stop()
	orgs, failed, printed := len(running), 0, ""
	done, total := 0, 0 // of those that are finished
	for {
		nowDone, nowTotal := done, total
		for org, id := range running {
			r, err := db.Tenant(integration.Scope{Org: org}).KeyRotation(a.ctx, id)
			if err != nil {
				return fmt.Errorf("look how far the rotation of organisation %q is: %w", org, err)
			}
			if r == nil {
				return fmt.Errorf("the rotation of organisation %q is gone", org)
			}
			nowDone, nowTotal = nowDone+r.Done, nowTotal+r.Total
			if r.FinishedAt != nil {
				delete(running, org)
				done, total, failed = done+r.Done, total+r.Total, failed+r.Failed
			}
		}
		line := fmt.Sprintf("%d of %d integrations sealed anew, %d of %d organisations finished", nowDone, nowTotal, orgs-len(running), orgs)
		if line != printed {
			fmt.Fprintln(a.stdout, line)
			printed = line
		}
		if len(running) == 0 {
			break
		}
		select {
		case <-a.ctx.Done():
			return errors.New("interrupted: the rotation goes on where a server works, or by running rotate-key again")
		case <-tick.C:
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d integrations did not open and stay under their key; the log of who worked on them has their ids", failed)
	}
	return nil
}

// withWorkers calls fn while this process works on jobs. meter measures them; nil does not.
func (a *app) withWorkers(meter metric.Meter, fn func(*connect.Service, *store.DB) error) error {
	return a.withDatabase(func(p *place, d *database) (err error) {
		ring, err := p.keys(false)
		if err != nil {
			return err
		}
		if err := d.migrate(a.ctx); err != nil {
			return err
		}
		providers, err := provider.NewRegistry("", builtin.All()...)
		if err != nil {
			return err
		}
		db, err := store.Open(a.ctx, d.serving(providers.Catalogue()))
		if err != nil {
			return err
		}
		defer db.Close()
		network, err := a.network(a.ctx, db)
		if err != nil {
			return err
		}
		service, err := connect.New(a.ctx, db, ring, providers, connect.Options{
			WebhookURL: string(cmp.Or(a.config.WebhookURL, a.config.PublicURL)),
			Network:    network,
			Log:        a.log,
		})
		if err != nil {
			return err
		}
		defer service.Close()
		stop, err := startWork(a.ctx, db, service, syncer.New(db, service, a.log), webhook.New(db, service, webhook.Options{Log: a.log, Meter: meter}), a.log)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
		return fn(service, db)
	})
}

// startWork works on jobs in this process until stop, which claims no more of them and waits for those that run.
func startWork(ctx context.Context, db *store.DB, service *connect.Service, runs *syncer.Service, webhooks *webhook.Service, log *slog.Logger) (stop func() error, err error) {
	crew, err := db.Work(ctx, log, service.Workers(log), runs.Workers(), webhooks.Workers())
	if err != nil {
		return nil, err
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var watcher sync.WaitGroup
	watcher.Go(func() { service.WatchRotations(watching, log) })
	watcher.Go(func() { service.WatchWebhooks(watching) })
	watcher.Go(func() { runs.Watch(watching) })
	watcher.Go(func() { webhooks.Watch(watching) })
	return func() error {
		runs.Drain()
		cancel()
		watcher.Wait()
		return crew.Stop()
	}, nil
}
