package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// advance runs one batch of a rotation.
func advance(t testing.TB, tenant *store.Tenant, ring *seal.Ring, id uuid.UUID, fence, most int) (step store.RotationStep) {
	t.Helper()
	ctx := context.Background()
	err := tenant.InTx(ctx, func(tx *store.Tenant) (err error) {
		step, err = tx.AdvanceKeyRotation(ctx, ring, id, fence, most)
		return err
	})
	if err != nil {
		t.Fatalf("advance the rotation: %v", err)
	}
	return step
}

func startRotation(t testing.TB, tenant *store.Tenant, ring *seal.Ring) uuid.UUID {
	t.Helper()
	r, started, err := tenant.StartKeyRotation(context.Background(), ring.CurrentID())
	if err != nil || !started {
		t.Fatalf("start a rotation: %t, %v", started, err)
	}
	return r.ID
}

// wantRotation compares a rotation's counts.
func wantRotation(t testing.TB, tenant *store.Tenant, id uuid.UUID, total, done, failed int, finished bool) {
	t.Helper()
	r, err := tenant.KeyRotation(context.Background(), id)
	if err != nil || r == nil {
		t.Fatalf("rotation %v, %v", r, err)
	}
	want := integration.KeyRotation{ID: id, Total: total, Done: done, Failed: failed, FinishedAt: r.FinishedAt}
	if diff := cmp.Diff(want, *r); diff != "" || finished != (r.FinishedAt != nil) {
		t.Errorf("finished %v (-want +got)\n%s", r.FinishedAt, diff)
	}
}

// nextRing seals under the second key and opens what ring sealed.
func nextRing() *seal.Ring { return seal.NewRing(keys()[1], keys()[0]) }

// Whatever a rotation opens it seals anew, to be opened with the new key alone; what it does not open it leaves and
// counts. To readers the rows are as before.
func TestRotation(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	var ids []uuid.UUID
	for i := range 12 {
		ids = append(ids, createIntegration(t, w.tenant, newIntegration(w.project, fmt.Sprintf("clickup-%02d", i))).ID)
	}
	draft := newIntegration(w.project, "draft")
	draft.Secrets = nil // the webhook secret alone
	createIntegration(t, w.tenant, draft)
	execute(t, w.root, `UPDATE kb.integrations SET settings = (SELECT settings FROM kb.integrations WHERE id = $2) WHERE id = $1`, ids[3], ids[4])
	execute(t, w.root, `UPDATE kb.integrations SET webhook_secret = '%%% no base64' WHERE id = $1`, ids[7])
	const public = `SELECT (to_jsonb(i) - 'settings' - 'webhook_secret' - 'key_id')::text FROM kb.integrations i ORDER BY id`
	before := column[string](t, w.root, public)
	left := `SELECT concat(settings, webhook_secret, key_id) FROM kb.integrations WHERE id IN ($1, $2) ORDER BY id`
	damaged := column[string](t, w.root, left, ids[3], ids[7])

	next := nextRing()
	if n, err := w.tenant.CountUnreadable(ctx, next, 5); n != 2 || err != nil {
		t.Errorf("%d unreadable, %v", n, err)
	}
	id := startRotation(t, w.tenant, next)
	again, started, err := w.tenant.StartKeyRotation(ctx, next.CurrentID())
	if err != nil || started || again.ID != id {
		t.Errorf("a second start returned %v, %t, %v", again, started, err)
	}
	var failed []uuid.UUID
	for {
		step := advance(t, w.tenant, next, id, store.FirstFence, 5)
		failed = append(failed, step.Failed...)
		if step.Lost {
			t.Fatal("the rotation was lost")
		}
		if step.Finished {
			break
		}
	}
	wantRotation(t, w.tenant, id, 13, 11, 2, true)
	if diff := cmp.Diff([]uuid.UUID{ids[3], ids[7]}, failed); diff != "" {
		t.Errorf("failed (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(before, column[string](t, w.root, public)); diff != "" {
		t.Errorf("the rows changed (-before +after)\n%s", diff)
	}
	if diff := cmp.Diff(damaged, column[string](t, w.root, left, ids[3], ids[7])); diff != "" {
		t.Error("rows that do not open were touched")
	}
	alone := seal.NewRing(keys()[1])
	for i, integrationID := range ids {
		v, err := w.tenant.IntegrationVersionByID(ctx, integrationID)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := w.tenant.OpenSettings(ctx, alone, v, "test")
		switch i {
		case 3, 7:
			if !integration.IsKind(err, integration.KindUnreadable) {
				t.Errorf("a damaged row opens: %v", err)
			}
		default:
			if err != nil || opened.Secrets["api_token"].Expose() != "token of "+fmt.Sprintf("clickup-%02d", i) {
				t.Errorf("integration %d does not open: %v", i, err)
			}
		}
	}
	status, err := w.tenant.EncryptionStatus(ctx)
	if err != nil || len(status.SealedRows) != 2 || status.Rotation == nil || status.Rotation.ID != id {
		t.Errorf("status %+v, %v", status, err)
	}
	if step := advance(t, w.tenant, next, id, store.FirstFence, 5); !step.Lost {
		t.Errorf("a finished rotation was advanced: %+v", step)
	}
	// Once for the whole rotation, not for each row.
	if n := one[int](t, w.root, `SELECT count(*) FROM kb.audit_events WHERE action = 'secrets.open' AND changes ->> 'purpose' = 'rotation'`); n != 1 {
		t.Errorf("the opening is recorded %d times", n)
	}
}

// A replica that still seals under the key before may write behind the cursor: another pass takes that along.
func TestRotationLooksAgain(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	early := newIntegration(w.project, "early")
	createIntegration(t, w.tenant, newIntegration(w.project, "late"))
	next := nextRing()
	id := startRotation(t, w.tenant, next)
	advance(t, w.tenant, next, id, store.FirstFence, 5)
	createIntegration(t, w.tenant, early) // its id lies before the cursor
	for range 3 {
		if advance(t, w.tenant, next, id, store.FirstFence, 5).Finished {
			break
		}
	}
	wantRotation(t, w.tenant, id, 1, 2, 0, true)
}

// A rotation to another key ends the one before; its job does nothing more.
func TestRotationIsSuperseded(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	createIntegration(t, w.tenant, newIntegration(w.project, "clickup"))
	first := startRotation(t, w.tenant, nextRing())
	second := startRotation(t, w.tenant, ring())
	if step := advance(t, w.tenant, nextRing(), first, store.FirstFence, 5); !step.Lost {
		t.Errorf("a superseded rotation was advanced: %+v", step)
	}
	wantRotation(t, w.tenant, first, 1, 0, 0, true)
	wantRotation(t, w.tenant, second, 0, 0, 0, false)
}

// Only the job that holds the fence advances a rotation, however many believe that they do.
func TestRotationIsFenced(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	for i := range 40 {
		createIntegration(t, w.tenant, newIntegration(w.project, fmt.Sprintf("clickup-%02d", i)))
	}
	next := nextRing()
	id := startRotation(t, w.tenant, next)
	advance(t, w.tenant, next, id, store.FirstFence, 5)

	if fence, err := w.tenant.TakeOverKeyRotation(ctx, next, id, time.Hour); fence != 0 || err != nil {
		t.Errorf("a live rotation was taken over: %d, %v", fence, err)
	}
	if fence, err := w.tenant.TakeOverKeyRotation(ctx, seal.NewRing(keys()[0]), id, 0); fence != 0 || err != nil {
		t.Errorf("a rotation was taken over by who lacks its key: %d, %v", fence, err)
	}
	execute(t, w.root, `UPDATE kb.key_rotations SET heartbeat_at = now() - interval '11 s'`)
	orphans, err := w.store.OrphanedRotations(ctx, 10*time.Second)
	if err != nil || len(orphans) != 1 || orphans[0].ID != id || orphans[0].Org != org {
		t.Fatalf("orphans %v, %v", orphans, err)
	}
	// Many look at once; one takes it.
	taken := make(chan int, 8)
	var wg sync.WaitGroup
	for range cap(taken) {
		wg.Go(func() {
			fence, err := w.tenant.TakeOverKeyRotation(ctx, next, id, 10*time.Second)
			if err != nil {
				t.Error(err)
			}
			taken <- fence
		})
	}
	wg.Wait()
	close(taken)
	fence := 0
	for f := range taken {
		if f != 0 && fence != 0 {
			t.Error("two took it over")
		}
		fence = max(fence, f)
	}
	if fence != store.FirstFence+1 {
		t.Fatalf("the fence is %d", fence)
	}
	if step := advance(t, w.tenant, next, id, store.FirstFence, 5); !step.Lost {
		t.Errorf("the job before went on: %+v", step)
	}
	if after, err := w.tenant.HandOnKeyRotation(ctx, id, store.FirstFence); after != 0 || err != nil {
		t.Errorf("the job before handed it on: %d, %v", after, err)
	}
	// Even with the same fence, every row is counted once.
	for range 4 {
		wg.Go(func() {
			for step := (store.RotationStep{}); !step.Lost && !step.Finished; {
				step = advance(t, w.tenant, next, id, fence, 3)
			}
		})
	}
	wg.Wait()
	wantRotation(t, w.tenant, id, 40, 40, 0, true)
}

// A worker whose machine is gone in the middle of a batch keeps its lock for a few seconds only.
func TestRotationsLockEnds(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	createIntegration(t, w.tenant, newIntegration(w.project, "clickup"))
	next := nextRing()
	id := startRotation(t, w.tenant, next)
	execute(t, w.root, `UPDATE kb.key_rotations SET heartbeat_at = now() - interval '11 s'`)
	inside, end := make(chan bool), make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		err := w.tenant.InTx(ctx, func(tx *store.Tenant) error {
			_, err := tx.AdvanceKeyRotation(ctx, next, id, store.FirstFence, 5)
			close(inside)
			<-end
			return err
		})
		if err == nil {
			t.Error("the batch was committed")
		}
	})
	<-inside
	bounded, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if fence, err := w.tenant.TakeOverKeyRotation(bounded, next, id, 10*time.Second); fence == 0 || err != nil {
		t.Errorf("it was not taken over: %d, %v", fence, err)
	}
	close(end)
	wg.Wait()
	wantRotation(t, w.tenant, id, 1, 0, 0, false)
}

func TestOrganisationsToRotate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	createIntegration(t, w.tenant, newIntegration(w.project, "clickup"))
	other := w.store.Tenant(integration.Scope{Org: "org-b"})
	createIntegration(t, other, newIntegration(createProject(t, other, "Project"), "clickup"))
	const ofOther = `SELECT to_jsonb(i)::text FROM kb.integrations i WHERE org_id = 'org-b'`
	before := one[string](t, w.root, ofOther)
	next := nextRing()
	if orgs, err := w.store.OrganisationsToRotate(ctx, ring().CurrentID()); len(orgs) != 0 || err != nil {
		t.Errorf("organisations %v, %v", orgs, err)
	}
	id := startRotation(t, w.tenant, next)
	for !advance(t, w.tenant, next, id, store.FirstFence, 5).Finished {
	}
	if orgs, err := w.store.OrganisationsToRotate(ctx, next.CurrentID()); !cmp.Equal(orgs, []string{"org-b"}) || err != nil {
		t.Errorf("organisations %v, %v", orgs, err)
	}
	if after := one[string](t, w.root, ofOther); after != before {
		t.Error("another organisation's row was touched")
	}
}

// A job commits with the transaction that queues it.
func TestJobsCommitWithRows(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	queue := func(result error) error {
		return w.tenant.InTx(ctx, func(tx *store.Tenant) error {
			if err := tx.Enqueue(ctx, noJob{}); err != nil {
				return err
			}
			return result
		})
	}
	_ = queue(context.Canceled)
	if err := queue(nil); err != nil {
		t.Fatal(err)
	}
	if n := one[int](t, w.root, `SELECT count(*) FROM river.river_job`); n != 1 {
		t.Errorf("%d jobs are queued, want 1", n)
	}
	if err := w.tenant.Enqueue(ctx, noJob{}); err == nil {
		t.Error("a job was queued outside a transaction")
	}
}

// rotationJob is what the job of a rotation looks like.
type rotationJob struct {
	Rotation uuid.UUID `json:"rotation"`
}

func (rotationJob) Kind() string { return "rotation_job" }

func (rotationJob) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: store.RotationQueue} }

// A rotation whose job waits for a free worker is no orphan, however long it waits.
func TestRotationThatWaitsIsNoOrphan(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	id := startRotation(t, w.tenant, nextRing())
	execute(t, w.root, `UPDATE kb.key_rotations SET heartbeat_at = now() - interval '1 hour'`)
	count := func() int {
		orphans, err := w.store.OrphanedRotations(ctx, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return len(orphans)
	}
	if n := count(); n != 1 {
		t.Errorf("%d orphans without a job", n)
	}
	if err := w.tenant.InTx(ctx, func(tx *store.Tenant) error { return tx.Enqueue(ctx, rotationJob{id}) }); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 0 {
		t.Errorf("%d orphans with a job that waits", n)
	}
	execute(t, w.root, `UPDATE river.river_job SET state = 'running', attempted_at = now()`)
	if n := count(); n != 1 {
		t.Errorf("%d orphans with a job that ran and does not advance", n)
	}
}
