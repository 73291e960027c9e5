package store_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

// A list is one of the paged lists, with its nodes as text.
type list struct {
	name string
	page func(args integration.PageArgs) ([]integration.Item[string], integration.Page[struct{}], error)
	add  func(name string)
}

func named[T any](page integration.Page[T], err error, name func(T) string) ([]integration.Item[string], integration.Page[struct{}], error) {
	items := make([]integration.Item[string], len(page.Items))
	for i, item := range page.Items {
		items[i] = integration.Item[string]{Cursor: item.Cursor, Node: name(item.Node)}
	}
	return items, integration.Page[struct{}]{HasNext: page.HasNext, HasPrevious: page.HasPrevious, Total: page.Total}, err
}

// lists are the paged lists of a new database, where 23 rows are in each.
func lists(t *testing.T) []list {
	ctx := context.Background()
	w := newWorkspace(t, nil)
	projects := w.store.Tenant(integration.Scope{Org: "org of projects"})
	all := []list{
		{
			name: "integrations",
			page: func(args integration.PageArgs) ([]integration.Item[string], integration.Page[struct{}], error) {
				page, err := w.tenant.Integrations(ctx, w.project, integration.Filter{}, args, store.With{State: args.First%2 == 0})
				return named(page, err, func(i *integration.PublicIntegration) string { return i.Name })
			},
			add: func(name string) { createIntegration(t, w.tenant, newIntegration(w.project, name)) },
		},
		{
			name: "projects",
			page: func(args integration.PageArgs) ([]integration.Item[string], integration.Page[struct{}], error) {
				page, err := projects.Projects(ctx, args)
				return named(page, err, func(p *integration.Project) string { return strings.ToLower(p.Name) + " " + p.ID.String() })
			},
			add: func(name string) { createProject(t, projects, name) },
		},
	}
	for i := range 23 {
		all[0].add(fmt.Sprintf("name-%02d", i*2))
		// Names that differ in their case alone, or not even in that.
		all[1].add(fmt.Sprintf([]string{"name-%02d", "NAME-%02d", "Name-%02d"}[i%3], i/5))
	}
	return all
}

// walk reads a list page by page; between is called after each page.
func (l list) walk(t *testing.T, first int, between func(seen []string)) []string {
	t.Helper()
	var seen []string
	args := integration.PageArgs{First: first}
	for {
		items, page, err := l.page(args)
		if err != nil {
			t.Fatal(err)
		}
		if page.HasPrevious != (args.After != nil) {
			t.Errorf("HasPrevious is %t after %v", page.HasPrevious, args.After)
		}
		if page.Total != 0 {
			t.Errorf("a total of %d that nobody asked for", page.Total)
		}
		if len(items) > first || page.HasNext && len(items) != first {
			t.Errorf("a page of %d, asked for %d, next %t", len(items), first, page.HasNext)
		}
		for _, item := range items {
			seen = append(seen, item.Node)
		}
		if !page.HasNext {
			return seen
		}
		if len(seen) > 1000 {
			t.Fatalf("the pages do not end: %q", seen[:50])
		}
		args.After = &items[len(items)-1].Cursor
		between(seen)
	}
}

func TestPagesGiveEveryRowOnce(t *testing.T) {
	t.Parallel()
	for _, l := range lists(t) {
		t.Run(l.name, func(t *testing.T) {
			whole, page, err := l.page(integration.PageArgs{First: 200, CountTotal: true})
			if err != nil {
				t.Fatal(err)
			}
			if page.Total != 23 || page.HasNext || len(whole) != 23 {
				t.Errorf("%d of %d, next %t", len(whole), page.Total, page.HasNext)
			}
			want := make([]string, len(whole))
			for i, item := range whole {
				want[i] = item.Node
			}
			if !slices.IsSorted(want) {
				t.Errorf("not in order: %q", want)
			}
			for _, first := range []int{1, 2, 7, 22, 23, 200} {
				if diff := cmp.Diff(want, l.walk(t, first, func([]string) {})); diff != "" {
					t.Errorf("pages of %d (-want +got):\n%s", first, diff)
				}
			}
			last := whole[len(whole)-1].Cursor
			if items, page, err := l.page(integration.PageArgs{First: 5, After: &last, CountTotal: true}); err != nil || len(items) != 0 || page.HasNext || !page.HasPrevious || page.Total != 23 {
				t.Errorf("after the last: %v, %+v, %v", items, page, err)
			}

			// Rows that come while somebody reads: those before the cursor are not seen, those after it are, once.
			turn := 0
			seen := l.walk(t, 7, func([]string) {
				turn++
				l.add(fmt.Sprintf("before-%d", turn))
				l.add(fmt.Sprintf("z-after-%d", turn))
			})
			var added []string
			for _, name := range seen {
				if !slices.Contains(want, name) {
					added = append(added, strings.Fields(name)[0])
				}
			}
			if diff := cmp.Diff([]string{"z-after-1", "z-after-2", "z-after-3"}, added); diff != "" {
				t.Errorf("rows that came meanwhile (-want +got):\n%s", diff)
			}
			if got := slices.DeleteFunc(slices.Clone(seen), func(s string) bool { return !slices.Contains(want, s) }); !slices.Equal(got, want) {
				t.Errorf("of the rows that were there: %q, want %q", got, want)
			}
		})
	}
}

func TestCursorsThatAreNone(t *testing.T) {
	t.Parallel()
	all := lists(t)
	raw := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for i, l := range all {
		items, _, err := l.page(integration.PageArgs{First: 1})
		if err != nil {
			t.Fatal(err)
		}
		good := items[0].Cursor
		others, _, err := all[1-i].page(integration.PageArgs{First: 1})
		if err != nil {
			t.Fatal(err)
		}
		for name, cursor := range map[string]string{
			"empty":              "",
			"of another list":    others[0].Cursor,
			"cut off":            good[:len(good)-2],
			"longer":             good + "AA",
			"other alphabet":     good + "+/",
			"a line break":       good + "\n",
			"NUL":                "\x00",
			"NUL inside":         integration.EncodeCursor(l.name, "a\x00b"),
			"NUL and id":         integration.EncodeCursor(l.name, "a\x00b", uuid.NewString()),
			"invalid UTF-8":      raw(`["` + l.name + `","` + "\xff" + `"]`),
			"lone surrogate":     raw(`["` + l.name + `","\ud800"]`),
			"no key":             integration.EncodeCursor(l.name),
			"keys too many":      integration.EncodeCursor(l.name, "a", uuid.NewString(), "c"),
			"no id":              integration.EncodeCursor(l.name, "a", "b"),
			"id of another form": integration.EncodeCursor(l.name, "a", "urn:uuid:"+uuid.NewString(), "x"),
			"no list":            raw(`{}`),
			"numbers":            raw(`["` + l.name + `",1]`),
			"null":               raw(`["` + l.name + `",null]`),
			"very long":          integration.EncodeCursor(l.name, strings.Repeat("x", 10_000)),
		} {
			_, _, err := l.page(integration.PageArgs{First: 1, After: &cursor})
			if e := err; e == nil {
				t.Errorf("%s: %s was taken", l.name, name)
				continue
			}
			t.Run(l.name+" "+name, func(t *testing.T) { wantKind(t, err, integration.KindInvalid, "after") })
		}
	}
}

func TestSearchIsLiteral(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	for name, texts := range map[string][2]string{
		"percent":    {"100% done", ""},
		"underscore": {"snake_case", ""},
		"backslash":  {`C:\temp`, ""},
		"plain":      {"Plain", "described as ÄPFEL"},
		"other":      {"1000 done", "snakeXcase"},
	} {
		n := newIntegration(w.project, name)
		n.DisplayName = texts[0]
		if texts[1] != "" {
			n.Description = &texts[1]
		}
		n.Enabled = name != "other"
		createIntegration(t, w.tenant, n)
	}
	found := func(f integration.Filter) []string {
		t.Helper()
		page, err := w.tenant.Integrations(context.Background(), w.project, f, integration.PageArgs{First: 10, CountTotal: true}, store.With{})
		if err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, item := range page.Items {
			names = append(names, item.Node.Name)
		}
		if page.Total != len(names) {
			t.Errorf("%d found, and a total of %d", len(names), page.Total)
		}
		return names
	}
	everything := []string{"backslash", "other", "percent", "plain", "underscore"}
	for search, want := range map[string][]string{
		"%":          {"percent"},
		"0%":         {"percent"},
		"_":          {"underscore"},
		"snake_case": {"underscore"},
		`\`:          {"backslash"},
		`:\t`:        {"backslash"},
		`\_`:         {},
		"%%":         {},
		"DONE":       {"other", "percent"},
		"Äpfel":      {"plain"},
		"PERCENT":    {"percent"},
		"":           everything,
		"'; --":      {},
	} {
		if diff := cmp.Diff(want, found(integration.Filter{Search: &search})); diff != "" {
			t.Errorf("search %q (-want +got):\n%s", search, diff)
		}
	}
	for _, test := range []struct {
		filter integration.Filter
		want   []string
	}{
		{integration.Filter{}, everything},
		{integration.Filter{Name: ptr("plain")}, []string{"plain"}},
		{integration.Filter{Name: ptr("pla%")}, []string{}},
		{integration.Filter{Enabled: ptr(false)}, []string{"other"}},
		{integration.Filter{Enabled: ptr(true), Search: ptr("done")}, []string{"percent"}},
	} {
		if diff := cmp.Diff(test.want, found(test.filter)); diff != "" {
			t.Errorf("filter %s (-want +got):\n%s", toJSON(t, test.filter), diff)
		}
	}
}

func TestTextThatPostgreSQLCannotHold(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	createIntegration(t, w.tenant, newIntegration(w.project, "clickup"))
	for _, bad := range []string{"a\x00b", "\x00", "a\xffb"} {
		create := func(change func(*store.NewIntegration)) error {
			n := newIntegration(w.project, "new")
			change(&n)
			_, err := w.tenant.CreateIntegration(ctx, ring(), n, store.With{})
			return err
		}
		for name, call := range map[string]func() error{
			"search": func() error {
				_, err := w.tenant.Integrations(ctx, w.project, integration.Filter{Search: &bad}, integration.PageArgs{First: 1}, store.With{})
				return err
			},
			"name": func() error {
				_, err := w.tenant.Integrations(ctx, w.project, integration.Filter{Name: &bad}, integration.PageArgs{First: 1}, store.With{})
				return err
			},
			"integration":         func() error { _, err := w.tenant.Integration(ctx, w.project, bad, store.With{State: true}); return err },
			"version":             func() error { _, err := w.tenant.IntegrationVersion(ctx, w.project, bad); return err },
			"delete":              func() error { _, err := w.tenant.DeleteIntegration(ctx, w.project, bad); return err },
			"project":             func() error { _, err := w.tenant.CreateProject(ctx, uuid.New(), bad); return err },
			"create name":         func() error { return create(func(n *store.NewIntegration) { n.Name = bad }) },
			"create display name": func() error { return create(func(n *store.NewIntegration) { n.DisplayName = bad }) },
			"create description":  func() error { return create(func(n *store.NewIntegration) { n.Description = &bad }) },
			"create secret name":  func() error { return create(func(n *store.NewIntegration) { n.Secrets = secrets(bad, "x") }) },
			"update": func() error {
				_, err := update(w.tenant, ring(), w.project, "clickup", store.IntegrationUpdate{DisplayName: &bad})
				return err
			},
			"update removed": func() error {
				_, err := update(w.tenant, ring(), w.project, "clickup", store.IntegrationUpdate{Removed: []string{bad}})
				return err
			},
			"key": func() error {
				n := newKey(nil)
				n.Name = bad
				_, err := w.tenant.CreateAPIKey(ctx, n)
				return err
			},
		} {
			if err := call(); !integration.IsKind(err, integration.KindInvalid) {
				t.Errorf("%s %q: %v", name, bad, err)
			}
		}
	}
	n := newIntegration(w.project, "new")
	n.PublicSettings = map[string]any{"workspace_id": "a\x00b"}
	_, err := w.tenant.CreateIntegration(ctx, ring(), n, store.With{})
	wantKind(t, err, integration.KindInvalid, "")
	_, err = update(w.tenant, ring(), w.project, "clickup", store.IntegrationUpdate{PublicSettings: map[string]any{"a\x00": 1}})
	wantKind(t, err, integration.KindInvalid, "")
}
