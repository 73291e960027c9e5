package provider_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
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
	for status, reason := range map[int]integration.ProviderReason{
		400: integration.ReasonUnavailable, 401: integration.ReasonAuthFailed, 403: integration.ReasonPermission,
		404: integration.ReasonNotFound, 410: integration.ReasonNotFound, 501: integration.ReasonUnavailable,
	} {
		p := newThird(t, nil, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"err": "what `+canary+` asks for"}`)
		})
		err := p.Get(t.Context(), "/api/v2/team", url.Values{"token": {canary}}, nil)
		wantReason(t, err, reason, "Acme answered "+strconv.Itoa(status)+" to GET /api/v2/team")
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
