// The demo runs Patchbay against a ClickUp of its own, so that anybody without an account can try an import: a Workspace of
// realistic size on the loopback interface, and a project whose integration is connected to it.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"patchbay/internal/provider/clickup/clickuptest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

const (
	program = "bin/patchbay"
	// stateDir is the demo's own: nothing of it mixes with that of `make run`.
	stateDir = ".patchbay/demo"
	// seed makes the Workspace the same each time, and with it what an earlier demo imported.
	seed = 2026
	// latency is how long it takes to answer.
	latency = 60 * time.Millisecond
	// changeEvery is how often something changes in it.
	changeEvery = 20 * time.Second
	// started is how long the server may take to start.
	started = 2 * time.Minute
)

// workspace is what the demo's ClickUp holds: some 2,000 tasks, of which an import takes a minute or so at its limit.
func workspace() clickuptest.Options {
	return clickuptest.Options{
		Seed: seed, Workspaces: 1, Members: 12, Spaces: 4, Folders: 3, Lists: 4, FolderlessLists: 2, TasksPerList: 36, CommentsPerTask: 1,
		Docs: 8, PagesPerDoc: 4, RateLimit: 1000, Window: 10 * time.Second,
	}
}

func run(ctx context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	clickup := clickuptest.New(workspace())
	clickup.Fail(clickuptest.Fault{Delay: latency}) // or there would be no progress to watch
	server := &http.Server{Handler: clickup, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // until it is closed
	defer server.Close()
	go live(ctx, clickup)

	environ := append(os.Environ(), "CLICKUP_API_URL=http://"+listener.Addr().String())
	if os.Getenv("PATCHBAY_STATE_DIR") == "" && os.Getenv("DATABASE_URL") == "" {
		environ = append(environ, "PATCHBAY_STATE_DIR="+stateDir)
	}
	patchbay := exec.Command(program, "serve", "--generate-key")
	patchbay.Env, patchbay.Stderr = environ, os.Stderr
	out, err := patchbay.StdoutPipe()
	if err != nil {
		return err
	}
	if err := patchbay.Start(); err != nil {
		return fmt.Errorf("start %s: %w; `make demo` builds it", program, err)
	}
	ended := make(chan error, 1)
	origins := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			fmt.Println(lines.Text())
			if origin, ok := strings.CutPrefix(lines.Text(), "Patchbay listens on "); ok {
				origins <- origin
			}
		}
		ended <- patchbay.Wait()
	}()
	go func() {
		<-ctx.Done()
		_ = patchbay.Process.Signal(syscall.SIGTERM) // it may have ended
	}()

	select {
	case err := <-ended:
		return fmt.Errorf("the server ended: %w", err)
	case <-time.After(started):
		_ = patchbay.Process.Signal(syscall.SIGTERM)
		return errors.Join(fmt.Errorf("the server did not start within %s", started), <-ended)
	case origin := <-origins:
		id, err := connect(ctx, origin, environ, clickup)
		if err != nil {
			_ = patchbay.Process.Signal(syscall.SIGTERM)
			return errors.Join(err, <-ended)
		}
		fmt.Printf(hints, clickup.Token(), id)
	}
	if err := <-ended; ctx.Err() == nil {
		return err
	}
	return nil
}

// live changes something now and then, as people do, and tells the webhook, where there is one.
func live(ctx context.Context, clickup *clickuptest.Server) {
	random := rand.New(rand.NewPCG(seed, seed))
	tick := time.NewTicker(changeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			clickup.Churn(random, 1)
			for _, d := range clickup.Deliveries() {
				_, _ = clickup.Deliver(ctx, http.DefaultClient, d) // the webhook's health tells of it
			}
		}
	}
}

const hints = `
  This is a demo: its ClickUp is a stand-in on this machine, with some 2,000 tasks. The gallery's card "ClickUp" is connected to it:
  click Import there. Another connection takes the API token %s

  Something changes there every 20 seconds. To have that told at once, click Configure on the card,
  and Set up at ClickUp under "Keep current".

  The same in GraphiQL:

    query     { externalStructure(integrationId: "%[2]s") { externalId kind name itemCount } }
    mutation  { startSync(integrationId: "%[2]s") { id } }
    query     { syncedObjects(integrationId: "%[2]s", first: 20) { nodes { type title externalUrl relationships { type target { title } } } } }
    mutation  { registerWebhook(integrationId: "%[2]s") { webhook { url registered } } }
    query     { webhookDeliveries(integrationId: "%[2]s") { nodes { event status receivedAt processedAt } } }

`

// connect makes the integration, or gives the one of an earlier demo its present settings. It uses the public API, with a key
// that it revokes again.
func connect(ctx context.Context, origin string, environ []string, clickup *clickuptest.Server) (id string, err error) {
	create := exec.CommandContext(ctx, program, "apikey", "create", "--org", "local", "--role", "admin", "--name", "demo")
	create.Env, create.Stderr = environ, os.Stderr
	key, err := create.Output()
	if err != nil {
		return "", fmt.Errorf("make an API key: %w", err)
	}
	api := api{url: origin + "/graphql", key: strings.TrimSpace(string(key))}
	defer func() { err = errors.Join(err, api.revoke(context.WithoutCancel(ctx))) }()
	var found struct {
		Projects struct{ Nodes []struct{ ID string } }
	}
	if err := api.ask(ctx, `{ projects(orgId: "local", first: 1) { nodes { id } } }`, nil, &found); err != nil {
		return "", err
	}
	if len(found.Projects.Nodes) == 0 {
		return "", errors.New("the server has no project")
	}
	project := found.Projects.Nodes[0].ID
	settings := map[string]any{"api_token": clickup.Token(), "workspace_id": clickup.Workspaces()[0].ID}
	var existing struct{ Integration *struct{ ID string } }
	if err := api.ask(ctx, `query ($project: UUID!) { integration(orgId: "local", projectId: $project, name: "clickup") { id } }`,
		map[string]any{"project": project}, &existing); err != nil {
		return "", err
	}
	variables := map[string]any{"project": project, "settings": settings}
	if existing.Integration != nil {
		var updated struct{ UpdateIntegration struct{ ID string } }
		err := api.ask(ctx, `mutation ($project: UUID!, $settings: Map!) {
			updateIntegration(orgId: "local", projectId: $project, name: "clickup", input: {settings: $settings}) { id } }`, variables, &updated)
		return updated.UpdateIntegration.ID, err
	}
	var created struct{ CreateIntegration struct{ ID string } }
	err = api.ask(ctx, `mutation ($project: UUID!, $settings: Map!) {
		createIntegration(input: {orgId: "local", projectId: $project, name: "clickup", settings: $settings}) { id } }`, variables, &created)
	return created.CreateIntegration.ID, err
}

// api is Patchbay's.
type api struct{ url, key string }

// revoke ends the key.
func (a api) revoke(ctx context.Context) error {
	var keys struct{ APIKeys []struct{ ID, Prefix string } }
	if err := a.ask(ctx, `{ apiKeys(orgId: "local") { id prefix } }`, nil, &keys); err != nil {
		return err
	}
	for _, key := range keys.APIKeys {
		if strings.HasPrefix(a.key, key.Prefix) {
			return a.ask(ctx, `mutation ($id: UUID!) { revokeApiKey(id: $id) { id } }`, map[string]any{"id": key.ID}, &struct{}{})
		}
	}
	return errors.New("the demo's API key is not listed")
}

func (a api) ask(ctx context.Context, query string, variables map[string]any, out any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+a.key)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Data   json.RawMessage
		Errors []struct{ Message string }
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("the API answered %s: %w", res.Status, err)
	}
	if len(answer.Errors) > 0 {
		return fmt.Errorf("the API answered: %s", answer.Errors[0].Message)
	}
	return json.Unmarshal(answer.Data, out)
}
