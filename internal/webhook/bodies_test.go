package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"patchbay/internal/ratelimit"
	"patchbay/internal/webhook"
)

// answer is the status that a delivery without a signature gets, from one of many addresses.
func (w *world) answer(ctx context.Context, address int, integration string, body io.Reader) int {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", body)
	r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", address)
	r.SetPathValue("provider", "works")
	r.SetPathValue("integration", integration)
	a := httptest.NewRecorder()
	w.service.ServeHTTP(a, r)
	return a.Code
}

// stuck is a body of which nothing comes.
type stuck struct{ read atomic.Bool }

func (s *stuck) Read([]byte) (int, error) {
	s.read.Store(true)
	return 0, errors.New("the body was read")
}

// Nothing is read of a body for who does not exist.
func TestWhoseBodyIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	unread := &stuck{}
	w.want(w.answer(t.Context(), 1, uuid.NewString(), unread), http.StatusBadRequest)
	w.want(unread.read.Load(), false)
}

// Who hears no answer has no 200, and is counted as gone.
func TestSendersThatGoAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	reader := metric.NewManualReader()
	w.service = webhook.New(w.db, w.connect, webhook.Options{
		RemoteAddr: func(*http.Request) netip.Addr { return netip.Addr{} }, Log: slog.New(slog.NewTextHandler(w.log, nil)),
		Meter: metric.NewMeterProvider(metric.WithReader(reader)).Meter(""),
	})
	gone, leave := context.WithCancel(t.Context())
	leave()
	w.want(w.answer(gone, 1, w.integration.ID.String(), strings.NewReader("{}")), 499)
	for _, cut := range []error{io.ErrUnexpectedEOF, &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}} {
		w.want(w.answer(t.Context(), 1, w.integration.ID.String(), iotest.ErrReader(cut)), 499)
	}
	var all metricdata.ResourceMetrics
	w.must(reader.Collect(t.Context(), &all))
	counted := all.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints
	status, _ := counted[0].Attributes.Value("status")
	w.want([]any{len(counted), status.AsInt64(), counted[0].Value}, []any{1, int64(499), int64(3)})
	w.want(w.log.String(), "")
}

// Who announces much and sends nothing takes nothing away from others.
func TestWhoSendsNothingHoldsLittle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for range 100 {
		c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		w.must(err)
		t.Cleanup(func() { c.Close() })
		_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: works\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", w.path(), 1<<20)
		w.must(err)
		line, err := bufio.NewReader(c).ReadString('\n') // once it waits for the body
		w.must(err)
		w.want(strings.TrimSpace(line), "HTTP/1.1 100 Continue")
	}
	w.send(message{ID: "1", Event: "unknown"})
}

// large is more of a body than is held without having room for 1 MiB.
var large = bytes.Repeat([]byte(" "), 520<<10)

// slow begins deliveries from an address of which large came, and no more comes until they are ended.
func (w *world) slow(address, n int) (end func()) {
	var under sync.WaitGroup
	var ends []io.Closer
	for range n {
		body, end := io.Pipe()
		ends = append(ends, end)
		under.Go(func() { w.answer(w.t.Context(), address, w.integration.ID.String(), body) })
		_, err := end.Write(large) // it is read
		w.must(err)
	}
	return func() {
		for _, end := range ends {
			w.must(end.Close())
		}
		under.Wait()
	}
}

// What bodies under way hold is bounded, in all and of each network, and large ones leave room for small ones.
func TestWhatIsHeldIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	sent := func(address int, body []byte) int {
		return w.answer(t.Context(), address, w.integration.ID.String(), bytes.NewReader(body))
	}
	const read, full = http.StatusBadRequest, http.StatusServiceUnavailable // it has no signature
	var ends []func()
	for address := range 4 {
		w.want(sent(address, large), read)
		ends = append(ends, w.slow(address, 8))
		w.want(sent(address, large), full)
		w.want(sent(address, []byte("{}")), read)
	}
	w.want(sent(4, large), full)
	w.want(sent(4, []byte("{}")), read)
	for _, end := range ends {
		end()
	}
	w.want(sent(0, large), read)
}

// Bodies that cannot be read count against who sends them.
func TestTheLimitIsOnBodiesToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ratelimit.NewFailures(6))
	for address, test := range []struct {
		body   func() io.Reader
		status int
	}{
		{func() io.Reader {
			return io.MultiReader(strings.NewReader("{"), iotest.ErrReader(os.ErrDeadlineExceeded))
		}, http.StatusRequestTimeout},
		{func() io.Reader { return bytes.NewReader(make([]byte, 2<<20)) }, http.StatusRequestEntityTooLarge},
		{func() io.Reader { return iotest.ErrReader(errors.New("malformed chunked encoding")) }, http.StatusBadRequest},
	} {
		status := w.answer(t.Context(), address, w.integration.ID.String(), test.body())
		w.want(status, test.status)
		for range 20 {
			if status == http.StatusTooManyRequests {
				break
			}
			status = w.answer(t.Context(), address, w.integration.ID.String(), test.body())
		}
		w.want(status, http.StatusTooManyRequests)
	}
	w.want(strings.Contains(w.log.String(), "ERROR"), false)
}
