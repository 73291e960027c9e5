package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
)

// subscribers is how many idle ones BenchmarkIdleSubscribers opens.
const subscribers = 1000

// BenchmarkIdleSubscribers reports by how much the program's memory grows, as the operating system counts it, from none to
// 1,000 subscribers with a connection each: what they hold, with a collector that leaves next to no garbage, and what the
// program has as it is configured by default, with the garbage of a thousand requests. The program is a process of its own, so that
// the clients do not count. Linux only.
func BenchmarkIdleSubscribers(b *testing.B) {
	w := newWorld(b, 1)
	run := uuid.NewString()
	conn := w.database.Connect(b, "", "")
	if _, err := conn.Exec(context.Background(), `
		INSERT INTO kb.sync_runs (id, integration_id, org_id, project_id, mode, trigger, heartbeat_at)
		SELECT $1, id, org_id, project_id, 'FULL', 'MANUAL', now() + interval '1 day' FROM kb.integrations`, run); err != nil {
		b.Fatal(err)
	}
	binary := buildProgram(b)
	operation, err := json.Marshal(map[string]any{
		"query":     `subscription($run: UUID!) { syncRunProgress(runId: $run) { id status step processed total } }`,
		"variables": map[string]any{"run": run},
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, transport := range []struct {
		name string
		open func(b *testing.B, address, key string, operation []byte) (end func())
	}{{"SSE", openSSE}, {"WebSocket", openWebSocket}} {
		grown := func(b *testing.B, env ...string) float64 {
			address, pid, stop := startProgram(b, binary, w, env...)
			defer stop()
			for range 20 { // what any request makes it load and allocate
				transport.open(b, address, w.key, operation)()
			}
			before := resident(b, pid)
			for range subscribers {
				defer transport.open(b, address, w.key, operation)()
			}
			return resident(b, pid) - before
		}
		b.Run(transport.name, func(b *testing.B) {
			var held, all float64
			for b.Loop() {
				held += grown(b, "GOGC=10")
				all += grown(b)
			}
			b.ReportMetric(held/float64(b.N), "MB-held")
			b.ReportMetric(all/float64(b.N), "MB-with-garbage")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// startProgram runs the program and returns its address and process.
func startProgram(b *testing.B, binary string, w *world, env ...string) (address string, pid int, stop func()) {
	b.Helper()
	command := exec.Command(binary, "serve")
	command.Env = append(env, "PATH="+os.Getenv("PATH"), "DATABASE_URL="+w.database.URL, "PATCHBAY_ADDR=127.0.0.1:0", "PATCHBAY_LOG_LEVEL=error", "INTEGRATION_ENCRYPTION_KEY="+w.master.Expose())
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	listening := regexp.MustCompile(`listens on http://(\S+)`)
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			return m[1], command.Process.Pid, func() {
				_ = command.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which Wait tells
				if err := command.Wait(); err != nil {
					b.Errorf("the program ended with %v\n%s", err, &problems)
				}
			}
		}
	}
	_ = command.Wait()
	b.Fatalf("the program does not serve\n%s", &problems)
	return "", 0, nil
}

// resident is a process's memory in MB, without what is mapped from files, once it has come to rest.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	time.Sleep(2 * time.Second)
	return memory(b, pid, "RssAnon")
}

// openSSE subscribes and waits for the first event.
func openSSE(b *testing.B, address, key string, operation []byte) (end func()) {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		address, key, len(operation), operation)
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: ") {
			if !strings.Contains(lines.Text(), "PENDING") {
				b.Fatal(lines.Text())
			}
			return func() { _ = conn.Close() }
		}
	}
	b.Fatalf("no event came: %v", lines.Err())
	return nil
}

// openWebSocket subscribes and waits for the first message.
func openWebSocket(b *testing.B, address, key string, operation []byte) (end func()) {
	b.Helper()
	ctx := context.Background()
	conn, _, err := websocket.Dial(ctx, "ws://"+address+"/graphql", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + key}}, Subprotocols: []string{"graphql-transport-ws"},
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, step := range []struct {
		send   string
		expect []string
	}{
		{`{"type":"connection_init"}`, []string{"connection_ack"}},
		{`{"type":"subscribe","id":"1","payload":` + string(operation) + `}`, []string{"subscribed", "PENDING"}},
	} {
		if err := conn.Write(ctx, websocket.MessageText, []byte(step.send)); err != nil {
			b.Fatal(err)
		}
		for _, expected := range step.expect {
			if _, answer, err := conn.Read(ctx); err != nil || !strings.Contains(string(answer), expected) {
				b.Fatalf("%s, %v", answer, err)
			}
		}
	}
	return func() { _ = conn.CloseNow() }
}
