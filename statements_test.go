package main

import (
	"testing"
	"time"

	"patchbay/internal/store/storetest"
)

// The check of all statements at the end of the tests is worth something only if it sees what requests, commands and jobs send.
func TestStatementsOfRequestsAndJobsAreChecked(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create(t, map[string]any{"name": "clickup"}).wantErrors(t)
	c.do(t, `mutation { rotateEncryptionKey { id } }`)
	eventually(t, 30*time.Second, "the rotation's job to end", func() bool {
		return c.do(t, `{ encryptionStatus { rotation { finishedAt } } }`).get(t, "encryptionStatus", "rotation", "finishedAt") != nil
	})
	for table, least := range map[string]int{
		"kb.projects": 1, "kb.integrations": 2, "kb.sync_states": 1, "kb.api_keys": 1, "kb.audit_events": 1,
		"kb.key_rotations": 4, // more than the request's own: those of the worker
	} {
		if n := storetest.Tracer().Mentions(table); n < least {
			t.Errorf("%d different statements on %s were seen, want %d or more", n, table, least)
		}
	}
}
