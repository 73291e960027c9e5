package clickuptest

import "encoding/json"

// A User is a member of every Workspace of a [Server].
type User struct {
	ID       int64
	Username string
	Email    string
	Color    string
	Initials string
}

// A Workspace is what version 2 of the API calls a team.
type Workspace struct {
	ID, Name, Color string
}

// A Space groups folders and lists. Its statuses hold for every task in it.
type Space struct {
	ID, WorkspaceID, Name, Color string
	Private, Archived            bool
	Statuses                     []Status
	Tags                         []string
}

// A Folder groups lists.
type Folder struct {
	ID, WorkspaceID, SpaceID, Name string
	Archived                       bool
}

// A List holds tasks.
type List struct {
	ID, WorkspaceID, SpaceID string
	FolderID                 string // "" where it lies in its space directly
	Name, Content            string
	Archived                 bool
}

// A Status is one of a space's. Its Type is open, custom, done or closed; only closed ones need include_closed.
type Status struct {
	ID, Name, Color, Type string
}

// A Field is a custom field.
type Field struct {
	ID, Name string
	Type     string          // drop_down, labels, number, …
	Config   json.RawMessage // ClickUp's type_config
	Place    string          // id of the list, folder, space or Workspace where it was made
	Created  int64           // Unix ms

	encoded []byte // the field on a task, but for its value and the closing brace
	options []string
}

// A Task is what GET /task/{id} tells, without the names of what it refers to. Times are Unix ms, 0 for none.
type Task struct {
	ID, CustomID        string
	WorkspaceID, ListID string
	AlsoIn              []string // ids of lists that show it besides its home
	Parent, TopParent   string   // ids of tasks, "" for none
	Type                int      // custom_item_id: 0 task, 1 milestone, others from GET /team/{id}/custom_item
	Name, Markdown      string
	Status              Status
	Archived            bool
	Creator             int64
	Assignees           []int64
	Tags                []string
	Priority            int // 1 urgent, 2 high, 3 normal, 4 low, 0 none
	Created, Updated    int64
	Closed, Done        int64
	Due, Start          int64
	Points              int
	Estimate            int64 // ms
	Values              []Value
	Checklists          []Checklist
}

// A Value is that of a custom field, as ClickUp sends it.
type Value struct {
	FieldID string
	JSON    string
}

// A Checklist belongs to a task.
type Checklist struct {
	ID, Name string
	Items    []ChecklistItem
}

// A ChecklistItem is one line of a checklist.
type ChecklistItem struct {
	ID, Name string
	Resolved bool
}

// A Comment is on a task, or is the reply to one that is.
type Comment struct {
	ID, TaskID string
	Parent     string // id of the comment that it replies to, "" for none
	Text       string
	User       int64
	Assignee   int64 // 0 for none
	Date       int64 // Unix ms
	Resolved   bool
	Replies    int
}

// A Doc lies in a space, a folder, a list or the Workspace itself.
type Doc struct {
	ID, WorkspaceID, Name string
	ParentID              string
	ParentType            int // 4 space, 5 folder, 6 list, 12 Workspace
	Creator               int64
	Created, Updated      int64 // Unix ms
	Archived              bool
}

// A Page belongs to a doc. Content is Markdown.
type Page struct {
	ID, DocID, WorkspaceID string
	Parent                 string // id of the page above, "" for none
	Name, Content          string
	Creator                int64
	Created, Updated       int64 // Unix ms
}
