package clickuptest

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// What the seed made happened between these two, Unix ms.
var (
	seedBegins = time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC).UnixMilli()
	seedEnds   = time.Date(2025, 12, 1, 8, 0, 0, 0, time.UTC).UnixMilli()
)

const (
	second = int64(1000)
	minute = 60 * second
	day    = 24 * 60 * minute
)

type workspace struct {
	Workspace
	spaces []*space
	docs   []*doc
	fields []*Field
	lists  []*list // made from the seed
}

type space struct {
	Space
	ws      *workspace
	folders []*folder
	lists   []*list // those without a folder
	fields  []*Field
}

type folder struct {
	Folder
	space  *space
	lists  []*list
	fields []*Field
}

type list struct {
	List
	deleted bool
	space   *space
	folder  *folder // nil where the list lies in its space directly
	fields  []*Field
	index   int    // among all lists that the seed made; -1 for others
	first   int    // number of its first task
	count   int    // of the tasks that the seed put there
	also    *list  // in which some of its tasks show too
	alsoOf  *list  // whose tasks show here
	encoded []byte // "list", "project", "folder" and "space" of its tasks
}

// A server's seeded tasks are numbered from 0 through all its lists; what they are follows from their number alone.
type facts struct {
	list             *list
	parent, top      int // numbers of tasks, -1 for none
	status           int
	archived, shared bool
	comments         int
	created, updated int64
}

// draw is a number that depends on the seed, on n and on what it is for.
func (s *Server) draw(n int, what uint64) uint64 {
	x := s.opts.Seed*0x9E3779B97F4A7C15 + uint64(n)*0xBF58476D1CE4E5B9 + what*0x94D049BB133111EB
	x ^= x >> 30
	x *= 0xBF58476D1CE4E5B9
	x ^= x >> 27
	x *= 0x94D049BB133111EB
	return x ^ x>>31
}

func pick[T any](from []T, by uint64) T { return from[by%uint64(len(from))] }

func (s *Server) uuid(n int, what uint64) string {
	a, b := s.draw(n, what), s.draw(n, what+1<<32)
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), uint16(a>>48)&0xfff, uint16(b)&0x3fff|0x8000, b>>16)
}

// placeID is the id of the next Workspace, space, folder, list or doc.
func (s *Server) placeID() string {
	s.places++
	return strconv.FormatInt(901_100_000_000+int64(s.opts.Seed%9000)*1_000_000+s.places, 10)
}

func (s *Server) sow() {
	o := s.opts
	for i := range max(1, o.Members) {
		name := people[i%len(people)]
		initials := strings.ToUpper(name[:1] + name[strings.LastIndexByte(name, ' ')+1:][:1])
		u := &User{
			ID: 81_000_000 + int64(o.Seed%1000)*1000 + int64(i), Username: name, Color: pick(colors, s.draw(i, 1)), Initials: initials,
			Email: fmt.Sprintf("user%d@example.com", i+1),
		}
		s.users = append(s.users, u)
		s.userJSON[u.ID] = mustJSON(userShape(u))
	}
	for i := range max(1, o.Workspaces) {
		s.sowWorkspace(i)
	}
	for i, l := range s.sown {
		l.first, l.count = i*o.TasksPerList, o.TasksPerList
	}
	s.seeded = len(s.sown) * o.TasksPerList
	s.nextTask = s.seeded
}

func (s *Server) sowWorkspace(i int) {
	o := s.opts
	w := &workspace{Workspace: Workspace{ID: strconv.FormatInt(9_011_000_000+int64(o.Seed%1000)*1000+int64(i), 10), Name: companies[i%len(companies)], Color: pick(colors, s.draw(i, 2))}}
	s.workspaces = append(s.workspaces, w)
	w.fields = []*Field{s.newField(w.ID, "drop_down", "Component")}
	for j := range o.Spaces {
		sp := s.addSpace(w, named(spaceNames, j))
		sp.Archived = !o.Plain && j%5 == 4
		sp.fields = []*Field{s.newField(sp.ID, "labels", "Platforms"), s.newField(sp.ID, "number", "Effort"), s.newField(sp.ID, "date", "Follow-up")}
		for k := range o.Folders {
			f := s.addFolder(sp, named(folderNames, k))
			f.Archived = !o.Plain && k%7 == 6
			f.fields = []*Field{s.newField(f.ID, "currency", "Budget"), s.newField(f.ID, "checkbox", "Customer sees it")}
			for m := range o.Lists {
				s.sowList(sp, f, named(listNames, m), m)
			}
		}
		for m := range o.FolderlessLists {
			s.sowList(sp, nil, named(listNames, m+5), m)
		}
	}
	for j, l := range w.lists {
		if len(w.lists) > 1 {
			l.also = w.lists[(j+1)%len(w.lists)]
			l.also.alsoOf = l
		}
	}
	for j := range o.Docs {
		s.sowDoc(w, j)
	}
}

func (s *Server) sowList(sp *space, f *folder, name string, i int) {
	l := s.addList(sp, f, name)
	l.index = len(s.sown)
	l.Content = pick(sentences, s.draw(l.index, 3))
	l.Archived = !s.opts.Plain && i%6 == 5
	kinds := []string{"short_text", "users", "url", "emoji", "manual_progress", "text", "email", "phone"}
	kind := kinds[l.index%len(kinds)]
	l.fields = []*Field{s.newField(l.ID, kind, strings.ToUpper(kind[:1])+strings.ReplaceAll(kind[1:], "_", " "))}
	l.encode()
	s.sown = append(s.sown, l)
	sp.ws.lists = append(sp.ws.lists, l)
}

// named is the i-th of some names, with a number where they do not suffice.
func named(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s %d", names[i%len(names)], i/len(names)+1)
}

func (s *Server) newField(place, kind, name string) *Field {
	s.fieldsMade++
	n := s.fieldsMade
	f := &Field{ID: s.uuid(n, 4), Name: name, Type: kind, Place: place, Created: seedBegins, Config: json.RawMessage(`{}`)}
	switch kind {
	case "drop_down", "labels":
		var options []map[string]any
		for i := range 4 {
			id := s.uuid(n*10+i, 5)
			f.options = append(f.options, id)
			option := map[string]any{"id": id, "color": pick(colors, s.draw(n, 6)+uint64(i))}
			if kind == "labels" {
				option["label"] = []string{"Web", "iOS", "Android", "Print"}[i]
			} else {
				option["name"] = []string{"Shop", "Billing", "Search", "Other"}[i]
				option["orderindex"] = i
			}
			options = append(options, option)
		}
		f.Config = mustJSON(map[string]any{"options": options})
	case "currency":
		f.Config = json.RawMessage(`{"precision":2,"currency_type":"EUR"}`)
	case "emoji":
		f.Config = json.RawMessage(`{"count":5,"code_point":"2b50"}`)
	case "manual_progress":
		f.Config = json.RawMessage(`{"start":0,"end":100}`)
	}
	full := mustJSON(map[string]any{
		"id": f.ID, "name": f.Name, "type": f.Type, "type_config": f.Config, "date_created": ms(f.Created), "hide_from_guests": false, "required": false,
	})
	f.encoded = full[:len(full)-1]
	s.fields[f.ID] = f
	return f
}

// fieldsOf are the custom fields that a task of the list can have.
func (l *list) fieldsOf() []*Field {
	all := slices.Concat(l.space.ws.fields, l.space.fields)
	if l.folder != nil {
		all = append(all, l.folder.fields...)
	}
	return append(all, l.fields...)
}

// sownList is the list where the seed put task n.
func (s *Server) sownList(n int) *list {
	return s.sown[sort.Search(len(s.sown), func(i int) bool { return s.sown[i].first+s.sown[i].count > n })]
}

// look finds the facts of a seeded task, cheaply: they are what most lists are filtered and ordered by.
func (s *Server) look(l *list, n int) facts {
	i := n - l.first
	f := facts{list: l, parent: -1, top: -1}
	gap := min(60*minute, 500*day/int64(max(1, l.count)))
	gap -= gap % second
	f.created = seedBegins + int64(l.index%1440)*minute + int64(i)*gap
	if c := s.opts.CommentsPerTask; c > 0 {
		f.comments = int(s.draw(n, 10) % uint64(2*c+1))
	}
	f.updated = f.created + int64(f.comments+1)/2*commentGap + int64(s.draw(n, 11)%uint64(20*day/second))*second
	if i%7 == 3 {
		// Many tasks were edited at once: readers that page by date_updated meet more equal ones than a page holds.
		f.updated = max(f.updated, seedBegins+530*day+int64(l.index%1440)*minute)
	}
	if s.opts.Plain {
		return f
	}
	switch i % 10 {
	case 1, 2:
		f.parent, f.top = n-i%10, n-i%10
	case 3:
		f.parent, f.top = n-2, n-3
	}
	switch share := s.draw(n, 12) % 100; {
	case share < 20:
		f.status = 4
	case share < 27:
		f.status = 3
	case share < 40:
		f.status = 2
	case share < 60:
		f.status = 1
	}
	f.archived = s.draw(l.first+i-i%10, 13)%20 == 0
	f.shared = i%25 == 7 && l.also != nil
	return f
}

// seededTask makes a task that nobody has changed yet.
func (s *Server) seededTask(l *list, n int) *Task {
	f := s.look(l, n)
	r := s.draw(n, 20)
	t := &Task{
		ID: s.taskID(n), WorkspaceID: l.WorkspaceID, ListID: l.ID, Archived: f.archived, Status: l.space.Statuses[f.status], Created: f.created, Updated: f.updated,
		Creator: s.users[r%uint64(len(s.users))].ID,
	}
	if f.parent >= 0 {
		t.Parent, t.TopParent = s.taskID(f.parent), s.taskID(f.top)
	}
	if f.shared && !f.list.also.deleted {
		t.AlsoIn = []string{f.list.also.ID}
	}
	if t.Status.Type == "closed" || t.Status.Type == "done" {
		t.Done = t.Updated
	}
	if t.Status.Type == "closed" {
		t.Closed = t.Updated
	}
	if r>>8%10 == 0 {
		t.Type = 1
	}
	if r>>12%4 != 0 {
		t.Assignees = append(t.Assignees, s.users[r>>16%uint64(len(s.users))].ID)
		if second := s.users[r>>20%uint64(len(s.users))].ID; r>>24%4 == 0 && second != t.Assignees[0] {
			t.Assignees = append(t.Assignees, second)
		}
	}
	if r>>26%3 == 0 {
		t.Tags = append(t.Tags, pick(tags, r>>28))
	}
	t.Priority = int(r >> 32 % 5)
	if r>>36%2 == 0 {
		t.Due = t.Created + int64(1+r>>37%60)*day
		t.Start = t.Due - 3*day
	}
	if r>>44%3 == 0 {
		t.Points = int(1 + r>>46%8)
		t.Estimate = int64(1+r>>46%16) * 30 * minute
	}
	if r>>50%8 == 0 {
		c := Checklist{ID: s.uuid(n, 21), Name: "Steps"}
		for i := range int(2 + r>>54%3) {
			c.Items = append(c.Items, ChecklistItem{ID: s.uuid(n, 22+uint64(i)), Name: pick(steps, r>>56+uint64(i)), Resolved: i == 0})
		}
		t.Checklists = []Checklist{c}
	}
	if r>>60 == 0 {
		t.CustomID = "PB-" + strconv.Itoa(n+1)
	}
	for i, field := range l.fieldsOf() {
		if value := s.seededValue(field, s.draw(n, 30+uint64(i)), t); value != "" {
			t.Values = append(t.Values, Value{FieldID: field.ID, JSON: value})
		}
	}
	s.seededText(n, t)
	return t
}

func (s *Server) seededText(n int, t *Task) {
	r := s.draw(n, 40)
	t.Name = pick(verbs, r) + " " + pick(objects, r>>8)
	if c := pick(contexts, r>>16); c != "" {
		t.Name += " " + c
	}
	if r>>20%12 == 0 {
		return // some tasks have no description
	}
	b := make([]byte, 0, 1024)
	b = append(b, "## Why\n\n"...)
	b = append(b, pick(sentences, r>>24)...)
	b = append(b, ' ')
	b = append(b, pick(sentences, r>>28+3)...)
	b = append(b, "\n\n"...)
	for i := range r >> 32 % 4 {
		b = append(b, "* "...)
		b = append(b, pick(sentences, r>>36+5*i)...)
		b = append(b, '\n')
	}
	b = append(b, "\n**Done when** "...)
	b = append(b, pick(steps, r>>40)...)
	b = append(b, " and `"...)
	b = append(b, pick(verbs, r>>44)...)
	b = append(b, "` passes.\n"...)
	t.Markdown = string(b)
}

// seededValue is a custom field's value as JSON, "" for none.
func (s *Server) seededValue(f *Field, r uint64, t *Task) string {
	if r%3 == 0 {
		return ""
	}
	r >>= 2
	switch f.Type {
	case "drop_down":
		return strconv.FormatUint(r%4, 10)
	case "labels":
		if r%2 == 0 {
			return `["` + f.options[r>>1%4] + `"]`
		}
		return `["` + f.options[0] + `","` + f.options[1+r>>1%3] + `"]`
	case "number":
		return `"` + strconv.FormatUint(r%100, 10) + `"`
	case "currency":
		return `"` + strconv.FormatFloat(float64(r%100000)/100, 'f', -1, 64) + `"`
	case "date":
		return `"` + strconv.FormatInt(t.Created+int64(r%30)*day, 10) + `"`
	case "checkbox":
		return `"` + strconv.FormatBool(r%2 == 0) + `"`
	case "users":
		return "[" + string(s.userJSON[s.users[r%uint64(len(s.users))].ID]) + "]"
	case "emoji":
		return strconv.FormatUint(1+r%5, 10)
	case "manual_progress":
		percent := strconv.FormatUint(r%101, 10)
		return `{"percent_completed":` + percent + `,"current":"` + percent + `"}`
	case "url":
		return `"https://example.com/spec/` + strconv.FormatUint(r%1000, 10) + `"`
	case "email":
		return `"customer` + strconv.FormatUint(r%1000, 10) + `@example.com"`
	case "phone":
		return `"+49 30 5550` + strconv.FormatUint(100+r%900, 10) + `"`
	default:
		return string(mustJSON(pick(sentences, r)))
	}
}
