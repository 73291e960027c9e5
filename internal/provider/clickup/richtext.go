package clickup

import (
	"cmp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// part is a piece of a comment. Its text may have line breaks; what a whole line is (an item of a list, code) is told by the
// attributes of the break that ends it.
type part struct {
	Text       text      `json:"text"`
	Type       text      `json:"type"` // empty is text
	Attributes rawObject `json:"attributes"`
	User       user      `json:"user"` // of a tag, which mentions somebody
	Task       struct {
		ID text `json:"task_id"`
	} `json:"task_mention"`
	Emoticon struct {
		Code text `json:"code"` // Unicode, in hexadecimal, several with - between
	} `json:"emoticon"`
	Bookmark   target `json:"bookmark"`
	Mention    target `json:"link_mention"`
	Image      target `json:"image"`
	Attachment target `json:"attachment"`
}

// target is where a part leads.
type target struct {
	URL   text `json:"url"`
	Name  text `json:"name"`
	Title text `json:"title"`
}

// markdown renders a comment; empty where it has no parts that can be read. Text is escaped where Markdown would take it
// for marks.
func markdown(parts listOf[part]) string {
	var r renderer
	for _, p := range parts {
		r.add(p)
	}
	r.end(nil)
	if r.code != nil {
		r.lines = append(r.lines, "```")
	}
	return strings.TrimSpace(strings.Join(r.lines, "\n"))
}

type renderer struct {
	lines  []string
	marked strings.Builder // the line so far, with marks
	bare   strings.Builder // and without, for code
	code   *string         // the language of the block of code that is open
	listed bool            // the last line is part of a list or a quotation
}

func (r *renderer) add(p part) {
	if p.Type == "divider" {
		if r.marked.Len() > 0 || r.code != nil {
			r.end(nil)
		}
		r.lines = append(r.lines, "", "---", "")
		return
	}
	if s := p.special(); s != "" {
		r.marked.WriteString(s)
		r.bare.WriteString(string(p.Text))
		return
	}
	for i, line := range strings.Split(strings.ReplaceAll(string(p.Text), "\r\n", "\n"), "\n") {
		if i > 0 {
			r.end(p.Attributes)
		}
		r.marked.WriteString(p.inline(line))
		r.bare.WriteString(line)
	}
}

// special renders what is no text; empty for text.
func (p part) special() string {
	switch p.Type {
	case "tag":
		if n := p.User.name(); p.Text == "" && n != "" {
			return "@" + escape(n)
		}
	case "task_mention":
		if p.Task.ID != "" {
			return link(cmp.Or(string(p.Text), string(p.Task.ID)), appURL+"/t/"+string(p.Task.ID))
		}
	case "emoticon":
		return cmp.Or(p.emoji(), escape(string(p.Text)))
	case "bookmark", "link_mention", "attachment", "image":
		t := map[text]target{"bookmark": p.Bookmark, "link_mention": p.Mention, "attachment": p.Attachment, "image": p.Image}[p.Type]
		if t.URL == "" {
			return ""
		}
		s := link(string(cmp.Or(t.Title, t.Name, p.Text, t.URL)), string(t.URL))
		if p.Type == "image" {
			s = "!" + s
		}
		return s
	}
	return ""
}

func (p part) emoji() string {
	var b strings.Builder
	for code := range strings.SplitSeq(string(p.Emoticon.Code), "-") {
		n, err := strconv.ParseUint(code, 16, 32)
		if err != nil || n < ' ' || n > unicode.MaxRune || !utf8.ValidRune(rune(n)) {
			return ""
		}
		b.WriteRune(rune(n))
	}
	return b.String()
}

// inline renders a part's text that has no line break. Marks stand next to what they mark, with the spaces outside.
func (p part) inline(s string) string {
	core := strings.TrimSpace(s)
	if core == "" {
		return s
	}
	before, after, _ := strings.Cut(s, core)
	if p.has("code") {
		fence := "`"
		for strings.Contains(core, fence) {
			fence += "`"
		}
		if len(fence) > 1 {
			core = " " + core + " "
		}
		core = fence + core + fence
	} else {
		core = escape(core)
	}
	for _, mark := range []struct{ name, sign string }{{"strike", "~~"}, {"italic", "*"}, {"bold", "**"}} {
		if p.has(mark.name) || mark.name == "strike" && p.has("strikethrough") {
			core = mark.sign + core + mark.sign
		}
	}
	if to := p.attribute("link"); to != "" {
		core = "[" + core + "](" + destination(to) + ")"
	}
	return before + core + after
}

func (p part) has(name string) bool {
	raw, ok := p.Attributes[name]
	return ok && string(raw) != "false" && string(raw) != "null"
}

func (p part) attribute(name string) string { return attribute(p.Attributes, name) }

// attribute is a value in each form that ClickUp sends one: "bullet", {"list": "bullet"} or {"url": "…"}.
func attribute(attributes rawObject, name string) string {
	raw, ok := attributes[name]
	if !ok {
		return ""
	}
	if object := as[rawObject](raw); object != nil {
		return string(cmp.Or(as[text](object[name]), as[text](object["url"])))
	}
	return string(as[text](raw))
}

// end ends a line, of the kind that the attributes say.
func (r *renderer) end(attributes rawObject) {
	marked, bare := r.marked.String(), r.bare.String()
	r.marked.Reset()
	r.bare.Reset()
	if raw, ok := attributes["code-block"]; ok && string(raw) != "false" && string(raw) != "null" {
		language := attribute(attributes, "code-block")
		if language == "plain" || language == "true" || strings.ContainsAny(language, "` \n") {
			language = ""
		}
		if r.code != nil && *r.code != language {
			r.lines, r.code = append(r.lines, "```"), nil
		}
		if r.code == nil {
			r.lines = append(r.lines, "```"+language)
		}
		r.code = &language
		r.lines = append(r.lines, strings.ReplaceAll(bare, "```", "` ` `"))
		return
	}
	if r.code != nil {
		r.lines, r.code = append(r.lines, "```"), nil
	}
	_, quote := attributes["blockquote"]
	level, _ := strconv.Atoi(attribute(attributes, "header"))
	prefix := map[string]string{"bullet": "- ", "ordered": "1. ", "checked": "- [x] ", "unchecked": "- [ ] "}[attribute(attributes, "list")]
	switch {
	case prefix != "":
		indent, _ := strconv.Atoi(attribute(attributes, "indent"))
		marked = strings.Repeat("   ", min(max(indent, 0), 10)) + prefix + marked
	case level > 0:
		marked = strings.Repeat("#", min(level, 6)) + " " + marked
	case quote:
		marked = "> " + marked
	case r.listed && strings.TrimSpace(marked) != "":
		r.lines = append(r.lines, "") // else Markdown takes the line for more of the item
	}
	r.listed = prefix != "" || quote
	r.lines = append(r.lines, strings.TrimRight(marked, " "))
}

func link(name, to string) string { return "[" + escape(oneLine(name)) + "](" + destination(to) + ")" }

// destination keeps a URL from ending the link that it is in.
func destination(to string) string {
	return strings.NewReplacer(" ", "%20", "(", "%28", ")", "%29", "<", "%3C", ">", "%3E", "\n", "").Replace(to)
}

// escape keeps Markdown from reading marks into text: emphasis, code, links and HTML. An underscore inside a word is none.
func escape(s string) string {
	if !strings.ContainsAny(s, "\\`*_[<~") {
		return s
	}
	var b strings.Builder
	var last rune
	for i, c := range s {
		next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(c):])
		switch {
		case strings.ContainsRune("\\`*[", c),
			c == '_' && !(letter(last) && letter(next)),
			c == '<' && (unicode.IsLetter(next) || next == '/' || next == '!' || next == '?'),
			c == '~' && next == '~':
			b.WriteByte('\\')
		}
		b.WriteRune(c)
		last = c
	}
	return b.String()
}

func letter(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c) }
