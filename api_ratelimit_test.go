package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	cheap  = `{ viewer { role } }`
	costly = `query($org: ID!, $p: UUID!) { integrations(orgId: $org, projectId: $p, first: 200) { nodes { id name displayName enabled revision } } }`
)

// response is an answer with its status and headers.
type response struct {
	answer
	status int
	header http.Header
}

// fetch sends an operation as try does, whatever comes back; accept is a media type.
func (c *client) fetch(t testing.TB, accept, query string, header ...string) response {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"org": c.org, "p": c.project}})
	if err != nil {
		t.Fatal(err)
	}
	res, text := c.send(t, http.MethodPost, "/graphql", string(body), append([]string{
		"Content-Type", "application/json", "Accept", accept, "Authorization", "Bearer " + c.key}, header...)...)
	r := response{answer{raw: text}, res.StatusCode, res.Header}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("the answer is no JSON: %v\n%s", err, text)
	}
	return r
}

var rateLimit = regexp.MustCompile(`^"points";r=(\d+)$`)

// left is what the answer says is left of the budget.
func (r response) left(t testing.TB) int {
	t.Helper()
	m := rateLimit.FindStringSubmatch(r.header.Get("RateLimit"))
	if m == nil {
		t.Fatalf("RateLimit is %q in the answer %s", r.header.Get("RateLimit"), r.raw)
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// wantLimited is a refusal with 429; it returns the seconds to wait.
func (r response) wantLimited(t testing.TB) int {
	t.Helper()
	if r.status != http.StatusTooManyRequests {
		t.Fatalf("it was not refused: %d %s", r.status, r.raw)
	}
	r.wantErrors(t, "RATE_LIMITED")
	want(t, r.Data, map[string]any(nil))
	seconds, _ := r.Errors[0].Extensions["retryAfterSeconds"].(float64)
	want(t, r.header.Get("Retry-After"), fmt.Sprint(seconds))
	if seconds < 1 {
		t.Errorf("it is to be tried again after %v seconds: %s", seconds, r.raw)
	}
	return int(seconds)
}

const asJSON, asResponse = "application/json", "application/graphql-response+json"

func TestABudgetThatIsUsedUp(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t, "PATCHBAY_RATE_LIMIT=3000") // 50 a second
	begun := time.Now()
	back := func() int { return 50 * (1 + int(time.Since(begun)/time.Second)) } // of the budget, at most, since it began
	user, other := c.as(c.server.key(t, c.org, "viewer")), c.as(c.server.key(t, c.org, "viewer"))
	before := contents(t, c.db)

	first := user.fetch(t, asJSON, cheap)
	want(t, [...]any{first.status, first.header.Get("RateLimit-Policy"), first.left(t)}, [...]any{200, `"points";q=3000;w=60`, 3000 - 102})
	last := user.fetch(t, asJSON, costly) // 100 and 200 × 6 and 2
	want(t, last.status, 200)
	if took := first.left(t) - last.left(t); took < 1302-back() || took > 1302 {
		t.Errorf("the costly one took %d points", took)
	}
	// What does not parse takes something too.
	broken := user.fetch(t, asJSON, `{`)
	want(t, broken.codes(), []string{"GRAPHQL_PARSE_FAILED"})
	if took := last.left(t) - broken.left(t); took < 100-back() || took > 102+back() { // others' use is told meanwhile
		t.Errorf("the broken one took %d points", took)
	}

	var refused response
	for refused = user.fetch(t, asJSON, costly); refused.status == 200; refused = user.fetch(t, asJSON, costly) {
	}
	wait := refused.wantLimited(t)
	if wait > 27 { // 1,302 of 50 a second
		t.Errorf("it is to be tried again after %d seconds", wait)
	}
	user.fetch(t, asResponse, costly).wantLimited(t)
	var many strings.Builder
	for i := range 20 {
		fmt.Fprintf(&many, "a%d: createProject(input: {orgId: $org, name: \"Another\"}) { id } ", i)
	}
	c.as(user.key).fetch(t, asJSON, `mutation($org: ID!) { `+many.String()+`}`).wantLimited(t)
	for wait := time.Now().Add(time.Minute); broken.status == 200; {
		if time.Now().After(wait) {
			t.Fatal("what does not parse takes less than comes back")
		}
		var all sync.WaitGroup // together they take more than that on any machine
		for range 8 {
			all.Go(func() { user.fetch(t, asJSON, `{`) })
		}
		all.Wait()
		broken = user.fetch(t, asJSON, `{`)
	}
	broken.wantLimited(t) // not even parsed
	want(t, contents(t, c.db), before)

	want(t, other.fetch(t, asJSON, costly).status, 200)
	want(t, c.fetch(t, asJSON, costly).status, 200)
	stranger := user.as("")
	anonymous, text := stranger.send(t, http.MethodGet, "/graphql?query=%7B__typename%7D", "")
	want(t, [...]any{anonymous.StatusCode, text, anonymous.Header.Get("RateLimit")}, [...]any{200, `{"data":{"__typename":"Query"}}`, ""})

	eventually(t, 30*time.Second, "the budget comes back", func() bool { return user.fetch(t, asJSON, cheap).status == 200 })
}

// Several fields of the root are as many questions.
func TestEachRootFieldTakesPoints(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t, "PATCHBAY_RATE_LIMIT=2000")
	c = c.as(c.server.key(t, c.org, "viewer"))
	many := `{ a: viewer { role } b: viewer { role } ...F ... on Query { e: viewer { role } } } fragment F on Query { c: viewer { role } d: viewer { role } }`
	want(t, 2000-c.fetch(t, asJSON, many).left(t), 5*102)
}

func TestServersShareBudgets(t *testing.T) {
	t.Parallel()
	const limit = "PATCHBAY_RATE_LIMIT=60000"
	c := newClientAlone(t, limit)
	user := c.as(c.server.key(t, c.org, "viewer"))
	for range 2 {
		other := *user
		other.server = startServer(t, c.db, limit)
		for user.fetch(t, asJSON, costly).status == 200 {
		}
		first := other.fetch(t, asJSON, costly)
		if first.left(t) < 58_000 {
			t.Fatalf("it knows already: %d are left", first.left(t))
		}
		spent := 60_000 - first.left(t)
		for wait := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			r := other.fetch(t, asJSON, cheap)
			if spent += 102; r.status != 200 || r.left(t) < 60_000-spent-10_000 { // it has heard of what the first server granted
				break
			}
			if time.Now().After(wait) {
				t.Fatal("it has not heard of what the first server granted")
			}
		}
		want(t, other.as(c.server.key(t, c.org, "viewer")).fetch(t, asJSON, costly).status, 200)
	}
}

// fewFailures allows an address another bad key every 20 s: tests that take less see no change.
const fewFailures = "PATCHBAY_AUTH_FAILURE_LIMIT=3"

// exhaust sends bad keys at once, and returns how one more is answered. from is its X-Forwarded-For, or empty.
func (c *client) exhaust(t testing.TB, from ...string) response {
	t.Helper()
	guess := c.as("pb_" + strings.Repeat("a", 52))
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { guess.fetch(t, asJSON, cheap, from...) })
	}
	all.Wait()
	return guess.fetch(t, asJSON, cheap, from...)
}

func TestAddressesThatShowBadKeys(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t, fewFailures)
	known, unknown := c.as(c.server.key(t, c.org, "viewer")), c.as(c.server.key(t, c.org, "viewer"))
	want(t, known.fetch(t, asJSON, cheap).status, 200)
	refused := c.exhaust(t)
	refused.wantLimited(t)
	want(t, refused.header.Get("RateLimit"), "")
	want(t, refused.header.Get("Content-Type"), "application/json; charset=utf-8")

	// A good key that the server knows is good goes on, and so do those who show none.
	want(t, known.fetch(t, asJSON, cheap).status, 200)
	want(t, c.fetch(t, asJSON, cheap).status, 200)
	anonymous, _ := c.send(t, http.MethodGet, "/graphql?query=%7B__typename%7D", "")
	want(t, anonymous.StatusCode, 200)
	// One that it has never seen waits with the others, whatever the body, and whoever it claims to be sent for.
	unknown.fetch(t, asResponse, cheap).wantLimited(t)
	res, text := c.send(t, http.MethodPost, "/graphql", "nothing", "Authorization", "Bearer "+unknown.key)
	want(t, res.StatusCode, http.StatusTooManyRequests)
	if !strings.Contains(text, "RATE_LIMITED") {
		t.Error(text)
	}
	unknown.fetch(t, asJSON, cheap, "X-Forwarded-For", "198.51.100.7").wantLimited(t)
}

func TestAddressesBehindATrustedProxy(t *testing.T) {
	t.Parallel()
	c := newClientAlone(t, fewFailures, "PATCHBAY_TRUSTED_PROXIES=127.0.0.0/8, ::1, 10.0.0.0/8")
	user := c.as(c.server.key(t, c.org, "viewer"))
	var strangers []*client // made before, as that takes a while
	for range 5 {
		strangers = append(strangers, c.as(c.server.key(t, c.org, "viewer")))
	}
	c.exhaust(t, "X-Forwarded-For", "203.0.113.9, 2001:db8:1:2::1, 10.0.0.3").wantLimited(t)
	for from, status := range map[string]int{
		"2001:db8:1:2:3::4":            429, // the same /64
		"192.0.2.5, 2001:db8:1:2::1":   429, // what stands to the left was sent by the client
		"2001:db8:1:2::1, 10.99.0.1":   429,
		"2001:db8:1:3::1":              200,
		"2001:db8:1:2::1, 203.0.113.9": 200,
	} {
		stranger := strangers[0]
		strangers = strangers[1:]
		if got := stranger.fetch(t, asJSON, cheap, "X-Forwarded-For", from); got.status != status {
			t.Errorf("%s: %d %s", from, got.status, got.raw)
		}
	}
	want(t, user.fetch(t, asJSON, cheap).status, 200)

	// The audit trail has the same address.
	c.fetch(t, asJSON, `mutation($org: ID!) { createProject(input: {orgId: $org, name: "From afar"}) { id } }`, "X-Forwarded-For", "192.0.2.5, 198.51.100.7").wantErrors(t)
	want(t, rows(t, c.db, `SELECT remote_addr FROM kb.audit_events WHERE action = 'project.create' ORDER BY id DESC LIMIT 1`), []string{"198.51.100.7"})
}
