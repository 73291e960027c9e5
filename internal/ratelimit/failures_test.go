package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/internal/integration"
)

var (
	office = netip.MustParseAddr("192.0.2.1")
	home   = netip.MustParseAddr("192.0.2.2")
	bad    = integration.Unauthenticated("no such key")
)

// door is a Failures in front of some valid credentials.
type door struct {
	*Failures
	valid  map[string]bool
	looked int
}

func newDoor(limit int, valid ...string) *door {
	d := &door{Failures: NewFailures(limit), valid: map[string]bool{}}
	for _, v := range valid {
		d.valid[v] = true
	}
	return d
}

// knock returns how the credential was answered, and how long that took.
func (d *door) knock(address netip.Addr, credential string) (answer string, took time.Duration) {
	start := time.Now()
	err := d.Check(context.Background(), address, credential, func() error {
		d.looked++
		if !d.valid[credential] {
			return bad
		}
		return nil
	})
	switch {
	case err == nil:
		answer = "welcome"
	case integration.IsKind(err, integration.KindRateLimited):
		answer = "refused"
	default:
		answer = err.Error()
	}
	return answer, time.Since(start)
}

func TestBadCredentialsAreSlowedAndThenRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(60)
		var before time.Duration
		for i := range 300 {
			answer, took := d.knock(office, fmt.Sprint("guess ", i))
			want(t, answer, "no such key")
			switch {
			case i < 10 && took != 0:
				t.Errorf("attempt %d is held for %v", i, took)
			case i >= 10 && took < before, took > maxDelay:
				t.Errorf("attempt %d is held for %v, and the one before for %v", i, took, before)
			}
			before = took
		}
		// One at a time, they are held until they are so few that the limit allows them.
		if before < 900*time.Millisecond {
			t.Errorf("at last they are held for %v", before)
		}
		// At once, they are refused unseen.
		d.looked = 0
		for range 200 {
			_ = d.Check(cancelled(), office, "guess", func() error { d.looked++; return bad }) // the client does not wait
		}
		if d.looked > 60 {
			t.Errorf("%d were looked up", d.looked)
		}
		answer, took := d.knock(office, "guess")
		want(t, [...]any{answer, took}, [...]any{"refused", time.Duration(0)})
		answer, took = d.knock(home, "guess")
		want(t, [...]any{answer, took}, [...]any{"no such key", time.Duration(0)})
		time.Sleep(2 * time.Minute)
		answer, took = d.knock(office, "guess")
		want(t, [...]any{answer, took}, [...]any{"no such key", time.Duration(0)})
	})
}

// block fills an address' bucket, by clients that do not wait.
func (d *door) block(address netip.Addr) {
	for range 2 * int(d.limit) {
		_ = d.Check(cancelled(), address, "guess", func() error { return bad })
	}
}

func TestKnownCredentialsBehindARefusedAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(60, "known", "new")
		answer := func(address netip.Addr, credential string) string {
			a, _ := d.knock(address, credential)
			return a
		}
		want(t, answer(home, "known"), "welcome") // wherever it was shown
		d.block(office)
		want(t, answer(office, "known"), "welcome")
		want(t, answer(office, "new"), "refused")
		want(t, answer(home, "new"), "welcome")
		want(t, answer(office, "new"), "welcome")

		delete(d.valid, "known")                        // revoked
		want(t, answer(office, "known"), "no such key") // after being held
		d.block(office)
		d.looked = 0
		want(t, answer(office, "known"), "refused")
		want(t, d.looked, 0)
	})
}

func TestFailuresThatAreNotTheClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := NewFailures(6)
		down := errors.New("the database does not answer")
		for range 100 {
			if err := f.Check(t.Context(), office, "key", func() error { return down }); err != down {
				t.Fatal(err)
			}
		}
	})
}

func TestHeldAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := NewFailures(1_000)
		address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) }
		for i := range 2 * maxHeld {
			for range 500 {
				f.failed(NetworkOf(address(i)), [32]byte{})
			}
		}
		var mu sync.Mutex
		refused := 0
		var all sync.WaitGroup
		for i := range 2 * maxHeld {
			all.Go(func() {
				start := time.Now()
				err := f.Check(context.Background(), address(i), "guess", func() error { return bad })
				mu.Lock()
				defer mu.Unlock()
				if integration.IsKind(err, integration.KindRateLimited) {
					refused++
					want(t, time.Since(start), time.Duration(0))
				}
			})
		}
		all.Wait()
		want(t, refused, maxHeld)
	})
}

func TestWhatCountsAsOneAddress(t *testing.T) {
	t.Parallel()
	for address, network := range map[string]string{
		"192.0.2.1":            "192.0.2.1/32",
		"::ffff:192.0.2.1":     "192.0.2.1/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::":  "2001:db8:1:2::/64",
		"2001:db8:1:3::":       "2001:db8:1:3::/64",
		"fe80::1%eth0":         "fe80::/64",
	} {
		want(t, NetworkOf(netip.MustParseAddr(address)).String(), network)
	}
	want(t, NetworkOf(netip.Addr{}) == netip.Prefix{}, true)
}

func TestTheMemoryOfFailuresIsBounded(t *testing.T) {
	t.Parallel()
	f := NewFailures(60)
	for i := range maxAddresses + 100 {
		address := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		_ = f.Check(t.Context(), address, "guess", func() error { return bad })
		_ = f.Check(t.Context(), address, fmt.Sprint("key ", i), func() error { return nil })
	}
	want(t, [...]int{f.addresses.Len(), f.known.Len()}, [...]int{maxAddresses, maxKnown})
}

func BenchmarkCheckOfAKnownCredential(b *testing.B) {
	f := NewFailures(60)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = f.Check(context.Background(), office, "pb_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx", func() error { return nil })
		}
	})
}
