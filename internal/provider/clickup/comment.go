package clickup

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// comment is on a task, or is the answer to one that is.
type comment struct {
	ID       text         `json:"id"`
	Parts    listOf[part] `json:"comment"`
	Text     text         `json:"comment_text"`
	User     user         `json:"user"`
	Assignee user         `json:"assignee"`
	Resolved flag         `json:"resolved"`
	Date     moment       `json:"date"` // of writing; that of a change is not told
	Replies  number       `json:"reply_count"`

	millis text // Date as ClickUp writes it, to page with
}

func commentsKey(task string) string { return "task:" + task + "/comments" }

// commentsPage is how many comments an answer has unless it is the last one.
const commentsPage = 25

// commentsOf reads all comments on a task, the newest first, and the replies below each. What cannot be read is in failed; they are
// whole where nothing is. Where the limit ends it, it goes on from there when it is called again for the same reading.
func (c *connection) commentsOf(ctx context.Context, reading, task string) (objects []provider.Object, bad []integration.SyncFailure, whole bool, err error) {
	c = c.remembering(c.talks, reading+"/"+task)
	defer func() { c.kept.end(c.reading, err) }()
	seen := map[text]bool{}
	listed := true
	query := url.Values{}
	for {
		all, failed, n, err := c.commentPage(ctx, c.v2("task", task, "comment"), query)
		if err != nil {
			return nil, nil, false, err
		}
		bad, listed = append(bad, failed...), listed && n >= 0
		fresh := false
		for _, one := range all {
			if seen[one.ID] {
				continue
			}
			seen[one.ID], fresh = true, true
			objects = append(objects, commentObject(one, task, ""))
			if one.Replies.float64 == nil || *one.Replies.float64 <= 0 {
				continue
			}
			replies, failed, n, err := c.commentPage(ctx, c.v2("comment", string(one.ID), "reply"), nil)
			if missing(err) {
				continue // deleted since
			}
			if err != nil {
				return nil, nil, false, err
			}
			bad, listed = append(bad, failed...), listed && n >= 0
			for _, reply := range replies {
				if !seen[reply.ID] {
					seen[reply.ID] = true
					objects = append(objects, commentObject(reply, task, one.ID))
				}
			}
		}
		if n < commentsPage || !fresh {
			return objects, bad, listed && len(bad) == 0, nil
		}
		last := all[len(all)-1]
		if last.millis == "" {
			return nil, nil, false, unexpected("date of a comment, which the next ones are asked for by")
		}
		query = url.Values{"start": {string(last.millis)}, "start_id": {string(last.ID)}}
	}
}

// commentPage reads one answer, which has n comments; -1 for one that has no list.
func (c *connection) commentPage(ctx context.Context, path string, query url.Values) (all []comment, bad []integration.SyncFailure, n int, err error) {
	answer, err := c.get(ctx, path, query)
	if err != nil {
		return nil, nil, 0, err
	}
	items, ok := listing(answer, "comments")
	if !ok {
		return nil, nil, 0, unexpected("list of comments")
	}
	for _, item := range items {
		one, ok := decodeComment(item)
		if !ok {
			bad = append(bad, failure(integration.ObjectComment, "comment:"+string(one.ID), "ClickUp's answer holds a comment without a usable id"))
			continue
		}
		all = append(all, one)
	}
	if items == nil {
		return nil, nil, -1, nil
	}
	return all, bad, len(items), nil
}

func decodeComment(raw json.RawMessage) (comment, bool) {
	var one comment
	if !decode(raw, &one) || one.ID == "" || len(one.ID)+len("comment:") > integration.MaxExternalID {
		return one, false
	}
	if one.Date.Time != nil {
		one.millis = text(strconv.FormatInt(one.Date.UnixMilli(), 10))
	}
	return one, true
}

// commentObject is a comment on a task; above is the comment that it answers, or empty.
func commentObject(one comment, task string, above text) provider.Object {
	p := properties{}
	p.text("author", text(one.User.name()))
	p.text("authorId", one.User.ID)
	p.text("assignee", text(one.Assignee.name()))
	p.text("createdAt", text(one.Date.String()))
	p["resolved"] = bool(one.Resolved)
	o := provider.Object{
		Type: integration.ObjectComment, ExternalID: "comment:" + string(one.ID), Kind: "comment", Title: "Comment", Content: markdown(one.Parts),
		Properties: p, URL: appURL + "/t/" + task + "?comment=" + string(one.ID), ParentID: task, UpdatedAt: one.Date.Time,
		Relations: []provider.Relation{{Type: integration.RelCommentOn, To: task}}, Listing: commentsKey(task),
	}
	if n := one.User.name(); n != "" {
		o.Title = "Comment by " + oneLine(n)
	}
	if o.Content == "" {
		o.Content = string(one.Text)
	}
	if above != "" {
		o.ParentID = "comment:" + string(above)
		o.URL = appURL + "/t/" + task + "?comment=" + string(above)
	}
	return o
}
