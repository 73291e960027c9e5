package provider

import (
	"testing"
	"time"
)

// spend takes as many permits as there are at a time.
func spend(w *window, now time.Time, limit Limit) (n int) {
	for {
		g := w.take(now, ask{limit: limit, seen: -1})
		if g.permits == 0 {
			return n
		}
		if n += g.permits; g.probe {
			w.silent(now, g.generation, limit)
		}
	}
}

// Where the third party's window lies is not known: what was sent late in one of ours counts in the next one too.
func TestTwoWindowsOfOursShareAnUntoldLimit(t *testing.T) {
	t.Parallel()
	limit := Limit{Requests: 10, Window: time.Minute}
	began := time.Now()
	var w window
	g := w.take(began, ask{limit: limit, seen: -1})
	w.silent(began, g.generation, limit)
	for range 6 {
		if g = w.take(began.Add(59*time.Second), ask{limit: limit, seen: -1}); g.permits != 1 {
			t.Fatalf("got %+v", g)
		}
	}
	if n := spend(&w, began.Add(61*time.Second), limit); n != 3 {
		t.Errorf("%d requests may be sent after the 7 of the minute before", n)
	}
	if n := spend(&w, began.Add(10*time.Minute), limit); n != 10 {
		t.Errorf("%d requests may be sent long after", n)
	}
}

// What a process has left is given back, but not to a window that was refused, nor another one.
func TestPermitsAreGivenBack(t *testing.T) {
	t.Parallel()
	limit := Limit{Requests: 100, Window: time.Minute}
	now := time.Now()
	var w window
	g := w.take(now, ask{limit: limit, seen: -1})
	w.told(now, g.generation, 100, 99, 0, now.Add(time.Minute), now.Add(time.Minute))
	g = w.take(now, ask{limit: limit, seen: -1})
	if w.Permits != 94 {
		t.Fatalf("%d are left after %+v", w.Permits, g)
	}
	if w.take(now, ask{limit: limit, generation: g.generation, unspent: 4, seen: -1}); w.Permits != 93 {
		t.Errorf("%d are left after 4 were given back and 5 taken", w.Permits)
	}
	if w.take(now, ask{limit: limit, generation: g.generation - 1, unspent: 4, seen: 0}); w.Permits != 88 {
		t.Errorf("%d are left after an older window's were given back", w.Permits)
	}
	if w.take(now, ask{limit: limit, generation: g.generation, seen: 20}); w.Permits != 15 {
		t.Errorf("%d are left of 20 that an answer told", w.Permits)
	}
	w.shut(now, g.generation, time.Minute)
	if g := w.take(now, ask{limit: limit, generation: g.generation, unspent: 5, seen: -1}); g.permits != 0 || !g.wait.Equal(now.Add(time.Minute)) {
		t.Errorf("a refused window gave %+v", g)
	}
}
