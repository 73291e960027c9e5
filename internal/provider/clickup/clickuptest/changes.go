package clickuptest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// The methods in this file and its neighbours change what a server holds, as its users would, and put the webhooks that
// ClickUp sends for it into the outbox (see [Server.Deliveries]). They panic on an id that leads nowhere: then the test is wrong.

func must[T any](found T, ok bool, kind, id string) T {
	if !ok {
		panic(fmt.Sprintf("clickuptest: there is no %s %q", kind, id))
	}
	return found
}

// put stores a changed task, or with nil its deletion, and keeps shownIn true.
func (s *Server) put(n int, t *Task) {
	if old := s.changed[n]; old != nil {
		for _, l := range append([]string{old.ListID}, old.AlsoIn...) {
			delete(s.shownIn[l], n)
		}
	}
	s.changed[n] = t
	if t == nil {
		return
	}
	for _, l := range append([]string{t.ListID}, t.AlsoIn...) {
		if s.shownIn[l] == nil {
			s.shownIn[l] = map[int]bool{}
		}
		s.shownIn[l][n] = true
	}
}

func (s *Server) mustTask(id string) (int, *Task) {
	n := s.taskNumber(id)
	if n >= 0 {
		if t := s.task(n); t != nil {
			return n, t
		}
	}
	return must(n, false, "task", id), nil
}

func (t *Task) clone() *Task {
	c := *t
	c.AlsoIn, c.Assignees, c.Tags, c.Values = slices.Clone(t.AlsoIn), slices.Clone(t.Assignees), slices.Clone(t.Tags), slices.Clone(t.Values)
	c.Checklists = slices.Clone(t.Checklists)
	for i := range c.Checklists {
		c.Checklists[i].Items = slices.Clone(c.Checklists[i].Items)
	}
	return &c
}

func (s *Server) placeOf(t *Task) place {
	at := s.lists[t.ListID].place()
	at.task = t.ID
	return at
}

func (l *list) place() place {
	return place{workspace: l.WorkspaceID, space: l.SpaceID, folder: l.FolderID, list: l.ID}
}

// Task is a task as it is now; false where it was deleted or never was.
func (s *Server) Task(id string) (Task, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := s.taskNumber(id)
	if n < 0 {
		return Task{}, false
	}
	t := s.task(n)
	if t == nil {
		return Task{}, false
	}
	return *t.clone(), true
}

// CreateTask puts a task into a list. Ids, dates and the Workspace are the server's to set; without a status it is open.
func (s *Server) CreateTask(listID string, t Task) Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.lists[listID]
	l := must(found, ok, "list", listID)
	now := s.clock()
	n := s.nextTask
	s.nextTask++
	t = *t.clone()
	t.ID, t.ListID, t.WorkspaceID, t.Created, t.Updated = s.taskID(n), l.ID, l.WorkspaceID, now, now
	if t.Status == (Status{}) {
		t.Status = l.space.Statuses[0]
	}
	if t.Creator == 0 {
		t.Creator = s.users[0].ID
	}
	s.hang(&t)
	s.finish(&t, now)
	s.put(n, &t)
	removed := shape{"status": nil, "color": "#000000", "type": "removed", "orderindex": -1}
	s.emit("taskCreated", s.placeOf(&t), shape{"task_id": t.ID, "history_items": []shape{
		s.history(1, "status", l.ID, t.Creator, now, shape{"status_type": t.Status.Type}, removed, statusShape(t.Status)),
		s.history(1, "task_creation", l.ID, t.Creator, now, shape{}, nil, nil),
	}})
	return *t.clone()
}

// hang sets what follows from a task's parent.
func (s *Server) hang(t *Task) {
	t.TopParent = ""
	if t.Parent != "" {
		_, above := s.mustTask(t.Parent)
		if t.TopParent = above.TopParent; t.TopParent == "" {
			t.TopParent = above.ID
		}
	}
}

// finish sets the dates that follow from the status.
func (s *Server) finish(t *Task, now int64) {
	switch t.Status.Type {
	case "closed":
		t.Closed, t.Done = now, now
	case "done":
		t.Closed, t.Done = 0, now
	default:
		t.Closed, t.Done = 0, 0
	}
}

func statusShape(st Status) shape {
	return shape{"status": st.Name, "color": st.Color, "orderindex": 1, "type": st.Type}
}

// UpdateTask has a function edit a task. Ids, lists and dates of creation, closing and update stay the server's.
func (s *Server) UpdateTask(id string, edit func(*Task)) Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, old := s.mustTask(id)
	t := old.clone()
	edit(t)
	now := s.clock()
	t.ID, t.WorkspaceID, t.ListID, t.AlsoIn, t.Created, t.Updated = old.ID, old.WorkspaceID, old.ListID, old.AlsoIn, old.Created, now
	t.Closed, t.Done = old.Closed, old.Done
	if t.Status != old.Status {
		s.finish(t, now)
	}
	if t.Parent != old.Parent {
		s.hang(t)
	}
	s.put(n, t)
	s.emitEdits(old, t, now)
	return *t.clone()
}

// emitEdits sends an event of its own for some fields, and taskUpdated with the same history item for each.
func (s *Server) emitEdits(old, t *Task, now int64) {
	at := s.placeOf(t)
	edited := func(event, field string, data shape, before, after any) {
		items := []shape{s.history(1, field, t.ListID, t.Creator, now, data, before, after)}
		if field == "assignee_add" {
			delete(items[0], "before") // as ClickUp publishes it
		}
		if event != "" {
			s.emit(event, at, shape{"task_id": t.ID, "history_items": items})
		}
		s.emit("taskUpdated", at, shape{"task_id": t.ID, "history_items": items})
	}
	if old.Name != t.Name {
		edited("", "name", shape{}, old.Name, t.Name)
	}
	if old.Markdown != t.Markdown {
		edited("", "content", shape{}, nil, string(mustJSON(shape{"ops": []shape{{"insert": plain(t.Markdown)}}})))
	}
	if old.Status != t.Status {
		edited("taskStatusUpdated", "status", shape{"status_type": t.Status.Type}, statusShape(old.Status), statusShape(t.Status))
	}
	if old.Priority != t.Priority {
		priority := func(p int) any {
			if p == 0 {
				return nil
			}
			return json.RawMessage(priorities[p])
		}
		edited("taskPriorityUpdated", "priority", shape{}, priority(old.Priority), priority(t.Priority))
	}
	for _, id := range t.Assignees {
		if !slices.Contains(old.Assignees, id) {
			edited("taskAssigneeUpdated", "assignee_add", shape{}, nil, json.RawMessage(s.userJSON[id]))
		}
	}
	for _, id := range old.Assignees {
		if !slices.Contains(t.Assignees, id) {
			edited("taskAssigneeUpdated", "assignee_rem", shape{}, json.RawMessage(s.userJSON[id]), nil)
		}
	}
	date := func(t int64) any {
		if t == 0 {
			return nil
		}
		return ms(t)
	}
	if old.Due != t.Due {
		edited("taskDueDateUpdated", "due_date", shape{"due_date_time": true, "old_due_date_time": false}, date(old.Due), date(t.Due))
	}
	if !slices.Equal(old.Tags, t.Tags) {
		shapes := func(names []string) any {
			all := []shape{}
			for _, name := range names {
				all = append(all, tagShape(name))
			}
			return all
		}
		edited("taskTagUpdated", "tag", shape{}, shapes(old.Tags), shapes(t.Tags))
	}
	if old.Estimate != t.Estimate {
		edited("taskTimeEstimateUpdated", "time_estimate", shape{"time_estimate": t.Estimate}, date(old.Estimate), date(t.Estimate))
	}
	if old.Archived != t.Archived {
		edited("", "archived", shape{}, old.Archived, t.Archived)
	}
	if !slices.Equal(old.Values, t.Values) {
		edited("", "custom_field", shape{}, nil, nil)
	}
}

// SetStatus gives a task the status of a type: open, custom, done or closed.
func (s *Server) SetStatus(id, kind string) Task {
	s.mu.RLock()
	_, t := s.mustTask(id)
	st := s.lists[t.ListID].space.status(kind)
	s.mu.RUnlock()
	return s.UpdateTask(id, func(t *Task) { t.Status = st })
}

// status is the space's first one of a type.
func (sp *space) status(kind string) Status {
	i := slices.IndexFunc(sp.Statuses, func(st Status) bool { return st.Type == kind })
	return must(sp.Statuses[max(0, i)], i >= 0, "status of type", kind)
}

// MoveTask gives a task and its subtasks another home in the same Workspace. All of them count as updated; the one event
// is that of the task itself.
func (s *Server) MoveTask(id, listID string) Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, old := s.mustTask(id)
	found, ok := s.lists[listID]
	to := must(found, ok && found.WorkspaceID == old.WorkspaceID, "list in its Workspace", listID)
	from := s.lists[old.ListID]
	now := s.clock()
	t := s.move(n, old.ListID, to, now)
	end := func(l *list) shape {
		return shape{"id": l.ID, "name": l.Name, "category": l.folderShape(), "project": shape{"id": l.SpaceID, "name": l.space.Name}}
	}
	s.emit("taskMoved", s.placeOf(t), shape{"task_id": t.ID, "history_items": []shape{
		s.history(1, "section_moved", to.ID, t.Creator, now, shape{"mute_notifications": true}, end(from), end(to)),
	}})
	return *t.clone()
}

func (s *Server) move(n int, from string, to *list, now int64) *Task {
	below := s.children(n)
	t := s.task(n).clone()
	t.ListID, t.Updated = to.ID, now
	t.AlsoIn = slices.DeleteFunc(t.AlsoIn, func(l string) bool { return l == to.ID })
	if !slices.Contains(to.space.Statuses, t.Status) {
		t.Status = to.space.status(t.Status.Type)
	}
	known := to.fieldsOf()
	t.Values = slices.DeleteFunc(t.Values, func(v Value) bool {
		return !slices.ContainsFunc(known, func(f *Field) bool { return f.ID == v.FieldID })
	})
	s.put(n, t)
	for _, child := range below {
		if s.task(child).ListID == from {
			s.move(child, from, to, now)
		}
	}
	return t
}

// AddToList shows a task in one more list; its home stays.
func (s *Server) AddToList(id, listID string) Task {
	return s.relist(id, listID, func(t *Task) {
		if t.ListID != listID && !slices.Contains(t.AlsoIn, listID) {
			t.AlsoIn = append(t.AlsoIn, listID)
		}
	})
}

// RemoveFromList is the opposite of AddToList.
func (s *Server) RemoveFromList(id, listID string) Task {
	return s.relist(id, listID, func(t *Task) {
		t.AlsoIn = slices.DeleteFunc(t.AlsoIn, func(l string) bool { return l == listID })
	})
}

func (s *Server) relist(id, listID string, edit func(*Task)) Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, old := s.mustTask(id)
	found, ok := s.lists[listID]
	must(found, ok && found.WorkspaceID == old.WorkspaceID, "list in its Workspace", listID)
	t := old.clone()
	edit(t)
	t.Updated = s.clock()
	s.put(n, t)
	s.emit("taskUpdated", s.placeOf(t), shape{"task_id": t.ID, "history_items": []shape{s.history(1, "list", listID, t.Creator, t.Updated, shape{}, nil, nil)}})
	return *t.clone()
}

// DeleteTask deletes a task and its subtasks. The one event is that of the task itself.
func (s *Server) DeleteTask(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, t := s.mustTask(id)
	s.clock()
	at := s.placeOf(t)
	s.drop(n)
	s.emit("taskDeleted", at, shape{"task_id": id})
}

func (s *Server) drop(n int) {
	for _, child := range s.children(n) {
		s.drop(child)
	}
	s.put(n, nil)
	delete(s.talk, n)
}

// AddComment adds the newest comment of a task.
func (s *Server) AddComment(taskID, text string) Comment { return s.say(taskID, "", text) }

// AddReply answers a comment.
func (s *Server) AddReply(commentID, text string) Comment {
	s.mu.RLock()
	n, _ := s.mustComment(commentID)
	s.mu.RUnlock()
	return s.say(s.taskID(n), commentID, text)
}

func (s *Server) say(taskID, parent, text string) Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, t := s.mustTask(taskID)
	said := s.ownTalk(n)
	now := s.clock()
	from, to := 0, firstReply
	if parent != "" {
		from, to = firstReply, commentStride
	}
	// An id is never given twice, though its comment be deleted.
	k := max(from, s.spoken[n*2+from/firstReply])
	for _, c := range said {
		if number := commentIndex(n, c.ID); number >= from && number < to {
			k = max(k, number+1)
		}
	}
	s.spoken[n*2+from/firstReply] = k + 1
	c := &Comment{ID: s.commentID(n, k), TaskID: taskID, Parent: parent, Text: text, User: s.users[int(s.draw(k, 90)%uint64(len(s.users)))].ID, Date: now}
	if parent != "" {
		for i, other := range said {
			if other.ID == parent {
				more := *other
				more.Replies++
				said[i] = &more
			}
		}
	}
	s.talk[n] = append(said, c)
	s.touch(n, t, now)
	s.emitComment("taskCommentPosted", t, c, now)
	return *c
}

// commentIndex is the number of a comment among its task's.
func commentIndex(n int, id string) int {
	v, _ := strconv.Atoi(id) // it is one of ours
	return v - commentOffset - n*commentStride
}

// ownTalk is a copy of what was said on a task, for a change.
func (s *Server) ownTalk(n int) []*Comment {
	said := s.conversation(n)
	s.talk[n] = said
	return slices.Clone(said)
}

// touch is what a comment does to its task.
func (s *Server) touch(n int, t *Task, now int64) {
	if s.opts.QuietComments {
		return
	}
	t = t.clone()
	t.Updated = now
	s.put(n, t)
}

func (s *Server) emitComment(event string, t *Task, c *Comment, now int64) {
	item := s.history(1, "comment", t.ListID, c.User, now, shape{}, nil, c.ID)
	item["comment"] = shape{
		"id": c.ID, "date": ms(c.Date), "parent": t.ID, "type": 1, "comment": []shape{{"text": c.Text, "attributes": shape{}}}, "text_content": c.Text,
		"user": json.RawMessage(s.userJSON[c.User]), "reactions": []string{},
	}
	s.emit(event, s.placeOf(t), shape{"task_id": t.ID, "history_items": []shape{item}})
	if !s.opts.QuietComments {
		s.emit("taskUpdated", s.placeOf(t), shape{"task_id": t.ID, "history_items": []shape{item}})
	}
}

func (s *Server) mustComment(id string) (int, *Comment) {
	n := s.commentTask(id)
	if n >= 0 && s.task(n) != nil {
		for _, c := range s.conversation(n) {
			if c.ID == id {
				return n, c
			}
		}
	}
	return must(n, false, "comment", id), nil
}

// UpdateComment changes a comment's text. Its date stays.
func (s *Server) UpdateComment(id, text string) Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, old := s.mustComment(id)
	now := s.clock()
	c := *old
	c.Text = text
	said := s.ownTalk(n)
	said[slices.IndexFunc(said, func(other *Comment) bool { return other.ID == id })] = &c
	s.talk[n] = said
	t := s.task(n)
	s.touch(n, t, now)
	s.emitComment("taskCommentUpdated", t, &c, now)
	return c
}

// DeleteComment deletes a comment and its replies. ClickUp has no event for that.
func (s *Server) DeleteComment(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, old := s.mustComment(id)
	now := s.clock()
	said := slices.DeleteFunc(s.ownTalk(n), func(c *Comment) bool {
		if c.ID == id || c.Parent == id {
			s.gone[c.ID] = true
			return true
		}
		return false
	})
	if old.Parent != "" {
		for i, c := range said {
			if c.ID == old.Parent {
				fewer := *c
				fewer.Replies--
				said[i] = &fewer
			}
		}
	}
	s.talk[n] = said
	s.touch(n, s.task(n), now)
}

// orphans deletes the changed tasks whose parents went with a list.
func (s *Server) orphans() {
	for again := true; again; {
		again = false
		for _, n := range slices.Sorted(maps.Keys(s.changed)) {
			if t := s.changed[n]; t != nil && t.Parent != "" && s.task(s.taskNumber(t.Parent)) == nil {
				s.drop(n)
				again = true
			}
		}
	}
}
