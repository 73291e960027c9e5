package connect

import (
	"context"
	"slices"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// formerHook is the webhook of an integration whose settings are about to name another account, or other credentials.
type formerHook struct {
	// moved says that it will tell of something else than what the integration imports.
	moved  bool
	hook   *store.RegisteredHook // nil where there is none
	keeper provider.HookKeeper   // by the settings from before; nil where they do not open
}

// formerHook looks, before an update, for a webhook that may be the integration's no more after it; nil where the update does not matter to
// webhooks. Its removal needs the settings from before.
func (s *Service) formerHook(ctx context.Context, tenant *store.Tenant, v *store.IntegrationVersion, u *store.IntegrationUpdate) (*formerHook, error) {
	hooks := s.providers.Webhooks(v.Provider)
	if hooks == nil {
		return nil, nil
	}
	f := &formerHook{moved: slices.ContainsFunc(hooks.Account, func(name string) bool {
		value, given := u.PublicSettings[name]
		before, had := v.PublicSettings[name]
		return given && had && value != before || had && slices.Contains(u.Removed, name)
	})}
	if !f.moved && len(u.Secrets) == 0 {
		return nil, nil
	}
	var err error
	if f.hook, err = tenant.RegisteredHook(ctx, v.ID); err != nil || f.hook == nil {
		return f, err
	}
	if f.keeper, err = s.keeper(ctx, tenant, v.ID, "webhook removal"); err != nil {
		s.log.WarnContext(ctx, "the settings that a webhook was made with do not open, so that it may have to be removed by hand", "integration", v.ID, "hook", f.hook.ID, "error", err)
		f.keeper = nil
	}
	return f, nil
}

// storeUpdate stores an update. What the former account's webhook told, and nobody worked on, is believed no more; nor is what it still tells, as the
// secret that it signs with counts no more. In its place a new one is wanted.
func (s *Service) storeUpdate(ctx context.Context, tenant *store.Tenant, v *store.IntegrationVersion, u store.IntegrationUpdate, f *formerHook, with store.With) (updated *integration.PublicIntegration, err error) {
	if f == nil || !f.moved {
		return tenant.UpdateIntegration(ctx, s.ring, v, u, with)
	}
	if f.hook != nil && u.WebhookSecret == nil {
		u.WebhookSecret = new(seal.GenerateWebhookSecret())
	}
	err = tenant.InTx(ctx, func(tx *store.Tenant) error {
		if updated, err = tx.UpdateIntegration(ctx, s.ring, v, u, with); err != nil {
			return err
		}
		if err = tx.DropDeliveries(ctx, v.ID); err != nil || f.hook == nil {
			return err
		}
		if updated.Webhook != nil {
			updated.Webhook.Registered = false
		}
		return tx.WantHook(ctx, v.ID, "", s.WebhookURL(v.Provider, v.ID), 0)
	})
	return updated, err
}

// leaveFormer removes, after an update, the webhook that is the integration's no more, as well as that goes. With other credentials of the
// same account it may be theirs too: then it stays.
func (s *Service) leaveFormer(ctx context.Context, tenant *store.Tenant, v *store.IntegrationVersion, f *formerHook) {
	if f == nil || f.hook == nil {
		return
	}
	if !f.moved {
		ours, err := s.stillOurs(ctx, tenant, v, f.hook)
		if err == nil && !ours {
			err = tenant.WantHook(ctx, v.ID, "", s.WebhookURL(v.Provider, v.ID), 0)
		}
		if err != nil {
			s.log.WarnContext(ctx, "whether a webhook belongs to an integration's new credentials cannot be found out: register it again if they are of another account",
				"integration", v.ID, "hook", f.hook.ID, "error", err)
		}
		if err != nil || ours {
			return
		}
	}
	switch {
	case f.hook.ID == "":
	case f.keeper != nil:
		s.unhook(ctx, f.keeper, v.ID, v.Provider, f.hook.ID)
	default:
		s.hookStays(ctx, v.ID, f.hook.ID, integration.Unreadable("the settings from before do not open"))
	}
}

// stillOurs asks, by the settings after an update, whether a webhook is theirs too.
func (s *Service) stillOurs(ctx context.Context, tenant *store.Tenant, v *store.IntegrationVersion, hook *store.RegisteredHook) (bool, error) {
	if hook.Wanted {
		return true, nil // it is made with them anyway
	}
	keeper, err := s.keeper(ctx, tenant, v.ID, "webhook check")
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, unhookTimeout)
	defer cancel()
	hooks, err := keeper.Hooks(ctx, hook.URL)
	return slices.ContainsFunc(hooks, func(h provider.Hook) bool { return h.ID == hook.ID }), err
}
