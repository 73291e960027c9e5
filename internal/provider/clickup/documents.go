package clickup

import (
	"context"
	"fmt"
	"slices"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

const stepDocs = "documents"

// documents reads the documents of the Workspace with their pages, those that are archived last. A full run reads the pages of every
// one: ClickUp does not say whether a change of a page is one of its document.
func (r *run) documents() bool {
	for {
		query := archived(r.at.Archived)
		query.Set("limit", "100")
		if r.at.Docs != "" {
			query.Set("cursor", r.at.Docs)
		}
		answer, err := r.get(r.ctx, r.v3("docs"), query)
		raw, ok := listing(answer, "docs")
		if err == nil && !ok {
			err = unexpected("list of documents")
		}
		if err != nil {
			return r.withoutDocs(err)
		}
		var more struct {
			Cursor text `json:"next_cursor"`
		}
		decode(answer, &more)
		bad, ok := r.docs(raw)
		if !ok {
			return false
		}
		r.at.Odd = r.at.Odd || raw == nil || slices.ContainsFunc(bad, func(f integration.SyncFailure) bool { return f.ExternalID == "" })
		next := r.at
		next.After, next.Docs = "", string(more.Cursor)
		var covered []string
		if len(raw) == 0 || more.Cursor == "" || next.Docs == r.at.Docs {
			if next.Docs = ""; r.plan.IncludeArchived && !r.at.Archived {
				next.Archived = true
			} else {
				next = r.at.begin(stageEnd)
				if !r.at.Odd {
					covered = r.docsCovered()
				}
			}
		}
		r.at.After = "" // of the documents, and not of the failures that remain
		if !r.give(stepDocs, failures(bad), covered, next) {
			return false
		}
		if next.Stage == stageEnd {
			return true
		}
	}
}

// withoutDocs leaves out the documents that are left, where their list cannot be read: a token may see tasks and no documents.
func (r *run) withoutDocs(err error) bool {
	reason, fatal := r.without(err)
	if fatal != nil {
		return r.fail(fatal)
	}
	bad := unlisted(integration.ObjectDocument, r.workspace, "the Workspace's documents could not be read: "+reason, err)
	return r.page(provider.Page{Step: stepDocs}, failures([]integration.SyncFailure{bad}), r.at.begin(stageEnd))
}

// docs hands over the documents of an answer that the plan asks for, each with its pages, and the cursor after each that it leaves
// out, which may have cost a request too. The failures remain.
func (r *run) docs(raw rawList) (bad []integration.SyncFailure, ok bool) {
	var docs []doc
	for _, one := range raw {
		d, ok := decodeDoc(one)
		if !ok {
			bad = append(bad, failure(integration.ObjectDocument, string(d.ID), "ClickUp's answer holds a document without a usable id"))
			continue
		}
		if string(d.ID) == r.at.After { // all before it were given
			docs = nil
			continue
		}
		if !bool(d.Deleted) && !r.unchanged(d) {
			docs = append(docs, d)
		}
	}
	for _, d := range docs {
		key, err := r.docListing(r.ctx, d)
		switch {
		case odd(err):
			bad = append(bad, failure(integration.ObjectDocument, string(d.ID), "the place that the document lies in could not be read: "+err.Error()))
		case err != nil:
			return nil, r.fail(err)
		case key == "":
			next := r.at
			next.After = string(d.ID)
			if !r.page(provider.Page{Step: stepDocs}, nil, next) {
				return nil, false
			}
		case !r.docWithPages(d, r.docObject(d, key, r.plan)):
			return nil, false
		}
	}
	return bad, true
}

func (r *run) unchanged(d doc) bool {
	return !r.full() && d.Updated.Time != nil && d.Updated.Before(*r.plan.Since)
}

// docWithPages hands over a document and its pages.
func (r *run) docWithPages(d doc, o provider.Object) bool {
	last := provider.Page{Step: fmt.Sprintf("document %q", d.Name)}
	pages, bad, whole, err := r.pagesOf(r.ctx, d.ID, r.plan)
	switch reason, fatal := r.without(err); {
	case fatal != nil:
		return r.fail(fatal)
	case missing(err):
		return true // deleted meanwhile
	case reason != "":
		bad = append(bad, failure(integration.ObjectDocument, string(d.ID), "the document's pages could not be read: "+reason))
	case whole:
		last.Covered = []string{pagesKey(d.ID)}
	}
	items := []item{object(o)}
	for _, p := range pages {
		items = append(items, object(p))
	}
	items = append(items, failures(bad)...)
	next := r.at
	next.After = string(d.ID)
	next.Total += len(items)
	return r.page(last, items, next)
}

// docListing is the listing that a document is in: the Workspace's, or that of what is selected and holds the document. It
// is empty for a document outside the selection.
func (r *run) docListing(ctx context.Context, d doc) (key string, err error) {
	if r.chosen.all {
		return r.docsKey(), nil
	}
	place, err := r.selected(ctx, d.Parent.Type, d.Parent.ID)
	if err != nil || place == "" {
		return "", err
	}
	return selectedDocsKey(string(place)), nil
}

func (c *connection) docsKey() string { return "workspace:" + c.workspace + "/docs" }

func selectedDocsKey(id string) string { return "selected:" + id + "/docs" }

// docsCovered are the listings that all documents were read of.
func (r *run) docsCovered() []string {
	if r.chosen.all {
		return []string{r.docsKey()}
	}
	found, _ := r.chosen.split(r.at.Found)
	var keys []string
	for _, id := range found {
		keys = append(keys, selectedDocsKey(id))
	}
	return keys
}
