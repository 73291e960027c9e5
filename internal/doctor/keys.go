package doctor

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// Keys are the encryption keys and where they came from.
type Keys struct {
	Ring *seal.Ring // nil where Err says why
	Err  error
	// Unencoded are the variables whose key is text, not the hex or base64 of random bytes.
	Unencoded []string
	// File holds the current key; empty where the environment does.
	File string
}

// judge needs no database.
func (k Keys) judge() []Finding {
	if k.Ring == nil {
		message := "The encryption keys cannot be used."
		if k.Err != nil {
			message = "The encryption keys cannot be used: " + sentence(k.Err)
		}
		return []Finding{{"encryption-key", Severe, message, "Set INTEGRATION_ENCRYPTION_KEY to the key that sealed the stored secrets; " +
			"for a new database `patchbay key generate` prints one."}}
	}
	message := fmt.Sprintf("The encryption key %s is set.", k.Ring.CurrentID())
	if n := len(k.Ring.IDs()) - 1; n > 0 {
		message = fmt.Sprintf("The encryption key %s is set, and %s.", k.Ring.CurrentID(), count(n, "previous key"))
	}
	found := []Finding{{"encryption-key", OK, message, ""}}
	for _, variable := range k.Unencoded {
		found = append(found, Finding{"encryption-key-form", Warning,
			variable + " holds text instead of random bytes in hex or base64: what a person thought up can be guessed.",
			"Set INTEGRATION_ENCRYPTION_KEY to what `patchbay key generate` prints, and keep the present key in INTEGRATION_ENCRYPTION_PREVIOUS_KEYS while rows need it."})
	}
	if k.File != "" {
		if info, err := os.Stat(k.File); err != nil {
			found = append(found, failed("encryption-key-file", err)...)
		} else if info.Mode().Perm()&0o077 != 0 {
			found = append(found, Finding{"encryption-key-file", Severe,
				fmt.Sprintf("The file of the encryption key, %s, is open to other accounts (%04o).", k.File, info.Mode().Perm()), "Run: chmod 600 " + k.File})
		} else {
			found = append(found, Finding{"encryption-key-file", OK, fmt.Sprintf("The encryption key is kept in %s, readable by its owner only.", k.File), ""})
		}
	}
	return found
}

// judgeKeysInUse compares the keys that sealed rows, by their number of rows, with those that are held.
func (k Keys) judgeKeysInUse(inUse map[string]int) (found []Finding) {
	var missing []string
	for _, id := range slices.Sorted(maps.Keys(inUse)) {
		if k.Ring == nil || !k.Ring.Has(id) {
			missing = append(missing, fmt.Sprintf("%s (%s)", id, count(inUse[id], "integration")))
		}
	}
	switch {
	case len(missing) > 0:
		found = append(found, Finding{"keys-in-use", Severe,
			"Stored secrets were sealed with encryption keys that are not held: " + strings.Join(missing, ", ") + ".",
			"Set INTEGRATION_ENCRYPTION_KEY to the key that sealed them, or add that key to INTEGRATION_ENCRYPTION_PREVIOUS_KEYS. " +
				"If a key is lost for good, `patchbay secrets forget --key-id` and its id shows what is lost with it, and clears that."})
	default:
		found = append(found, Finding{"keys-in-use", OK, "Every key that sealed a row is held.", ""})
	}
	if k.Ring == nil {
		return found
	}
	for _, id := range k.Ring.IDs() {
		switch {
		case id == k.Ring.CurrentID():
		case inUse[id] > 0:
			found = append(found, Finding{"previous-keys", Info,
				fmt.Sprintf("The previous key %s still opens %s.", id, count(inUse[id], "integration")),
				"Keep it in INTEGRATION_ENCRYPTION_PREVIOUS_KEYS."})
		default:
			found = append(found, Finding{"previous-keys", Info,
				fmt.Sprintf("No row needs the previous key %s.", id),
				"It may be dropped from INTEGRATION_ENCRYPTION_PREVIOUS_KEYS, unless a backup that you might restore needs it."})
		}
	}
	return found
}

// firstUnreadable is how many rows that do not open are named.
const firstUnreadable = 5

// secrets makes the checks of what is sealed, on the owner's connection. Passphrases travel only where it is safe.
func (o *Options) secrets(ctx context.Context, i *store.Inspection, safe bool) (found []Finding) {
	inUse, err := i.SealingKeys(ctx)
	if err != nil {
		found = append(found, failed("keys-in-use", err)...)
	} else {
		found = append(found, o.Keys.judgeKeysInUse(inUse)...)
	}
	throwaway, err := i.TrySealing(ctx, randomText(), randomText(), randomText())
	if err != nil {
		found = append(found, failed("sealing", err)...)
	} else {
		found = append(found, judgeSealing(throwaway))
	}
	switch {
	case o.Keys.Ring == nil:
		return append(found, skipped("sealed-rows", "the encryption keys cannot be used"))
	case !safe:
		return append(found, skipped("sealed-rows", "the rows' passphrases would travel where others may read them, which another finding tells"))
	case err != nil:
		return append(found, skipped("sealed-rows", "sealing could not be tried"))
	}
	opened, err := i.OpenAll(ctx, o.Keys.Ring, firstUnreadable)
	if err != nil {
		return append(found, failed("sealed-rows", err)...)
	}
	return append(found, judgeOpened(opened))
}

func judgeOpened(o store.Opened) Finding {
	if o.Unreadable == 0 {
		return Finding{"sealed-rows", OK, fmt.Sprintf("Every sealed value opens, in %s.", count(o.Rows, "row")), ""}
	}
	var rows []string
	for _, row := range o.First {
		rows = append(rows, fmt.Sprintf("%s %s (%s)", row.Table, row.ID, strings.Join(row.Columns, ", ")))
	}
	if more := o.Unreadable - len(o.First); more > 0 {
		rows = append(rows, fmt.Sprintf("and %d more", more))
	}
	return Finding{"sealed-rows", Severe,
		fmt.Sprintf("Of %s with sealed values, %d hold what does not open, damaged or copied from another row: %s.", count(o.Rows, "row"), o.Unreadable, strings.Join(rows, "; ")),
		"Give each of these integrations every secret setting, and webhookSecret where a webhook secret is named, anew with updateIntegration; or restore the rows from a backup."}
}

// judgeSealing looks at the OpenPGP message that pgcrypto made: RFC 4880, sections 4.2, 5.3 and 5.13.
func judgeSealing(s store.Sealing) Finding {
	const (
		sessionKey, protected = 0xc0 | 3, 0xc0 | 18 // packets' tags
		version, aes256       = 4, 9
	)
	remedy := "kb.seal or pgcrypto is not what the migrations made. Restore kb.seal and kb.unseal as migrations/00001_sealing.sql has them, then give the secrets that were saved meanwhile anew."
	message, err := base64.StdEncoding.DecodeString(s.Sealed)
	switch {
	case err != nil || len(message) < 4 || message[0] != sessionKey || message[2] != version || len(message) < 3+int(message[1]) || message[2+int(message[1])] != protected:
		return Finding{"sealing", Severe, "kb.seal does not make an OpenPGP message that is protected against changes.", remedy}
	case message[3] != aes256:
		return Finding{"sealing", Severe, fmt.Sprintf("kb.seal does not encrypt with AES-256, but with OpenPGP's algorithm %d.", message[3]), remedy}
	case !s.Opens || s.OpensForOthers:
		return Finding{"sealing", Severe, "What kb.seal makes does not open with its passphrase, or opens with another one.", remedy}
	}
	return Finding{"sealing", OK, "pgcrypto " + s.PgcryptoVersion + " seals with AES-256, and a throwaway value opens again.", ""}
}

// randomText is 256 bits in hex, as a derived passphrase is.
func randomText() seal.Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return seal.NewSecret(hex.EncodeToString(b))
}

// count is a number and its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
