package clickuptest_test

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/internal/provider/clickup/clickuptest"
)

func TestALimitHoldsForATokenUntilItsHeaderSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := unchecked(t, clickuptest.Options{RateLimit: 3})
		srv := c.srv
		time.Sleep(300 * time.Millisecond) // between two whole seconds
		for _, left := range []string{"2", "1", "0"} {
			if status, header, _ := c.ask(http.MethodGet, "/api/v2/user", ""); status != http.StatusOK || header.Get("X-RateLimit-Limit") != "3" || header.Get("X-RateLimit-Remaining") != left {
				t.Fatalf("%d %v, want %s left", status, header, left)
			}
		}
		if srv.BeyondLimit() != 0 {
			t.Error("three of three are beyond the limit")
		}
		status, header, body := c.ask(http.MethodGet, "/api/v2/user", "")
		if status != http.StatusTooManyRequests || body["ECODE"] != "APP_002" || srv.BeyondLimit() != 1 || header.Get("Retry-After") != "" {
			t.Fatalf("%d %v, %d beyond", status, body, srv.BeyondLimit())
		}
		other := *c
		other.token = srv.AddToken(c.workspace())
		other.get("/api/v2/user")

		reset, err := strconv.ParseInt(header.Get("X-RateLimit-Reset"), 10, 64)
		wait := time.Until(time.Unix(reset, 0))
		if err != nil || wait < time.Minute || wait > time.Minute+time.Second {
			t.Fatalf("reset in %v, %v", wait, err)
		}
		time.Sleep(wait - time.Nanosecond)
		c.refused(http.StatusTooManyRequests, "/api/v2/user")
		time.Sleep(time.Nanosecond)
		c.get("/api/v2/user")
		srv.SetRateLimit(0, 0)
		for range 10 {
			c.get("/api/v2/user")
		}
	})
}

func TestTokensReachTheirWorkspacesOnly(t *testing.T) {
	t.Parallel()
	o := clickuptest.Small(1)
	o.Workspaces = 2
	c := start(t, o)
	own, foreign := c.srv.Workspaces()[0].ID, c.srv.Workspaces()[1].ID
	ours, theirs := c.srv.Snapshot(own, clickuptest.Selection{}), c.srv.Snapshot(foreign, clickuptest.Selection{})
	if teams := objects(c.get("/api/v2/team")["teams"]); len(teams) != 2 {
		t.Errorf("the first token reaches %d Workspaces", len(teams))
	}
	c.token = c.srv.AddToken(own)
	if teams := objects(c.get("/api/v2/team")["teams"]); len(teams) != 1 || teams[0]["id"] != own {
		t.Errorf("it reaches %v", teams)
	}
	c.get("/api/v2/task/%s", ours.Tasks[0].ID)
	for _, path := range []string{
		"team/" + foreign + "/space", "team/" + foreign + "/task", "team/" + foreign + "/webhook", "space/" + theirs.Spaces[0].ID + "/folder", "folder/" + theirs.Folders[0].ID + "/list",
		"list/" + theirs.Lists[0].ID + "/task", "list/" + theirs.Lists[0].ID + "/field", "task/" + theirs.Tasks[0].ID, "task/" + theirs.Tasks[0].ID + "/comment",
		"comment/" + theirs.Comments[0].ID + "/reply", "task/86zzzzzzz", "list/1",
	} {
		if code := c.refused(http.StatusUnauthorized, "/api/v2/%s", path); code != "OAUTH_027" {
			t.Errorf("%s: %s", path, code)
		}
	}
	c.refused(http.StatusUnauthorized, "/api/v3/workspaces/%s/docs", foreign)
	c.refused(http.StatusNotFound, "/api/v3/workspaces/%s/docs/%s", own, theirs.Docs[0].ID)

	for token, want := range map[string]string{"pk_1_UNKNOWN": "OAUTH_025", "Bearer " + c.token: "OAUTH_025"} {
		wrong := *c
		wrong.token = token
		if code := wrong.refused(http.StatusUnauthorized, "/api/v2/user"); code != want {
			t.Errorf("%s: %s, want %s", token, code, want)
		}
	}
	c.srv.Revoke(c.token)
	if code := c.refused(http.StatusUnauthorized, "/api/v2/user"); code != "OAUTH_019" {
		t.Errorf("revoked: %s", code)
	}
	none := &client{t: t, srv: c.srv, handler: c.srv}
	if code := none.refused(http.StatusBadRequest, "/api/v2/user"); code != "OAUTH_017" {
		t.Errorf("no token: %s", code)
	}
}

func TestACodeIsRedeemedOnceForABearerToken(t *testing.T) {
	t.Parallel()
	c := start(t, clickuptest.Small(1))
	body := `{"client_id":"a","client_secret":"b","code":"` + c.srv.AddCode(c.workspace()) + `"}`
	_, _, granted := c.ask(http.MethodPost, "/api/v2/oauth/token", body)
	if status, _, again := c.ask(http.MethodPost, "/api/v2/oauth/token", body); status != http.StatusUnauthorized {
		t.Errorf("a second time: %d %v", status, again)
	}
	c.token = granted["access_token"].(string)
	c.refused(http.StatusUnauthorized, "/api/v2/user")
	c.token = "Bearer " + c.token
	c.get("/api/v2/user")
}
