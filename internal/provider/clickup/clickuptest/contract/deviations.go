package contract

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A deviation is where ClickUp's documents contradict themselves or what ClickUp is known to send. Each names one place in
// one operation, so that everything else stays checked.
type deviation struct {
	operation string // with the prefix, as operations are named
	at        string // "answer" or "body", then properties; [] is an array's items. Or "query" and a parameter's name
	change    func(map[string]any)
	like      string // instead of change: the operation and place whose schema holds here too
	why       string
}

const (
	unset    = "is null where nothing is set"
	picture  = "is null for a user without a picture, as in ClickUp's own webhook examples"
	typed    = "is an object in the document's own example"
	brackets = "the text of the parameter, and the Workspace's operation, have it with brackets"
	hollow   = "the third alternative admits everything, so with oneOf a text or null could never conform"
)

const (
	oneTask   = "GET /api/v2/task/{task_id} answer."
	teamTasks = "GET /api/v2/team/{team_Id}/task answer.tasks[]."
)

var deviations = []deviation{
	{operation: "GET /api/v2/user", at: "answer.user.profilePicture", change: orNull, why: picture},
	{operation: "GET /api/v2/team", at: "answer.teams[].avatar", change: orNull, why: unset},
	{operation: "GET /api/v2/team/{team_id}/space", at: "answer.spaces[].avatar", change: orNull, why: unset},
	{operation: "GET /api/v2/list/{list_id}/member", at: "answer.members[].profilePicture", change: orNull, why: picture},

	{operation: "GET /api/v2/folder/{folder_id}/list", at: "answer.lists[].status", change: withoutThird, why: hollow},
	{operation: "GET /api/v2/folder/{folder_id}/list", at: "answer.lists[].priority", change: withoutThird, why: hollow},
	{operation: "GET /api/v2/list/{list_id}", at: "answer.task_count", change: orNumber, why: "is a number in the document's own example"},
	{operation: "GET /api/v2/list/{list_id}", at: "answer.due_date", change: orNull, why: unset},
	{operation: "GET /api/v2/folder/{folder_id}", at: "answer.lists[]", like: "GET /api/v2/folder/{folder_id}/list answer.lists[]", why: "lists are objects wherever the document shows some"},
	{operation: "GET /api/v2/space/{space_id}/folder", at: "answer.folders.lists[]", like: "GET /api/v2/folder/{folder_id}/list answer.lists[]", why: "likewise"},
	{operation: "GET /api/v2/space/{space_id}/folder", at: "answer.folders", change: severalOf, why: "is an array in the document's own example"},

	{operation: "GET /api/v2/team/{team_Id}/task", at: "answer.tasks[].creator.profilePicture", change: orNull, why: picture},
	{operation: "GET /api/v2/team/{team_Id}/task", at: "answer.tasks[].assignees[].profilePicture", change: orNull, why: picture},
	{operation: "GET /api/v2/team/{team_Id}/task", at: "answer.tasks[].watchers[].profilePicture", change: orNull, why: picture},
	{operation: "GET /api/v2/team/{team_Id}/task", at: "answer.tasks[].date_closed", change: orNull, why: unset},
	{operation: "GET /api/v2/team/{team_Id}/task", at: "answer.tasks[].parent", change: orNull, why: unset},
	{operation: "GET /api/v2/team/{team_Id}/task", at: "answer.tasks[].due_date", change: orNull, why: unset},
	{operation: "GET /api/v2/team/{team_Id}/task", at: "answer.tasks[].start_date", change: orNull, why: unset},
	{operation: "GET /api/v2/team/{team_Id}/task", at: "answer.tasks[].points", change: orNull, why: unset},
	{operation: "GET /api/v2/team/{team_Id}/task", at: "answer.tasks[].time_estimate", change: orNull, why: unset},
	{operation: "GET /api/v2/team/{team_Id}/task", at: "answer.tasks[].priority", like: oneTask + "priority", why: "is an object or null in the other operations"},
	{operation: "GET /api/v2/list/{list_id}/task", at: "answer.tasks[].assignees[]", like: oneTask + "assignees[]", why: typed},
	{operation: "GET /api/v2/list/{list_id}/task", at: "answer.tasks[].watchers[]", like: oneTask + "watchers[]", why: typed},
	{operation: "GET /api/v2/list/{list_id}/task", at: "answer.tasks[].tags[]", like: oneTask + "tags[]", why: typed},
	{operation: "GET /api/v2/list/{list_id}/task", at: "answer.tasks[].checklists[]", like: teamTasks + "checklists[]", why: typed},
	{operation: "GET /api/v2/list/{list_id}/task", at: "query.statuses", change: named("statuses[]"), why: brackets},
	{operation: "GET /api/v2/list/{list_id}/task", at: "query.assignees", change: named("assignees[]"), why: brackets},
	{operation: "GET /api/v2/list/{list_id}/task", at: "query.tags", change: named("tags[]"), why: brackets},
	{operation: "GET /api/v2/list/{list_id}/task", at: "query.custom_items", change: named("custom_items[]"), why: brackets},

	{operation: "GET /api/v2/task/{task_id}/comment", at: "answer.comments[].user.profilePicture", change: orNull, why: picture},
	{operation: "GET /api/v2/task/{task_id}/comment", at: "answer.comments[].assignee.profilePicture", change: orNull, why: picture},
	{operation: "GET /api/v2/task/{task_id}/comment", at: "answer.comments[].assigned_by.profilePicture", change: orNull, why: picture},
	{operation: "GET /api/v2/task/{task_id}/comment", at: "answer.comments[].assignee", change: orNull, why: "is null where the comment is assigned to nobody"},
	{operation: "GET /api/v2/task/{task_id}/comment", at: "answer.comments[].assigned_by", change: orNull, why: "likewise"},

	{operation: "POST /api/v2/team/{team_id}/webhook", at: "body.events", change: orAll, why: `"*" is all events, says the description`},
	{operation: "PUT /api/v2/webhook/{webhook_id}", at: "body.events", change: orSeveral, why: "a list must be possible, as when the webhook is created"},
}

func orNull(schema map[string]any) { alsoOf(schema, "null") }

func orNumber(schema map[string]any) { alsoOf(schema, "number") }

func orSeveral(schema map[string]any) {
	alsoOf(schema, "array")
	schema["items"] = map[string]any{"type": "string"}
}

// alsoOf admits one more type.
func alsoOf(schema map[string]any, kind string) {
	types, several := schema["type"].([]any)
	if !several {
		types = []any{schema["type"]}
	}
	if !slices.Contains(types, any(kind)) {
		schema["type"] = append(types, kind)
	}
}

func orAll(schema map[string]any) {
	several := maps.Clone(schema)
	clear(schema)
	schema["anyOf"] = []any{several, map[string]any{"const": "*"}}
}

func severalOf(schema map[string]any) {
	one := maps.Clone(schema)
	clear(schema)
	schema["type"], schema["items"] = "array", one
}

func withoutThird(schema map[string]any) { schema["oneOf"] = schema["oneOf"].([]any)[:2] }

func named(name string) func(map[string]any) {
	return func(parameter map[string]any) { parameter["name"] = name }
}

// deviate edits the documents, and fails where a deviation is none any more.
func deviate(root map[string]any, prefix string) error {
	for _, d := range deviations {
		if prefix == "" {
			break // all are version 2's
		}
		place, err := walk(root, prefix, d.operation, d.at)
		if err != nil {
			return fmt.Errorf("the deviation of %s at %s: %w", d.operation, d.at, err)
		}
		before := fmt.Sprint(place)
		if d.like != "" {
			cut := strings.LastIndexByte(d.like, ' ')
			model, err := walk(root, prefix, d.like[:cut], d.like[cut+1:])
			if err != nil {
				return fmt.Errorf("the model of %s at %s: %w", d.operation, d.at, err)
			}
			clear(place)
			maps.Copy(place, model)
		} else {
			d.change(place)
		}
		if fmt.Sprint(place) == before {
			return fmt.Errorf("the deviation of %s at %s: ClickUp's document says so by now: remove it", d.operation, d.at)
		}
	}
	return nil
}

// walk finds a place in an operation.
func walk(root map[string]any, prefix, name, at string) (map[string]any, error) {
	method, path, _ := strings.Cut(name, " ")
	item, _ := root["paths"].(map[string]any)[strings.TrimPrefix(path, prefix)].(map[string]any)
	operation, ok := item[strings.ToLower(method)].(map[string]any)
	if !ok {
		return nil, errors.New("there is no such operation")
	}
	kind, rest, _ := strings.Cut(at, ".")
	var schema map[string]any
	switch kind {
	case "query":
		for _, of := range []map[string]any{item, operation} {
			all, _ := of["parameters"].([]any)
			for _, one := range all {
				if p := resolve(root, one); p["name"] == rest && p["in"] == "query" {
					return p, nil
				}
			}
		}
		return nil, errors.New("there is no such parameter")
	case "body":
		schema = resolve(root, operation["requestBody"])
	case "answer":
		schema = resolve(root, operation["responses"].(map[string]any)["200"])
	}
	schema = resolve(root, schema["content"].(map[string]any)["application/json"].(map[string]any)["schema"])
	for name := range strings.SplitSeq(rest, ".") {
		name, items := strings.CutSuffix(name, "[]")
		if name != "" {
			properties, _ := schema["properties"].(map[string]any)
			if properties[name] == nil {
				return nil, fmt.Errorf("there is no property %s", name)
			}
			schema = resolve(root, properties[name])
		}
		if items {
			schema = resolve(root, schema["items"])
		}
	}
	return schema, nil
}

// pointer escapes a name for a JSON pointer.
var pointer = strings.NewReplacer("~", "~0", "/", "~1")

// resolve follows references inside the document.
func resolve(root map[string]any, node any) map[string]any {
	for {
		object, _ := node.(map[string]any)
		reference, ok := object["$ref"].(string)
		if !ok {
			return object
		}
		node = root
		for name := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
			name, _ = url.PathUnescape(name)
			name = strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
			switch in := node.(type) {
			case map[string]any:
				node = in[name]
			case []any:
				i, _ := strconv.Atoi(name)
				node = in[i]
			}
		}
	}
}

// nullable turns OpenAPI 3.0's word into JSON Schema's. The document of version 2 uses it too, though it says it is of 3.1.
func nullable(node any) {
	switch in := node.(type) {
	case map[string]any:
		if in["nullable"] == true {
			orNull(in)
		}
		for _, v := range in {
			nullable(v)
		}
	case []any:
		for _, v := range in {
			nullable(v)
		}
	}
}
