package ratelimit

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"patchbay/internal/integration"
)

const (
	// maxAddresses and maxKnown bound the memory, to some 3 MB. Only who has a valid credential can push known ones out.
	maxAddresses = 10_000
	maxKnown     = 10_000
	// maxDelay is how long a failed attempt is held at most. Delays begin at a sixth of the limit and grow evenly up to it.
	maxDelay = 2 * time.Second
	// maxHeld bounds the attempts that are held at a time; what comes beyond them is refused at once.
	maxHeld = 100
)

// Failures slows down, and then refuses, addresses that show bad credentials. It is about load and noise: nobody guesses
// 256 bits. Who shows a credential that was found valid here before is never held up, whatever others behind the same
// address do. Each server counts for itself: attempts must not make the database write.
type Failures struct {
	limit float64
	held  chan struct{} // has room for maxHeld

	mu        sync.Mutex
	addresses *simplelru.LRU[netip.Prefix, *bucket]
	known     *simplelru.LRU[[sha256.Size]byte, struct{}] // valid credentials, by hash
}

// NewFailures allows each address so many bad credentials a minute. With 0 there is no limit: it returns nil, which
// refuses nothing.
func NewFailures(limit int) *Failures {
	if limit == 0 {
		return nil
	}
	addresses, _ := simplelru.NewLRU[netip.Prefix, *bucket](maxAddresses, nil) // fails for a size of 0 only
	known, _ := simplelru.NewLRU[[sha256.Size]byte, struct{}](maxKnown, nil)
	return &Failures{limit: float64(limit), held: make(chan struct{}, maxHeld), addresses: addresses, known: known}
}

// Check calls authenticate, which looks an address' credential up, and returns its error. Too many Unauthenticated ones
// from the address are held before they are returned, and then authenticate is not called any more: RateLimited.
func (f *Failures) Check(ctx context.Context, address netip.Addr, credential string, authenticate func() error) error {
	if f == nil {
		return authenticate()
	}
	network, hash := NetworkOf(address), sha256.Sum256([]byte(credential))
	if wait := f.refused(network, hash); wait > 0 {
		return tooManyFailures(wait)
	}
	err := authenticate()
	switch {
	case err == nil:
		f.succeeded(hash)
	case integration.IsKind(err, integration.KindUnauthenticated):
		return f.hold(ctx, f.failed(network, hash), err)
	}
	return err
}

// Failed counts a failure that was found out already, such as a signature that does not fit, and returns err, held as Check holds it, or
// RateLimited. It never concerns what does not fail.
func (f *Failures) Failed(ctx context.Context, address netip.Addr, err error) error {
	if f == nil {
		return err
	}
	network, none := NetworkOf(address), [sha256.Size]byte{}
	if wait := f.refused(network, none); wait > 0 {
		return tooManyFailures(wait)
	}
	return f.hold(ctx, f.failed(network, none), err)
}

func tooManyFailures(wait time.Duration) error {
	return integration.RateLimited(wait, "too many bad credentials came from this address: wait, and check what is sent")
}

// NetworkOf is what counts as one address: of IPv6 the /64, which is what one customer gets at least.
func NetworkOf(address netip.Addr) netip.Prefix {
	bits := 32
	if address = address.Unmap(); address.Is6() {
		bits = 64
	}
	network, _ := address.Prefix(bits) // requests without an address count as one
	return network
}

// refused is how long the credential is refused for, unseen.
func (f *Failures) refused(network netip.Prefix, credential [sha256.Size]byte) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.addresses.Get(network)
	if !ok || f.known.Contains(credential) {
		return 0
	}
	b.drain(f.limit, time.Now())
	return b.untilRoom(f.limit, 1)
}

func (f *Failures) succeeded(credential [sha256.Size]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known.Add(credential, struct{}{})
}

// failed counts a bad credential, which may have been valid once, and returns how long to hold the attempt. Those that
// were looked up at the same time count beyond the limit, up to twice as much: who sends many at once is refused longer.
func (f *Failures) failed(network netip.Prefix, credential [sha256.Size]byte) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known.Remove(credential)
	now := time.Now()
	b, ok := f.addresses.Get(network)
	if !ok {
		b = &bucket{at: now}
		f.addresses.Add(network, b)
	}
	b.drain(f.limit, now)
	b.level = min(b.level+1, 2*f.limit)
	free := f.limit / 6
	return min(time.Duration(max(b.level-free, 0)/(f.limit-free)*float64(maxDelay)), maxDelay)
}

// hold returns err after the delay, or when the client is gone. Nothing but the request waits: its connection to the
// database has been given back.
func (f *Failures) hold(ctx context.Context, delay time.Duration, err error) error {
	if delay == 0 {
		return err
	}
	select {
	case f.held <- struct{}{}:
		defer func() { <-f.held }()
	default:
		return tooManyFailures(delay)
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return err
}
