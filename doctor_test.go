package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"patchbay/internal/auth/optest"
	"patchbay/internal/doctor"
	"patchbay/internal/store/storetest"
)

// doctorSays runs `patchbay doctor`, away from the network, and returns its exit status, what it printed, and the report of --json.
func doctorSays(t *testing.T, env []string) (status exitStatus, text string, report doctor.Report) {
	t.Helper()
	outputs := map[bool]string{}
	for _, asJSON := range []bool{false, true} {
		args := []string{"doctor", "--offline"}
		if asJSON {
			args = append(args, "--json")
		}
		var out, log bytes.Buffer
		err := run(context.Background(), args, env, &out, &log)
		status = 0
		if err != nil && !errors.As(err, &status) {
			t.Fatalf("patchbay %v: %v", args, err)
		}
		outputs[asJSON] = out.String()
		for _, secret := range []string{testKey, "hunter2hunter2", "pk_1_ABCDEFGHIJKL"} {
			if strings.Contains(out.String()+log.String(), secret) {
				t.Errorf("patchbay %v shows a secret:\n%s%s", args, out.String(), log.String())
			}
		}
	}
	if err := json.Unmarshal([]byte(outputs[true]), &report); err != nil {
		t.Fatalf("no JSON: %v\n%s", err, outputs[true])
	}
	return status, outputs[false], report
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	s := startServer(t, db)
	key := s.key(t, "acme", "editor")
	project := s.project(t, key, "acme")
	s.must(t, key, createClickUp, map[string]any{"org": "acme", "project": project, "settings": map[string]any{"api_token": "pk_1_ABCDEFGHIJKL"}})

	status, text, report := doctorSays(t, s.env)
	if status != 0 || report.Worst > doctor.Info {
		t.Errorf("a healthy server: status %d\n%s", status, text)
	}
	if !regexp.MustCompile(`(?m)^ok {7}sealed-rows {14}Every sealed value opens, in 1 row\.$`).MatchString(text) ||
		!regexp.MustCompile(`\n\n\d+ checks: \d+ ok, \d+ info, 0 warning, 0 severe\.\n$`).MatchString(text) {
		t.Errorf("it says\n%s", text)
	}

	weak := append(s.env[:len(s.env):len(s.env)], "INTEGRATION_ENCRYPTION_KEY=a text that somebody has thought up himself",
		"INTEGRATION_ENCRYPTION_PREVIOUS_KEYS="+testKey)
	if status, text, report := doctorSays(t, weak); status != 2 || report.Worst != doctor.Warning || !strings.Contains(text, "\nwarning  encryption-key-form ") {
		t.Errorf("with a weak form of a key: status %d\n%s", status, text)
	}

	rows(t, db, `ALTER TABLE kb.integrations DISABLE ROW LEVEL SECURITY`)
	status, text, report = doctorSays(t, s.env)
	if status != 3 || report.Worst != doctor.Severe || !strings.Contains(text, "\n"+strings.Repeat(" ", 34)+"ALTER TABLE kb.integrations ENABLE ROW LEVEL SECURITY;\n") {
		t.Errorf("without row-level security: status %d\n%s", status, text)
	}
}

// The OpenID provider is tried only with the network.
func TestDoctorOfTheOpenIDProvider(t *testing.T) {
	t.Parallel()
	provider := optest.New(t)
	finding := func(issuer string, args ...string) (found string) {
		t.Helper()
		var out bytes.Buffer
		err := run(context.Background(), append([]string{"doctor"}, args...), []string{
			"PATCHBAY_STATE_DIR=" + filepath.Join(openDir(t), "state"), "INTEGRATION_ENCRYPTION_KEY=" + testKey,
			"PATCHBAY_OIDC_ISSUER=" + issuer, "PATCHBAY_OIDC_AUDIENCE=" + optest.Audience, "PATCHBAY_OIDC_CLIENT_ID=" + optest.Client,
			"HTTPS_PROXY=http://127.0.0.1:1", // nothing else is to be reached
		}, &out, io.Discard)
		if !errors.As(err, new(exitStatus)) {
			t.Fatalf("patchbay doctor: %v", err)
		}
		return regexp.MustCompile(`(?m)^\w+ +openid-issuer .*\n( {20}.*\n)*`).FindString(out.String())
	}
	want(t, finding(provider.URL, "--offline"), "")
	if found := finding(provider.URL); !strings.HasPrefix(found, "ok ") || !strings.Contains(found, provider.URL) {
		t.Errorf("a good provider: %q", found)
	}
	if found := finding(provider.URL + "/"); !strings.HasPrefix(found, "severe ") || !strings.Contains(found, "did not match") || !strings.Contains(found, "PATCHBAY_OIDC_ISSUER is exactly") {
		t.Errorf("another spelling: %q", found)
	}
	provider.Break(true)
	if found := finding(provider.URL); !strings.HasPrefix(found, "severe ") || !strings.Contains(found, "status 503") {
		t.Errorf("one that is away: %q", found)
	}
}

func TestDoctorWithoutADatabase(t *testing.T) {
	t.Parallel()
	state := filepath.Join(openDir(t), "state")
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"none there":           {[]string{"DATABASE_URL=postgres://nobody:hunter2hunter2@127.0.0.1:1/none"}, "Requests cannot use the database: "},
		"no connection string": {[]string{"DATABASE_URL=hunter2hunter2"}, "DATABASE_URL: it cannot be read"},
		"half of two logins":   {[]string{"PATCHBAY_MIGRATE_DATABASE_URL=postgres://127.0.0.1:1/none"}, "PATCHBAY_MIGRATE_DATABASE_URL is set and DATABASE_URL is not"},
		"no private one yet":   {[]string{"PATCHBAY_STATE_DIR=" + state}, "there is no private database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, text, report := doctorSays(t, append(test.env, "INTEGRATION_ENCRYPTION_KEY="+testKey))
			if status != 3 || !strings.Contains(text, "severe   database-connection") || !strings.Contains(text, test.want) {
				t.Errorf("status %d\n%s", status, text)
			}
			if report.Findings[0].Check != "encryption-key" || report.Findings[0].Severity != doctor.OK {
				t.Errorf("the key was not looked at: %+v", report.Findings)
			}
		})
	}
}

// What keeps the doctor from running at all is an error like any other command's.
func TestDoctorThatCannotRun(t *testing.T) {
	t.Parallel()
	var status exitStatus
	for _, test := range []struct{ args, env []string }{
		{[]string{"doctor"}, []string{"PATCHBAY_LOG_LEVEL=loud"}},
		{[]string{"doctor", "--loud"}, nil},
	} {
		err := run(context.Background(), test.args, test.env, &bytes.Buffer{}, &bytes.Buffer{})
		if err == nil || errors.As(err, &status) {
			t.Errorf("%v %v: %v", test.args, test.env, err)
		}
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	var out bytes.Buffer
	err := run(ended, []string{"doctor", "--offline"}, []string{"DATABASE_URL=postgres://127.0.0.1:1/none"}, &out, &bytes.Buffer{})
	if err == nil || errors.As(err, &status) || out.Len() > 0 {
		t.Errorf("after a signal: %v, printed %q", err, out.String())
	}
}

func TestDoctorOfThePrivateDatabase(t *testing.T) {
	t.Parallel()
	state := filepath.Join(openDir(t), "state")
	env := []string{"DATABASE_URL=", "INTEGRATION_ENCRYPTION_KEY=", "PATCHBAY_STATE_DIR=" + state}
	s := startServer(t, &storetest.Database{}, env...)
	if status, text, _ := doctorSays(t, s.env); status != 0 { // attached to the server's
		t.Errorf("while the server runs: status %d\n%s", status, text)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(state, keyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	status, text, _ := doctorSays(t, s.env)
	if status != 3 || !strings.Contains(text, "severe   encryption-key-file") || !strings.Contains(text, "chmod 600 "+filepath.Join(state, keyFile)) {
		t.Errorf("with a key that everybody may read: status %d\n%s", status, text)
	}
}

// The server logs at start what puts secrets or tenants at risk, with the remedy, and serves.
func TestStartLogsWhatIsSevere(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	rows(t, db, `ALTER DATABASE `+db.Name+` SET log_parameter_max_length_on_error = -1`)
	rows(t, db, `ALTER TABLE kb.integrations DISABLE ROW LEVEL SECURITY`)
	s := startServer(t, db)
	for _, want := range []string{
		`"check":"log-parameters-on-error","remedy":"Run as a superuser, then restart Patchbay so that it connects anew:\nALTER DATABASE ` + db.Name + ` SET log_parameter_max_length_on_error = 0;"`,
		`"check":"row-security"`,
	} {
		eventually(t, 20*time.Second, want, func() bool { return strings.Contains(s.log.String(), want) })
	}
	if !strings.Contains(s.log.String(), `"level":"ERROR"`) {
		t.Errorf("nothing was logged as severe:\n%s", s.log)
	}

	healthy := startServer(t, storetest.New(t))
	eventually(t, 20*time.Second, "the checks to end", func() bool { return strings.Contains(healthy.log.String(), "the checks at start are done") })
	if strings.Contains(healthy.log.String(), `"check"`) {
		t.Errorf("a healthy server logs\n%s", healthy.log)
	}
}
