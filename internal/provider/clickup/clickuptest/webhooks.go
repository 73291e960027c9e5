package clickuptest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Events are all that a webhook can ask for and that an import can cause here.
var Events = []string{
	"taskCreated", "taskUpdated", "taskDeleted", "taskPriorityUpdated", "taskStatusUpdated", "taskAssigneeUpdated", "taskDueDateUpdated", "taskTagUpdated",
	"taskMoved", "taskCommentPosted", "taskCommentUpdated", "taskTimeEstimateUpdated", "taskTimeTrackedUpdated", "listCreated", "listUpdated", "listDeleted",
	"folderCreated", "folderUpdated", "folderDeleted", "spaceCreated", "spaceUpdated", "spaceDeleted", "goalCreated", "goalUpdated", "goalDeleted",
	"keyResultCreated", "keyResultUpdated", "keyResultDeleted",
}

type webhook struct {
	id, workspace, endpoint, secret string
	user                            int64
	creator                         *token
	events                          []string
	status                          string
	fails                           int
	space, folder, list, task       string
}

// A Delivery is one webhook request that ClickUp would send. Sending it again is what ClickUp does after a failure.
type Delivery struct {
	WebhookID, Event string
	Endpoint         string
	Body             []byte
	Signature        string // of the body, for the header X-Signature
}

// Sign is ClickUp's signature of a webhook's body: hex of its HMAC-SHA256.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// Request is the delivery as ClickUp sends it.
func (d Delivery) Request(ctx context.Context) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Endpoint, bytes.NewReader(d.Body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Signature", d.Signature)
	return r, nil
}

// pending is how many deliveries wait at most for somebody to take them; older ones are lost, as ClickUp loses those that
// it could not deliver.
const pending = 100_000

// Deliveries are the webhook requests that became due since the last call, in order. A test may shuffle, repeat or lose them.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := s.outbox
	s.outbox = nil
	return due
}

// Deliver sends a delivery once, and counts what comes of it in the webhook's health: 100 failures in a row, or one 410,
// suspend it. It gives the answer's status, or 0 and the error where there was none within 7 s.
func (s *Server) Deliver(ctx context.Context, client *http.Client, d Delivery) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 7*time.Second)
	defer cancel()
	r, err := d.Request(ctx)
	if err != nil {
		return 0, err
	}
	status := 0
	response, err := client.Do(r)
	if err == nil {
		status = response.StatusCode
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
		_ = response.Body.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.webhooks {
		if h.id != d.WebhookID {
			continue
		}
		switch {
		case status/100 == 2:
			h.fails = 0
			if h.status == "failing" {
				h.status = "active"
			}
		case h.fails+1 >= 100 || status == http.StatusGone:
			h.fails++
			h.status = "suspended"
		default:
			h.fails++
			h.status = "failing"
		}
	}
	return status, err
}

// emit puts an event of an object at a place in the outbox, for every webhook that asked for it. Of the place, what does not
// apply is "".
func (s *Server) emit(event string, at place, body shape) {
	for _, h := range s.webhooks {
		if h.workspace != at.workspace || h.status == "suspended" || h.creator.revoked || !slices.Contains(h.events, event) ||
			h.space != "" && h.space != at.space || h.folder != "" && h.folder != at.folder || h.list != "" && h.list != at.list || h.task != "" && h.task != at.task {
			continue
		}
		body["event"], body["webhook_id"] = event, h.id
		raw := mustJSON(body)
		s.outbox = append(s.outbox, Delivery{WebhookID: h.id, Event: event, Endpoint: h.endpoint, Body: raw, Signature: Sign(h.secret, raw)})
	}
	if len(s.outbox) > pending {
		s.outbox = slices.Clone(s.outbox[len(s.outbox)-pending:])
	}
}

type place struct{ workspace, space, folder, list, task string }

// history is one of a delivery's history_items. What happened once may be told in several events, under one id.
func (s *Server) history(kind int, field, parent string, by int64, now int64, data shape, before, after any) shape {
	s.events++
	return shape{
		"id": strconv.FormatInt(4_800_000_000_000_000_000+int64(s.opts.Seed%1000)*1_000_000_000+int64(s.events), 10), "type": kind, "date": ms(now), "field": field,
		"parent_id": parent, "data": data, "source": nil, "user": json.RawMessage(s.userJSON[by]), "before": before, "after": after,
	}
}

func (s *Server) getWebhooks(c *call) answer {
	w := s.workspace(c, c.PathValue("team_id"))
	if w == nil {
		return unauthorized()
	}
	all := []shape{}
	for _, h := range s.webhooks {
		if h.workspace == w.ID && h.creator == c.token {
			all = append(all, h.shape())
		}
	}
	return c.reply(shape{"webhooks": all})
}

func (h *webhook) shape() shape {
	team, _ := strconv.ParseInt(h.workspace, 10, 64)
	optional := func(id string) any {
		if id == "" {
			return nil
		}
		return id
	}
	return shape{
		"id": h.id, "userid": h.user, "team_id": team, "endpoint": h.endpoint, "client_id": "CLICKUPTEST", "events": h.events, "task_id": optional(h.task),
		"list_id": optional(h.list), "folder_id": optional(h.folder), "space_id": optional(h.space), "health": shape{"status": h.status, "fail_count": h.fails},
		"secret": h.secret,
	}
}

// wanted is what a webhook is asked for. Ids are numbers or strings: ClickUp's contract and its examples differ.
type wanted struct {
	Endpoint string          `json:"endpoint"`
	Events   json.RawMessage `json:"events"`
	Status   string          `json:"status"`
	Space    json.RawMessage `json:"space_id"`
	Folder   json.RawMessage `json:"folder_id"`
	List     json.RawMessage `json:"list_id"`
	Task     json.RawMessage `json:"task_id"`
}

// events reads "*" or a list of known events.
func (in wanted) events() ([]string, bool) {
	var all string
	if json.Unmarshal(in.Events, &all) == nil {
		return Events, all == "*"
	}
	var some []string
	if json.Unmarshal(in.Events, &some) != nil || len(some) == 0 {
		return nil, false
	}
	if slices.Contains(some, "*") {
		return Events, true
	}
	for _, e := range some {
		if !slices.Contains(Events, e) {
			return nil, false
		}
	}
	return some, true
}

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func (s *Server) createWebhook(c *call) answer {
	w := s.workspace(c, c.PathValue("team_id"))
	if w == nil {
		return unauthorized()
	}
	var in wanted
	if err := json.NewDecoder(c.Body).Decode(&in); err != nil {
		return refuse(http.StatusBadRequest, "Body is not valid JSON", "INPUT_001")
	}
	events, ok := in.events()
	if !ok || !isURL(in.Endpoint) {
		return refuse(http.StatusBadRequest, "Endpoint and events are required", "WEBHOOK_001")
	}
	id := func(raw json.RawMessage) string {
		text := strings.Trim(string(raw), `"`)
		if text == "null" {
			return ""
		}
		return text
	}
	h := &webhook{
		workspace: w.ID, endpoint: in.Endpoint, user: c.token.user.ID, creator: c.token, events: events, status: "active",
		space: id(in.Space), folder: id(in.Folder), list: id(in.List), task: id(in.Task),
	}
	for _, other := range s.webhooks {
		if other.workspace == h.workspace && other.creator == h.creator && other.endpoint == h.endpoint && other.space == h.space && other.folder == h.folder && other.list == h.list && other.task == h.task {
			return refuse(http.StatusBadRequest, "Webhook configuration already exists", "OAUTH_171")
		}
	}
	s.events++
	h.id = s.uuid(s.events, 80)
	h.secret = strings.ToUpper(strings.ReplaceAll(s.uuid(s.events, 81)+s.uuid(s.events, 82), "-", ""))
	s.webhooks = append(s.webhooks, h)
	return c.reply(shape{"id": h.id, "webhook": h.shape()})
}

func (s *Server) webhook(c *call) *webhook {
	for _, h := range s.webhooks {
		if h.id == c.PathValue("webhook_id") && h.creator == c.token {
			return h
		}
	}
	return nil
}

func (s *Server) updateWebhook(c *call) answer {
	h := s.webhook(c)
	if h == nil {
		return refuse(http.StatusNotFound, "Webhook not found", "WEBHOOK_002")
	}
	var in wanted
	if err := json.NewDecoder(c.Body).Decode(&in); err != nil {
		return refuse(http.StatusBadRequest, "Body is not valid JSON", "INPUT_001")
	}
	events, ok := in.events()
	if !ok || !isURL(in.Endpoint) || in.Status == "" {
		return refuse(http.StatusBadRequest, "Endpoint, events and status are required", "WEBHOOK_001")
	}
	h.endpoint, h.events = in.Endpoint, events
	if in.Status == "active" && h.status != "active" {
		h.status, h.fails = "active", 0
	}
	return c.reply(shape{"id": h.id, "webhook": h.shape()})
}

func (s *Server) deleteWebhook(c *call) answer {
	h := s.webhook(c)
	if h == nil {
		return refuse(http.StatusNotFound, "Webhook not found", "WEBHOOK_002")
	}
	s.webhooks = slices.DeleteFunc(s.webhooks, func(other *webhook) bool { return other == h })
	return c.reply(shape{})
}
