package clickuptest

import "time"

// Options say how much a [Server] holds and how it behaves. Zero means none, save where a default is named.
type Options struct {
	Seed uint64

	Workspaces      int // at least 1
	Members         int // of every Workspace; at least 1
	Spaces          int // in each Workspace
	Folders         int // in each space
	Lists           int // in each folder
	FolderlessLists int // in each space
	TasksPerList    int
	CommentsPerTask int // on average; a task has up to twice as many
	Docs            int // in each Workspace
	PagesPerDoc     int // every third lies under the one before

	Plain         bool // every task is open, is in one list, and has no parent; nothing is archived
	OldestFirst   bool // see the package's description
	QuietComments bool // likewise

	RateLimit int           // requests a window and token; 0 is no limit
	Window    time.Duration // 0 is a minute

	Now func() time.Time // nil is time.Now
}

// Small is a Workspace with some of everything.
func Small(seed uint64) Options {
	return Options{
		Seed: seed, Members: 6, Spaces: 2, Folders: 2, Lists: 2, FolderlessLists: 1, TasksPerList: 25, CommentsPerTask: 2, Docs: 4, PagesPerDoc: 5,
	}
}

// Sized is a Workspace with about so many tasks, exactly as many where they divide into lists of a thousand.
// Ten lists are in a folder.
func Sized(seed uint64, tasks, commentsPerTask int) Options {
	o := Options{Seed: seed, Members: 16, Spaces: 1, Folders: 1, CommentsPerTask: commentsPerTask}
	o.Lists = max(1, (tasks+999)/1000)
	if o.Lists > 10 {
		o.Folders, o.Lists = (o.Lists+9)/10, 10
	}
	o.TasksPerList = tasks / (o.Folders * o.Lists)
	return o
}
