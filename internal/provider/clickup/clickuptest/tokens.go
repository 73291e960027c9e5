package clickuptest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

type token struct {
	value      string
	user       *User
	all        bool
	workspaces []string // ids, unless all
	revoked    bool
}

// Token is a personal token that reaches every Workspace.
func (s *Server) Token() string {
	return fmt.Sprintf("pk_%d_%s", s.users[0].ID, strings.ToUpper(strings.ReplaceAll(s.uuid(0, 60), "-", "")))
}

// AddToken makes a personal token that reaches the given Workspaces and no others.
func (s *Server) AddToken(workspaces ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.tokens)
	u := s.users[n%len(s.users)]
	t := &token{user: u, workspaces: workspaces}
	t.value = fmt.Sprintf("pk_%d_%s", u.ID, strings.ToUpper(strings.ReplaceAll(s.uuid(n, 61), "-", "")))
	s.tokens[t.value] = t
	return t.value
}

// AddCode makes a code such as ClickUp gives a browser that authorised an OAuth application. It can be redeemed once, for a
// token that reaches the given Workspaces.
func (s *Server) AddCode(workspaces ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.tokens) + len(s.codes)
	code := strings.ToUpper(strings.ReplaceAll(s.uuid(n, 62), "-", ""))
	s.codes[code] = &token{value: fmt.Sprintf("%d_%s", s.users[0].ID, strings.ReplaceAll(s.uuid(n, 63), "-", "")), user: s.users[0], workspaces: workspaces}
	return code
}

// Revoke makes a token useless from now on.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tokens[token]; t != nil {
		t.revoked = true
	}
}

// authenticate finds the token of a request: a personal one as it is, any other after "Bearer ".
func (s *Server) authenticate(c *call) (answer, bool) {
	header := c.Header.Get("Authorization")
	if header == "" {
		return refuse(http.StatusBadRequest, "Authorization header required", "OAUTH_017"), false
	}
	value, bearer := strings.CutPrefix(header, "Bearer ")
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tokens[value]
	switch {
	case t == nil || bearer == strings.HasPrefix(value, "pk_"):
		return refuse(http.StatusUnauthorized, "Token invalid", "OAUTH_025"), false
	case t.revoked:
		return refuse(http.StatusUnauthorized, "Oauth token not found", "OAUTH_019"), false
	}
	c.token = t
	return answer{}, true
}

func (c *call) reaches(workspace string) bool {
	return c.token.all || slices.Contains(c.token.workspaces, workspace)
}

// workspace finds the Workspace of a path, if the token reaches it.
func (s *Server) workspace(c *call, id string) *workspace {
	for _, w := range s.workspaces {
		if w.ID == id && c.reaches(id) {
			return w
		}
	}
	return nil
}

func (s *Server) redeemCode(c *call) answer {
	var in struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		Code         string `json:"code"`
	}
	if err := json.NewDecoder(c.Body).Decode(&in); err != nil || in.ClientID == "" || in.ClientSecret == "" {
		return refuse(http.StatusUnauthorized, "Client not found", "OAUTH_010")
	}
	t := s.codes[in.Code]
	if t == nil {
		return refuse(http.StatusUnauthorized, "Oauth code not found", "OAUTH_014")
	}
	delete(s.codes, in.Code)
	s.tokens[t.value] = t
	return c.reply(map[string]string{"access_token": t.value, "token_type": "Bearer"})
}
