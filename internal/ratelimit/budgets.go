package ratelimit

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

const (
	// maxAccounts bounds the memory, to some 4 MB. Who is pushed out begins with a whole budget, until the next exchange
	// with the database tells what was used.
	maxAccounts = 10_000
	// exchangeInterval is how often servers tell each other what was used, and so how long one may not know.
	exchangeInterval = time.Second
	// unsharedPart is which part of a budget a server may keep to itself: who uses less costs the database nothing.
	unsharedPart = 0.01
	// pruneInterval is how often rows that have drained are removed.
	pruneInterval = time.Minute
)

// Budgets are what each principal may use of the API, in points a minute. A budget can be used at once; what was used
// comes back steadily. Each server counts for itself, in memory, and adds up with the others in the database: see Exchange.
type Budgets struct {
	limit float64

	mu       sync.Mutex
	accounts *simplelru.LRU[account, *usage]
	toShare  map[account]struct{} // those to tell the others of
}

// account is whose budget it is: all credentials of one subject share one.
type account struct{ org, subject string }

func (a account) hash() store.APIAccount { return sha256.Sum256([]byte(a.org + "\x00" + a.subject)) }

type usage struct {
	bucket
	unshared float64 // what the database has not heard of yet
}

// NewBudgets makes budgets of so many points a minute. Without points there is no limit: it returns nil, which refuses
// nothing.
func NewBudgets(points int) *Budgets {
	if points == 0 {
		return nil
	}
	accounts, _ := simplelru.NewLRU[account, *usage](maxAccounts, nil) // fails for a size of 0 only
	return &Budgets{limit: float64(points), accounts: accounts, toShare: map[account]struct{}{}}
}

// Balance is what is left of a budget.
type Balance struct {
	Limit, Remaining int
	// RetryAfter is how long to wait for what was refused; 0 where nothing was.
	RetryAfter time.Duration
}

// Spend takes points from the principal's budget for an operation that took some before. Where they are not left, it takes
// nothing and gives those back. No operation takes more than a whole budget, so that all are possible.
func (b *Budgets) Spend(p integration.Principal, points, before int) Balance {
	whole, taken := min(float64(before+points), b.limit), min(float64(before), b.limit)
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.usage(account{p.Org, p.Subject}, time.Now())
	balance := Balance{Limit: int(b.limit)}
	if u.level-taken+whole <= b.limit {
		u.level += whole - taken
		u.unshared += whole - taken
		if u.unshared >= b.limit*unsharedPart {
			b.toShare[account{p.Org, p.Subject}] = struct{}{}
		}
	} else {
		u.level = max(u.level-taken, 0)
		u.unshared -= taken
		balance.RetryAfter = max(u.untilRoom(b.limit, whole), 1)
	}
	balance.Remaining = int(max(b.limit-u.level, 0))
	return balance
}

// usage is an account's as of now.
func (b *Budgets) usage(a account, now time.Time) *usage {
	u, ok := b.accounts.Get(a)
	if !ok {
		u = &usage{bucket: bucket{at: now}}
		b.accounts.Add(a, u)
	}
	u.drain(b.limit, now)
	if u.level == 0 {
		u.unshared = 0 // has drained elsewhere too
	}
	return u
}

// Exchange adds what was used here to what was used at the other servers of the database, and learns their sums, once a
// second until ctx ends. Only accounts of which much was used since are sent, in one statement for all of them: where
// nobody uses a hundredth of a budget, nothing is.
//
// Between two exchanges each server may grant what it believes to be left: a burst at n servers at once can take n budgets.
// What was granted too much is owed, and drains before anything else is granted, so it is made up for within minutes.
func (b *Budgets) Exchange(ctx context.Context, db *store.DB, log *slog.Logger) {
	if b == nil {
		return
	}
	tick, prune := time.NewTicker(exchangeInterval), time.NewTicker(pruneInterval)
	defer tick.Stop()
	defer prune.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err = b.exchange(ctx, db)
		case <-prune.C:
			err = db.PruneAPIUsage(ctx)
		}
		if err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "the use of the API cannot be added up with other servers; each counts for itself meanwhile", "error", err)
		}
	}
}

func (b *Budgets) exchange(ctx context.Context, db *store.DB) error {
	shared := b.takeUnshared()
	if len(shared) == 0 {
		return nil
	}
	used := make(map[store.APIAccount]float64, len(shared))
	for a, points := range shared {
		used[a.hash()] = points
	}
	sums, err := db.AddAPIUsage(ctx, used, b.limit/window.Seconds())
	b.mu.Lock()
	defer b.mu.Unlock()
	for a, points := range shared {
		u, ok := b.accounts.Peek(a)
		switch {
		case !ok: // pushed out meanwhile
		case err != nil:
			u.unshared += points
			b.toShare[a] = struct{}{}
		default:
			u.level, u.at = sums[a.hash()]+u.unshared, time.Now()
		}
	}
	return err
}

// takeUnshared is what to tell the others, who are taken to know it from now on.
func (b *Budgets) takeUnshared() map[account]float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	unshared := make(map[account]float64, len(b.toShare))
	for a := range b.toShare {
		if u, ok := b.accounts.Peek(a); ok && u.unshared > 0 {
			unshared[a], u.unshared = u.unshared, 0
		}
	}
	clear(b.toShare)
	return unshared
}
