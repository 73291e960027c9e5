package clickup

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// run is one reading of a plan, from a cursor to its end.
type run struct {
	*connection
	ctx    context.Context
	plan   provider.Plan
	chosen selection
	at     cursor
	yield  func(*provider.Page, error) bool

	relists bool // a list is read for what the plan leaves out of it

	spacesRead []space             // nil until they were
	branches   map[string][]branch // of the spaces that this run read from their start, with ids and names alone
}

// Import reads what the plan asks for.
func (c *connection) Import(ctx context.Context, plan provider.Plan, from []byte) iter.Seq2[*provider.Page, error] {
	return func(yield func(*provider.Page, error) bool) {
		r := c.run(ctx, plan)
		r.at, r.yield = decodeCursor(from), yield
		stages := map[string]func() bool{
			stagePeople: r.people, stagePlaces: r.places, stageTasks: r.tasks, stageChanges: r.changes, stageDocs: r.documents,
		}
		for r.at.Stage != stageEnd && stages[r.at.Stage]() {
		}
	}
}

func (c *connection) run(ctx context.Context, plan provider.Plan) *run {
	if plan.BatchSize <= 0 {
		plan.BatchSize = c.options.BatchSize
	}
	return &run{connection: c, ctx: ctx, plan: plan, chosen: c.selection(plan.Selection), branches: map[string][]branch{}}
}

func (r *run) full() bool { return r.plan.Since == nil }

// fail ends the reading with an error.
func (r *run) fail(err error) bool {
	r.yield(nil, err)
	return false
}

// item is a part of an answer: an object, or why there is none.
type item struct {
	key    string
	object *provider.Object
	failed *integration.SyncFailure
}

func object(o provider.Object) item { return item{key: o.ExternalID, object: &o} }

func failures(bad []integration.SyncFailure) []item {
	var all []item
	for i := range bad {
		all = append(all, item{key: "failed:" + bad[i].ExternalID, failed: &bad[i]})
	}
	return all
}

// give hands over the items of an answer, in pages of the plan's size, from the cursor's item on. What is covered is in the
// last page, whose cursor is next. It is false where the reading ends.
func (r *run) give(step string, items []item, covered []string, next cursor) bool {
	return r.giveOf(provider.Page{Step: step, Covered: covered}, items, next)
}

func (r *run) giveOf(last provider.Page, items []item, next cursor) bool {
	if r.at.After != "" {
		items = items[1+slices.IndexFunc(items, func(i item) bool { return i.key == r.at.After }):]
	}
	for len(items) > r.plan.BatchSize {
		part := items[:r.plan.BatchSize]
		items = items[r.plan.BatchSize:]
		middle := r.at
		middle.After = part[len(part)-1].key
		if !r.page(provider.Page{Step: last.Step, Workspace: last.Workspace}, part, middle) {
			return false
		}
		last.Workspace = nil
	}
	return r.page(last, items, next)
}

// page hands over one page.
func (r *run) page(p provider.Page, items []item, next cursor) bool {
	for _, i := range items {
		if i.object != nil {
			p.Objects = append(p.Objects, *i.object)
		} else {
			p.Failed = append(p.Failed, *i.failed)
		}
	}
	if !r.full() {
		p.Covered = nil // what did not change is not read
	} else if next.Stage != stagePeople && next.Stage != stagePlaces {
		total := next.Total
		p.Total = &total
	}
	raw, err := json.Marshal(next)
	if err != nil {
		return r.fail(fmt.Errorf("make the cursor: %w", err)) // cannot happen: it is texts and numbers
	}
	p.Cursor = raw
	r.at = next
	return r.yield(&p, nil)
}

// people reads the Workspace and its members.
func (r *run) people() bool {
	t, err := r.team(r.ctx)
	if err != nil {
		return r.fail(err)
	}
	items := []item{object(r.workspaceObject(t))}
	users, whole := members(t)
	for _, u := range users {
		items = append(items, object(r.userObject(u, r.plan)))
	}
	next := r.at.begin(stagePlaces)
	next.Total += len(items)
	account := t.account()
	last := provider.Page{Step: "people of the Workspace", Workspace: &account}
	if whole {
		last.Covered = []string{"workspace:" + r.workspace + "/members"}
	}
	return r.giveOf(last, items, next)
}

// members are the people of a Workspace, in the order of their ids, and whether they are known to be all.
func members(t team) (all []user, whole bool) {
	whole = t.Members != nil
	for _, raw := range t.Members {
		var m struct {
			User user `json:"user"`
		}
		if decode(raw, &m) && m.User.ID != "" {
			all = append(all, m.User)
		} else {
			whole = false
		}
	}
	slices.SortStableFunc(all, func(a, b user) int { return compareIDs(string(a.ID), string(b.ID)) })
	return slices.CompactFunc(all, func(a, b user) bool { return a.ID == b.ID }), whole
}
