package store_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

// Objects are numbered in the order of commits: who reads on from the last number misses none, however many write.
func TestNoChangeIsSkipped(t *testing.T) {
	t.Parallel()
	const writers, steps, perStep = 4, 25, 7
	ctx := context.Background()
	w, id, run := newRun(t)
	var all sync.WaitGroup
	for n := range writers {
		all.Go(func() {
			for i := range steps {
				var step store.SyncStep
				for j := range perStep {
					step.Objects = append(step.Objects, task(fmt.Sprintf("%d-%d", n, j), fmt.Sprint(i)))
				}
				commit(t, w.tenant, run, step)
			}
		})
	}
	written := make(chan struct{})
	go func() { all.Wait(); close(written) }()
	latest := map[string]string{}
	var after *string
	seen := int64(0)
	for done := false; ; {
		select {
		case <-written:
			done = true
		default:
		}
		page, err := w.tenant.SyncedObjects(ctx, id, integration.SyncedObjectFilter{}, integration.PageArgs{First: 5, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			latest[item.Node.ExternalID] = item.Node.Title
			keys, err := integration.DecodeCursor("after", "syncedObjects", item.Cursor, 1)
			if err != nil {
				t.Fatal(err)
			}
			seq, err := strconv.ParseInt(keys[0], 10, 64)
			if err != nil || seq <= seen {
				t.Fatalf("%d after %d, %v", seq, seen, err)
			}
			seen, after = seq, &item.Cursor
		}
		if len(page.Items) == 0 && done {
			break
		}
	}
	if len(latest) != writers*perStep {
		t.Errorf("%d objects were read, want %d", len(latest), writers*perStep)
	}
	for id, title := range latest {
		if title != fmt.Sprint(steps-1) {
			t.Errorf("the last change of %s that was read is %s", id, title)
		}
	}
}

func TestWhatReadersSee(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, id, run := newRun(t)
	list := task("list", "The list")
	list.Type, list.Relations, list.HasDetails = integration.ObjectCollection, nil, false
	about := task("t3", "About blue whales")
	about.Content = ptr("They sing, and are rarely seen.")
	objects := []store.ImportedObject{list, task("t1", "Blue paint"), task("t2", "Red paint"), about}
	for i := range objects[1:] {
		objects[i+1].ParentID = ptr("list")
	}
	commit(t, w.tenant, run, store.SyncStep{
		Objects: objects, Seen: []string{"list", "t1", "t3"}, Covered: []string{"tasks"},
	})
	age(t, w.root)
	if _, err := w.tenant.BeginSweep(ctx, run, store.FirstFence, store.SweepRules{}); err != nil {
		t.Fatal(err)
	}
	tombstone(t, w.tenant, run)
	for _, c := range []struct {
		filter integration.SyncedObjectFilter
		want   string
	}{
		{integration.SyncedObjectFilter{}, "list t1 t3"},
		{integration.SyncedObjectFilter{IncludeDeleted: true}, "list t1 t3 t2"}, // deleting is a change
		{integration.SyncedObjectFilter{Type: ptr(integration.ObjectTask)}, "t1 t3"},
		{integration.SyncedObjectFilter{Search: ptr("BLUE")}, "t1 t3"},
		{integration.SyncedObjectFilter{Search: ptr("blue -paint")}, "t3"},
		{integration.SyncedObjectFilter{Search: ptr(`"rarely seen"`)}, "t3"},
		{integration.SyncedObjectFilter{Search: ptr("paint"), IncludeDeleted: true}, "t1 t2"},
		{integration.SyncedObjectFilter{Search: ptr("list"), Type: ptr(integration.ObjectTask)}, ""},
		{integration.SyncedObjectFilter{Search: ptr("' & | ! ( :*")}, ""},
		{integration.SyncedObjectFilter{ExternalParentID: ptr("list")}, "t1 t3"},
		{integration.SyncedObjectFilter{ExternalParentID: ptr("list"), IncludeDeleted: true}, "t1 t3 t2"},
		{integration.SyncedObjectFilter{ExternalParentID: ptr("list"), Search: ptr("blue -paint")}, "t3"},
		{integration.SyncedObjectFilter{ExternalParentID: ptr("list"), Type: ptr(integration.ObjectUser)}, ""},
		{integration.SyncedObjectFilter{ExternalParentID: ptr("t1")}, ""},
	} {
		var got []string
		var after *string
		for {
			page, err := w.tenant.SyncedObjects(ctx, id, c.filter, integration.PageArgs{First: 1, After: after, CountTotal: true})
			if err != nil {
				t.Fatalf("%+v: %v", c.filter, err)
			}
			if want := len(strings.Fields(c.want)); page.Total != want {
				t.Errorf("%+v: the total is %d, want %d", c.filter, page.Total, want)
			}
			for _, item := range page.Items {
				got, after = append(got, item.Node.ExternalID), &item.Cursor
			}
			if !page.HasNext {
				break
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", toJSON(t, c.filter), got, c.want)
		}
	}
	page, err := w.tenant.SyncedObjects(ctx, id, integration.SyncedObjectFilter{}, integration.PageArgs{First: 5})
	if err != nil {
		t.Fatal(err)
	}
	var found []*integration.SyncedObject
	for _, item := range page.Items {
		found = append(found, item.Node)
	}
	targets, err := w.tenant.Relate(ctx, found, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(targets) != 1 || found[1].Relationships[0].Target != targets[0] || found[2].Relationships[0].Target != targets[0] {
		t.Errorf("the list is read %d times", len(targets))
	}
	related := map[string][]string{}
	for _, o := range found {
		for _, r := range o.Relationships {
			related[o.ExternalID] = append(related[o.ExternalID], string(r.Type)+" "+r.Target.Title)
		}
	}
	if diff := cmp.Diff(map[string][]string{"t1": {"BELONGS_TO The list"}, "t3": {"BELONGS_TO The list"}}, related); diff != "" {
		t.Error(diff)
	}
	if o := found[2]; *o.Content != *about.Content || o.ExternalSource != "clickup" || o.Properties["a"] != 1.0 {
		t.Errorf("%+v", o)
	}
}

// An object has its relationships to what is there, however many others it had.
func TestRelationshipsToTheLiving(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, id, run := newRun(t)
	hub := task("hub", "Hub")
	hub.Relations = nil
	step := store.SyncStep{}
	for i := range 250 {
		o := task(fmt.Sprintf("t%03d", i), "Task")
		o.Relations = nil
		step.Objects = append(step.Objects, o)
		hub.Relations = append(hub.Relations, store.ImportedRelation{Type: integration.RelParentOf, Source: "hub", Target: o.ExternalID})
	}
	step.Objects = append(step.Objects, hub)
	commit(t, w.tenant, run, step)
	execute(t, w.root, `UPDATE kb.synced_objects SET deleted_at = now() WHERE external_id < 't140' AND external_id > 't'`)
	o, err := w.tenant.SyncedObject(ctx, id, "hub")
	if err == nil {
		_, err = w.tenant.Relate(ctx, []*integration.SyncedObject{o}, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	if n := len(o.Relationships); n != 100 || o.Relationships[0].Target.ExternalID != "t140" || o.Relationships[99].Target.ExternalID != "t239" {
		t.Errorf("%d relationships", n)
	}
}

// However large the contents, an answer holds a bounded part of them.
func TestLargeContentsComeInParts(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, id, run := newRun(t)
	const pages, size = 20, 3 << 20
	step := store.SyncStep{Objects: []store.ImportedObject{task("hub", "Hub")}}
	step.Objects[0].Relations = nil
	for i := range pages {
		o := task(fmt.Sprintf("t%02d", i), "Page")
		o.Content, o.Relations = ptr(strings.Repeat("words ", size/6)), nil
		step.Objects = append(step.Objects, o)
		step.Objects[0].Relations = append(step.Objects[0].Relations, store.ImportedRelation{Type: integration.RelParentOf, Source: "hub", Target: o.ExternalID})
	}
	commit(t, w.tenant, run, step)
	var got []string
	var hub *integration.SyncedObject
	for args := (integration.PageArgs{First: 200}); ; {
		page, err := w.tenant.SyncedObjects(ctx, id, integration.SyncedObjectFilter{}, args)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(page.Items); n == 0 || n > 7 {
			t.Fatalf("a page has %d objects", n)
		}
		for _, item := range page.Items {
			got, args.After = append(got, item.Node.ExternalID), &item.Cursor
			if item.Node.ExternalID == "hub" {
				hub = item.Node
			}
		}
		if !page.HasNext {
			break
		}
	}
	if slices.Sort(got); len(got) != pages+1 || len(slices.Compact(got)) != pages+1 {
		t.Errorf("the pages have %v", got)
	}
	targets, err := w.tenant.Relate(ctx, []*integration.SyncedObject{hub}, false)
	if err != nil || len(targets) != pages || len(hub.Relationships) != pages || targets[0].Content != nil || targets[0].Title != "Page" {
		t.Errorf("%d targets without their texts, %v", len(targets), err)
	}
	if _, err := w.tenant.Relate(ctx, []*integration.SyncedObject{hub}, true); !integration.IsKind(err, integration.KindInvalid) {
		t.Errorf("all texts at once: %v", err)
	}
}

// What no text search of PostgreSQL's takes whole is stored all the same, and what it refuses is told apart.
func TestLargeTexts(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, _, run := newRun(t)
	var compound strings.Builder
	for i := range 30_000 {
		fmt.Fprintf(&compound, "漢%d-字%d ", i, i)
	}
	large := task("t1", strings.Repeat("Ж", 4000))
	large.Content = ptr(compound.String())
	commit(t, w.tenant, run, store.SyncStep{Objects: []store.ImportedObject{large}})
	bad := task("t2", "Task")
	bad.Properties = []byte(`{"a": "\u0000"}`)
	_, _, err := w.tenant.CommitSync(ctx, run, store.FirstFence, store.SyncStep{Stage: store.StageImport, Objects: []store.ImportedObject{bad}})
	if !store.IsValueRefused(err) {
		t.Errorf("a value that cannot be stored: %v", err)
	}
}

// With 200,000 objects a search reads a small part of them, and so does following changes.
func TestObjectsAreFoundByIndex(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	execute(t, w.root, `SET synchronous_commit = on`) // or VACUUM could not mark pages as visible to all
	execute(t, w.root, `
		INSERT INTO kb.synced_objects (id, integration_id, org_id, project_id, type, external_id, external_parent_id, title, content, properties, listing, content_hash, change_seq)
		SELECT gen_random_uuid(), $1, $2, $3, CASE n % 10000 WHEN 0 THEN 'USER' ELSE 'TASK' END, n, 'p' || n / 50, 'Task number' || n, 'word' || n % 5000 || ' and more text to fill it', jsonb_build_object('much', repeat('x', 600)), 'tasks', decode(repeat('ab', 32), 'hex'), n
		FROM generate_series(1, 200000) n`, id, org, w.project)
	execute(t, w.root, `
		INSERT INTO kb.synced_objects (id, integration_id, org_id, project_id, type, external_id, title, content, listing, content_hash, change_seq)
		SELECT gen_random_uuid(), $1, $2, $3, 'TASK', n, 'Task number' || n, 'foreign matters', 'tasks', decode(repeat('ab', 32), 'hex'), n
		FROM generate_series(1, 100000) n`, uuid.New(), "org-b", uuid.New())
	execute(t, w.root, `VACUUM ANALYZE kb.synced_objects`)
	for name, c := range map[string]struct {
		filter integration.SyncedObjectFilter
		want   int
		total  int // 0 is not asked for
		most   int // buffers; the table has some 20,000
	}{
		"a rare word":                     {integration.SyncedObjectFilter{Search: ptr("word4321")}, 40, 0, 1000},
		"two words":                       {integration.SyncedObjectFilter{Search: ptr("word4321 number4321")}, 1, 0, 1000},
		"a phrase of all":                 {integration.SyncedObjectFilter{Search: ptr(`"more text" -word1`)}, 50, 0, 1000},
		"a word of another tenant":        {integration.SyncedObjectFilter{Search: ptr("foreign")}, 0, 0, 500},
		"what is below one":               {integration.SyncedObjectFilter{ExternalParentID: ptr("p3000")}, 50, 50, 1000},
		"a word below one":                {integration.SyncedObjectFilter{ExternalParentID: ptr("p3000"), Search: ptr("word17")}, 1, 1, 1000},
		"no search":                       {integration.SyncedObjectFilter{}, 50, 0, 1000},
		"a rare type":                     {integration.SyncedObjectFilter{Type: ptr(integration.ObjectUser)}, 20, 20, 4000}, // the index is as large as that
		"all":                             {integration.SyncedObjectFilter{}, 50, 200_000, 4000},
		"all with those that are deleted": {integration.SyncedObjectFilter{IncludeDeleted: true}, 50, 0, 1000},
	} {
		tr := &tracer{}
		tenant := w.db.Open(t, catalogue, tr).Tenant(integration.Scope{Org: org, Projects: []uuid.UUID{w.project}})
		after := integration.EncodeCursor("syncedObjects", "1000")
		page, err := tenant.SyncedObjects(ctx, id, c.filter, integration.PageArgs{First: 50, After: &after, CountTotal: c.total > 0})
		if err != nil || len(page.Items) != c.want || page.Total != c.total {
			t.Fatalf("%s: %d of %d found, %v", name, len(page.Items), page.Total, err)
		}
		serve := w.db.Connect(t, "", "")
		execute(t, serve, "SET ROLE patchbay_serve")
		for _, sent := range tr.take() {
			for i, sql := range sent.sql {
				if !strings.Contains(sql, "kb.synced_objects") {
					continue
				}
				for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
					tx, err := serve.Begin(ctx)
					if err != nil {
						t.Fatal(err)
					}
					execute(t, tx, store.SetScope, sent.args[0]...)
					execute(t, tx, `SELECT set_config('plan_cache_mode', $1, true), set_config('enable_seqscan', 'off', true)`, mode) // as byIndex does
					plan := strings.Join(column[string](t, tx, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) "+sql, sent.args[i]...), "\n")
					if n := buffers(t, plan); n > c.most {
						t.Errorf("%s with %s touches %d buffers:\n%s", name, mode, n, plan)
					}
					if err := tx.Rollback(ctx); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}

var hits = regexp.MustCompile(`Buffers: shared hit=(\d+)(?: read=(\d+))?`)

// buffers is how many blocks the statement of a plan touched.
func buffers(t testing.TB, plan string) (n int) {
	t.Helper()
	first := hits.FindStringSubmatch(plan)
	if first == nil {
		t.Fatalf("no buffers in the plan:\n%s", plan)
	}
	for _, number := range first[1:] {
		k, _ := strconv.Atoi(number) // empty where nothing was read
		n += k
	}
	return n
}

// What a large import left is removed in steps, after its integration, and nobody else's.
func TestLargeImportsGoInSteps(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	large := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	other := createIntegration(t, w.tenant, newIntegration(w.project, "clickup-2")).ID
	fill := func(id uuid.UUID, n int) {
		execute(t, w.root, `
			INSERT INTO kb.synced_objects (id, integration_id, org_id, project_id, type, external_id, title, listing, content_hash, change_seq)
			SELECT gen_random_uuid(), $1, $2, $3, 'TASK', n, 'Task', 'tasks', decode(repeat('ab', 32), 'hex'), n
			FROM generate_series(1, $4) n`, id, org, w.project, n)
		execute(t, w.root, `
			INSERT INTO kb.synced_relationships (integration_id, org_id, project_id, source_id, type, target_id, stated_by)
			SELECT $1, $2, $3, n, 'BELONGS_TO', 'list', n
			FROM generate_series(1, $4) n`, id, org, w.project, n)
	}
	fill(large, 12_000)
	fill(other, 10)
	left := func(id uuid.UUID) []int {
		return column[int](t, w.root, `
			SELECT count(*)::int FROM kb.synced_objects WHERE integration_id = $1
			UNION ALL
			SELECT count(*)::int FROM kb.synced_relationships WHERE integration_id = $1`, id)
	}
	if deleted, err := w.tenant.DeleteIntegration(ctx, w.project, "clickup"); err != nil || *deleted != large {
		t.Fatal(deleted, err)
	}
	if diff := cmp.Diff([]int{7000, 7000}, left(large)); diff != "" {
		t.Errorf("after the deletion (-want +got):\n%s", diff)
	}
	db := w.db.Open(t, catalogue, nil)
	for steps := 0; ; steps++ {
		more, err := db.ForgetMore(ctx, 5000)
		if err != nil || steps > 5 {
			t.Fatal(steps, err)
		}
		if !more {
			break
		}
	}
	if diff := cmp.Diff([]int{0, 0, 10, 10}, append(left(large), left(other)...)); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
}
