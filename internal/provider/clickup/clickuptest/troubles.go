package clickuptest

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// A Fault is something that goes wrong, and with which requests. Its zero value leaves every answer as it is.
type Fault struct {
	Route string                   // such as "GET /api/v2/list/{list_id}/task"; "" is every route
	Match func(*http.Request) bool // nil is every request
	Skip  int                      // so many of these are spared first
	Every int                      // then every n-th fails; 0 and 1 are all
	Times int                      // until so many have failed; 0 is without end

	Delay time.Duration   // before the answer; the server looks at its state before
	Until <-chan struct{} // the answer waits for this channel to close

	Status      int         // instead of the answer, which is then an error of ClickUp's, unless Body says what it is
	Code, Text  string      // the error's ECODE and err
	Body        string      // any text
	ContentType string      // of Body; "" is application/json
	Header      http.Header // added to the answer's

	Garble bool // the answer's JSON is cut off, though its length is right
	Cut    bool // the connection breaks in the middle of the body
	Drop   bool // the connection breaks before the answer
	Pad    int  // bytes of blanks in front of the body
}

// HTMLPage is the fault of a proxy that answers in ClickUp's place.
func HTMLPage(status int) Fault {
	return Fault{Status: status, ContentType: "text/html", Body: "<html><head><title>" + http.StatusText(status) + "</title></head><body><center><h1>" + strconv.Itoa(status) + "</h1></center></body></html>\n"}
}

// TroubleHeader is set on every answer that a fault changed, so that a contract check can leave them alone.
const TroubleHeader = "Clickuptest-Trouble"

// A Trouble is a fault that a server has.
type Trouble struct {
	Fault
	mu     sync.Mutex
	seen   int
	hits   int
	lifted bool
}

// Fail makes requests fail until the trouble is lifted. Where several faults fit a request, the oldest one counts.
func (s *Server) Fail(f Fault) *Trouble {
	t := &Trouble{Fault: f}
	s.troubles.mu.Lock()
	defer s.troubles.mu.Unlock()
	s.troubles.all = append(s.troubles.all, t)
	return t
}

// Lift ends the trouble.
func (t *Trouble) Lift() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lifted = true
}

// Hits counts the requests that it struck.
func (t *Trouble) Hits() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hits
}

// strikes counts the request.
func (t *Trouble) strikes(r *http.Request) bool {
	if t.Route != "" && t.Route != r.Pattern || t.Match != nil && !t.Match(r) {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lifted || t.Times > 0 && t.hits == t.Times {
		return false
	}
	t.seen++
	if t.seen <= t.Skip || (t.seen-t.Skip)%max(1, t.Every) != 0 {
		return false
	}
	t.hits++
	return true
}

type troubles struct {
	mu  sync.RWMutex
	all []*Trouble
}

func (ts *troubles) find(r *http.Request) *Trouble {
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	for _, t := range ts.all {
		if t.strikes(r) {
			return t
		}
	}
	return nil
}

func (t *Trouble) answer(c *call) answer {
	if t.Body != "" {
		return answer{t.Status, append(c.buf, t.Body...)}
	}
	text := t.Text
	if text == "" {
		text = http.StatusText(t.Status)
	}
	return refuse(t.Status, text, t.Code)
}

// write sends the answer, with what goes wrong. t is nil where nothing does.
func (t *Trouble) write(w http.ResponseWriter, r *http.Request, a answer) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if t == nil {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body) // a reader that left needs no answer
		return
	}
	w.Header().Set(TroubleHeader, "yes")
	for name, values := range t.Header {
		w.Header()[name] = values
	}
	if t.ContentType != "" {
		w.Header().Set("Content-Type", t.ContentType)
	}
	wait := time.NewTimer(t.Delay)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-r.Context().Done():
		return
	}
	if t.Until != nil {
		select {
		case <-t.Until:
		case <-r.Context().Done():
			return
		}
	}
	if t.Drop {
		panic(http.ErrAbortHandler)
	}
	if t.Garble {
		a.body = a.body[:len(a.body)/2]
	}
	w.Header().Set("Content-Length", strconv.Itoa(t.Pad+len(a.body)))
	w.WriteHeader(a.status)
	blanks := bytes.Repeat([]byte(" "), min(t.Pad, 1<<16))
	for left := t.Pad; left > 0; left -= len(blanks) {
		if _, err := w.Write(blanks[:min(left, len(blanks))]); err != nil {
			return
		}
	}
	if t.Cut {
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body)
}

type hooks struct {
	mu  sync.RWMutex
	all []func(*http.Request)
}

// Before has a function called with each request, before the server looks at its state: it may change that.
func (s *Server) Before(f func(*http.Request)) {
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	s.hooks.all = append(s.hooks.all, f)
}

func (h *hooks) run(r *http.Request) {
	h.mu.RLock()
	all := h.all
	h.mu.RUnlock()
	for _, f := range all {
		f(r)
	}
}
