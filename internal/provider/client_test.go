package provider_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/seal"
)

// canary is the token of every client of these tests.
const canary = "pk_42_CANARYCANARY"

// third is a third party that answers as a test says, and the client of it.
type third struct {
	*httptest.Server
	*provider.Client
	log  *bytes.Buffer
	mu   sync.Mutex
	seen []string // methods and addresses of the requests
}

func newThird(t *testing.T, change func(*provider.ClientOptions), answer http.HandlerFunc) *third {
	t.Helper()
	p := &third{log: &bytes.Buffer{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.seen = append(p.seen, r.Method+" "+r.URL.String())
		p.mu.Unlock()
		if got := r.Header.Get("Authorization"); got != canary {
			t.Errorf("%s came with the credentials %q", r.URL, got)
		}
		answer(w, r)
	}))
	t.Cleanup(p.Server.Close)
	o := provider.ClientOptions{
		Provider: "acme", DisplayName: "Acme", Origin: p.URL, Token: seal.NewSecret(canary),
		Authorize: func(h http.Header, token string) { h.Set("Authorization", token) },
	}
	if change != nil {
		change(&o)
	}
	n := provider.NewNetwork(provider.NetworkOptions{Log: slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	p.Client = n.Client(o)
	t.Cleanup(func() { noLeak(t, "the log", p.log.String()) })
	return p
}

// noLeak fails where a text has a part of the token in it.
func noLeak(t *testing.T, what, text string) {
	t.Helper()
	if strings.Contains(text, "CANARY") {
		t.Errorf("%s has the token in it:\n%s", what, text)
	}
}

// wantReason also checks the message.
func wantReason(t *testing.T, err error, reason integration.ProviderReason, message string) {
	t.Helper()
	var e *integration.Error
	if !errors.As(err, &e) || e.Kind != integration.KindProvider || e.Provider != "acme" || e.Reason != reason || e.Message != message {
		t.Errorf("the error is %#v, want reason %s and message %q", err, reason, message)
	}
}

func TestAnAnswerIsDecoded(t *testing.T) {
	t.Parallel()
	p := newThird(t, nil, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Page", "2")
		_, _ = io.WriteString(w, `{"method": "`+r.Method+`", "query": "`+r.URL.RawQuery+`", "body": "`+strings.ReplaceAll(string(body), `"`, "'")+`"}`)
	})
	var out struct{ Method, Query, Body string }
	if err := p.Get(t.Context(), "/a/b?x=1", url.Values{"page": {"2 3"}}, &out); err != nil || out.Method != "GET" || out.Query != "page=2+3&x=1" || out.Body != "" {
		t.Errorf("got %+v, %v", out, err)
	}
	if err := p.Send(t.Context(), "POST", "/a/b", map[string]int{"n": 1}, &out); err != nil || out.Method != "POST" || out.Body != "{'n':1}" {
		t.Errorf("got %+v, %v", out, err)
	}
	answer, err := p.Do(t.Context(), provider.Request{Path: p.URL + "/next?page=3", Out: &out})
	if err != nil || answer.Status != 200 || answer.Header.Get("X-Page") != "2" || out.Query != "page=3" {
		t.Errorf("got %+v, %+v, %v", answer, out, err)
	}
}

func TestEachStatusHasAReason(t *testing.T) {
	t.Parallel()
	means := map[integration.ProviderReason]string{
		integration.ReasonAuthFailed: "refused the credentials: it ", integration.ReasonPermission: "does not allow this with these credentials: it ",
	}
	for status, reason := range map[int]integration.ProviderReason{
		400: integration.ReasonUnavailable, 401: integration.ReasonAuthFailed, 403: integration.ReasonPermission,
		404: integration.ReasonNotFound, 410: integration.ReasonNotFound, 501: integration.ReasonUnavailable,
	} {
		p := newThird(t, nil, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"err": "what `+canary+` asks for"}`)
		})
		err := p.Get(t.Context(), "/api/v2/team", url.Values{"token": {canary}}, nil)
		wantReason(t, err, reason, "Acme "+means[reason]+"answered "+strconv.Itoa(status)+" to GET /api/v2/team")
		if len(p.seen) != 1 {
			t.Errorf("%d: asked %d times", status, len(p.seen))
		}
	}
}

func TestAContextThatEndedIsTheError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	p := newThird(t, nil, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if err := p.Get(ctx, "/", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	ctx, cancel2 := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel2()
	if err := p.Get(ctx, "/", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
}

func TestAnAnswersSizeIsBounded(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]http.HandlerFunc{
		"plain": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `"`+strings.Repeat("x", 2000)+`"`)
		},
		"packed": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "gzip" {
				t.Errorf("accepted are %q", r.Header["Accept-Encoding"])
			}
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			defer z.Close()
			_, _ = io.WriteString(z, `"`+strings.Repeat("x", 2000)+`"`)
		},
	} {
		small := newThird(t, func(o *provider.ClientOptions) { o.MaxBody = 1000 }, write)
		var out string
		wantReason(t, small.Get(t.Context(), "/x", nil, &out), integration.ReasonUnavailable, "Acme's answer to GET /x is larger than 1000 bytes")
		if len(small.seen) != 1 {
			t.Errorf("%s: asked %d times", name, len(small.seen))
		}
		large := newThird(t, nil, write)
		if err := large.Get(t.Context(), "/x", nil, &out); err != nil || len(out) != 2000 {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
		}
	}
}

// Whatever the answer, no error and no log line quotes the token, the query or the body.
func TestNoAnswerShowsTheToken(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"no JSON":       func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, canary) },
		"another type":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"n": "`+canary+`"}`) },
		"a long number": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"n": 1e999}`) },
		"a refusal": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Token", canary)
			http.Error(w, canary, http.StatusForbidden)
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+canary+".example.com/?"+canary, http.StatusFound)
		},
		"no HTTP": func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(c, canary+" "+canary+"\r\n\r\n")
			c.Close()
		},
		"a broken header": func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+canary+"\r\nContent-Length: "+canary+"\r\n\r\n")
			c.Close()
		},
		"a cut body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"s": "`+canary)
		},
	} {
		p := newThird(t, nil, answer)
		var out struct{ N int }
		for _, ctx := range []context.Context{t.Context(), ended()} {
			_, err := p.Do(ctx, provider.Request{Path: "/a", Query: url.Values{"token": {canary}}, Header: http.Header{"X-More": {canary}}, Out: &out})
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			noLeak(t, name, fmt.Sprintf("%v %+v %#v", err, err, err))
		}
	}
	p := newThird(t, nil, nil)
	p.Server.Close()
	err := p.Get(t.Context(), "/a", url.Values{"token": {canary}}, nil)
	wantReason(t, err, integration.ReasonUnavailable, "Acme could not be reached for GET /a")
	for _, path := range []string{"/%zz" + canary, "http://[" + canary, ":" + canary} {
		err := p.Get(t.Context(), path, nil, nil)
		noLeak(t, path[:3], err.Error())
	}
}

// ended is a context that ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// Sixteen requests at a time find their connections open again.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	p := newThird(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "[1]"+strings.Repeat(" ", 20_000))
	})
	var opened atomic.Int32
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if !i.Reused {
			opened.Add(1)
		}
	}})
	for range 10 {
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				var out []int
				if err := p.Get(ctx, "/", nil, &out); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	if n := opened.Load(); n > 20 {
		t.Errorf("%d connections were opened", n)
	}
}

func TestHTTP2IsSpoken(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%d", r.ProtoMajor)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	n := provider.NewNetwork(provider.NetworkOptions{AllowedHosts: []string{"127.0.0.1"}})
	n.Trust(server.Certificate(), nil)
	for _, tenant := range []bool{true, false} {
		var major int
		c := n.Client(provider.ClientOptions{Provider: "acme", Origin: server.URL, Tenant: tenant})
		if err := c.Get(t.Context(), "/", nil, &major); err != nil || major != 2 {
			t.Errorf("HTTP/%d, %v", major, err)
		}
	}
}

func TestAnUnchangedAnswerLeavesWhatThereIs(t *testing.T) {
	t.Parallel()
	p := newThird(t, nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	out := 7
	answer, err := p.Do(t.Context(), provider.Request{Path: "/", Header: http.Header{"If-None-Match": {`"1"`}}, Out: &out})
	if err != nil || answer.Status != http.StatusNotModified || out != 7 {
		t.Errorf("got %+v, %d, %v", answer, out, err)
	}
	if err := p.Get(t.Context(), "/", nil, &out); !integration.IsProviderReason(err, integration.ReasonUnavailable) {
		t.Errorf("unasked: %v", err)
	}
}
