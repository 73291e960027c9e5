package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/store"
)

const (
	// hookTimeout bounds the setting up of a webhook, whose asker waits.
	hookTimeout = 20 * time.Second
	// hookLease is how long others wait for that at most.
	hookLease = time.Minute
	// hookCheckEvery is how often a webhook is looked at that delivered nothing meanwhile.
	hookCheckEvery = 15 * time.Minute
	// hookWatch is how often every process that works on jobs looks for webhooks that are due.
	hookWatch = 10 * time.Second
	// hooksAtOnce bounds one look.
	hooksAtOnce = 100
	// wakeTime is longer than waking a webhook takes: should its worker die meanwhile, the run that catches up comes then.
	wakeTime = time.Minute
)

// WebhookURL is where a provider's third party reaches this server with what concerns an integration.
func (s *Service) WebhookURL(providerName string, id uuid.UUID) string {
	return s.webhookURL + "/webhooks/" + providerName + "/" + id.String()
}

// RegisterWebhook sets an integration's webhook up at the third party, or repairs it: afterwards there is one that leads here, which
// is active and whose secret is stored.
func (s *Service) RegisterWebhook(ctx context.Context, p integration.Principal, id uuid.UUID, with store.With) (*integration.PublicIntegration, error) {
	tenant := s.db.Tenant(p.Scope())
	found, err := tenant.IntegrationByID(ctx, id, store.With{})
	switch {
	case err != nil:
		return nil, err
	case found == nil:
		return nil, noIntegration()
	case !found.Provider.Capabilities.SupportsWebhookRegistration:
		return nil, integration.Invalid("integrationId", "this server cannot set up webhooks at %s by itself", found.Provider.DisplayName)
	}
	if _, _, err := s.setUpHook(ctx, tenant, id, found.Provider.Name, hookOrder{url: s.WebhookURL(found.Provider.Name, id), again: hookLease}); err != nil {
		return nil, remade(err)
	}
	s.tell(ctx, found.ProjectID, id)
	if found, err = tenant.IntegrationByID(ctx, id, with); err == nil && found == nil {
		err = noIntegration()
	}
	return found, err
}

// hookOrder is what setUpHook is to do.
type hookOrder struct {
	url  string // where the webhook is to lead
	anew bool   // replaces the one that there is
	// again is when it is tried again, should there be none in place of the one from before.
	again time.Duration
}

// unmade is the error of a webhook that was removed while no new one could be made in its place: that is done later.
type unmade struct{ cause error }

func (u *unmade) Error() string { return u.cause.Error() }

func (u *unmade) Unwrap() error { return u.cause }

// remade says of an unmade webhook, to whoever asked for another one, what becomes of it.
func remade(err error) error {
	var gone *unmade
	var shown *integration.Error
	if errors.As(err, &gone) && errors.As(err, &shown) {
		said := *shown
		said.Message += "; the webhook from before is removed, and this server goes on trying to make a new one"
		return &said
	}
	return err
}

// setUpHook makes or repairs a webhook, under a claim. Without one, replacing it is Invalid. until is when the secret from before ends to
// count, where another one is stored now.
func (s *Service) setUpHook(ctx context.Context, tenant *store.Tenant, id uuid.UUID, providerName string, order hookOrder) (h provider.Hook, until *time.Time, err error) {
	known, err := tenant.ClaimHook(ctx, id, hookLease)
	if err != nil {
		return h, nil, err
	}
	stored := false
	defer func() {
		if stored {
			return
		}
		if failed := tenant.ReleaseHook(context.WithoutCancel(ctx), id); failed != nil {
			err = errors.Join(err, failed)
		}
	}()
	if order.anew && known.ID == "" && !known.Wanted {
		return h, nil, integration.Invalid("integrationId", "%s makes the secrets of webhooks itself: use registerWebhook, or give the one that it issued as webhookSecret",
			s.ProviderName(providerName))
	}
	keeper, err := s.keeper(ctx, tenant, id, "webhook registration")
	if err != nil {
		return h, nil, err
	}
	asking, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	if known.ID == "" && !known.Wanted {
		earlier, err := s.earlierHook(asking, tenant, keeper, id)
		if err != nil {
			return h, nil, err
		}
		if earlier != nil { // the new one replaces it
			known = &store.RegisteredHook{ID: earlier.ID, URL: earlier.URL}
		}
	}
	h, made, removed, err := s.arrange(asking, tenant, keeper, id, providerName, *known, order)
	if err == nil {
		until, err = s.storeHook(ctx, tenant, id, h, made, known.ID != "" || known.Wanted)
	}
	switch {
	case err == nil:
		stored = true
	case made: // a secret that is not stored signs in vain
		s.unhook(ctx, keeper, id, providerName, h.ID)
	case asking.Err() != nil && ctx.Err() == nil:
		err = integration.ProviderFailed(providerName, integration.ReasonUnavailable, "%s did not answer in time: try again", s.ProviderName(providerName))
	}
	if err != nil && removed {
		err = &unmade{err}
	}
	return h, until, err
}

// arrange leaves one webhook at the third party that leads to a URL: the known one, unless it is to be replaced or is gone, else a new
// one. What else leads there signs with a secret that nobody holds. A third party refuses a second one for the same URL, so an old one
// goes first; what is not delivered meanwhile a run finds. Before that it is noted that a new one is wanted, so that it is made whatever
// happens in between. removed says that the known one is gone.
func (s *Service) arrange(ctx context.Context, tenant *store.Tenant, keeper provider.HookKeeper, id uuid.UUID, providerName string, known store.RegisteredHook, order hookOrder) (h provider.Hook, made, removed bool, err error) {
	hooks, err := keeper.Hooks(ctx, order.url)
	if err != nil {
		return h, false, false, err
	}
	kept := false
	for _, other := range hooks {
		if other.ID == known.ID && !order.anew {
			h, kept = other, true
		} else if other.ID != known.ID {
			if err := keeper.RemoveHook(ctx, other.ID); err != nil {
				return h, false, false, err
			}
		}
	}
	if kept {
		return h, false, false, keeper.WakeHook(ctx, h) // for all events, too, that this version knows
	}
	if known.ID != "" || known.Wanted { // it is to be replaced, leads to where the server was before, or is gone
		if err := tenant.WantHook(ctx, id, known.ID, order.url, order.again); err != nil {
			return h, false, false, err
		}
	}
	if known.ID != "" {
		if err := s.removeHook(ctx, keeper, id, providerName, known.ID); err != nil {
			return h, false, false, err
		}
		removed = true
	}
	h, err = keeper.MakeHook(ctx, order.url)
	return h, err == nil, removed, err
}

// storeHook stores a webhook and its secret, where that is another one, together. replaces says that there was one before.
func (s *Service) storeHook(ctx context.Context, tenant *store.Tenant, id uuid.UUID, h provider.Hook, made, replaces bool) (until *time.Time, err error) {
	for range maxRaces {
		err := tenant.InTx(ctx, func(tx *store.Tenant) error {
			version, err := tx.IntegrationVersionByID(ctx, id)
			if err != nil {
				return err
			}
			if version == nil {
				return noIntegration()
			}
			held := h.Secret.IsZero()
			if !held && !made {
				if held, err = tx.HoldsWebhookSecret(ctx, s.ring, version, h.Secret); err != nil {
					return err
				}
			}
			if !held {
				if until, err = tx.RotateWebhookSecret(ctx, s.ring, version, h.Secret, WebhookGrace); err != nil {
					return err
				}
			}
			if made || !held || !h.Active { // before it was so, deliveries were lost or refused; before the first was made there were none
				if err := tx.NoteCatchUp(ctx, id, 2*webhookStaleness, !made || replaces); err != nil {
					return err
				}
			}
			return tx.RegisterHook(ctx, id, store.RegisteredHook{ID: h.ID, URL: h.URL}, hookCheckEvery)
		})
		if !errors.Is(err, store.ErrStale) {
			return until, err
		}
	}
	return nil, integration.Conflict("", "the integration is being changed by many at once: try again")
}

// keeper opens an integration's secrets for its webhook's sake.
func (s *Service) keeper(ctx context.Context, tenant *store.Tenant, id uuid.UUID, purpose string) (provider.HookKeeper, error) {
	connection, err := s.Open(ctx, tenant, id, purpose)
	if err != nil {
		return nil, err
	}
	keeper, ok := connection.(provider.HookKeeper)
	if !ok {
		return nil, fmt.Errorf("the connection %T keeps no webhooks, though its provider says so", connection)
	}
	return keeper, nil
}

// rotateIssued replaces the webhook, because the third party issues a secret only with a new one.
func (s *Service) rotateIssued(ctx context.Context, tenant *store.Tenant, id uuid.UUID, providerName string) (*WebhookSecret, error) {
	h, until, err := s.setUpHook(ctx, tenant, id, providerName, hookOrder{url: s.WebhookURL(providerName, id), anew: true, again: hookLease})
	if err != nil {
		return nil, remade(err)
	}
	return &WebhookSecret{URL: h.URL, Secret: h.Secret, PreviousValidUntil: until}, nil
}

// hookArgs is the job that looks at an integration's webhook.
type hookArgs struct {
	Org         string    `json:"org"`
	Integration uuid.UUID `json:"integration"`
}

// Kind implements river.JobArgs.
func (hookArgs) Kind() string { return "check_webhook" }

// InsertOpts implements river.JobArgsWithInsertOpts. One that fails is not tried again: the next is due soon.
func (hookArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: store.SyncQueue, MaxAttempts: 1}
}

// hookChecker works on hookArgs.
type hookChecker struct {
	river.WorkerDefaults[hookArgs]
	service *Service
}

// Work looks at a webhook. That the third party does not answer, or that an integration cannot be used any more, is no failure of the job's.
// Where the token's limit is used up, it goes on once that allows it.
func (w *hookChecker) Work(ctx context.Context, job *river.Job[hookArgs]) error {
	s := w.service
	err := s.CheckWebhook(ctx, s.db.Tenant(integration.Scope{Org: job.Args.Org, Actor: "webhook check"}), job.Args.Integration)
	var wait *provider.Wait
	var known *integration.Error
	switch {
	case errors.As(err, &wait):
		return river.JobSnooze(max(0, time.Until(wait.Until)))
	case errors.As(err, &known):
		s.log.WarnContext(ctx, "a webhook cannot be looked at; it is tried again", "integration", job.Args.Integration, "after", hookCheckEvery, "error", err)
		return nil
	}
	return err
}

// earlierHook looks at the third party for a webhook that was made for the earlier module: it leads to the address that all of a provider's
// integrations have in common, and its secret is the stored one. It is nil where there is none.
func (s *Service) earlierHook(ctx context.Context, tenant *store.Tenant, keeper provider.HookKeeper, id uuid.UUID) (*provider.Hook, error) {
	version, err := tenant.IntegrationVersionByID(ctx, id)
	if err != nil || version == nil {
		return nil, err
	}
	if w := s.providers.Webhooks(version.Provider); w == nil || w.HookID == nil {
		return nil, nil
	}
	hooks, err := keeper.Hooks(ctx, s.webhookURL+"/webhooks/"+version.Provider)
	if err != nil {
		return nil, err
	}
	for _, h := range hooks {
		if h.Secret.IsZero() {
			continue
		}
		held, err := tenant.HoldsWebhookSecret(ctx, s.ring, version, h.Secret)
		if held || err != nil {
			return &h, err
		}
	}
	return nil, nil
}

// takeUpHook registers the webhook that was made for the earlier module, where there is one, under a claim. What it delivered until now
// was refused.
func (s *Service) takeUpHook(ctx context.Context, tenant *store.Tenant, id uuid.UUID) (err error) {
	version, err := tenant.IntegrationVersionByID(ctx, id)
	if err != nil || version == nil {
		return err
	}
	if w := s.providers.Webhooks(version.Provider); w == nil || w.HookID == nil {
		return tenant.EndHookChecks(ctx, id)
	}
	if s.webhookURL == "" { // a process that knows the address looks for it another time
		return nil
	}
	known, err := tenant.ClaimHook(ctx, id, hookLease)
	if err != nil {
		return err
	}
	taken := false
	defer func() {
		if !taken {
			err = errors.Join(err, tenant.ReleaseHook(context.WithoutCancel(ctx), id))
		}
	}()
	if known.ID != "" { // somebody set one up since
		return nil
	}
	keeper, err := s.keeper(ctx, tenant, id, "webhook check")
	if err != nil {
		return err
	}
	h, err := s.earlierHook(ctx, tenant, keeper, id)
	switch {
	case err != nil:
		return err
	case h == nil:
		return tenant.EndHookChecks(ctx, id)
	}
	err = tenant.InTx(ctx, func(tx *store.Tenant) error {
		if err := tx.NoteCatchUp(ctx, id, wakeTime, true); err != nil {
			return err
		}
		return tx.RegisterHook(ctx, id, store.RegisteredHook{ID: h.ID, URL: h.URL}, hookCheckEvery)
	})
	if err != nil {
		return err
	}
	taken = true
	s.log.InfoContext(ctx, "a webhook that was made for the earlier module is taken up", "integration", id, "hook", h.ID)
	s.tell(ctx, version.ProjectID, id)
	return keeper.WakeHook(ctx, *h)
}

// remakeHook makes a webhook in place of one that was removed before.
func (s *Service) remakeHook(ctx context.Context, tenant *store.Tenant, id uuid.UUID, url string) error {
	version, err := tenant.IntegrationVersionByID(ctx, id)
	if err != nil || version == nil {
		return err
	}
	h, _, err := s.setUpHook(ctx, tenant, id, version.Provider, hookOrder{url: url, again: hookCheckEvery})
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, "a webhook that was removed is made anew", "integration", id, "hook", h.ID)
	s.tell(ctx, version.ProjectID, id)
	return nil
}

// CheckWebhook asks the third party for an integration's registered webhook. A suspended one is made active again, and a run is asked
// for that finds what was not told meanwhile; one that is gone is registered no more, and one that is wanted is made. Where none is registered, one that was made for the
// earlier module is looked for.
func (s *Service) CheckWebhook(ctx context.Context, tenant *store.Tenant, id uuid.UUID) error {
	known, err := tenant.RegisteredHook(ctx, id)
	switch {
	case err != nil:
		return err
	case known == nil:
		return s.takeUpHook(ctx, tenant, id)
	case known.Wanted:
		return s.remakeHook(ctx, tenant, id, known.URL)
	}
	keeper, err := s.keeper(ctx, tenant, id, "webhook check")
	if err != nil {
		return err
	}
	hooks, err := keeper.Hooks(ctx, known.URL)
	if err != nil {
		return err
	}
	for _, h := range hooks {
		if h.ID != known.ID {
			continue
		}
		if h.Active {
			return nil
		}
		if err := tenant.NoteCatchUp(ctx, id, wakeTime, true); err != nil {
			return err
		}
		if err := keeper.WakeHook(ctx, h); err != nil {
			return err
		}
		s.log.WarnContext(ctx, "the third party had suspended a webhook; it is active again, and a run catches up", "integration", id, "hook", h.ID)
		return tenant.NoteCatchUp(ctx, id, 0, true)
	}
	forgotten, err := tenant.ForgetHook(ctx, id, known.ID)
	if forgotten {
		s.log.WarnContext(ctx, "a webhook is gone at the third party: register it again", "integration", id, "hook", known.ID)
		if version, err := tenant.IntegrationVersionByID(ctx, id); err == nil && version != nil {
			s.tell(ctx, version.ProjectID, id)
		}
	}
	return err
}

// WatchWebhooks queues a look at each webhook that is due, until ctx ends. Each process that works on jobs runs one.
func (s *Service) WatchWebhooks(ctx context.Context) {
	tick := time.NewTicker(hookWatch)
	defer tick.Stop()
	for {
		if err := s.queueHookChecks(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "webhooks that are due cannot be looked at; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) queueHookChecks(ctx context.Context) error {
	due, err := s.db.DueHookChecks(ctx, hookCheckEvery, hooksAtOnce)
	if err != nil {
		return err
	}
	for _, d := range due {
		err := s.db.Tenant(integration.Scope{Org: d.Org}).InTx(ctx, func(tx *store.Tenant) error {
			taken, err := tx.TakeHookCheck(ctx, d.IntegrationID, hookCheckEvery)
			if err != nil || !taken {
				return err
			}
			return tx.Enqueue(ctx, hookArgs{d.Org, d.IntegrationID})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
