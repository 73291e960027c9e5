package clickup

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// answers keeps those of readings that the limit ended before they had all that they need, such as all comments on a
// task. Begun anew, a reading goes on where it was; without this one that needs more requests than a window has would never end.
type answers struct {
	mu       sync.Mutex
	readings map[string]*reading
	size     int // bytes
}

type reading struct {
	answers map[string]json.RawMessage // by path and query
	size    int
	used    time.Time
}

const (
	// mostKept bounds what is kept, in bytes.
	mostKept = 64 << 20
	// longestKept is how long a reading may rest until it begins anew.
	longestKept = 10 * time.Minute
)

func (a *answers) get(of, request string) (json.RawMessage, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.readings[of]
	if r == nil {
		return nil, false
	}
	if time.Since(r.used) > longestKept {
		a.drop(of)
		return nil, false
	}
	r.used = time.Now()
	answer, ok := r.answers[request]
	return answer, ok
}

// put makes room by dropping other readings, the one first that rests longest.
func (a *answers) put(of, request string, answer json.RawMessage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.readings[of]
	if r == nil {
		r = &reading{answers: map[string]json.RawMessage{}}
		if a.readings == nil {
			a.readings = map[string]*reading{}
		}
		a.readings[of] = r
	}
	r.used = time.Now()
	for a.size+len(answer) > mostKept {
		oldest := ""
		for name, other := range a.readings {
			if name != of && (oldest == "" || other.used.Before(a.readings[oldest].used)) {
				oldest = name
			}
		}
		if oldest == "" {
			return
		}
		a.drop(oldest)
	}
	a.size, r.size = a.size+len(answer)-len(r.answers[request]), r.size+len(answer)-len(r.answers[request])
	r.answers[request] = answer
}

func (a *answers) drop(of string) {
	if r := a.readings[of]; r != nil {
		a.size -= r.size
		delete(a.readings, of)
	}
}

// end drops a reading, unless err is one after which it may be begun again.
func (a *answers) end(of string, err error) {
	var wait *provider.Wait
	stopped := errors.As(err, &wait) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if stopped || integration.IsProviderReason(err, integration.ReasonUnavailable) && !odd(err) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(of)
}

// remembering is the connection for one reading, whose answers are kept until its end.
func (c *connection) remembering(kept *answers, reading string) *connection {
	one := *c
	one.kept, one.reading = kept, reading
	return &one
}

// account names what a token sees of a Workspace, without telling the token.
func account(token, workspace string) string {
	sum := sha256.Sum256([]byte(token))
	return string(sum[:]) + workspace
}
