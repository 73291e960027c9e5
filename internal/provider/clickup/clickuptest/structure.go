package clickuptest

import (
	"encoding/json"
	"slices"
	"strconv"
)

var colors = []string{"#7b68ee", "#f9d900", "#ff4081", "#02bcd4", "#1bbc9c", "#e50000", "#827718", "#4466ff"}

// shape is a JSON object that is not worth a type of its own.
type shape = map[string]any

func userShape(u *User) shape {
	return shape{"id": u.ID, "username": u.Username, "email": u.Email, "color": u.Color, "initials": u.Initials, "profilePicture": nil}
}

func (s *Server) getUser(c *call) answer {
	u := userShape(c.token.user)
	u["week_start_day"], u["global_font_support"] = 1, true
	u["timezone"] = "Europe/Berlin"
	return c.reply(shape{"user": u})
}

func (s *Server) getTeams(c *call) answer {
	members := []shape{}
	for _, u := range s.users {
		members = append(members, shape{"user": userShape(u)})
	}
	teams := []shape{}
	for _, w := range s.workspaces {
		if c.reaches(w.ID) {
			teams = append(teams, shape{"id": w.ID, "name": w.Name, "color": w.Color, "avatar": nil, "members": members})
		}
	}
	return c.reply(shape{"teams": teams})
}

func (s *Server) getSpaces(c *call) answer {
	w := s.workspace(c, c.PathValue("team_id"))
	if w == nil {
		return unauthorized()
	}
	all := []shape{}
	for _, sp := range w.spaces {
		if sp.Archived == c.flag("archived") {
			all = append(all, sp.shape())
		}
	}
	return c.reply(shape{"spaces": all})
}

func (s *Server) getSpace(c *call) answer {
	id := c.PathValue("space_id")
	sp := s.spaces[id]
	if sp == nil || !c.reaches(sp.WorkspaceID) {
		return s.missing(id, "Space")
	}
	return c.reply(sp.shape())
}

func (sp *space) shape() shape {
	on := shape{"enabled": true}
	return shape{
		"id": sp.ID, "name": sp.Name, "color": sp.Color, "private": sp.Private, "avatar": nil, "admin_can_manage": true, "archived": sp.Archived,
		"statuses": sp.statusShapes(), "multiple_assignees": true,
		"features": shape{
			"due_dates":     shape{"enabled": true, "start_date": true, "remap_due_dates": false, "remap_closed_due_date": false},
			"time_tracking": on, "tags": on, "time_estimates": on, "checklists": on, "custom_fields": on, "remap_dependencies": on, "dependency_warning": on,
			"portfolios": on,
		},
	}
}

func (sp *space) statusShapes() []shape {
	all := []shape{}
	for i, st := range sp.Statuses {
		all = append(all, shape{"id": st.ID, "status": st.Name, "color": st.Color, "orderindex": i, "type": st.Type})
	}
	return all
}

func (s *Server) getTags(c *call) answer {
	id := c.PathValue("space_id")
	sp := s.spaces[id]
	if sp == nil || !c.reaches(sp.WorkspaceID) {
		return s.missing(id, "Space")
	}
	all := []shape{}
	for _, name := range sp.Tags {
		all = append(all, tagShape(name))
	}
	return c.reply(shape{"tags": all})
}

func tagShape(name string) shape {
	return shape{"name": name, "tag_fg": "#FFFFFF", "tag_bg": colors[len(name)%len(colors)]}
}

func (s *Server) getFolders(c *call) answer {
	id := c.PathValue("space_id")
	sp := s.spaces[id]
	if sp == nil || !c.reaches(sp.WorkspaceID) {
		return s.missing(id, "Space")
	}
	all := []shape{}
	for _, f := range sp.folders {
		if f.Archived == c.flag("archived") {
			all = append(all, s.folderShape(f))
		}
	}
	return c.reply(shape{"folders": all})
}

func (s *Server) getFolder(c *call) answer {
	id := c.PathValue("folder_id")
	f := s.folders[id]
	if f == nil || !c.reaches(f.WorkspaceID) {
		return s.missing(id, "Folder")
	}
	return c.reply(s.folderShape(f))
}

func (s *Server) folderShape(f *folder) shape {
	lists, tasks := []shape{}, 0
	for _, l := range f.lists {
		if !l.Archived {
			lists = append(lists, s.listShape(l))
			tasks += s.countTasks(l)
		}
	}
	return shape{
		"id": f.ID, "name": f.Name, "orderindex": slices.Index(f.space.folders, f), "override_statuses": false, "hidden": false, "archived": f.Archived,
		"space": shape{"id": f.SpaceID, "name": f.space.Name, "access": true}, "task_count": strconv.Itoa(tasks), "lists": lists,
	}
}

// getLists serves a folder's lists and a space's folderless ones.
func (s *Server) getLists(c *call) answer {
	var lists []*list
	if id := c.PathValue("folder_id"); id != "" {
		f := s.folders[id]
		if f == nil || !c.reaches(f.WorkspaceID) {
			return s.missing(id, "Folder")
		}
		lists = f.lists
	} else {
		id := c.PathValue("space_id")
		sp := s.spaces[id]
		if sp == nil || !c.reaches(sp.WorkspaceID) {
			return s.missing(id, "Space")
		}
		lists = sp.lists
	}
	all := []shape{}
	for _, l := range lists {
		if l.Archived == c.flag("archived") {
			all = append(all, s.listShape(l))
		}
	}
	return c.reply(shape{"lists": all})
}

func (s *Server) getList(c *call) answer {
	id := c.PathValue("list_id")
	l := s.lists[id]
	if l == nil || !c.reaches(l.WorkspaceID) {
		return s.missing(id, "List")
	}
	one := s.listShape(l)
	delete(one, "status")
	delete(one, "priority")
	one["task_count"] = s.countTasks(l) // a number here, a string in lists of lists
	one["statuses"] = l.space.statusShapes()
	one["inbound_address"] = "add.task." + l.ID + "@tasks.example.com"
	return c.reply(one)
}

func (s *Server) listShape(l *list) shape {
	siblings := l.space.lists
	if l.folder != nil {
		siblings = l.folder.lists
	}
	return shape{
		"id": l.ID, "name": l.Name, "orderindex": slices.Index(siblings, l), "content": l.Content, "status": nil, "priority": nil, "assignee": nil,
		"task_count": strconv.Itoa(s.countTasks(l)), "due_date": nil, "start_date": nil, "folder": l.folderShape(),
		"space": shape{"id": l.SpaceID, "name": l.space.Name, "access": true}, "archived": l.Archived, "override_statuses": false, "permission_level": "create",
	}
}

// folderShape of a list without a folder is that of a hidden one, which no other path tells of.
func (l *list) folderShape() shape {
	if l.folder == nil {
		return shape{"id": "8" + l.ID, "name": "hidden", "hidden": true, "access": true}
	}
	return shape{"id": l.folder.ID, "name": l.folder.Name, "hidden": false, "access": true}
}

// encode writes what every task of the list says about where it is.
func (l *list) encode() {
	in, _ := json.Marshal(l.folderShape())
	b := append([]byte(`,"list":`), mustJSON(shape{"id": l.ID, "name": l.Name, "access": true})...)
	b = append(append(b, `,"project":`...), in...)
	b = append(append(b, `,"folder":`...), in...)
	l.encoded = append(b, `,"space":{"id":"`+l.SpaceID+`"}`...)
}

func (s *Server) getFields(c *call) answer {
	var fields []*Field
	switch {
	case c.PathValue("list_id") != "":
		l := s.lists[c.PathValue("list_id")]
		if l == nil || !c.reaches(l.WorkspaceID) {
			return s.missing(c.PathValue("list_id"), "List")
		}
		fields = l.fieldsOf()
	case c.PathValue("folder_id") != "":
		f := s.folders[c.PathValue("folder_id")]
		if f == nil || !c.reaches(f.WorkspaceID) {
			return s.missing(c.PathValue("folder_id"), "Folder")
		}
		fields = slices.Concat(f.space.ws.fields, f.fields)
	case c.PathValue("space_id") != "":
		sp := s.spaces[c.PathValue("space_id")]
		if sp == nil || !c.reaches(sp.WorkspaceID) {
			return s.missing(c.PathValue("space_id"), "Space")
		}
		fields = slices.Concat(sp.ws.fields, sp.fields)
	default:
		w := s.workspace(c, c.PathValue("team_id"))
		if w == nil {
			return unauthorized()
		}
		fields = w.fields
	}
	all := []shape{}
	for _, f := range fields {
		all = append(all, shape{"id": f.ID, "name": f.Name, "type": f.Type, "type_config": f.Config, "date_created": ms(f.Created), "hide_from_guests": false, "required": false})
	}
	return c.reply(shape{"fields": all})
}

func (s *Server) getCustomItems(c *call) answer {
	if s.workspace(c, c.PathValue("team_id")) == nil {
		return unauthorized()
	}
	return c.reply(shape{"custom_items": []shape{
		{"id": 1, "name": "Milestone", "name_plural": "Milestones", "description": ""},
		{"id": 1300, "name": "Bug", "name_plural": "Bugs", "description": "Something that does not work."},
	}})
}

// getShared tells what others shared with the user alone: nothing, since everybody sees everything here.
func (s *Server) getShared(c *call) answer {
	if s.workspace(c, c.PathValue("team_id")) == nil {
		return unauthorized()
	}
	return c.reply(shape{"shared": shape{"tasks": []string{}, "lists": []shape{}, "folders": []shape{}}})
}

func (s *Server) getMembers(c *call) answer {
	id := c.PathValue("list_id")
	l := s.lists[id]
	if l == nil || !c.reaches(l.WorkspaceID) {
		return s.missing(id, "List")
	}
	members := []shape{}
	for _, u := range s.users {
		m := userShape(u)
		m["profileInfo"] = shape{
			"display_profile": nil, "verified_ambassador": nil, "verified_consultant": nil, "top_tier_user": nil, "viewed_verified_ambassador": nil,
			"viewed_verified_consultant": nil, "viewed_top_tier_user": nil,
		}
		members = append(members, m)
	}
	return c.reply(shape{"members": members})
}

// statuses are those of a new space.
func (s *Server) statuses(space string) []Status {
	return []Status{
		{ID: "p" + space + "_open", Name: "to do", Color: "#d3d3d3", Type: "open"},
		{ID: "p" + space + "_prog", Name: "in progress", Color: "#4194f6", Type: "custom"},
		{ID: "p" + space + "_revw", Name: "in review", Color: "#a875ff", Type: "custom"},
		{ID: "p" + space + "_done", Name: "done", Color: "#f9d900", Type: "done"},
		{ID: "p" + space + "_clsd", Name: "complete", Color: "#6bc950", Type: "closed"},
	}
}

func (s *Server) addSpace(w *workspace, name string) *space {
	id := s.placeID()
	sp := &space{ws: w, Space: Space{ID: id, WorkspaceID: w.ID, Name: name, Color: colors[len(w.spaces)%len(colors)], Statuses: s.statuses(id), Tags: slices.Clone(tags)}}
	w.spaces = append(w.spaces, sp)
	s.spaces[id] = sp
	return sp
}

func (s *Server) addFolder(sp *space, name string) *folder {
	f := &folder{space: sp, Folder: Folder{ID: s.placeID(), WorkspaceID: sp.WorkspaceID, SpaceID: sp.ID, Name: name}}
	sp.folders = append(sp.folders, f)
	s.folders[f.ID] = f
	return f
}

// addList puts a list into a folder, or where that is nil into the space itself.
func (s *Server) addList(sp *space, f *folder, name string) *list {
	l := &list{space: sp, folder: f, index: -1, List: List{ID: s.placeID(), WorkspaceID: sp.WorkspaceID, SpaceID: sp.ID, Name: name}}
	if f == nil {
		sp.lists = append(sp.lists, l)
	} else {
		l.FolderID = f.ID
		f.lists = append(f.lists, l)
	}
	s.lists[l.ID] = l
	l.encode()
	return l
}
