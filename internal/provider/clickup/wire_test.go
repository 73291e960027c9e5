package clickup

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

var testConnection = &connection{workspace: "9000", comments: true, fields: true}

// objectOf maps one task as a full run of everything would.
func objectOf(t *testing.T, raw string) provider.Object {
	t.Helper()
	decoded, reason := decodeTask(json.RawMessage(raw))
	if reason != "" {
		t.Fatalf("%s is refused: %s", raw, reason)
	}
	return testConnection.taskObject(decoded, provider.Plan{Options: provider.Options{IncludeCompleted: true, IncludeArchived: true}})
}

func TestATaskIsReadAsClickUpDocumentsIt(t *testing.T) {
	t.Parallel()
	got := objectOf(t, `{"id":"av1","custom_id":"PB-7","name":"My First Task","description":"Task description","markdown_description":"**Task** description",
		"status":{"status":"Open","type":"open","orderindex":1,"color":"#000000"},"date_created":"1508369194377","date_updated":"1508369194377","date_closed":null,"date_done":null,
		"creator":{"id":123,"username":"John Doe","email":"johndoe@website.com"},"assignees":[{"id":123,"username":"John Doe"},{"id":"124","username":null,"email":"b@example.com"}],
		"checklists":[{"id":"d4","name":"Steps","items":[{"name":"one","resolved":true,"children":[{"name":"below","resolved":false,"children":[]}]},{"name":"two","resolved":false}]}],
		"tags":[{"name":"tagged","tag_fg":"#000000"}],"parent":"av2","priority":1,"due_date":"1508369194377","start_date":null,"points":3,"time_estimate":"7200000",
		"custom_fields":[],"locations":[{"id":"123456","name":"Secondary"},{"id":"1"}],"team_id":"1234","list":{"id":"1","name":"List"},"folder":{"id":"2"},"space":{"id":"3"}}`)
	at := time.UnixMilli(1508369194377).UTC()
	want := provider.Object{
		Type: integration.ObjectTask, ExternalID: "av1", Kind: "task", Title: "My First Task", URL: "https://app.clickup.com/t/av1", ParentID: "av2", UpdatedAt: &at,
		Content: "**Task** description\n\n## Steps\n\n- [x] one\n  - [ ] below\n- [ ] two\n",
		Properties: properties{
			"status": "Open", "statusType": "open", "priority": "urgent", "customId": "PB-7", "creator": "John Doe", "assignees": []any{"John Doe", "b@example.com"},
			"createdAt": "2017-10-18T23:26:34Z", "dueDate": "2017-10-18T23:26:34Z", "timeEstimate": 7200000.0, "points": 3.0, "tags": []any{"tagged"},
		},
		Relations: []provider.Relation{
			{Type: integration.RelBelongsTo, To: "1"}, {Type: integration.RelBelongsTo, To: "123456"}, {Type: integration.RelParentOf, From: "av2"},
			{Type: integration.RelAssignedTo, To: "user:123"}, {Type: integration.RelAssignedTo, To: "user:124"},
		},
		Listing: "list:1/tasks", HasDetails: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestATaskIsReadWhateverIsOddAboutIt(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"numbers for ids and times": `{"id":17,"list":{"id":1},"parent":null,"date_updated":1508369194377}`,
		"the list as its id":        `{"id":"17","list":1,"date_updated":"1508369194377"}`,
		"nulls everywhere":          `{"id":"17","name":null,"status":null,"priority":null,"creator":null,"assignees":null,"tags":null,"checklists":null,"custom_fields":null,"parent":null,"points":null,"time_estimate":null,"locations":null,"list":{"id":"1"},"date_updated":"1508369194377"}`,
		"other types everywhere":    `{"id":"17","name":[],"status":[1],"priority":[],"creator":[],"assignees":{},"tags":"x","checklists":["x",7],"custom_fields":[3,null,{}],"parent":[],"points":"many","time_estimate":{},"locations":"no","folder":7,"space":[],"list":{"id":"1"},"date_updated":"1508369194377","date_closed":"never","due_date":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := objectOf(t, raw)
			if got.ExternalID != "17" || got.ParentID != "1" || got.Title != "Untitled" || got.UpdatedAt == nil || got.UpdatedAt.UnixMilli() != 1508369194377 {
				t.Errorf("got %+v", got)
			}
		})
	}
	for name, raw := range map[string]string{
		"no object": `"17"`, "null": `null`, "no id": `{"name":"x"}`, "an empty id": `{"id":""}`, "an id too long": `{"id":"` + strings.Repeat("x", 256) + `"}`,
	} {
		if _, reason := decodeTask(json.RawMessage(raw)); reason == "" {
			t.Errorf("%s is taken for a task", name)
		}
	}
}

// What stands in a list and is nothing of its kind is left out; what merely lacks a name is not.
func TestWhatIsOddInAListIsLeftOut(t *testing.T) {
	t.Parallel()
	got := objectOf(t, `{"id":"1","tags":[null,{},"plain",{"name":"named"}],"assignees":[null,{},7,{"username":"Ada"}],"locations":[null,{},"2",{"id":3}],
		"checklists":[null,{},{"name":"Steps","items":[3,{},null,{"name":"one","children":["x",{"name":"below"}]}]}],
		"custom_fields":[{"id":"f","name":"Size","type":"drop_down","value":1,"type_config":{"options":[null,{"id":"a","name":"Small"},7,{"id":"b","name":"Large"}]}}]}`)
	if want := "## Steps\n\n- [ ] Untitled\n- [ ] one\n  - [ ] below\n"; got.Content != want {
		t.Errorf("the checklists are %q, want %q", got.Content, want)
	}
	want := map[string]any{"tags": []any{"plain", "named"}, "assignees": []any{"7", "Ada"}, "customFields": map[string]any{"Size": "Large"}}
	if diff := cmp.Diff(want, got.Properties); diff != "" {
		t.Error(diff)
	}
	var related []string
	for _, r := range got.Relations {
		related = append(related, r.To)
	}
	if diff := cmp.Diff([]string{"2", "3", "user:7"}, related); diff != "" {
		t.Error(diff)
	}
}

func TestStatusTypesThatAreCompleted(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]bool{"open": false, "custom": false, "done": false, "closed": true, "Closed": true, "": false} {
		if got := objectOf(t, `{"id":"1","status":{"status":"x","type":"`+kind+`"}}`).Completed; got != want {
			t.Errorf("%q: completed is %v", kind, got)
		}
	}
}

func TestCustomFieldsHaveTheValuesThatPeopleSee(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		field string
		want  any
	}{
		"text":                    {`"type":"text","value":"some\u0000thing"`, "something"},
		"text with Markdown":      {`"type":"text","value":"bold","value_markdown":"**bold**"`, "**bold**"},
		"number as text":          {`"type":"number","value":"12.5"`, 12.5},
		"number":                  {`"type":"number","value":12.5`, 12.5},
		"currency":                {`"type":"currency","value":"100","type_config":{"currency_type":"EUR"}`, 100.0},
		"rating":                  {`"type":"emoji","value":"4","type_config":{"count":5}`, 4.0},
		"checkbox":                {`"type":"checkbox","value":"true"`, true},
		"checkbox as boolean":     {`"type":"checkbox","value":false`, false},
		"date":                    {`"type":"date","value":"1508369194377"`, "2017-10-18T23:26:34Z"},
		"drop-down by order":      {`"type":"drop_down","value":1,"type_config":{"options":[{"id":"a","name":"Low","orderindex":0},{"id":"b","name":"High","orderindex":1}]}`, "High"},
		"drop-down by id":         {`"type":"drop_down","value":"a","type_config":{"options":[{"id":"a","name":"Low","orderindex":0}]}`, "Low"},
		"drop-down without order": {`"type":"drop_down","value":1,"type_config":{"options":[{"id":"a","name":"Low"},{"id":"b","name":"High"}]}`, "High"},
		"drop-down of nothing":    {`"type":"drop_down","value":7,"type_config":{"options":[]}`, 7.0},
		"labels":                  {`"type":"labels","value":["b","gone"],"type_config":{"options":[{"id":"a","label":"one"},{"id":"b","label":"two"}]}`, []any{"two", "gone"}},
		"people":                  {`"type":"users","value":[{"id":1,"username":"Ada","profilePicture":"x"},{"id":2,"email":"b@example.com"}]`, []any{"Ada", "b@example.com"}},
		"tasks":                   {`"type":"tasks","value":[{"id":"9hz","name":"Other","status":"open","color":"#fff"}]`, []any{map[string]any{"id": "9hz", "name": "Other"}}},
		"attachment":              {`"type":"attachment","value":[{"id":"f.png","title":"f","url":"https://x/f.png","thumbnail_small":"t"}]`, []any{map[string]any{"id": "f.png", "title": "f", "url": "https://x/f.png"}}},
		"location":                {`"type":"location","value":{"location":{"lat":1,"lng":2},"formatted_address":"Somewhere 1"}`, "Somewhere 1"},
		"automatic progress":      {`"type":"automatic_progress","value":{"percent_complete":40}`, 40.0},
		"manual progress":         {`"type":"manual_progress","value":{"current":"3","percent_completed":30}`, 30.0},
		"formula":                 {`"type":"formula","value":"3.5"`, 3.5},
		"formula of text":         {`"type":"formula","value":"late"`, "late"},
		"unknown type":            {`"type":"signature","value":{"by":["x\u0000"]}`, map[string]any{"by": []any{"x"}}},
		"not as its type":         {`"type":"date","value":{"from":1}`, map[string]any{"from": 1.0}},
		"no value":                {`"type":"text"`, nil},
		"null":                    {`"type":"text","value":null`, nil},
		"empty text":              {`"type":"text","value":""`, nil},
		"empty list":              {`"type":"labels","value":[]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := objectOf(t, `{"id":"1","custom_fields":[{"id":"f1","name":"Field",`+test.field+`}]}`).Properties["customFields"]
			var want any
			if test.want != nil {
				want = map[string]any{"Field": test.want}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCustomFieldsAreNamedByTheirMapping(t *testing.T) {
	t.Parallel()
	task, _ := decodeTask(json.RawMessage(`{"id":"1","custom_fields":[
		{"id":"f3","name":"Size","type":"number","value":3},{"id":"f1","name":"Size","type":"number","value":1},{"id":"f2","name":"Colour","type":"text","value":"red"}]}`))
	plan := provider.Plan{Mappings: []integration.SyncMapping{{Kind: integration.MapCustomField, ExternalID: "f2", Target: "shade"}}}
	want := any(map[string]any{"Size": 1.0, "Size (f3)": 3.0, "shade": "red"})
	if diff := cmp.Diff(want, testConnection.taskObject(task, plan).Properties["customFields"]); diff != "" {
		t.Error(diff)
	}
	off := connection{workspace: "9000"}
	if got, has := off.taskObject(task, plan).Properties["customFields"]; has {
		t.Errorf("the setting is off, and the fields are %v", got)
	}
}

func TestWhatTheOptionsExcludeIsOnlyKeptUpToDate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		raw  string
		plan provider.Options
		want bool
	}{
		{`{"id":"1"}`, provider.Options{}, false},
		{`{"id":"1","status":{"type":"closed"}}`, provider.Options{}, true},
		{`{"id":"1","status":{"type":"closed"}}`, provider.Options{IncludeCompleted: true}, false},
		{`{"id":"1","archived":true}`, provider.Options{IncludeCompleted: true}, true},
		{`{"id":"1","archived":true}`, provider.Options{IncludeArchived: true}, false},
	} {
		task, _ := decodeTask(json.RawMessage(test.raw))
		if got := testConnection.taskObject(task, provider.Plan{Options: test.plan}).OnlyKnown; got != test.want {
			t.Errorf("%s with %+v: %v", test.raw, test.plan, got)
		}
	}
}

func TestErrorsAreToldApart(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]integration.ProviderReason{
		"OAUTH_017": integration.ReasonAuthFailed, "OAUTH_019": integration.ReasonAuthFailed, "OAUTH_021": integration.ReasonAuthFailed, "OAUTH_025": integration.ReasonAuthFailed,
		"OAUTH_077": integration.ReasonAuthFailed, "OAUTH_023": integration.ReasonPermission, "OAUTH_026": integration.ReasonPermission, "OAUTH_027": integration.ReasonPermission,
		"OAUTH_029": integration.ReasonPermission, "OAUTH_045": integration.ReasonPermission, "ACCESS_083": integration.ReasonPermission, "ITEM_013": integration.ReasonNotFound,
		"OAUTH_046": "", "OAUTH_028": "", "APP_002": "", "": "",
	} {
		got, told := classify(401, fmt.Appendf(nil, `{"err":"some text","ECODE":%q}`, code))
		if got != want || told != (want != "") {
			t.Errorf("%s: %q, %v", code, got, told)
		}
	}
	for _, body := range []string{"", "<html>", "[]", "null", `{"ECODE":7}`, `{"ECODE":null}`} {
		if _, told := classify(404, []byte(body)); told {
			t.Errorf("%q tells a reason", body)
		}
	}
}

// What ClickUp sends can be anything: reading it neither fails nor gives two things for one.
func FuzzTask(f *testing.F) {
	f.Add(`{"id":"1","name":"x","custom_fields":[{"id":"f","type":"labels","value":["a"],"type_config":{"options":[{"id":"a"}]}}],"checklists":[{"name":"c","items":[{"children":[{}]}]}]}`)
	f.Add(`{"id":7,"parent":{"id":8},"locations":[1,"2",{"id":3}],"assignees":[4,{"id":"5"}],"due_date":1e300,"priority":{"id":"2"}}`)
	f.Fuzz(func(t *testing.T, raw string) {
		task, reason := decodeTask(json.RawMessage(raw))
		again, _ := decodeTask(json.RawMessage(raw))
		if reason != "" || !json.Valid([]byte(raw)) { // which the client refuses
			return
		}
		one := testConnection.taskObject(task, provider.Plan{})
		first, err := json.Marshal(one)
		if err != nil {
			t.Fatalf("it cannot be stored: %v", err)
		}
		second, _ := json.Marshal(testConnection.taskObject(again, provider.Plan{}))
		if string(first) != string(second) {
			t.Errorf("two results:\n%s\n%s", first, second)
		}
		if one.ExternalID == "" || one.Title == "" || strings.Contains(string(first), `\u0000`) && !strings.Contains(string(first), `\\u0000`) {
			t.Errorf("cannot be stored: %s", first)
		}
	})
}

// Texts are looked at eight bytes at a time: whatever stands wherever in these, a text says what it does to encoding/json, and ends there.
func TestTextsAreReadWhereverTheyEnd(t *testing.T) {
	t.Parallel()
	for _, special := range []string{"", "é", "\xff", `\"`, `\\`, `\n`, `\u0041`, `\\\"`, "\u007f", "!", "#", "["} {
		for before := range 18 {
			for after := range 10 {
				quoted := `"` + strings.Repeat("a", before) + special + strings.Repeat("b", after) + `"`
				var want string
				if err := json.Unmarshal([]byte(quoted), &want); err != nil {
					t.Fatal(err)
				}
				r := reader{raw: []byte(`[` + quoted + `,{"x":` + quoted + `,` + quoted + `:1}]`)}
				for n := range r.items() {
					if n == 0 {
						var got text
						got.read(&r)
						if string(got) != want {
							t.Errorf("%s is read as %q instead of %q", quoted, got, want)
						}
						continue
					}
					for name := range r.names() {
						if string(name) != "x" && string(name) != want {
							t.Errorf("the name %s is read as %q instead of %q", quoted, name, want)
						}
					}
				}
				if r.at != len(r.raw) {
					t.Errorf("%s: the reader stands at %d of %d", r.raw, r.at, len(r.raw))
				}
			}
		}
	}
}

// A list is taken apart as encoding/json would.
func FuzzItems(f *testing.F) {
	for _, seed := range []string{`[]`, `[ ]`, `[1, "a,\"]b\\", {"c":[1,2]} , [[]],null]`, `{"a":1}`, `null`, `"x"`, "[\n1\n,\n2]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var want []json.RawMessage
		if !json.Valid([]byte(raw)) {
			return
		}
		isList := json.Unmarshal([]byte(raw), &want) == nil
		list := as[requiredList](json.RawMessage(raw))
		got, ok := list.items, list.ok
		if ok != isList || len(got) != len(want) {
			t.Fatalf("%q: %q instead of %q", raw, got, want)
		}
		for i := range got {
			if string(got[i]) != strings.TrimSpace(string(want[i])) {
				t.Errorf("%q: %q instead of %q", raw, got[i], want[i])
			}
		}
	})
}

// So is an object.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{`{}`, `{ }`, `{"a" : 1, "b\"":"x\\","c":{"a":[1,{"d":","}]} , "a":[] }`, `{"\u0061":null,"\ud800":"\ud800"}`, `[1]`, `null`, "{\n\"\xff\"\t:\r2}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := as[rawObject](json.RawMessage(raw)) // whatever it gives, it ends
		if !json.Valid([]byte(raw)) {
			return
		}
		var want map[string]json.RawMessage
		_ = json.Unmarshal([]byte(raw), &want)
		for _, value := range got {
			var other string
			if one := as[text](value); value[0] == '"' && json.Unmarshal(value, &other) == nil && one != text(strings.ReplaceAll(other, "\x00", "")) {
				t.Errorf("%q is read as %q instead of %q", value, one, other)
			}
		}
		for name, value := range want {
			if clean := strings.ReplaceAll(name, "\x00", ""); clean == name && string(got[name]) != strings.TrimSpace(string(value)) {
				t.Errorf("%q: %q instead of %q", name, got[name], value)
			}
		}
		if len(got) > len(want) {
			t.Errorf("%q: %q instead of %q", raw, got, want)
		}
	})
}
