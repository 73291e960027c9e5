package clickup

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// task is what ClickUp tells of one, in a listing or alone.
type task struct {
	ID          text              `json:"id"`
	CustomID    text              `json:"custom_id"`
	Name        text              `json:"name"`
	Markdown    text              `json:"markdown_description"`
	Description text              `json:"description"`
	Status      status            `json:"status"`
	Priority    priority          `json:"priority"`
	Creator     user              `json:"creator"`
	Assignees   listOf[user]      `json:"assignees"`
	Tags        listOf[tag]       `json:"tags"`
	Checklists  listOf[checklist] `json:"checklists"`
	Fields      listOf[field]     `json:"custom_fields"`
	Parent      id                `json:"parent"`
	Points      number            `json:"points"`
	Estimate    number            `json:"time_estimate"` // ms
	Created     moment            `json:"date_created"`
	Updated     moment            `json:"date_updated"`
	Closed      moment            `json:"date_closed"`
	Done        moment            `json:"date_done"`
	Due         moment            `json:"due_date"`
	Start       moment            `json:"start_date"`
	Archived    flag              `json:"archived"`
	List        id                `json:"list"` // its home
	Locations   listOf[id]        `json:"locations"`
	Folder      id                `json:"folder"`
	Space       id                `json:"space"`
	Team        id                `json:"team_id"` // the Workspace
}

// status has a name and a type: open, custom, done or closed. Only tasks of a closed one are left out by ClickUp unless
// include_closed is given, so only they are completed here.
type status struct {
	Name text `json:"status"`
	Type text `json:"type"`
}

// tag reads an object with a name, or the name alone.
type tag string

func (t *tag) read(r *reader) {
	var object struct {
		Name text `json:"name"`
	}
	r.either(&object, &object.Name)
	*t = tag(object.Name)
}

type checklist struct {
	Name  text               `json:"name"`
	Items listOf[checkpoint] `json:"items"`
}

type checkpoint struct {
	Name     text               `json:"name"`
	Resolved flag               `json:"resolved"`
	Children listOf[checkpoint] `json:"children"`
}

// priority is an object with a name, or its number from 1 on.
type priority text

var priorities = map[text]text{"1": "urgent", "2": "high", "3": "normal", "4": "low"}

func (p *priority) read(r *reader) {
	var object struct {
		Name text `json:"priority"`
		ID   text `json:"id"`
	}
	r.either(&object, &object.ID)
	*p = priority(cmp.Or(object.Name, priorities[object.ID], object.ID))
}

// decodeTask reads a task; reason says why it cannot be.
func decodeTask(raw json.RawMessage) (t task, reason string) {
	switch {
	case !decode(raw, &t):
		return t, "ClickUp's answer holds something that is no task"
	case t.ID == "":
		return t, "ClickUp's answer holds a task without an id"
	case len(t.ID) > integration.MaxExternalID:
		return t, "the task's id is too long to be stored"
	}
	return t, ""
}

// taskObject is a task as it is stored. Its listing is that of its home list.
func (c *connection) taskObject(t task, plan provider.Plan) provider.Object {
	o := provider.Object{
		Type: integration.ObjectTask, ExternalID: string(t.ID), Kind: "task", Title: titled(t.Name), Content: t.content(), Properties: c.taskProperties(t, plan),
		URL: appURL + "/t/" + string(t.ID), ParentID: cmp.Or(string(t.Parent), string(t.List)), UpdatedAt: t.Updated.Time,
		Completed: strings.EqualFold(string(t.Status.Type), "closed"), Archived: bool(t.Archived), Listing: tasksKey(string(t.List)), HasDetails: c.comments,
	}
	for _, l := range t.lists() {
		o.Relations = append(o.Relations, provider.Relation{Type: integration.RelBelongsTo, To: l})
	}
	if t.Parent != "" {
		o.Relations = append(o.Relations, provider.Relation{Type: integration.RelParentOf, From: string(t.Parent)})
	}
	var assigned []string
	for _, u := range t.Assignees {
		if u.ID != "" && !slices.Contains(assigned, string(u.ID)) {
			assigned = append(assigned, string(u.ID))
			o.Relations = append(o.Relations, provider.Relation{Type: integration.RelAssignedTo, To: userID(u.ID)})
		}
	}
	return within(o, plan)
}

// lists are the ids of the lists that show the task, its home first.
func (t task) lists() []string {
	var all []string
	add := func(l id) {
		if l != "" && !slices.Contains(all, string(l)) {
			all = append(all, string(l))
		}
	}
	add(t.List)
	for _, l := range t.Locations {
		add(l)
	}
	return all
}

func (c *connection) taskProperties(t task, plan provider.Plan) properties {
	p := properties{}
	p.text("status", t.Status.Name)
	p.text("statusType", t.Status.Type)
	p.text("priority", text(t.Priority))
	p.text("customId", t.CustomID)
	p.text("creator", text(t.Creator.name()))
	p.list("assignees", names(t.Assignees))
	p.text("createdAt", text(t.Created.String()))
	p.text("closedAt", text(t.Closed.String()))
	p.text("doneAt", text(t.Done.String()))
	p.text("dueDate", text(t.Due.String()))
	p.text("startDate", text(t.Start.String()))
	p.number("timeEstimate", t.Estimate)
	p.number("points", t.Points)
	var tags []any
	for _, tag := range t.Tags {
		if tag != "" {
			tags = append(tags, string(tag))
		}
	}
	p.list("tags", tags)
	if c.fields {
		if fields := customFields(t.Fields, plan); len(fields) > 0 {
			p["customFields"] = map[string]any(fields)
		}
	}
	return p
}

// content is the description, and the checklists below it as Markdown's task lists: they are what people search for.
func (t task) content() string {
	description := string(cmp.Or(t.Markdown, t.Description))
	var b strings.Builder
	for _, list := range t.Checklists {
		if list.Name == "" && len(list.Items) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("## " + oneLine(titled(list.Name)) + "\n")
		if len(list.Items) > 0 {
			b.WriteByte('\n')
		}
		writeItems(&b, list.Items, "")
	}
	switch {
	case b.Len() == 0:
		return description
	case strings.TrimSpace(description) == "":
		return b.String()
	}
	return strings.TrimRight(description, " \n") + "\n\n" + b.String()
}

func writeItems(b *strings.Builder, items []checkpoint, indent string) {
	for _, item := range items {
		mark := "[ ]"
		if item.Resolved {
			mark = "[x]"
		}
		b.WriteString(indent + "- " + mark + " " + oneLine(titled(item.Name)) + "\n")
		writeItems(b, item.Children, indent+"  ")
	}
}

// oneLine keeps text from ending the line of Markdown that it is in.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
