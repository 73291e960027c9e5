package connect

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// shelf is what is looked up, and how often.
type shelf struct {
	*lookups[int, string]
	mu    sync.Mutex
	there map[int]string
	looks int
}

func newShelf() *shelf {
	return &shelf{lookups: newLookups[int, string](make(chan struct{}, missingAtOnce)), there: map[int]string{}}
}

// want checks a key's value, and how many look-ups there were.
func (s *shelf) want(t *testing.T, key int, want string, looks int) {
	t.Helper()
	got, err := s.get(t.Context(), key, func(string) (string, bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.looks++
		value, found := s.there[key]
		return value, found, nil
	})
	if got != want || err != nil || s.looks != looks {
		t.Errorf("%q after %d look-ups, %v; want %q after %d", got, s.looks, err, want, looks)
	}
}

func TestWhatWasLookedUpIsRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.there[1] = "one"
		for range 3 {
			s.want(t, 1, "one", 1)
		}
		s.there[1] = "another"
		time.Sleep(webhookStaleness)
		s.want(t, 1, "one", 1)
		time.Sleep(time.Nanosecond)
		s.want(t, 1, "another", 2)
		delete(s.there, 1)
		time.Sleep(webhookStaleness + time.Nanosecond)
		s.want(t, 1, "", 3)
		s.want(t, 1, "", 3)
	})
}

// What is made is found at once, or soon where it was asked for just before.
func TestWhatIsMadeIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.want(t, 1, "", 1)
		s.there[1], s.there[2] = "one", "two"
		s.want(t, 2, "two", 2)
		s.want(t, 1, "", 2)
		time.Sleep(missingStaleness + time.Nanosecond)
		s.want(t, 1, "one", 3)
	})
}

func TestWhatIsMissingPushesNothingOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.there[-1] = "there"
		s.want(t, -1, "there", 1)
		for i := range 2 * maxFound {
			s.want(t, i, "", i+2)
		}
		s.want(t, -1, "there", 2*maxFound+1)
		if n := s.missing.Len(); n != maxMissing {
			t.Errorf("%d that are missing are remembered", n)
		}
	})
}

// However many ask for what there is not, few look-ups run at once; what was found has one of its own.
func TestFewLookUpsOfWhatIsMissing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.there[-1] = "there"
		s.want(t, -1, "there", 1)
		time.Sleep(webhookStaleness + time.Nanosecond)
		ended, end := context.WithCancel(t.Context())
		running := 0
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				_, err := s.get(ended, i, func(string) (string, bool, error) {
					s.mu.Lock()
					running++
					s.mu.Unlock()
					<-ended.Done()
					return "", false, ended.Err()
				})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("it ended with %v", err)
				}
			})
		}
		synctest.Wait()
		s.mu.Lock()
		if running != missingAtOnce {
			t.Errorf("%d look-ups run", running)
		}
		s.mu.Unlock()
		s.want(t, -1, "there", 2)
		end()
		all.Wait()
	})
}
