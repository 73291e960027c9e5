package clickup

import (
	"context"
	"fmt"
	"slices"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// space, folder and list are the places of a Workspace. Folders may lie in folders, lists in folders or in a space itself.
type space struct {
	ID       text `json:"id"`
	Name     text `json:"name"`
	Private  flag `json:"private"`
	Archived flag `json:"archived"`
}

type folder struct {
	ID       text    `json:"id"`
	Name     text    `json:"name"`
	Archived flag    `json:"archived"`
	Parent   id      `json:"parent_folder"` // of a subfolder
	Space    id      `json:"space"`
	Lists    rawList `json:"lists"`
}

type list struct {
	ID       text   `json:"id"`
	Name     text   `json:"name"`
	Content  text   `json:"content"`
	Archived flag   `json:"archived"`
	Tasks    number `json:"task_count"`
	Due      moment `json:"due_date"`
	Start    moment `json:"start_date"`
	Space    id     `json:"space"`
	Folder   struct {
		ID     text `json:"id"`
		Hidden flag `json:"hidden"` // there is none: the list lies in its space
	} `json:"folder"`
}

// inFolder is the id of the list's folder; empty where it lies in its space itself.
func (l list) inFolder() string {
	if l.Folder.Hidden {
		return ""
	}
	return string(l.Folder.ID)
}

// place is what spaces, folders and lists have in common.
type place interface{ space | folder | list }

// sweeps are the listings of a kind of place: one, and another of what is archived where that is asked for.
func sweeps(withArchived bool) []bool {
	if withArchived {
		return []bool{false, true}
	}
	return []bool{false}
}

// found are the places of a listing, in the order of their ids.
type found[P place] struct {
	all   []P
	bad   []integration.SyncFailure // what is no place
	whole bool                      // there are no others
}

// places reads listings of places.
func places[P place](ctx context.Context, c *connection, path, name string, id func(*P) (*text, *flag), sweeps ...bool) (f found[P], err error) {
	f.whole = true
	for _, sweep := range sweeps {
		answer, err := c.get(ctx, path, archived(sweep))
		if err != nil {
			return found[P]{}, err
		}
		items, ok := listing(answer, name)
		if !ok {
			return found[P]{}, unexpected("list of " + name)
		}
		one := decodePlaces(items, name, id)
		for i := range one.all {
			_, isArchived := id(&one.all[i])
			*isArchived = *isArchived || flag(sweep)
		}
		f = f.and(one, id)
	}
	return f, nil
}

// and is what two listings have together.
func (f found[P]) and(more found[P], id func(*P) (*text, *flag)) found[P] {
	return found[P]{sorted(append(f.all, more.all...), id), append(f.bad, more.bad...), f.whole && more.whole}
}

func decodePlaces[P place](items rawList, name string, id func(*P) (*text, *flag)) (f found[P]) {
	for _, item := range items {
		var p P
		decode(item, &p)
		if pid, _ := id(&p); *pid == "" || len(*pid) > integration.MaxExternalID {
			kind := integration.ObjectCollection
			if name == "spaces" {
				kind = integration.ObjectProject
			}
			entry := failure(kind, string(*pid), "ClickUp's list of "+name+" has an entry without a usable id")
			entry.Broken = true
			f.bad = append(f.bad, entry)
			continue
		}
		f.all = append(f.all, p)
	}
	f.all, f.whole = sorted(f.all, id), items != nil && len(f.bad) == 0
	return f
}

// sorted orders places by id, each once.
func sorted[P place](all []P, id func(*P) (*text, *flag)) []P {
	key := func(p P) string { i, _ := id(&p); return string(*i) }
	slices.SortStableFunc(all, func(a, b P) int { return compareIDs(key(a), key(b)) })
	return slices.CompactFunc(all, func(a, b P) bool { return key(a) == key(b) })
}

func spaceID(s *space) (*text, *flag)   { return &s.ID, &s.Archived }
func folderID(f *folder) (*text, *flag) { return &f.ID, &f.Archived }
func listID(l *list) (*text, *flag)     { return &l.ID, &l.Archived }

func (c *connection) spaces(ctx context.Context, withArchived bool) (found[space], error) {
	return places(ctx, c, c.v2("team", c.workspace, "space"), "spaces", spaceID, sweeps(withArchived)...)
}

func (c *connection) folders(ctx context.Context, s space, withArchived bool) (found[folder], error) {
	found, err := places(ctx, c, c.v2("space", string(s.ID), "folder"), "folders", folderID, sweeps(withArchived)...)
	for i, f := range found.all { // folders in a circle would have no top
		if slices.ContainsFunc(f.ancestors(found.all), func(above folder) bool { return above.ID == f.ID }) {
			found.all[i].Parent = ""
		}
	}
	return found, err
}

// looseLists are the lists of a space that are in no folder.
func (c *connection) looseLists(ctx context.Context, s space, withArchived bool) (found[list], error) {
	return places(ctx, c, c.v2("space", string(s.ID), "list"), "lists", listID, sweeps(withArchived)...)
}

// listsOf are the lists of a folder. ClickUp sends them with the folder, though its contract calls them strings there: where they
// are not whole, and where there are none, they are asked for.
func (c *connection) listsOf(ctx context.Context, f folder, withArchived bool) (found[list], error) {
	whole := len(f.Lists) > 0
	for _, item := range f.Lists {
		_, described := as[rawObject](item)["content"]
		whole = whole && described
	}
	path := c.v2("folder", string(f.ID), "list")
	if !whole {
		return places(ctx, c, path, "lists", listID, sweeps(withArchived)...)
	}
	lists := decodePlaces(f.Lists, "lists", listID)
	if withArchived {
		more, err := places(ctx, c, path, "lists", listID, true)
		if err != nil {
			return found[list]{}, err
		}
		lists = lists.and(more, listID)
	}
	return lists, nil
}

// Structure reads all spaces, folders and lists. Where the limit ends it, it goes on from there when it is asked for again.
func (c *connection) Structure(ctx context.Context) (nodes []integration.ExternalNode, err error) {
	c = c.remembering(c.structures, c.account)
	defer func() { c.kept.end(c.reading, err) }()
	t, err := c.team(ctx)
	if err != nil {
		return nil, err
	}
	nodes = []integration.ExternalNode{{ExternalID: c.workspace, Kind: "workspace", Name: string(t.Name), Selectable: true}}
	spaces, err := c.spaces(ctx, true)
	if err != nil {
		return nil, err
	}
	below := map[text][]integration.ExternalNode{}
	for found, err := range each(ctx, spaces.all, c.below) {
		if err != nil {
			return nil, err
		}
		below[found.space] = found.nodes
	}
	for _, s := range spaces.all {
		nodes = append(nodes, integration.ExternalNode{
			ExternalID: string(s.ID), ParentExternalID: &c.workspace, Kind: "space", Name: string(s.Name), Selectable: true, Archived: bool(s.Archived),
		})
		nodes = append(nodes, below[s.ID]...)
	}
	return nodes, nil
}

type spaceNodes struct {
	space text
	nodes []integration.ExternalNode
}

// below lists what is in a space, parents before children. What the token may not see has no entry.
func (c *connection) below(ctx context.Context, s space) (spaceNodes, error) {
	found := spaceNodes{space: s.ID}
	add := func(parent, kind, id, name text, isArchived flag, count number) {
		node := integration.ExternalNode{ExternalID: string(id), Kind: string(kind), Name: string(name), Selectable: true, Archived: bool(isArchived)}
		above := string(parent)
		node.ParentExternalID = &above
		if count.float64 != nil {
			n := int(*count.float64)
			node.ItemCount = &n
		}
		found.nodes = append(found.nodes, node)
	}
	folders, err := c.folders(ctx, s, true)
	if err != nil {
		return found, unlessGone(err)
	}
	lists := func(parent text, all []list) {
		for _, l := range all {
			add(parent, "list", l.ID, l.Name, l.Archived, l.Tasks)
		}
	}
	loose, err := c.looseLists(ctx, s, true)
	if err := unlessGone(err); err != nil {
		return found, err
	}
	for _, f := range parentsFirst(folders.all) {
		add(f.above(s, folders.all), "folder", f.ID, f.Name, f.Archived, number{})
		own, err := c.listsOf(ctx, f, true)
		if err := unlessGone(err); err != nil {
			return found, err
		}
		lists(f.ID, own.all)
	}
	lists(s.ID, loose.all)
	return found, nil
}

// unlessGone is err, unless that says that a place is gone, or not for this token.
func unlessGone(err error) error {
	if missing(err) || refused(err) {
		return nil
	}
	return err
}

// above is the id of the folder that f lies in, or of its space. A folder that ClickUp does not list is none.
func (f folder) above(s space, all []folder) text {
	for _, other := range all {
		if string(other.ID) == string(f.Parent) && other.ID != f.ID {
			return other.ID
		}
	}
	return s.ID
}

// ancestors are the folders that f lies in, innermost first.
func (f folder) ancestors(all []folder) []folder {
	var chain []folder
	for len(chain) < len(all) {
		i := slices.IndexFunc(all, func(other folder) bool { return f.Parent != "" && string(other.ID) == string(f.Parent) })
		if i < 0 {
			break
		}
		f = all[i]
		chain = append(chain, f)
	}
	return chain
}

// parentsFirst orders folders by their depth.
func parentsFirst(all []folder) []folder {
	ordered := slices.Clone(all)
	slices.SortStableFunc(ordered, func(a, b folder) int { return len(a.ancestors(all)) - len(b.ancestors(all)) })
	return ordered
}

// Objects of places. What changes by itself, such as a list's number of tasks, is left out.

func (c *connection) workspaceObject(t team) provider.Object {
	return provider.Object{
		Type: integration.ObjectOrganization, ExternalID: c.workspace, Kind: "workspace", Title: titled(t.Name), URL: appURL + "/" + c.workspace,
		Properties: map[string]any{},
	}
}

func (c *connection) userObject(u user, plan provider.Plan) provider.Object {
	p := properties{}
	p.text("email", u.Email)
	p.text("initials", u.Initials)
	p.text("hostUserId", text(plan.Target(integration.MapUser, string(u.ID))))
	return provider.Object{
		Type: integration.ObjectUser, ExternalID: userID(u.ID), Kind: "user", Title: titled(text(u.name())), Properties: p, Listing: "workspace:" + c.workspace + "/members",
	}
}

func (c *connection) spaceObject(s space, plan provider.Plan) provider.Object {
	o := provider.Object{
		Type: integration.ObjectProject, ExternalID: string(s.ID), Kind: "space", Title: titled(s.Name), URL: fmt.Sprintf("%s/t/%s/v/s/%s", appURL, c.workspace, s.ID),
		Archived: bool(s.Archived), Properties: map[string]any{}, Listing: "workspace:" + c.workspace + "/spaces",
	}
	return belongs(o, c.workspace, plan, integration.MapSpace)
}

func (c *connection) folderObject(f folder, parent, space text, plan provider.Plan) provider.Object {
	o := provider.Object{
		Type: integration.ObjectCollection, ExternalID: string(f.ID), Kind: "folder", Title: titled(f.Name), URL: fmt.Sprintf("%s/t/%s/v/f/%s", appURL, c.workspace, f.ID),
		Archived: bool(f.Archived), Properties: map[string]any{}, Listing: foldersKey(space),
	}
	return belongs(o, string(parent), plan, integration.MapFolder)
}

// listObject is of a list in a folder, or in a space where that is empty.
func (c *connection) listObject(l list, folder, space text, plan provider.Plan) provider.Object {
	parent, key := folder, folderListsKey(folder)
	if folder == "" {
		parent, key = space, spaceListsKey(space)
	}
	p := properties{}
	p.text("dueDate", text(l.Due.String()))
	p.text("startDate", text(l.Start.String()))
	o := provider.Object{
		Type: integration.ObjectCollection, ExternalID: string(l.ID), Kind: "list", Title: titled(l.Name), Content: string(l.Content), Properties: p,
		URL: fmt.Sprintf("%s/t/%s/v/li/%s", appURL, c.workspace, l.ID), Archived: bool(l.Archived), Listing: key,
	}
	return belongs(o, string(parent), plan, integration.MapList)
}

// belongs puts a place under its parent, or under what the place is mapped to, and applies the plan's options.
func belongs(o provider.Object, parent string, plan provider.Plan, kind integration.SyncMappingKind) provider.Object {
	if target := plan.Target(kind, o.ExternalID); target != "" {
		parent = target
	}
	if parent != "" {
		o.ParentID = parent
		o.Relations = []provider.Relation{{Type: integration.RelBelongsTo, To: parent}}
	}
	return within(o, plan)
}

// within leaves out, unless it is stored already, what the plan's options exclude.
func within(o provider.Object, plan provider.Plan) provider.Object {
	o.OnlyKnown = o.Completed && !plan.IncludeCompleted || o.Archived && !plan.IncludeArchived
	return o
}

// Keys of listings.

func foldersKey(space text) string      { return "space:" + string(space) + "/folders" }
func spaceListsKey(space text) string   { return "space:" + string(space) + "/lists" }
func folderListsKey(folder text) string { return "folder:" + string(folder) + "/lists" }
func tasksKey(list string) string       { return "list:" + list + "/tasks" }
