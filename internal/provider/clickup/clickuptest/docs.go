package clickuptest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

type doc struct {
	Doc
	number  int
	deleted bool
	pages   []*page // first those at the top, in their order
}

type page struct {
	Page
	doc    *doc
	number int
	seeded bool // its content is still the seed's, and made when asked for
	pages  []*page
}

func (s *Server) sowDoc(w *workspace, i int) {
	s.docsMade++
	n := s.docsMade
	d := &doc{number: n, Doc: Doc{
		ID: s.docID(n), WorkspaceID: w.ID, Name: named(docs, i), ParentID: w.ID, ParentType: 12, Creator: pick(s.users, s.draw(n, 70)).ID,
		Created: seedBegins + int64(n)*minute, Archived: !s.opts.Plain && i%9 == 8,
	}}
	if len(w.spaces) > 0 && i%3 != 0 {
		sp := pick(w.spaces, uint64(i))
		d.ParentID, d.ParentType = sp.ID, 4
		if len(sp.folders) > 0 && i%3 == 2 {
			d.ParentID, d.ParentType = sp.folders[0].ID, 5
		}
	}
	d.Updated = d.Created
	var above *page
	for j := range s.opts.PagesPerDoc {
		p := s.newPage(d, nil, named(pages, j), d.Creator, d.Created+int64(j)*minute)
		if j%3 == 2 {
			d.pages = d.pages[:len(d.pages)-1]
			p.Parent = above.ID
			above.pages = append(above.pages, p)
		}
		p.seeded = true
		above = p
		d.Updated = p.Updated
	}
	w.docs = append(w.docs, d)
	s.docs[d.ID] = d
}

func (s *Server) docID(n int) string {
	return strconv.FormatInt(400_000_000+int64(s.opts.Seed%9000)*1000, 36) + "-" + strconv.Itoa(n*10+1)
}

func (s *Server) newPage(d *doc, parent *page, name string, creator, now int64) *page {
	s.pagesMade++
	p := &page{doc: d, number: s.pagesMade, Page: Page{
		ID: strconv.FormatInt(400_000_000+int64(s.opts.Seed%9000)*1000, 36) + "-" + strconv.Itoa(s.pagesMade*10+2), DocID: d.ID, WorkspaceID: d.WorkspaceID,
		Name: name, Creator: creator, Created: now, Updated: now,
	}}
	if parent == nil {
		d.pages = append(d.pages, p)
	} else {
		p.Parent = parent.ID
		parent.pages = append(parent.pages, p)
	}
	s.pages[p.ID] = p
	return p
}

func (s *Server) content(p *page) string {
	if !p.seeded {
		return p.Content
	}
	r := s.draw(p.number, 71)
	var b strings.Builder
	b.WriteString("# " + p.Name + "\n\n")
	for i := range 2 + r%4 {
		b.WriteString("## " + pick(objects, r>>8+i) + "\n\n" + pick(sentences, r>>16+i) + " " + pick(sentences, r>>20+3*i) + "\n\n* " + pick(steps, r>>24+i) + "\n* " + pick(steps, r>>28+i) + "\n\n")
	}
	return b.String()
}

// getDocs pages by a cursor, the id of the last document of the page before.
func (s *Server) getDocs(c *call) answer {
	w := s.workspace(c, c.PathValue("workspace_id"))
	if w == nil {
		return unauthorized()
	}
	limit := 50
	if asked := c.query.Get("limit"); asked != "" {
		n, err := strconv.Atoi(asked)
		if err != nil || n < 10 || n > 100 {
			return refuse(http.StatusBadRequest, "limit must be between 10 and 100", "INPUT_003")
		}
		limit = n
	}
	cursor := c.query.Get("cursor")
	if cursor == "" {
		cursor = c.query.Get("next_cursor")
	}
	after := 0
	if cursor != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(cursor, "doc:"))
		if err != nil {
			return refuse(http.StatusBadRequest, "cursor is invalid", "INPUT_003")
		}
		after = n
	}
	kinds := map[string]int{"SPACE": 4, "FOLDER": 5, "LIST": 6, "EVERYTHING": 7, "WORKSPACE": 12}
	kind, named := kinds[c.query.Get("parent_type")]
	if !named {
		kind, _ = strconv.Atoi(c.query.Get("parent_type"))
	}
	found := []shape{}
	next := ""
	for _, d := range w.docs {
		if d.number <= after || d.deleted != c.flag("deleted") || d.Archived != c.flag("archived") || kind != 0 && kind != d.ParentType ||
			!c.names("id", d.ID) || !c.names("parent_id", d.ParentID) || !c.names("creator", ms(d.Creator)) {
			continue
		}
		if len(found) == limit {
			next = "doc:" + strconv.Itoa(after)
			break
		}
		found = append(found, d.shape())
		if len(found) == limit {
			after = d.number
		}
	}
	reply := shape{"docs": found}
	if next != "" {
		reply["next_cursor"] = next
	}
	return c.reply(reply)
}

func (d *doc) shape() shape {
	workspace, _ := strconv.ParseInt(d.WorkspaceID, 10, 64)
	return shape{
		"id": d.ID, "date_created": d.Created, "date_updated": d.Updated, "name": d.Name, "type": 1, "parent": shape{"id": d.ParentID, "type": d.ParentType},
		"public": false, "workspace_id": workspace, "creator": d.Creator, "deleted": d.deleted, "archived": d.Archived,
	}
}

// doc finds the document of a path.
func (s *Server) doc(c *call) (*doc, answer) {
	if s.workspace(c, c.PathValue("workspace_id")) == nil {
		return nil, unauthorized()
	}
	d := s.docs[c.PathValue("doc_id")]
	if d == nil || d.deleted || d.WorkspaceID != c.PathValue("workspace_id") {
		return nil, answer{http.StatusNotFound, mustJSON(shape{"status": http.StatusNotFound, "message": "Doc not found"})}
	}
	return d, answer{}
}

func (s *Server) getDoc(c *call) answer {
	d, refusal := s.doc(c)
	if d == nil {
		return refusal
	}
	return c.reply(d.shape())
}

func (s *Server) getPageListing(c *call) answer {
	d, refusal := s.doc(c)
	if d == nil {
		return refusal
	}
	return c.reply(s.pageShapes(d.pages, depth(c), "", false))
}

func (s *Server) getPages(c *call) answer {
	d, refusal := s.doc(c)
	if d == nil {
		return refusal
	}
	return c.reply(s.pageShapes(d.pages, depth(c), c.query.Get("content_format"), true))
}

func (s *Server) getPage(c *call) answer {
	d, refusal := s.doc(c)
	if d == nil {
		return refusal
	}
	p := s.pages[c.PathValue("page_id")]
	if p == nil || p.doc != d {
		return answer{http.StatusNotFound, mustJSON(shape{"status": http.StatusNotFound, "message": "Page not found"})}
	}
	return c.reply(s.pageShapes([]*page{p}, -1, c.query.Get("content_format"), true)[0])
}

// depth is -1 for all.
func depth(c *call) int {
	n, err := strconv.Atoi(c.query.Get("max_page_depth"))
	if err != nil {
		return -1
	}
	return n
}

func (s *Server) pageShapes(pages []*page, depth int, format string, contents bool) []shape {
	all := []shape{}
	for _, p := range pages {
		workspace, _ := strconv.ParseInt(p.WorkspaceID, 10, 64)
		one := shape{"id": p.ID, "doc_id": p.DocID, "workspace_id": workspace, "name": p.Name}
		if p.Parent != "" {
			one["parent_page_id"] = p.Parent
		}
		if contents {
			text := s.content(p)
			if format == "text/plain" {
				text = plain(text)
			}
			one["content"], one["date_created"], one["date_updated"] = text, p.Created, p.Updated
			one["creator_id"], one["authors"], one["deleted"], one["archived"] = p.Creator, []int64{p.Creator}, false, false
		}
		if len(p.pages) > 0 && depth != 0 {
			one["pages"] = s.pageShapes(p.pages, depth-1, format, contents)
		}
		all = append(all, one)
	}
	return all
}

// remove takes a page and those below it out of their document.
func (s *Server) removePage(p *page) {
	for _, below := range slices.Clone(p.pages) {
		s.removePage(below)
	}
	siblings := &p.doc.pages
	if above := s.pages[p.Parent]; above != nil {
		siblings = &above.pages
	}
	*siblings = slices.DeleteFunc(*siblings, func(other *page) bool { return other == p })
	delete(s.pages, p.ID)
	s.gone[p.ID] = true
}
