package seal

import (
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// MinKeyBytes is the least that a master key must hold.
const MinKeyBytes = 32

// minDistinctBytes refuses keys such as "aaaa…": 32 random bytes have fewer distinct values once in 10^13.
const minDistinctBytes = 16

// stretchIterations is OWASP's figure for PBKDF2 with SHA-256 (2023); about 0.1 s, once at start.
const stretchIterations = 600_000

// Key is a master encryption key. It prints as its id.
type Key struct {
	id       string
	material Secret // 32 bytes, uniform
}

// ErrWeakKey is what every refusal of ParseKey wraps.
var ErrWeakKey = errors.New("the encryption key is too weak")

// ParseKey reads a master key from text: hex or base64 (standard or URL alphabet, padded or not) that decodes to 32
// bytes or more is decoded; other text of 32 bytes or more is taken as it is. Whatever its form it might have been
// thought up by a person, and the passphrases derived from it are not stretched again, so it is stretched here, once.
// The error never repeats the text.
func ParseKey(text Secret) (Key, error) {
	raw, _ := decodeKey(strings.TrimSpace(text.Expose()))
	if len(raw) < MinKeyBytes {
		return Key{}, fmt.Errorf("%w: it has %d bytes and needs %d or more, random, in hex or base64", ErrWeakKey, len(raw), MinKeyBytes)
	}
	distinct := map[byte]bool{}
	for _, b := range raw {
		distinct[b] = true
	}
	if len(distinct) < minDistinctBytes {
		return Key{}, fmt.Errorf("%w: it has only %d different bytes and needs %d or more", ErrWeakKey, len(distinct), minDistinctBytes)
	}
	material, err := stretch(raw)
	if err != nil {
		return Key{}, fmt.Errorf("stretch the encryption key: %w", err)
	}
	fingerprint, err := hkdf.Expand(sha256.New, material, "key id", 8)
	if err != nil {
		return Key{}, fmt.Errorf("derive from the encryption key: %w", err)
	}
	return Key{id: hex.EncodeToString(fingerprint), material: NewSecret(string(material))}, nil
}

// stretched are the keys that this process has stretched, by their SHA-256: several of its parts read the same ones.
var stretched sync.Map

func stretch(raw []byte) ([]byte, error) {
	hash := sha256.Sum256(raw)
	if material, done := stretched.Load(hash); done {
		return material.([]byte), nil
	}
	material, err := pbkdf2.Key(sha256.New, string(raw), []byte("patchbay master key v1"), stretchIterations, 32)
	if err == nil {
		stretched.Store(hash, material)
	}
	return material, err
}

// IsEncoded reports whether ParseKey decodes the text from hex or base64, as it does with keys that GenerateKey made. Other
// text might have been thought up by a person.
func IsEncoded(text Secret) bool {
	_, encoded := decodeKey(strings.TrimSpace(text.Expose()))
	return encoded
}

// decodeKey returns what s encodes, or the bytes of s itself. Hex comes first: its digits are base64's too.
func decodeKey(s string) (raw []byte, encoded bool) {
	if b, err := hex.DecodeString(s); err == nil && len(b) >= MinKeyBytes {
		return b, true
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := enc.DecodeString(s); err == nil && len(b) >= MinKeyBytes {
			return b, true
		}
	}
	return []byte(s), false
}

// GenerateKey makes the text of a new master key: 32 random bytes in base64.
func GenerateKey() Secret {
	b := make([]byte, MinKeyBytes)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return NewSecret(base64.StdEncoding.EncodeToString(b))
}

// GenerateWebhookSecret makes a secret for signing webhooks: 32 random bytes in hex.
func GenerateWebhookSecret() Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return NewSecret(hex.EncodeToString(b))
}

// ID is a one-way fingerprint of the key: 16 hex digits, safe to store, log and show.
func (k Key) ID() string { return k.id }

func (k Key) String() string   { return "key " + k.id }
func (k Key) GoString() string { return k.String() }

// Format prints the id for every verb of package fmt.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }
