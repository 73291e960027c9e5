package clickup_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/provider"
	"patchbay/internal/provider/clickup/clickuptest"
)

// odd answers as ClickUp's contract and its examples have it, though its servers do not: folders whose lists are strings, or not
// described, folders in folders, and places that are none.
func odd(t *testing.T) provider.Connection {
	srv := newServer(clickuptest.Options{Seed: 60, Members: 1})
	answers := map[string]string{
		"/team/" + workspace(srv) + "/space?false": `{"spaces":[{"id":790,"name":"Space"},{"name":"no id"},null]}`,
		"/space/790/folder?false": `{"folders":[
			{"id":"30","name":"Inner","parent_folder":"40","lists":["1"],"archived":null},
			{"id":40,"name":"Outer","parent_folder":null,"lists":[{"id":"2","name":"not described"}]},
			{"id":"50","name":"Circle","parent_folder":"60","lists":[]},{"id":"60","name":"Circle","parent_folder":{"id":"50"},"lists":null},
			{"id":"70","name":"Lost","parent_folder":"99","lists":[{"id":"4","name":"Described","content":null,"task_count":"7"}]}]}`,
		"/space/790/list?false": `{"lists":[{"id":"5","name":"Loose","content":"Text","task_count":null},"x"]}`,
		"/folder/30/list?false": `{"lists":[{"id":"1","name":"One","content":""}]}`,
		"/folder/40/list?false": `{"lists":[{"id":"2","name":"Two","content":"About two"}]}`,
		"/folder/50/list?false": `{"lists":[]}`, "/folder/60/list?false": `{"lists":null}`,
		"/folder/70/list?false": `{"lists":[{"id":"4","name":"Described"}]}`,
	}
	return connectHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer, ok := answers[r.URL.Path[len("/api/v2"):]+"?"+r.URL.Query().Get("archived")]; ok {
			_, _ = fmt.Fprint(w, answer)
		} else if r.URL.Query().Get("archived") == "true" {
			_, _ = fmt.Fprint(w, `{"spaces":[],"folders":[],"lists":[]}`)
		} else if len(r.URL.Path) > 12 && r.URL.Path[:12] == "/api/v2/list" {
			_, _ = fmt.Fprint(w, `{"tasks":[],"last_page":true}`)
		} else {
			srv.ServeHTTP(w, r)
		}
	}), srv)
}

func TestOddPlacesAreReadAllTheSame(t *testing.T) {
	t.Parallel()
	got := read(t, odd(t), provider.Plan{Options: provider.Options{BatchSize: 100}}, nil)
	if got.err != nil {
		t.Fatal(got.err)
	}
	parents := map[string]string{}
	for id, o := range got.objects {
		if o.Kind == "folder" || o.Kind == "list" {
			parents[id] = o.ParentID
		}
	}
	want := map[string]string{"30": "40", "40": "790", "50": "790", "60": "50", "70": "790", "1": "30", "2": "40", "4": "70", "5": "790"}
	if diff := cmp.Diff(want, parents); diff != "" {
		t.Error(diff)
	}
	if got.objects["2"].Content != "About two" || len(got.failed) != 3 {
		t.Errorf("list 2 is %+v, failed: %v", got.objects["2"], got.failed)
	}
	if got.covered["space:790/lists"] || !got.covered["space:790/folders"] || !got.covered["folder:40/lists"] {
		t.Errorf("covered: %v", got.covered)
	}
}

func TestASelectedFolderBringsThoseItLiesInAndThoseInIt(t *testing.T) {
	t.Parallel()
	for selection, want := range map[string][]string{"30": {"30", "40"}, "40": {"30", "40"}, "1": {"30", "40"}} {
		got := read(t, odd(t), provider.Plan{Options: provider.Options{BatchSize: 100}, Selection: []string{selection}}, nil)
		if diff := cmp.Diff(want, got.ids("folder")); diff != "" {
			t.Errorf("%s: %s", selection, diff)
		}
	}
}

func TestTheStructureOfFoldersInFolders(t *testing.T) {
	t.Parallel()
	nodes, err := odd(t).Structure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	place := map[string]int{}
	for i, n := range nodes {
		place[n.ExternalID] = i
	}
	if len(nodes) != 11 || place["40"] > place["30"] || place["30"] > place["1"] || *nodes[place["30"]].ParentExternalID != "40" {
		for _, n := range nodes {
			t.Logf("%s %s in %v", n.Kind, n.ExternalID, n.ParentExternalID)
		}
		t.Errorf("%d nodes at %v", len(nodes), place)
	}
}
