package clickup

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/seal"
)

// webhooks is how ClickUp tells of changes. Its signatures hold no time, and its deliveries no id: what is told twice is found
// out by the key, and reading anew makes an old one harmless.
var webhooks = provider.Webhooks{
	Verify: verify, Read: readDelivery, HookID: hookID, IssuesSecret: true, Account: []string{"workspace_id"},
	Creates: []string{"spaceCreated", "folderCreated", "listCreated", "taskCreated"},
}

// verify compares X-Signature, the lower-case hex of the body's HMAC-SHA256, with each secret's.
func verify(h http.Header, body []byte, secrets []seal.Secret, _ time.Time) bool {
	given := h.Values("X-Signature")
	if len(given) != 1 {
		return false
	}
	signed := 0
	for _, secret := range secrets {
		if secret.IsZero() { // anybody could sign with it
			continue
		}
		mac := hmac.New(sha256.New, []byte(secret.Expose()))
		mac.Write(body)
		signed |= subtle.ConstantTimeCompare([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(given[0]))
	}
	return signed == 1
}

// effect is what an event does to what it is about.
type effect int

const (
	changes  effect = iota + 1
	moves           // changes it, and with it what is below
	comments        // changes what hangs on it
	deletes
)

// told are the events that concern what is imported. Goals and their key results are not.
var told = map[string]effect{
	"taskCreated": changes, "taskUpdated": changes, "taskDeleted": deletes, "taskPriorityUpdated": changes, "taskStatusUpdated": changes,
	"taskAssigneeUpdated": changes, "taskDueDateUpdated": changes, "taskTagUpdated": changes, "taskMoved": moves, "taskCommentPosted": comments,
	"taskCommentUpdated": comments, "taskTimeEstimateUpdated": changes, "taskTimeTrackedUpdated": changes,
	"listCreated": changes, "listUpdated": changes, "listDeleted": deletes,
	"folderCreated": changes, "folderUpdated": changes, "folderDeleted": deletes,
	"spaceCreated": changes, "spaceUpdated": changes, "spaceDeleted": deletes,
}

// delivery is a webhook's body, of which one id is set: that of what the event is about.
type delivery struct {
	Event   text       `json:"event"`
	Webhook text       `json:"webhook_id"`
	Task    text       `json:"task_id"`
	List    text       `json:"list_id"`
	Folder  text       `json:"folder_id"`
	Space   text       `json:"space_id"`
	History listOf[id] `json:"history_items"`
}

// readDelivery reads a body. Its errors quote nothing of it but the event's name, which is one of ours.
func readDelivery(_ http.Header, body []byte) (provider.Delivery, error) {
	var d delivery
	switch {
	case !utf8.Valid(body):
		return provider.Delivery{}, errors.New("the body is not UTF-8")
	case !json.Valid(body) || !decode(body, &d):
		return provider.Delivery{}, errors.New("the body is no JSON object")
	case d.Event == "" || len(d.Event) > maxEvent:
		return provider.Delivery{}, errors.New("the body names no event")
	}
	read := provider.Delivery{Event: string(d.Event)}
	read.ID, read.Key = d.identity()
	does, known := told[read.Event]
	if !known {
		read.Ignored = true
		return read, nil
	}
	about, ok := d.about()
	if !ok {
		return provider.Delivery{}, fmt.Errorf("the event %s has no id of what it is about", read.Event)
	}
	switch does {
	case changes:
		read.Changed = about
	case moves:
		read.Changed, read.Moved = about, about
	case comments:
		read.Details = about
	case deletes:
		read.Gone = about
	}
	return read, nil
}

const (
	maxEvent = 100 // bytes of an event's name; ours have 23 at most
	maxKey   = 400 // bytes of a key that is kept as it is
)

// identity tells deliveries apart: ClickUp gives the items of the history ids, and one item may be told in several events. The key
// is empty where an item has no id, or there are none.
func (d delivery) identity() (history, key string) {
	var ids []string
	for _, item := range d.History {
		if item == "" {
			return "", ""
		}
		ids = append(ids, string(item))
	}
	if len(ids) == 0 {
		return "", ""
	}
	history = strings.Join(ids, ",")
	key = string(d.Webhook) + ":" + string(d.Event) + ":" + history
	if len(key) > maxKey {
		sum := sha256.Sum256([]byte(key))
		key, history = string(d.Event)+":"+hex.EncodeToString(sum[:]), ids[0]
	}
	return history[:min(len(history), maxKey)], key
}

// about is the object that a known event is about.
func (d delivery) about() ([]provider.Ref, bool) {
	var ref provider.Ref
	switch event := string(d.Event); {
	case strings.HasPrefix(event, "task"):
		ref = provider.Ref{Type: integration.ObjectTask, ExternalID: string(d.Task)}
	case strings.HasPrefix(event, "list"):
		ref = provider.Ref{Type: integration.ObjectCollection, ExternalID: string(d.List)}
	case strings.HasPrefix(event, "folder"):
		ref = provider.Ref{Type: integration.ObjectCollection, ExternalID: string(d.Folder)}
	case strings.HasPrefix(event, "space"):
		ref = provider.Ref{Type: integration.ObjectProject, ExternalID: string(d.Space)}
	}
	return []provider.Ref{ref}, ref.ExternalID != "" && len(ref.ExternalID) <= integration.MaxExternalID
}

// maxHookID bounds a webhook's id: ClickUp's are UUIDs.
const maxHookID = 64

// hookID finds webhook_id among the names of the outermost object, in one pass that keeps nothing. It judges neither the rest nor
// whether it is JSON at all: a signature has to prove that somebody meant it. A name with an escape may be the same one written
// differently, and with two of them it could be either: there is none then.
func hookID(body []byte) (found string, ok bool) {
	depth, name, isName := 0, "", false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; c {
		case '{', '[':
			if depth++; depth == 1 {
				if c == '[' {
					return "", false
				}
				isName = true
			}
		case '}', ']':
			if depth--; depth <= 0 {
				return found, found != ""
			}
		case ',':
			if depth == 1 {
				isName = true
			}
		case '"':
			from := i + 1
			for i = from; i < len(body) && body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
			if i >= len(body) || depth == 0 {
				return "", false
			}
			if depth > 1 {
				continue
			}
			switch quoted := body[from:i]; {
			case isName && bytes.IndexByte(quoted, '\\') >= 0:
				return "", false
			case isName:
				name, isName = "", false
				if len(quoted) == len("webhook_id") {
					name = string(quoted)
				}
			case name == "webhook_id":
				if found != "" || !isHookID(quoted) {
					return "", false
				}
				found = string(quoted)
			}
		}
	}
	return "", false
}

func isHookID(id []byte) bool {
	return len(id) > 0 && len(id) <= maxHookID && !slices.ContainsFunc(id, func(c byte) bool {
		return c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	})
}
