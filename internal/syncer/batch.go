package syncer

import (
	"time"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/store"
)

const (
	// commitAfter is how long read pages wait for more to be stored with.
	commitAfter = time.Second
	// While a batch is being stored, the next one gathers up to so many times the batch size, and MaxBatchSize at most, so long as its
	// texts are not large: an object costs less among many.
	gathered      = 5
	gatheredBytes = 4 << 20
)

// batch gathers pages that are stored together.
type batch struct {
	step   store.SyncStep // its cursor is the last page's that had one
	at     map[string]int // position in step.Objects by external id
	since  time.Time      // when its first page came
	bytes  int            // of texts
	listed bool           // its pages are of listings
}

func newBatch(listed bool) *batch {
	return &batch{at: map[string]int{}, since: time.Now(), listed: listed}
}

// add takes a page in. Of an object that comes twice, the last counts.
func (b *batch) add(p *provider.Page) {
	for _, f := range p.Failed {
		b.fail(f)
	}
	for _, o := range p.Objects {
		i, reason := Imported(o)
		if reason != "" {
			b.fail(integration.SyncFailure{Type: o.Type, ExternalID: clean(o.ExternalID), Reason: reason})
			continue
		}
		if at, twice := b.at[i.ExternalID]; twice {
			b.step.Objects[at] = i
		} else {
			b.at[i.ExternalID] = len(b.step.Objects)
			b.step.Objects = append(b.step.Objects, i)
			b.step.Seen = append(b.step.Seen, i.ExternalID)
		}
		b.bytes += len(i.Properties)
		if i.Content != nil {
			b.bytes += len(*i.Content)
		}
		if i.UpdatedAt != nil && (b.step.SeenUntil == nil || i.UpdatedAt.After(*b.step.SeenUntil)) {
			b.step.SeenUntil = i.UpdatedAt
		}
	}
	for _, listing := range p.Covered {
		b.step.Covered = append(b.step.Covered, clip(clean(listing), 2*integration.MaxExternalID))
	}
	for _, done := range p.Done {
		b.step.Done = append(b.step.Done, done.ExternalID)
	}
	for _, gone := range p.Gone {
		b.step.Gone = append(b.step.Gone, gone.ExternalID)
	}
	if p.Cursor != nil {
		b.step.Cursor = p.Cursor
	}
	if p.Step != "" {
		b.step.Step = clip(clean(p.Step), maxStep)
	}
	if p.Total != nil {
		b.step.Total = p.Total
	}
	if p.Workspace != nil {
		b.step.Workspace = &integration.ExternalAccount{ID: clean(p.Workspace.ID), Name: clean(p.Workspace.Name)}
	}
}

// fail notes an item that was listed and could not be imported: it is not missing.
func (b *batch) fail(f integration.SyncFailure) {
	f.Reason = clean(f.Reason)
	b.step.Failures = append(b.step.Failures, f)
	if f.ExternalID != "" && b.listed {
		b.step.Seen = append(b.step.Seen, clean(f.ExternalID))
	}
}

// ready reports whether the batch is large or old enough to be stored, and full whether no more should be added to it.
func (b *batch) ready(size int) bool {
	return len(b.step.Objects)+len(b.step.Failures) >= size || time.Since(b.since) > commitAfter || b.bytes >= gatheredBytes
}

func (b *batch) full(size int) bool {
	return len(b.step.Objects)+len(b.step.Failures) >= min(gathered*size, integration.MaxBatchSize) || b.bytes >= gatheredBytes
}

func (b *batch) empty() bool {
	return len(b.step.Objects)+len(b.step.Failures)+len(b.step.Covered)+len(b.step.Done)+len(b.step.Gone)+len(b.step.Found) == 0 && b.step.Cursor == nil
}
