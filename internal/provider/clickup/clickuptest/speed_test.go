package clickuptest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"patchbay/internal/provider/clickup/clickuptest"
)

// BenchmarkImport reads tasks as an import does, page by page, and the comments of each. It measures handlers alone, without
// a network.
func BenchmarkImport(b *testing.B) {
	srv := clickuptest.New(clickuptest.Sized(1, 100_000, 3))
	list := srv.Snapshot(srv.Workspaces()[0].ID, clickuptest.Selection{NoComments: true}).Lists[0].ID
	header := http.Header{"Authorization": {srv.Token()}}
	get := func(path string) []byte {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header = header
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		return w.Body.Bytes()
	}
	var page struct{ Tasks []struct{ ID string } }
	if err := json.Unmarshal(get("/api/v2/list/"+list+"/task?page=0&subtasks=true&include_closed=true"), &page); err != nil || len(page.Tasks) != 100 {
		b.Fatalf("%d tasks, %v", len(page.Tasks), err)
	}
	b.ResetTimer()
	for range b.N {
		get("/api/v2/list/" + list + "/task?page=0&subtasks=true&include_closed=true&include_markdown_description=true")
		for _, t := range page.Tasks {
			get("/api/v2/task/" + t.ID + "/comment")
		}
	}
	b.ReportMetric(float64(b.N*len(page.Tasks))/b.Elapsed().Seconds(), "tasks/s")
}

// BenchmarkMillion goes through a million tasks, and reports what the server holds after that.
func BenchmarkMillion(b *testing.B) {
	srv := clickuptest.New(clickuptest.Sized(1, 1_000_000, 3))
	ws := srv.Workspaces()[0].ID
	var lists []string
	for _, l := range srv.Lists(ws) {
		lists = append(lists, l.ID)
	}
	read := 0
	for range b.N {
		for _, list := range lists {
			for p := range 10 {
				r := httptest.NewRequest(http.MethodGet, "/api/v2/list/"+list+"/task?subtasks=true&include_closed=true&include_timl=true&page="+string(rune('0'+p)), nil)
				r.Header.Set("Authorization", srv.Token())
				srv.ServeHTTP(discard{}, r)
				read += 100
			}
		}
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "tasks/s")
	b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MB")
	runtime.KeepAlive(srv)
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) WriteHeader(int)             {}
func (discard) Write(b []byte) (int, error) { return len(b), nil }
