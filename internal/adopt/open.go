package adopt

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// The earlier module's settings are found in four forms, in a text column or a binary one: an OpenPGP message as it is or
// in base64, AES in CBC mode in base64, and plain JSON where no key was set.

const (
	notOpening = "do not open with PATCHBAY_ADOPT_KEY, or are damaged"
	noKey      = "are encrypted, and PATCHBAY_ADOPT_KEY is not set"
	noPgcrypto = "are encrypted, and the earlier module's database lacks the extension pgcrypto"
	noObject   = "open, but are no JSON object"
)

// settings opens the settings of a row. A problem is why they do not open; it repeats nothing of them.
func (r *run) settings(ctx context.Context, stored seal.Secret) (settings map[string]any, problem string, err error) {
	text := bytes.TrimSpace([]byte(stored.Expose()))
	if len(text) == 0 || string(text) == "null" {
		return nil, "", nil
	}
	if settings, ok := parse(text); ok {
		return settings, "", nil
	}
	if problem := r.cannotDecrypt(); problem != "" {
		return nil, "its settings " + problem, nil
	}
	problem = notOpening
	for _, c := range ciphertexts([]byte(stored.Expose())) {
		opened, ok, err := r.source.Decrypt(ctx, c.form, c.bytes, r.Key)
		if err != nil {
			return nil, "", err
		}
		if !ok {
			continue
		}
		if settings, ok := parse(opened); ok {
			return settings, "", nil
		}
		if c.form == store.EarlierOpenPGP { // which has a checksum, so this is what was encrypted
			problem = noObject
		}
	}
	return nil, "its settings " + problem, nil
}

// webhookSecret opens a webhook secret. Most are plain; what has the form of an OpenPGP message, or opens as a line of text, is
// not.
func (r *run) webhookSecret(ctx context.Context, stored seal.Secret) (secret seal.Secret, problem string, err error) {
	text := strings.TrimSpace(stored.Expose())
	for _, c := range ciphertexts([]byte(stored.Expose())) {
		message := c.form == store.EarlierOpenPGP
		if reason := r.cannotDecrypt(); reason != "" {
			if message {
				return seal.Secret{}, "its webhook secret does not open: such secrets " + reason, nil
			}
			continue
		}
		opened, ok, err := r.source.Decrypt(ctx, c.form, c.bytes, r.Key)
		if err != nil {
			return seal.Secret{}, "", err
		}
		if ok && printable(string(opened)) {
			return seal.NewSecret(string(opened)), "", nil
		}
		if message {
			return seal.Secret{}, "its webhook secret does not open with PATCHBAY_ADOPT_KEY, or is damaged", nil
		}
	}
	if text != "" && !printable(text) {
		return seal.Secret{}, "its webhook secret is no text", nil
	}
	return seal.NewSecret(text), "", nil
}

// cannotDecrypt is why nothing encrypted can be opened.
func (r *run) cannotDecrypt() string {
	switch {
	case r.Key.IsZero():
		return noKey
	case !r.source.CanDecrypt():
		return noPgcrypto
	}
	return ""
}

// ciphertext is what a stored value may be.
type ciphertext struct {
	form  store.EarlierForm
	bytes []byte
}

// ciphertexts lists what a stored value may be, the surest first.
func ciphertexts(stored []byte) (found []ciphertext) {
	raw := stored
	if text, ok := bytes.CutPrefix(bytes.TrimSpace(stored), []byte(`\x`)); ok { // binary that was cast to text
		if b, err := hex.DecodeString(string(text)); err == nil {
			raw = b
		}
	}
	all := [][]byte{raw}
	text := strings.Join(strings.Fields(string(raw)), "")
	if b, err := base64.StdEncoding.DecodeString(text); err == nil {
		all = append(all, b)
	} else if b, err := base64.RawStdEncoding.DecodeString(text); err == nil {
		all = append(all, b)
	}
	for _, b := range all {
		if message(b) {
			found = append(found, ciphertext{store.EarlierOpenPGP, b})
		}
	}
	for i, b := range all {
		if len(b) > 0 && len(b)%16 == 0 && (i > 0 || !utf8.Valid(b)) {
			found = append(found, ciphertext{store.EarlierCBC, b})
		}
	}
	return found
}

// message reports whether bytes begin as pgp_sym_encrypt's output does: with a packet of a symmetrically encrypted session
// key, of version 4.
func message(b []byte) bool { return len(b) > 3 && b[0] == 0xc3 && b[2] == 4 }

// parse reads a JSON object, with its numbers as they are written.
func parse(text []byte) (settings map[string]any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if !utf8.Valid(text) || d.Decode(&settings) != nil || settings == nil {
		return nil, false
	}
	_, err := d.Token()
	return settings, err == io.EOF
}

func printable(text string) bool {
	return text != "" && utf8.ValidString(text) && !strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) })
}

// convertMappings reads a mapping from external ids to targets, which are text here: others are kept as their JSON.
func convertMappings(text []byte) (targets map[string]string, changed int, ok bool) {
	if len(text) == 0 {
		return nil, 0, true
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(text, &all) != nil {
		return nil, 0, false
	}
	targets = make(map[string]string, len(all))
	for id, value := range all {
		var target string
		if json.Unmarshal(value, &target) != nil {
			target = string(value)
			changed++
		}
		targets[id] = target
	}
	return targets, changed, true
}
