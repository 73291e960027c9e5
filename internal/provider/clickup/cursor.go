package clickup

import (
	"encoding/json"
	"slices"
)

// A run reads in stages: the people of the Workspace, its places, then either every task or the changed ones, then documents.
const (
	stagePeople  = "people"
	stagePlaces  = "places"
	stageTasks   = "tasks"
	stageChanges = "changes"
	stageDocs    = "docs"
	stageEnd     = "end"
)

// cursor is where a run goes on. It names places by their ids and never by their number, so that those that come and go
// meanwhile move nothing: the run goes on at the first place that is not before the one named.
type cursor struct {
	Version int    `json:"v"`
	Stage   string `json:"stage"`
	Total   int    `json:"total,omitempty"` // of the items so far and, after the places, of all that can be told

	// In places and tasks: the branch, which is a space's own lists where Folder is empty.
	Space  string `json:"space,omitempty"`
	Folder string `json:"folder,omitempty"`
	Past   bool   `json:"past,omitempty"` // the branch is done
	List   string `json:"list,omitempty"` // lists before it are done

	// In an answer: the item after which to go on. Where it is gone, all of the answer is given again.
	After string `json:"after,omitempty"`

	Page     int  `json:"page,omitempty"`     // of tasks
	Odd      bool `json:"odd,omitempty"`      // something was not understood, so that the listing cannot be covered
	Archived bool `json:"archived,omitempty"` // the second reading, of what is archived

	Unread []string `json:"unread,omitempty"` // places that could not be read and were told of; see run.unread

	// With a selection.
	Found  []byte   `json:"found,omitempty"`  // a bit for each id of the selection, in their order
	Spaces []string `json:"spaces,omitempty"` // that something selected is in
	Walked bool     `json:"walked,omitempty"` // the places were read
	Lost   int      `json:"lost,omitempty"`   // so many ids of the selection were found, or asked for

	// Of tasks and changes.
	Newer  int64    `json:"newer,omitempty"`  // Unix ms: only what was created, or changed, after it
	Turned bool     `json:"turned,omitempty"` // ClickUp turned out to mean the other order
	Given  []string `json:"given,omitempty"`  // tasks, which the next answer of the list has again

	// Of changes.
	Lists []string `json:"lists,omitempty"` // that are asked for together
	Ended bool     `json:"ended,omitempty"` // there are no lists after these

	Docs string `json:"docs,omitempty"` // ClickUp's own cursor of an answer of documents
}

const cursorVersion = 2

// decodeCursor reads a cursor. What is none, as of another version of this program, begins the run anew: what it reads twice
// is stored once.
func decodeCursor(raw []byte) cursor {
	var at cursor
	stages := []string{stagePeople, stagePlaces, stageTasks, stageChanges, stageDocs, stageEnd}
	if json.Unmarshal(raw, &at) != nil || at.Version != cursorVersion || !slices.Contains(stages, at.Stage) {
		return cursor{Version: cursorVersion, Stage: stagePeople}
	}
	return at
}

// begin is the cursor of a stage.
func (at cursor) begin(stage string) cursor {
	return cursor{Version: cursorVersion, Stage: stage, Total: at.Total, Found: at.Found, Spaces: at.Spaces, Unread: at.Unread}
}

// selection is what a run is limited to.
type selection struct {
	all bool
	ids []string // sorted, each once
}

func (c *connection) selection(ids []string) selection {
	if ids == nil || slices.Contains(ids, c.workspace) {
		return selection{all: true}
	}
	sorted := slices.Clone(ids)
	slices.Sort(sorted)
	return selection{ids: slices.Compact(sorted)}
}

func (s selection) has(id text) bool {
	_, found := slices.BinarySearch(s.ids, string(id))
	return found
}

// note marks an id of the selection as found in bits, which it returns.
func (s selection) note(bits []byte, id text) []byte {
	i, found := slices.BinarySearch(s.ids, string(id))
	if !found {
		return bits
	}
	bits = slices.Clone(bits)
	for len(bits) <= i/8 {
		bits = append(bits, 0)
	}
	bits[i/8] |= 1 << (i % 8)
	return bits
}

// split are the ids that were found, and those that were not.
func (s selection) split(bits []byte) (found, lost []string) {
	for i, id := range s.ids {
		if i/8 < len(bits) && bits[i/8]&(1<<(i%8)) != 0 {
			found = append(found, id)
		} else {
			lost = append(lost, id)
		}
	}
	return found, lost
}
