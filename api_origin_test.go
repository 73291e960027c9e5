package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A page of another site can make a browser send requests with its user's cookie: they change nothing.
func TestRequestsFromOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	body := `{"query":"mutation { createProject(input: {orgId: \"acme\", name: \"Forged\"}) { id } }"}`
	form := "query=" + url.QueryEscape(`mutation { createProject(input: {orgId: "acme", name: "Forged"}) { id } }`)
	before := contents(t, c.db)
	const refusal = `{"errors":[{"message":"requests from pages of another origin are refused","extensions":{"code":"FORBIDDEN"}}]}`
	for _, from := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"}, // another host of the same domain
		{"Origin", "https://evil.example"},
		{"Origin", "null"},
		{"Origin", c.URL + ".evil.example"},
		{"Sec-Fetch-Site", "cross-site", "Origin", c.URL},
	} {
		for _, contentType := range []string{"application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""} {
			sent := body
			if strings.Contains(contentType, "form") {
				sent = form
			}
			res, text := c.send(t, http.MethodPost, "/graphql", sent, append(from, "Content-Type", contentType, "Authorization", "Bearer "+c.key)...)
			if res.StatusCode != http.StatusForbidden || text != refusal {
				t.Errorf("%v with %q: %d %s", from, contentType, res.StatusCode, text)
			}
		}
	}
	want(t, contents(t, c.db), before)

	for _, from := range [][]string{
		nil, // a program
		{"Sec-Fetch-Site", "same-origin", "Origin", c.URL},
		{"Sec-Fetch-Site", "none"}, // typed by the user
		{"Origin", c.URL},
	} {
		res, text := c.send(t, http.MethodPost, "/graphql", body, append(from, "Content-Type", "application/json", "Authorization", "Bearer "+c.key)...)
		if res.StatusCode != http.StatusOK || !strings.Contains(text, `"createProject":{"id"`) {
			t.Errorf("%v: %d %s", from, res.StatusCode, text)
		}
	}
}

func TestAMutationCannotBeSentByGET(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	before := contents(t, c.db)
	for _, query := range []string{
		`mutation { createProject(input: {orgId: "acme", name: "Forged"}) { id } }`,
		`query A { __typename } mutation B { createProject(input: {orgId: "acme", name: "Forged"}) { id } }`,
	} {
		name := ""
		if strings.Contains(query, "B") {
			name = "B"
		}
		path := "/graphql?" + url.Values{"query": {query}, "operationName": {name}}.Encode()
		res, text := c.send(t, http.MethodGet, path, "", "Authorization", "Bearer "+c.key)
		want(t, res.StatusCode, http.StatusMethodNotAllowed)
		want(t, res.Header.Get("Allow"), http.MethodPost)
		want(t, text, `{"errors":[{"message":"a mutation cannot be sent by GET: send it by POST","extensions":{"code":"BAD_USER_INPUT"}}]}`)
	}
	want(t, contents(t, c.db), before)
}

func TestNoPageOfAnotherSiteMayReadAnswers(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	res, _ := c.send(t, http.MethodGet, "/graphql?query=%7B__typename%7D", "", "Origin", "https://evil.example")
	for _, header := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"} {
		want(t, res.Header.Get(header), "")
	}
	want(t, res.Header.Get("X-Content-Type-Options"), "nosniff")
	preflight, _ := c.send(t, http.MethodOptions, "/graphql", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
	want(t, preflight.StatusCode, http.StatusMethodNotAllowed)
	want(t, preflight.Header.Get("Access-Control-Allow-Origin"), "")
}
