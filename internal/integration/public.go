package integration

import (
	"net/url"
	"regexp"
	"time"

	"github.com/google/uuid"
)

// PublicIntegration is an integration as anyone with access may see it. It has no field for a secret and never gains
// one: the sealed columns are not even read into it.
type PublicIntegration struct {
	ID                uuid.UUID
	Name              string // unique in its project
	DisplayName       string
	Description       *string
	Enabled           bool
	OrgID             string
	ProjectID         uuid.UUID
	LogoURL           *string
	CreatedAt         time.Time
	UpdatedAt         time.Time
	CreatedBy         *string
	Revision          int // grows by one with every change
	Provider          *Provider
	Settings          map[string]any   // those that are not secret
	ConfiguredSecrets []string         // names of the secret settings that have a value, sorted
	SecretChanges     []*SecretChange  // of those of them of which it is known; nil unless the reader asked for it
	HasConfiguration  bool             // every setting that the provider requires has a value
	SyncState         *SyncState       // nil unless the reader asked for it
	Webhook           *WebhookEndpoint // nil unless the reader asked for it and the provider has webhooks
}

// WebhookEndpoint is where the third party tells of an integration's changes. Its URL follows from provider and integration.
type WebhookEndpoint struct {
	IntegrationID  uuid.UUID
	Provider       string
	HasSecret      bool // one that signs deliveries is stored
	Registered     bool // this server set it up at the third party, and it was there when last looked at
	LastDeliveryAt *time.Time
}

// SecretChange is when a secret setting was given last.
type SecretChange struct {
	Name      string
	ChangedAt time.Time
}

// Filter narrows a list of integrations; zero fields do not.
type Filter struct {
	Name    *string
	Enabled *bool
	Search  *string // case-insensitive part of name, display name or description
}

// Limits of the text fields, in characters; those of the columns where a column has one.
const (
	MaxName        = 50
	MaxDisplayName = 255
	MaxDescription = 4000
	MaxLogoURL     = 512
	MaxOrgID       = 255
	MaxSecret      = 512
)

var slug = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// CheckName refuses an integration name that is no slug.
func CheckName(field, name string) error {
	if len(name) > MaxName || !slug.MatchString(name) {
		return Invalid(field, "%s must be lower-case letters, digits and single hyphens between them, at most %d characters", field, MaxName)
	}
	return nil
}

// CheckDescription refuses a description that is too long or has control characters other than line breaks and tabs.
// An empty one is allowed.
func CheckDescription(field, text string) error {
	if n := len([]rune(text)); n > MaxDescription {
		return Invalid(field, "%s may have at most %d characters, and has %d", field, MaxDescription, n)
	}
	return checkCharacters(field, text, "\n\r\t")
}

// CheckLogoURL refuses what a browser could not safely show as an image's address.
func CheckLogoURL(field, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(address) > MaxLogoURL {
		return Invalid(field, "%s must be an https:// address of at most %d characters, without a user name", field, MaxLogoURL)
	}
	return checkCharacters(field, address, "")
}
