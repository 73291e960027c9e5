package connect

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxFound bounds the memory for what is there, to some 10 MB.
	maxFound = 10_000
	// maxMissing bounds it for what is not: about as much as is looked up within missingStaleness.
	maxMissing = 1000
	// missingStaleness is how long it may take until what is made is found, if it was asked for just before; else it is found at once.
	missingStaleness = 250 * time.Millisecond
	// missingAtOnce is how many look-ups of what was not found yet run at once. Anybody may ask for what there is not: the other
	// connections of the pool are for requests and jobs.
	missingAtOnce = 2
)

// lookups remembers what deliveries made this server look up. What is not there pushes out nothing that is.
type lookups[K comparable, V any] struct {
	places chan struct{} // has room for missingAtOnce

	mu      sync.Mutex
	found   *simplelru.LRU[K, *lookup[V]]
	missing *simplelru.LRU[K, *lookup[V]]
}

// lookup is one of them. Its lock is held while it is looked up, so that others wait for that instead of doing the same.
type lookup[V any] struct {
	mu      sync.Mutex
	value   V // zero unless found
	found   bool
	checked time.Time
}

func newLookups[K comparable, V any](places chan struct{}) *lookups[K, V] {
	found, _ := simplelru.NewLRU[K, *lookup[V]](maxFound, nil) // fails for a size of 0 only
	missing, _ := simplelru.NewLRU[K, *lookup[V]](maxMissing, nil)
	return &lookups[K, V]{places: places, found: found, missing: missing}
}

// get returns a key's value as it was webhookStaleness ago at most; zero where there is none. look looks it up, given what was known
// before.
func (l *lookups[K, V]) get(ctx context.Context, key K, look func(known V) (value V, found bool, err error)) (none V, err error) {
	k := l.of(key)
	k.mu.Lock()
	defer k.mu.Unlock()
	staleness := webhookStaleness
	if !k.found {
		staleness = missingStaleness
	}
	if time.Since(k.checked) <= staleness {
		return k.value, nil
	}
	if !k.found {
		select {
		case l.places <- struct{}{}:
			defer func() { <-l.places }()
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
	began := time.Now()
	value, found, err := look(k.value)
	if err != nil {
		return none, err
	}
	if !found {
		value = none
	}
	if found != k.found {
		l.move(key, k, found)
	}
	k.value, k.found, k.checked = value, found, began
	return k.value, nil
}

// of returns what is remembered of a key, which is missing at first.
func (l *lookups[K, V]) of(key K) *lookup[V] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k, ok := l.found.Get(key); ok {
		return k
	}
	k, ok := l.missing.Get(key)
	if !ok {
		k = &lookup[V]{}
		l.missing.Add(key, k)
	}
	return k
}

// move notes that a key was found, or is missing by now.
func (l *lookups[K, V]) move(key K, k *lookup[V], found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, to := l.found, l.missing
	if found {
		from, to = to, from
	}
	from.Remove(key)
	to.Add(key, k)
}

// forget has a key looked up again when it is asked for next.
func (l *lookups[K, V]) forget(key K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found.Remove(key)
	l.missing.Remove(key)
}
