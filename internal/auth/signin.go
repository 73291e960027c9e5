package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

const (
	// FlowLifetime is how long somebody may take at the provider.
	FlowLifetime = 10 * time.Minute
	// maxReturnTo bounds the page to go on to: it has to fit into a cookie.
	maxReturnTo = 1000
	callback    = "/sign-in/callback"
)

// flow is a sign-in that is under way. It is nowhere but in a sealed cookie of the browser's, so that it can end at
// another server than it began at.
type flow struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	ReturnTo string    `json:"returnTo"`
	Expires  time.Time `json:"expires"`
}

// beginSignIn sends the browser to the provider.
func (s *Sessions) beginSignIn(w http.ResponseWriter, r *http.Request) {
	if s.OIDC == nil || s.OIDC.ClientID == "" {
		http.Error(w, "Browsers sign in here with a link that the server prints when it starts on its private database. On any other, sign in "+
			"on the first page with an API key made by `patchbay apikey create`; or set PATCHBAY_OIDC_ISSUER and PATCHBAY_OIDC_CLIENT_ID, and people sign in at your OpenID provider.", http.StatusForbidden)
		return
	}
	known, err := s.OIDC.issuer.discover(r.Context())
	if err != nil {
		s.fail(w, r, &failure{http.StatusBadGateway, "The provider cannot be reached.", err})
		return
	}
	f := flow{
		State:    rand.Text(),
		Nonce:    rand.Text(),
		Verifier: oauth2.GenerateVerifier(),
		ReturnTo: ownPage(r.URL.Query().Get("returnTo")),
		Expires:  time.Now().Add(FlowLifetime),
	}
	sealed, err := f.seal(s.OIDC.FlowKeys[0])
	if err != nil {
		s.fail(w, r, &failure{http.StatusInternalServerError, "Signing in failed.", err})
		return
	}
	http.SetCookie(w, s.cookie(s.flowCookie(), sealed, f.Expires))
	http.Redirect(w, r, s.OIDC.client(known).AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), http.StatusSeeOther)
}

// Callback answers GET /sign-in/callback, where the provider sends the browser back: it redeems the code for an ID token,
// starts a session of whom that names and goes on to the page that was asked for.
func (s *Sessions) Callback(w http.ResponseWriter, r *http.Request) {
	private(w.Header())
	if s.OIDC == nil || s.OIDC.ClientID == "" {
		http.NotFound(w, r)
		return
	}
	f, p, failed := s.finishSignIn(r)
	http.SetCookie(w, s.cookie(s.flowCookie(), "", time.Time{})) // each flow once
	if failed == nil {
		p.Origin = s.origin(r)
		switch err := s.begin(w, r, p, nil); {
		case integration.IsKind(err, integration.KindNotFound):
			failed = &failure{http.StatusForbidden, fmt.Sprintf("The claim %q names a project that does not exist here.", s.OIDC.Claims.Projects), err}
		case err != nil:
			failed = &failure{http.StatusInternalServerError, "Signing in failed; the server's log says why.", err}
		}
	}
	if failed != nil {
		s.fail(w, r, failed)
		return
	}
	http.Redirect(w, r, f.ReturnTo, http.StatusSeeOther)
}

// failure is why somebody is not signed in. Neither text holds what came from the address, a cookie or the provider.
type failure struct {
	status  int
	message string // for the browser
	err     error  // for the log
}

func (s *Sessions) fail(w http.ResponseWriter, r *http.Request, f *failure) {
	log := s.Log.WarnContext
	if f.status == http.StatusInternalServerError {
		log = s.Log.ErrorContext
	}
	log(r.Context(), "cannot sign a browser in", "status", f.status, "error", f.err)
	http.Error(w, f.message+"\n\nTo try again, open "+s.OIDC.PublicURL+"/sign-in", f.status)
}

// finishSignIn returns whom the provider says the browser is of.
func (s *Sessions) finishSignIn(r *http.Request) (flow, integration.Principal, *failure) {
	fail := func(status int, message string, err error) (flow, integration.Principal, *failure) {
		return flow{}, integration.Principal{}, &failure{status, message, err}
	}
	query := r.URL.Query()
	f, err := s.flow(r)
	if err == nil && subtle.ConstantTimeCompare([]byte(f.State), []byte(query.Get("state"))) != 1 {
		err = errors.New("the state is not that of the browser's cookie")
	}
	if err != nil {
		return fail(http.StatusBadRequest, "This sign-in was not begun in this browser, was begun anew in another tab, has been used, or took longer than 10 minutes.", err)
	}
	if code := query.Get("error"); code != "" {
		if code == "access_denied" {
			return fail(http.StatusForbidden, "The provider did not let you in, or you did not agree. Ask whoever administers it.", errors.New("the provider answered access_denied"))
		}
		return fail(http.StatusBadGateway, "The provider could not sign you in. Whoever administers it can see why.", fmt.Errorf("the provider answered %s", oauthError(code)))
	}
	known, err := s.OIDC.issuer.discover(r.Context())
	if err != nil {
		return fail(http.StatusBadGateway, "The provider cannot be reached.", err)
	}
	said, err := s.OIDC.redeem(r.Context(), known, query.Get("code"), f)
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.ErrorCode == "invalid_grant":
		return fail(http.StatusBadRequest, "The provider does not take this sign-in: it has been used, or is too old.", errors.New("the provider refused the code: invalid_grant"))
	case refused != nil: // its text holds the provider's whole answer
		return fail(http.StatusBadGateway, "The provider refused this server; the server's log says why.",
			fmt.Errorf("the token endpoint answered with status %d and %s: see PATCHBAY_OIDC_CLIENT_ID and PATCHBAY_OIDC_CLIENT_SECRET", refused.Response.StatusCode, oauthError(refused.ErrorCode)))
	case integration.IsKind(err, integration.KindUnauthenticated):
		return fail(http.StatusBadRequest, "The provider's answer is not for this sign-in.", err)
	case err != nil:
		return fail(http.StatusBadGateway, "The provider cannot be reached, or did not answer as it should; the server's log says why.", err)
	}
	p, err := said.principal(s.OIDC.Claims)
	if err == nil && p.Projects != nil && len(p.Projects) == 0 {
		err = forbidden(s.OIDC.Claims.Projects, "a list with at least one project")
	}
	if err != nil {
		return fail(http.StatusForbidden, "You are not let in: "+err.Error()+". Ask whoever administers the provider.", err)
	}
	return f, p, nil
}

// oauthError is an error code of OAuth, if it is one that the standards define.
func oauthError(code string) string {
	switch code {
	case "invalid_request", "invalid_client", "unauthorized_client", "unsupported_response_type", "unsupported_grant_type", "invalid_scope",
		"server_error", "temporarily_unavailable", "interaction_required", "login_required", "account_selection_required", "consent_required":
		return code
	}
	return "another error than the standards define"
}

func (o *OIDC) client(known *discovered) *oauth2.Config {
	endpoint := known.provider.Endpoint()
	endpoint.AuthStyle = known.style
	if o.ClientSecret.IsZero() {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID:     o.ClientID,
		ClientSecret: o.ClientSecret.Expose(),
		Endpoint:     endpoint,
		RedirectURL:  o.PublicURL + callback,
		Scopes:       []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail},
	}
}

// redeem turns a code into the claims of an ID token of the same flow.
func (o *OIDC) redeem(ctx context.Context, known *discovered, code string, f flow) (claims, error) {
	answer, err := o.client(known).Exchange(oidc.ClientContext(ctx, o.issuer.direct), code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return nil, err
	}
	token, ok := answer.Extra("id_token").(string)
	if !ok || !jwtForm.MatchString(token) {
		return nil, errors.New("the token endpoint gave no ID token")
	}
	said, _, err := o.verify(ctx, token, o.ClientID)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(said.text("nonce")), []byte(f.Nonce)) != 1 {
		return nil, integration.Unauthenticated("the ID token's nonce is not that of the sign-in")
	}
	if _, given := said["azp"]; given && said.text("azp") != o.ClientID {
		return nil, integration.Unauthenticated("the ID token was made for another client")
	}
	return said, nil
}

func (s *Sessions) flowCookie() string { return s.hostBound("patchbay-sign-in") }

// flow opens the request's cookie.
func (s *Sessions) flow(r *http.Request) (f flow, err error) {
	cookie, err := r.Cookie(s.flowCookie())
	if err != nil {
		return f, errors.New("the browser has no cookie of a sign-in")
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return f, errors.New("the cookie is not one that was set here")
	}
	for _, key := range s.OIDC.FlowKeys {
		box, err := flowBox(key)
		if err != nil {
			return f, err
		}
		text, err := box.Open(nil, nil, sealed, nil)
		if err != nil {
			continue
		}
		if err := json.Unmarshal(text, &f); err != nil || !time.Now().Before(f.Expires) {
			return flow{}, errors.New("the sign-in took too long")
		}
		return f, nil
	}
	return f, errors.New("the cookie does not open: it is not one that was set here, or the encryption key has changed")
}

func (f flow) seal(key seal.Secret) (string, error) {
	box, err := flowBox(key)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(f)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(box.Seal(nil, nil, text, nil)), nil
}

func flowBox(key seal.Secret) (cipher.AEAD, error) {
	block, err := aes.NewCipher([]byte(key.Expose()))
	if err != nil {
		return nil, fmt.Errorf("use the key of sign-in cookies: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// ownPage is a page of this server to go on to after signing in; where it could be understood as another server's, or as
// another sign-in, it is the first one.
func ownPage(page string) string {
	u, err := url.Parse(page)
	if err != nil || u.Scheme != "" || u.Host != "" || len(page) > maxReturnTo || !strings.HasPrefix(page, "/") || strings.HasPrefix(page, "//") ||
		strings.ContainsFunc(page, func(r rune) bool { return r <= ' ' || r == '\\' || r >= 0x7f }) || strings.HasPrefix(path.Clean(u.Path), "/sign-") {
		return "/"
	}
	return page
}
