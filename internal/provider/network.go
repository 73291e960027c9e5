package provider

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// Network is the one way to third parties: it makes clients that keep to the limits of all processes together.
type Network struct{}

// ClientOptions are what a provider's folder tells of its API.
type ClientOptions struct {
	Provider  string // its name
	Origin    string // scheme and host; paths follow
	Tenant    bool   // Origin comes from a tenant's settings: https only, and no private address
	Token     seal.Secret
	Limit     Limit                                                            // until an answer names one
	Authorize func(h http.Header, token string)                                // sets the credentials' header
	Quota     func(h http.Header) (q Quota, told bool)                         // reads the limit's headers
	Classify  func(status int, body []byte) (integration.ProviderReason, bool) // where the status alone does not tell
}

// Quota is how much of a token's limit is left, as an answer tells it.
type Quota struct {
	Limit     int
	Remaining int
	Reset     time.Time
}

// Client returns a client of one account.
func (n *Network) Client(o ClientOptions) *Client { return &Client{} }

// Client sends requests with one account's credentials.
type Client struct{}

// Get reads path and decodes the JSON answer into out.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error { return nil }

// Send sends a body as JSON, which may be nil, and decodes the answer into out, unless that is nil. It is not repeated unless the
// method is idempotent.
func (c *Client) Send(ctx context.Context, method, path string, body, out any) error { return nil }
