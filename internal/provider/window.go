package provider

import "time"

const (
	// leaseFor is how long permits may be used that a process took from the ledger. It takes new ones then and gives back
	// what it has left, and so learns that the token was refused elsewhere.
	leaseFor = time.Second
	// quiet is how long before a window's end nothing is sent any more, so that what was sent has arrived when the next
	// one begins.
	quiet = 250 * time.Millisecond
	// probeFor is how long others wait for the answer to a window's first request, before another one is sent.
	probeFor = 5 * time.Second
	// maxSilent is how many first answers of a window may tell nothing of a limit that was told before.
	maxSilent = 5
	// maxBlock is how many permits are taken at once at most: with these, asking the ledger costs next to nothing.
	maxBlock = 200
)

// window is what all processes know of a token's limit: the state that the ledger keeps. All times are the ledger's.
//
// Time is cut into generations. The first request of each, the probe, goes alone. Its answer tells what is left in the
// third party's window and when that ends; so much is handed out, and the next generation begins after that end. The
// third party may have begun its next window before: what was sent in between counts there, and the next probe's answer
// tells it. So a generation may begin late, but never early, and whoever else uses the token is counted too.
//
// Where answers tell nothing, two generations together get the declared limit, because its window may lie across them.
type window struct {
	Generation int64
	Capacity   int  // the limit that holds
	Named      bool // by an answer; else it is the declared one
	Probing    bool // no answer of this generation has been read yet
	Probes     int  // requests that were sent for one
	Silent     int  // answers that told nothing
	Shut       bool // refused by the third party
	Permits    int  // left to be handed out
	Taken      int  // handed out, probes included

	Began      time.Time
	ProbeUntil time.Time // others wait for the probe's answer
	Last       time.Time // when permits were last handed out
	Ends       time.Time // the next generation begins with the first request after it

	Late time.Time // when the third party's window has ended for sure; zero where it told nothing

	BeforeTaken int // of the generation before
	BeforeLast  time.Time
	BeforeLate  time.Time
}

// ask is what a process that needs permits tells.
type ask struct {
	limit      Limit // the declared one
	generation int64 // that it had permits of last
	unspent    int   // of them
	probe      bool  // the unspent one is a probe
	seen       int   // the least that an answer of that generation said is left; -1 where none did
}

// grant is what it gets.
type grant struct {
	generation int64
	named      bool
	permits    int
	probe      bool      // of permits, which is 1: the answer is to be told
	until      time.Time // the permits are void
	wait       time.Time // where there is no permit: until then
	probing    bool      // or until somebody else's probe is answered
}

func (w *window) take(now time.Time, a ask) grant {
	if !w.Named {
		w.Capacity = a.limit.Requests
	}
	if a.generation == w.Generation && !w.Probing && !w.Shut && now.Before(w.Ends) {
		w.Permits += a.unspent
		w.Taken -= a.unspent
		if a.seen >= 0 {
			w.Permits = min(w.Permits, a.seen)
		}
	}
	if a.generation == w.Generation && w.Probing && a.probe {
		w.Probes, w.Taken, w.ProbeUntil = w.Probes-1, w.Taken-1, now
	}
	if !w.Probing && !now.Before(w.Ends) {
		w.next(now)
	}
	g := grant{generation: w.Generation, named: w.Named}
	switch {
	case w.Probing && now.Before(w.ProbeUntil):
		g.wait, g.probing = w.ProbeUntil, true
	case w.Probing && w.Taken >= w.Capacity: // so many probes, and no answer
		w.shut(now, w.Generation, a.limit.Window)
		g.wait = w.Ends
	case w.Probing:
		w.Probes++
		w.ProbeUntil = later(now.Add(probeFor), w.BeforeLate)
		g.permits, g.probe, g.until = 1, true, now.Add(leaseFor)
	case w.Permits == 0 || !now.Before(w.Ends.Add(-quiet)):
		g.wait = w.Ends
	default:
		g.permits = min(w.Permits, maxBlock, max(1, w.Capacity/20))
		w.Permits -= g.permits
		g.until = earlier(now.Add(leaseFor), w.Ends.Add(-quiet))
	}
	if g.permits > 0 {
		w.Taken += g.permits
		w.Last = now
	}
	if !w.Named && !w.Probing && w.Permits == 0 && g.permits > 0 {
		w.Ends = now.Add(leaseFor + a.limit.Window) // by then, none of them counts any more
	}
	return g
}

func (w *window) next(now time.Time) {
	*w = window{
		Generation: w.Generation + 1, Capacity: w.Capacity, Named: w.Named, Probing: true, Began: now,
		BeforeTaken: w.Taken, BeforeLast: w.Last, BeforeLate: w.Late,
	}
}

// told takes in what an answer told. late is when the third party's window has ended for sure, early when it probably
// has; stragglers are the requests of earlier generations that had no answer when the probe was sent.
func (w *window) told(now time.Time, generation int64, limit, remaining, stragglers int, early, late time.Time) {
	if generation != w.Generation || w.Shut {
		return
	}
	w.Late = late
	switch {
	case w.Probing:
		w.Probing = false
		w.Permits = max(0, remaining-(w.Probes-1)-stragglers)
		w.Ends = late
		if w.Permits >= 5 && early.Before(late) { // one is kept: the next probe is within this limit where it comes too early
			w.Permits--
			w.Ends = early
		}
	case w.Named:
		w.Permits = min(w.Permits, remaining)
	default:
		w.Permits = min(w.Permits, remaining)
		w.Ends = later(late, now.Add(leaseFor+quiet)) // permits were handed out for that long
	}
	w.Capacity, w.Named = limit, true
}

// silent takes in that a probe's answer told nothing.
func (w *window) silent(now time.Time, generation int64, declared Limit) {
	if generation != w.Generation || !w.Probing {
		return
	}
	if w.Silent++; w.Named && w.Silent < maxSilent {
		w.lost(now, generation)
		return
	}
	w.Named, w.Probing, w.Capacity = false, false, declared.Requests
	used, counts := w.Taken, w.Last
	if before := w.BeforeLast.Add(leaseFor + declared.Window); now.Before(before) {
		used += w.BeforeTaken
	}
	w.Permits = max(0, w.Capacity-used)
	w.Ends = w.Began.Add(declared.Window)
	if w.Permits == 0 {
		w.Ends = counts.Add(leaseFor + declared.Window)
	}
}

// lost takes in that a probe had no answer. It may have come early, and used up what was kept for it.
func (w *window) lost(now time.Time, generation int64) {
	if generation == w.Generation && w.Probing {
		w.ProbeUntil = later(now, w.BeforeLate)
	}
}

// shut takes in that the third party refused a request for its limit.
func (w *window) shut(now time.Time, generation int64, pause time.Duration) {
	if generation != w.Generation {
		return
	}
	ends := now.Add(max(pause, leaseFor+quiet)) // permits may be in use for that long
	if w.Shut {
		ends = later(ends, w.Ends)
	}
	w.Probing, w.Shut, w.Permits, w.Ends = false, true, 0, ends
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
