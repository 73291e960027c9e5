package doctor

import (
	"context"
	"fmt"
	"strings"
)

// OpenID is the provider whose tokens are taken.
type OpenID struct {
	Issuer string
	// Check discovers it and fetches its keys.
	Check func(context.Context) error
}

func (p *OpenID) judge(ctx context.Context) Finding {
	if err := p.Check(ctx); err != nil {
		return Finding{"openid-issuer", Severe, "The OpenID provider's tokens cannot be checked, and nobody can sign in there: " + sentence(err),
			fmt.Sprintf("See that PATCHBAY_OIDC_ISSUER is exactly what the provider calls itself, slash at the end or not, and that this machine reaches "+
				"%s/.well-known/openid-configuration and the jwks_uri in it. API keys work meanwhile.", strings.TrimSuffix(p.Issuer, "/"))}
	}
	return Finding{"openid-issuer", OK, p.Issuer + " answers, and its keys can be read.", ""}
}
