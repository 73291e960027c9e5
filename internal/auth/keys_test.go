package auth

import (
	"crypto/sha256"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/store/storetest"
)

func TestKeysAreRandomAndReadable(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t, false)
	form := regexp.MustCompile(`^pb_[a-z2-7]{52}$`)
	seen := map[string]bool{}
	for range 20 {
		key, text, err := s.keys.Create(t.Context(), admin, NewKey{Name: "test", Role: integration.RoleViewer})
		if err != nil {
			t.Fatal(err)
		}
		if !form.MatchString(text.Expose()) || key.Prefix != text.Expose()[:shownLength] {
			t.Errorf("a key of another form with the prefix %s", key.Prefix)
		}
		seen[text.Expose()] = true
	}
	want(t, len(seen), 20)
}

// A look-up that began before its key was revoked, and ends after, must not bring the key back to life.
func TestALookUpThatIsOvertakenByARevocation(t *testing.T) {
	t.Parallel()
	s, db := newSessions(t, false)
	made, text, err := s.keys.Create(t.Context(), admin, NewKey{Name: "test", Role: integration.RoleViewer})
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte(text.Expose()))
	found, err := db.AuthenticateAPIKey(t.Context(), hash[:])
	if err != nil || found == nil {
		t.Fatal(found, err)
	}
	if _, err := s.keys.Revoke(t.Context(), admin, made.ID); err != nil {
		t.Fatal(err)
	}
	s.keys.cache.Add(hash, found) // as Authenticate does, late
	if _, err := s.keys.find(t.Context(), text.Expose()); !integration.IsKind(err, integration.KindUnauthenticated) {
		t.Errorf("the revoked key is taken: %v", err)
	}
}

// A key that cannot be checked is no stranger's: the client must not be told to send another one.
func TestAKeyThatCannotBeChecked(t *testing.T) {
	t.Parallel()
	db := storetest.New(t).Open(t, integration.NewCatalogue(), nil)
	keys := NewKeys(db)
	_, text, err := keys.Create(t.Context(), admin, NewKey{Name: "test", Role: integration.RoleViewer})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := NewKeys(db).find(t.Context(), text.Expose()); err == nil || integration.IsKind(err, integration.KindUnauthenticated) {
		t.Errorf("the failure is shown as %v", err)
	}
}

func TestWhatNoKeyMayBe(t *testing.T) {
	t.Parallel()
	past, future := time.Now().Add(-time.Second), time.Now().Add(time.Hour)
	for name, n := range map[string]NewKey{
		"name":       {Role: integration.RoleViewer},
		"role":       {Name: "x", Role: "OWNER"},
		"expiresAt":  {Name: "x", Role: integration.RoleViewer, ExpiresAt: &past},
		"projectIds": {Name: "x", Role: integration.RoleViewer, Projects: []uuid.UUID{}, ExpiresAt: &future},
	} {
		_, _, err := NewKeys(nil).Create(t.Context(), admin, n)
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok || len(joined.Unwrap()) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		want(t, joined.Unwrap()[0].(*integration.Error).Field, name)
	}
}
