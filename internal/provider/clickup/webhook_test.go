package clickup_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/provider/clickup"
	"patchbay/internal/provider/clickup/clickuptest"
	"patchbay/internal/seal"
)

var webhooks = clickup.Declaration().Webhooks

// published reads a file of ClickUp's own, which is not ours to copy into the repository.
func published(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../../../shared/contracts", name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not in ../shared/contracts beside the repository", name)
	}
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func signed(signature string) http.Header { return http.Header{"X-Signature": {signature}} }

func secrets(texts ...string) (all []seal.Secret) {
	for _, text := range texts {
		all = append(all, seal.NewSecret(text))
	}
	return all
}

func verify(h http.Header, body string, with ...string) bool {
	return webhooks.Verify(h, []byte(body), secrets(with...), time.Now())
}

func TestAPublishedSignatureIsValid(t *testing.T) {
	t.Parallel()
	var vectors []struct{ Provider, Secret, Body, Value string }
	published(t, "signature-vectors.json", &vectors)
	seen := false
	for _, v := range vectors {
		if v.Provider == "clickup" {
			seen = true
			if !verify(signed(v.Value), v.Body, v.Secret) {
				t.Errorf("the signature of %s is refused", v.Body)
			}
		}
	}
	if !seen {
		t.Error("there is no vector of ClickUp's")
	}
}

func TestOnlyTheSecretsHolderCanSign(t *testing.T) {
	t.Parallel()
	const body, secret = `{"event":"taskCreated","task_id":"1"}`, "the secret that ClickUp issued"
	good := clickuptest.Sign(secret, []byte(body))
	for name, test := range map[string]struct {
		header  http.Header
		body    string
		secrets []string
		want    bool
	}{
		"signed":                       {signed(good), body, []string{secret}, true},
		"by the one before":            {signed(good), body, []string{"a new one", secret}, true},
		"by the new one":               {signed(good), body, []string{secret, "the one before"}, true},
		"an empty body":                {signed(clickuptest.Sign(secret, nil)), "", []string{secret}, true},
		"by another's secret":          {signed(good), body, []string{"another", "and another"}, false},
		"with no secret":               {signed(good), body, nil, false},
		"with an empty secret":         {signed(clickuptest.Sign("", []byte(body))), body, []string{""}, false},
		"a byte of the body changed":   {signed(good), strings.Replace(body, "1", "2", 1), []string{secret}, false},
		"the body has a byte more":     {signed(good), body + " ", []string{secret}, false},
		"a byte of the signature lost": {signed(good[:63]), body, []string{secret}, false},
		"capital letters":              {signed(strings.ToUpper(good)), body, []string{secret}, false},
		"a prefix":                     {signed("sha256=" + good), body, []string{secret}, false},
		"no header":                    {http.Header{}, body, []string{secret}, false},
		"an empty header":              {signed(""), body, []string{secret}, false},
		"two headers":                  {http.Header{"X-Signature": {good, good}}, body, []string{secret}, false},
	} {
		if got := verify(test.header, test.body, test.secrets...); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzSignature(f *testing.F) {
	f.Add([]byte(`{"event":"taskCreated"}`), "secret", "other", 3)
	f.Add([]byte{}, "s", "", 0)
	f.Fuzz(func(t *testing.T, body []byte, secret, other string, at int) {
		if secret == "" {
			return
		}
		good := clickuptest.Sign(secret, body)
		if !webhooks.Verify(signed(good), body, secrets(other, secret), time.Time{}) {
			t.Error("what was signed is refused")
		}
		if other != secret && webhooks.Verify(signed(good), body, secrets(other), time.Time{}) && strings.TrimRight(other, "\x00") != strings.TrimRight(secret, "\x00") {
			t.Error("another secret signed it")
		}
		if len(body) > 0 {
			tampered := slices.Clone(body)
			tampered[(at%len(body)+len(body))%len(body)] ^= 1
			if webhooks.Verify(signed(good), tampered, secrets(secret), time.Time{}) {
				t.Error("a tampered body is accepted")
			}
		}
	})
}

// readHook reads a delivery that has to be readable.
func readHook(t *testing.T, body string) provider.Delivery {
	t.Helper()
	d, err := webhooks.Read(http.Header{}, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return d
}

func one(kind integration.ObjectType, id string) []provider.Ref {
	return []provider.Ref{{Type: kind, ExternalID: id}}
}

func TestEachPublishedDeliveryIsReadAsItsEventSays(t *testing.T) {
	t.Parallel()
	var bodies []json.RawMessage
	published(t, "clickup/webhooks/published-examples.json", &bodies)
	task, other := one(integration.ObjectTask, "1vj37mc"), one(integration.ObjectTask, "1vj38vv")
	list := func(id string) []provider.Ref { return one(integration.ObjectCollection, id) }
	folder, space := list("96772212"), one(integration.ObjectProject, "54650507")
	const hook = "7fa3ec74-69a8-4530-a251-8a13730bd204:"
	want := []provider.Delivery{
		{ID: "2800763136717140857,2800763136700363640", Key: hook + "taskCreated:2800763136717140857,2800763136700363640", Event: "taskCreated", Changed: task},
		{ID: "2800768061568222238", Key: hook + "taskUpdated:2800768061568222238", Event: "taskUpdated", Changed: task},
		{Event: "taskDeleted", Gone: task},
		{ID: "2800773800802162647", Key: hook + "taskPriorityUpdated:2800773800802162647", Event: "taskPriorityUpdated", Changed: other},
		{ID: "2800787326392370170", Key: hook + "taskStatusUpdated:2800787326392370170", Event: "taskStatusUpdated", Changed: other},
		{ID: "2800787326392370170", Key: hook + "taskUpdated:2800787326392370170", Event: "taskUpdated", Changed: other},
		{ID: "2800789353868594308", Key: hook + "taskAssigneeUpdated:2800789353868594308", Event: "taskAssigneeUpdated", Changed: other},
		{ID: "2800792714143635886", Key: hook + "taskDueDateUpdated:2800792714143635886", Event: "taskDueDateUpdated", Changed: other},
		{ID: "2800797048554170804", Key: hook + "taskTagUpdated:2800797048554170804", Event: "taskTagUpdated", Changed: other},
		{ID: "2800800851630274181", Key: hook + "taskMoved:2800800851630274181", Event: "taskMoved", Changed: other, Moved: other},
		{ID: "2800803631413624919", Key: hook + "taskCommentPosted:2800803631413624919", Event: "taskCommentPosted", Details: other},
		{ID: "2800803631413624919", Key: hook + "taskCommentUpdated:2800803631413624919", Event: "taskCommentUpdated", Details: other},
		{ID: "2800808904123520175", Key: hook + "taskTimeEstimateUpdated:2800808904123520175", Event: "taskTimeEstimateUpdated", Changed: other},
		{ID: "2800809188061123931", Key: hook + "taskTimeTrackedUpdated:2800809188061123931", Event: "taskTimeTrackedUpdated", Changed: other},
		{Event: "listCreated", Changed: list("162641234")},
		{ID: "8a2f82db-7718-4fdb-9493-4849e67f009d", Key: hook + "listUpdated:8a2f82db-7718-4fdb-9493-4849e67f009d", Event: "listUpdated", Changed: list("162641285")},
		{Event: "listDeleted", Gone: list("162641062")},
		{Event: "folderCreated", Changed: folder},
		{Event: "folderUpdated", Changed: folder},
		{Event: "folderDeleted", Gone: folder},
		{Event: "spaceCreated", Changed: space},
		{Event: "spaceUpdated", Changed: space},
		{Event: "spaceDeleted", Gone: space},
	}
	var got []provider.Delivery
	for _, body := range bodies {
		got = append(got, readHook(t, string(body)))
		if id, ok := webhooks.HookID(body); !ok || id+":" != hook {
			t.Errorf("the webhook of %s is %q", body, id)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEventsThatConcernNothingImportedAreIgnored(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"goalCreated", "goalUpdated", "goalDeleted", "keyResultCreated", "keyResultUpdated", "keyResultDeleted", "docUpdated", "taskEaten", "automation"} {
		want := provider.Delivery{Event: event, Ignored: true}
		if diff := cmp.Diff(want, readHook(t, `{"event":"`+event+`","goal_id":"1","webhook_id":"a"}`)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestEveryEventThatCanBeAskedForIsReadOrIgnored(t *testing.T) {
	t.Parallel()
	for _, event := range clickuptest.Events {
		d := readHook(t, `{"event":"`+event+`","task_id":"1","list_id":"2","folder_id":"3","space_id":"4"}`)
		if named := len(d.Changed)+len(d.Details)+len(d.Gone) == 1; named == d.Ignored || d.Ignored != (strings.HasPrefix(event, "goal") || strings.HasPrefix(event, "keyResult")) {
			t.Errorf("%s is read as %+v", event, d)
		}
	}
}

func TestKeysTellDeliveriesApart(t *testing.T) {
	t.Parallel()
	key := func(body string) string { return readHook(t, body).Key }
	const some = `{"event":"taskUpdated","task_id":"1","webhook_id":"a","history_items":[{"id":"7"},{"id":8}]}`
	want := "a:taskUpdated:7,8"
	if got := key(some); got != want {
		t.Errorf("the key is %q", got)
	}
	for _, other := range []string{
		strings.Replace(some, "taskUpdated", "taskStatusUpdated", 1), strings.Replace(some, `"a"`, `"b"`, 1), strings.Replace(some, `"7"`, `"9"`, 1),
	} {
		if key(other) == want {
			t.Errorf("%s has the same key", other)
		}
	}
	for _, none := range []string{
		strings.Replace(some, `"7"`, `null`, 1), strings.Replace(some, `{"id":"7"},`, `{},`, 1),
		`{"event":"taskUpdated","task_id":"1","webhook_id":"a","history_items":[]}`, `{"event":"taskUpdated","task_id":"1","history_items":null}`,
	} {
		if got := key(none); got != "" {
			t.Errorf("%s has the key %q", none, got)
		}
	}
	long := `{"event":"taskUpdated","task_id":"1","webhook_id":"a","history_items":[` + strings.Repeat(`{"id":"2800787326392370170"},`, 1000) + `{"id":"1"}]}`
	if got, longer := key(long), key(strings.Replace(long, `{"id":"1"}`, `{"id":"2"}`, 1)); len(got) > 100 || got == longer {
		t.Errorf("keys of a long history are %q and %q", got, longer)
	}
}

func TestWhatTheContractDoesNotAllowIsRefused(t *testing.T) {
	t.Parallel()
	const quoted = "SECRET-IN-A-WRONG-PLACE"
	for name, body := range map[string]string{
		"empty":              "",
		"white space":        " \n",
		"no JSON":            quoted,
		"no object":          `["` + quoted + `"]`,
		"cut off":            `{"event":"taskUpdated","task_id":"` + quoted,
		"nested arrays":      strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000),
		"nested in a member": `{"event":"taskUpdated","task_id":"1","x":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}`,
		"not UTF-8":          "{\"event\":\"taskUpdated\",\"task_id\":\"\xff\"}",
		"no event":           `{"task_id":"` + quoted + `"}`,
		"event of two":       `{"event":["taskUpdated"],"task_id":"1"}`,
		"a long event":       `{"event":"` + strings.Repeat("x", 101) + `"}`,
		"no task":            `{"event":"taskUpdated","list_id":"` + quoted + `"}`,
		"no list":            `{"event":"listDeleted","task_id":"` + quoted + `"}`,
		"a long id":          `{"event":"taskUpdated","task_id":"` + strings.Repeat("x", integration.MaxExternalID+1) + `"}`,
	} {
		if d, err := webhooks.Read(http.Header{}, []byte(body)); err == nil {
			t.Errorf("%s: read as %+v", name, d)
		} else if strings.Contains(err.Error(), quoted) {
			t.Errorf("%s: the error quotes the body: %v", name, err)
		}
	}
}

func TestTheWebhooksIDIsFoundWithoutReadingTheBody(t *testing.T) {
	t.Parallel()
	const id = "7fa3ec74-69a8-4530-a251-8a13730bd204"
	for body, want := range map[string]string{
		`{"webhook_id":"` + id + `"}`:                                              id,
		" \t\r\n{ \"event\" : \"x\" ,\n \"webhook_id\" \n:\t\"" + id + "\" } ":     id,
		`{"a":{"webhook_id":"inner"},"b":[{"webhook_id":"x"}],"webhook_id":"out"}`: "out",
		`{"a":"\"webhook_id\":\"quoted\"","webhook_id":"out"}`:                     "out",
		`{"a":"ends with \\","webhook_id":"out","b":"}"}`:                          "out",
		`{"a":"webhook_id","webhook_id":"out"}`:                                    "out",
		`{"a":["webhook_id","x"],"webhook_id":"out","n":1.5e3,"t":true}`:           "out",
		`{"webhook_id":"first","webhook_id":"second"}`:                             "",
		`{"webhook\u005fid":"escaped","webhook_id":"out"}`:                         "",
		`{"webhook_id":"with \"escapes\""}`:                                        "",
		`{"webhook_id":""}`:                                                        "",
		`{"webhook_id":"a b"}`:                                                     "",
		`{"webhook_id":"` + strings.Repeat("a", 65) + `"}`:                         "",
		`{"webhook_id":17}`:                                                        "",
		`{"webhook_id":null}`:                                                      "",
		`{"webhook_id":{"webhook_id":"x"}}`:                                        "",
		`{"webhook_id":["x"]}`:                                                     "",
		`{"Webhook_ID":"x"}`:                                                       "",
		`{"a":{"webhook_id":"inner"}}`:                                             "",
		`["webhook_id","x"]`:                                                       "",
		`[{"webhook_id":"x"}]`:                                                     "",
		`"webhook_id"`:                                                             "",
		`{"webhook_id":"cut off`:                                                   "",
		`{"webhook_id":"x"`:                                                        "",
		`{"a":"\`:                                                                  "",
		"":                                                                         "",
		strings.Repeat("[", 10_000):                                                "",
		strings.Repeat(`{"a":`, 10_000) + `{"webhook_id":"x"}` + strings.Repeat("}", 10_000): "",
	} {
		if got, ok := webhooks.HookID([]byte(body)); got != want || ok != (want != "") {
			t.Errorf("%.80s: %q, %v", body, got, ok)
		}
	}
}

func FuzzHookID(f *testing.F) {
	f.Add([]byte(`{"event":"taskCreated","webhook_id":"7fa3ec74-69a8-4530-a251-8a13730bd204"}`))
	f.Add([]byte(`{"a":{"webhook_id":"inner"},"b":"\"\\","webhook_id":"out"}`))
	f.Add([]byte(`{"webhook_id":"a","webhook\u005fid":"b"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		id, ok := webhooks.HookID(body)
		if ok != (id != "") || len(id) > 64 {
			t.Errorf("found %q, %v", id, ok)
		}
		var whole map[string]json.RawMessage
		if json.Unmarshal(body, &whole) != nil {
			return // only of JSON can be said what is in it
		}
		if ok && string(whole["webhook_id"]) != `"`+id+`"` {
			t.Errorf("found %q, and encoding/json %s", id, whole["webhook_id"])
		}
	})
}

func FuzzDelivery(f *testing.F) {
	f.Add([]byte(`{"event":"taskMoved","task_id":"1","webhook_id":"a","history_items":[{"id":"7"}]}`))
	f.Add([]byte(`{"event":"goalCreated"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := webhooks.Read(http.Header{}, body)
		if err != nil {
			return
		}
		all := slices.Concat(d.Changed, d.Details, d.Gone)
		if d.Event == "" || d.Ignored != (len(all) == 0) || len(all) > 1 || len(d.Key) > 400 || len(d.ID) > 400 {
			t.Errorf("read as %+v", d)
		}
		if strings.Contains(d.Key+d.ID+d.Event, "\x00") {
			t.Error("PostgreSQL could not store it")
		}
	})
}
