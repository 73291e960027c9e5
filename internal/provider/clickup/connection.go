package clickup

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// connection is ClickUp as one token sees it. What it learns, it keeps.
type connection struct {
	client    *provider.Client
	workspace string // id; empty in a draft
	options   provider.Options
	comments  bool // are imported
	fields    bool // custom ones are imported

	above      *parents
	account    string   // names it in structures
	talks      *answers // of comments
	structures *answers // of all connections, since a structure is asked for by one that is made for it
	kept       *answers // of the reading; nil keeps none
	reading    string
}

func connect(a provider.Access, structures *answers) (provider.Connection, error) {
	token := a.Secrets["api_token"]
	if token.IsZero() {
		return nil, integration.Invalid("settings.api_token", "settings.api_token is missing: give a personal API token of ClickUp")
	}
	c := &connection{
		client: a.Network.Client(provider.ClientOptions{
			Provider: name, DisplayName: "ClickUp", Origin: a.Origin, Token: token, Limit: limit, Authorize: authorize, Quota: quota, Classify: classify,
		}),
		comments:   a.Settings["import_comments"] == true,
		fields:     a.Settings["import_custom_fields"] == true,
		above:      &parents{},
		talks:      &answers{},
		structures: structures,
	}
	c.workspace, _ = a.Settings["workspace_id"].(string)
	c.account = account(token.Expose(), c.workspace)
	c.options = provider.Options{IncludeCompleted: a.Settings["import_completed_tasks"] == true, BatchSize: batchSize(a.Settings["batch_size"])}
	return c, nil
}

// batchSize reads the setting in each form that a decoder may give a whole number.
func batchSize(setting any) int {
	n := as[number](fmt.Append(nil, setting))
	if n.float64 == nil {
		return 100
	}
	return min(max(int(*n.float64), integration.MinBatchSize), integration.MaxBatchSize)
}

func (c *connection) Options() provider.Options { return c.options }

// get reads a path below the API's origin. The answer is decoded where it is used, item by item.
func (c *connection) get(ctx context.Context, path string, query url.Values) (json.RawMessage, error) {
	request := path + "?" + query.Encode()
	if c.kept != nil {
		if answer, ok := c.kept.get(c.reading, request); ok {
			return answer, nil
		}
	}
	var answer json.RawMessage
	if came, err := c.client.Do(ctx, provider.Request{Path: path, Query: query, Out: &answer}); err != nil {
		if came.Status != 0 { // it was too large, or no JSON
			err = &oddAnswer{err}
		}
		return nil, err
	}
	if c.kept != nil {
		c.kept.put(c.reading, request, answer)
	}
	return answer, nil
}

// team is a Workspace; version 2 of the API calls it so.
type team struct {
	ID      text    `json:"id"`
	Name    text    `json:"name"`
	Members rawList `json:"members"`
}

func (t team) account() integration.ExternalAccount {
	return integration.ExternalAccount{ID: string(t.ID), Name: string(t.Name)}
}

// teams reads every Workspace that the token reaches.
func (c *connection) teams(ctx context.Context) ([]team, error) {
	answer, err := c.get(ctx, "/api/v2/team", nil)
	if err != nil {
		return nil, err
	}
	items, ok := listing(answer, "teams")
	if !ok {
		return nil, unexpected("list of Workspaces")
	}
	var all []team
	for _, item := range items {
		var t team
		if decode(item, &t) && t.ID != "" {
			all = append(all, t)
		}
	}
	return all, nil
}

// team reads the settings' own Workspace.
func (c *connection) team(ctx context.Context) (team, error) {
	if err := c.needsWorkspace(); err != nil {
		return team{}, err
	}
	teams, err := c.teams(ctx)
	if err != nil {
		return team{}, err
	}
	for _, t := range teams {
		if string(t.ID) == c.workspace {
			return t, nil
		}
	}
	return team{}, c.elsewhere(teams)
}

// needsWorkspace refuses a draft.
func (c *connection) needsWorkspace() error {
	if c.workspace == "" {
		return integration.Invalid("settings.workspace_id", "settings.workspace_id is missing: give the ID of the Workspace to import")
	}
	return nil
}

// elsewhere is the error of a token that reaches other Workspaces than the settings' one.
func (c *connection) elsewhere(teams []team) error {
	if len(teams) == 0 {
		return failed(integration.ReasonPermission, "the API token is valid, but reaches no Workspace: authorise it for Workspace %s in ClickUp", c.workspace)
	}
	var names []string
	for _, t := range teams {
		names = append(names, fmt.Sprintf("%q (%s)", t.Name, t.ID))
	}
	return failed(integration.ReasonPermission, "the API token does not reach Workspace %s, only %s: set workspace_id to one of these, or use a token of a member of that Workspace",
		c.workspace, strings.Join(names, ", "))
}

// Test asks for the token's owner and Workspaces.
func (c *connection) Test(ctx context.Context) (provider.Account, error) {
	answer, err := c.get(ctx, "/api/v2/user", nil)
	if err != nil {
		return provider.Account{}, err
	}
	var owner struct {
		User user `json:"user"`
	}
	decode(answer, &owner)
	account := provider.Account{Name: owner.User.name()}
	teams, err := c.teams(ctx)
	if err != nil {
		return account, err
	}
	wanted := c.workspace == ""
	for _, t := range teams {
		account.Workspaces = append(account.Workspaces, t.account())
		wanted = wanted || string(t.ID) == c.workspace
	}
	if !wanted {
		return account, c.elsewhere(teams)
	}
	return account, nil
}

// reachable fails where the token does not reach the Workspace any more. ClickUp says so in the same words of a single object.
func (c *connection) reachable(ctx context.Context) error {
	_, err := c.get(ctx, c.v2("team", c.workspace, "space"), archived(false))
	return err
}

// v2 is a path of version 2 of the API.
func (*connection) v2(parts ...string) string { return path("/api/v2", parts) }

// v3 is a path of version 3 of the API, in the Workspace.
func (c *connection) v3(parts ...string) string {
	return path("/api/v3/workspaces/"+url.PathEscape(c.workspace), parts)
}

func path(base string, parts []string) string {
	for _, part := range parts {
		if part = url.PathEscape(part); strings.Trim(part, ".") == "" {
			part = "none" // what is empty or dots would be another path
		}
		base += "/" + part
	}
	return base
}

func archived(yes bool) url.Values {
	if yes {
		return url.Values{"archived": {"true"}}
	}
	return url.Values{"archived": {"false"}}
}
