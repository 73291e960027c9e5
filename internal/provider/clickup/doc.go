package clickup

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// doc is a document; its text is in its pages.
type doc struct {
	ID       text   `json:"id"`
	Name     text   `json:"name"`
	Created  moment `json:"date_created"`
	Updated  moment `json:"date_updated"`
	Creator  text   `json:"creator"`
	Archived flag   `json:"archived"`
	Deleted  flag   `json:"deleted"`
	Parent   struct {
		ID   text `json:"id"`
		Type text `json:"type"`
	} `json:"parent"`
}

// Types of a doc's parent. Any other is taken for the Workspace.
const (
	inSpace  = "4"
	inFolder = "5"
	inList   = "6"
)

type page struct {
	ID       text    `json:"id"`
	Parent   text    `json:"parent_page_id"`
	Name     text    `json:"name"`
	Subtitle text    `json:"sub_title"`
	Content  text    `json:"content"`
	Created  moment  `json:"date_created"`
	Updated  moment  `json:"date_updated"`
	Creator  text    `json:"creator_id"`
	Archived flag    `json:"archived"`
	Deleted  flag    `json:"deleted"`
	Pages    rawList `json:"pages"`
}

func pagesKey(doc text) string { return "doc:" + string(doc) + "/pages" }

func decodeDoc(raw json.RawMessage) (doc, bool) {
	var d doc
	ok := decode(raw, &d) && d.ID != "" && len(d.ID) <= integration.MaxExternalID && !strings.Contains(string(d.ID), "/")
	return d, ok
}

// docObject is a document in a listing of the run.
func (c *connection) docObject(d doc, key string, plan provider.Plan) provider.Object {
	p := properties{}
	p.text("createdAt", text(d.Created.String()))
	p.text("creatorId", d.Creator)
	parent := c.workspace
	if t := d.Parent.Type; d.Parent.ID != "" && (t == inSpace || t == inFolder || t == inList) {
		parent = string(d.Parent.ID)
	}
	return within(provider.Object{
		Type: integration.ObjectDocument, ExternalID: string(d.ID), Kind: "doc", Title: titled(d.Name), Properties: p, URL: c.docURL(d.ID), ParentID: parent,
		UpdatedAt: d.Updated.Time, Archived: bool(d.Archived), Relations: []provider.Relation{{Type: integration.RelBelongsTo, To: parent}}, Listing: key,
	}, plan)
}

func (c *connection) docURL(doc text) string {
	return appURL + "/" + c.workspace + "/v/dc/" + string(doc)
}

// pagesOf reads all pages of a document, those above before those below. They are whole where all have an id.
func (c *connection) pagesOf(ctx context.Context, doc text, plan provider.Plan) (objects []provider.Object, bad []integration.SyncFailure, whole bool, err error) {
	answer, err := c.get(ctx, c.v3("docs", string(doc), "pages"), url.Values{"max_page_depth": {"-1"}, "content_format": {"text/md"}})
	if err != nil {
		return nil, nil, false, err
	}
	pages := as[requiredList](answer)
	if !pages.ok {
		return nil, nil, false, unexpected("list of pages")
	}
	objects, bad = c.pageObjects(pages.items, doc, "", plan)
	return objects, bad, pages.items != nil && len(bad) == 0, nil
}

func (c *connection) pageObjects(items rawList, doc, above text, plan provider.Plan) (objects []provider.Object, bad []integration.SyncFailure) {
	for _, item := range items {
		p, ok := decodePage(item, doc)
		if !ok {
			bad = append(bad, failure(integration.ObjectDocument, pageID(doc, p.ID), "ClickUp's answer holds a page without a usable id"))
			continue
		}
		if p.Deleted {
			continue
		}
		if above != "" {
			p.Parent = above
		}
		objects = append(objects, c.pageObject(p, doc, plan))
		below, failed := c.pageObjects(p.Pages, doc, p.ID, plan)
		objects, bad = append(objects, below...), append(bad, failed...)
	}
	return objects, bad
}

func decodePage(raw json.RawMessage, doc text) (page, bool) {
	var p page
	ok := decode(raw, &p) && p.ID != "" && len(pageID(doc, p.ID)) <= integration.MaxExternalID
	return p, ok
}

func pageID(doc, page text) string { return string(doc) + "/" + string(page) }

func (c *connection) pageObject(p page, doc text, plan provider.Plan) provider.Object {
	props := properties{}
	props.text("subtitle", p.Subtitle)
	props.text("createdAt", text(p.Created.String()))
	props.text("creatorId", p.Creator)
	parent := string(doc)
	if p.Parent != "" {
		parent = pageID(doc, p.Parent)
	}
	return within(provider.Object{
		Type: integration.ObjectDocument, ExternalID: pageID(doc, p.ID), Kind: "page", Title: titled(p.Name), Content: string(p.Content), Properties: props,
		URL: c.docURL(doc) + "/" + string(p.ID), ParentID: parent, UpdatedAt: p.Updated.Time, Archived: bool(p.Archived),
		Relations: []provider.Relation{{Type: integration.RelParentOf, From: parent}}, Listing: pagesKey(doc),
	}, plan)
}
