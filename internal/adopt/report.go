package adopt

import (
	"fmt"
	"io"

	"github.com/google/uuid"

	"patchbay/internal/store"
)

// Report tells what an adoption did, or would do.
type Report struct {
	DryRun                   bool
	Integrations, SyncStates Count
	Projects                 int      // made
	Lines                    []string // one for each row that was left, and for each thing that was altered
	Reminders                []string // what is left to do by hand
}

// Count says what became of the rows of a table.
type Count struct {
	Adopted int
	Present int // adopted before
	Left    int
}

// Left is how many rows did not come along.
func (r *Report) Left() int { return r.Integrations.Left + r.SyncStates.Left }

func (r *Report) line(what, kind string, id uuid.UUID, name, reason string) {
	if name != "" {
		name = fmt.Sprintf(" %q", name)
	}
	r.Lines = append(r.Lines, fmt.Sprintf("%s: %s %s%s: %s", what, kind, id, name, reason))
}

func (r *Report) leaveState(s store.EarlierSyncState, reason string) {
	r.SyncStates.Left++
	r.line("left", "sync state", s.ID, "", reason)
}

// WriteTo writes the report for people.
func (r *Report) WriteTo(w io.Writer) (n int64, err error) {
	print := func(format string, args ...any) {
		if err == nil {
			var k int
			k, err = fmt.Fprintf(w, format, args...)
			n += int64(k)
		}
	}
	if r.DryRun {
		print("dry run: nothing was changed; without --dry-run this would be:\n")
	}
	print("integrations: %d adopted, %d here before, %d left\n", r.Integrations.Adopted, r.Integrations.Present, r.Integrations.Left)
	print("sync states: %d adopted, %d here before, %d left\n", r.SyncStates.Adopted, r.SyncStates.Present, r.SyncStates.Left)
	print("projects: %d made\n", r.Projects)
	for _, line := range r.Lines {
		print("%s\n", line)
	}
	for _, line := range r.Reminders {
		print("mind: %s\n", line)
	}
	return n, err
}
