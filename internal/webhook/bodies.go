package webhook

import (
	"errors"
	"io"
	"net/netip"
	"sync"
)

const (
	// maxBody is how large a delivery may be, in bytes.
	maxBody = 1 << 20
	// firstStep is what a body may hold at first, in bytes; when it is full, twice as much.
	firstStep = 4 << 10
	// mostHeld bounds what bodies hold at once, in bytes, and mostOfNetwork what those of one network do: behind a proxy that is not
	// trusted to tell addresses, that is all.
	mostHeld      = 64 << 20
	mostOfNetwork = 16 << 20
	// smallBody is what deliveries rarely exceed, in bytes. What bodies hold beyond it may be half as much only, so that large ones which
	// come slowly leave room.
	smallBody = 16 << 10
)

// errFull is where bodies hold as much as they may.
var errFull = errors.New("webhook: too many deliveries at once")

// bodyError is what is wrong with a body that cannot be read: it is too large, too slow, broken off or no body at all.
type bodyError struct{ error }

func (e *bodyError) Unwrap() error { return e.error }

// bodies are those under way. They hold what has come of them, at most twice that or firstStep, not what was announced: who sends
// nothing takes nothing away from others.
type bodies struct {
	mu   sync.Mutex
	held holding
	each map[netip.Prefix]holding // by network
}

func newBodies() *bodies { return &bodies{each: map[netip.Prefix]holding{}} }

// holding is what some bodies hold.
type holding struct {
	all, large int // large is what they hold beyond smallBody
}

// of is what one body of a size holds.
func of(size int) holding { return holding{size, max(0, size-smallBody)} }

func (h holding) plus(o holding) holding  { return holding{h.all + o.all, h.large + o.large} }
func (h holding) minus(o holding) holding { return holding{h.all - o.all, h.large - o.large} }

// within reports whether it is no more than may be held, where more of it is wanted.
func (h holding) within(most int, more holding) bool {
	return h.all <= most && (more.large == 0 || h.large <= most/2)
}

// read reads a body that a network sends. What it holds is given back by release.
func (b *bodies) read(network netip.Prefix, from io.Reader) (body []byte, release func(), err error) {
	size := 0
	release = func() { b.grow(network, size, 0) }
	for {
		if len(body) == cap(body) {
			next := min(max(firstStep, 2*size), maxBody+1) // one more than there is, to see the end
			if !b.grow(network, size, next) {
				return nil, release, errFull
			}
			size, body = next, append(make([]byte, 0, next), body...)
		}
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF:
			return body, release, nil
		case err != nil:
			return nil, release, &bodyError{err}
		}
	}
}

// grow lets a network's body hold another size, and reports whether it may.
func (b *bodies) grow(network netip.Prefix, size, next int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	more := of(next).minus(of(size))
	held, its := b.held.plus(more), b.each[network].plus(more)
	if next > size && !(held.within(mostHeld, more) && its.within(mostOfNetwork, more)) {
		return false
	}
	b.held, b.each[network] = held, its
	if its == (holding{}) {
		delete(b.each, network)
	}
	return true
}
