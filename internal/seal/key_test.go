package seal

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// material is 32 bytes as a key generator would make them.
var material = []byte("\x01\x9f\x33\xa7\xc4\x58\x0b\xee\x72\x1d\x90\x46\xfa\x2c\x8b\x65\xd3\x17\x69\xbe\x04\x51\xaa\x3f\xe8\x7c\x96\x20\xcd\x5e\xb2\x48")

func TestFormsOfOneKeyAreTheSameKey(t *testing.T) {
	t.Parallel()
	want := parse(t, hex.EncodeToString(material))
	for _, form := range []string{
		strings.ToUpper(hex.EncodeToString(material)),
		base64.StdEncoding.EncodeToString(material),
		base64.RawStdEncoding.EncodeToString(material),
		base64.URLEncoding.EncodeToString(material),
		base64.RawURLEncoding.EncodeToString(material),
		" " + base64.StdEncoding.EncodeToString(material) + "\n",
		string(material),
	} {
		if got := parse(t, form); got.ID() != want.ID() {
			t.Errorf("a form of the key has the id %s, not %s", got.ID(), want.ID())
		}
		if encoded := IsEncoded(NewSecret(form)); encoded == (form == string(material)) {
			t.Errorf("%q is encoded: %t", form, encoded)
		}
	}
}

func TestWeakKeysAreRefusedWithoutRepeatingThem(t *testing.T) {
	t.Parallel()
	for _, weak := range []string{
		"",
		"correct horse battery",
		strings.Repeat("0123456789", 10), // 10 different bytes
		strings.Repeat("ab", 32),         // hex of one byte
		base64.StdEncoding.EncodeToString(make([]byte, 32)), // zeros
	} {
		_, err := ParseKey(NewSecret(weak))
		if !errors.Is(err, ErrWeakKey) {
			t.Errorf("%q: error %v", weak, err)
		}
		if len(weak) > 5 && strings.Contains(fmt.Sprint(err), weak[:5]) {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
}

func TestGeneratedKeysAreGood(t *testing.T) {
	t.Parallel()
	a, b := parse(t, GenerateKey().Expose()), parse(t, GenerateKey().Expose())
	if a.ID() == b.ID() || len(a.ID()) != 16 {
		t.Errorf("ids %s and %s", a.ID(), b.ID())
	}
}

func TestKeyPrintsAsItsID(t *testing.T) {
	t.Parallel()
	k := parse(t, string(material))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, k); got != "key "+k.ID() {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	if got := fmt.Sprintf("%+v", *NewRing(k)); strings.Contains(got, fmt.Sprint([]byte(k.material.Expose()))) || strings.Contains(got, k.material.Expose()) {
		t.Errorf("a ring prints its key: %s", got)
	}
}

func TestPassphraseIsStable(t *testing.T) {
	t.Parallel()
	// What is stored must open under later versions too: a change of this value loses every secret.
	cell := Cell{Table: "kb.integrations", Column: "settings", Row: uuid.MustParse("0198c0de-7a3b-7c2d-9e4f-5a6b7c8d9e0f"), Org: "acme"}
	k := parse(t, string(material))
	got, err := NewRing(k).Passphrase(k.ID(), cell)
	if err != nil {
		t.Fatal(err)
	}
	const wantID, want = "b53bcb147157fb86", "ab0df777306876ec8e89974b3a856aa0accc06f2733979d292cb2f2ff7f25ad5"
	if k.ID() != wantID || got.Expose() != want {
		t.Errorf("key %s, passphrase %s", k.ID(), got.Expose())
	}
}

func TestPassphraseOfAnUnknownKey(t *testing.T) {
	t.Parallel()
	if _, err := NewRing(parse(t, string(material))).Passphrase("0000000000000000", Cell{}); err == nil {
		t.Error("a key that is not in the ring gave a passphrase")
	}
}

func TestRingHoldsPreviousKeys(t *testing.T) {
	t.Parallel()
	a, b := parse(t, GenerateKey().Expose()), parse(t, GenerateKey().Expose())
	r := NewRing(a, b, a)
	if r.CurrentID() != a.ID() || !r.Has(b.ID()) || len(r.IDs()) != 2 || r.Has("other") {
		t.Errorf("ring of %s and %s has %v", a.ID(), b.ID(), r.IDs())
	}
}

// Each purpose and each master key has a key of its own, the current master key's first.
func TestDerivedKeys(t *testing.T) {
	t.Parallel()
	a, b := parse(t, GenerateKey().Expose()), parse(t, GenerateKey().Expose())
	derive := func(r *Ring, purpose string) []Secret {
		t.Helper()
		keys, err := r.Derive(purpose)
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	before, after := derive(NewRing(a), "cookies"), derive(NewRing(b, a), "cookies")
	if len(before) != 1 || len(after) != 2 || len(before[0].Expose()) != 32 {
		t.Fatalf("%d and %d keys", len(before), len(after))
	}
	if !after[1].Equal(before[0]) || after[0].Equal(before[0]) || derive(NewRing(a), "other")[0].Equal(before[0]) {
		t.Error("the keys are not what purpose and master key say")
	}
}

// TestEveryCellHasItsOwnPassphrase: cells that differ in anything, be it only where one part ends and the next begins,
// share none.
func TestEveryCellHasItsOwnPassphrase(t *testing.T) {
	t.Parallel()
	keys := []Key{parse(t, GenerateKey().Expose()), parse(t, GenerateKey().Expose())}
	ring := NewRing(keys[0], keys[1])
	part := rapid.StringMatching(`[a1:.]{0,3}`)
	type place struct {
		key  string
		cell Cell
	}
	places := rapid.Custom(func(t *rapid.T) place {
		return place{
			key: keys[rapid.IntRange(0, 1).Draw(t, "key")].ID(),
			cell: Cell{
				Table:  part.Draw(t, "table"),
				Column: part.Draw(t, "column"),
				Row:    uuid.UUID{15: rapid.ByteRange(0, 2).Draw(t, "row")},
				Org:    part.Draw(t, "org"),
			},
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := places.Draw(t, "a"), places.Draw(t, "b")
		pa, errA := ring.Passphrase(a.key, a.cell)
		pb, errB := ring.Passphrase(b.key, b.cell)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if len(pa.Expose()) != 64 {
			t.Fatalf("a passphrase has %d characters", len(pa.Expose()))
		}
		if (a == b) != pa.Equal(pb) {
			t.Fatalf("%+v and %+v: equal passphrases %v", a, b, pa.Equal(pb))
		}
	})
}

func parse(t *testing.T, text string) Key {
	t.Helper()
	k, err := ParseKey(NewSecret(text))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestFingerprintsTellSecretsApartAndNothingElse(t *testing.T) {
	t.Parallel()
	key, secret := NewSecret("a key"), NewSecret("pk_42_ABCDEF")
	got := Fingerprint(key, secret)
	if got != Fingerprint(key, secret) || len(got) != 32 {
		t.Errorf("the fingerprint is %s, and %s again", got, Fingerprint(key, secret))
	}
	for name, another := range map[string]string{
		"another secret": Fingerprint(key, NewSecret("pk_42_ABCDEG")),
		"another key":    Fingerprint(NewSecret("another key"), secret),
	} {
		if another == got {
			t.Errorf("%s has the same fingerprint", name)
		}
	}
}
