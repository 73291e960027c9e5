package main

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// medianOf asks two questions in turn, so that whatever else the machine does slows both alike, and returns the median of
// how long each took to be answered.
func medianOf(times int, ask func(first bool)) (a, b time.Duration) {
	took := map[bool][]time.Duration{}
	for i := range 2 * times {
		first := (i%2 == 0) != (i%4 >= 2) // a b b a: neither always comes after the other
		begun := time.Now()
		ask(first)
		took[first] = append(took[first], time.Since(begun))
	}
	for _, list := range took {
		slices.Sort(list)
	}
	return took[true][times/2], took[false][times/2]
}

// differ says that two medians are further apart than noise: by a quarter and 150 µs, each time that it is tried.
func differ(times int, ask func(first bool)) (message string) {
	for range 5 {
		a, b := medianOf(times, ask)
		if apart := max(a, b) - min(a, b); apart < 150*time.Microsecond || apart < min(a, b)/4 {
			return ""
		}
		message = fmt.Sprintf("%s and %s", a, b)
	}
	return message
}

// TestForeignAndMissingTakeTheSameTime measures what TestForeignAndMissingAreTheSameWork derives: how long it takes to
// hide acme's things from another organisation tells nothing of them, though there are many.
func TestForeignAndMissingTakeTheSameTime(t *testing.T) {
	t.Parallel()
	w := newTenants(t)
	for i := range 200 {
		w.create(t, map[string]any{"name": fmt.Sprintf("linear-%d", i), "provider": "linear"}).wantErrors(t)
	}
	const times = 60
	for _, name := range slices.Sorted(maps.Keys(rootCalls)) {
		call := rootCalls[name]
		if call.hidden == "" {
			continue
		}
		if message := differ(times, func(exists bool) {
			ids := nowhere()
			if exists {
				ids = w.acme
			}
			w.ask(t, w.foreign, placeholders.replace(call.query, ids), nil)
		}); message != "" {
			t.Errorf("%s: what exists and what does not are answered in %s", name, message)
		}
	}
	// The measurement finds a difference that is there: of a list with 200 integrations and an empty one.
	list := `query($p: UUID!) { integrations(orgId: "acme", projectId: $p, first: 200) { nodes { id name displayName settings } } }`
	if differ(times, func(full bool) {
		project := w.other
		if full {
			project = w.acme.project
		}
		w.ask(t, w.keys["admin"], list, map[string]any{"p": project})
	}) == "" {
		t.Error("a long list and an empty one take the same time")
	}
}
