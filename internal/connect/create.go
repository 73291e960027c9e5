package connect

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// NewIntegration is what a client asks to be made; what is nil takes its default.
type NewIntegration struct {
	ProjectID     uuid.UUID
	Name          string
	Provider      *string // the name's
	DisplayName   *string // the provider's
	Description   *string
	Enabled       *bool // true
	LogoURL       *string
	Settings      *integration.Settings
	WebhookSecret *integration.SecretText // 32 random bytes in hex
}

// CreateIntegration checks, seals and stores an integration. Every fault of the input is reported, but not to somebody
// who has no access to the project: that is NotFound. with says what is read for the answer.
func (s *Service) CreateIntegration(ctx context.Context, p integration.Principal, in NewIntegration, with store.With) (*integration.PublicIntegration, error) {
	tenant := s.db.Tenant(p.Scope())
	providerName := in.Name
	if in.Provider != nil {
		providerName = *in.Provider
	}
	change, err := s.providers.Change(providerName, in.Settings.Values())
	err = errors.Join(
		integration.CheckName("name", in.Name),
		checkTexts(in.DisplayName, in.Description, in.LogoURL),
		checkWebhookSecret(in.WebhookSecret),
		err,
	)
	if err != nil {
		if hidden := tenant.CheckProject(ctx, in.ProjectID); hidden != nil {
			return nil, hidden
		}
		return nil, err
	}
	n := store.NewIntegration{
		ID:             uuid.Must(uuid.NewV7()),
		ProjectID:      in.ProjectID,
		Name:           in.Name,
		Provider:       providerName,
		DisplayName:    s.providers.Catalogue().Provider(providerName).DisplayName,
		Description:    in.Description,
		Enabled:        in.Enabled == nil || *in.Enabled,
		LogoURL:        in.LogoURL,
		PublicSettings: change.Public,
		Secrets:        change.Secrets,
		WebhookSecret:  seal.GenerateWebhookSecret(),
	}
	if in.DisplayName != nil {
		n.DisplayName = *in.DisplayName
	}
	if in.WebhookSecret != nil {
		n.WebhookSecret = seal.NewSecret(in.WebhookSecret.Expose())
	}
	made, err := tenant.CreateIntegration(ctx, s.ring, n, with)
	if err != nil {
		return nil, err
	}
	s.tell(ctx, made.ProjectID, made.ID)
	return made, nil
}

// DeleteIntegration removes an integration with all that hangs on it, then its webhook at the third party, as well as that goes.
func (s *Service) DeleteIntegration(ctx context.Context, p integration.Principal, project uuid.UUID, name string) (uuid.UUID, error) {
	if integration.CheckName("name", name) != nil {
		return uuid.Nil, noIntegration()
	}
	tenant := s.db.Tenant(p.Scope())
	unhook := s.leaving(ctx, tenant, project, name)
	id, err := tenant.DeleteIntegration(ctx, project, name)
	if err != nil {
		return uuid.Nil, err
	}
	if id == nil {
		return uuid.Nil, noIntegration()
	}
	s.tell(ctx, project, *id)
	if unhook != nil {
		unhook()
	}
	return *id, nil
}

// noIntegration does not repeat the name, which may be a secret in the wrong place.
func noIntegration() error {
	return integration.NotFound("no such integration")
}

// checkTexts checks those of an integration's texts that are given.
func checkTexts(displayName, description, logoURL *string) error {
	var errs []error
	if displayName != nil {
		errs = append(errs, integration.CheckText("displayName", *displayName, integration.MaxDisplayName))
	}
	if description != nil {
		errs = append(errs, integration.CheckDescription("description", *description))
	}
	if logoURL != nil {
		errs = append(errs, integration.CheckLogoURL("logoUrl", *logoURL))
	}
	return errors.Join(errs...)
}

// checkWebhookSecret refuses what no provider would have issued. The message never repeats it.
func checkWebhookSecret(given *integration.SecretText) error {
	if given == nil {
		return nil
	}
	secret := given.Expose()
	switch {
	case provider.Masked(secret):
		return integration.Invalid("webhookSecret", "webhookSecret looks like a masked value; leave it out to keep what is stored")
	case len(secret) < 8 || len(secret) > integration.MaxSecret:
		return integration.Invalid("webhookSecret", "webhookSecret must be the secret that the provider issued, 8 to %d bytes", integration.MaxSecret)
	case !utf8.ValidString(secret) || strings.ContainsFunc(secret, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return integration.Invalid("webhookSecret", "webhookSecret must be text without white space or control characters")
	}
	return nil
}
