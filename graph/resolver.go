// Package graph is the GraphQL API: resolvers by topic, the HTTP handler with its limits, and the presentation of
// errors. A resolver parses, calls one thing and returns: reads go to package store, changes to
// package connect, syncer, webhook or auth.
// gqlgen writes graph/generated and graph/model from schema.graphqls.
package graph

import (
	"context"
	"log/slog"

	"patchbay/graph/generated"
	"patchbay/internal/auth"
	"patchbay/internal/connect"
	"patchbay/internal/integration"
	"patchbay/internal/live"
	"patchbay/internal/ratelimit"
	"patchbay/internal/store"
	"patchbay/internal/syncer"
	"patchbay/internal/webhook"
)

// Resolver is what the resolvers stand on. It holds nothing of a request's.
type Resolver struct {
	DB        *store.DB
	Connect   *connect.Service
	Syncer    *syncer.Service
	Webhooks  *webhook.Service
	Keys      *auth.Keys
	Sessions  *auth.Sessions
	Live      *live.Hub
	Catalogue *integration.Catalogue
	Budgets   *ratelimit.Budgets // nil limits nobody
	Log       *slog.Logger
}

type (
	query           struct{ *Resolver }
	mutation        struct{ *Resolver }
	subscription    struct{ *Resolver }
	webhookEndpoint struct{ *Resolver }
)

// Query implements generated.ResolverRoot.
func (r *Resolver) Query() generated.QueryResolver { return query{r} }

// Mutation implements generated.ResolverRoot.
func (r *Resolver) Mutation() generated.MutationResolver { return mutation{r} }

// Subscription implements generated.ResolverRoot.
func (r *Resolver) Subscription() generated.SubscriptionResolver { return subscription{r} }

// WebhookEndpoint implements generated.ResolverRoot.
func (r *Resolver) WebhookEndpoint() generated.WebhookEndpointResolver { return webhookEndpoint{r} }

// tenant is the database as the request's principal sees it. An organisation other than the principal's is NotFound.
func (r *Resolver) tenant(ctx context.Context, org string) (*store.Tenant, error) {
	p, err := r.member(ctx, org)
	if err != nil {
		return nil, err
	}
	return r.DB.Tenant(p.Scope()), nil
}

// member is the request's principal, if the organisation is its own.
func (r *Resolver) member(ctx context.Context, org string) (integration.Principal, error) {
	p, err := auth.Principal(ctx)
	if err == nil && p.Org != org {
		err = integration.NotFound("no such organisation")
	}
	return p, err
}

// orNull answers null where there is nothing to be found: the field is nullable.
func orNull[T any](v *T, err error) (*T, error) {
	if integration.IsKind(err, integration.KindNotFound) {
		return nil, nil
	}
	return v, err
}
