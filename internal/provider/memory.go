package provider

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"patchbay/internal/seal"
)

// memory is the ledger of a process that shares no token.
type memory struct {
	mu     sync.Mutex
	states map[string][]byte
}

func (m *memory) ChangeRateLimit(_ context.Context, fingerprint string, change func(time.Time, []byte) ([]byte, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	state, ok := m.states[fingerprint]
	if !ok {
		state = []byte("{}")
	}
	next, err := change(time.Now(), state)
	if err == nil {
		m.states[fingerprint] = next
	}
	return err
}

// newFingerprint names tokens by a key that ends with the process.
func newFingerprint() func(seal.Secret) string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	return func(token seal.Secret) string {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(token.Expose()))
		return string(mac.Sum(nil))
	}
}
