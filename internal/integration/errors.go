package integration

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Kind says what went wrong, for machines. package graph maps each kind to the API's extensions.code.
type Kind int

const (
	// KindInvalid is input that cannot be used as it is; Error.Field names it.
	KindInvalid Kind = iota + 1
	// KindUnauthenticated is a request without a valid credential.
	KindUnauthenticated
	// KindForbidden is a request whose principal's role, or the database's own privileges, do not allow it.
	KindForbidden
	// KindNotFound is what does not exist or is not the principal's: the two are told apart nowhere.
	KindNotFound
	// KindConflict is a change that lost against another one, or against a uniqueness rule.
	KindConflict
	// KindUnreadable is a sealed secret that does not open: damaged, or copied from another row.
	KindUnreadable
	// KindProvider is a third party that refused, or did not answer; Error.Provider and Error.Reason say more.
	KindProvider
	// KindRateLimited is a request too many; Error.RetryAfter says when the next may come.
	KindRateLimited
)

// ProviderReason says why a third party did not do what was asked of it.
type ProviderReason string

const (
	ReasonAuthFailed  ProviderReason = "auth_failed"  // the credentials are not, or no longer, valid
	ReasonPermission  ProviderReason = "permission"   // they are, and do not reach this
	ReasonNotFound    ProviderReason = "not_found"    // there is no such thing, or none that they reach
	ReasonRateLimited ProviderReason = "rate_limited" // too much was asked
	ReasonUnavailable ProviderReason = "unavailable"  // it did not answer, or not as its contract says
)

// Error is an error that is safe to show to a client. Whatever is not an Error is internal: logged in full, shown as
// nothing but a request id. Message never holds a secret.
type Error struct {
	Kind    Kind
	Field   string // the input field at fault, as a dotted path; empty where no single one is
	Message string

	Provider string         // of KindProvider: the provider's name
	Reason   ProviderReason // of KindProvider
	// RetryAfter is how long to wait before asking again, of KindRateLimited, and of KindProvider where that is known; else 0.
	RetryAfter time.Duration
}

func (e *Error) Error() string { return e.Message }

// Invalid reports that field (a dotted path such as "settings.batch_size") cannot be used. The message should say what
// was expected; it must not repeat a value that may be secret.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Kind: KindInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// NotFound reports that what was asked for does not exist, or is not the asker's to see.
func NotFound(format string, args ...any) *Error {
	return &Error{Kind: KindNotFound, Message: fmt.Sprintf(format, args...)}
}

// Conflict reports a change that lost against the state that the database holds.
func Conflict(field, format string, args ...any) *Error {
	return &Error{Kind: KindConflict, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Forbidden reports that the principal may not do this.
func Forbidden(format string, args ...any) *Error {
	return &Error{Kind: KindForbidden, Message: fmt.Sprintf(format, args...)}
}

// Unauthenticated reports that there is no principal.
func Unauthenticated(format string, args ...any) *Error {
	return &Error{Kind: KindUnauthenticated, Message: fmt.Sprintf(format, args...)}
}

// Unreadable reports that stored secrets do not open.
func Unreadable(format string, args ...any) *Error {
	return &Error{Kind: KindUnreadable, Message: fmt.Sprintf(format, args...)}
}

// ProviderFailed reports that a third party refused, or did not answer. The message must hold nothing of the request's
// headers or the answer's body.
func ProviderFailed(provider string, reason ProviderReason, format string, args ...any) *Error {
	return &Error{Kind: KindProvider, Provider: provider, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// IsProviderReason reports whether err is, or wraps, a third party's failure for this reason.
func IsProviderReason(err error, reason ProviderReason) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == KindProvider && e.Reason == reason
}

// RateLimited reports a request too many, of which another may be tried after so long.
func RateLimited(after time.Duration, format string, args ...any) *Error {
	return &Error{Kind: KindRateLimited, Message: fmt.Sprintf(format, args...), RetryAfter: after}
}

// RetryAfterSeconds is RetryAfter in whole seconds, at least one: a client that waits for them does not come too early.
func (e *Error) RetryAfterSeconds() int { return max(int(math.Ceil(e.RetryAfter.Seconds())), 1) }

// IsKind reports whether err is, or wraps, an Error of this kind.
func IsKind(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}
