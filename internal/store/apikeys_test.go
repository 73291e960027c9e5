package store_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/store"
)

func newKey(projects []uuid.UUID) store.NewAPIKey {
	id := uuid.Must(uuid.NewV7())
	hash := sha256.Sum256(id[:])
	return store.NewAPIKey{
		ID: id, Name: "Key", Prefix: "pb_x1y2z3", Hash: hash[:], Role: integration.RoleEditor, Projects: projects,
	}
}

func createKey(t testing.TB, tenant *store.Tenant, projects []uuid.UUID) store.NewAPIKey {
	t.Helper()
	n := newKey(projects)
	if _, err := tenant.CreateAPIKey(context.Background(), n); err != nil {
		t.Fatalf("create an API key: %v", err)
	}
	return n
}

func listedKeys(t testing.TB, tenant *store.Tenant) []uuid.UUID {
	t.Helper()
	keys, err := tenant.APIKeys(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]uuid.UUID, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	return ids
}

func TestAPIKeyFromCreationToRevocation(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	n := newKey([]uuid.UUID{w.project})
	n.ExpiresAt = ptr(time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond))

	made, err := w.tenant.CreateAPIKey(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	if time.Since(made.CreatedAt).Abs() > time.Minute {
		t.Errorf("created at %s", made.CreatedAt)
	}
	want := &integration.APIKey{
		ID: n.ID, Name: "Key", Prefix: "pb_x1y2z3", OrgID: org, ProjectIDs: []uuid.UUID{w.project}, Role: integration.RoleEditor,
		CreatedBy: ptr(""), CreatedAt: made.CreatedAt, ExpiresAt: n.ExpiresAt,
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	authentic, err := w.store.AuthenticateAPIKey(ctx, n.Hash)
	if err != nil {
		t.Fatal(err)
	}
	wantAuthentic := &store.AuthenticAPIKey{
		ID: n.ID, Org: org, Name: "Key", Prefix: "pb_x1y2z3", Role: integration.RoleEditor, Projects: []uuid.UUID{w.project}, ExpiresAt: n.ExpiresAt,
	}
	if diff := cmp.Diff(wantAuthentic, authentic); diff != "" {
		t.Errorf("authenticated (-want +got):\n%s", diff)
	}

	revoked, err := w.tenant.RevokeAPIKey(ctx, n.ID)
	if err != nil || revoked.RevokedAt == nil {
		t.Fatalf("revoked: %+v, %v", revoked, err)
	}
	if revoked.LastUsedAt == nil {
		t.Error("its use was not noted")
	}
	again, err := w.tenant.RevokeAPIKey(ctx, n.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(revoked, again); diff != "" {
		t.Errorf("revoked again (-first +second):\n%s", diff)
	}
	if k, err := w.store.AuthenticateAPIKey(ctx, n.Hash); k != nil || err != nil {
		t.Errorf("a revoked key is still taken: %+v, %v", k, err)
	}
	keys, err := w.tenant.APIKeys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]*integration.APIKey{revoked}, keys); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	_, err = w.tenant.RevokeAPIKey(ctx, uuid.New())
	wantKind(t, err, integration.KindNotFound, "")
	_, err = w.store.Tenant(integration.Scope{Org: "another"}).RevokeAPIKey(ctx, n.ID)
	wantKind(t, err, integration.KindNotFound, "")
}

// A session has its key's projects, those too that are gone, and counts while the key does: also one that was begun as the
// key was being revoked, and so was not revoked with it.
func TestSessionsOfAnAPIKey(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	key := createKey(t, w.tenant, []uuid.UUID{w.project})
	execute(t, w.root, `DELETE FROM kb.projects WHERE id = $1`, w.project)
	begin := func() store.NewAPIKey {
		t.Helper()
		n := newKey(key.Projects)
		n.Subject, n.Parent = "api-key:pb_x1y2z3 (Key)", &key.ID
		if _, err := w.store.Tenant(integration.Scope{Org: org, Projects: key.Projects}).CreateAPIKey(ctx, n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	taken := func(n store.NewAPIKey) bool {
		t.Helper()
		k, err := w.store.AuthenticateAPIKey(ctx, n.Hash)
		if err != nil || k != nil && (k.Parent == nil || *k.Parent != key.ID) {
			t.Errorf("authenticated: %+v, %v", k, err)
		}
		return k != nil
	}
	first := begin()
	if !taken(first) {
		t.Error("a session is not taken")
	}
	for what, end := range map[string]string{"expired": `expires_at = now()`, "revoked": `revoked_at = now()`} {
		execute(t, w.root, `UPDATE kb.api_keys SET `+end+` WHERE id = $1`, key.ID)
		if taken(first) {
			t.Errorf("a session of an %s key is taken", what)
		}
		execute(t, w.root, `UPDATE kb.api_keys SET expires_at = NULL, revoked_at = NULL WHERE id = $1`, key.ID)
	}
	if _, err := w.tenant.RevokeAPIKey(ctx, key.ID); err != nil {
		t.Fatal(err)
	}
	late := begin()
	if taken(first) || taken(late) {
		t.Error("a revoked key's session is taken")
	}
	if n := one[int](t, w.root, `SELECT count(*) FROM kb.api_keys WHERE revoked_at IS NOT NULL`); n != 2 {
		t.Errorf("%d keys are shown as revoked, want the key and the session that it had", n)
	}
	if n := one[int](t, w.root, `SELECT count(*) FROM kb.audit_events WHERE action = 'api_key.revoke'`); n != 1 {
		t.Errorf("the trail has %d revocations", n)
	}
}

func TestSessionsThatExpiredLongAgoAreRemoved(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	hour, month := time.Hour, 30*24*time.Hour
	made := func(scope integration.Scope, subject string, ended time.Duration) uuid.UUID {
		t.Helper()
		n := newKey(nil)
		n.Subject = subject
		if _, err := w.store.Tenant(scope).CreateAPIKey(ctx, n); err != nil {
			t.Fatal(err)
		}
		execute(t, w.root, `UPDATE kb.api_keys SET expires_at = now() - $2::interval WHERE id = $1`, n.ID, ended)
		return n.ID
	}
	mine := integration.Scope{Org: org}
	key := made(mine, "", 2*month)
	live, lately := made(mine, "ann", -hour), made(mine, "ann", month-hour)
	for range 2 {
		made(mine, "ann", month+hour)
	}
	made(integration.Scope{Org: "another"}, "ben", month+hour)
	for _, left := range []int{4, 3, 3} {
		if err := w.store.PruneSessions(ctx, month, 2); err != nil {
			t.Fatal(err)
		}
		if n := one[int](t, w.root, `SELECT count(*) FROM kb.api_keys`); n != left {
			t.Errorf("%d keys are left, want %d", n, left)
		}
	}
	if diff := cmp.Diff([]uuid.UUID{key, live, lately}, listedKeys(t, w.tenant)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if n := one[int](t, w.root, `SELECT count(*) FROM kb.audit_events WHERE action = 'session.create'`); n != 5 {
		t.Errorf("the trail has %d sessions", n)
	}
}

func TestAPIKeysThatAreNotTaken(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	expired := newKey(nil)
	expired.ExpiresAt = ptr(time.Now().Add(-time.Second))
	if _, err := w.tenant.CreateAPIKey(ctx, expired); err != nil {
		t.Fatal(err)
	}
	for name, hash := range map[string][]byte{"expired": expired.Hash, "unknown": make([]byte, 32), "short": {1}, "empty": {}, "nil": nil} {
		if k, err := w.store.AuthenticateAPIKey(ctx, hash); k != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
	}
	if n := one[int](t, w.root, `SELECT count(*) FROM kb.api_keys WHERE last_used_at IS NOT NULL`); n != 0 {
		t.Error("the use of a key that is not taken was noted")
	}
}

func TestUseOfAnAPIKeyIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	key := createKey(t, w.tenant, nil)
	use := func() time.Time {
		t.Helper()
		if k, err := w.store.AuthenticateAPIKey(ctx, key.Hash); k == nil || err != nil {
			t.Fatalf("authenticate: %v, %v", k, err)
		}
		return one[time.Time](t, w.root, `SELECT last_used_at FROM kb.api_keys`)
	}
	first := use()
	if second := use(); !second.Equal(first) {
		t.Errorf("moved from %s to %s at once", first, second)
	}
	for age, moves := range map[string]bool{"55 seconds": false, "61 seconds": true} {
		execute(t, w.root, `UPDATE kb.api_keys SET last_used_at = now() - $1::text::interval`, age)
		before := one[time.Time](t, w.root, `SELECT last_used_at FROM kb.api_keys`)
		if moved := !use().Equal(before); moved != moves {
			t.Errorf("%s after the last use: moved %t, want %t", age, moved, moves)
		}
	}
}

func TestAPIKeysWithinProjects(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorkspace(t, nil)
	a, b := w.project, createProject(t, w.tenant, "Another")
	foreign := createProject(t, w.store.Tenant(integration.Scope{Org: "org-b"}), "Foreign")
	everything := createKey(t, w.tenant, nil).ID
	onlyA := createKey(t, w.tenant, []uuid.UUID{a}).ID
	onlyB := createKey(t, w.tenant, []uuid.UUID{b}).ID
	both := createKey(t, w.tenant, []uuid.UUID{a, b}).ID

	limited := w.store.Tenant(integration.Scope{Org: org, Projects: []uuid.UUID{a}})
	for _, test := range []struct {
		projects []uuid.UUID
		want     []uuid.UUID
	}{
		{nil, []uuid.UUID{everything, onlyA, onlyB, both}},
		{[]uuid.UUID{a}, []uuid.UUID{onlyA}},
		{[]uuid.UUID{b, a}, []uuid.UUID{onlyA, onlyB, both}},
		{[]uuid.UUID{}, []uuid.UUID{}},
		{[]uuid.UUID{foreign}, []uuid.UUID{}},
	} {
		if diff := cmp.Diff(test.want, listedKeys(t, w.store.Tenant(integration.Scope{Org: org, Projects: test.projects}))); diff != "" {
			t.Errorf("limited to %v (-want +got):\n%s", test.projects, diff)
		}
	}
	if ids := listedKeys(t, w.store.Tenant(integration.Scope{Org: "org-b"})); len(ids) != 0 {
		t.Errorf("another organisation sees %v", ids)
	}
	for _, id := range []uuid.UUID{everything, onlyB, both} {
		_, err := limited.RevokeAPIKey(ctx, id)
		wantKind(t, err, integration.KindNotFound, "")
	}
	for _, projects := range [][]uuid.UUID{{foreign}, {a, foreign}, {uuid.New()}} {
		_, err := w.tenant.CreateAPIKey(ctx, newKey(projects))
		wantKind(t, err, integration.KindNotFound, "")
	}
	_, err := limited.CreateAPIKey(ctx, newKey([]uuid.UUID{a, b}))
	wantKind(t, err, integration.KindNotFound, "")
	if _, err := limited.CreateAPIKey(ctx, newKey(nil)); err == nil {
		t.Error("who is limited to a project made a key for all of them")
	}
	if _, err := limited.CreateAPIKey(ctx, newKey([]uuid.UUID{a})); err != nil {
		t.Errorf("a key within the limit: %v", err)
	}
}
