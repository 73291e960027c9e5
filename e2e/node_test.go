package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// scriptTimeout bounds one script: most take seconds, and tenfold on a busy machine.
const scriptTimeout = 5 * time.Minute

// missing skips the test, or fails it where everything has to be there.
func missing(t *testing.T, what string) {
	t.Helper()
	const hint = "%s: `make test` installs what these tests need"
	if os.Getenv("PATCHBAY_E2E_REQUIRED") == "1" {
		t.Fatalf(hint, what)
	}
	t.Skipf(hint, what)
}

// nodeJS is the path of the program.
type nodeJS string

func needNode(t *testing.T) nodeJS {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		missing(t, "Node.js is not installed")
	}
	for _, module := range []string{"@urql/core", "axe-core", "graphql-http", "graphql-sse", "graphql-ws", "playwright-core", "ws"} {
		if _, err := os.Stat("node_modules/" + module + "/package.json"); err != nil {
			missing(t, "e2e/node_modules has no "+module)
		}
	}
	return nodeJS(path)
}

// needBrowser is the path of Chromium. Without windows it takes a sixth less of the processor.
func needBrowser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium-headless-shell", "/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "Chromium is not installed")
	return ""
}

func needWeb(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("../web/dist/gallery/index.html"); err != nil {
		missing(t, "the web pages are not built")
	}
}

// line is what scripts print: a check and how it went, or something that they want to be done.
type line struct {
	Check  string
	OK     bool
	Detail string
	Ask    string
}

// run runs a script, each of its checks as a subtest, and returns their number. actions are what it may ask for.
func (n nodeJS) run(t *testing.T, script string, actions map[string]func(), env ...string) (checks int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scriptTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, string(n), script)
	command.Env = append(os.Environ(), env...)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) } // it ends its browser
	command.WaitDelay = 10 * time.Second
	var problems bytes.Buffer
	command.Stderr = &problems
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	failed, since := false, time.Now()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Errorf("%s printed what is no check: %s", script, lines.Bytes())
			continue
		}
		switch action := actions[l.Ask]; {
		case action != nil:
			action()
			if _, err := io.WriteString(in, "true\n"); err != nil {
				t.Errorf("answer %s: %v", script, err)
			}
		case l.Ask != "":
			t.Errorf("%s asks for %q, which nobody does", script, l.Ask)
			cancel()
		default:
			checks++
			t.Logf("%5.1f s: %s", time.Since(since).Seconds(), l.Check)
			since = time.Now()
			t.Run(l.Check, func(t *testing.T) {
				if !l.OK {
					failed = true
					t.Error(l.Detail)
				}
			})
		}
	}
	if err := lines.Err(); err != nil {
		t.Errorf("read what %s prints: %v", script, err)
		cancel()
	}
	if err := command.Wait(); ctx.Err() != nil {
		t.Errorf("%s did not end within %v\n%s", script, scriptTimeout, &problems)
	} else if (err != nil || problems.Len() > 0) && !failed {
		t.Errorf("%s: %v\n%s", script, err, &problems)
	}
	if checks == 0 {
		t.Errorf("%s checked nothing\n%s", script, &problems)
	}
	return checks
}
