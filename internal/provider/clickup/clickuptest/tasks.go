package clickuptest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// pageSize is how many tasks an answer has at most.
const pageSize = 100

// taskOffset keeps all ids of tasks at nine characters.
func (s *Server) taskOffset() int64 { return 30_000_000_000 + int64(s.opts.Seed%4000)*10_000_000 }

func (s *Server) taskID(n int) string { return "86" + strconv.FormatInt(s.taskOffset()+int64(n), 36) }

// taskNumber is -1 for an id that was never given.
func (s *Server) taskNumber(id string) int {
	digits, ours := strings.CutPrefix(id, "86")
	v, err := strconv.ParseInt(digits, 36, 64)
	n := v - s.taskOffset()
	if !ours || err != nil || n < 0 || n >= int64(s.nextTask) || s.taskID(int(n)) != id {
		return -1
	}
	return int(n)
}

// task is nil where it was deleted, alone or with its list.
func (s *Server) task(n int) *Task {
	if t, changed := s.changed[n]; changed {
		return t
	}
	l := s.sownList(n)
	if l.deleted {
		return nil
	}
	return s.seededTask(l, n)
}

// lookUp finds the task of a path, by its own id or with custom_task_ids by the Workspace's.
func (s *Server) lookUp(c *call) (int, *Task, answer) {
	id := c.PathValue("task_id")
	n := s.taskNumber(id)
	if c.flag("custom_task_ids") {
		n = s.customTask(id, c.query.Get("team_id"))
	}
	if n < 0 {
		return 0, nil, unauthorized()
	}
	t := s.task(n)
	if t == nil {
		return 0, nil, refuse(http.StatusNotFound, "Task not found, deleted", "ITEM_013")
	}
	if !c.reaches(t.WorkspaceID) {
		return 0, nil, unauthorized()
	}
	return n, t, answer{}
}

// customTask finds a task by the id that its Workspace gave it; those of the seed hold their number.
func (s *Server) customTask(id, team string) int {
	for n, t := range s.changed {
		if t != nil && t.CustomID == id && t.WorkspaceID == team {
			return n
		}
	}
	n, err := strconv.Atoi(strings.TrimPrefix(id, "PB-"))
	if n--; err == nil && n >= 0 && n < s.seeded {
		if t := s.task(n); t != nil && t.CustomID == id && t.WorkspaceID == team {
			return n
		}
	}
	return -1
}

func (s *Server) getTask(c *call) answer {
	n, t, refusal := s.lookUp(c)
	if t == nil {
		return refusal
	}
	b := s.appendTask(c.buf, t, c.flag("include_markdown_description"), false)
	b = append(b[:len(b)-1], `,"attachments":[]`...)
	if c.flag("include_subtasks") {
		b = append(b, `,"subtasks":[`...)
		for i, child := range s.children(n) {
			if i > 0 {
				b = append(b, ',')
			}
			b = s.appendTask(b, s.task(child), c.flag("include_markdown_description"), false)
		}
		b = append(b, ']')
	}
	return answer{http.StatusOK, append(b, '}')}
}

// children are the numbers of a task's subtasks, not of theirs.
func (s *Server) children(n int) []int {
	var all []int
	id := s.taskID(n)
	if n < s.seeded {
		if l := s.sownList(n); !l.deleted {
			for child := n + 1; child <= n+3 && child < l.first+l.count; child++ {
				if _, changed := s.changed[child]; !changed && s.look(l, child).parent == n {
					all = append(all, child)
				}
			}
		}
	}
	for child, t := range s.changed {
		if t != nil && t.Parent == id {
			all = append(all, child)
		}
	}
	slices.Sort(all)
	return all
}

// A filter is what a list of tasks is asked for.
type filter struct {
	archived, closed, subtasks, shared bool
	order                              string
	ascending                          bool
	parent                             string
	statuses, assignees, tags, types   []string
	created, updated, done, due        span
}

// A span is of Unix ms; both ends are outside it, and 0 is no end.
type span struct{ after, before int64 }

func (s span) holds(t int64) bool {
	return s == span{} || t != 0 && (s.after == 0 || t > s.after) && (s.before == 0 || t < s.before)
}

func (s *Server) filter(c *call) filter {
	several := func(name string) []string { return append(slices.Clone(c.query[name+"[]"]), c.query[name]...) }
	dates := func(name string) span {
		after, _ := strconv.ParseInt(c.query.Get(name+"_gt"), 10, 64)
		before, _ := strconv.ParseInt(c.query.Get(name+"_lt"), 10, 64)
		return span{after, before}
	}
	return filter{
		archived: c.flag("archived"), closed: c.flag("include_closed"), subtasks: c.flag("subtasks"), shared: c.flag("include_timl"),
		order: c.query.Get("order_by"), ascending: c.flag("reverse") != s.opts.OldestFirst, parent: c.query.Get("parent"),
		statuses: several("statuses"), assignees: several("assignees"), tags: several("tags"), types: several("custom_items"),
		created: dates("date_created"), updated: dates("date_updated"), done: dates("date_done"), due: dates("due_date"),
	}
}

// deep is true for a filter that the facts of a seeded task do not suffice for.
func (f *filter) deep() bool {
	return f.parent != "" || len(f.assignees)+len(f.tags)+len(f.types) > 0 || f.done != span{} || f.due != span{}
}

func (f *filter) admitsFacts(k facts, st Status) bool {
	return k.archived == f.archived && (f.closed || st.Type != "closed") && (f.subtasks || f.parent != "" || k.parent < 0) &&
		(len(f.statuses) == 0 || slices.Contains(f.statuses, st.Name)) && f.created.holds(k.created) && f.updated.holds(k.updated)
}

func (f *filter) admits(t *Task) bool {
	return t.Archived == f.archived && (f.closed || t.Status.Type != "closed") && (f.subtasks || f.parent != "" || t.Parent == "") &&
		(f.parent == "" || t.Parent == f.parent) &&
		(len(f.statuses) == 0 || slices.Contains(f.statuses, t.Status.Name)) &&
		f.created.holds(t.Created) && f.updated.holds(t.Updated) && f.done.holds(t.Done) && f.due.holds(t.Due) &&
		(len(f.assignees) == 0 || slices.ContainsFunc(t.Assignees, func(id int64) bool { return slices.Contains(f.assignees, ms(id)) })) &&
		(len(f.tags) == 0 || slices.ContainsFunc(t.Tags, func(name string) bool { return slices.Contains(f.tags, name) })) &&
		(len(f.types) == 0 || slices.Contains(f.types, strconv.Itoa(t.Type)))
}

// matching adds the numbers of a list's tasks that the filter admits, in no order.
func (s *Server) matching(all []int32, l *list, f *filter) []int32 {
	seeded := func(home *list, n int) {
		if _, changed := s.changed[n]; changed {
			return
		}
		k := s.look(home, n)
		if (home == l || k.shared) && f.admitsFacts(k, home.space.Statuses[k.status]) && (!f.deep() || f.admits(s.seededTask(home, n))) {
			all = append(all, int32(n))
		}
	}
	for n := l.first; n < l.first+l.count; n++ {
		seeded(l, n)
	}
	if from := l.alsoOf; f.shared && from != nil && !from.deleted {
		for n := from.first; n < from.first+from.count; n++ {
			seeded(from, n)
		}
	}
	for n := range s.shownIn[l.ID] {
		if t := s.changed[n]; (t.ListID == l.ID || f.shared) && f.admits(t) {
			all = append(all, int32(n))
		}
	}
	return all
}

// countTasks is the number that lists tell of themselves: of tasks that are open.
func (s *Server) countTasks(l *list) int { return len(s.matching(nil, l, &filter{subtasks: true})) }

func (s *Server) sort(all []int32, f *filter) {
	type entry struct {
		key int64
		n   int32
	}
	entries := make([]entry, len(all))
	for i, n := range all {
		entries[i] = entry{s.sortKey(int(n), f.order), n}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		switch {
		case a.key != b.key && (a.key < b.key) == f.ascending, a.key == b.key && (a.n < b.n) == f.ascending && a.n != b.n:
			return -1
		case a.n == b.n:
			return 0
		}
		return 1
	})
	for i := range entries {
		all[i] = entries[i].n
	}
}

func (s *Server) sortKey(n int, order string) int64 {
	t, changed := s.changed[n]
	if !changed && order != "due_date" {
		k := s.look(s.sownList(n), n)
		switch order {
		case "id":
			return int64(n)
		case "updated":
			return k.updated
		default:
			return k.created
		}
	}
	if !changed {
		t = s.seededTask(s.sownList(n), n)
	}
	switch order {
	case "id":
		return int64(n)
	case "updated":
		return t.Updated
	case "due_date":
		return t.Due
	default:
		return t.Created
	}
}

// queryCache keeps what the latest lists of tasks found, so that their next pages need not find it again.
type queryCache struct {
	mu      sync.Mutex
	entries []queried // latest last
}

type queried struct {
	key     string
	version uint64
	tasks   []int32
}

const cachedQueries = 16

func (q *queryCache) get(key string, version uint64) ([]int32, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range q.entries {
		if e.key == key && e.version == version {
			return e.tasks, true
		}
	}
	return nil, false
}

func (q *queryCache) put(e queried) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.entries = slices.DeleteFunc(q.entries, func(old queried) bool { return old.key == e.key || old.version != e.version })
	if len(q.entries) == cachedQueries {
		q.entries = q.entries[1:]
	}
	q.entries = append(q.entries, e)
}

// found is what a list of tasks has, over all its pages.
func (s *Server) found(c *call, find func(*filter) []int32) []int32 {
	query := c.URL.Query()
	query.Del("page")
	query.Del("include_markdown_description")
	key := c.URL.Path + "?" + query.Encode()
	version := s.version.Load()
	if tasks, ok := s.queries.get(key, version); ok {
		return tasks
	}
	f := s.filter(c)
	tasks := find(&f)
	s.sort(tasks, &f)
	s.queries.put(queried{key, version, tasks})
	return tasks
}

func (s *Server) getListTasks(c *call) answer {
	id := c.PathValue("list_id")
	l := s.lists[id]
	if l == nil || !c.reaches(l.WorkspaceID) {
		return s.missing(id, "List")
	}
	tasks := s.found(c, func(f *filter) []int32 { return s.matching(nil, l, f) })
	b, last, ok := s.appendPage(c, tasks, true)
	if !ok {
		return refuse(http.StatusBadRequest, "Page must be 0 or more", "INPUT_003")
	}
	b = append(b, `,"last_page":`...)
	return answer{http.StatusOK, append(strconv.AppendBool(b, last), '}')}
}

// getTeamTasks knows neither archived nor include_timl, and its answer no last_page.
func (s *Server) getTeamTasks(c *call) answer {
	w := s.workspace(c, c.PathValue("team_id"))
	if w == nil {
		return unauthorized()
	}
	tasks := s.found(c, func(f *filter) []int32 {
		f.archived, f.shared = false, false
		var all []int32
		for _, l := range w.allLists() {
			if l.Archived || l.space.Archived || l.folder != nil && l.folder.Archived || !c.names("list_ids[]", l.ID) || !c.names("project_ids[]", l.FolderID) || !c.names("space_ids[]", l.SpaceID) {
				continue
			}
			all = s.matching(all, l, f)
		}
		return all
	})
	b, _, ok := s.appendPage(c, tasks, false)
	if !ok {
		return refuse(http.StatusBadRequest, "Page must be 0 or more", "INPUT_003")
	}
	return answer{http.StatusOK, append(b, '}')}
}

// names is true where a parameter names the id, or is not there.
func (c *call) names(parameter, id string) bool {
	ids := c.query[parameter]
	return len(ids) == 0 || slices.Contains(ids, id)
}

func (w *workspace) allLists() []*list {
	var all []*list
	for _, sp := range w.spaces {
		all = append(all, sp.allLists()...)
	}
	return all
}

func (sp *space) allLists() []*list {
	all := slices.Clone(sp.lists)
	for _, f := range sp.folders {
		all = append(all, f.lists...)
	}
	return all
}

// appendPage writes {"tasks":[…] of the page asked for, and says whether it is the last one.
func (s *Server) appendPage(c *call, tasks []int32, oneList bool) (b []byte, last, ok bool) {
	page := 0
	if asked := c.query.Get("page"); asked != "" {
		n, err := strconv.Atoi(asked)
		if err != nil || n < 0 || n > 1<<30 {
			return nil, false, false
		}
		page = n
	}
	from, to := min(len(tasks), page*pageSize), min(len(tasks), (page+1)*pageSize)
	b = append(c.buf, `{"tasks":[`...)
	for i, n := range tasks[from:to] {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.appendTask(b, s.task(int(n)), c.flag("include_markdown_description"), oneList)
	}
	return append(b, ']'), to == len(tasks), true
}
