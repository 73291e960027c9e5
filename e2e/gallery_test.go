package e2e

import (
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"patchbay/internal/provider/clickup/clickuptest"
	"patchbay/internal/seal"
)

// TestGallery runs the gallery's scenarios, each on a server of its own with a ClickUp of its own.
func TestGallery(t *testing.T) {
	t.Parallel()
	node := needNode(t)
	browser := needBrowser(t)
	needWeb(t)
	const seen = 50 * time.Millisecond // for each of ClickUp's answers, or there would be no progress to see
	for _, test := range []struct {
		name  string
		delay time.Duration
	}{
		{"gallery-news", time.Millisecond},
		{"gallery-importing", time.Millisecond},
		{"gallery-page", seen},
		{"gallery-administration", time.Millisecond},
		{"gallery-connect", time.Millisecond},
		{"gallery-journey", seen},
		{"gallery", seen},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			workspace := clickuptest.Small(5)
			workspace.RateLimit = 10_000
			clickup := clickuptest.New(workspace)
			slow := clickup.Fail(clickuptest.Fault{Delay: test.delay})
			api := httptest.NewServer(clickup)
			t.Cleanup(api.Close)
			s := start(t, binary(t), "CLICKUP_API_URL="+api.URL)
			actions := map[string]func(){
				"stop":                      func() { s.stop(t) },
				"start":                     func() { s.start(t) },
				"change the encryption key": func() { s.changeKey(t) },
			}
			maps.Copy(actions, clickupActions(t, clickup, slow))
			node.run(t, filepath.Join("browser", test.name+".mjs"), actions, "PATCHBAY_URL="+s.URL, "SIGN_IN_LINK="+s.link, "CHROMIUM="+browser,
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

// changeKey starts a stopped server with another encryption key, and the one before among the previous ones. The secrets of
// Linear are damaged meanwhile.
func (s *server) changeKey(t *testing.T) {
	t.Helper()
	before, err := os.ReadFile(filepath.Join(s.stateDir, "encryption-key"))
	if err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "INTEGRATION_ENCRYPTION_KEY="+seal.GenerateKey().Expose(), "INTEGRATION_ENCRYPTION_PREVIOUS_KEYS="+strings.TrimSpace(string(before)))
	s.start(t)
	db, err := pgx.Connect(t.Context(), s.postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	if _, err := db.Exec(t.Context(), `UPDATE kb.integrations SET settings = overlay(settings PLACING 'AAAA' FROM 60) WHERE name = 'linear'`); err != nil {
		t.Fatal(err)
	}
}
