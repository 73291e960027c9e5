package clickuptest

import (
	"maps"
	"slices"
)

// CreateSpace adds a space to a Workspace.
func (s *Server) CreateSpace(workspaceID, name string) Space {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := s.addSpace(s.mustWorkspace(workspaceID), name)
	s.clock()
	s.emit("spaceCreated", sp.place(), shape{"space_id": sp.ID})
	return sp.Space
}

func (s *Server) mustWorkspace(id string) *workspace {
	i := slices.IndexFunc(s.workspaces, func(w *workspace) bool { return w.ID == id })
	return must(s.workspaces[max(0, i)], i >= 0, "Workspace", id)
}

func (sp *space) place() place { return place{workspace: sp.WorkspaceID, space: sp.ID} }

// UpdateSpace has a function edit a space's name, colour, or whether it is private or archived.
func (s *Server) UpdateSpace(id string, edit func(*Space)) Space {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.spaces[id]
	sp := must(found, ok, "space", id)
	now := sp.Space
	edit(&now)
	sp.Name, sp.Color, sp.Private, sp.Archived = now.Name, now.Color, now.Private, now.Archived
	s.clock()
	s.emit("spaceUpdated", sp.place(), shape{"space_id": id})
	return sp.Space
}

// DeleteSpace deletes a space and all that is in it.
func (s *Server) DeleteSpace(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.spaces[id]
	sp := must(found, ok, "space", id)
	for _, f := range slices.Clone(sp.folders) {
		s.dropFolder(f)
	}
	for _, l := range slices.Clone(sp.lists) {
		s.dropList(l)
	}
	s.orphans()
	sp.ws.spaces = slices.DeleteFunc(sp.ws.spaces, func(other *space) bool { return other == sp })
	delete(s.spaces, id)
	s.gone[id] = true
	s.clock()
	s.emit("spaceDeleted", sp.place(), shape{"space_id": id})
}

// CreateFolder adds a folder to a space.
func (s *Server) CreateFolder(spaceID, name string) Folder {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.spaces[spaceID]
	f := s.addFolder(must(found, ok, "space", spaceID), name)
	s.clock()
	s.emit("folderCreated", f.place(), shape{"folder_id": f.ID})
	return f.Folder
}

func (f *folder) place() place {
	return place{workspace: f.WorkspaceID, space: f.SpaceID, folder: f.ID}
}

// UpdateFolder has a function edit a folder's name, or whether it is archived.
func (s *Server) UpdateFolder(id string, edit func(*Folder)) Folder {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.folders[id]
	f := must(found, ok, "folder", id)
	now := f.Folder
	edit(&now)
	f.Name, f.Archived = now.Name, now.Archived
	for _, l := range f.lists {
		l.encode()
	}
	s.clock()
	s.emit("folderUpdated", f.place(), shape{"folder_id": id})
	return f.Folder
}

// DeleteFolder deletes a folder and all that is in it.
func (s *Server) DeleteFolder(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.folders[id]
	f := must(found, ok, "folder", id)
	s.dropFolder(f)
	s.orphans()
	s.clock()
	s.emit("folderDeleted", f.place(), shape{"folder_id": id})
}

func (s *Server) dropFolder(f *folder) {
	for _, l := range slices.Clone(f.lists) {
		s.dropList(l)
	}
	f.space.folders = slices.DeleteFunc(f.space.folders, func(other *folder) bool { return other == f })
	delete(s.folders, f.ID)
	s.gone[f.ID] = true
}

// CreateList adds a list to a folder, or to a space.
func (s *Server) CreateList(parentID, name string) List {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp, f := s.mustParent(parentID)
	l := s.addList(sp, f, name)
	s.clock()
	s.emit("listCreated", l.place(), shape{"list_id": l.ID})
	return l.List
}

// mustParent finds where a list can be: a folder, or the space itself.
func (s *Server) mustParent(id string) (*space, *folder) {
	if f := s.folders[id]; f != nil {
		return f.space, f
	}
	sp, ok := s.spaces[id]
	return must(sp, ok, "folder or space", id), nil
}

// UpdateList has a function edit a list's name, its content, or whether it is archived.
func (s *Server) UpdateList(id string, edit func(*List)) List {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.lists[id]
	l := must(found, ok, "list", id)
	old := l.List
	now := old
	edit(&now)
	l.Name, l.Content, l.Archived = now.Name, now.Content, now.Archived
	l.encode()
	at := s.clock()
	s.emit("listUpdated", l.place(), shape{"list_id": id, "history_items": []shape{
		s.history(6, "name", id, s.users[0].ID, at, shape{}, old.Name, l.Name),
	}})
	return l.List
}

// MoveList puts a list and its tasks into another folder or space of its Workspace.
func (s *Server) MoveList(id, parentID string) List {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.lists[id]
	l := must(found, ok, "list", id)
	sp, f := s.mustParent(parentID)
	must(sp, sp == l.space, "folder in the list's space", parentID)
	s.unhang(l)
	l.folder, l.FolderID = f, ""
	if f == nil {
		sp.lists = append(sp.lists, l)
	} else {
		l.FolderID = f.ID
		f.lists = append(f.lists, l)
	}
	l.encode()
	at := s.clock()
	s.emit("listUpdated", l.place(), shape{"list_id": id, "history_items": []shape{
		s.history(6, "parent", id, s.users[0].ID, at, shape{}, nil, nil),
	}})
	return l.List
}

func (s *Server) unhang(l *list) {
	siblings := &l.space.lists
	if l.folder != nil {
		siblings = &l.folder.lists
	}
	*siblings = slices.DeleteFunc(*siblings, func(other *list) bool { return other == l })
}

// DeleteList deletes a list and the tasks whose home it is.
func (s *Server) DeleteList(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.lists[id]
	l := must(found, ok, "list", id)
	s.dropList(l)
	s.orphans()
	s.clock()
	s.emit("listDeleted", l.place(), shape{"list_id": id})
}

func (s *Server) dropList(l *list) {
	for _, n := range slices.Sorted(maps.Keys(s.shownIn[l.ID])) {
		t := s.changed[n]
		if t == nil {
			continue // went with its parent
		}
		if t.ListID == l.ID {
			s.drop(n)
			continue
		}
		t = t.clone()
		t.AlsoIn = slices.DeleteFunc(t.AlsoIn, func(other string) bool { return other == l.ID })
		s.put(n, t)
	}
	l.deleted = true
	s.unhang(l)
	delete(s.lists, l.ID)
	delete(s.shownIn, l.ID)
	s.gone[l.ID] = true
}

// CreateDoc adds a document without pages to a list, folder, space or the Workspace.
func (s *Server) CreateDoc(workspaceID, parentID, name string) Doc {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.mustWorkspace(workspaceID)
	now := s.clock()
	s.docsMade++
	d := &doc{number: s.docsMade, Doc: Doc{
		ID: s.docID(s.docsMade), WorkspaceID: w.ID, Name: name, ParentID: parentID, ParentType: s.parentType(parentID), Creator: s.users[0].ID, Created: now, Updated: now,
	}}
	w.docs = append(w.docs, d)
	s.docs[d.ID] = d
	return d.Doc
}

func (s *Server) parentType(id string) int {
	switch {
	case s.spaces[id] != nil:
		return 4
	case s.folders[id] != nil:
		return 5
	case s.lists[id] != nil:
		return 6
	default:
		s.mustWorkspace(id)
		return 12
	}
}

func (s *Server) mustDoc(id string) *doc {
	d, ok := s.docs[id]
	return must(d, ok && !d.deleted, "doc", id)
}

// UpdateDoc has a function edit a document's name, or whether it is archived.
func (s *Server) UpdateDoc(id string, edit func(*Doc)) Doc {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.mustDoc(id)
	now := d.Doc
	edit(&now)
	d.Name, d.Archived, d.Updated = now.Name, now.Archived, s.clock()
	return d.Doc
}

// DeleteDoc deletes a document and its pages. With deleted=true it is still listed.
func (s *Server) DeleteDoc(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.mustDoc(id)
	for _, p := range slices.Clone(d.pages) {
		s.removePage(p)
	}
	d.deleted, d.Updated = true, s.clock()
}

// CreatePage adds a page to a document, below another page or at the top where parentID is "".
func (s *Server) CreatePage(docID, parentID, name, content string) Page {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.mustDoc(docID)
	var above *page
	if parentID != "" {
		found, ok := s.pages[parentID]
		above = must(found, ok && found.doc == d, "page of the doc", parentID)
	}
	p := s.newPage(d, above, name, s.users[0].ID, s.clock())
	p.Content = content
	d.Updated = p.Updated
	return p.Page
}

// UpdatePage has a function edit a page's name and content. Its document counts as updated too.
func (s *Server) UpdatePage(id string, edit func(*Page)) Page {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.pages[id]
	p := must(found, ok, "page", id)
	now := p.Page
	now.Content = s.content(p)
	edit(&now)
	p.Name, p.Content, p.seeded = now.Name, now.Content, false
	p.Updated = s.clock()
	p.doc.Updated = p.Updated
	return p.Page
}

// DeletePage deletes a page and those below it.
func (s *Server) DeletePage(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.pages[id]
	p := must(found, ok, "page", id)
	s.removePage(p)
	p.doc.Updated = s.clock()
}
