package store_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
)

// packet is one packet of an OpenPGP message (RFC 4880, section 4).
type packet struct {
	tag  int
	body []byte
}

func packets(message []byte) (all []packet, err error) {
	for len(message) > 0 {
		head := message[0]
		if head&0xc0 != 0xc0 {
			return nil, fmt.Errorf("no packet of the new format: %#x", head)
		}
		if len(message) < 2 {
			return nil, errors.New("no length")
		}
		var length, skip int
		switch first := int(message[1]); {
		case first < 192:
			length, skip = first, 2
		case first < 224 && len(message) > 2:
			length, skip = (first-192)<<8+int(message[2])+192, 3
		default:
			return nil, fmt.Errorf("a length of another form: %#x", first)
		}
		if len(message) < skip+length {
			return nil, errors.New("the message is cut off")
		}
		all = append(all, packet{int(head & 0x3f), message[skip : skip+length]})
		message = message[skip+length:]
	}
	return all, nil
}

// wantStrongMessage sees that a sealed column holds base64 of an OpenPGP message with AES-256, a salted SHA-256 of the
// passphrase, and protection against modification.
func wantStrongMessage(t testing.TB, sealed string) {
	t.Helper()
	message, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		t.Fatalf("no base64 on one line: %v", err)
	}
	all, err := packets(message)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].tag != 3 || all[1].tag != 18 {
		t.Fatalf("packets %v, want a symmetric-key session key (3) and protected data (18)", all)
	}
	const version, aes256, salted, sha256, salt = 4, 9, 1, 8, 8
	key := all[0].body
	if len(key) != 4+salt || key[0] != version || key[1] != aes256 || key[2] != salted || key[3] != sha256 {
		t.Errorf("session key packet % x, want version 4, algorithm 9, specifier 1, hash 8, and a salt alone", key)
	}
	if all[1].body[0] != 1 {
		t.Errorf("data packet of version %d, want 1", all[1].body[0])
	}
}
