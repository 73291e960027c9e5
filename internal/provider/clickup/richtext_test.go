package clickup

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestCommentsBecomeMarkdown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ parts, want string }{
		"plain text":             {`[{"text":"Looks good."}]`, "Looks good."},
		"nothing":                {`[]`, ""},
		"no list":                {`"text"`, ""},
		"bold":                   {`[{"text":"Now ","attributes":{}},{"text":"this","attributes":{"bold":true}},{"text":" one"}]`, "Now **this** one"},
		"spaces outside marks":   {`[{"text":" this ","attributes":{"bold":true}},{"text":"one"}]`, "**this** one"},
		"italic and bold":        {`[{"text":"x","attributes":{"bold":true,"italic":true}}]`, "***x***"},
		"struck out":             {`[{"text":"x","attributes":{"strike":true}}]`, "~~x~~"},
		"inline code":            {`[{"text":"a*b","attributes":{"code":true}}]`, "`a*b`"},
		"a backtick in code":     {"[{\"text\":\"a`b\",\"attributes\":{\"code\":true}}]", "`` a`b ``"},
		"link":                   {`[{"text":"the page","attributes":{"link":"https://example.com/a_b"}}]`, "[the page](https://example.com/a_b)"},
		"link as an object":      {`[{"text":"x","attributes":{"link":{"url":"https://example.com/(1)"}}}]`, "[x](https://example.com/%281%29)"},
		"bold false":             {`[{"text":"x","attributes":{"bold":false,"italic":null}}]`, "x"},
		"attributes that are no": {`[{"text":"x","attributes":7}]`, "x"},
		"mention":                {`[{"type":"tag","user":{"id":183,"username":"Ada"}},{"text":" please"}]`, "@Ada please"},
		"mention with text":      {`[{"type":"tag","text":"@Ada Moreau","user":{"id":183}}]`, "@Ada Moreau"},
		"mention of an id":       {`[{"type":"tag","user":183}]`, "@183"},
		"task":                   {`[{"type":"task_mention","text":"Fix it","task_mention":{"task_id":"9hz"}}]`, "[Fix it](https://app.clickup.com/t/9hz)"},
		"emoji":                  {`[{"type":"emoticon","emoticon":{"code":"1f60a"}}]`, "😊"},
		"emoji of several":       {`[{"type":"emoticon","emoticon":{"code":"1f1e9-1f1ea"}}]`, "🇩🇪"},
		"emoji that is none":     {`[{"type":"emoticon","text":"smile","emoticon":{"code":"zz"}}]`, "smile"},
		"bookmark":               {`[{"type":"bookmark","bookmark":{"url":"https://example.com"}}]`, "[https://example.com](https://example.com)"},
		"image":                  {`[{"type":"image","image":{"name":"a.png","url":"https://example.com/a.png"}}]`, "![a.png](https://example.com/a.png)"},
		"unknown part":           {`[{"type":"frame","text":"seen"}]`, "seen"},
		"part that is no part":   {`[null,3,"x",{"text":"seen"}]`, "seen"},
		"divider":                {`[{"text":"a\n"},{"type":"divider"},{"text":"b"}]`, "a\n\n---\n\nb"},
		"bullets":                {`[{"text":"one"},{"text":"\n","attributes":{"list":{"list":"bullet"}}},{"text":"two"},{"text":"\n","attributes":{"list":{"list":"bullet"}}}]`, "- one\n- two"},
		"flat form of bullets":   {`[{"text":"one"},{"text":"\n","attributes":{"list":"bullet"}},{"text":"two"},{"text":"\n","attributes":{"list":"bullet","indent":1}}]`, "- one\n   - two"},
		"numbers":                {`[{"text":"one"},{"text":"\n","attributes":{"list":{"list":"ordered"}}},{"text":"after"}]`, "1. one\n\nafter"},
		"checklist":              {`[{"text":"a"},{"text":"\n","attributes":{"list":{"list":"checked"}}},{"text":"b"},{"text":"\n","attributes":{"list":{"list":"unchecked"}}}]`, "- [x] a\n- [ ] b"},
		"heading":                {`[{"text":"H"},{"text":"\n","attributes":{"header":2}},{"text":"x"}]`, "## H\nx"},
		"quotation":              {`[{"text":"q"},{"text":"\n","attributes":{"blockquote":{}}},{"text":"x"}]`, "> q\n\nx"},
		"block of code": {
			`[{"text":"a := *b"},{"text":"\n","attributes":{"code-block":{"code-block":"go"}}},{"text":"c"},{"text":"\n","attributes":{"code-block":{"code-block":"go"}}},{"text":"end"}]`,
			"```go\na := *b\nc\n```\nend",
		},
		"code in one part": {`[{"text":"a\nb\n","attributes":{"code-block":{"code-block":"plain"}}}]`, "```\na\nb\n```"},
		"marks in text":    {`[{"text":"2 * 3, snake_case, _x_, [y], <b>, a < b, ~~z~~ \\"}]`, `2 \* 3, snake_case, \_x\_, \[y], \<b>, a < b, \~~z\~~ \\`},
		"NUL":              {`[{"text":"a\u0000b"}]`, "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := markdown(as[listOf[part]](json.RawMessage(test.parts))); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func FuzzMarkdown(f *testing.F) {
	f.Add(`[{"text":"a\nb","attributes":{"code-block":"x","list":{"list":"bullet"}}},{"type":"tag","user":3}]`)
	f.Add(`[{"text":"a","attributes":{"link":[]}},{"type":"divider"}]`)
	f.Fuzz(func(t *testing.T, raw string) {
		if !json.Valid([]byte(raw)) { // which the client refuses
			return
		}
		parts := as[listOf[part]](json.RawMessage(raw))
		got := markdown(parts)
		if strings.Contains(got, "\x00") {
			t.Errorf("NUL in %q", got)
		}
		if got != markdown(parts) {
			t.Error("the same comment gives two texts")
		}
	})
}
