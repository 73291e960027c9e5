// Package auth turns what a request shows - an API key or an OpenID provider's token as a bearer token, or an API key in the
// browser's session cookie - into the principal that it runs as. It signs browsers in and out.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/golang-lru/v2/expirable"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

const (
	keyPrefix = "pb_"
	// keyLength is that of the prefix and 256 random bits in base32.
	keyLength = len(keyPrefix) + 52
	// shownLength is how much of a key is stored and shown, to recognise it by: 8 characters of the random part leave
	// 216 bits to guess.
	shownLength = len(keyPrefix) + 8

	// RevocationDelay is how long another replica may go on accepting a key after it was revoked. The replica that
	// revoked it refuses it at once.
	RevocationDelay = 2 * time.Second
	// lookUpTimeout bounds a key's look-up in the database.
	lookUpTimeout = 10 * time.Second
	// cachedKeys bounds the memory of the cache; a key that fell out costs one query.
	cachedKeys = 10_000

	maxKeyName = 200
)

// alphabet is base32 in small letters: a key survives being read aloud.
var alphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Keys makes, ends and checks API keys.
type Keys struct {
	db *store.DB
	// cache remembers keys that were found valid, by hash, so that most requests need no query. Keys that were not
	// are not remembered: a flood of them would push the others out.
	cache *expirable.LRU[[sha256.Size]byte, *store.AuthenticAPIKey]
	// revoked remembers what this replica has just revoked, for look-ups that began before and end after.
	revoked *expirable.LRU[uuid.UUID, struct{}]
	held    held
}

// NewKeys makes the service over a database.
func NewKeys(db *store.DB) *Keys {
	return &Keys{
		db:      db,
		cache:   expirable.NewLRU[[sha256.Size]byte, *store.AuthenticAPIKey](cachedKeys, nil, RevocationDelay),
		revoked: expirable.NewLRU[uuid.UUID, struct{}](cachedKeys, nil, time.Minute),
		held:    held{keys: map[[sha256.Size]byte]*heldKey{}},
	}
}

// find returns a key that is valid. It fails with Unauthenticated for one that is unknown, revoked or expired, and tells the
// three apart nowhere.
func (k *Keys) find(ctx context.Context, key string) (*store.AuthenticAPIKey, error) {
	refused := integration.Unauthenticated("the API key is unknown, revoked or expired")
	if len(key) != keyLength || !strings.HasPrefix(key, keyPrefix) {
		return nil, refused
	}
	hash := sha256.Sum256([]byte(key))
	found, ok := k.cache.Get(hash)
	if !ok {
		ctx, cancel := context.WithTimeout(ctx, lookUpTimeout)
		defer cancel()
		var err error
		if found, err = k.db.AuthenticateAPIKey(ctx, hash[:]); err != nil {
			return nil, fmt.Errorf("look up an API key: %w", err)
		}
		if found == nil {
			return nil, refused
		}
		k.cache.Add(hash, found)
	}
	if k.revoked.Contains(found.ID) || found.Parent != nil && k.revoked.Contains(*found.Parent) {
		return nil, refused
	}
	if found.ExpiresAt != nil && !time.Now().Before(*found.ExpiresAt) {
		return nil, refused
	}
	return found, nil
}

func principal(key *store.AuthenticAPIKey) integration.Principal {
	subject := fmt.Sprintf("api-key:%s (%s)", key.Prefix, key.Name)
	if key.Subject != nil {
		subject = *key.Subject
	}
	return integration.Principal{
		Subject:  subject,
		Org:      key.Org,
		Role:     key.Role,
		Projects: key.Projects,
	}
}

// NewKey is what a client asks for.
type NewKey struct {
	Name      string
	Role      integration.Role
	Projects  []uuid.UUID // nil means all of the organisation's
	ExpiresAt *time.Time  // nil means never
	Subject   string      // whose browser session it is; empty for a key that was asked for
	Parent    *uuid.UUID  // the API key that begins the session, if one does
}

func (n *NewKey) check() error {
	errs := []error{integration.CheckText("name", n.Name, maxKeyName)}
	if !n.Role.Valid() {
		errs = append(errs, integration.Invalid("role", "role must be VIEWER, EDITOR or ADMIN"))
	}
	if n.ExpiresAt != nil && !n.ExpiresAt.After(time.Now()) {
		errs = append(errs, integration.Invalid("expiresAt", "expiresAt must be in the future"))
	}
	if n.Projects != nil && len(n.Projects) == 0 {
		errs = append(errs, integration.Invalid("projectIds", "projectIds must name a project, or be left out for all of the organisation's"))
	}
	return errors.Join(errs...)
}

// Create makes a key in the principal's organisation and returns it with its text, which nobody can read again.
func (k *Keys) Create(ctx context.Context, p integration.Principal, in NewKey) (*integration.APIKey, seal.Secret, error) {
	if err := in.check(); err != nil {
		return nil, seal.Secret{}, err
	}
	if p.Projects != nil && in.Projects == nil {
		return nil, seal.Secret{}, integration.Forbidden("this principal is limited to some projects: name projectIds among them")
	}
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the program instead
	text := keyPrefix + alphabet.EncodeToString(random)
	hash := sha256.Sum256([]byte(text))
	key, err := k.db.Tenant(p.Scope()).CreateAPIKey(ctx, store.NewAPIKey{
		ID:        uuid.Must(uuid.NewV7()),
		Name:      in.Name,
		Prefix:    text[:shownLength],
		Hash:      hash[:],
		Role:      in.Role,
		Projects:  in.Projects,
		Subject:   in.Subject,
		Parent:    in.Parent,
		ExpiresAt: in.ExpiresAt,
	})
	return key, seal.NewSecret(text), err
}

// Revoke ends a key and the sessions that it began: here at once, on other replicas within RevocationDelay.
func (k *Keys) Revoke(ctx context.Context, p integration.Principal, id uuid.UUID) (*integration.APIKey, error) {
	key, err := k.db.Tenant(p.Scope()).RevokeAPIKey(ctx, id)
	if err == nil {
		k.revoked.Add(id, struct{}{})
		for _, hash := range k.cache.Keys() {
			if cached, ok := k.cache.Peek(hash); ok && (cached.ID == id || is(cached.Parent, id)) {
				k.cache.Remove(hash)
			}
		}
		k.held.end(func(held *heldKey) bool { return held.id == id || is(held.parent, id) })
	}
	return key, err
}

func is(parent *uuid.UUID, id uuid.UUID) bool { return parent != nil && *parent == id }

// endSession revokes the key of a browser's session, as whom it is of. What is none, or has ended, is left as it is: an API
// key that somebody put into the cookie is not theirs to end by signing out.
func (k *Keys) endSession(ctx context.Context, key string, from integration.Origin) error {
	found, err := k.find(ctx, key)
	if integration.IsKind(err, integration.KindUnauthenticated) || err == nil && found.Subject == nil {
		return nil
	}
	if err != nil {
		return err
	}
	p := principal(found)
	p.Origin = from
	_, err = k.Revoke(ctx, p, found.ID)
	return err
}
