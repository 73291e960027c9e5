package e2e

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchbay/internal/provider/clickup/clickuptest"
)

// TestGallery runs the gallery's scenarios, each on a server of its own with a ClickUp of its own.
func TestGallery(t *testing.T) {
	t.Parallel()
	node := needNode(t)
	browser := needBrowser(t)
	needWeb(t)
	for _, script := range []string{
		"gallery.mjs",
		"gallery-page.mjs",
	} {
		t.Run(strings.TrimSuffix(script, ".mjs"), func(t *testing.T) {
			t.Parallel()
			workspace := clickuptest.Small(5)
			workspace.RateLimit = 10_000
			clickup := clickuptest.New(workspace)
			slow := clickuptest.Fault{Delay: 50 * time.Millisecond} // or there would be no progress to see
			slowness := clickup.Fail(slow)
			api := httptest.NewServer(clickup)
			t.Cleanup(api.Close)
			s := start(t, binary(t), "CLICKUP_API_URL="+api.URL)
			actions := map[string]func(){
				"stop":  func() { s.stop(t) },
				"start": func() { s.start(t) },
				// The comments of one task cannot be read.
				"spoil": func() {
					slowness.Lift() // the oldest fault counts
					clickup.Fail(clickuptest.Fault{Route: "GET /api/v2/task/{task_id}/comment", Status: 200, Body: `{"comments": 7}`, Times: 1})
					clickup.Fail(slow)
				},
				"revoke": func() { clickup.Revoke(clickup.Token()) },
				// Something changes, and is told of.
				"change": func() {
					clickup.Churn(rand.New(rand.NewPCG(1, 1)), 3)
					for _, d := range clickup.Deliveries() {
						if _, err := clickup.Deliver(t.Context(), http.DefaultClient, d); err != nil {
							t.Errorf("deliver: %v", err)
						}
					}
				},
			}
			node.run(t, filepath.Join("browser", script), actions, "PATCHBAY_URL="+s.URL, "SIGN_IN_LINK="+s.link, "CHROMIUM="+browser,
				"ADMIN_KEY="+s.key(t, "admin"), "EDITOR_KEY="+s.key(t, "editor"), "VIEWER_KEY="+s.key(t, "viewer"),
				"CLICKUP_TOKEN="+clickup.Token(), "CLICKUP_WORKSPACE="+clickup.Workspaces()[0].ID)
			s.stop(t)
			for _, secret := range append(s.secrets, clickup.Token()) {
				if strings.Contains(s.log.String(), secret) {
					t.Error("the server's log holds a secret")
				}
			}
		})
	}
}
