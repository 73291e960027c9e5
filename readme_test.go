package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary returns a folder with the program in bin/patchbay, where make build puts it.
func binary(t *testing.T) (dir string) {
	t.Helper()
	dir = openDir(t)
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(program(t), filepath.Join(dir, "bin", "patchbay")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// startBinary starts `bin/patchbay serve --generate-key` as make run does, with a private database in dir, and returns
// its URL and a function that ends it as Ctrl-C does and returns what it logged.
func startBinary(t *testing.T, dir string) (url string, interrupt func() (log string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "bin", "patchbay"), "serve", "--generate-key")
	cmd.Dir = dir
	cmd.Env = bareEnvironment("PATCHBAY_ADDR=127.0.0.1:0")
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && url == "" {
		url, _ = strings.CutPrefix(lines.Text(), "Patchbay listens on ")
		if url == lines.Text() {
			url = ""
		}
	}
	if url == "" {
		_ = cmd.Wait()
		t.Fatalf("the server did not start:\n%s", log.String())
	}
	return url, func() string {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // to the end, before Wait closes the pipe
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v:\n%s", err, log.String())
		}
		return log.String()
	}
}

// bareEnvironment is the present one without what would configure Patchbay, and with more.
func bareEnvironment(more ...string) []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if name != "DATABASE_URL" && !strings.HasPrefix(name, "PATCHBAY_") && !strings.HasPrefix(name, "INTEGRATION_") {
			env = append(env, v)
		}
	}
	return append(env, more...)
}

// TestWalkThroughOfTheREADME runs the README's shell commands as they stand, but for the port.
func TestWalkThroughOfTheREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)<!-- walkthrough.*?-->\n```sh\n(.*?)```").FindStringSubmatch(string(readme))
	if m == nil {
		t.Fatal("README.md has no walk-through")
	}
	dir := binary(t)
	url, interrupt := startBinary(t, dir)
	script := strings.ReplaceAll(m[1], "http://127.0.0.1:8080", url)

	shell := exec.Command("bash", "-euo", "pipefail", "-c", script)
	shell.Dir = dir
	shell.Env = bareEnvironment()
	var problems bytes.Buffer
	shell.Stderr = &problems
	out, err := shell.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, problems.String())
	}
	want := []string{
		`^\{"data":\{"projects":\{"nodes":\[\{"id":"[0-9a-f-]{36}","name":"First project"\}\]\}\}\}$`,
		`^\{"data":\{"createIntegration":\{"id":"[0-9a-f-]{36}","settings":\{"workspace_id":"9001"\},"configuredSecrets":\["api_token"\],"hasConfiguration":true,"revision":1\}\}\}$`,
		`^\{"data":\{"integrations":\{"nodes":\[\{"name":"clickup","displayName":"ClickUp","enabled":true,"syncState":\{"status":"PENDING"\}\}\],"totalCount":1\}\}\}$`,
		`^\{"data":\{"updateIntegration":\{"settings":\{"batch_size":200,"workspace_id":"9001"\},"configuredSecrets":\["api_token"\],"revision":2\}\}\}$`,
		`^\{"errors":\[\{"message":"batch_size must be between 10 and 1000","path":\["updateIntegration"\],"extensions":\{"code":"BAD_USER_INPUT","field":"settings.batch_size"\}\}\],"data":null\}$`,
		`^\{"data":\{"deleteIntegration":"[0-9a-f-]{36}"\}\}$`,
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d lines instead of %d:\n%s", len(got), len(want), out)
	}
	for i, pattern := range want {
		if !regexp.MustCompile(pattern).MatchString(got[i]) {
			t.Errorf("line %d is\n%s\nand does not match\n%s", i+1, got[i], pattern)
		}
	}
	log := interrupt()
	postgres, err := os.ReadFile(filepath.Join(dir, ".patchbay", "postgres.log"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"output": string(out), "log": log, "PostgreSQL's log": string(postgres)} {
		if strings.Contains(text, "EXAMPLETOKEN") {
			t.Errorf("the %s has the token", name)
		}
	}
}
