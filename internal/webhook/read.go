package webhook

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/store"
	"patchbay/internal/syncer"
)

const (
	// maxDepth is how far above an object missing parents are looked for.
	maxDepth = 10
	// restAtOnce is how much of what else is to be read with an object is stored together: as much is read again where the limit ends it.
	restAtOnce = 20
)

// reader reads what deliveries tell of one object.
type reader struct {
	tenant     *store.Tenant
	connection provider.Connection
	plan       provider.Plan
	work       *store.WebhookWork
	creates    []string // as in provider.Webhooks

	commit  store.WebhookCommit
	at      map[string]int // position in commit.Objects by external id
	fetched map[provider.Ref]bool
	outside map[string]bool // by external id: the selection does not hold it
	stored  map[string]bool // by external id: true is there, false is marked as deleted
	again   string          // why something is to be read once more
	unread  []store.NamedObject
}

// gatherAll reads what the deliveries ask for: each object once, however many deliveries there are. What else is to be read with them is in
// the commit's Rest, and is read by the next ones.
func gatherAll(ctx context.Context, tenant *store.Tenant, c provider.Connection, creates []string, work *store.WebhookWork) (store.WebhookCommit, error) {
	r := &reader{
		tenant: tenant, connection: c, creates: creates, work: work, at: map[string]int{}, fetched: map[provider.Ref]bool{}, outside: map[string]bool{},
		plan: provider.Plan{
			Options: c.Options(), Selection: work.Selection, Mappings: work.Mappings,
			Reading: work.ToldAt.UTC().Format(time.RFC3339Nano), // what was read before something was told does not answer that
		},
		commit: store.WebhookCommit{ReadAt: work.At, GoneAt: work.GoneAt, Deliveries: []uuid.UUID{}},
	}
	for _, d := range work.Deliveries {
		r.commit.Deliveries = append(r.commit.Deliveries, d.ID)
	}
	rest := store.WebhookRest{At: work.At}
	if work.Rest != nil {
		rest = *work.Rest
	}
	var err error
	if anew := work.ToldAt.After(rest.At); work.Rest == nil || anew || rest.Told && rest.Again == "" {
		if anew {
			rest.Attempts = 0
		}
		var below []store.NamedObject
		below, err = r.deliveries(ctx)
		for _, n := range slices.Concat(rest.Objects, rest.Unread) { // of what was told before
			if !slices.Contains(below, n) {
				below = append(below, n)
			}
		}
		rest.At, rest.Objects, rest.Again, rest.Unread, rest.Told = work.At, below, r.again, nil, r.again != ""
	} else {
		n := min(restAtOnce, len(rest.Objects))
		err = r.objects(ctx, rest.Objects[:n])
		rest.Objects, rest.Again, rest.Unread = rest.Objects[n:], cmp.Or(rest.Again, r.again), append(rest.Unread, r.unread...)
	}
	rest.Failure = cmp.Or(rest.Failure, r.commit.Failure)
	r.commit.Failure = rest.Failure
	attempts := max(work.Attempts, rest.Attempts) + 1
	switch {
	case len(rest.Objects) > 0:
		r.commit.Rest = &rest
	case rest.Again == "":
	case attempts < maxAttempts:
		r.commit.Again = rest.Again
		r.commit.Rest = &store.WebhookRest{At: rest.At, Objects: rest.Unread, Failure: rest.Failure, Told: rest.Told, Attempts: attempts}
	default:
		r.commit.Failure, r.commit.Lost, r.commit.Full = givenUp(attempts, rest.Again), true, work.NeedsFull()
	}
	return r.commit, err
}

// deliveries reads what the deliveries tell of, and returns what is to be read with it: what is below something that moved, or that was
// marked as deleted and is there again.
func (r *reader) deliveries(ctx context.Context) (below []store.NamedObject, err error) {
	var told []store.NamedObject
	var details []provider.Ref
	moved := map[string]bool{}
	for _, d := range r.work.Deliveries {
		told = slices.Concat(told, d.Reads.Changed, d.Reads.Moved, d.Reads.Details, d.Reads.Gone)
		for _, n := range d.Reads.Details {
			details = append(details, provider.Ref(n))
		}
		for _, n := range d.Reads.Moved {
			moved[n.ExternalID] = true
		}
	}
	if err := r.objects(ctx, told); err != nil {
		return nil, err
	}
	r.commit.Unknown = r.cameAlong()
	if err := r.details(ctx, details); err != nil {
		return nil, err
	}
	var with []string
	for id := range r.at {
		if live, stored := r.stored[id]; stored && (moved[id] || !live) {
			with = append(with, id)
		}
	}
	if len(with) == 0 {
		return nil, nil
	}
	below, err = r.tenant.ObjectsBelow(ctx, r.work.IntegrationID, with)
	return slices.DeleteFunc(below, func(n store.NamedObject) bool { return r.fetched[provider.Ref(n)] }), err
}

// cameAlong reports whether a place that deliveries tell of, and that is stored for the first time or was marked as deleted, may have things in
// it that none tells of: it may have been moved to where it is imported.
func (r *reader) cameAlong() bool {
	made, told := map[string]bool{}, map[string]bool{}
	for _, d := range r.work.Deliveries {
		for _, n := range slices.Concat(d.Reads.Changed, d.Reads.Moved) {
			if slices.Contains(r.creates, d.Event) {
				made[n.ExternalID] = true
			} else if n.Type == integration.ObjectProject || n.Type == integration.ObjectCollection {
				told[n.ExternalID] = true
			}
		}
	}
	for id := range told {
		if at, there := r.at[id]; there && !made[id] && !r.stored[id] && !r.commit.Objects[at].OnlyKnown {
			return true
		}
	}
	return false
}

// objects reads objects, with the parents that are missing.
func (r *reader) objects(ctx context.Context, named []store.NamedObject) error {
	refs := make([]provider.Ref, len(named))
	for i, n := range named {
		refs[i] = provider.Ref(n)
	}
	if err := r.fetch(ctx, refs, true); err != nil {
		return err
	}
	return r.choose(ctx)
}

// fetch reads objects that were not read yet. What is not there is gone if that was told of; a parent that is not may be of another type.
func (r *reader) fetch(ctx context.Context, refs []provider.Ref, told bool) error {
	var fresh []provider.Ref
	for _, ref := range refs {
		if !r.fetched[ref] {
			r.fetched[ref] = true
			fresh = append(fresh, ref)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if !told {
		return r.pages(r.connection.Fetch(ctx, r.plan, fresh), func(*provider.Page) {})
	}
	return r.asked(fresh, r.connection.Fetch(ctx, r.plan, fresh), func(p *provider.Page) {
		for _, gone := range p.Gone {
			r.commit.Gone = append(r.commit.Gone, gone.ExternalID)
		}
	})
}

// asked takes pages in that answer for some objects. What none of them is done with is to be read once more; what else failed would again.
func (r *reader) asked(of []provider.Ref, pages iter.Seq2[*provider.Page, error], each func(*provider.Page)) error {
	done, reasons := map[provider.Ref]bool{}, map[provider.Ref]string{}
	err := r.pages(pages, func(p *provider.Page) {
		for _, ref := range p.Done {
			done[ref] = true
		}
		for _, f := range p.Failed {
			if ref := (provider.Ref{Type: f.Type, ExternalID: f.ExternalID}); slices.Contains(of, ref) && !slices.Contains(p.Done, ref) {
				reasons[ref] = f.Reason
			} else {
				r.fail([]integration.SyncFailure{f})
			}
		}
		each(p)
	})
	for _, ref := range of {
		if !done[ref] {
			r.again = cmp.Or(r.again, reasons[ref], "the provider did not answer for it")
			r.unread = append(r.unread, store.NamedObject(ref))
		}
	}
	return err
}

// pages takes the objects of pages in.
func (r *reader) pages(pages iter.Seq2[*provider.Page, error], each func(*provider.Page)) error {
	for page, err := range pages {
		if err != nil {
			return err
		}
		for _, o := range page.Objects {
			i, reason := syncer.Imported(o)
			if reason != "" {
				r.fail([]integration.SyncFailure{{Type: o.Type, Reason: reason}})
				continue
			}
			r.outside[i.ExternalID] = o.Outside
			if at, twice := r.at[i.ExternalID]; twice {
				r.commit.Objects[at] = i
			} else {
				r.at[i.ExternalID] = len(r.commit.Objects)
				r.commit.Objects = append(r.commit.Objects, i)
			}
		}
		each(page)
	}
	return nil
}

// fail keeps why the first item could not be imported.
func (r *reader) fail(failures []integration.SyncFailure) {
	if len(failures) > 0 && r.commit.Failure == "" {
		r.commit.Failure = failures[0].Reason
	}
}

// choose reads the parents that are missing, and leaves out what the integration does not import unless it is stored already: what its
// selection does not hold, and what its options exclude.
func (r *reader) choose(ctx context.Context) error {
	if len(r.commit.Objects) == 0 {
		return nil
	}
	for range maxDepth {
		var ids []string
		for _, o := range r.commit.Objects {
			ids = append(ids, o.ExternalID)
			if o.ParentID != nil {
				ids = append(ids, *o.ParentID)
			}
		}
		var err error
		if r.stored, err = r.tenant.StoredObjects(ctx, r.work.IntegrationID, ids); err != nil {
			return err
		}
		more, err := r.fetchParents(ctx)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	for i := range r.commit.Objects {
		o := &r.commit.Objects[i]
		if r.outside[o.ExternalID] || o.Completed && !r.plan.IncludeCompleted || o.Archived && !r.plan.IncludeArchived {
			o.OnlyKnown = true
		}
	}
	return nil
}

// above are the types that a parent may be of, the likeliest first.
var above = map[integration.ObjectType][]integration.ObjectType{
	integration.ObjectTask:       {integration.ObjectCollection, integration.ObjectTask, integration.ObjectProject},
	integration.ObjectCollection: {integration.ObjectProject, integration.ObjectCollection},
	integration.ObjectProject:    {integration.ObjectOrganization},
	integration.ObjectDocument:   {integration.ObjectDocument, integration.ObjectCollection, integration.ObjectProject},
	integration.ObjectComment:    {integration.ObjectTask, integration.ObjectDocument},
}

// fetchParents reads parents that are neither stored nor read yet, and tells whether there were any.
func (r *reader) fetchParents(ctx context.Context) (more bool, err error) {
	for _, o := range slices.Clone(r.commit.Objects) {
		if o.ParentID == nil || r.has(*o.ParentID) || r.mapped(o) {
			continue
		}
		if r.outside[o.ExternalID] {
			continue // should it be stored, it is kept up, but what is above it is not imported
		}
		types := above[o.Type]
		if o.Type == integration.ObjectTask && slices.ContainsFunc(o.Relations, func(rel store.ImportedRelation) bool {
			return rel.Type == integration.RelParentOf && rel.Source == *o.ParentID
		}) {
			types = []integration.ObjectType{integration.ObjectTask}
		}
		for _, kind := range types {
			ref := provider.Ref{Type: kind, ExternalID: *o.ParentID}
			if r.fetched[ref] {
				continue
			}
			if err := r.fetch(ctx, []provider.Ref{ref}, false); err != nil {
				return false, err
			}
			if r.has(*o.ParentID) {
				more = true
				break
			}
		}
	}
	return more, nil
}

// has reports whether an object is stored or was read.
func (r *reader) has(id string) bool {
	_, read := r.at[id]
	return read || r.stored[id]
}

// mapped reports whether an object's parent is what it is mapped to, which is nothing of the provider's.
func (r *reader) mapped(o store.ImportedObject) bool {
	return slices.ContainsFunc(r.work.Mappings, func(m integration.SyncMapping) bool { return m.ExternalID == o.ExternalID && m.Target == *o.ParentID })
}

// details reads what hangs on objects that are there and are, or will be, stored.
func (r *reader) details(ctx context.Context, refs []provider.Ref) error {
	var wanted []provider.Ref
	for _, ref := range refs {
		at, there := r.at[ref.ExternalID]
		if there && (r.stored[ref.ExternalID] || !r.commit.Objects[at].OnlyKnown) && !slices.Contains(wanted, ref) {
			wanted = append(wanted, ref)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	return r.asked(wanted, r.connection.Details(ctx, r.plan, wanted), func(p *provider.Page) {
		r.commit.Covered = append(r.commit.Covered, p.Covered...)
		for _, ref := range p.Done {
			r.commit.Done = append(r.commit.Done, ref.ExternalID)
		}
	})
}
