import assert from "node:assert/strict";
import test from "node:test";
import type { Run } from "../runs/operations";
import type { Integration } from "./operations";
import { changes, chosenWorkspace, outcome, quantity, schedule, webhookHealth } from "./words";

const run: Run = {
  id: "1", integrationId: "2", mode: "FULL", trigger: "MANUAL", status: "SUCCESS", step: null, waitingUntil: null, processed: 0, total: null,
  counts: [], failures: [], error: null, requestedBy: null, queuedAt: "2026-03-01T12:00:00Z", startedAt: null, finishedAt: null, estimatedSecondsLeft: null,
};
const counted = (over: Partial<Run["counts"][number]>) => ({ type: "TASK" as const, created: 0, updated: 0, unchanged: 0, deleted: 0, failed: 0, ...over });

test("changes add up over the types, and what there was none of is left out", () => {
  assert.equal(changes({ counts: [] }), "Nothing");
  assert.equal(changes({ counts: [counted({ unchanged: 1 })] }), "Nothing new in 1 object");
  assert.equal(changes({ counts: [counted({ created: 2, unchanged: 5 }), counted({ created: 1, failed: 4 })] }), "3 created, 4 failed");
});

test("waiting is told with its reason", () => {
  const waiting = { ...run, status: "RUNNING" as const, waitingUntil: "2026-03-01T12:00:00Z" };
  assert.match(outcome({ ...waiting, step: "waiting for the rate limit of ClickUp" }).words, /^Waiting for the rate limit until \d/);
  assert.match(outcome({ ...waiting, step: "trying again after: no answer (PROVIDER_ERROR, unavailable)" }).words, /^Paused until \d.*: trying again after: no answer$/);
  assert.equal(outcome({ ...run, status: "RUNNING", processed: 5, total: 10 }).words, "Running: 5 of 10");
  assert.equal(outcome({ ...run, status: "RUNNING", processed: 5 }).words, "Running: 5 so far");
});

test("a schedule is said in its largest unit", () => {
  const every = (everyMinutes: number) => schedule({ everyMinutes, cron: null, timeZone: null });
  assert.deepEqual([1, 30, 60, 90, 120, 1_440, 10_080].map(every), ["Every minute", "Every 30 minutes", "Every hour", "Every 90 minutes", "Every 2 hours", "Every day", "Every week"]);
  assert.equal(schedule({ everyMinutes: null, cron: "0 3 * * *", timeZone: null }), "Cron 0 3 * * * (UTC)");
  assert.equal(schedule(null), "By hand only");
});

test("the workspace that was chosen is known before the first sync", () => {
  const provider = { settingsSchema: { properties: { workspace_id: { type: "string", "x-section": "workspace", "x-choices": "workspaces" } } } };
  assert.equal(chosenWorkspace({ provider, settings: { workspace_id: "9" } }), "9");
  assert.equal(chosenWorkspace({ provider, settings: {} }), null);
  assert.equal(chosenWorkspace({ provider: { settingsSchema: {} }, settings: {} }), null);
});

test("a webhook's health says what is missing", () => {
  const said = (webhook: Integration["webhook"], enabled = true, supportsWebhooks = true) =>
    webhookHealth({ enabled, webhook, provider: { displayName: "ClickUp", capabilities: { supportsWebhooks } } as Integration["provider"] }).words;
  const webhook = { url: "", hasSecret: true, registered: false, lastDeliveryAt: null };
  assert.equal(said(webhook, true, false), "No webhooks");
  assert.equal(said(null), "No webhooks");
  assert.equal(said(webhook), "Not set up");
  assert.equal(said({ ...webhook, registered: true }), "Registered");
  assert.equal(said({ ...webhook, registered: true }, false), "Resting");
  assert.equal(said({ ...webhook, lastDeliveryAt: "2026-03-01T12:00:00Z" }), "Set up by hand");
});

test("times are said as such, and what may be a year is not grouped", () => {
  const said = ([["timeEstimate", 7_200_000], ["timeSpent", 0], ["Release", 2_026], ["points", 2.5], ["Budget", 12_000]] as const).map(([name, value]) => quantity(name, value));
  assert.deepEqual(said, ["2\u00a0h", "0", "2026", (2.5).toLocaleString(), (12_000).toLocaleString()]);
});
