package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
)

// ErrEnded is the cause of the end of a context that Hold returned: the key was revoked, or has expired.
var ErrEnded = errors.New("the credential was revoked or has expired")

// held are the keys that something lasting, such as a subscription, runs under.
type held struct {
	mu   sync.Mutex
	keys map[[sha256.Size]byte]*heldKey
}

type heldKey struct {
	id     uuid.UUID
	parent *uuid.UUID // the key that began the session
	uses   int
	ended  context.Context
	end    context.CancelFunc
}

// end ends the keys that are no longer valid.
func (h *held) end(invalid func(*heldKey) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for hash, key := range h.keys {
		if invalid(key) {
			key.end()
			delete(h.keys, hash)
		}
	}
}

// Hold returns a context of ctx's that ends, with the cause ErrEnded, when ctx's token does, or soon after ctx's key: at once
// where it was revoked here, else within RevocationDelay and the time that a look takes. Watch must run, and release be called. ctx must have a
// principal.
func (k *Keys) Hold(ctx context.Context) (held context.Context, release func()) {
	id := of(ctx)
	if id.key == uuid.Nil {
		return context.WithDeadlineCause(ctx, id.until, ErrEnded)
	}
	k.held.mu.Lock()
	defer k.held.mu.Unlock()
	key := k.held.keys[id.hash]
	if key == nil {
		key = &heldKey{id: id.key, parent: id.parent}
		key.ended, key.end = context.WithCancel(context.Background())
		k.held.keys[id.hash] = key
	}
	key.uses++
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(key.ended, func() { cancel(ErrEnded) })
	return ctx, sync.OnceFunc(func() {
		stop()
		cancel(nil)
		k.held.mu.Lock()
		defer k.held.mu.Unlock()
		if key.uses--; key.uses == 0 && k.held.keys[id.hash] == key {
			delete(k.held.keys, id.hash)
		}
	})
}

// Watch looks after the keys that are held, all of them in one query, until ctx ends. Where the look fails, they stay: the
// database that could not be asked cannot be read from either.
func (k *Keys) Watch(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(RevocationDelay)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := k.look(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "cannot look whether the keys of subscriptions are still valid", "error", err)
		}
	}
}

func (k *Keys) look(ctx context.Context) error {
	k.held.mu.Lock()
	asked := make(map[*heldKey]bool, len(k.held.keys))
	hashes := make([][]byte, 0, len(k.held.keys))
	for hash, key := range k.held.keys {
		asked[key] = true
		hashes = append(hashes, hash[:])
	}
	k.held.mu.Unlock()
	if len(hashes) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpTimeout)
	defer cancel()
	valid, err := k.db.ValidAPIKeys(ctx, hashes)
	if err != nil {
		return err
	}
	k.held.mu.Lock()
	for _, hash := range valid {
		delete(asked, k.held.keys[[sha256.Size]byte(hash)])
	}
	k.held.mu.Unlock()
	k.held.end(func(key *heldKey) bool { return asked[key] })
	return nil
}
