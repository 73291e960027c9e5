package clickup

import (
	"context"
	"iter"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
)

// Details reads the comments on tasks, unless the settings leave them out. Nothing else has details.
func (c *connection) Details(ctx context.Context, plan provider.Plan, of []provider.Ref) iter.Seq2[*provider.Page, error] {
	return each(ctx, of, func(ctx context.Context, ref provider.Ref) (*provider.Page, error) {
		page, err := c.details(ctx, plan.Reading, ref)
		if missing(err) { // its listing will notice
			return &provider.Page{Step: page.Step, Done: []provider.Ref{ref}}, nil
		}
		if odd(err) {
			return &provider.Page{Step: page.Step, Failed: unread(ref, err.Error())}, nil
		}
		if refused(err) { // and would be again: it comes back with a change of its object, or with all details
			if err := c.reachable(ctx); err != nil {
				return nil, err
			}
			return &provider.Page{Step: page.Step, Done: []provider.Ref{ref}, Failed: unread(ref, "ClickUp refuses to show them to the token's owner")}, nil
		}
		return page, err
	})
}

func unread(ref provider.Ref, reason string) []integration.SyncFailure {
	return []integration.SyncFailure{failure(ref.Type, ref.ExternalID, "its details could not be read: "+reason)}
}

func (c *connection) details(ctx context.Context, reading string, ref provider.Ref) (page *provider.Page, err error) {
	page = &provider.Page{Done: []provider.Ref{ref}}
	if ref.Type == integration.ObjectTask && c.comments {
		var whole bool
		page.Step = "comments"
		if page.Objects, page.Failed, whole, err = c.commentsOf(ctx, reading, ref.ExternalID); whole {
			page.Covered = []string{commentsKey(ref.ExternalID)}
		}
	}
	return page, err
}
