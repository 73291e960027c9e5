package clickuptest

import (
	"strconv"
	"strings"
)

var priorities = []string{
	1: `{"id":"1","priority":"urgent","color":"#f50000","orderindex":"1"}`,
	2: `{"id":"2","priority":"high","color":"#f8ae00","orderindex":"2"}`,
	3: `{"id":"3","priority":"normal","color":"#6fddff","orderindex":"3"}`,
	4: `{"id":"4","priority":"low","color":"#d8d8d8","orderindex":"4"}`,
}

// appendTask writes a task by hand: encoding/json would make the fake slower than what is measured with it. In a list's
// page the estimate is a string, elsewhere a number, as ClickUp's contract has it.
func (s *Server) appendTask(b []byte, t *Task, markdown, oneList bool) []byte {
	l := s.lists[t.ListID]
	b = appendString(append(b, `{"id":`...), t.ID)
	b = appendOptional(append(b, `,"custom_id":`...), t.CustomID)
	b = strconv.AppendInt(append(b, `,"custom_item_id":`...), int64(t.Type), 10)
	b = appendString(append(b, `,"name":`...), t.Name)
	text := plain(t.Markdown)
	b = appendString(append(b, `,"text_content":`...), text)
	b = appendString(append(b, `,"description":`...), text)
	if markdown {
		b = appendString(append(b, `,"markdown_description":`...), t.Markdown)
	}
	b = appendStatus(append(b, `,"status":`...), l.space, t.Status)
	b = strconv.AppendInt(append(b, `,"orderindex":"`...), int64(s.taskNumber(t.ID)), 10)
	b = append(b, `.00000000000000000000000000000000"`...)
	b = appendTime(append(b, `,"date_created":`...), t.Created)
	b = appendTime(append(b, `,"date_updated":`...), t.Updated)
	b = appendTime(append(b, `,"date_closed":`...), t.Closed)
	b = appendTime(append(b, `,"date_done":`...), t.Done)
	b = strconv.AppendBool(append(b, `,"archived":`...), t.Archived)
	b = append(append(b, `,"creator":`...), s.userJSON[t.Creator]...)
	b = s.appendUsers(append(b, `,"assignees":`...), t.Assignees)
	b = append(b, `,"group_assignees":[],"watchers":`...)
	b = s.appendUsers(b, []int64{t.Creator})
	b = s.appendChecklists(append(b, `,"checklists":[`...), t)
	b = append(b, `],"tags":[`...)
	for i, name := range t.Tags {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"name":`...), name)
		b = appendString(append(b, `,"tag_fg":"#FFFFFF","tag_bg":`...), colors[len(name)%len(colors)])
		b = strconv.AppendInt(append(b, `,"creator":`...), t.Creator, 10)
		b = append(b, '}')
	}
	b = appendOptional(append(b, `],"parent":`...), t.Parent)
	b = appendOptional(append(b, `,"top_level_parent":`...), t.TopParent)
	b = append(b, `,"priority":`...)
	if t.Priority == 0 {
		b = append(b, `null`...)
	} else {
		b = append(b, priorities[t.Priority]...)
	}
	b = appendTime(append(b, `,"due_date":`...), t.Due)
	b = appendTime(append(b, `,"start_date":`...), t.Start)
	b = appendNumber(append(b, `,"points":`...), int64(t.Points))
	b = append(b, `,"time_estimate":`...)
	if oneList {
		b = appendTime(b, t.Estimate)
	} else {
		b = appendNumber(b, t.Estimate)
	}
	b = s.appendValues(append(b, `,"custom_fields":[`...), l, t)
	b = append(b, `],"dependencies":[],"linked_tasks":[],"locations":[`...)
	for i, id := range t.AlsoIn {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"id":`...), id)
		b = append(appendString(append(b, `,"name":`...), s.lists[id].Name), '}')
	}
	b = appendString(append(b, `],"team_id":`...), t.WorkspaceID)
	b = append(append(b, `,"url":"https://app.clickup.com/t/`...), t.ID...)
	b = append(b, `","sharing":{"public":false,"public_share_expires_on":null,"public_fields":[],"token":null,"seo_optimized":false},"permission_level":"create"`...)
	return append(append(b, l.encoded...), '}')
}

func (s *Server) appendUsers(b []byte, ids []int64) []byte {
	b = append(b, '[')
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, s.userJSON[id]...)
	}
	return append(b, ']')
}

func (s *Server) appendChecklists(b []byte, t *Task) []byte {
	for i, list := range t.Checklists {
		if i > 0 {
			b = append(b, ',')
		}
		resolved := 0
		for _, item := range list.Items {
			if item.Resolved {
				resolved++
			}
		}
		b = appendString(append(b, `{"id":`...), list.ID)
		b = appendString(append(b, `,"task_id":`...), t.ID)
		b = appendString(append(b, `,"name":`...), list.Name)
		b = appendTime(append(b, `,"date_created":`...), t.Created)
		b = strconv.AppendInt(append(b, `,"orderindex":`...), int64(i), 10)
		b = strconv.AppendInt(append(b, `,"creator":`...), t.Creator, 10)
		b = strconv.AppendInt(append(b, `,"resolved":`...), int64(resolved), 10)
		b = strconv.AppendInt(append(b, `,"unresolved":`...), int64(len(list.Items)-resolved), 10)
		b = append(b, `,"items":[`...)
		for j, item := range list.Items {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendString(append(b, `{"id":`...), item.ID)
			b = appendString(append(b, `,"name":`...), item.Name)
			b = strconv.AppendInt(append(b, `,"orderindex":`...), int64(j), 10)
			b = strconv.AppendBool(append(b, `,"assignee":null,"resolved":`...), item.Resolved)
			b = appendTime(append(b, `,"parent":null,"date_created":`...), t.Created)
			b = append(b, `,"children":[]}`...)
		}
		b = append(b, `]}`...)
	}
	return b
}

// appendValues writes every custom field of the task's list, those without a value too.
func (s *Server) appendValues(b []byte, l *list, t *Task) []byte {
	comma := false
	write := func(f *Field) {
		if comma {
			b = append(b, ',')
		}
		comma = true
		b = append(b, f.encoded...)
		for _, v := range t.Values {
			if v.FieldID == f.ID {
				b = append(append(b, `,"value":`...), v.JSON...)
			}
		}
		b = append(b, '}')
	}
	for _, f := range l.space.ws.fields {
		write(f)
	}
	for _, f := range l.space.fields {
		write(f)
	}
	if l.folder != nil {
		for _, f := range l.folder.fields {
			write(f)
		}
	}
	for _, f := range l.fields {
		write(f)
	}
	return b
}

func appendStatus(b []byte, sp *space, st Status) []byte {
	index := 0
	for i := range sp.Statuses {
		if sp.Statuses[i].ID == st.ID {
			index = i
		}
	}
	b = appendString(append(b, `{"id":`...), st.ID)
	b = appendString(append(b, `,"status":`...), st.Name)
	b = appendString(append(b, `,"color":`...), st.Color)
	b = strconv.AppendInt(append(b, `,"orderindex":`...), int64(index), 10)
	b = appendString(append(b, `,"type":`...), st.Type)
	return append(b, '}')
}

// appendTime writes ms as a string, or null.
func appendTime(b []byte, t int64) []byte {
	if t == 0 {
		return append(b, `null`...)
	}
	return append(strconv.AppendInt(append(b, '"'), t, 10), '"')
}

func appendNumber(b []byte, n int64) []byte {
	if n == 0 {
		return append(b, `null`...)
	}
	return strconv.AppendInt(b, n, 10)
}

func appendOptional(b []byte, s string) []byte {
	if s == "" {
		return append(b, `null`...)
	}
	return appendString(b, s)
}

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string. The text is valid UTF-8: it is ours or came from a test.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		from = i + 1
	}
	return append(append(b, s[from:]...), '"')
}

// plain is Markdown without its marks, as far as the texts here use them: headings, bullets, bold and code.
func plain(markdown string) string {
	if !strings.ContainsAny(markdown, "#*`") {
		return markdown
	}
	b := make([]byte, 0, len(markdown))
	for line := range strings.Lines(markdown) {
		line = strings.TrimLeft(line, "#")
		line = strings.TrimPrefix(strings.TrimPrefix(line, "* "), " ")
		for i := range len(line) {
			if line[i] != '*' && line[i] != '`' {
				b = append(b, line[i])
			}
		}
	}
	return string(b)
}
