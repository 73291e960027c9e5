import assert from "node:assert/strict";
import test from "node:test";
import { differences, draftOf, freeName, isChanged, missing, newSettings, rebase, secretChange, settingsChange } from "./draft";
import { fieldsOf } from "./fields";
import { schema } from "./sample";
import type { Integration } from "./operations";

const fields = fieldsOf({ settingsSchema: schema });

function integration(over: Partial<Integration> = {}): Integration {
  return {
    id: "1",
    projectId: "p",
    name: "acme",
    displayName: "Acme",
    description: null,
    enabled: true,
    revision: 3,
    settings: { workspace_id: "9", keys: ["ENG", "OPS"], batch: 50 },
    configuredSecrets: ["token"],
    secretChanges: [{ name: "token", changedAt: "2026-11-20T10:00:00Z" }],
    hasConfiguration: true,
    webhook: null,
    syncState: {
      id: "2",
      integrationId: "1",
      status: "SUCCESS",
      lastSyncAt: null,
      lastSuccessfulSync: null,
      error: null,
      totalSynced: 0,
      workspaceId: null,
      workspaceName: null,
      consecutiveFailures: 0,
      nextSyncAt: null,
      updatedAt: "2026-01-01T00:00:00Z",
      currentRun: null,
      schedule: null,
    },
    ...over,
  };
}

const base = draftOf(fields, integration());
const typed = { ...base, settings: { ...base.settings, batch: " 200 ", keys: "", comments: false }, secrets: { token: " t0ken\n" } };

test("a form begins with what is stored, and the schema's standards for the rest", () => {
  assert.deepEqual(base.settings, { batch: "50", comments: true, keys: "ENG\nOPS", site: "", workspace_id: "9" });
  assert.deepEqual(draftOf(fields, { name: "acme", displayName: "Acme" }).settings, { batch: "100", comments: true, keys: "", site: "", workspace_id: "" });
});

test("only what differs is sent, and what was emptied is removed", () => {
  assert.deepEqual(settingsChange(fields, base, base), {});
  assert.deepEqual(settingsChange(fields, base, typed), { batch: 200, keys: null, comments: false, token: "t0ken" });
  assert.deepEqual(newSettings(fields, base, typed), { batch: 200, comments: false, token: "t0ken" });
  const list = { ...base, settings: { ...base.settings, keys: "ENG\n\n  DES \n", batch: "many" } };
  assert.deepEqual(settingsChange(fields, base, list), { keys: ["ENG", "DES"], batch: "many" });
});

test("a secret that is left empty stays, and one that is removed goes", () => {
  assert.equal(secretChange(undefined), undefined);
  assert.equal(secretChange("  "), undefined);
  assert.equal(secretChange(null), null);
  assert.equal(secretChange("-----BEGIN\n", true), "-----BEGIN\n");
  assert.ok(!isChanged(fields, base, { ...base, secrets: { token: "" } }));
  assert.ok(isChanged(fields, base, { ...base, secrets: { pem: null } }));
  assert.ok(isChanged(fields, base, { ...base, schedule: { kind: "every", minutes: "30" } }));
  assert.ok(isChanged(fields, base, { ...base, description: "For tasks" }));
});

test("what is required and has no value is missing", () => {
  const names = (draft: typeof base, secrets: string[]) => missing(fields, draft, secrets).map(({ name }) => name);
  assert.deepEqual(names(base, ["token"]), []);
  assert.deepEqual(names({ ...base, settings: { ...base.settings, workspace_id: " " } }, []), ["token", "workspace_id"]);
  assert.deepEqual(names({ ...base, secrets: { token: null } }, ["token"]), ["token"]);
  assert.deepEqual(names({ ...base, secrets: { token: "a" } }, []), []);
});

test("what somebody else saved comes in below what was typed", () => {
  const theirs = integration({
    displayName: "Acme Ltd",
    settings: { workspace_id: "10", keys: ["ENG", "OPS"], batch: 70 },
    secretChanges: [{ name: "token", changedAt: "2026-11-21T10:00:00Z" }],
  });
  assert.deepEqual(differences(fields, integration(), theirs), ["Display name", "API token", "Workspace ID", "Batch size"]);
  assert.deepEqual(differences(fields, integration(), integration({ revision: 9, webhook: { url: "https://a", hasSecret: true, registered: true, lastDeliveryAt: null } })), []);
  const now = rebase(typed, base, draftOf(fields, theirs));
  assert.deepEqual(now.settings, { batch: " 200 ", comments: false, keys: "", site: "", workspace_id: "10" });
  assert.deepEqual([now.displayName, now.secrets.token], ["Acme Ltd", " t0ken\n"]);
});

test("a name is made of the words for people, and is free", () => {
  assert.equal(freeName("Café Über 2", []), "cafe-uber-2");
  assert.equal(freeName("ClickUp", ["clickup", "clickup-2"]), "clickup-3");
  assert.equal(freeName("  ", []), "");
});
