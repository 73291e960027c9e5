package clickup

import (
	"context"
	"net/url"
	"sync"
	"time"
)

// parentPlace is where a list or folder lies.
type parentPlace struct{ folder, space text }

// parents remembers for a while where lists and folders lie, so that a run which waited for the limit does not ask again. They may be
// moved: one connection reads for webhooks as long as these come.
type parents struct {
	mu    sync.Mutex
	known map[string]knownParent // by kind and id
}

type knownParent struct {
	parentPlace
	noted time.Time
}

// mostParents bounds what is remembered, to about ten megabytes.
const mostParents = 50_000

func (p *parents) get(kind, of text) (parentPlace, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, known := p.known[string(kind+":"+of)]
	return at.parentPlace, known && time.Since(at.noted) < longestKept
}

func (p *parents) note(kind, of text, at parentPlace) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil || len(p.known) >= mostParents {
		p.known = map[string]knownParent{}
	}
	p.known[string(kind+":"+of)] = knownParent{at, time.Now()}
}

// parentOf is the place above a list or folder, which is asked for where no walk came by it; there is none where the token
// sees none.
func (r *run) parentOf(ctx context.Context, kind, of text) (parentPlace, error) {
	if at, known := r.above.get(kind, of); known {
		return at, nil
	}
	part := "list"
	if kind == inFolder {
		part = "folder"
	}
	answer, err := r.get(ctx, r.v2(part, string(of)), url.Values{})
	if odd(err) { // it may lie in the selection
		return parentPlace{}, err
	}
	if _, fatal := r.without(err); fatal != nil {
		return parentPlace{}, fatal
	}
	var at parentPlace
	if kind == inFolder {
		var f folder
		decode(answer, &f)
		at = parentPlace{folder: text(f.Parent), space: text(f.Space)}
	} else {
		var l list
		decode(answer, &l)
		at = parentPlace{folder: text(l.inFolder()), space: text(l.Space)}
	}
	r.above.note(kind, of, at)
	return at, nil
}

// selected is the innermost place of the selection that a space, folder or list is or lies in; empty where it is outside.
func (r *run) selected(ctx context.Context, kind, at text) (text, error) {
	for range 20 { // folders that lie in each other end
		if at == "" || kind != inSpace && kind != inFolder && kind != inList {
			break
		}
		if r.chosen.has(at) {
			return at, nil
		}
		if kind == inSpace {
			break
		}
		above, err := r.parentOf(ctx, kind, at)
		if err != nil {
			return "", err
		}
		if kind, at = inFolder, above.folder; at == "" {
			kind, at = inSpace, above.space
		}
	}
	return "", nil
}

// outside is whether a folder or list is in no place of the selection.
func (r *run) outside(ctx context.Context, kind, at text) (bool, error) {
	if r.chosen.all {
		return false, nil
	}
	place, err := r.selected(ctx, kind, at)
	return place == "", err
}
