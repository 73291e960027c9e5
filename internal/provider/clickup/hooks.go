package clickup

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"patchbay/internal/provider"
	"patchbay/internal/seal"
)

var _ provider.HookKeeper = (*connection)(nil)

// hook is a webhook as ClickUp shows it.
type hook struct {
	ID       text `json:"id"`
	Endpoint text `json:"endpoint"`
	Secret   text `json:"secret"`
	Health   struct {
		Status text `json:"status"` // active, failing or suspended
	} `json:"health"`
}

func (h hook) hook() provider.Hook {
	return provider.Hook{ID: string(h.ID), URL: string(h.Endpoint), Secret: seal.NewSecret(string(h.Secret)), Active: h.Health.Status != "suspended"}
}

// wanted is what a webhook is made or changed with. Not "*", which would bring events of goals.
func wanted(url, status string) map[string]any {
	body := map[string]any{"endpoint": url, "events": slices.Sorted(maps.Keys(told))}
	if status != "" {
		body["status"] = status
	}
	return body
}

// Hooks lists the webhooks of the Workspace that the token's owner made and that lead to a URL.
func (c *connection) Hooks(ctx context.Context, url string) ([]provider.Hook, error) {
	if err := c.needsWorkspace(); err != nil {
		return nil, err
	}
	answer, err := c.get(ctx, c.v2("team", c.workspace, "webhook"), nil)
	if err != nil {
		return nil, err
	}
	items, ok := listing(answer, "webhooks")
	if !ok || items == nil { // a webhook that is not in there would be taken for gone
		return nil, unexpected("list of webhooks")
	}
	var all []provider.Hook
	for _, item := range items {
		var h hook
		if !decode(item, &h) || h.ID == "" {
			return nil, unexpected("list of webhooks with their ids")
		}
		if string(h.Endpoint) == url {
			all = append(all, h.hook())
		}
	}
	return all, nil
}

// MakeHook makes one for the whole Workspace. ClickUp refuses a second one for the same URL.
func (c *connection) MakeHook(ctx context.Context, url string) (provider.Hook, error) {
	if err := c.needsWorkspace(); err != nil {
		return provider.Hook{}, err
	}
	var answer struct {
		Webhook json.RawMessage `json:"webhook"`
	}
	if err := c.client.Send(ctx, http.MethodPost, c.v2("team", c.workspace, "webhook"), wanted(url, ""), &answer); err != nil {
		return provider.Hook{}, err
	}
	var h hook
	if !decode(answer.Webhook, &h) || h.ID == "" || h.Secret == "" {
		return provider.Hook{}, unexpected("webhook with its secret")
	}
	return h.hook(), nil
}

// WakeHook makes one active again, for all events that are known today.
func (c *connection) WakeHook(ctx context.Context, h provider.Hook) error {
	return c.client.Send(ctx, http.MethodPut, c.v2("webhook", h.ID), wanted(h.URL, "active"), nil)
}

// RemoveHook removes one. ClickUp may refuse what is gone in the words of a token which lost its Workspace.
func (c *connection) RemoveHook(ctx context.Context, id string) error {
	err := c.client.Send(ctx, http.MethodDelete, c.v2("webhook", id), nil, nil)
	switch {
	case missing(err):
		return nil
	case refused(err):
		return c.reachable(ctx)
	}
	return err
}
