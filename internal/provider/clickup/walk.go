package clickup

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

const stepPlaces = "spaces, folders and lists"

// branch is a place that lists lie in: a space, or a folder of it. It has what the plan selects.
type branch struct {
	space   space
	folder  *folder  // nil for the space's own lists
	above   []folder // that the folder lies in, innermost first
	lists   []list
	whole   bool // all that is in it is selected
	read    bool // and was read
	failed  []integration.SyncFailure
	in      string // the space whose places failed, of a branch that has nothing else
	last    bool   // of the space
	folders bool   // the space's folders are all selected, and were read
}

func (b branch) id() string {
	if b.folder == nil {
		return ""
	}
	return string(b.folder.ID)
}

// selected reports whether the plan wants something of the branch.
func (b branch) selected() bool { return b.whole || len(b.lists) > 0 }

// walk gives the branches of every space, in the order of their ids, from the cursor's on. Where wanted is given, other spaces are
// left out. After an error there is nothing more.
func (r *run) walk(wanted func(space) bool) iter.Seq2[branch, error] {
	return func(yield func(branch, error) bool) {
		if r.spacesRead == nil {
			spaces, err := r.spaces(r.ctx, r.plan.IncludeArchived)
			if err != nil {
				yield(branch{}, err)
				return
			}
			r.spacesRead = append([]space{}, spaces.all...)
			r.at.Odd = r.at.Odd || r.at.Stage == stagePlaces && !spaces.whole
			if len(spaces.bad) > 0 && !yield(branch{failed: spaces.bad}, nil) {
				return
			}
		}
		from := r.at
		for _, s := range r.spacesRead {
			order := compareIDs(string(s.ID), from.Space)
			if order < 0 || wanted != nil && !wanted(s) {
				continue
			}
			start := "" // of the space's branches
			if order == 0 {
				start = from.Folder
			}
			if known, ok := r.branches[string(s.ID)]; ok {
				for _, b := range known {
					if before(b.id(), start, order == 0 && from.Past) {
						continue
					}
					if !yield(b, nil) {
						return
					}
				}
				continue
			}
			if !r.walkSpace(s, start, order == 0 && from.Past, yield) {
				return
			}
		}
	}
}

// before reports whether a branch was done at a cursor.
func before(folder, start string, past bool) bool {
	order := compareIDs(folder, start)
	return order < 0 || order == 0 && past
}

func (r *run) walkSpace(s space, start string, past bool, yield func(branch, error) bool) bool {
	head := branch{space: s, whole: r.wholly(s, nil)}
	read, err := r.folders(r.ctx, s, r.plan.IncludeArchived)
	folders, bad := read.all, read.bad
	reason, fatal := r.without(err)
	if fatal != nil {
		yield(branch{}, fatal)
		return false
	}
	if !r.chosen.all {
		for _, f := range folders {
			r.above.note(inFolder, f.ID, parentPlace{folder: text(f.Parent), space: s.ID})
		}
	}
	if reason != "" {
		bad = append(bad, unlisted(integration.ObjectProject, string(s.ID), reason, err))
	}
	head.failed, head.folders = bad, read.whole && head.whole
	var known []branch
	give := func(b branch) bool {
		known = append(known, b.small())
		return yield(b, nil)
	}
	head.last = len(folders) == 0
	if before("", start, past) {
		if len(bad) > 0 && !yield(branch{failed: bad, in: string(s.ID)}, nil) {
			return false
		}
	} else {
		lists, err := r.looseLists(r.ctx, s, r.plan.IncludeArchived)
		if err != nil {
			reason, fatal := r.without(err)
			if fatal != nil {
				yield(branch{}, fatal)
				return false
			}
			lists.bad = []integration.SyncFailure{unlisted(integration.ObjectProject, string(s.ID), reason, err)}
		}
		head.read = lists.whole
		head.failed = append(head.failed, lists.bad...)
		head.lists = r.choose(lists.all, parentPlace{space: s.ID}, head.whole)
		if !give(head) {
			return false
		}
	}
	for i, f := range folders {
		if before(string(f.ID), start, past) {
			continue
		}
		b := branch{space: s, folder: &f, above: f.ancestors(folders), last: i == len(folders)-1, folders: head.folders}
		b.whole = r.wholly(s, append([]folder{f}, b.above...))
		lists, err := r.listsOf(r.ctx, f, r.plan.IncludeArchived)
		if err != nil {
			reason, fatal := r.without(err)
			if fatal != nil {
				yield(branch{}, fatal)
				return false
			}
			lists.bad = []integration.SyncFailure{unlisted(integration.ObjectCollection, string(f.ID), reason, err)}
		}
		b.read, b.failed, b.lists = lists.whole, lists.bad, r.choose(lists.all, parentPlace{folder: f.ID, space: s.ID}, b.whole)
		if !give(b) {
			return false
		}
	}
	if start == "" && !past {
		r.branches[string(s.ID)] = known
	}
	return true
}

// wholly reports whether all that is in a folder is selected, by the first of chain or what it lies in.
func (r *run) wholly(s space, chain []folder) bool {
	return r.chosen.all || r.chosen.has(s.ID) || slices.ContainsFunc(chain, func(f folder) bool { return r.chosen.has(f.ID) })
}

// small is the branch as it is remembered.
func (b branch) small() branch {
	lists := make([]list, len(b.lists))
	for i, l := range b.lists {
		lists[i] = list{ID: l.ID, Name: l.Name}
	}
	b.lists, b.failed = lists, nil
	if b.folder != nil {
		b.folder = &folder{ID: b.folder.ID, Name: b.folder.Name}
	}
	return b
}

// choose keeps the lists of a place that are selected.
func (r *run) choose(lists []list, in parentPlace, whole bool) []list {
	if !r.chosen.all {
		for _, l := range lists {
			r.above.note(inList, l.ID, in)
		}
	}
	if whole {
		return lists
	}
	return slices.DeleteFunc(lists, func(l list) bool { return !r.chosen.has(l.ID) })
}

// without is the reason to leave a place or document out that could not be read; other errors end the run, and so does that of a Workspace
// which is not reached any more.
func (r *run) without(err error) (reason string, fatal error) {
	switch {
	case err == nil:
		return "", nil
	case odd(err):
		return err.Error(), nil
	case missing(err):
		return "it was deleted while it was read, or the token may not see it any more", nil
	case refused(err):
		if fatal := r.reachable(r.ctx); fatal != nil {
			return "", fatal
		}
		return "the token's owner may not see it: ask for access in ClickUp, or leave it out of the selection", nil
	}
	return "", err
}

// places reads spaces, folders and lists, and finds those of the selection.
func (r *run) places() bool {
	if !r.at.Walked {
		for b, err := range r.walk(nil) {
			if err != nil {
				return r.fail(err)
			}
			if !r.unread(b) || b.space.ID != "" && !r.branch(b) {
				return false
			}
		}
		r.at.Walked, r.at.After = true, "" // of a branch
	}
	if !r.lost() {
		return false
	}
	var covered []string
	if r.chosen.all && !r.at.Odd {
		covered = []string{"workspace:" + r.workspace + "/spaces"}
	}
	next := r.at.begin(stageTasks)
	if !r.full() {
		next.Stage, next.Newer = stageChanges, r.plan.Since.UnixMilli()-1 // the filter is strict
	}
	return r.page(provider.Page{Step: stepPlaces, Covered: covered}, nil, next)
}

// branch gives the objects of a branch, those above it included where only a part of them is selected.
func (r *run) branch(b branch) bool {
	next := r.at
	next.Space, next.Folder, next.Past, next.After = string(b.space.ID), b.id(), true, ""
	here := next
	here.Past = false
	if r.at.Space != here.Space || r.at.Folder != here.Folder || r.at.Past {
		r.at.After = ""
	}
	here.After = r.at.After
	r.at = here

	var items []item
	total := 0
	add := func(o item) { items = append(items, o); total++ }
	first := b.folder == nil
	if !r.chosen.all {
		next.Found = r.chosen.note(next.Found, b.space.ID)
		if b.folder != nil {
			next.Found = r.chosen.note(next.Found, b.folder.ID)
		}
		for _, l := range b.lists {
			next.Found = r.chosen.note(next.Found, l.ID)
		}
		first = b.selected() && !slices.Contains(r.at.Spaces, here.Space)
		if first {
			next.Spaces = append(slices.Clone(next.Spaces), here.Space)
		}
	}
	if first {
		add(object(r.spaceObject(b.space, r.plan)))
	}
	if b.folder != nil && b.selected() {
		for i, f := range slices.Backward(b.above) {
			if !r.wholly(b.space, b.above[i:]) { // else it has a branch of its own
				add(object(r.folderObject(f, parentFolder(b, i+1), b.space.ID, r.plan)))
			}
		}
		add(object(r.folderObject(*b.folder, parentFolder(b, 0), b.space.ID, r.plan)))
	}
	for _, l := range b.lists {
		add(object(r.listObject(l, text(b.id()), b.space.ID, r.plan)))
		if l.Tasks.float64 != nil && *l.Tasks.float64 > 0 {
			total += int(*l.Tasks.float64)
		}
	}
	next.Total += total

	var covered []string
	if b.whole && b.read {
		if b.folder == nil {
			covered = append(covered, spaceListsKey(b.space.ID))
		} else {
			covered = append(covered, folderListsKey(b.folder.ID))
		}
	}
	if b.last && b.folders {
		covered = append(covered, foldersKey(b.space.ID))
	}
	return r.give(fmt.Sprintf("%s of %q", stepPlaces, b.space.Name), items, covered, next)
}

// mostUnread bounds the places that a cursor names. Others are told of again whenever the run comes by.
const mostUnread = 50

// unread tells of the places that could not be read: once, though a run walks through them in each stage, and in each part of one. It is
// false where the reading ends.
func (r *run) unread(b branch) bool {
	var news []integration.SyncFailure
	next := r.at
	for _, f := range b.failed {
		key := cmp.Or(f.ExternalID, fmt.Sprintf("in %s%s/%s", b.in, b.space.ID, b.id()))
		if f.Broken { // which is told even if the place was only refused before
			key += "!"
		}
		if slices.Contains(r.at.Unread, key) {
			continue
		}
		news = append(news, f)
		if len(next.Unread) < mostUnread {
			next.Unread = append(slices.Clip(next.Unread), key)
		}
	}
	return len(news) == 0 || r.page(provider.Page{Step: stepPlaces}, failures(news), next)
}

// parentFolder is the id of what the i-th folder of a branch lies in: 0 is the branch's own, 1 the one above it.
func parentFolder(b branch, i int) text {
	if i < len(b.above) {
		return b.above[i].ID
	}
	return b.space.ID
}
