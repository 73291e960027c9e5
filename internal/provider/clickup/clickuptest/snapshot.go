package clickuptest

import (
	"cmp"
	"iter"
	"slices"
)

// A Snapshot is what a faithful import of a Workspace has. Everything is ordered by id.
type Snapshot struct {
	Workspace Workspace
	Users     []User
	Spaces    []Space
	Folders   []Folder
	Lists     []List
	Tasks     []Task
	Comments  []Comment // replies too
	Docs      []Doc
	Pages     []Page
}

// A Selection leaves something out of a snapshot. Its zero value leaves out nothing.
type Selection struct {
	Lists      []string // ids of the lists to keep, with their folders and spaces; nil keeps all
	OpenOnly   bool     // no closed tasks
	NoArchived bool     // nothing that is archived, and nothing inside it
	NoComments bool
	NoDocs     bool
}

// Workspaces are all that there are.
func (s *Server) Workspaces() []Workspace {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []Workspace
	for _, w := range s.workspaces {
		all = append(all, w.Workspace)
	}
	return all
}

// Snapshot copies what a Workspace holds at this moment.
func (s *Server) Snapshot(workspaceID string, sel Selection) Snapshot {
	s.mu.RLock()
	defer s.mu.RUnlock()
	w := s.mustWorkspace(workspaceID)
	snap := Snapshot{Workspace: w.Workspace}
	for _, u := range s.users {
		snap.Users = append(snap.Users, *u)
	}
	for _, sp := range w.spaces {
		if sel.NoArchived && sp.Archived {
			continue
		}
		lists := 0
		for _, l := range sp.lists {
			lists += snap.list(s, l, sel)
		}
		for _, f := range sp.folders {
			if sel.NoArchived && f.Archived {
				continue
			}
			kept := 0
			for _, l := range f.lists {
				kept += snap.list(s, l, sel)
			}
			if sel.Lists == nil || kept > 0 {
				snap.Folders = append(snap.Folders, f.Folder)
			}
			lists += kept
		}
		if sel.Lists == nil || lists > 0 {
			snap.Spaces = append(snap.Spaces, sp.Space)
		}
	}
	for _, d := range w.docs {
		if !sel.NoDocs && !d.deleted && !(sel.NoArchived && d.Archived) {
			snap.Docs = append(snap.Docs, d.Doc)
			snap.pages(s, d.pages)
		}
	}
	slices.SortFunc(snap.Spaces, func(a, b Space) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(snap.Folders, func(a, b Folder) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(snap.Lists, func(a, b List) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(snap.Tasks, func(a, b Task) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(snap.Comments, func(a, b Comment) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(snap.Docs, func(a, b Doc) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(snap.Pages, func(a, b Page) int { return cmp.Compare(a.ID, b.ID) })
	return snap
}

// list adds a list and its tasks, and counts it.
func (snap *Snapshot) list(s *Server, l *list, sel Selection) int {
	if sel.NoArchived && l.Archived || sel.Lists != nil && !slices.Contains(sel.Lists, l.ID) {
		return 0
	}
	snap.Lists = append(snap.Lists, l.List)
	for n, t := range s.homeTasks(l) {
		if sel.OpenOnly && t.Status.Type == "closed" || sel.NoArchived && t.Archived {
			continue
		}
		snap.Tasks = append(snap.Tasks, *t.clone())
		if sel.NoComments {
			continue
		}
		for _, c := range s.conversation(n) {
			snap.Comments = append(snap.Comments, *c)
		}
	}
	return 1
}

func (snap *Snapshot) pages(s *Server, pages []*page) {
	for _, p := range pages {
		one := p.Page
		one.Content = s.content(p)
		snap.Pages = append(snap.Pages, one)
		snap.pages(s, p.pages)
	}
}

// homeTasks goes through the tasks whose home a list is, by number.
func (s *Server) homeTasks(l *list) iter.Seq2[int, *Task] {
	return func(yield func(int, *Task) bool) {
		for n := l.first; n < l.first+l.count; n++ {
			if _, changed := s.changed[n]; !changed && !yield(n, s.seededTask(l, n)) {
				return
			}
		}
		for n := range s.shownIn[l.ID] {
			if t := s.changed[n]; t.ListID == l.ID && !yield(n, t) {
				return
			}
		}
	}
}

// Lists are those of a Workspace, archived ones too, by id.
func (s *Server) Lists(workspaceID string) []List {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []List
	for _, l := range s.mustWorkspace(workspaceID).allLists() {
		all = append(all, l.List)
	}
	slices.SortFunc(all, func(a, b List) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
