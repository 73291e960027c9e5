package doctor_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"patchbay/internal/doctor"
	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

// What must come to light in no finding.
const (
	token         = "pk_1_TOKENOFTHEDOCTORSTESTS"
	webhookSecret = "the webhook secret of the doctor's tests"
)

var (
	keyTexts = []seal.Secret{seal.GenerateKey(), seal.GenerateKey()}
	// keys are parsed once, which takes a while.
	keys = sync.OnceValue(func() (list []seal.Key) {
		for _, text := range keyTexts {
			k, err := seal.ParseKey(text)
			if err != nil {
				panic(err)
			}
			list = append(list, k)
		}
		return list
	})
	catalogue = integration.NewCatalogue(&integration.Provider{Name: "clickup", DisplayName: "ClickUp", SecretSettings: []string{"api_token"}})
)

// patient is a migrated database and how it is examined.
type patient struct {
	*storetest.Database
	options doctor.Options
}

func newPatient(t testing.TB, db *storetest.Database) *patient {
	t.Helper()
	url := seal.NewSecret(db.URL)
	return &patient{db, doctor.Options{
		Keys:     doctor.Keys{Ring: seal.NewRing(keys()[0])},
		Serving:  store.Options{URL: url, Catalogue: catalogue},
		OwnerURL: url,
	}}
}

// exec runs statements as the superuser, each by itself.
func (p *patient) exec(t testing.TB, statements ...string) {
	t.Helper()
	conn := p.Connect(t, "", "")
	for _, s := range statements {
		if _, err := conn.Exec(context.Background(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	_ = conn.Close(context.Background())
}

// text selects one text.
func (p *patient) text(t testing.TB, query string) (s string) {
	t.Helper()
	if err := p.Connect(t, "", "").QueryRow(context.Background(), query).Scan(&s); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return s
}

// connectIntegration makes an integration with a token and a webhook secret, sealed under a key of keys, and returns its id.
func (p *patient) connectIntegration(t testing.TB, key seal.Key) uuid.UUID {
	t.Helper()
	ctx := context.Background()
	tenant := p.Open(t, catalogue, nil).Tenant(integration.Scope{Org: "acme"})
	project, err := tenant.CreateProject(ctx, uuid.Must(uuid.NewV7()), "Project")
	if err != nil {
		t.Fatal(err)
	}
	made, err := tenant.CreateIntegration(ctx, seal.NewRing(key), store.NewIntegration{
		ID: uuid.Must(uuid.NewV7()), ProjectID: project.ID, Name: "clickup", Provider: "clickup", DisplayName: "ClickUp",
		Secrets: map[string]seal.Secret{"api_token": seal.NewSecret(token)}, WebhookSecret: seal.NewSecret(webhookSecret),
	}, store.With{})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// examine runs the doctor, and sees that no finding tells a secret.
func (p *patient) examine(t testing.TB) *doctor.Report {
	t.Helper()
	r := doctor.Run(context.Background(), p.options)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{token, webhookSecret, keyTexts[0].Expose(), keyTexts[1].Expose(), "a password of tests"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("a secret shows in %s", text)
		}
	}
	return r
}

// bad lists the severities and checks that are worse than info.
func bad(r *doctor.Report) []string {
	list := []string{}
	for _, f := range r.Findings {
		if f.Severity > doctor.Info {
			list = append(list, f.Severity.String()+" "+f.Check)
		}
	}
	return list
}

// wantBad compares what is worse than info.
func wantBad(t testing.TB, r *doctor.Report, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), bad(r)); diff != "" {
		t.Errorf("-want +got:\n%s\nin %+v", diff, r.Findings)
	}
}

// finding is that of a check.
func finding(t testing.TB, r *doctor.Report, check string) doctor.Finding {
	t.Helper()
	for _, f := range r.Findings {
		if f.Check == check {
			return f
		}
	}
	t.Fatalf("no finding of the check %s in %+v", check, r.Findings)
	panic("unreachable")
}

// statements are the SQL statements of a remedy.
func statements(remedy string) (list []string) {
	for line := range strings.Lines(remedy) {
		if s := strings.TrimSpace(line); strings.HasSuffix(s, ";") {
			list = append(list, s)
		}
	}
	return list
}
