package store_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// trip is one message to the server: a batch, or a statement alone.
type trip struct {
	batch bool
	sql   []string
	args  [][]any
}

// tracer notes what is sent.
type tracer struct {
	mu    sync.Mutex
	trips []trip
}

func (tr *tracer) add(t trip) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.trips = append(tr.trips, t)
}

// take returns what was sent since the last call.
func (tr *tracer) take() []trip {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	sent := tr.trips
	tr.trips = nil
	return sent
}

func (tr *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	tr.add(trip{sql: []string{data.SQL}, args: [][]any{data.Args}})
	return ctx
}

func (tr *tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (tr *tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	t := trip{batch: true}
	for _, q := range data.Batch.QueuedQueries {
		t.sql, t.args = append(t.sql, q.SQL), append(t.args, q.Arguments)
	}
	tr.add(t)
	return ctx
}

func (tr *tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (tr *tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

func (tr *tracer) TracePrepareStart(ctx context.Context, _ *pgx.Conn, data pgx.TracePrepareStartData) context.Context {
	tr.add(trip{sql: []string{"PREPARE " + data.SQL}, args: [][]any{nil}})
	return ctx
}

func (tr *tracer) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) {}

func TestAListIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tr := &tracer{}
	w := newWorkspace(t, tr)
	for i := range 50 {
		createIntegration(t, w.tenant, newIntegration(w.project, fmt.Sprintf("name-%02d", i)))
	}
	tr.take()
	page, err := w.tenant.Integrations(ctx, w.project, integration.Filter{}, integration.PageArgs{First: 200, CountTotal: true}, store.With{State: true, Webhook: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) != 50 || page.Total != 50 {
		t.Errorf("%d of %d", len(page.Items), page.Total)
	}
	for _, item := range page.Items {
		if i := item.Node; i.SyncState == nil || i.SyncState.IntegrationID != i.ID || i.SyncState.Status != integration.SyncPending || !i.HasConfiguration ||
			i.Webhook == nil || i.Webhook.IntegrationID != i.ID || i.Webhook.Provider != "clickup" || !i.Webhook.HasSecret || i.Webhook.Registered {
			t.Fatalf("%s: %+v", i.Name, i)
		}
	}
	sent := tr.take()
	if len(sent) != 1 || !sent[0].batch || len(sent[0].sql) > 3 || sent[0].sql[0] != store.SetScope {
		t.Errorf("sent %+v", sent)
	}
	for _, sql := range sent[0].sql {
		sql = strings.ReplaceAll(sql, "i.webhook_secret IS NOT NULL", "")
		if strings.Contains(sql, "seal(") || strings.Contains(sql, "i.settings") || strings.Contains(sql, "webhook_secret") {
			t.Errorf("a list touches the sealed columns: %s", sql)
		}
	}
}

// calls has a call of each method of a Tenant.
func calls(project, id uuid.UUID) map[string]func(context.Context, *store.Tenant) error {
	return map[string]func(context.Context, *store.Tenant) error{
		"APIKeys": func(ctx context.Context, t *store.Tenant) error { _, err := t.APIKeys(ctx); return err },
		"AuditEvents": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.AuditEvents(ctx, integration.AuditFilter{}, integration.PageArgs{First: 1, CountTotal: true})
			return err
		},
		"ExtendAuditChain": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.ExtendAuditChain(ctx, 2)
			return err
		},
		"RecordDenied": func(ctx context.Context, t *store.Tenant) error {
			return t.RecordDenied(ctx, "createProject", "FORBIDDEN")
		},
		"RecordSettingsTest": func(ctx context.Context, t *store.Tenant) error { return t.RecordSettingsTest(ctx, "clickup") },
		"StartSyncRun": func(ctx context.Context, t *store.Tenant) error {
			run, err := startRun(ctx, t, id)
			if err == nil { // or no other could begin
				_, err = t.CancelSyncRun(ctx, run.ID)
			}
			return err
		},
		"CancelSyncRun": func(ctx context.Context, t *store.Tenant) error { _, err := t.CancelSyncRun(ctx, id); return err },
		"SyncRun":       func(ctx context.Context, t *store.Tenant) error { _, err := t.SyncRun(ctx, id); return err },
		"SyncRuns": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.SyncRuns(ctx, id, integration.PageArgs{First: 1, CountTotal: true})
			return err
		},
		"LiveSyncRuns": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.LiveSyncRuns(ctx, []uuid.UUID{id})
			return err
		},
		"PruneSyncRuns": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.PruneSyncRuns(ctx, time.Now(), 1, 10)
			return err
		},
		"ClaimSyncRun": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.ClaimSyncRun(ctx, id, store.FirstFence)
			return err
		},
		"BeatSyncRun": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.BeatSyncRun(ctx, id, store.FirstFence)
			return err
		},
		"CommitSync": func(ctx context.Context, t *store.Tenant) error {
			_, _, err := t.CommitSync(ctx, id, store.FirstFence, store.SyncStep{Stage: store.StageImport, Objects: []store.ImportedObject{task("t1", "Task")}})
			return err
		},
		"WaitSyncRun": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.WaitSyncRun(ctx, id, store.FirstFence, time.Now(), "waiting", true)
			return err
		},
		"PendingDetails": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.PendingDetails(ctx, id, "", 10)
			return err
		},
		"CountPendingDetails": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.CountPendingDetails(ctx, id, "")
			return err
		},
		"CountObjects": func(ctx context.Context, t *store.Tenant) error { _, err := t.CountObjects(ctx, id); return err },
		"CountDoomed": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.CountDoomed(ctx, id, store.FirstFence, true)
			return err
		},
		"RestartSyncRun": func(ctx context.Context, t *store.Tenant) error { return t.RestartSyncRun(ctx, id, store.FirstFence) },
		"SweepDetails": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.SweepDetails(ctx, id, store.FirstFence, time.Hour)
			return err
		},
		"DetailsAnew": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.DetailsAnew(ctx, id, "", 10)
			return err
		},
		"CountDetailsAnew": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.CountDetailsAnew(ctx, id, "")
			return err
		},
		"BeginSweep": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.BeginSweep(ctx, id, store.FirstFence, store.SweepRules{})
			return err
		},
		"MissedListings": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.MissedListings(ctx, id, "", 50, 10)
			return err
		},
		"Unconfirmed": func(ctx context.Context, t *store.Tenant) error { _, err := t.Unconfirmed(ctx, id, 10); return err },
		"NoteDoomed": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.NoteDoomed(ctx, id, store.FirstFence, "marking")
			return err
		},
		"TombstoneSome": func(ctx context.Context, t *store.Tenant) error {
			_, _, err := t.TombstoneSome(ctx, id, store.FirstFence, 5)
			return err
		},
		"EndSyncRun": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.EndSyncRun(ctx, id, store.FirstFence, store.SyncEnd{Status: integration.SyncSuccess})
			return err
		},
		"TakeOverSyncRun": func(ctx context.Context, t *store.Tenant) error {
			_, _, err := t.TakeOverSyncRun(ctx, id, time.Second)
			return err
		},
		"SyncState":      func(ctx context.Context, t *store.Tenant) error { _, err := t.SyncState(ctx, id); return err },
		"ResetSyncState": func(ctx context.Context, t *store.Tenant) error { _, err := t.ResetSyncState(ctx, id); return err },
		"SetSyncSchedule": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.SetSyncSchedule(ctx, id, &integration.SyncSchedule{EveryMinutes: ptr(5)}, ptr(time.Now()))
			return err
		},
		"SetSyncMappings": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.SetSyncMappings(ctx, id, []integration.SyncMapping{{Kind: integration.MapList, ExternalID: "1", Target: "2"}})
			return err
		},
		"TakeDueSync": func(ctx context.Context, t *store.Tenant) error { _, err := t.TakeDueSync(ctx, id); return err },
		"SetNextSync": func(ctx context.Context, t *store.Tenant) error { return t.SetNextSync(ctx, id, nil) },
		"SyncedObjects": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.SyncedObjects(ctx, id, integration.SyncedObjectFilter{Search: ptr("word")}, integration.PageArgs{First: 1, CountTotal: true})
			return err
		},
		"SyncedObject": func(ctx context.Context, t *store.Tenant) error { _, err := t.SyncedObject(ctx, id, "t1"); return err },
		"Relate": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.Relate(ctx, []*integration.SyncedObject{{IntegrationID: id, ExternalID: "t1"}}, true)
			return err
		},
		"StoreDelivery": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.StoreDelivery(ctx, newDelivery(id, "another"))
			return err
		},
		"WebhookDeliveries": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.WebhookDeliveries(ctx, id, ptr(integration.DeliveryReceived), integration.PageArgs{First: 1, CountTotal: true})
			return err
		},
		"DeliveryContent": func(ctx context.Context, t *store.Tenant) error { _, err := t.DeliveryContent(ctx, id); return err },
		"ReplayDelivery": func(ctx context.Context, t *store.Tenant) error {
			_, _, err := t.ReplayDelivery(ctx, id, "event", "TASK/a", store.DeliveryReads{})
			return err
		},
		"PruneDeliveries": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.PruneDeliveries(ctx, time.Now().Add(-time.Hour), 10)
			return err
		},
		"ClaimWebhookObject": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.ClaimWebhookObject(ctx, id, store.FirstFence)
			return err
		},
		"BeatWebhookObject": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.BeatWebhookObject(ctx, id, store.FirstFence)
			return err
		},
		"CommitWebhook": inTx(func(ctx context.Context, t *store.Tenant) error {
			object, err := t.StoreDelivery(ctx, newDelivery(id, uuid.NewString()))
			if err != nil || object == nil { // it is to be worked on already
				return err
			}
			_, err = t.CommitWebhook(ctx, *object, store.FirstFence, store.WebhookCommit{
				Objects: []store.ImportedObject{task("t2", "Task")}, ReadAt: time.Now(), Gone: []string{"t3"}, Done: []string{"t2"}, Deliveries: []uuid.UUID{},
			})
			return err
		}),
		"EndWebhookAttempt": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.EndWebhookAttempt(ctx, id, store.FirstFence, store.WebhookAttempt{Deliveries: []uuid.UUID{id}, Failure: "it failed"})
			return err
		},
		"ParkWebhookObject": func(ctx context.Context, t *store.Tenant) error {
			return t.ParkWebhookObject(ctx, id, store.FirstFence)
		},
		"UnparkWebhook": inTx(func(ctx context.Context, t *store.Tenant) error {
			_, err := t.UnparkWebhook(ctx, id, 5)
			return err
		}),
		"DropDeliveries": inTx(func(ctx context.Context, t *store.Tenant) error { return t.DropDeliveries(ctx, id) }),
		"TakeOverWebhookObject": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.TakeOverWebhookObject(ctx, id, time.Second)
			return err
		},
		"EndHookChecks": func(ctx context.Context, t *store.Tenant) error { return t.EndHookChecks(ctx, id) },
		"StoredObjects": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.StoredObjects(ctx, id, []string{"t1"})
			return err
		},
		"ObjectsBelow": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.ObjectsBelow(ctx, id, []string{"t1"})
			return err
		},
		"NoteWebhooks": func(ctx context.Context, t *store.Tenant) error {
			return t.NoteWebhooks(ctx, []store.WebhookNote{{IntegrationID: id, Latest: ptr(time.Now()), Refused: 1}})
		},
		"OpenWebhookSecrets": func(ctx context.Context, t *store.Tenant) error {
			v, err := t.IntegrationVersion(ctx, project, "clickup")
			if err == nil && v != nil {
				_, err = t.OpenWebhookSecrets(ctx, ring(), v, "test")
			}
			return err
		},
		"CheckProject": func(ctx context.Context, t *store.Tenant) error { return t.CheckProject(ctx, project) },
		"CreateAPIKey": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.CreateAPIKey(ctx, newKey(nil))
			return err
		},
		"CreateIntegration": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.CreateIntegration(ctx, ring(), newIntegration(project, "n"+uuid.NewString()), store.With{State: true})
			return err
		},
		"CreateProject": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.CreateProject(ctx, uuid.New(), "Another")
			return err
		},
		"DeleteIntegration": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.DeleteIntegration(ctx, project, "none")
			return err
		},
		"InTx": func(ctx context.Context, t *store.Tenant) error {
			err := t.InTx(ctx, func(tx *store.Tenant) error { return tx.CheckProject(ctx, project) })
			if err != nil && strings.Contains(err.Error(), "InTx inside InTx") {
				return nil
			}
			return err
		},
		"Integration": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.Integration(ctx, project, "clickup", store.With{State: true})
			return err
		},
		"IntegrationByID": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.IntegrationByID(ctx, id, store.With{State: true})
			return err
		},
		"IntegrationVersion": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.IntegrationVersion(ctx, project, "clickup")
			return err
		},
		"IntegrationVersionByID": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.IntegrationVersionByID(ctx, id)
			return err
		},
		"OpenSettings": func(ctx context.Context, t *store.Tenant) error {
			v, err := t.IntegrationVersion(ctx, project, "clickup")
			if err == nil && v != nil {
				_, err = t.OpenSettings(ctx, ring(), v, "test")
			}
			return err
		},
		"ClaimHook": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.ClaimHook(ctx, id, time.Minute)
			if err == nil { // or no other could
				err = t.ReleaseHook(ctx, id)
			}
			return err
		},
		"ReleaseHook": func(ctx context.Context, t *store.Tenant) error { return t.ReleaseHook(ctx, id) },
		"RegisterHook": func(ctx context.Context, t *store.Tenant) error {
			if _, err := t.ClaimHook(ctx, id, time.Minute); err != nil {
				return err
			}
			return t.RegisterHook(ctx, id, store.RegisteredHook{ID: "hook", URL: "https://example.com/"}, time.Hour)
		},
		"RegisteredHook": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.RegisteredHook(ctx, id)
			return err
		},
		"WantHook": func(ctx context.Context, t *store.Tenant) error {
			return t.WantHook(ctx, id, "hook", "https://example.com/", time.Hour)
		},
		"ForgetHook": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.ForgetHook(ctx, id, "another")
			return err
		},
		"HoldsWebhookSecret": func(ctx context.Context, t *store.Tenant) error {
			v, err := t.IntegrationVersion(ctx, project, "clickup")
			if err == nil && v != nil {
				_, err = t.HoldsWebhookSecret(ctx, ring(), v, seal.NewSecret(webhookSecret))
			}
			return err
		},
		"TakeHookCheck": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.TakeHookCheck(ctx, id, time.Hour)
			return err
		},
		"NoteCatchUp": func(ctx context.Context, t *store.Tenant) error { return t.NoteCatchUp(ctx, id, time.Hour, true) },
		"TakeCatchUp": func(ctx context.Context, t *store.Tenant) error {
			_, _, err := t.TakeCatchUp(ctx, id)
			return err
		},
		"RotateWebhookSecret": func(ctx context.Context, t *store.Tenant) error {
			v, err := t.IntegrationVersion(ctx, project, "clickup")
			if err == nil && v != nil {
				_, err = t.RotateWebhookSecret(ctx, ring(), v, seal.GenerateWebhookSecret(), time.Hour)
			}
			return err
		},
		"Integrations": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.Integrations(ctx, project, integration.Filter{}, integration.PageArgs{First: 1, CountTotal: true}, store.With{State: true})
			return err
		},
		"ProjectIntegrations": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.ProjectIntegrations(ctx, project, store.With{State: true})
			return err
		},
		"Projects": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.Projects(ctx, integration.PageArgs{First: 1, CountTotal: true})
			return err
		},
		"RevokeAPIKey": func(ctx context.Context, t *store.Tenant) error {
			if _, err := t.RevokeAPIKey(ctx, id); !integration.IsKind(err, integration.KindNotFound) {
				return fmt.Errorf("an unknown key: %w", err)
			}
			return nil
		},
		"StartKeyRotation": func(ctx context.Context, t *store.Tenant) error {
			_, _, err := t.StartKeyRotation(ctx, ring().CurrentID())
			return err
		},
		"KeyRotation": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.KeyRotation(ctx, id)
			return err
		},
		"AdvanceKeyRotation": inTx(func(ctx context.Context, t *store.Tenant) error {
			r, _, err := t.StartKeyRotation(ctx, ring().CurrentID())
			if err == nil {
				_, err = t.AdvanceKeyRotation(ctx, ring(), r.ID, store.FirstFence, 5)
			}
			return err
		}),
		"HandOnKeyRotation": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.HandOnKeyRotation(ctx, id, 1)
			return err
		},
		"TakeOverKeyRotation": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.TakeOverKeyRotation(ctx, ring(), id, time.Second)
			return err
		},
		"ForgetKey": inTx(func(ctx context.Context, t *store.Tenant) error {
			_, err := t.ForgetKey(ctx, "a lost key")
			return err
		}),
		"EncryptionStatus": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.EncryptionStatus(ctx)
			return err
		},
		"CountUnreadable": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.CountUnreadable(ctx, ring(), 5)
			return err
		},
		"Enqueue": inTx(func(ctx context.Context, t *store.Tenant) error { return t.Enqueue(ctx, noJob{}) }),
		"SyncStates": func(ctx context.Context, t *store.Tenant) error {
			_, err := t.SyncStates(ctx, project, ptr(integration.SyncPending))
			return err
		},
		"UpdateIntegration": func(ctx context.Context, t *store.Tenant) error {
			_, err := update(t, ring(), project, "clickup", store.IntegrationUpdate{Enabled: ptr(true)})
			return err
		},
	}
}

// noJob is a job that nobody works on.
type noJob struct{}

func (noJob) Kind() string { return "no_job" }

// inTx is a call that needs a transaction, which it begins where there is none.
func inTx(call func(context.Context, *store.Tenant) error) func(context.Context, *store.Tenant) error {
	return func(ctx context.Context, t *store.Tenant) error {
		err := call(ctx, t)
		if err != nil && strings.Contains(err.Error(), "outside InTx") {
			return t.InTx(ctx, func(tx *store.Tenant) error { return call(ctx, tx) })
		}
		return err
	}
}

func TestEveryStatementHasAScope(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tr := &tracer{}
	w := newWorkspace(t, tr)
	id := createIntegration(t, w.tenant, newIntegration(w.project, "clickup")).ID
	all := calls(w.project, id)
	for i := range reflect.TypeFor[*store.Tenant]().NumMethod() {
		name := reflect.TypeFor[*store.Tenant]().Method(i).Name
		call, ok := all[name]
		if !ok {
			t.Errorf("calls has no call of %s", name)
			continue
		}
		tr.take()
		if err := call(ctx, w.tenant); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := scoped(t, name, tr.take()); n == 0 {
			t.Errorf("%s sent nothing", name)
		}
		if err := w.tenant.InTx(ctx, func(tx *store.Tenant) error { return call(ctx, tx) }); err != nil {
			t.Errorf("%s in a transaction: %v", name, err)
		}
		scoped(t, name+" in a transaction", tr.take())
		undo := errors.New("undo")
		if err := w.tenant.InTx(ctx, func(*store.Tenant) error { return undo }); err != undo {
			t.Errorf("a failed transaction: %v", err)
		}
		scoped(t, "a failed transaction", tr.take())
	}
}

// scoped sees that each statement was sent in a batch or transaction that begins with the scope. It returns how many
// were sent besides.
func scoped(t *testing.T, name string, sent []trip) (statements int) {
	t.Helper()
	scope := func(tr trip) bool {
		return tr.sql[0] == store.SetScope && slices.Equal(tr.args[0], []any{org, ""})
	}
	inTx, set := false, false
	for _, tr := range sent {
		switch first := strings.ToLower(tr.sql[0]); {
		case strings.HasPrefix(first, "begin"):
			inTx, set = true, false
		case first == "commit" || first == "rollback":
			inTx = false
		case inTx && !set:
			if set = scope(tr); !set {
				t.Errorf("%s: the transaction begins with %q", name, tr.sql[0])
			}
		case inTx:
			statements += len(tr.sql)
		case tr.batch && scope(tr):
			statements += len(tr.sql) - 1
		case strings.HasPrefix(first, "set role"): // of a new connection
		default:
			t.Errorf("%s: sent without a scope: %q", name, tr.sql)
		}
	}
	if inTx {
		t.Errorf("%s: the transaction was left open", name)
	}
	return statements
}

// The list must find its page by the unique index, with row-level security and with many rows.
func TestListUsesItsIndex(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tr := &tracer{}
	w := newWorkspace(t, tr)
	execute(t, w.root, `
		INSERT INTO kb.projects (id, org_id, name)
		SELECT gen_random_uuid(), 'org-' || chr(97 + n % 4), 'Project ' || n FROM generate_series(1, 199) n`)
	execute(t, w.root, `
		INSERT INTO kb.integrations (name, provider, display_name, org_id, project_id)
		SELECT 'name-' || n, 'clickup', 'Name', p.org_id, p.id FROM kb.projects p, generate_series(1, 100) n`)
	execute(t, w.root, `
		INSERT INTO kb.sync_states (integration_id, org_id, project_id) SELECT id, org_id, project_id FROM kb.integrations`)
	execute(t, w.root, `ANALYZE`)
	tr.take()
	page, err := w.tenant.Integrations(ctx, w.project, integration.Filter{}, integration.PageArgs{First: 50}, store.With{State: true})
	if err != nil || len(page.Items) != 50 {
		t.Fatalf("%d items, %v", len(page.Items), err)
	}
	after := page.Items[49].Cursor
	if _, err := w.tenant.Integrations(ctx, w.project, integration.Filter{Enabled: ptr(true), Search: ptr("name")}, integration.PageArgs{First: 50, After: &after}, store.With{State: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tenant.ProjectIntegrations(ctx, w.project, store.With{State: true}); err != nil {
		t.Fatal(err)
	}
	serve := w.db.Connect(t, "", "")
	execute(t, serve, "SET ROLE patchbay_serve")
	for _, sent := range tr.take() {
		last := len(sent.sql) - 1
		for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
			tx, err := serve.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			execute(t, tx, store.SetScope, sent.args[0]...)
			execute(t, tx, `SELECT set_config('plan_cache_mode', $1, true)`, mode)
			plan := strings.Join(column[string](t, tx, "EXPLAIN (COSTS OFF) "+sent.sql[last], sent.args[last]...), "\n")
			if !strings.Contains(plan, "integrations_project_id_name_key") || strings.Contains(plan, "Seq Scan on integrations") || strings.Contains(plan, "Seq Scan on sync_states") {
				t.Errorf("%s with %v:\n%s", mode, sent.args[last], plan)
			}
			if err := tx.Rollback(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
}
