package adopt

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/seal"
	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

func TestEveryFormOfBothGenerations(t *testing.T) {
	t.Parallel()
	for generation := range tables {
		for _, place := range []string{"from", "in place"} {
			t.Run(fmt.Sprintf("generation %d %s", generation, place), func(t *testing.T) {
				t.Parallel()
				e := newEarlier(t, generation)
				into := e.Database
				if place == "from" {
					into = storetest.Empty(t)
				}
				ids := map[string]uuid.UUID{}
				for i, form := range []string{"OpenPGP", "OpenPGP in base64", "CBC in base64", "plain"} {
					ids[form] = e.add(t, form, fmt.Sprintf("clickup-%d", i), fmt.Sprintf(`{"apiToken": "pk_%d_tökén", "workspaceId": "%d", "batch_size": "50"}`, i, i))
				}
				without := e.add(t, "plain", "linear", `{}`, "webhook_secret = NULL")
				report := e.must(t, into)
				want(t, report.Integrations, Count{Adopted: 5})
				want(t, text(report)[strings.Index(text(report), "projects"):strings.Index(text(report), "made")], map[string]string{"from": "projects: 1 ", "in place": "projects: 0 "}[place])
				for i, form := range []string{"OpenPGP", "OpenPGP in base64", "CBC in base64", "plain"} {
					name := fmt.Sprintf("clickup-%d", i)
					want(t, open(t, into, ids[form]), adopted{
						Name: name, Provider: "clickup", Display: "Display " + name,
						Public: map[string]any{"workspace_id": fmt.Sprint(i), "batch_size": 50.0}, Configured: []string{"api_token"},
						Secrets: map[string]string{"api_token": fmt.Sprintf("pk_%d_tökén", i)}, Webhook: "webhook-secret-of-" + name,
					})
				}
				if a := open(t, into, without); len(a.Secrets) > 0 || len(a.Webhook) != 64 {
					t.Errorf("without anything: %d secrets, a webhook secret of %d", len(a.Secrets), len(a.Webhook))
				}

				again := e.must(t, into)
				want(t, again.Integrations, Count{Present: 5})
				want(t, again.Left(), 0)
			})
		}
	}
}

func TestWhatDoesNotOpenIsLeft(t *testing.T) {
	t.Parallel()
	for generation := range tables {
		t.Run(fmt.Sprint("generation ", generation), func(t *testing.T) {
			t.Parallel()
			e := newEarlier(t, generation)
			for i, form := range []string{"OpenPGP", "OpenPGP in base64", "CBC in base64", "plain"} {
				e.addState(t, e.add(t, form, fmt.Sprintf("clickup-%d", i), `{"api_token": "pk_secret"}`))
			}
			column := map[int]string{1: `settings`, 2: `settings_encrypted`}[generation]
			for i, damaged := range []string{`'garbage'`, `left(convert_from(convert_to('w0VERGFtYWdlZA==', 'UTF8'), 'UTF8'), 12)`, `'[1]'`, `'{"api_token": "pk_secret"'`} {
				if generation == 2 {
					damaged = "convert_to(" + damaged + ", 'UTF8')"
				}
				e.add(t, "plain", fmt.Sprintf("jira-%d", i), `{}`, column+" = "+damaged)
			}
			source := listing(t, e.root)
			into := storetest.Empty(t)
			for _, key := range []string{"another", ""} {
				report := e.must(t, into, func(o *Options) { o.Key = seal.NewSecret(key) })
				if report.Integrations.Left != 7 || report.SyncStates.Left != 3 || report.Integrations.Adopted+report.Integrations.Present != 1 {
					t.Errorf("with the key %q: %s", key, text(report))
				}
				if strings.Contains(text(report), "pk_") {
					t.Errorf("a secret is in the report:\n%s", text(report))
				}
			}
			report := e.must(t, into)
			want(t, report.Integrations, Count{Adopted: 3, Present: 1, Left: 4})
			want(t, report.SyncStates, Count{Adopted: 3, Present: 1})
			want(t, listing(t, e.root), source)
		})
	}
}

func TestAlteredRows(t *testing.T) {
	t.Parallel()
	e := newEarlier(t, 2)
	add := func(name, settings string, set ...string) uuid.UUID {
		return e.add(t, "OpenPGP", name, settings, append(set, "created_at = now() + (SELECT count(*) FROM kb.integrations) * interval '1 s'")...)
	}
	masked := add("ClickUp", `{"api_token": "••••••••", "api_key": "pk_real", "workspaceId": 42, "import_comments": "True", "batch_size": "lots", "batchSize": null}`, `webhook_secret = '********'`)
	first := add("GitHub", `{"token": " ghp_spaces\n", "access_token": ""}`, `logo_url = 'http://example.com/a.png'`, `display_name = ' '`)
	add("github", `{}`)
	unknown := add("My CRM (old)", `{"token": "crm_secret", "url": "https://crm", "deep": {"a": [1, 2.50]}, "mask": "****", "A name that, perhaps, is one secret": "x"}`)
	aliases := add("click_up", `{"apiKey": "pk_one", "apiToken": "pk_two", "import_comments": true, "colour": "red"}`)
	add("!!!", `{}`)
	foreign := add("linear", `{}`, `org_id = 'somebody else'`)
	sealedWebhook := add("jira", `{}`, `webhook_secret = encode(pgp_sym_encrypt('sealed webhook', '`+oldKey+`'), 'base64')`)
	lostWebhook := add("jira-2", `{}`, `webhook_secret = encode(pgp_sym_encrypt('sealed webhook', 'another'), 'base64')`)
	missing := uuid.New()
	orphaned := add("clickup", `{}`, `project_id = '`+missing.String()+`'`)
	into := storetest.New(t)
	report := e.must(t, into)

	want(t, report.Integrations, Count{Adopted: 6, Left: 4})
	want(t, report.Projects, 2)
	for _, part := range []string{
		masked.String() + ` "ClickUp": the setting api_token was a masked value and not the secret: it was left out`,
		masked.String() + ` "ClickUp": its webhook secret was a masked value and not the secret: it has a new one`,
		masked.String() + ` "ClickUp": the setting batch_size was left out: batch_size must be a whole number, not a string`,
		masked.String() + ` "ClickUp": its name is clickup here`,
		first.String() + ` "GitHub": its logo was left out`,
		`"github": the project ` + e.project.String() + ` has another integration of the name github`,
		unknown.String() + ` "My CRM (old)": this server does not know the provider my-crm-old`,
		unknown.String() + ` "My CRM (old)": the setting deep is not known to this server: it was kept as a secret`,
		unknown.String() + ` "My CRM (old)": the setting "mask" was a masked value: it was left out`,
		unknown.String() + ` "My CRM (old)": settings whose names cannot be shown were kept as the secret other_settings`,
		aliases.String() + ` "click_up": the setting apiToken was left out: api_token was there too, with another value`,
		`"!!!": no name can be made of its name`,
		foreign.String() + ` "linear": its project belongs to another organisation`,
		lostWebhook.String() + ` "jira-2": its webhook secret does not open with PATCHBAY_ADOPT_KEY, or is damaged`,
	} {
		if !strings.Contains(text(report), part) {
			t.Errorf("the report does not say: %s", part)
		}
	}
	for _, secret := range []string{"pk_", "ghp_", "crm_", "sealed webhook", "A name that"} {
		if strings.Contains(text(report), secret) {
			t.Errorf("the report tells %q", secret)
		}
	}
	if t.Failed() {
		t.Log(text(report))
	}
	got := open(t, into, masked)
	want(t, got.Secrets, map[string]string{"api_token": "pk_real"})
	want(t, got.Public, map[string]any{"workspace_id": "42", "import_comments": true})
	want(t, len(got.Webhook), 64)
	got = open(t, into, first)
	want(t, got.Display, "GitHub")
	want(t, got.Secrets, map[string]string{"access_token": "ghp_spaces"})
	got = open(t, into, unknown)
	want(t, got.Provider, "my-crm-old")
	want(t, got.Public, map[string]any{})
	want(t, got.Secrets, map[string]string{"token": "crm_secret", "url": "https://crm", "deep": `{"a":[1,2.50]}`, "other_settings": `{"A name that, perhaps, is one secret":"x"}`})
	got = open(t, into, aliases)
	want(t, got.Name+" "+got.Provider, "click-up clickup")
	want(t, got.Secrets, map[string]string{"api_token": "pk_one", "colour": "red"})
	want(t, open(t, into, sealedWebhook).Webhook, "sealed webhook")
	root := into.Connect(t, "", "")
	want(t, one[string](t, root, `SELECT name FROM kb.projects WHERE id = $1`, e.project), "The project")
	want(t, one[string](t, root, `SELECT p.name FROM kb.projects p JOIN kb.integrations i ON i.project_id = p.id WHERE i.id = $1`, orphaned), missing.String())
}

func TestSyncStatesComeAlong(t *testing.T) {
	t.Parallel()
	e := newEarlier(t, 1)
	id := e.add(t, "plain", "clickup", `{}`)
	state := e.addState(t, id, `last_sync_at = '2024-06-01 12:00', last_successful_sync = NULL, sync_status = 'running', sync_error = 'text', total_synced = 7,
		last_task_synced_id = 't', last_doc_synced_id = 'd', last_list_synced_id = 'l', last_folder_synced_id = 'f', last_space_synced_id = '',
		workspace_id = 'w', workspace_name = 'W', space_mappings = '{"1": "one"}', list_mappings = '{"2": {"deep": true}}', user_mappings = '[]',
		created_at = '2024-01-01', updated_at = '2024-06-02'`)
	older := e.addState(t, id, `updated_at = '2023-01-01'`)
	statuses := map[string]string{"pending": "pending", "success": "success", "error": "error", "odd": "pending"}
	other := map[string]uuid.UUID{}
	for word := range statuses {
		other[word] = e.add(t, "plain", "clickup-"+word, `{}`)
		e.addState(t, other[word], `sync_status = '`+word+`'`)
	}
	into := storetest.New(t)
	report := e.must(t, into)
	want(t, report.SyncStates, Count{Adopted: 5, Left: 1})
	for _, part := range []string{"left: sync state " + older.String() + ": its integration has a later one", "its sync state was running: it is pending", "had no known status",
		"its user mappings were left out", "1 of its list mappings were no text"} {
		if !strings.Contains(text(report), part) {
			t.Errorf("the report does not say %q:\n%s", part, text(report))
		}
	}
	root := into.Connect(t, "", "")
	var got map[string]any
	if err := json.Unmarshal([]byte(one[string](t, root, `SELECT to_jsonb(s)::text FROM kb.clickup_sync_state s WHERE integration_id = $1`, id)), &got); err != nil {
		t.Fatal(err)
	}
	for _, column := range []string{"last_sync_at", "created_at", "updated_at"} {
		got[column] = got[column].(string)[:10]
	}
	want(t, got, map[string]any{
		"id": state.String(), "integration_id": id.String(), "project_id": e.project.String(), "last_sync_at": "2024-06-01", "last_successful_sync": nil,
		"sync_status": "pending", "sync_error": "text", "total_synced": 7.0, "last_task_synced_id": "t", "last_doc_synced_id": "d", "last_list_synced_id": "l",
		"last_folder_synced_id": "f", "last_space_synced_id": nil, "created_at": "2024-01-01", "updated_at": "2024-06-02", "workspace_id": "w", "workspace_name": "W",
		"space_mappings": map[string]any{"1": "one"}, "list_mappings": map[string]any{"2": `{"deep": true}`}, "folder_mappings": map[string]any{},
		"user_mappings": map[string]any{}, "custom_field_mappings": map[string]any{},
	})
	for word, status := range statuses {
		want(t, one[string](t, root, `SELECT sync_status FROM kb.clickup_sync_state WHERE integration_id = $1`, other[word]), status)
	}
}

func TestTimeZones(t *testing.T) {
	t.Parallel()
	e := newEarlier(t, 1)
	cases := []struct{ stored, utc, berlin string }{
		{"2024-01-15 12:00:00.123456", "2024-01-15T12:00:00.123456Z", "2024-01-15T11:00:00.123456Z"},
		{"2024-07-15 12:00:00", "2024-07-15T12:00:00Z", "2024-07-15T10:00:00Z"},
		{"2024-03-31 02:30:00", "2024-03-31T02:30:00Z", "2024-03-31T01:30:00Z"}, // never was in Berlin
		{"2024-10-27 02:30:00", "2024-10-27T02:30:00Z", "2024-10-27T01:30:00Z"}, // was twice: the later
	}
	var ids []uuid.UUID
	for i, c := range cases {
		ids = append(ids, e.add(t, "plain", fmt.Sprintf("clickup-%d", i), `{}`, `created_at = '`+c.stored+`', updated_at = '`+c.stored+`'`))
		e.addState(t, ids[i], `last_sync_at = '`+c.stored+`'`)
	}
	for _, zone := range []string{"UTC", "Europe/Berlin"} {
		into := storetest.New(t)
		e.must(t, into, func(o *Options) { o.TimeZone = zone })
		root := into.Connect(t, "", "")
		for i, c := range cases {
			instant := map[string]string{"UTC": c.utc, "Europe/Berlin": c.berlin}[zone]
			if !one[bool](t, root, `SELECT i.created_at = $2::timestamptz AND i.updated_at = $2::timestamptz AND s.last_sync_at = $2::timestamptz
				FROM kb.integrations i JOIN kb.sync_states s ON s.integration_id = i.id WHERE i.id = $1`, ids[i], instant) {
				t.Errorf("%s in %s is not %s", c.stored, zone, instant)
			}
		}
	}
	for _, zone := range []string{"Mars/Olympus", "", "CEST", "UTC+3"} {
		before := listing(t, e.root)
		if _, err := e.adopt(t, e.Database, func(o *Options) { o.TimeZone = zone }); err == nil || !strings.Contains(err.Error(), "no time zone") {
			t.Errorf("zone %q: %v", zone, err)
		}
		want(t, listing(t, e.root), before)
	}
	// A time with its zone needs none.
	with := newEarlier(t, 2)
	id := with.add(t, "plain", "clickup", `{}`, `created_at = '2024-07-15 12:00+02'`)
	into := storetest.New(t)
	with.must(t, into, func(o *Options) { o.TimeZone = "America/New_York" })
	want(t, one[bool](t, into.Connect(t, "", ""), `SELECT created_at = '2024-07-15T10:00:00Z' FROM kb.integrations WHERE id = $1`, id), true)
}

func TestDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"from an empty database", "from a migrated one", "in place"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			e := newEarlier(t, 2)
			into := e.Database
			switch place {
			case "from an empty database":
				into = storetest.Empty(t)
			case "from a migrated one":
				into = storetest.New(t)
			}
			e.addState(t, e.add(t, "OpenPGP", "ClickUp", `{"api_key": "pk_1", "colour": "red", "batch_size": 1}`), "sync_status = 'running'")
			e.add(t, "CBC in base64", "clickup", `{}`)
			e.add(t, "plain", "jira", `{}`, `settings_encrypted = 'damaged'`)
			target := into.Connect(t, "", "")
			beforeHere, beforeThere := listing(t, target), listing(t, e.root)
			dry := e.must(t, into, func(o *Options) { o.DryRun = true })
			want(t, listing(t, target), beforeHere)
			want(t, listing(t, e.root), beforeThere)

			done := e.must(t, into)
			want(t, text(dry), "dry run: nothing was changed; without --dry-run this would be:\n"+text(done))
			dry = e.must(t, into, func(o *Options) { o.DryRun = true })
			want(t, text(dry), "dry run: nothing was changed; without --dry-run this would be:\n"+text(e.must(t, into)))
		})
	}
}

// TestInPlaceIsResumed ends an adoption after each of its steps, as a crash would, and runs it again.
func TestInPlaceIsResumed(t *testing.T) {
	t.Parallel()
	crash := errors.New("crash")
	for after := range 5 {
		t.Run(fmt.Sprint("after step ", after), func(t *testing.T) {
			t.Parallel()
			e := newEarlier(t, 1)
			var ids []uuid.UUID
			for i := range 3 {
				ids = append(ids, e.add(t, "OpenPGP in base64", fmt.Sprintf("clickup-%d", i), fmt.Sprintf(`{"api_token": "pk_%d"}`, i), fmt.Sprintf("created_at = '2024-01-0%d'", i+1)))
				e.addState(t, ids[i], fmt.Sprintf("total_synced = %d", i))
			}
			e.exec(t, `CREATE VIEW public.names AS SELECT name FROM kb.integrations`)
			e.exec(t, `CREATE TABLE public.documents (integration_id uuid CONSTRAINT from_integration REFERENCES kb.integrations)`)
			rows := one[[]string](t, e.root, `SELECT array_agg(i::text ORDER BY id) FROM kb.integrations i`)
			step := 0
			_, err := e.adopt(t, e.Database, func(o *Options) {
				o.step = func(string) error {
					if step++; step > after {
						return crash
					}
					return nil
				}
			})
			if !errors.Is(err, crash) {
				t.Fatalf("error %v", err)
			}
			report := e.must(t, e.Database)
			want(t, report.Integrations.Adopted+report.Integrations.Present, 3)
			want(t, report.SyncStates.Adopted+report.SyncStates.Present, 3)
			want(t, report.Left(), 0)
			want(t, report.Reminders[:2], []string{
				"the foreign key from_integration of documents refers to kb.integrations_before_patchbay",
				"the view names reads kb.integrations_before_patchbay",
			})
			for i, id := range ids {
				want(t, open(t, e.Database, id).Secrets, map[string]string{"api_token": fmt.Sprintf("pk_%d", i)})
			}
			want(t, one[int](t, e.root, `SELECT sum(total_synced)::int FROM kb.clickup_sync_state`), 3)
			want(t, one[int](t, e.root, `SELECT count(*)::int FROM kb.sync_states`), 3)
			want(t, one[[]string](t, e.root, `SELECT array_agg(i::text ORDER BY id) FROM kb.integrations_before_patchbay i`), rows)
			want(t, e.must(t, e.Database).Integrations, Count{Present: 3})
		})
	}
}

// A migration that fails midway leaves the tables set aside; mended, it goes on from there.
func TestInPlaceIsResumedAfterAMigrationFailed(t *testing.T) {
	t.Parallel()
	for _, breaks := range []string{"kb.touch_updated_at()", "kb.sealing_keys()", "kb.authenticate_api_key(bytea)"} {
		t.Run(breaks, func(t *testing.T) {
			t.Parallel()
			e := newEarlier(t, 2)
			id := e.add(t, "OpenPGP", "clickup", `{"api_token": "pk_1"}`)
			e.exec(t, `CREATE FUNCTION `+breaks+` RETURNS integer LANGUAGE sql AS 'SELECT 1'`)
			if _, err := e.adopt(t, e.Database); err == nil {
				t.Fatal("the migration did not fail")
			}
			e.exec(t, `DROP FUNCTION `+breaks)
			want(t, e.must(t, e.Database).Integrations, Count{Adopted: 1})
			want(t, open(t, e.Database, id).Secrets, map[string]string{"api_token": "pk_1"})
		})
	}
}

// Two adopt in step: each begins an integration when the other does, too.
func TestTwoAtOnceDoubleNothing(t *testing.T) {
	t.Parallel()
	const integrations = 50
	e := newEarlier(t, 2)
	for i := range integrations {
		e.addState(t, e.add(t, "OpenPGP", fmt.Sprintf("clickup-%d", i), `{"api_token": "pk_1"}`))
	}
	reports := make([]*Report, 2)
	arrived := make(chan struct{})
	inStep := func(o *Options) {
		o.step = func(string) error {
			select {
			case arrived <- struct{}{}:
			case <-arrived:
			case <-time.After(10 * time.Second): // the other has ended
			}
			return nil
		}
	}
	var all sync.WaitGroup
	for i := range reports {
		all.Go(func() {
			var err error
			if reports[i], err = e.adopt(t, e.Database, inStep); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	for _, report := range reports {
		for _, line := range report.Lines {
			if strings.HasPrefix(line, "left") {
				t.Error(line)
			}
		}
	}
	want(t, reports[0].Integrations.Adopted+reports[1].Integrations.Adopted, integrations)
	want(t, reports[0].Integrations.Present+reports[1].Integrations.Present, integrations)
	want(t, one[int](t, e.root, `SELECT count(*)::int FROM kb.integrations JOIN kb.sync_states s ON s.integration_id = kb.integrations.id`), integrations)
}

// What must stop an adoption does so before anything is changed.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare string
		change  func(*Options)
		want    string
	}{
		"tables of others":          {prepare: `CREATE TABLE kb.api_keys (id int)`, want: "kb.api_keys is in the way"},
		"a table of both names":     {prepare: `CREATE TABLE kb.integrations_before_patchbay AS TABLE kb.integrations`, want: "are both there"},
		"projects that do not fit":  {prepare: `ALTER TABLE kb.projects DROP CONSTRAINT projects_pkey`, want: "kb.projects needs"},
		"no tables":                 {prepare: `DROP TABLE kb.integrations CASCADE`, want: "has no table kb.integrations"},
		"tables of something else":  {prepare: `ALTER TABLE kb.integrations DROP COLUMN org_id`, want: "it has no column org_id"},
		"an unreachable source":     {prepare: `SELECT 1`, change: func(o *Options) { o.Source = seal.NewSecret("postgres://a:hunter2@127.0.0.1:1/b") }, want: "cannot connect"},
		"a database without tables": {prepare: `DROP SCHEMA kb CASCADE`, want: "has no table kb.integrations"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEarlier(t, 1)
			e.add(t, "plain", "clickup", `{}`)
			e.exec(t, test.prepare)
			before := listing(t, e.root)
			for _, dry := range []bool{true, false} {
				_, err := e.adopt(t, e.Database, func(o *Options) {
					if o.DryRun = dry; test.change != nil {
						test.change(o)
					}
				})
				if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("dry %v: error %v, want %q", dry, err, test.want)
				}
				want(t, listing(t, e.root), before)
			}
		})
	}
}

// Under another key the server would not start any more.
func TestAnotherKeyThanTheServersIsRefused(t *testing.T) {
	t.Parallel()
	e, into := newEarlier(t, 1), storetest.New(t)
	e.add(t, "plain", "clickup", `{}`)
	e.must(t, into)
	e.add(t, "plain", "jira", `{}`)
	key, err := seal.ParseKey(seal.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.adopt(t, into, func(o *Options) { o.Ring = seal.NewRing(key) })
	if err == nil || !strings.Contains(err.Error(), "INTEGRATION_ENCRYPTION_KEY") || !strings.Contains(err.Error(), ring().CurrentID()) {
		t.Errorf("error %v", err)
	}
	want(t, one[int](t, into.Connect(t, "", ""), `SELECT count(*)::int FROM kb.integrations`), 1)
}

// The owner of the tables need be no superuser, and projects may be a host product's.
func TestInPlaceAsTheHost(t *testing.T) {
	t.Parallel()
	storetest.New(t) // the roles are there
	host, password := storetest.Login(t, "")
	e := newEarlier(t, 2)
	id := e.add(t, "OpenPGP", "clickup", `{"api_token": "pk_1"}`)
	e.exec(t, `GRANT patchbay_owner, patchbay_serve TO `+host)
	e.exec(t, `GRANT CREATE ON DATABASE `+e.Name+` TO `+host+` WITH GRANT OPTION`)
	e.exec(t, `ALTER SCHEMA kb OWNER TO `+host)
	strangers := e.must(t, e.Database, func(o *Options) { o.DryRun = true }) // as the superuser
	asHost := &earlier{Database: &storetest.Database{URL: e.As(host, password), Name: e.Name}, root: e.root, generation: 2, project: e.project}
	if _, err := asHost.adopt(t, asHost.Database); err == nil || !(strings.Contains(err.Error(), "cannot be renamed") || strings.Contains(err.Error(), "permission denied")) {
		t.Errorf("tables of somebody else: %v", err)
	}
	for _, table := range []string{"integrations", "clickup_sync_state", "projects"} {
		e.exec(t, `ALTER TABLE kb.`+table+` OWNER TO `+host)
	}
	report := asHost.must(t, asHost.Database)
	want(t, report.Integrations, strangers.Integrations)
	want(t, open(t, e.Database, id).Secrets, map[string]string{"api_token": "pk_1"})
}

// A host product's projects are never written where that would need to know more of them.
func TestProjectsOfAHost(t *testing.T) {
	t.Parallel()
	e, into := newEarlier(t, 1), storetest.Empty(t)
	known := e.add(t, "plain", "clickup", `{}`)
	e.add(t, "plain", "clickup", `{}`, `project_id = gen_random_uuid()`)
	root := into.Connect(t, "", "")
	execute(t, root, `CREATE SCHEMA kb`)
	execute(t, root, `CREATE TABLE kb.projects (id uuid PRIMARY KEY, org_id text NOT NULL, budget numeric NOT NULL)`)
	execute(t, root, `INSERT INTO kb.projects VALUES ($1, $2, 12.5)`, e.project, org)
	dry := e.must(t, into, func(o *Options) { o.DryRun = true })
	done := e.must(t, into)
	want(t, text(dry), "dry run: nothing was changed; without --dry-run this would be:\n"+text(done))
	want(t, done.Integrations, Count{Adopted: 1, Left: 1})
	want(t, strings.Contains(text(done), "its project is missing"), true)
	open(t, into, known)
	execute(t, root, `ALTER TABLE kb.projects ALTER budget SET DEFAULT 0`) // now they can be made
	want(t, e.must(t, into).Integrations, Count{Adopted: 1, Present: 1})
}

// Rows that row-level security hides would be missed without a word.
func TestHiddenRowsAreNotMissed(t *testing.T) {
	t.Parallel()
	e, into := newEarlier(t, 1), storetest.New(t)
	e.add(t, "plain", "clickup", `{}`)
	reader, password := storetest.Login(t, "")
	t.Cleanup(func() { e.exec(t, `DROP OWNED BY `+reader) })
	e.exec(t, `GRANT USAGE ON SCHEMA kb TO `+reader)
	e.exec(t, `GRANT SELECT ON ALL TABLES IN SCHEMA kb TO `+reader)
	e.exec(t, `ALTER TABLE kb.integrations ENABLE ROW LEVEL SECURITY`)
	_, err := e.adopt(t, into, func(o *Options) { o.Source = seal.NewSecret(e.As(reader, password)) })
	if err == nil || !strings.Contains(err.Error(), "row-level security") {
		t.Errorf("error %v", err)
	}
}

// A login that cannot keep parameters out of the server's log does not send any.
func TestParametersInTheLogAreRefused(t *testing.T) {
	t.Parallel()
	e, into := newEarlier(t, 1), storetest.New(t)
	e.add(t, "OpenPGP", "clickup", `{"api_token": "pk_1"}`)
	reader, password := storetest.Login(t, "")
	e.exec(t, `GRANT USAGE ON SCHEMA kb TO `+reader)
	e.exec(t, `GRANT SELECT ON ALL TABLES IN SCHEMA kb TO `+reader)
	t.Cleanup(func() { e.exec(t, `DROP OWNED BY `+reader) })
	e.exec(t, `ALTER ROLE `+reader+` SET log_min_duration_statement = 0`)
	e.exec(t, `ALTER ROLE `+reader+` SET log_parameter_max_length = -1`)
	as := func(o *Options) { o.Source = seal.NewSecret(e.As(reader, password)) }
	if _, err := e.adopt(t, into, as); err == nil || !strings.Contains(err.Error(), "ALTER ROLE "+reader+" SET log_parameter_max_length = 0") {
		t.Errorf("error %v", err)
	}
	e.exec(t, `ALTER ROLE `+reader+` SET log_parameter_max_length = 0`)
	want(t, e.must(t, into, as).Integrations, Count{Adopted: 1})
}

func TestSlug(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"clickup": "clickup", "Click Up": "click-up", " --A__b-- ": "a-b", "Ünïcode": "n-code", "…": "",
		strings.Repeat("a", 49) + "-b": strings.Repeat("a", 49),
	} {
		if got := slug(name); got != want {
			t.Errorf("slug(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestCiphertextsOfPlainTextAreFew(t *testing.T) {
	t.Parallel()
	for _, plain := range []string{"", "a webhook secret", "whsec_1234", `{"a": 1}`} {
		if found := ciphertexts([]byte(plain)); slices.ContainsFunc(found, func(c ciphertext) bool { return c.form == store.EarlierOpenPGP }) {
			t.Errorf("%q is taken for an OpenPGP message", plain)
		}
	}
}
