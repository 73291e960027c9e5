package integration

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCursorsComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.StringN(1, 20, -1).Draw(t, "list")
		storable := func(key string) bool { return !strings.ContainsRune(key, 0) }
		keys := rapid.SliceOfN(rapid.StringN(0, 255, -1).Filter(storable), 0, 2).Draw(t, "keys")
		cursor := EncodeCursor(list, keys...)
		got, err := DecodeCursor("after", list, cursor, len(keys))
		if err != nil || !slices.Equal(got, keys) {
			t.Errorf("%q came back as %q, %v", keys, got, err)
		}
		if _, err := DecodeCursor("after", list+"x", cursor, len(keys)); err == nil {
			t.Error("a cursor of another list was taken")
		}
		if _, err := DecodeCursor("after", list, cursor, len(keys)+1); err == nil {
			t.Error("a cursor with other keys was taken")
		}
	})
}

func TestCursorsWithNULAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := DecodeCursor("after", "list", EncodeCursor("list", "a\x00"), 1); !IsKind(err, KindInvalid) {
		t.Errorf("error %v", err)
	}
}

func TestLongestCursorComesBack(t *testing.T) {
	t.Parallel()
	for _, r := range []string{"<", "\x01", "\u2028", "\U0001F600"} {
		name := strings.Repeat(r, 255)
		if keys, err := DecodeCursor("after", "list", EncodeCursor("list", name, "00000000-0000-7000-8000-000000000001"), 2); err != nil || keys[0] != name {
			t.Errorf("255 times %q: %v", r, err)
		}
	}
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add(EncodeCursor("list", "key", "id"))
	f.Add(EncodeCursor("list", "a\x00b", ""))
	f.Add(EncodeCursor("list"))
	f.Add("")
	f.Add("\x00")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte("[\"list\",\"\xff\",\"\"]")))
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`["list","\ud800",null]`)))
	f.Fuzz(func(t *testing.T, cursor string) {
		keys, err := DecodeCursor("after", "list", cursor, 2)
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Kind != KindInvalid || e.Field != "after" {
				t.Errorf("error %#v", err)
			}
			return
		}
		if len(keys) != 2 || EncodeCursor("list", keys...) != cursor {
			t.Errorf("%q was taken as %q", cursor, keys)
		}
		for _, key := range keys {
			if !utf8.ValidString(key) {
				t.Errorf("%q has a key that is no UTF-8: %q", cursor, key)
			}
		}
	})
}
