import assert from "node:assert/strict";
import test from "node:test";
import type { Integration, Provider, Run } from "./operations";
import { matches, running, stateOf, upcoming } from "./state";

const provider: Provider = {
  name: "clickup",
  displayName: "ClickUp",
  description: "Tasks, lists and docs.",
  logoUrl: "/logos/clickup.svg",
  settingsSchema: { required: ["api_token", "workspace_id"], properties: { api_token: { title: "API token" }, workspace_id: { title: "Workspace ID" } } },
  capabilities: { supportsImport: true, supportsIncrementalSync: true, supportsWebhooks: true, supportsBidirectionalSync: false },
};

function integration(over: Partial<Integration> = {}, sync: Partial<Integration["syncState"]> = {}): Integration {
  return {
    id: "1",
    name: "clickup",
    displayName: "ClickUp",
    description: null,
    enabled: true,
    settings: { workspace_id: "9" },
    configuredSecrets: ["api_token"],
    hasConfiguration: true,
    ...over,
    syncState: {
      id: "2",
      integrationId: "1",
      status: "SUCCESS",
      lastSyncAt: null,
      lastSuccessfulSync: null,
      error: null,
      totalSynced: 0,
      workspaceName: "Acme",
      consecutiveFailures: 0,
      nextSyncAt: null,
      updatedAt: "2026-01-01T00:00:00Z",
      currentRun: null,
      ...sync,
    },
  };
}

function run(over: Partial<Run>): Run {
  return { id: "3", status: "RUNNING", trigger: "MANUAL", step: null, waitingUntil: null, processed: 0, total: null, estimatedSecondsLeft: null, ...over };
}

function said(i: Integration | null): string[] {
  const { words, action, tone } = stateOf(provider, i);
  return [words, action, tone];
}

test("what is not at work says what to do", () => {
  assert.deepEqual(said(null), ["Not connected", "connect", "quiet"]);
  assert.deepEqual(said(integration()), ["Connected as Acme", "sync", "good"]);
  assert.deepEqual(said(integration({}, { workspaceName: null, status: "PENDING" })), ["Connected", "import", "good"]);
  assert.deepEqual(said(integration({ enabled: false }, { status: "ERROR", error: "x" })), ["Disabled", "enable", "quiet"]);
  assert.deepEqual(said(integration({}, { status: "CANCELLED" })), ["Last sync was cancelled", "sync", "quiet"]);
});

test("a draft names what is missing", () => {
  assert.deepEqual(said(integration({ hasConfiguration: false, settings: {} })), ["Finish set-up: workspace missing", "continue", "warn"]);
  assert.equal(said(integration({ hasConfiguration: false, settings: {}, configuredSecrets: [] }))[0], "Finish set-up: API token and workspace missing");
});

test("a failure is told without its code, and fixed where another try cannot help", () => {
  const failed = (error: string) => said(integration({}, { status: "ERROR", error }));
  assert.deepEqual(failed("ClickUp refused the token (PROVIDER_ERROR, auth_failed)"), ["Last sync failed: ClickUp refused the token", "fix", "bad"]);
  assert.deepEqual(failed("ClickUp did not answer (PROVIDER_ERROR, unavailable)"), ["Last sync failed: ClickUp did not answer", "sync", "bad"]);
  assert.equal(failed("given up after 8 attempts without progress: an internal error; the server's log says more under the run's id")[1], "sync");
  assert.equal(failed("the run stalled: its worker was lost 3 times without progress")[1], "sync");
  assert.deepEqual(failed("the settings do not open (CREDENTIALS_UNREADABLE)"), ["Last sync failed: the settings do not open", "fix", "bad"]);
});

test("what could not be imported is counted, and named as the reason", () => {
  const i = integration({}, { status: "PARTIAL", error: "3 items could not be imported: task 1 (gone), task 2 (gone), task 3 (gone)" });
  assert.deepEqual(said(i), ["3 items could not be imported", "failures", "warn"]);
  assert.equal(stateOf(provider, i).reason, "task 1 (gone), task 2 (gone), task 3 (gone)");
});

test("deletions that need a word are asked about, whatever else there was", () => {
  const error = "1 item could not be imported: task 1 (x); 3100 of 4200 objects were not found any more: nothing was marked as deleted; if they were deleted indeed, start a full run with confirmDeletions";
  const i = integration({}, { status: "PARTIAL", error });
  assert.deepEqual(said(i), ["Deletions need your word", "decide", "warn"]);
  assert.equal(stateOf(provider, i).reason, `${(3100).toLocaleString()} of ${(4200).toLocaleString()} objects were not found any more.`);
  assert.ok(matches(provider, i, "attention", ""));
});

test("a run tells how far it is, as far as that is known", () => {
  const during = (over: Partial<Run>) => said(integration({}, { status: "RUNNING", currentRun: run(over) }))[0];
  assert.equal(during({ status: "PENDING" }), "Waiting to start");
  assert.equal(during({}), "Syncing");
  assert.equal(during({ processed: 1200 }), `Syncing: ${(1200).toLocaleString()} so far`);
  assert.equal(during({ processed: 62, total: 100, estimatedSecondsLeft: 170 }), "Syncing 62 %, about 3 minutes left");
  assert.equal(during({ processed: 999, total: 1000 }), "Syncing 99 %");
  assert.equal(during({ processed: 12, total: 10 }), "Syncing 100 %");
  assert.match(during({ waitingUntil: "2026-03-01T12:00:00Z", step: "waiting for the rate limit of ClickUp" }) ?? "", /^Waiting for ClickUp's rate limit until \d/);
  assert.match(during({ waitingUntil: "2026-03-01T12:00:00Z", step: "trying again after a failure" }) ?? "", /^Trying again at \d/);
  const again = { ...run({}), waitingUntil: "2026-03-01T12:00:00Z", step: "trying again after: no answer (PROVIDER_ERROR, unavailable)" };
  assert.equal(running(provider, again).reason, "trying again after: no answer");
});

test("a next sync whose time has come is due, not in the past", () => {
  const now = new Date("2026-03-01T12:00:00Z");
  assert.deepEqual(["2026-03-01T14:00:00Z", "2026-03-01T12:00:00Z", "2026-03-01T11:00:00Z"].map((at) => upcoming(new Date(at), now)), ["in 2 hours", "due", "due"]);
});

test("a search needs every word, and filters narrow it", () => {
  assert.ok(matches(provider, null, "all", " tasks  CLICK "));
  assert.ok(!matches(provider, null, "all", "tasks jira"));
  assert.ok(!matches(provider, null, "connected", ""));
  assert.ok(matches(provider, integration(), "connected", ""));
  assert.ok(!matches(provider, integration({ enabled: false }), "connected", ""));
  assert.ok(!matches(provider, integration(), "attention", ""));
  assert.ok(matches(provider, integration({}, { status: "ERROR", error: "no" }), "attention", ""));
  assert.ok(matches(provider, integration({ hasConfiguration: false }), "attention", ""));
});
