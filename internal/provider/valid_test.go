package provider

import (
	"encoding/json"
	"strings"
	"testing"
)

// What is taken for JSON is JSON to encoding/json too, but for brackets that it finds too deep.
func FuzzValid(f *testing.F) {
	for _, seed := range []string{``, `{}`, ` [1, -0.5e+7, "a\u00e9\n", null, true, {"a": [false]}] `, `[1,]`, `{"a" 1}`, `"\x"`, "\"\x01\"", "\"\xff\"", `01`, `-`, `1.`, `nul`, `[[[[]]]`, `{} {}`, `{"a":1,}`, `"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Count(body, "[")+strings.Count(body, "{") > 5000 {
			return
		}
		if got, want := valid([]byte(body)), json.Valid([]byte(body)); got != want {
			t.Errorf("%q: %t, want %t", body, got, want)
		}
	})
}

// Brackets without end neither pass nor cost more than encoding/json lets them.
func TestDeepBodies(t *testing.T) {
	t.Parallel()
	for _, body := range []string{strings.Repeat("[", 8<<20), strings.Repeat(`{"a":`, 4<<20), strings.Repeat("[", 4<<20) + strings.Repeat("]", 4<<20)} {
		if valid([]byte(body)) {
			t.Errorf("%.10s… is taken for JSON", body)
		}
	}
}
