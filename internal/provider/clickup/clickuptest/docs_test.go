package clickuptest_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"patchbay/internal/provider/clickup/clickuptest"
)

func TestTheCursorOfDocsEndsWhereItShould(t *testing.T) {
	t.Parallel()
	for docs, want := range map[int]int{0: 1, 9: 1, 10: 1, 11: 2, 20: 2, 21: 3} {
		t.Run(strconv.Itoa(docs), func(t *testing.T) {
			t.Parallel()
			c := start(t, clickuptest.Options{Docs: docs, Plain: true})
			found, pages := map[string]bool{}, 0
			for cursor, more := "", true; more; pages++ {
				body := c.get("/api/v3/workspaces/%s/docs?limit=10%s", c.workspace(), cursor)
				for id := range ids(objects(body["docs"])) {
					found[id] = true
				}
				next, ok := body["next_cursor"].(string)
				cursor, more = "&cursor="+next, ok
			}
			if len(found) != docs || pages != want {
				t.Errorf("%d docs on %d pages, want %d", len(found), pages, want)
			}
		})
	}
}

func TestPagesNestToTheDepthAskedFor(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Options{})
	doc := c.srv.CreateDoc(c.workspace(), c.workspace(), "Plan").ID
	top := c.srv.CreatePage(doc, "", "Top", "# Top\n\n**Bold** text")
	middle := c.srv.CreatePage(doc, top.ID, "Middle", "")
	c.srv.CreatePage(doc, middle.ID, "Bottom", "")
	nested := func(query string) string {
		names := ""
		for pages := c.array("/api/v3/workspaces/%s/docs/%s/pages?%s", c.workspace(), doc, query); len(pages) > 0; pages = objects(pages[0]["pages"]) {
			names += pages[0]["name"].(string) + " "
		}
		return names
	}
	for query, want := range map[string]string{"": "Top Middle Bottom ", "max_page_depth=-1": "Top Middle Bottom ", "max_page_depth=1": "Top Middle ", "max_page_depth=0": "Top "} {
		if got := nested(query); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
	path := "/api/v3/workspaces/%s/docs/%s/pages/%s?content_format=%s"
	if got := c.get(path, c.workspace(), doc, top.ID, "text/md")["content"]; got != "# Top\n\n**Bold** text" {
		t.Errorf("as Markdown: %q", got)
	}
	if got := c.get(path, c.workspace(), doc, top.ID, "text/plain")["content"]; got != "Top\n\nBold text" {
		t.Errorf("as text: %q", got)
	}
	c.srv.UpdatePage(middle.ID, func(p *clickuptest.Page) { p.Content = strings.Repeat("x", 10) })
	c.srv.DeletePage(top.ID)
	c.refused(http.StatusNotFound, path, c.workspace(), doc, middle.ID, "text/md")
	c.srv.DeleteDoc(doc)
	c.refused(http.StatusNotFound, "/api/v3/workspaces/%s/docs/%s", c.workspace(), doc)
	if deleted := objects(c.get("/api/v3/workspaces/%s/docs?deleted=true", c.workspace())["docs"]); len(deleted) != 1 || deleted[0]["id"] != doc {
		t.Errorf("deleted docs: %v", deleted)
	}
}
