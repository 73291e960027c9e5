package clickup

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// tokenErrors are the codes that ClickUp documents for tokens that are missing, unknown or revoked.
var tokenErrors = []string{"OAUTH_017", "OAUTH_018", "OAUTH_019", "OAUTH_021", "OAUTH_025", "OAUTH_077"}

// classify reads ClickUp's own code of an error. That matters most for 401, which is the answer to a bad token and also to
// a good one that a Workspace has not authorised, or that asks for an object which never was.
func classify(_ int, body []byte) (integration.ProviderReason, bool) {
	var answer struct {
		Code text `json:"ECODE"`
	}
	if !json.Valid(body) || !decode(body, &answer) {
		return "", false
	}
	code := string(answer.Code)
	kind, digits, _ := strings.Cut(code, "_")
	n, _ := strconv.Atoi(digits)
	switch {
	case slices.Contains(tokenErrors, code):
		return integration.ReasonAuthFailed, true
	case kind == "OAUTH" && (n == 23 || n == 26 || n == 27 || n >= 29 && n <= 45), kind == "ACCESS":
		return integration.ReasonPermission, true
	case code == "ITEM_013", code == "ITEM_015": // "… not found, deleted"
		return integration.ReasonNotFound, true
	}
	return "", false
}

// authorize sends a personal token as it is, and any other as OAuth's.
func authorize(h http.Header, token string) {
	if !strings.HasPrefix(token, "pk_") {
		token = "Bearer " + token
	}
	h.Set("Authorization", token)
}

// quota reads the headers of the limit. The reset is in Unix seconds, which ClickUp documents without an example: a number
// too large for seconds is taken for milliseconds.
func quota(h http.Header) (provider.Quota, bool) {
	limit, noLimit := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	remaining, noRemaining := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	reset, noReset := strconv.ParseFloat(h.Get("X-RateLimit-Reset"), 64)
	if noLimit != nil || noRemaining != nil || noReset != nil || limit <= 0 || reset <= 0 || reset > 1e15 {
		return provider.Quota{}, false
	}
	const year5138 = 1e11
	if reset < year5138 {
		reset *= 1000
	}
	return provider.Quota{Limit: limit, Remaining: remaining, Reset: time.UnixMilli(int64(reset))}, true
}

// failed is an error of ours about ClickUp.
func failed(reason integration.ProviderReason, format string, args ...any) error {
	return integration.ProviderFailed(name, reason, format, args...)
}

// oddAnswer is the error of an answer that came and cannot be used. Where it is about a single thing, the others are read.
type oddAnswer struct{ cause error }

func (o *oddAnswer) Error() string { return o.cause.Error() }

// Unwrap makes it a failure of the provider.
func (o *oddAnswer) Unwrap() error { return o.cause }

// unexpected is the error of an answer that is not as the contract says.
func unexpected(what string) error {
	return &oddAnswer{failed(integration.ReasonUnavailable, "ClickUp's answer has no %s", what)}
}

// odd reports that an answer came and cannot be used.
func odd(err error) bool {
	var o *oddAnswer
	return errors.As(err, &o)
}

// missing reports that an object does not exist, or not for this token.
func missing(err error) bool {
	return integration.IsProviderReason(err, integration.ReasonNotFound)
}

// refused reports that the token is not allowed to see an object, or the Workspace as a whole.
func refused(err error) bool {
	return integration.IsProviderReason(err, integration.ReasonPermission)
}

// failure is the entry of an item that could not be read.
func failure(kind integration.ObjectType, id, reason string) integration.SyncFailure {
	if len(id) > integration.MaxExternalID {
		id = strings.ToValidUTF8(id[:integration.MaxExternalID], "")
	}
	return integration.SyncFailure{Type: kind, ExternalID: id, Reason: reason}
}

// unlisted is the entry of a listing that could not be read for err. It is broken where an answer came that cannot be used; one that the
// token may not see is as if it were not there.
func unlisted(kind integration.ObjectType, id, reason string, err error) integration.SyncFailure {
	f := failure(kind, id, reason)
	f.Broken = odd(err)
	return f
}
