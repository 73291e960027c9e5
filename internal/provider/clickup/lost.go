package clickup

import (
	"fmt"
	"strconv"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// lost asks for what the selection names and the walk did not come by. What was deleted is Gone; what is there, or refused, is Failed.
// Each id has a page, so that a run goes on after it.
func (r *run) lost() bool {
	found, _ := r.chosen.split(r.at.Found)
	known := map[string]bool{}
	for _, id := range found {
		known[id] = true
	}
	for i, id := range r.chosen.ids {
		if i < r.at.Lost || known[id] {
			continue
		}
		gone, reason, err := r.lookFor(id)
		if err != nil {
			return r.fail(err)
		}
		var bad []integration.SyncFailure
		if len(gone) == 0 {
			bad = append(bad, failure(integration.ObjectCollection, id, fmt.Sprintf("the selection names %s, but %s", id, reason)))
		}
		next := r.at
		next.Lost = i + 1
		if !r.page(provider.Page{Step: stepPlaces, Gone: gone}, failures(bad), next) {
			return false
		}
	}
	return true
}

// lookFor asks for an id that may be a list's, a folder's or a space's. It is gone where ClickUp says so of one and has no other; where it
// is refused, the words are the same for what never was.
func (r *run) lookFor(id string) (gone []provider.Ref, reason string, err error) {
	unknown := "the token sees no space, folder or list with that id: choose the selection anew to leave it out"
	if _, noID := strconv.ParseUint(id, 10, 64); noID != nil { // and ClickUp has no answer to it
		return nil, unknown, nil
	}
	denied := false
	for _, kind := range []struct {
		part string
		of   integration.ObjectType
	}{{"list", integration.ObjectCollection}, {"folder", integration.ObjectCollection}, {"space", integration.ObjectProject}} {
		answer, err := r.get(r.ctx, r.v2(kind.part, id), nil)
		var at struct {
			ID       text `json:"id"`
			Deleted  flag `json:"deleted"`
			Archived flag `json:"archived"`
		}
		decode(answer, &at)
		switch {
		case err == nil && at.ID != "" && !bool(at.Deleted) && bool(at.Archived) && !r.plan.IncludeArchived:
			return nil, "this " + kind.part + " is archived, which only runs with includeArchived read, and those of a schedule do not: " +
				"restore it in ClickUp, or leave it out of the selection", nil
		case err == nil && at.ID != "" && !bool(at.Deleted):
			return nil, "this " + kind.part + " is not among the places that the run reads: it may be in something archived, which only runs with includeArchived read, " +
				"or in another Workspace; choose the selection anew to leave it out", nil
		case err == nil && at.ID != "", missing(err):
			if ref := (provider.Ref{Type: kind.of, ExternalID: id}); len(gone) == 0 || gone[len(gone)-1] != ref {
				gone = append(gone, ref)
			}
		case refused(err):
			denied = true
		case err != nil && !integration.IsProviderReason(err, integration.ReasonUnavailable):
			return nil, "", err
		default: // no answer, or none that can be read: it may be there
			return nil, "ClickUp does not tell what it is", nil
		}
	}
	if denied { // or the Workspace as a whole is
		if err := r.reachable(r.ctx); err != nil {
			return nil, "", err
		}
	}
	return gone, unknown, nil
}
