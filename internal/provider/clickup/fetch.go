package clickup

import (
	"cmp"
	"context"
	"iter"
	"net/url"
	"slices"
	"strings"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// Fetch reads single objects. A comment cannot be read alone, only with its task: it is Failed. An answer that cannot be used is Failed
// too, and not Done: a proxy may have given it.
//
// ClickUp answers 404 for what was deleted, and for an id that it does not know, or that the token may not see, in the words of
// a token which lost its Workspace. So what is refused is gone only if the Workspace is still reached afterwards; otherwise
// Fetch fails.
func (c *connection) Fetch(ctx context.Context, plan provider.Plan, refs []provider.Ref) iter.Seq2[*provider.Page, error] {
	return func(yield func(*provider.Page, error) bool) {
		r := c.run(ctx, plan)
		var doubtful []provider.Ref
		for page, err := range each(ctx, refs, r.fetch) {
			if err != nil {
				yield(nil, err)
				return
			}
			if len(page.Done)+len(page.Failed) == 0 {
				doubtful = append(doubtful, page.Gone...)
				continue
			}
			if !yield(page, nil) {
				return
			}
		}
		for part := range slices.Chunk(doubtful, r.plan.BatchSize) {
			if err := c.reachable(ctx); err != nil {
				yield(nil, err)
				return
			}
			if !yield(&provider.Page{Step: "single objects", Gone: part, Done: part}, nil) {
				return
			}
		}
	}
}

// fetch reads one object. A page with neither Done nor Failed is of one that was refused.
func (r *run) fetch(ctx context.Context, ref provider.Ref) (*provider.Page, error) {
	page := &provider.Page{Step: "single objects"}
	o, err := r.single(ctx, ref)
	switch {
	case err == nil && o != nil:
		page.Objects, page.Done = []provider.Object{*o}, []provider.Ref{ref}
	case ref.Type == integration.ObjectComment:
		page.Failed = []integration.SyncFailure{failure(ref.Type, ref.ExternalID, "ClickUp does not give comments by themselves")}
		page.Done = []provider.Ref{ref}
	case err == nil, odd(err):
		page.Failed = []integration.SyncFailure{failure(ref.Type, ref.ExternalID, "ClickUp's answer about this object is not in a form that can be read")}
	case missing(err):
		page.Gone, page.Done = []provider.Ref{ref}, []provider.Ref{ref}
	case refused(err):
		page.Gone = []provider.Ref{ref}
	default:
		return nil, err
	}
	return page, nil
}

// single reads one object; nil is one that cannot be.
func (r *run) single(ctx context.Context, ref provider.Ref) (*provider.Object, error) {
	switch ref.Type {
	case integration.ObjectTask:
		return r.singleTask(ctx, ref.ExternalID)
	case integration.ObjectProject:
		var s space
		err := r.singleInto(ctx, r.v2("space", ref.ExternalID), &s)
		if err != nil || s.ID == "" {
			return nil, err
		}
		o := r.spaceObject(s, r.plan)
		o.Outside = !r.chosen.all && !r.chosen.has(s.ID)
		return &o, nil
	case integration.ObjectCollection:
		return r.singleCollection(ctx, ref.ExternalID)
	case integration.ObjectDocument:
		return r.singleDocument(ctx, ref.ExternalID)
	case integration.ObjectOrganization, integration.ObjectUser:
		return r.singlePerson(ctx, ref)
	}
	return nil, nil
}

func (r *run) singleInto(ctx context.Context, path string, out any) error {
	answer, err := r.get(ctx, path, nil)
	if err == nil {
		decode(answer, out)
	}
	return err
}

func (r *run) singleTask(ctx context.Context, id string) (*provider.Object, error) {
	answer, err := r.get(ctx, r.v2("task", id), url.Values{"include_subtasks": {"false"}, "include_markdown_description": {"true"}})
	if err != nil {
		return nil, err
	}
	t, reason := decodeTask(answer)
	if reason != "" {
		return nil, nil
	}
	o := r.taskObject(t, r.plan)
	if t.Team != "" && string(t.Team) != r.workspace { // another Workspace's, which the token reaches too; of places ClickUp does not say it
		o.Outside = true
		return &o, nil
	}
	key, err := r.taskListing(ctx, t)
	o.Listing, o.Outside = cmp.Or(key, o.Listing), key == ""
	return &o, err
}

// singleCollection reads a list, or a folder where there is no list of that id.
func (r *run) singleCollection(ctx context.Context, id string) (*provider.Object, error) {
	var l list
	noList := r.singleInto(ctx, r.v2("list", id), &l)
	if noList == nil && l.ID != "" {
		o := r.listObject(l, text(l.inFolder()), text(l.Space), r.plan)
		r.above.note(inList, l.ID, parentPlace{folder: text(l.inFolder()), space: text(l.Space)})
		var err error
		o.Outside, err = r.outside(ctx, inList, l.ID)
		return &o, err
	}
	if err := unlessGone(noList); err != nil {
		return nil, err
	}
	var f folder
	noFolder := r.singleInto(ctx, r.v2("folder", id), &f)
	if noFolder == nil && f.ID != "" {
		parent := text(f.Parent)
		if parent == "" {
			parent = text(f.Space)
		}
		o := r.folderObject(f, parent, text(f.Space), r.plan)
		r.above.note(inFolder, f.ID, parentPlace{folder: text(f.Parent), space: text(f.Space)})
		var err error
		o.Outside, err = r.outside(ctx, inFolder, f.ID)
		return &o, err
	}
	if err := unlessGone(noFolder); err != nil {
		return nil, err
	}
	if missing(noList) {
		return nil, noList // that a list was deleted says more than that its id was never a folder's
	}
	return nil, noFolder
}

// singleDocument reads a document, or a page of one.
func (r *run) singleDocument(ctx context.Context, id string) (*provider.Object, error) {
	if docID, pageID, isPage := strings.Cut(id, "/"); isPage {
		answer, err := r.get(ctx, r.v3("docs", docID, "pages", pageID), url.Values{"content_format": {"text/md"}})
		if err != nil {
			return nil, err
		}
		p, ok := decodePage(answer, text(docID))
		if !ok {
			return nil, nil
		}
		if p.Deleted {
			return nil, failed(integration.ReasonNotFound, "the page was deleted")
		}
		o := r.pageObject(p, text(docID), r.plan)
		return &o, nil
	}
	answer, err := r.get(ctx, r.v3("docs", id), nil)
	if err != nil {
		return nil, err
	}
	d, ok := decodeDoc(answer)
	if !ok {
		return nil, nil
	}
	if d.Deleted {
		return nil, failed(integration.ReasonNotFound, "the document was deleted")
	}
	key, err := r.docListing(ctx, d)
	if err != nil {
		return nil, err
	}
	o := r.docObject(d, cmp.Or(key, r.docsKey()), r.plan)
	o.Outside = key == ""
	return &o, nil
}

// singlePerson reads the Workspace, or somebody in it.
func (r *run) singlePerson(ctx context.Context, ref provider.Ref) (*provider.Object, error) {
	t, err := r.team(ctx)
	if err != nil {
		return nil, err
	}
	if ref.Type == integration.ObjectOrganization {
		o := r.workspaceObject(t)
		return &o, nil
	}
	users, whole := members(t)
	for _, u := range users {
		if userID(u.ID) == ref.ExternalID {
			o := r.userObject(u, r.plan)
			return &o, nil
		}
	}
	if !whole {
		return nil, nil
	}
	return nil, failed(integration.ReasonNotFound, "nobody of that id is in the Workspace")
}
