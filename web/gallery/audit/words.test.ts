import assert from "node:assert/strict";
import test from "node:test";
import { actionInWords, actorInWords, changesInWords } from "./words";

test("an action that this page does not know is shown as it is", () => {
  assert.deepEqual(["session.create", "moon.land"].map(actionInWords), ["Signed in", "moon.land"]);
});

test("changes are told by name, without what is empty", () => {
  const changes = { fields: ["enabled", "displayName"], settings: [], removedSettings: ["workspace_id"], cron: null, everyMinutes: 30, dryRun: false };
  assert.deepEqual(changesInWords(changes), [
    ["Changed", "enabled, displayName"],
    ["Removed settings", "workspace_id"],
    ["Every, in minutes", "30"],
    ["Dry run", "no"],
  ]);
});

test("actors are told apart", () => {
  assert.deepEqual(["api-key:pb_abcdefgh (CI (main))", "oidc:jane (jane@example.com)", "oidc:4711", "system", "local administrator"].map(actorInWords), [
    { name: "CI (main)", detail: "API key pb_abcdefgh…" },
    { name: "jane@example.com", detail: "jane" },
    { name: "oidc:4711", detail: null },
    { name: "Patchbay", detail: "nobody asked for it" },
    { name: "local administrator", detail: null },
  ]);
});
