package provider

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
)

// Connection is a third party's API as one account sees it. Package connect makes one for a run, a test or a cache, from
// an integration's opened settings; it keeps the secrets to itself and is safe for use by several goroutines.
//
// Its errors are *Wait where the third party's limit is used up (ask for it first: it wraps the next), *integration.Error
// of KindProvider where it refused or did not answer, or ctx's. What is wrong with a single item is in Page.Failed instead, and the reading goes on.
type Connection interface {
	// Test tries the credentials. It fails with reason permission or not_found where they are valid and do not reach what
	// the settings name; Account is then filled all the same, so that a client can offer what they do reach.
	Test(ctx context.Context) (Account, error)

	// Structure lists what an import can be limited to, parents before children.
	Structure(ctx context.Context) ([]integration.ExternalNode, error)

	// Options are what the settings say of a run that does not say it itself.
	Options() Options

	// Import reads what the plan asks for, page by page, from the cursor of an earlier page of the same plan on, or from
	// the start where that is nil. The consumer commits each page with its cursor, and may stop at any.
	Import(ctx context.Context, plan Plan, cursor []byte) iter.Seq2[*Page, error]

	// Details reads what hangs on single objects and is in no listing, such as a task's comments. Each page names in Done
	// the objects that it completes; one that is also in Failed is refused, and would be again. One that is in Failed alone may be read
	// another time.
	Details(ctx context.Context, plan Plan, of []Ref) iter.Seq2[*Page, error]

	// Fetch reads single objects anew, whether the plan's options leave them out or not. Those that are there are in the
	// pages' Objects; those that are not, in Gone; each is in Done, once. One that is in Failed instead may be read another time.
	Fetch(ctx context.Context, plan Plan, refs []Ref) iter.Seq2[*Page, error]
}

// Relister is a Connection that can read a listing again with what a plan's options leave out of it. Where much is missing from one, that takes
// fewer requests than Fetch does.
type Relister interface {
	// Relist reads a listing (Object.Listing) with everything in it, from the cursor of an earlier page on, or from the start where that is nil.
	// Objects are as Import gives them. Of a listing that it cannot read so, or that Import has read wholly, there are none.
	Relist(ctx context.Context, plan Plan, listing string, cursor []byte) iter.Seq2[*Page, error]
}

// Access is what a Connection is made from.
type Access struct {
	Settings map[string]any         // those that are not secret, with the schema's defaults filled in
	Secrets  map[string]seal.Secret // by name
	Origin   string                 // of the API: the operator's, else the Declaration's; empty where the settings name it
	Network  *Network               // the one way out
}

// Account is what credentials turned out to be.
type Account struct {
	Name       string // whose they are, as the third party shows it
	Workspaces []integration.ExternalAccount
}

// Options are what a run may ask for itself.
type Options struct {
	IncludeCompleted bool
	IncludeArchived  bool
	BatchSize        int // objects that are written together; integration.MinBatchSize to MaxBatchSize
}

// Plan is what a run reads.
type Plan struct {
	Options
	Since     *time.Time                // only what changed from then on; nil reads everything
	Selection []string                  // external ids of nodes of the structure, with all below them; nil means everything
	Mappings  []integration.SyncMapping // sorted by kind and external id, each once

	// Reading names what Details answers. Where the limit ended a reading, one of the same name goes on with what it has; what is asked
	// for by another name is read from its start.
	Reading string
}

// Target is what a thing of the third party's is mapped to; empty where it is not.
func (p Plan) Target(kind integration.SyncMappingKind, externalID string) string {
	at, found := slices.BinarySearchFunc(p.Mappings, externalID, func(m integration.SyncMapping, id string) int {
		return cmp.Or(cmp.Compare(m.Kind, kind), cmp.Compare(m.ExternalID, id))
	})
	if !found {
		return ""
	}
	return p.Mappings[at].Target
}

// Ref names an object.
type Ref struct {
	Type       integration.ObjectType
	ExternalID string
}

// Page is a part of what was read. What is in one page is stored together, at most Options.BatchSize objects, save what
// belongs to a single object.
type Page struct {
	Objects []Object
	Failed  []integration.SyncFailure
	Covered []string // listings (Object.Listing) that were read to their end, this page being the last one
	Done    []Ref    // of Details and Fetch
	// Gone is what does not exist, of Fetch also what does not for these credentials. In Import it is what the selection names and the
	// third party says was deleted, in a run of either kind; where the type cannot be told, there is a Ref of each that it may have been.
	Gone []Ref

	Cursor    []byte // JSON, for Import; the provider's own
	Step      string // what is being read, in words a person can read: `list "Backlog"`
	Total     *int   // how many items Import will have read in all, as far as it can be told
	Workspace *integration.ExternalAccount
}

// Object is a thing of the third party's in the form that is stored.
type Object struct {
	Type       integration.ObjectType
	ExternalID string // unique in the integration; at most integration.MaxExternalID bytes
	Kind       string // the provider's word, for SyncState.LastSynced: task, doc, list, folder, space
	Title      string
	Content    string // Markdown
	Properties map[string]any
	URL        string
	ParentID   string // external id; empty at the top
	UpdatedAt  *time.Time
	Completed  bool // an option leaves it out
	Archived   bool // an option leaves it out
	Relations  []Relation

	// Listing is the listing that it is found in: any text that Page.Covered uses too. A full run that covered the listing
	// and did not find the object takes it for deleted.
	Listing string
	// OnlyKnown leaves it out unless it is stored already, as for what the options exclude.
	OnlyKnown bool
	// Outside says, of what Fetch gives, that the plan's selection does not hold it.
	Outside bool
	// HasDetails asks for Details whenever the object is new or changed.
	HasDetails bool
}

// Relation is an object's relationship: all of them together replace those that it stated before.
type Relation struct {
	Type integration.RelationshipType
	From string // external id; empty means the object itself
	To   string // external id; empty means the object itself
}

// Wait is the error of requests that would exceed the third party's limit before a time, or that it asked to repeat then.
type Wait struct {
	Until time.Time
	Cause error // the same in the words for people: an *integration.Error of KindProvider
}

func (w *Wait) Error() string { return w.Cause.Error() }

// Limited reports whether it is for the limit; if not, the third party failed, and said for how long.
func (w *Wait) Limited() bool {
	return integration.IsProviderReason(w.Cause, integration.ReasonRateLimited)
}

// Unwrap makes a Wait that nobody waits for a failure of the provider.
func (w *Wait) Unwrap() error { return w.Cause }
