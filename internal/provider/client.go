package provider

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"patchbay/internal/integration"
)

const (
	// maxAttempts is how often a request is sent that is safe to repeat.
	maxAttempts = 4
	// firstBackoff doubles with each attempt; half of it is random.
	firstBackoff = 200 * time.Millisecond
	// patience is how long a client waits by itself, for a limit or because the third party asked to; beyond it, the
	// caller gets a *Wait.
	patience = 3 * time.Second
	// maxRedirects is how many are followed, all within the origin.
	maxRedirects = 5
	// maxRefusal is how much is read of an answer that is a refusal.
	maxRefusal = 64 << 10
)

// Client sends requests with one account's credentials. It is safe for use by several goroutines.
//
// Its errors are *integration.Error of KindProvider, *Wait, or ctx's own. None has anything of a header, a body or a query in it.
type Client struct {
	o         ClientOptions
	log       *slog.Logger
	transport http.RoundTripper
	limiter   *limiter
}

// Request is a call of a third party's API.
type Request struct {
	Method   string      // GET where empty
	Path     string      // with its leading slash; or a whole address that an answer named, such as the next page's
	Query    url.Values  // is added to what Path has
	Header   http.Header // beside the credentials, Accept, Content-Type and User-Agent
	Body     any         // sent as JSON, unless nil
	ReadOnly bool        // of a POST: it changes nothing, as a search does, so that it may be repeated
	Out      any         // a pointer that the JSON answer is decoded into, unless nil
}

// Answer is what came with an answer's body.
type Answer struct {
	Status int // 2xx; or 304 where the request had an If-None-Match, Out being as it was
	Header http.Header
}

// Get reads path and decodes the JSON answer into out.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	_, err := c.Do(ctx, Request{Path: path, Query: query, Out: out})
	return err
}

// Send sends a body as JSON, which may be nil, and decodes the answer into out, unless that is nil. It is not repeated
// unless the method is idempotent, or nothing was sent.
func (c *Client) Send(ctx context.Context, method, path string, body, out any) error {
	_, err := c.Do(ctx, Request{Method: method, Path: path, Body: body, Out: out})
	return err
}

// Do sends a request. What is safe to repeat is repeated where the third party failed, as the package's limits allow.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	call, err := c.prepare(r)
	if err != nil {
		return Answer{}, err
	}
	redirects := 0
	for attempt := 1; ; attempt++ {
		if r.Out != nil && attempt > 1 { // of what an attempt decoded before it failed, nothing stays
			reflect.ValueOf(r.Out).Elem().SetZero()
		}
		o := c.attempt(ctx, call, attempt)
		switch {
		case ctx.Err() != nil && o.err != nil:
			return Answer{}, ctx.Err()
		case o.redirect != nil:
			if redirects++; redirects > maxRedirects {
				return Answer{}, c.failed(integration.ReasonUnavailable, "%s sent %s on more than %d times", c.o.DisplayName, call, maxRedirects)
			}
			call.url, attempt = o.redirect, attempt-1
			continue
		case !o.again || attempt == maxAttempts || time.Until(o.wait) > patience:
			if o.err != nil && !o.wait.IsZero() {
				o.err = newWait(o.wait, o.err)
			}
			return o.answer, o.err
		}
		if err := sleep(ctx, max(time.Until(o.wait), backoff(attempt))); err != nil {
			return Answer{}, err
		}
	}
}

// call is a request made ready to be sent several times. It prints as its method and path.
type call struct {
	Request
	url  *url.URL
	body []byte
}

func (c *call) String() string {
	path := c.url.EscapedPath()
	return c.Method + " " + path[:min(len(path), 200)]
}

// repeatable reports whether a request may be sent again though it may have arrived.
func (c *call) repeatable() bool {
	switch c.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	}
	return c.ReadOnly
}

func (c *Client) prepare(r Request) (*call, error) {
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	origin, err := url.Parse(c.o.Origin)
	if err != nil || origin.Host == "" || origin.User != nil {
		return nil, c.failed(integration.ReasonUnavailable, "%s has no address that can be used", c.o.DisplayName)
	}
	if c.o.Tenant && origin.Scheme != "https" {
		return nil, c.failed(integration.ReasonUnavailable, "%s has an address that does not begin with https://", c.o.DisplayName)
	}
	to, err := origin.Parse(r.Path)
	if err != nil || !sameOrigin(to, origin) {
		return nil, c.failed(integration.ReasonUnavailable, "%s named an address outside %s, which is not followed", c.o.DisplayName, origin.Host)
	}
	if len(r.Query) > 0 {
		query := to.Query()
		for name, values := range r.Query {
			query[name] = values
		}
		to.RawQuery = query.Encode()
	}
	to.Fragment = ""
	prepared := &call{Request: r, url: to}
	if r.Body != nil {
		if prepared.body, err = json.Marshal(r.Body); err != nil {
			return nil, fmt.Errorf("write the body of %s as JSON: %w", prepared, err)
		}
	}
	return prepared, nil
}

// outcome is what became of an attempt.
type outcome struct {
	answer   Answer
	redirect *url.URL
	err      error
	again    bool      // it may be sent again by itself
	wait     time.Time // and by whomever, not sooner; zero where no such time was told
}

func (c *Client) attempt(ctx context.Context, call *call, number int) (o outcome) {
	p, retry, ok, err := c.limiter.take(ctx)
	switch {
	case err != nil:
		return outcome{err: err}
	case !ok:
		return outcome{wait: retry, err: c.failed(integration.ReasonRateLimited,
			"the requests that %s allows are used up until %s", c.o.DisplayName, retry.UTC().Format(time.RFC3339))}
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, wholeTimeout)
	defer cancel()
	sent := 0 // net/http repeats by itself what it sent through a connection that was closed meanwhile
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent++ }})
	req, err := c.request(ctx, call)
	if err != nil {
		c.limiter.unanswered(ctx, p)
		return outcome{err: err}
	}
	status := 0
	var cause string
	resp, err := c.transport.RoundTrip(req)
	c.limiter.owe(sent - 1)
	if err != nil {
		o, cause = c.unanswered(call, err), causeOf(err)
		o.again = o.again && (call.repeatable() || sent == 0)
		c.limiter.unanswered(ctx, p)
	} else {
		status = resp.StatusCode
		o, cause = c.answered(ctx, p, call, resp)
		resp.Body.Close()
	}
	level := slog.LevelDebug
	if o.err != nil && integration.IsProviderReason(o.err, integration.ReasonUnavailable) {
		level = slog.LevelWarn
	}
	attrs := []any{"method", call.Method, "path", call.url.EscapedPath(), "status", status, "duration", time.Since(began), "attempt", number}
	if cause != "" {
		attrs = append(attrs, "cause", cause)
	}
	c.log.Log(ctx, level, "asked a provider", attrs...)
	return o
}

func (c *Client) request(ctx context.Context, call *call) (*http.Request, error) {
	var body io.Reader
	if call.body != nil {
		body = bytes.NewReader(call.body)
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, call.url.String(), body)
	if err != nil {
		return nil, fmt.Errorf("prepare %s", call) // the cause quotes the address, query and all
	}
	for name, values := range call.Header {
		req.Header[name] = values
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	req.Header.Set("User-Agent", "Patchbay")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.o.Authorize != nil {
		c.o.Authorize(req.Header, c.o.Token.Expose())
	}
	return req, nil
}

// unanswered says what a transport's error means.
func (c *Client) unanswered(call *call, err error) outcome {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errPrivate):
		return outcome{err: c.failed(integration.ReasonUnavailable,
			"%s is at a private address (%s), which this server does not connect to; its operator can allow it with PATCHBAY_ALLOW_PRIVATE_HOSTS",
			c.o.DisplayName, call.url.Hostname())}
	case errors.As(err, &timeout) && timeout.Timeout():
		return outcome{again: true, err: c.failed(integration.ReasonUnavailable, "%s did not answer %s in time", c.o.DisplayName, call)}
	}
	return outcome{again: true, err: c.failed(integration.ReasonUnavailable, "%s could not be reached for %s", c.o.DisplayName, call)}
}

// causeOf tells the log why there was no answer. Of errors that may quote one, only the type.
func causeOf(err error) string {
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &op) || errors.As(err, &certificate) {
		return err.Error()
	}
	return fmt.Sprintf("%T", err)
}

// answered reads an answer, and tells the limiter of it. cause is for the log, and holds nothing of the body.
func (c *Client) answered(ctx context.Context, p permit, call *call, resp *http.Response) (o outcome, cause string) {
	status := resp.StatusCode
	var q Quota
	told := false
	if c.o.Quota != nil {
		q, told = c.o.Quota(resp.Header)
		told = told && q.Limit > 0
	}
	if status < 400 {
		c.limiter.answered(ctx, p, resp.Header, q, told, false)
		if status >= 300 && (status != http.StatusNotModified || call.Header.Get("If-None-Match") == "") {
			return c.redirected(call, resp), ""
		}
		return c.decode(call, resp)
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	reason := reasonOf(status)
	if c.o.Classify != nil {
		if refined, ok := c.o.Classify(status, body); ok {
			reason = refined
		}
	}
	o.err = c.failed(reason, refusal(reason), c.o.DisplayName, status, call)
	o.again = call.repeatable()
	if reason == integration.ReasonRateLimited {
		o.wait = c.limiter.refused(ctx, p, resp.Header, q, told)
		return o, ""
	}
	c.limiter.answered(ctx, p, resp.Header, q, told, status >= 500)
	o.again = o.again && reason == integration.ReasonUnavailable && repeatableStatus[status]
	if pause, ok := retryAfter(resp.Header); ok && o.again {
		o.wait = time.Now().Add(pause)
	}
	return o, ""
}

// refusal is the format of an error's text: what the status means, for people, before what it is.
func refusal(reason integration.ProviderReason) string {
	switch reason {
	case integration.ReasonAuthFailed:
		return "%s refused the credentials: it answered %d to %s"
	case integration.ReasonPermission:
		return "%s does not allow this with these credentials: it answered %d to %s"
	}
	return "%s answered %d to %s"
}

// repeatableStatus are the statuses that may be gone a moment later.
var repeatableStatus = map[int]bool{
	http.StatusRequestTimeout: true, http.StatusTooEarly: true, http.StatusInternalServerError: true,
	http.StatusBadGateway: true, http.StatusServiceUnavailable: true, http.StatusGatewayTimeout: true,
}

func reasonOf(status int) integration.ProviderReason {
	switch status {
	case http.StatusUnauthorized:
		return integration.ReasonAuthFailed
	case http.StatusForbidden:
		return integration.ReasonPermission
	case http.StatusNotFound, http.StatusGone:
		return integration.ReasonNotFound
	case http.StatusTooManyRequests:
		return integration.ReasonRateLimited
	}
	return integration.ReasonUnavailable
}

func (c *Client) decode(call *call, resp *http.Response) (o outcome, cause string) {
	o.answer = Answer{Status: resp.StatusCode, Header: resp.Header}
	body := http.MaxBytesReader(nil, resp.Body, c.o.MaxBody)
	// What is left of a body is read for the connection's sake.
	defer io.Copy(io.Discard, io.LimitReader(body, maxRefusal))
	if call.Out == nil || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified {
		return o, ""
	}
	read := &reads{Reader: body}
	err := decode(read, call.Out)
	if err == nil {
		return o, ""
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(read.failed, &tooLarge):
		o.err = c.failed(integration.ReasonUnavailable, "%s's answer to %s is larger than %d bytes", c.o.DisplayName, call, c.o.MaxBody)
	case read.failed != nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		o.err, o.again = c.failed(integration.ReasonUnavailable, "%s's answer to %s was cut off", c.o.DisplayName, call), call.repeatable()
	default:
		o.err = c.failed(integration.ReasonUnavailable, "%s's answer to %s is not the JSON that was expected", c.o.DisplayName, call)
	}
	return o, fmt.Sprintf("%T", err) // its text may quote the body
}

// buffers are for reading bodies, whose size is not told as a rule: growing a new one for each cost several times the body's memory.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// mostBuffered is how large a buffer is kept at most, in bytes.
const mostBuffered = 1 << 20

// decode reads a body as JSON. What is taken as it is, is checked without reading it twice.
func decode(body io.Reader, out any) error {
	if raw, ok := out.(*json.RawMessage); ok {
		buffer := buffers.Get().(*bytes.Buffer)
		buffer.Reset()
		_, err := buffer.ReadFrom(body)
		all := bytes.Clone(buffer.Bytes())
		if buffer.Cap() <= mostBuffered {
			buffers.Put(buffer)
		}
		if err == nil && valid(all) {
			*raw = all
			return nil
		}
		if err != nil {
			return err
		}
		body = bytes.NewReader(all)
	}
	return json.NewDecoder(body).Decode(out)
}

// valid reports whether a body is JSON. gjson takes a quarter of the time, but its stack grows with every bracket that is open.
func valid(body []byte) bool {
	const fewBrackets = 100_000
	if bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) > fewBrackets {
		return json.Valid(body)
	}
	return gjson.ValidBytes(body)
}

// reads tells an error of reading from one of what was read.
type reads struct {
	io.Reader
	failed error
}

func (r *reads) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		r.failed = err
	}
	return n, err
}

// redirected follows a redirect within the origin, of a request that stays the same by it.
func (c *Client) redirected(call *call, resp *http.Response) outcome {
	to, err := resp.Location()
	reads := call.Method == http.MethodGet || call.Method == http.MethodHead
	switch {
	case err != nil || !reads && resp.StatusCode != http.StatusTemporaryRedirect && resp.StatusCode != http.StatusPermanentRedirect:
		return outcome{err: c.failed(integration.ReasonUnavailable, "%s answered %d to %s", c.o.DisplayName, resp.StatusCode, call)}
	case !sameOrigin(to, call.url):
		return outcome{err: c.failed(integration.ReasonUnavailable, "%s sent %s on to another host, which is not followed", c.o.DisplayName, call)}
	}
	to.Fragment = ""
	return outcome{redirect: to}
}

func (c *Client) failed(reason integration.ProviderReason, format string, args ...any) *integration.Error {
	return integration.ProviderFailed(c.o.Provider, reason, format, args...)
}

// maxPause bounds what an answer may ask to wait: no provider's window is longer than an hour.
const maxPause = time.Hour

// retryAfter reads Retry-After: seconds, or a date.
func retryAfter(h http.Header) (time.Duration, bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, maxPause.Seconds()) * float64(time.Second)), true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	now := time.Now()
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date // by the clock that at was made with
	}
	return min(max(at.Sub(now), 0), maxPause), true
}

// sameOrigin reports whether two addresses have the same scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		switch {
		case u.Port() != "":
			return u.Port()
		case strings.EqualFold(u.Scheme, "https"):
			return "443"
		}
		return "80"
	}
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b) && a.User == nil
}

// newWait makes a Wait, whose time is somewhat later, so that not all who wait come back at once. The cause is the Wait's own.
func newWait(until time.Time, cause error) *Wait {
	wait := max(time.Until(until), 0)
	until = until.Add(rand.N(min(wait/10, 5*time.Second) + time.Millisecond))
	var shown *integration.Error
	if errors.As(cause, &shown) {
		shown.RetryAfter = time.Until(until)
	}
	return &Wait{Until: until, Cause: cause}
}

func backoff(attempt int) time.Duration {
	most := firstBackoff << (attempt - 1)
	return most/2 + rand.N(most/2)
}

// sleep waits, and returns ctx's error where that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
