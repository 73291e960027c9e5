package clickuptest

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Churn makes n random changes and says what they were. The same numbers from the source make the same changes to the same state.
func (s *Server) Churn(random *rand.Rand, n int) []string {
	var done []string
	for len(done) < n {
		if what := s.change(random); what != "" {
			done = append(done, what)
		}
	}
	return done
}

// change is "" where chance led to nothing.
func (s *Server) change(random *rand.Rand) string {
	lists, pages, spaces := s.targets()
	list := func() string {
		if len(lists) == 0 {
			return ""
		}
		return lists[random.IntN(len(lists))]
	}
	task := s.randomTask(random)
	text := func() string { return fmt.Sprintf("%s %d", pick(sentences, random.Uint64()), random.IntN(1000)) }
	switch at := random.IntN(100); {
	case at < 14 && len(lists) > 0:
		return "create task " + s.CreateTask(list(), Task{Name: text(), Markdown: text()}).ID
	case at < 20 && task != "":
		parent, _ := s.Task(task)
		return "create subtask " + s.CreateTask(parent.ListID, Task{Name: text(), Parent: task}).ID
	case at < 40 && task != "":
		s.UpdateTask(task, func(t *Task) { t.Name, t.Markdown = text(), text() })
		return "edit task " + task
	case at < 48 && task != "":
		kind := []string{"open", "custom", "done", "closed"}[random.IntN(4)]
		s.SetStatus(task, kind)
		return "set status " + kind + " of task " + task
	case at < 52 && task != "":
		s.UpdateTask(task, func(t *Task) {
			t.Priority, t.Due = random.IntN(5), s.last+day
			t.Assignees = []int64{s.users[random.IntN(len(s.users))].ID}
		})
		return "plan task " + task
	case at < 55 && task != "":
		s.UpdateTask(task, func(t *Task) { t.Archived = !t.Archived })
		return "archive or restore task " + task
	case at < 62 && task != "":
		from, _ := s.Task(task)
		to := list()
		if !s.sameWorkspace(from.WorkspaceID, to) {
			return ""
		}
		s.MoveTask(task, to)
		return "move task " + task + " to " + to
	case at < 65 && task != "":
		from, _ := s.Task(task)
		to := list()
		if !s.sameWorkspace(from.WorkspaceID, to) {
			return ""
		}
		s.AddToList(task, to)
		return "show task " + task + " in " + to
	case at < 72 && task != "":
		s.DeleteTask(task)
		return "delete task " + task
	case at < 82 && task != "":
		return "add comment " + s.AddComment(task, text()).ID
	case at < 88 && task != "":
		comment := s.randomComment(random, task)
		if comment == "" {
			return ""
		}
		switch random.IntN(3) {
		case 0:
			s.DeleteComment(comment)
			return "delete comment " + comment
		case 1:
			return "add reply " + s.AddReply(comment, text()).ID
		}
		s.UpdateComment(comment, text())
		return "edit comment " + comment
	case at < 91 && len(lists) > 0:
		id := list()
		s.UpdateList(id, func(l *List) { l.Name = text() })
		return "rename list " + id
	case at < 93 && len(spaces) > 0:
		return "create list " + s.CreateList(spaces[random.IntN(len(spaces))], text()).ID
	case at < 94 && len(lists) > 3:
		id := list()
		s.DeleteList(id)
		return "delete list " + id
	case at < 95 && len(lists) > 0:
		id := list()
		s.UpdateList(id, func(l *List) { l.Archived = !l.Archived })
		return "archive or restore list " + id
	case at < 99 && len(pages) > 0:
		id := pages[random.IntN(len(pages))]
		s.UpdatePage(id, func(p *Page) { p.Content = "# " + text() })
		return "edit page " + id
	case len(pages) > 3:
		id := pages[random.IntN(len(pages))]
		s.DeletePage(id)
		return "delete page " + id
	}
	return ""
}

// targets are the ids of what can be changed, in a fixed order.
func (s *Server) targets() (lists, pages, spaces []string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for id := range s.lists {
		lists = append(lists, id)
	}
	for id := range s.pages {
		pages = append(pages, id)
	}
	for id := range s.spaces {
		spaces = append(spaces, id)
	}
	slices.Sort(lists)
	slices.Sort(pages)
	slices.Sort(spaces)
	return lists, pages, spaces
}

func (s *Server) sameWorkspace(workspace, list string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	l := s.lists[list]
	return l != nil && l.WorkspaceID == workspace
}

// randomTask is the id of one that exists, "" where some tries find none.
func (s *Server) randomTask(random *rand.Rand) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for range 20 {
		if s.nextTask == 0 {
			break
		}
		if n := random.IntN(s.nextTask); s.task(n) != nil {
			return s.taskID(n)
		}
	}
	return ""
}

// randomComment is one of the task's that is no reply.
func (s *Server) randomComment(random *rand.Rand, task string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	said := slices.DeleteFunc(slices.Clone(s.conversation(s.taskNumber(task))), func(c *Comment) bool { return c.Parent != "" })
	if len(said) == 0 {
		return ""
	}
	return said[random.IntN(len(said))].ID
}
