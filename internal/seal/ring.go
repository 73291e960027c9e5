package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Ring holds the current master key, which seals, and the previous ones, which can still open. It does not change once
// made and is safe for concurrent use.
type Ring struct {
	current Key
	byID    map[string]Key
}

// NewRing makes a ring. A previous key that equals the current one is taken once.
func NewRing(current Key, previous ...Key) *Ring {
	r := &Ring{current: current, byID: map[string]Key{current.id: current}}
	for _, k := range previous {
		r.byID[k.id] = k
	}
	return r
}

// CurrentID is the id of the key that new secrets are sealed under.
func (r *Ring) CurrentID() string { return r.current.id }

// Has reports whether the ring can open what the key of this id sealed.
func (r *Ring) Has(keyID string) bool { _, ok := r.byID[keyID]; return ok }

// IDs returns the ids of all keys, sorted.
func (r *Ring) IDs() []string {
	ids := make([]string, 0, len(r.byID))
	for id := range r.byID {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Cell is where a sealed value lives. It goes into the passphrase, so that a ciphertext opens only there: copied to
// another row, column or organisation it does not.
type Cell struct {
	Table  string // with its schema
	Column string
	Row    uuid.UUID
	Org    string
}

// Passphrase derives the passphrase of one cell: 256 bits of HKDF-SHA256 in hex. It fails for a key that the ring does
// not hold.
func (r *Ring) Passphrase(keyID string, cell Cell) (Secret, error) {
	k, ok := r.byID[keyID]
	if !ok {
		return Secret{}, fmt.Errorf("no encryption key has the id %q", keyID)
	}
	b, err := hkdf.Expand(sha256.New, []byte(k.material.Expose()), cell.info(k.id), 32)
	if err != nil {
		return Secret{}, fmt.Errorf("derive a passphrase: %w", err)
	}
	return NewSecret(hex.EncodeToString(b)), nil
}

// Fingerprint names a secret without telling it: 32 hex digits, which only who has the key can make of it.
func Fingerprint(key, secret Secret) string {
	mac := hmac.New(sha256.New, []byte(key.Expose()))
	mac.Write([]byte(secret.Expose()))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// Derive returns a key for something that is stored nowhere, such as cookies, from each master key, the current one's
// first: 32 bytes of HKDF-SHA256. Servers that share master keys share these, and no passphrase of a cell is among them.
func (r *Ring) Derive(purpose string) ([]Secret, error) {
	keys := []Key{r.current}
	for _, id := range r.IDs() {
		if id != r.current.id {
			keys = append(keys, r.byID[id])
		}
	}
	derived := make([]Secret, len(keys))
	for i, k := range keys {
		b, err := hkdf.Expand(sha256.New, []byte(k.material.Expose()), "derived v1:"+purpose, 32)
		if err != nil {
			return nil, fmt.Errorf("derive a key: %w", err)
		}
		derived[i] = NewSecret(string(b))
	}
	return derived, nil
}

// info joins the cell's parts, each with its length before it, so that no two cells share one.
func (c Cell) info(keyID string) string {
	var b strings.Builder
	for _, part := range []string{"cell v1", keyID, c.Table, c.Column, c.Row.String(), c.Org} {
		b.WriteString(strconv.Itoa(len(part)))
		b.WriteByte(':')
		b.WriteString(part)
	}
	return b.String()
}
