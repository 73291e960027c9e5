package store_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

// Two servers count in one state, at once: none of what they count is lost.
func TestRateLimitsAreChangedOneAfterTheOther(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	servers := []*store.DB{db.Open(t, catalogue, nil), db.Open(t, catalogue, nil)}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 20 {
				err := servers[i%2].ChangeRateLimit(t.Context(), "token", func(now time.Time, state []byte) ([]byte, error) {
					if d := time.Since(now); d < -time.Minute || d > time.Minute {
						t.Errorf("the time is %s", now)
					}
					n := 0
					if string(state) != "{}" {
						n, _ = strconv.Atoi(string(state[len(`{"n": `) : len(state)-1]))
					}
					return []byte(`{"n": ` + strconv.Itoa(n+1) + `}`), nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := one[int](t, db.Connect(t, "", ""), `SELECT (state->>'n')::int FROM kb.rate_limits`); n != 160 {
		t.Errorf("%d changes were kept", n)
	}
}

func TestAFailedChangeKeepsTheState(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	s := db.Open(t, catalogue, nil)
	failed := errors.New("failed")
	set := func(state string, err error) error {
		return s.ChangeRateLimit(t.Context(), "token", func(time.Time, []byte) ([]byte, error) { return []byte(state), err })
	}
	if err := set(`{"n": 1}`, nil); err != nil {
		t.Fatal(err)
	}
	if err := set(`{"n": 2}`, failed); err != failed {
		t.Errorf("the error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.ChangeRateLimit(ctx, "token", func(time.Time, []byte) ([]byte, error) {
		cancel()
		return []byte(`{"n": 3}`), nil
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if n := one[int](t, db.Connect(t, "", ""), `SELECT (state->>'n')::int FROM kb.rate_limits`); n != 1 {
		t.Errorf("the state is %d", n)
	}
}

func TestRateLimitsOfTokensThatNobodyUsesGo(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	s := db.Open(t, catalogue, nil)
	root := db.Connect(t, "", "")
	execute(t, root, `
		INSERT INTO kb.rate_limits (fingerprint, state, changed_at)
		VALUES ('old', '{"n": 1}', now() - interval '25 hours'), ('recent', '{"n": 1}', now() - interval '23 hours')`)
	for range 2 {
		if err := s.ChangeRateLimit(t.Context(), "new", func(time.Time, []byte) ([]byte, error) { return []byte(`{"n": 1}`), nil }); err != nil {
			t.Fatal(err)
		}
	}
	if left := column[string](t, root, `SELECT fingerprint FROM kb.rate_limits ORDER BY 1`); len(left) != 2 || left[0] != "new" || left[1] != "recent" {
		t.Errorf("left are %v", left)
	}
}
