package e2e

import (
	"maps"
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
		"gallery-connect.mjs",
		"gallery-importing.mjs",
		"gallery-page.mjs",
	} {
		t.Run(strings.TrimSuffix(script, ".mjs"), func(t *testing.T) {
			t.Parallel()
			workspace := clickuptest.Small(5)
			workspace.RateLimit = 10_000
			clickup := clickuptest.New(workspace)
			slow := clickup.Fail(clickuptest.Fault{Delay: 50 * time.Millisecond}) // or there would be no progress to see
			api := httptest.NewServer(clickup)
			t.Cleanup(api.Close)
			s := start(t, binary(t), "CLICKUP_API_URL="+api.URL)
			actions := map[string]func(){
				"stop":  func() { s.stop(t) },
				"start": func() { s.start(t) },
			}
			maps.Copy(actions, clickupActions(t, clickup, slow))
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
