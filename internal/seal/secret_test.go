package seal

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var (
	_ encoding.TextUnmarshaler = (*Secret)(nil)
	_ slog.LogValuer           = Secret{}
)

// connection holds a secret in each place that a careless log line may reach.
type connection struct {
	Token   Secret
	Pointer *Secret
	List    []Secret
	ByName  map[string]Secret
	Any     any
	hidden  Secret
	nested  struct{ token Secret }
}

func newConnection(content string) connection {
	s := NewSecret(content)
	c := connection{
		Token: s, Pointer: &s, List: []Secret{s}, ByName: map[string]Secret{"api_token": s}, Any: s, hidden: s,
	}
	c.nested.token = s
	return c
}

func TestNoPrintingPathShowsASecret(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Letters that no type name, address or [redacted] has, so that a hit is a leak and not chance.
		content := rapid.StringMatching(`[QZXJ§ñ]{8,40}`).Draw(t, "content")
		c := newConnection(content)
		for _, v := range []any{c.Token, c.Pointer, c.List, c.ByName, c, &c, []connection{c}, map[string]*connection{"c": &c}} {
			checkHidden(t, content, v)
		}
	})
}

func checkHidden(t *rapid.T, content string, v any) {
	t.Helper()
	var out strings.Builder
	for _, verb := range []string{"v", "+v", "#v", "s", "q", "+q", "#q", "x", "X", "# x", "d", "t", "e", "U", "c", "p", "T", "20v", "-20.3s", "w"} {
		fmt.Fprintf(&out, "%"+verb+"\n", v)
	}
	for _, wrong := range []string{"%*d", "%!", "%[3]v", "%.*f"} { // reported by fmt with the arguments in it
		fmt.Fprintf(&out, wrong, v, v)
	}
	fmt.Fprintln(&out, v, errors.New(fmt.Sprint(v)), fmt.Errorf("calling ClickUp with %v: %s", v, v))

	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, options), slog.NewJSONHandler(&out, options)} {
		slog.New(handler).With("with", v).Info("connected", "value", v, slog.Group("group", slog.Any("value", v)))
	}
	if encoded, err := json.Marshal(v); err == nil {
		out.Write(encoded)
	}
	if encoded, err := xml.Marshal(v); err == nil {
		out.Write(encoded)
	}
	var binary bytes.Buffer
	if err := gob.NewEncoder(&binary).Encode(v); err == nil {
		out.Write(binary.Bytes())
	}
	out.WriteString(cmp.Diff(NewSecret("another"), NewSecret(content)))

	printed := out.String()
	for name, form := range map[string]string{
		"plain":  content,
		"hex":    fmt.Sprintf("%x", content),
		"HEX":    fmt.Sprintf("%X", content),
		"ascii":  strings.Trim(fmt.Sprintf("%+q", content), `"`),
		"bytes":  strings.Trim(fmt.Sprintf("%d", []byte(content)), "[]"),
		"go hex": strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(content)), "[]byte{"), "}"),
	} {
		if strings.Contains(printed, form) {
			t.Fatalf("%T shows its content (%s):\n%s", v, name, printed)
		}
	}
}

func TestASecretIsShownAsRedacted(t *testing.T) {
	s := NewSecret("pk_42_ABC")
	encoded, err := json.Marshal(map[string]any{"token": s, "pointer": &s})
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	got := []string{
		s.String(), s.GoString(), fmt.Sprint(s), fmt.Sprintf("%#v", &s), fmt.Sprintf("%x", s),
		fmt.Sprint([]Secret{s}), s.LogValue().String(), string(text), string(encoded),
	}
	want := []string{
		redacted, redacted, redacted, redacted, redacted,
		"[" + redacted + "]", redacted, redacted, `{"pointer":"[redacted]","token":"[redacted]"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestExposeGivesBackWhatWasWrapped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := rapid.String().Draw(t, "content")
		s := NewSecret(content)
		if s.Expose() != content || s.IsZero() != (content == "") {
			t.Fatalf("Expose() = %q, IsZero() = %v for %q", s.Expose(), s.IsZero(), content)
		}
		if !s.Equal(NewSecret(content)) || s.Equal(NewSecret(content+"x")) {
			t.Fatalf("Equal is wrong for %q", content)
		}
	})
	if !(Secret{}).IsZero() || (Secret{}).Expose() != "" {
		t.Error("the zero Secret is not empty")
	}
}

func TestASecretIsFilledFromText(t *testing.T) {
	var s Secret
	if err := s.UnmarshalText([]byte("0123456789abcdef")); err != nil || s.Expose() != "0123456789abcdef" {
		t.Errorf("UnmarshalText: %q, %v", s.Expose(), err)
	}
	if err := s.UnmarshalText([]byte(redacted)); err == nil {
		t.Error("UnmarshalText took the redacted form for a secret")
	}
	if s.Expose() != "0123456789abcdef" {
		t.Errorf("a refused text changed the secret to %q", s.Expose())
	}
	if err := s.UnmarshalText(nil); err != nil || !s.IsZero() {
		t.Errorf("UnmarshalText of nothing: %q, %v", s.Expose(), err)
	}
}

func TestASecretIsNoBindParameter(t *testing.T) {
	if v, err := NewSecret("pk_42_ABC").Value(); err == nil {
		t.Errorf("Value() = %v, want an error", v)
	}
}
