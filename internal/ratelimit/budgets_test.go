package ratelimit

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

func want(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

var (
	ada   = integration.Principal{Org: "acme", Subject: "ada"}
	grace = integration.Principal{Org: "acme", Subject: "grace"}
)

func TestABudgetIsUsedUpAndComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudgets(600) // 10 a second
		want(t, b.Spend(ada, 400, 0), Balance{Limit: 600, Remaining: 200})
		want(t, b.Spend(ada, 200, 0), Balance{Limit: 600, Remaining: 0})
		want(t, b.Spend(ada, 50, 0), Balance{Limit: 600, RetryAfter: 5 * time.Second})
		want(t, b.Spend(ada, 50, 0), Balance{Limit: 600, RetryAfter: 5 * time.Second}) // what is refused takes nothing
		for _, other := range []integration.Principal{grace, {Org: "other", Subject: "ada"}} {
			want(t, b.Spend(other, 400, 0), Balance{Limit: 600, Remaining: 200})
		}
		time.Sleep(5*time.Second - time.Millisecond)
		if b.Spend(ada, 50, 0).RetryAfter == 0 {
			t.Error("it came back early")
		}
		time.Sleep(time.Millisecond)
		want(t, b.Spend(ada, 50, 0), Balance{Limit: 600, Remaining: 0})
		time.Sleep(time.Hour)
		want(t, b.Spend(ada, 0, 0), Balance{Limit: 600, Remaining: 600}) // and no more than that
	})
}

// An operation that is refused after its first points were taken gets them back, and fits after the time it was told.
func TestAnOperationThatIsRefusedHalfway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudgets(600)
		attempt := func() Balance {
			if first := b.Spend(ada, 100, 0); first.RetryAfter > 0 {
				return first
			}
			return b.Spend(ada, 300, 100)
		}
		want(t, attempt(), Balance{Limit: 600, Remaining: 200})
		want(t, attempt(), Balance{Limit: 600, Remaining: 200, RetryAfter: 20 * time.Second})
		for range 20 { // who does not wait is served no later
			time.Sleep(time.Second - time.Millisecond)
			want(t, attempt().RetryAfter > 0, true)
		}
		time.Sleep(20 * time.Millisecond)
		want(t, attempt(), Balance{Limit: 600, Remaining: 0})
	})
}

func TestTheCostliestOperationFitsAWholeBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudgets(600)
		b.Spend(ada, 100, 0)
		want(t, b.Spend(ada, 40_000, 0), Balance{Limit: 600, Remaining: 500, RetryAfter: 10 * time.Second})
		time.Sleep(10 * time.Second)
		b.Spend(ada, 100, 0)
		want(t, b.Spend(ada, 40_000, 100), Balance{Limit: 600, Remaining: 0})

		small := NewBudgets(50)
		want(t, small.Spend(ada, 100, 0), Balance{Limit: 50, Remaining: 0})
		want(t, small.Spend(ada, 100, 100), Balance{Limit: 50, Remaining: 0})
		want(t, small.Spend(ada, 100, 0), Balance{Limit: 50, RetryAfter: time.Minute})
	})
}

func TestSpendingAtOnceGrantsNoMoreThanThereIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // time stands still
		b := NewBudgets(1000)
		var granted atomic.Int64
		var spenders sync.WaitGroup
		for range 50 {
			spenders.Go(func() {
				for range 100 {
					if b.Spend(ada, 3, 0).RetryAfter == 0 {
						granted.Add(3)
					}
				}
			})
		}
		spenders.Wait()
		want(t, granted.Load(), int64(999))
	})
}

func TestTheMemoryOfBudgetsIsBounded(t *testing.T) {
	t.Parallel()
	b := NewBudgets(1)
	for i := range maxAccounts + 100 {
		b.Spend(integration.Principal{Org: "acme", Subject: fmt.Sprint(i)}, 1, 0)
	}
	want(t, b.accounts.Len(), maxAccounts)
	want(t, len(b.takeUnshared()), maxAccounts)
}

func TestNoLimit(t *testing.T) {
	t.Parallel()
	if NewBudgets(0) != nil || NewFailures(0) != nil {
		t.Error("0 is a limit")
	}
	(*Budgets)(nil).Exchange(t.Context(), nil, nil)
}

// What is used at one server counts at the others from the next exchange on, and what both granted is owed.
func TestServersAddUp(t *testing.T) {
	t.Parallel()
	database := storetest.New(t)
	type server struct {
		*Budgets
		db *store.DB
	}
	newServer := func() server { return server{NewBudgets(60), database.Open(t, integration.NewCatalogue(), nil)} } // 1 a second
	exchange := func(s server) {
		t.Helper()
		if err := s.exchange(t.Context(), s.db); err != nil {
			t.Fatal(err)
		}
	}
	one, other := newServer(), newServer()
	begun := time.Now()
	want(t, one.Spend(ada, 60, 0).RetryAfter, time.Duration(0))
	want(t, other.Spend(grace, 30, 0).RetryAfter, time.Duration(0))
	exchange(one)
	exchange(other)

	// The other server has not heard of ada: it grants what it believes to be left, and learns of the rest by telling.
	want(t, other.Spend(ada, 40, 0).RetryAfter, time.Duration(0))
	exchange(other)
	for _, s := range []server{other, one} {
		refused := s.Spend(ada, 1, 0).RetryAfter
		owed := 0 * time.Second
		if s == other {
			owed = 40 * time.Second
		}
		if refused < owed-time.Since(begun) || refused > owed+time.Second {
			t.Errorf("after 100 of 60 it is refused for %v, want %v", refused, owed)
		}
	}
	want(t, one.Spend(grace, 30, 0).RetryAfter, time.Duration(0))
	exchange(one)
	if left := one.Spend(grace, 0, 0).Remaining; left > 1+int(time.Since(begun)/time.Second) { // 30 and 30 were used
		t.Errorf("%d are left", left)
	}

	// A server that was started anew knows with its first exchange.
	third := newServer()
	want(t, third.Spend(ada, 1, 0).RetryAfter, time.Duration(0))
	exchange(third)
	if refused := third.Spend(ada, 1, 0).RetryAfter; refused < 40*time.Second-time.Since(begun) {
		t.Errorf("after a restart it is refused for %v only", refused)
	}
}

// What could not be told is told later, and nothing is sent where nobody used much.
func TestWhatIsToldToOtherServers(t *testing.T) {
	t.Parallel()
	db := storetest.New(t).Open(t, integration.NewCatalogue(), nil)
	b := NewBudgets(1_000_000)
	b.Spend(ada, 9_999, 0)
	if err := b.exchange(cancelled(), db); err != nil {
		t.Errorf("a statement was sent for nothing: %v", err)
	}
	b.Spend(ada, 1, 0)
	if err := b.exchange(cancelled(), db); err == nil {
		t.Error("no statement was sent")
	}
	b.Spend(ada, 5_000, 0)
	if err := b.exchange(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	sums, err := db.AddAPIUsage(t.Context(), map[store.APIAccount]float64{account{"acme", "ada"}.hash(): 0}, 0)
	if err != nil {
		t.Fatal(err)
	}
	want(t, sums, map[store.APIAccount]float64{account{"acme", "ada"}.hash(): 15_000})
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func BenchmarkSpend(b *testing.B) {
	budgets := NewBudgets(1_000_000_000)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			budgets.Spend(ada, 100, 0)
		}
	})
}
