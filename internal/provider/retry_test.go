package provider_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/seal"
)

// step is what a scripted third party does with a request: it answers, breaks the connection, or cannot be connected to.
type step struct {
	status  int
	header  http.Header
	body    string
	broken  bool // after the request was sent
	away    bool // before
	waiting bool // until the request is given up
	twice   bool // after the transport sent it again by itself
}

// script answers as its steps say, the last one again and again, and notes when it was asked.
type script struct {
	steps []step
	asked []time.Duration // since it was made
	began time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	next := s.steps[min(len(s.asked), len(s.steps)-1)]
	s.asked = append(s.asked, time.Since(s.began))
	if !next.away {
		httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
	}
	if next.twice {
		httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
	}
	switch {
	case next.waiting:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case next.broken, next.away:
		return nil, errors.New("no answer")
	}
	h := http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}
	for name, values := range next.header {
		h[name] = values
	}
	return &http.Response{StatusCode: next.status, Header: h, Body: io.NopCloser(strings.NewReader(next.body)), Request: r}, nil
}

// scripted is a client of a script, in a bubble whose time passes by itself.
func scripted(t *testing.T, do func(t *testing.T, c *provider.Client, s *script), steps ...step) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: steps, began: time.Now()}
		c := provider.NewNetwork(provider.NetworkOptions{}).Client(provider.ClientOptions{
			Provider: "acme", DisplayName: "Acme", Origin: "https://api.acme.example", Token: seal.NewSecret(canary), Quota: readQuota,
			Classify: func(status int, body []byte) (integration.ProviderReason, bool) {
				return integration.ReasonRateLimited, status == 400 && string(body) == "RATELIMITED"
			},
		})
		c.Through(s)
		do(t, c, s)
	})
}

func TestWhatIsSafeToRepeatIsRepeated(t *testing.T) {
	ok := step{status: 200, body: `{"n": 1}`}
	for name, c := range map[string]struct {
		method string
		steps  []step
		asked  int
		failed bool
	}{
		"503":                                {"GET", []step{{status: 503}, {status: 502}, ok}, 3, false},
		"a broken connection":                {"GET", []step{{broken: true}, ok}, 2, false},
		"a body that was cut off":            {"GET", []step{{status: 200, body: `{"n": 2, "m": {"a"`}, ok}, 2, false},
		"503 to the end":                     {"GET", []step{{status: 503}}, 4, true},
		"501":                                {"GET", []step{{status: 501}, ok}, 1, true},
		"a body that is no JSON":             {"GET", []step{{status: 200, body: `<html>`}, ok}, 1, true},
		"DELETE":                             {"DELETE", []step{{broken: true}, ok}, 2, false},
		"PUT":                                {"PUT", []step{{status: 500}, ok}, 2, false},
		"POST that failed":                   {"POST", []step{{status: 503}, ok}, 1, true},
		"POST that may have arrived":         {"POST", []step{{broken: true}, ok}, 1, true},
		"POST that was never sent":           {"POST", []step{{away: true}, {away: true}, ok}, 3, false},
		"PATCH that may have arrived":        {"PATCH", []step{{broken: true}, ok}, 1, true},
		"POST whose answer was cut off":      {"POST", []step{{status: 200, body: `{"n"`}, ok}, 1, true},
		"a search by POST":                   {"search", []step{{broken: true}, ok}, 2, false},
		"a redirect that an answer repeats":  {"GET", []step{{status: 302, header: http.Header{"Location": {"/other"}}}}, 6, true},
		"a redirect of a POST to another":    {"POST", []step{{status: 302, header: http.Header{"Location": {"/other"}}}, ok}, 1, true},
		"a redirect of a POST that stays it": {"POST", []step{{status: 307, header: http.Header{"Location": {"/other"}}}, ok}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			scripted(t, func(t *testing.T, client *provider.Client, s *script) {
				var out struct {
					N int
					M map[string]int
				}
				r := provider.Request{Method: c.method, Path: "/x", Body: map[string]int{}, Out: &out}
				if c.method == "search" {
					r.Method, r.ReadOnly = "POST", true
				}
				_, err := client.Do(t.Context(), r)
				if len(s.asked) != c.asked || (err != nil) != c.failed {
					t.Errorf("asked at %v, error %v", s.asked, err)
				}
				if err != nil && !integration.IsProviderReason(err, integration.ReasonUnavailable) {
					t.Errorf("the error is %#v", err)
				}
				if err == nil && (out.N != 1 || out.M != nil) {
					t.Errorf("got %+v", out)
				}
			}, c.steps...)
		})
	}
}

func TestBackoffGrows(t *testing.T) {
	scripted(t, func(t *testing.T, c *provider.Client, s *script) {
		_ = c.Get(t.Context(), "/", nil, nil)
		for i, most := range []time.Duration{200, 400, 800} {
			if pause := s.asked[i+1] - s.asked[i]; pause < most*time.Millisecond/2 || pause > most*time.Millisecond {
				t.Errorf("%d: waited %s, want at most %d ms and half of it at least", i, pause, most)
			}
		}
	}, step{status: 500})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	in := func(d time.Duration) http.Header {
		return http.Header{"Retry-After": {time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d).Format(http.TimeFormat)}}
	}
	for name, c := range map[string]struct {
		header http.Header
		least  time.Duration // of the client's own wait; 0 where it must not wait
		until  time.Duration
		reason integration.ProviderReason
		status int
	}{
		"503, seconds":        {http.Header{"Retry-After": {"2"}}, 2 * time.Second, 0, integration.ReasonUnavailable, 503},
		"503, a date":         {in(2 * time.Second), 2 * time.Second, 0, integration.ReasonUnavailable, 503},
		"503, many seconds":   {http.Header{"Retry-After": {"90"}}, 0, 90 * time.Second, integration.ReasonUnavailable, 503},
		"429, seconds":        {http.Header{"Retry-After": {"2"}}, 2 * time.Second, 0, integration.ReasonRateLimited, 429},
		"429, many seconds":   {http.Header{"Retry-After": {"90"}}, 0, 90 * time.Second, integration.ReasonRateLimited, 429},
		"429, a date":         {in(time.Hour / 2), 0, 30 * time.Minute, integration.ReasonRateLimited, 429},
		"429, for years":      {http.Header{"Retry-After": {"1e12"}}, 0, time.Hour, integration.ReasonRateLimited, 429},
		"429, nothing":        {nil, 0, time.Minute, integration.ReasonRateLimited, 429},
		"429, nonsense":       {http.Header{"Retry-After": {"-5"}}, 0, time.Minute, integration.ReasonRateLimited, 429},
		"429, a reset":        {http.Header{"X-Ratelimit-Limit": {"5"}, "X-Ratelimit-Reset": {"946684830500"}}, 0, 30600 * time.Millisecond, integration.ReasonRateLimited, 429},
		"400 that means 429":  {http.Header{"Retry-After": {"90"}}, 0, 90 * time.Second, integration.ReasonRateLimited, 400},
		"429, a short moment": {http.Header{"Retry-After": {"0.1"}}, time.Second, 0, integration.ReasonRateLimited, 429},
	} {
		t.Run(name, func(t *testing.T) {
			scripted(t, func(t *testing.T, client *provider.Client, s *script) {
				err := client.Get(t.Context(), "/", nil, nil)
				if c.least > 0 {
					if err != nil || len(s.asked) != 2 || s.asked[1] < c.least || s.asked[1] > c.least+500*time.Millisecond {
						t.Errorf("asked at %v, error %v", s.asked, err)
					}
					return
				}
				var wait *provider.Wait
				if !errors.As(err, &wait) || !integration.IsProviderReason(err, c.reason) {
					t.Fatalf("the error is %#v", err)
				}
				if until := wait.Until.Sub(s.began); until < c.until || until > c.until+c.until/5 || time.Since(s.began) > time.Second {
					t.Errorf("after %s, asked to wait until %s", time.Since(s.began), until)
				}
				var shown *integration.Error
				if !errors.As(err, &shown) || shown.RetryAfter != time.Until(wait.Until) {
					t.Errorf("clients are told to wait for %s, and it is %s", shown.RetryAfter, time.Until(wait.Until))
				}
				if c.reason != integration.ReasonRateLimited {
					return
				}
				asked := len(s.asked)
				if err := client.Get(t.Context(), "/", nil, nil); !errors.As(err, &wait) || len(s.asked) != asked {
					t.Errorf("the next request: %v, asked at %v", err, s.asked)
				}
				time.Sleep(time.Until(wait.Until))
				if err := client.Get(t.Context(), "/", nil, nil); err != nil {
					t.Errorf("after the wait: %v", err)
				}
			}, step{status: c.status, header: c.header, body: "RATELIMITED"}, step{status: 200})
		})
	}
}

// What the transport repeats by itself counts.
func TestWhatTheTransportRepeatsCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{{status: 200, twice: true}}, began: time.Now()}
		c := provider.NewNetwork(provider.NetworkOptions{}).Client(provider.ClientOptions{
			Provider: "acme", Origin: "https://api.acme.example", Token: seal.NewSecret(canary), Limit: provider.Limit{Requests: 10, Window: time.Minute},
		})
		c.Through(s)
		var wait *provider.Wait
		for !errors.As(c.Get(t.Context(), "/", nil, nil), &wait) {
		}
		if len(s.asked) != 5 {
			t.Errorf("%d requests were sent, twice each", len(s.asked))
		}
	})
}

func TestAnAnswerThatDoesNotComeIsGivenUp(t *testing.T) {
	scripted(t, func(t *testing.T, c *provider.Client, s *script) {
		err := c.Send(t.Context(), "POST", "/x", nil, nil)
		wantReason(t, err, integration.ReasonUnavailable, "Acme did not answer POST /x in time")
		if d := time.Since(s.began); d != time.Minute {
			t.Errorf("after %s", d)
		}
	}, step{waiting: true})
}

// A context that ends while the client waits, before it asks again, or for the limit, is the error.
func TestAContextEndsAnyWait(t *testing.T) {
	for name, s := range map[string]step{
		"for the limit": {status: 429, header: http.Header{"Retry-After": {"2"}}},
		"to ask again":  {status: 503, header: http.Header{"Retry-After": {"2"}}},
		"an answer":     {waiting: true},
	} {
		t.Run(name, func(t *testing.T) {
			scripted(t, func(t *testing.T, c *provider.Client, s *script) {
				ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
				defer cancel()
				if err := c.Get(ctx, "/", nil, nil); err != context.DeadlineExceeded || time.Since(s.began) != 1500*time.Millisecond {
					t.Errorf("after %s: %v", time.Since(s.began), err)
				}
			}, s)
		})
	}
}

// The third party refuses one process for what it cannot know of, such as a script with the same token: all stop.
func TestARefusalStopsAllProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := provider.NewMemory()
		s := &script{began: time.Now(), steps: []step{
			{status: 200}, {status: 200}, {status: 429, header: http.Header{"Retry-After": {"30"}}}, {status: 200},
		}}
		var clients []*provider.Client
		for range 2 {
			n := provider.NewNetwork(provider.NetworkOptions{Ledger: ledger, Fingerprint: func(seal.Secret) string { return "f" }})
			c := n.Client(provider.ClientOptions{Provider: "acme", Origin: "https://api.acme.example", Limit: provider.Limit{Requests: 100, Window: time.Minute}})
			c.Through(s)
			clients = append(clients, c)
		}
		var wait *provider.Wait
		for i, want := range []bool{false, false, true} { // first, second, first
			if err := clients[i%2].Get(t.Context(), "/", nil, nil); errors.As(err, &wait) != want {
				t.Fatalf("request %d: %v", i, err)
			}
		}
		time.Sleep(1100 * time.Millisecond) // the second process has a few permits for that long
		if err := clients[1].Get(t.Context(), "/", nil, nil); !errors.As(err, &wait) || len(s.asked) != 3 {
			t.Errorf("the other process went on: %v", err)
		}
		if until := wait.Until.Sub(s.began); until < 30*time.Second || until > 34*time.Second {
			t.Errorf("it is to wait until %s", until)
		}
	})
}
