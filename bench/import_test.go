package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/connect"
	"patchbay/internal/provider/clickup/clickuptest"
	"patchbay/internal/store"
)

// BenchmarkImport imports a ClickUp Workspace that answers as fast as it can, then imports it again. ClickUp's stand-in and the
// program are processes of their own. IMPORT_TASKS says how many tasks it has (100000), with two comments each on average.
//
// The floor makes the same requests, as many at a time (one of listings, eight of comments), over connections that it keeps,
// decodes each answer into small structs with encoding/json, and loads them by COPY, a thousand rows at a time while it reads on, into
// a table without indexes and keys. One request after the other would be the easier floor, though by little: the two cores are busy then too.
// It runs before ours and after, and the mean of both counts: machines that others use too become faster and slower meanwhile.
//
// Reported are objects a second, the part of the floor's, how many times as fast the second import is, rows that it wrote, and
// the program's largest memory in MB over both, as the operating system counts it (Linux only).
func BenchmarkImport(b *testing.B) {
	tasks := 100_000
	if text := os.Getenv("IMPORT_TASKS"); text != "" {
		var err error
		if tasks, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	binary := buildProgram(b)
	var ours, again, floor time.Duration
	objects, written, peak := 0, 0, 0.0
	for b.Loop() {
		c := startClickUp(b, tasks)
		w := newWorld(b, 0)
		integration := w.connect(b, c)
		root := w.database.Connect(b, "", "")
		tookBefore, rowsBefore := importBare(b, w, c)
		c.requests(b)
		first := runSync(b, binary, w, c, integration)
		asked := c.requests(b)
		before := writes(b, root)
		second := runSync(b, binary, w, c, integration)
		written += writes(b, root) - before
		c.requests(b)
		tookAfter, rows := importBare(b, w, c)
		bare := c.requests(b)
		for _, route := range []string{"GET /api/v2/list/{list_id}/task", "GET /api/v2/task/{task_id}/comment", "GET /api/v2/comment/{comment_id}/reply"} {
			// Ours are a few more: where slices end, and because pages are asked for by time.
			if ours, n := asked[route], bare[route]; ours < n || ours > n+n/20 {
				b.Fatalf("%s was asked for %d times, by the floor %d times", route, ours, n)
			}
		}
		if rows != first.objects || rows != rowsBefore || first.objects != second.objects {
			b.Fatalf("the first import had %d objects, the second %d, the floor %d and %d", first.objects, second.objects, rowsBefore, rows)
		}
		ours, again, floor, objects = ours+first.took, again+second.took, floor+(tookBefore+tookAfter)/2, objects+first.objects
		peak = max(peak, first.peak, second.peak)
	}
	b.ReportMetric(float64(objects)/floor.Seconds(), "floor-objects/s")
	b.ReportMetric(float64(objects)/ours.Seconds(), "objects/s")
	b.ReportMetric(floor.Seconds()/ours.Seconds(), "of-floor")
	b.ReportMetric(ours.Seconds()/again.Seconds(), "reimport-times-as-fast")
	b.ReportMetric(float64(written), "reimport-rows-written")
	b.ReportMetric(peak, "peak-MB")
	b.ReportMetric(0, "ns/op")
}

// clickUp is a stand-in for ClickUp in a process of its own.
type clickUp struct {
	URL, Token, Workspace string

	client http.Client
}

// serveClickUp is that process: it says where it is, and ends with its input.
func serveClickUp(size string) {
	tasks, err := strconv.Atoi(size)
	if err != nil {
		panic(err)
	}
	options := clickuptest.Sized(1, tasks, 2)
	options.RateLimit = 1 << 30 // a limit that is named; without, clients keep to the published one
	server := clickuptest.New(options)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", server)
	before := map[string]int64{}
	mux.HandleFunc("/requests", func(w http.ResponseWriter, r *http.Request) { // since it was last asked
		now := server.Counts()
		since := map[string]int64{}
		for route, n := range now {
			if n > before[route] {
				since[route] = n - before[route]
			}
		}
		before = now
		_ = json.NewEncoder(w).Encode(since)
	})
	go func() { panic(http.Serve(listener, mux)) }()
	_ = json.NewEncoder(os.Stdout).Encode(clickUp{URL: "http://" + listener.Addr().String(), Token: server.Token(), Workspace: server.Workspaces()[0].ID})
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func startClickUp(b *testing.B, tasks int) *clickUp {
	b.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), fmt.Sprintf("BENCH_CLICKUP=%d", tasks))
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		if err := command.Wait(); err != nil {
			b.Error(err)
		}
	})
	c := &clickUp{client: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: floorTogether}}}
	if err := json.NewDecoder(out).Decode(c); err != nil {
		b.Fatal(err)
	}
	return c
}

// requests counts the requests since the last call by their route.
func (c *clickUp) requests(b *testing.B) (counts map[string]int) {
	b.Helper()
	if err := c.get("/requests", &counts); err != nil {
		b.Fatal(err)
	}
	return counts
}

// connect makes an integration of the Workspace.
func (w *world) connect(b *testing.B, c *clickUp) uuid.UUID {
	b.Helper()
	provider := "clickup"
	i, err := w.service.CreateIntegration(context.Background(), w.editor, connect.NewIntegration{
		ProjectID: w.project, Name: "clickup", Provider: &provider,
		Settings: settings(map[string]any{"api_token": c.Token, "workspace_id": c.Workspace, "import_completed_tasks": true}),
	}, store.With{})
	if err != nil {
		b.Fatal(err)
	}
	return i.ID
}

func buildProgram(b *testing.B) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "patchbay")
	if out, err := exec.Command("go", "build", "-o", binary, "patchbay").CombinedOutput(); err != nil {
		b.Fatalf("build the program: %v\n%s", err, out)
	}
	return binary
}

// imported is what a run did.
type imported struct {
	took    time.Duration // from being queued to its end
	objects int           // in the database after it
	peak    float64       // MB that the program had at most, since it started
}

// runSync starts the program, has it do a full run, and stops it. It waits until the program's connections have ended too: then
// PostgreSQL's statistics have what they did.
func runSync(b *testing.B, binary string, w *world, c *clickUp, id uuid.UUID) (i imported) {
	b.Helper()
	conn := w.database.Connect(b, "", "")
	others := connected(b, conn)
	address, pid, stop := startProgram(b, binary, w, "CLICKUP_API_URL="+c.URL)
	defer func() {
		stop()
		for connected(b, conn) > others {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	body, err := json.Marshal(map[string]any{
		"query":     `mutation($id: UUID!) { startSync(integrationId: $id, input: {mode: FULL, includeArchived: true}) { id } }`,
		"variables": map[string]any{"id": id},
	})
	if err != nil {
		b.Fatal(err)
	}
	var answer struct {
		Data struct{ StartSync struct{ ID uuid.UUID } }
	}
	if text := post(b, "http://"+address+"/graphql", w.key, body); json.Unmarshal([]byte(text), &answer) != nil || answer.Data.StartSync.ID == uuid.Nil {
		b.Fatal(text)
	}
	for {
		var status, failure *string
		var seconds *float64
		if err := conn.QueryRow(context.Background(), `
			SELECT status, error, extract(epoch FROM finished_at - queued_at)::float8
			FROM kb.sync_runs
			WHERE id = $1`, answer.Data.StartSync.ID).Scan(&status, &failure, &seconds); err != nil {
			b.Fatal(err)
		}
		if seconds == nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if *status != "SUCCESS" {
			b.Fatalf("the run ended with %s: %v", *status, failure)
		}
		i.took = time.Duration(*seconds * float64(time.Second))
		break
	}
	if err := conn.QueryRow(context.Background(), `SELECT count(*) FROM kb.synced_objects`).Scan(&i.objects); err != nil {
		b.Fatal(err)
	}
	i.peak = memory(b, pid, "VmHWM")
	return i
}

// connected counts the connections of servers.
func connected(b *testing.B, conn *pgx.Conn) (n int) {
	b.Helper()
	err := conn.QueryRow(context.Background(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'patchbay'`).Scan(&n)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// memory is an entry of a process's status, in MB.
func memory(b *testing.B, pid int, name string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skipf("this system does not tell a process's memory: %v", err)
	}
	m := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		b.Fatalf("no %s in %s", name, status)
	}
	kilobytes, err := strconv.Atoi(string(m[1]))
	if err != nil {
		b.Fatal(err)
	}
	return float64(kilobytes) / 1000
}

// writes counts the rows of objects and relationships that were ever written.
func writes(b *testing.B, root *pgx.Conn) (n int) {
	b.Helper()
	if err := root.QueryRow(context.Background(), `
		SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::int
		FROM pg_stat_user_tables
		WHERE relid IN ('kb.synced_objects'::regclass, 'kb.synced_relationships'::regclass)`).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// floorTogether is how many comments' requests are under way at once.
const floorTogether = 8

func (c *clickUp) get(path string, out any) error {
	req, err := http.NewRequest(http.MethodGet, c.URL+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", c.Token)
	res, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d", path, res.StatusCode)
	}
	err = json.NewDecoder(res.Body).Decode(out)
	_, _ = io.Copy(io.Discard, res.Body)
	return err
}

type (
	bareUser struct {
		ID       int    `json:"id"`
		Username string `json:"username"`
	}
	bareTask struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Markdown string `json:"markdown_description"`
		Parent   string `json:"parent"`
		Updated  string `json:"date_updated"`
		Status   struct {
			Status string `json:"status"`
			Type   string `json:"type"`
		} `json:"status"`
		Assignees []bareUser        `json:"assignees"`
		Fields    []json.RawMessage `json:"custom_fields"`
	}
	bareComment struct {
		ID      string   `json:"id"`
		Text    string   `json:"comment_text"`
		User    bareUser `json:"user"`
		Date    string   `json:"date"`
		Replies string   `json:"reply_count"`
	}
	bareComments struct {
		Comments []bareComment `json:"comments"`
	}
	barePlaces struct {
		Spaces  []barePlace `json:"spaces"`
		Folders []barePlace `json:"folders"`
		Lists   []barePlace `json:"lists"`
	}
	barePlace struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
)

// importBare is the floor of an import.
func importBare(b *testing.B, w *world, c *clickUp) (took time.Duration, rows int) {
	b.Helper()
	ctx := context.Background()
	conn := w.database.Connect(b, "", "")
	// Without autovacuum, which would take from what runs next.
	if _, err := conn.Exec(ctx, `
		CREATE TABLE plain (id text, kind text, parent text, title text, content text, updated text, properties jsonb)
		WITH (autovacuum_enabled = off)`); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if _, err := conn.Exec(ctx, `DROP TABLE plain`); err != nil {
			b.Fatal(err)
		}
	}()
	began := time.Now()
	ready := make(chan []any, 4000)
	loaded := make(chan error, 1)
	go func() {
		var err error
		for first := range ready {
			var batch [][]any
			for batch = append(batch, first); len(batch) < 1000; {
				row, more := <-ready
				if !more {
					break
				}
				batch = append(batch, row)
			}
			var n int64
			if err == nil {
				n, err = conn.CopyFrom(ctx, pgx.Identifier{"plain"}, []string{"id", "kind", "parent", "title", "content", "updated", "properties"}, pgx.CopyFromRows(batch))
			}
			rows += int(n)
		}
		loaded <- err
	}()
	if err := c.read(func(row ...any) { ready <- row }); err != nil {
		b.Fatal(err)
	}
	close(ready)
	if err := <-loaded; err != nil {
		b.Fatal(err)
	}
	return time.Since(began), rows
}

// read asks for what an import asks for, and gives rows.
func (c *clickUp) read(give func(row ...any)) error {
	var teams struct {
		Teams []struct {
			barePlace
			Members []struct {
				User bareUser `json:"user"`
			} `json:"members"`
		} `json:"teams"`
	}
	if err := c.get("/api/v2/team", &teams); err != nil {
		return err
	}
	for _, t := range teams.Teams {
		give(t.ID, "workspace", "", t.Name, "", "", "{}")
		for _, m := range t.Members {
			give(strconv.Itoa(m.User.ID), "user", t.ID, m.User.Username, "", "", "{}")
		}
	}
	var spaces, folders, lists []barePlace
	both := func(path string, of func(barePlaces) []barePlace, parent, kind string, all *[]barePlace) error {
		for _, archived := range []string{"false", "true"} {
			var answer barePlaces
			if err := c.get(path+"?archived="+archived, &answer); err != nil {
				return err
			}
			for _, p := range of(answer) {
				give(p.ID, kind, parent, p.Name, "", "", "{}")
				*all = append(*all, p)
			}
		}
		return nil
	}
	ofSpaces, ofFolders, ofLists := func(p barePlaces) []barePlace { return p.Spaces }, func(p barePlaces) []barePlace { return p.Folders }, func(p barePlaces) []barePlace { return p.Lists }
	if err := both("/api/v2/team/"+c.Workspace+"/space", ofSpaces, c.Workspace, "space", &spaces); err != nil {
		return err
	}
	for _, s := range spaces {
		if err := both("/api/v2/space/"+s.ID+"/folder", ofFolders, s.ID, "folder", &folders); err != nil {
			return err
		}
		if err := both("/api/v2/space/"+s.ID+"/list", ofLists, s.ID, "list", &lists); err != nil {
			return err
		}
	}
	for _, f := range folders {
		if err := both("/api/v2/folder/"+f.ID+"/list", ofLists, f.ID, "list", &lists); err != nil {
			return err
		}
	}
	var tasks []string
	seen := map[string]bool{} // some are in two lists
	for _, l := range lists {
		read, err := c.readList(l.ID, seen, give)
		if err != nil {
			return err
		}
		tasks = append(tasks, read...)
	}
	for _, archived := range []string{"false", "true"} {
		if err := c.get("/api/v3/workspaces/"+c.Workspace+"/docs?limit=100&archived="+archived, &struct{}{}); err != nil {
			return err
		}
	}
	todo := make(chan string)
	failed := make(chan error, floorTogether)
	var readers sync.WaitGroup
	for range floorTogether {
		readers.Go(func() {
			for task := range todo {
				if err := c.readComments(task, give); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	go func() { readers.Wait(); close(failed) }()
	for _, task := range tasks {
		select {
		case todo <- task:
		case err := <-failed:
			return err
		}
	}
	close(todo)
	return <-failed
}

func (c *clickUp) readList(list string, seen map[string]bool, give func(row ...any)) (tasks []string, err error) {
	for _, archived := range []string{"false", "true"} {
		for page, last := 0, false; !last; page++ {
			var answer struct {
				Tasks []bareTask `json:"tasks"`
				Last  bool       `json:"last_page"`
			}
			path := fmt.Sprintf("/api/v2/list/%s/task?archived=%s&page=%d&subtasks=true&include_timl=true&include_closed=true&include_markdown_description=true", list, archived, page)
			if err := c.get(path, &answer); err != nil {
				return nil, err
			}
			for _, t := range answer.Tasks {
				if seen[t.ID] {
					continue
				}
				seen[t.ID] = true
				properties, err := json.Marshal(map[string]any{"status": t.Status, "assignees": t.Assignees, "fields": t.Fields})
				if err != nil {
					return nil, err
				}
				give(t.ID, "task", t.Parent, t.Name, t.Markdown, t.Updated, string(properties))
				tasks = append(tasks, t.ID)
			}
			last = answer.Last || len(answer.Tasks) == 0
		}
	}
	return tasks, nil
}

func (c *clickUp) readComments(task string, give func(row ...any)) error {
	var answer bareComments
	if err := c.get("/api/v2/task/"+task+"/comment", &answer); err != nil {
		return err
	}
	for _, one := range answer.Comments {
		give(one.ID, "comment", task, one.User.Username, one.Text, one.Date, "{}")
		if one.Replies == "0" {
			continue
		}
		var replies bareComments
		if err := c.get("/api/v2/comment/"+one.ID+"/reply", &replies); err != nil {
			return err
		}
		for _, reply := range replies.Comments {
			give(reply.ID, "comment", one.ID, reply.User.Username, reply.Text, reply.Date, "{}")
		}
	}
	return nil
}
