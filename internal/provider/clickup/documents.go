package clickup

import (
	"fmt"
	"net/url"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// documents reads the documents of the Workspace, those that are archived last. A full run reads the pages of each too: ClickUp does
// not say whether a change of a page is one of its document. Others leave them to Details.
func (r *run) documents() bool {
	for {
		query := archived(r.at.Archived)
		query.Set("limit", "100")
		if r.at.Docs != "" {
			query.Set("cursor", r.at.Docs)
		}
		answer, err := r.get(r.ctx, r.v3("docs"), query)
		if err != nil {
			return r.fail(err)
		}
		raw, ok := listing(answer, "docs")
		if !ok {
			return r.fail(unexpected("list of documents"))
		}
		var more struct {
			Cursor text `json:"next_cursor"`
		}
		decode(answer, &more)
		items, ok := r.docItems(raw)
		if !ok {
			return false
		}
		next := r.at
		next.After, next.Docs = "", string(more.Cursor)
		var covered []string
		if len(raw) == 0 || more.Cursor == "" || next.Docs == r.at.Docs {
			if next.Docs = ""; r.plan.IncludeArchived && !r.at.Archived {
				next.Archived = true
			} else {
				next = r.at.begin(stageEnd)
				covered = r.docsCovered()
			}
		}
		if r.full() {
			r.at.After = "" // of the documents, and not of the failures that remain
		}
		if !r.give("documents", items, covered, next) {
			return false
		}
		if next.Stage == stageEnd {
			return true
		}
	}
}

// docItems are the documents of an answer that the plan asks for. In a full run they are handed over at once, each with its
// pages, and what remains are failures.
func (r *run) docItems(raw many) (items []item, ok bool) {
	var docs []doc
	for _, one := range raw {
		d, ok := decodeDoc(one)
		if !ok {
			items = append(items, failures([]integration.SyncFailure{failure(integration.ObjectDocument, string(d.ID), "ClickUp's answer holds a document without a usable id")})...)
			continue
		}
		if string(d.ID) == r.at.After && r.full() { // all before it were given
			docs = nil
			continue
		}
		if !bool(d.Deleted) && !r.unchanged(d) {
			docs = append(docs, d)
		}
	}
	for _, d := range docs {
		key, within, err := r.docListing(d)
		if err != nil {
			return nil, r.fail(err)
		}
		if !within {
			continue
		}
		o := r.docObject(d, key, r.plan)
		if !r.full() {
			items = append(items, object(o))
		} else if !r.docWithPages(d, o) {
			return nil, false
		}
	}
	return items, true
}

func (r *run) unchanged(d doc) bool {
	return !r.full() && d.Updated.Time != nil && d.Updated.Before(*r.plan.Since)
}

// docWithPages hands over a document and its pages.
func (r *run) docWithPages(d doc, o provider.Object) bool {
	last := provider.Page{Step: fmt.Sprintf("document %q", d.Name)}
	pages, bad, err := r.pagesOf(r.ctx, d.ID, r.plan)
	switch reason, fatal := r.without(err); {
	case fatal != nil:
		return r.fail(fatal)
	case missing(err):
		return true // deleted meanwhile
	case reason != "":
		bad = append(bad, failure(integration.ObjectDocument, string(d.ID), "the document's pages could not be read: "+reason))
	default:
		last.Covered = []string{pagesKey(d.ID)}
	}
	o.HasDetails = false
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
// is false for a document outside the selection.
func (r *run) docListing(d doc) (key string, within bool, err error) {
	if r.chosen.all {
		return r.docsKey(), true, nil
	}
	kind, at := d.Parent.Type, d.Parent.ID
	for range 20 { // folders that lie in each other end
		if at == "" || kind != inSpace && kind != inFolder && kind != inList {
			break
		}
		if r.chosen.has(at) {
			return selectedDocsKey(string(at)), true, nil
		}
		if kind == inSpace {
			break
		}
		above, err := r.parentOf(kind, at)
		if err != nil {
			return "", false, err
		}
		if kind, at = inFolder, above.folder; at == "" {
			kind, at = inSpace, above.space
		}
	}
	return "", false, nil
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

// parentPlace is where a list or folder lies.
type parentPlace struct{ folder, space text }

// parentOf asks for the place above a list or folder; there is none where the token sees none.
func (r *run) parentOf(kind, of text) (parentPlace, error) {
	memo := string(kind) + ":" + string(of)
	if p, known := r.above[memo]; known {
		return p, nil
	}
	part := "list"
	if kind == inFolder {
		part = "folder"
	}
	answer, err := r.get(r.ctx, r.v2(part, string(of)), url.Values{})
	if _, fatal := r.without(err); fatal != nil {
		return parentPlace{}, fatal
	}
	var p parentPlace
	if kind == inFolder {
		var f folder
		decode(answer, &f)
		p = parentPlace{folder: text(f.Parent), space: text(f.Space)}
	} else {
		var l list
		decode(answer, &l)
		p = parentPlace{folder: text(l.inFolder()), space: text(l.Space)}
	}
	r.above[memo] = p
	return p, nil
}
