package clickup

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// tasksPage is how many tasks an answer has unless it is the last one.
const tasksPage = 100

// mostGiven bounds the tasks of one moment that a cursor names. Others may be given twice, and are stored once.
const mostGiven = 20

// listsTogether is how many lists are asked for at once, which keeps the URL below 2,000 characters.
const listsTogether = 50

const stepChanges = "changed tasks"

// inSpaces is whether a space has something that is selected, once the places were read.
func (r *run) inSpaces() func(space) bool {
	if r.chosen.all {
		return nil
	}
	return func(s space) bool { return slices.Contains(r.at.Spaces, string(s.ID)) }
}

// tasks reads every selected list to its end.
func (r *run) tasks() bool {
	for b, err := range r.walk(r.inSpaces()) {
		if err != nil {
			return r.fail(err)
		}
		if !r.unread(b) || b.space.ID != "" && !r.tasksOf(b) {
			return false
		}
	}
	return r.page(provider.Page{Step: stepDocs}, nil, r.at.begin(stageDocs))
}

// enter puts the cursor into a branch, where it is not there yet.
func (r *run) enter(b branch) {
	if r.at.Space != string(b.space.ID) || r.at.Folder != b.id() || r.at.Past {
		r.at.Space, r.at.Folder, r.at.Past = string(b.space.ID), b.id(), false
		r.at = r.at.list("")
	}
}

// list is the cursor at the beginning of a list.
func (at cursor) list(id string) cursor {
	at.List, at.After, at.Page, at.Archived, at.Odd, at.Newer, at.Given = id, "", 0, false, false, 0, nil
	return at
}

// past is the cursor after a branch.
func (at cursor) past() cursor {
	at = at.list("")
	at.Past = true
	return at
}

func (r *run) tasksOf(b branch) bool {
	r.enter(b)
	for i, l := range b.lists {
		if order := compareIDs(string(l.ID), r.at.List); order < 0 {
			continue
		} else if order > 0 {
			r.at = r.at.list(string(l.ID))
		}
		if !r.list(l, func(at cursor) cursor {
			if i+1 < len(b.lists) {
				return at.list(string(b.lists[i+1].ID))
			}
			return at.past()
		}) {
			return false
		}
	}
	if r.at.Past {
		return true
	}
	return r.page(provider.Page{Step: fmt.Sprintf("tasks of %q", b.space.Name)}, nil, r.at.past()) // no list was left
}

// Relist reads a list again with its closed and archived tasks.
func (c *connection) Relist(ctx context.Context, plan provider.Plan, listing string, from []byte) iter.Seq2[*provider.Page, error] {
	return func(yield func(*provider.Page, error) bool) {
		id, isList := strings.CutPrefix(listing, "list:")
		id, ofTasks := strings.CutSuffix(id, "/tasks")
		if !isList || !ofTasks || plan.IncludeCompleted && plan.IncludeArchived {
			return
		}
		r := c.run(ctx, plan)
		r.relists, r.yield = true, yield
		if r.at = decodeCursor(from); r.at.List != id && r.at.Stage != stageEnd {
			r.at = cursor{Version: cursorVersion, Stage: stageTasks}.list(id)
			r.at.Archived = true
		}
		if r.at.Stage == stageTasks {
			r.list(list{ID: text(id)}, func(at cursor) cursor { return at.begin(stageEnd) })
		}
	}
}

// twice reports whether a list is still to be read once more: for what is archived, or, where it is read again, for what is not, as less is
// archived than not and may be all that was missing.
func (r *run) twice() bool {
	if r.relists {
		return r.at.Archived && !r.plan.IncludeCompleted
	}
	return r.plan.IncludeArchived && !r.at.Archived
}

// list reads a list from the cursor's page on, what is archived last.
//
// The oldest come first, and each answer is asked for as in changed: by the time at which the last task before was created. Where tasks
// are deleted or closed meanwhile, page numbers would miss those that move to the page before.
func (r *run) list(l list, after func(cursor) cursor) bool {
	step := fmt.Sprintf("tasks of list %q", l.Name)
	for {
		query := archived(r.at.Archived)
		query.Set("page", strconv.Itoa(r.at.Page))
		query.Set("order_by", "created")
		query.Set("reverse", strconv.FormatBool(!r.at.Turned))
		if r.at.Newer > 0 {
			query.Set("date_created_gt", strconv.FormatInt(r.at.Newer, 10))
		}
		query.Set("subtasks", "true")
		query.Set("include_timl", "true")
		query.Set("include_closed", strconv.FormatBool(r.plan.IncludeCompleted || r.relists))
		query.Set("include_markdown_description", "true")
		found, err := r.readTasks(r.v2("list", string(l.ID), "task"), query)
		if err != nil {
			reason, fatal := r.without(err)
			if fatal != nil {
				return r.fail(fatal)
			}
			var bad []integration.SyncFailure
			if !missing(err) { // what is deleted is no failure
				bad = append(bad, unlisted(integration.ObjectCollection, string(l.ID), "the list's tasks could not be read: "+reason, err))
			}
			return r.page(provider.Page{Step: step}, failures(bad), after(r.at))
		}
		order, first, last := found.order(created)
		if order < 0 && !found.last && !r.at.Turned {
			r.at.Turned, r.at.Page, r.at.After = true, 0, ""
			continue
		}
		items, err := found.items(func(t task) (*provider.Object, error) {
			if slices.Contains(r.at.Given, string(t.ID)) {
				return nil, nil
			}
			if t.List == "" {
				t.List = id(l.ID)
			}
			o := r.taskObject(t, r.plan)
			key, err := r.taskListing(r.ctx, t)
			o.Listing = cmp.Or(key, tasksKey(string(l.ID)))
			return &o, err
		})
		if err != nil {
			return r.fail(err)
		}
		r.at.Odd = r.at.Odd || !found.whole
		next, done, covered := r.at, false, []string(nil)
		next.Page, next.After, next.Given = r.at.Page+1, "", nil
		if order > 0 && last > first && last-1 > r.at.Newer {
			next.Page, next.Newer, next.Given = 0, last-1, found.at(last)
		}
		switch {
		case !found.last:
		case r.twice():
			next = r.at.list(string(l.ID))
			next.Archived, next.Odd = !r.at.Archived, r.at.Odd
		default:
			next, done = after(r.at), true
			if !r.at.Odd {
				covered = []string{tasksKey(string(l.ID))}
			}
		}
		if !r.give(step, items, covered, next) {
			return false
		}
		if done {
			return true
		}
	}
}

// taskListing is the listing of the task's home list where that is selected; otherwise, of those that show it and are selected, the
// one with the smallest id, so that it is the same whichever was read last. It is empty where none is.
func (r *run) taskListing(ctx context.Context, t task) (string, error) {
	if r.chosen.all || r.chosen.has(text(t.List)) || r.chosen.has(text(t.Folder)) || r.chosen.has(text(t.Space)) {
		return tasksKey(string(t.List)), nil
	}
	lists := t.lists()
	if len(lists) > 1 {
		slices.SortFunc(lists[1:], compareIDs)
	}
	for _, l := range lists { // the home may lie deeper in a selected folder
		place, err := r.selected(ctx, inList, text(l))
		if err != nil {
			return "", err
		}
		if place != "" {
			return tasksKey(l), nil
		}
	}
	return "", nil
}

// taskAnswer is a page of tasks.
type taskAnswer struct {
	tasks []readTask
	last  bool // there are none after these
	whole bool // and none among them without an id
}

type readTask struct {
	task
	reason string // why it cannot be imported
}

func (r *run) readTasks(path string, query url.Values) (taskAnswer, error) {
	answer, err := r.get(r.ctx, path, query)
	if err != nil {
		return taskAnswer{}, err
	}
	// Lists say which page is the last one, the Workspace does not.
	var fields struct {
		Tasks requiredList `json:"tasks"`
		Last  text         `json:"last_page"`
	}
	decode(answer, &fields)
	raw := fields.Tasks.items
	if !fields.Tasks.ok {
		return taskAnswer{}, unexpected("list of tasks")
	}
	last := len(raw) < tasksPage
	if told, err := strconv.ParseBool(string(fields.Last)); err == nil {
		last = told || len(raw) == 0
	}
	found := taskAnswer{last: last, whole: raw != nil, tasks: make([]readTask, len(raw))}
	for i, one := range raw {
		t := &found.tasks[i]
		t.task, t.reason = decodeTask(one)
		found.whole = found.whole && t.ID != ""
	}
	return found, nil
}

// items maps the tasks of an answer; those that are mapped to nil are left out.
func (a taskAnswer) items(object func(task) (*provider.Object, error)) (items []item, err error) {
	for _, t := range a.tasks {
		if t.reason != "" {
			f := failure(integration.ObjectTask, string(t.ID), t.reason)
			items = append(items, item{key: "failed:" + string(t.ID), failed: &f})
			continue
		}
		o, err := object(t.task)
		switch {
		case odd(err):
			f := failure(integration.ObjectTask, string(t.ID), "a list that shows the task could not be read: "+err.Error())
			items = append(items, item{key: "failed:" + string(t.ID), failed: &f})
		case err != nil:
			return nil, err
		case o != nil:
			items = append(items, item{key: string(t.ID), object: o})
		}
	}
	return items, nil
}

// at are the ids of the answer's tasks that were created at a time in Unix ms, a few at most.
func (a taskAnswer) at(time int64) []string {
	var ids []string
	for _, t := range a.tasks {
		if t.reason == "" && t.Created.unix() == time && len(ids) < mostGiven {
			ids = append(ids, string(t.ID))
		}
	}
	return ids
}

// created and updated are times that answers are ordered by.
func created(t task) moment { return t.Created }
func updated(t task) moment { return t.Updated }

// order is how the times of an answer's tasks, in Unix ms, follow each other: 1 if none is before the one in front of it, -1
// if none is after it, and 0 if neither or if one is not told. All may have one time: then it is 1, and first is last.
func (a taskAnswer) order(by func(task) moment) (order int, first, last int64) {
	up, down := true, true
	for i, t := range a.tasks {
		at := by(t.task).unix()
		if at == 0 {
			return 0, 0, 0
		}
		if i == 0 {
			first, last = at, at
		}
		up, down, last = up && at >= last, down && at <= last, at
	}
	switch {
	case up:
		return 1, first, last
	case down:
		return -1, first, last
	}
	return 0, first, last
}

// changes reads the tasks that changed, of the Workspace or of the selected lists.
func (r *run) changes() bool {
	if r.chosen.all {
		return r.changed()
	}
	for {
		if len(r.at.Lists) == 0 && !r.gather() {
			return false
		}
		if len(r.at.Lists) == 0 {
			return r.page(provider.Page{Step: stepDocs}, nil, r.at.begin(stageDocs))
		}
		if !r.changed() {
			return false
		}
	}
}

// gather puts the next selected lists into the cursor; none where there are no more. Each step is handed over, and what was gathered
// before an error is read first, so that no run is too large for the token's limit.
func (r *run) gather() bool {
	if r.at.Ended {
		return true
	}
	at := r.at
	for b, err := range r.walk(r.inSpaces()) {
		if err != nil && len(at.Lists) > 0 {
			return r.page(provider.Page{Step: stepChanges}, nil, at)
		}
		if err != nil {
			return r.fail(err)
		}
		if !r.unread(b) {
			return false
		}
		at.Unread = r.at.Unread
		if b.space.ID == "" {
			continue
		}
		if at.Space != string(b.space.ID) || at.Folder != b.id() || at.Past {
			at.Space, at.Folder, at.Past, at.List = string(b.space.ID), b.id(), false, ""
		}
		for _, l := range b.lists {
			if compareIDs(string(l.ID), at.List) < 0 {
				continue
			}
			if at.List = string(l.ID); len(at.Lists) == listsTogether {
				return r.page(provider.Page{Step: stepChanges}, nil, at)
			}
			at.Lists = append(slices.Clip(at.Lists), string(l.ID))
		}
		at.Past, at.List = true, ""
		if len(at.Lists) == 0 && !r.page(provider.Page{Step: stepChanges}, nil, at) {
			return false
		}
	}
	at.Ended = true
	return r.page(provider.Page{Step: stepChanges}, nil, at)
}

// changed reads the changed tasks of the cursor's lists, or of the whole Workspace.
//
// The least recently changed come first; as ClickUp does not say which way reverse turns them, the first answer decides. A task that
// changes meanwhile moves to the end, and those behind it to the front, so that page numbers would miss one of them. So each answer
// is asked for by the time of the last task before, and by its number only while all tasks have one time.
func (r *run) changed() bool {
	since := r.plan.Since.UnixMilli() - 1
	if r.at.Newer < since {
		r.at.Newer = since
	}
	for {
		query := url.Values{
			"page": {strconv.Itoa(r.at.Page)}, "order_by": {"updated"}, "reverse": {strconv.FormatBool(!r.at.Turned)}, "subtasks": {"true"}, "include_closed": {"true"},
			"include_markdown_description": {"true"}, "date_updated_gt": {strconv.FormatInt(r.at.Newer, 10)},
		}
		if len(r.at.Lists) > 0 {
			query["list_ids[]"] = r.at.Lists
		}
		after := r.at
		if r.chosen.all {
			after = r.at.begin(stageDocs)
		} else {
			after.Page, after.Newer, after.After, after.Lists = 0, since, "", nil
		}
		found, err := r.readTasks(r.v2("team", r.workspace, "task"), query)
		if odd(err) { // the others are read, and what is behind it by the next run, which begins where this one did
			bad := unlisted(integration.ObjectOrganization, r.workspace, "changed tasks could not be read: "+err.Error(), err)
			return r.page(provider.Page{Step: stepChanges}, failures([]integration.SyncFailure{bad}), after)
		}
		if err != nil {
			return r.fail(err)
		}
		order, first, last := found.order(updated)
		if order < 0 && !found.last && !r.at.Turned {
			r.at.Turned, r.at.Page, r.at.After = true, 0, ""
			continue
		}
		items, err := found.items(r.changedTask)
		if err != nil {
			return r.fail(err)
		}
		next := r.at
		next.Page, next.After = r.at.Page+1, ""
		if order > 0 && last > first && last-1 > r.at.Newer {
			next.Page, next.Newer = 0, last-1
		}
		if found.last {
			next = after
		}
		if !r.give(stepChanges, items, nil, next) {
			return false
		}
		if found.last {
			return true
		}
	}
}

// changedTask is nil for a task of a list that was not asked for.
func (r *run) changedTask(t task) (*provider.Object, error) {
	o := r.taskObject(t, r.plan)
	if r.chosen.all {
		return &o, nil
	}
	asked := slices.DeleteFunc(t.lists(), func(l string) bool { return !slices.Contains(r.at.Lists, l) })
	if len(asked) == 0 {
		return nil, nil
	}
	key, err := r.taskListing(r.ctx, t)
	o.Listing = cmp.Or(key, tasksKey(asked[0]))
	return &o, err
}
