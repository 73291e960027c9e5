import assert from "node:assert/strict";
import test from "node:test";
import { fieldsOf } from "./fields";
import { schema } from "./sample";
import { complaintsOf, outcome, without } from "./outcome";

const fields = fieldsOf({ settingsSchema: schema });
const bad = (field: string | null, message: string) => ({ code: "BAD_USER_INPUT", field, message });

test("a test's result in words", () => {
  const result = { ok: true, message: "The connection works.", account: "Ada", workspaces: [{ id: "1", name: "A" }, { id: "2", name: "B" }], latencyMs: 212, checkedAt: "" };
  assert.equal(outcome(result), "Works: signed in as Ada, 2 workspaces (212 ms)");
  assert.equal(outcome({ ...result, account: null, workspaces: [] }), "Works (212 ms)");
  assert.equal(outcome({ ...result, ok: false, message: "ClickUp refused the token." }), "ClickUp refused the token.");
});

test("each complaint goes to its input, in the form's words", () => {
  const found = complaintsOf(
    [
      bad("settings.batch", "Batch must be at most 1000."),
      bad("settings.keys.1", "Item 2 of keys must be a project key."),
      bad("settings.keys.2", "Item 3 of keys must be a project key."),
      bad("name", "The project has an integration of this name already."),
      bad("schedule.cron", "Schedule.cron must have five fields."),
      bad("settings.unknown", "Unknown setting."),
      { code: "FORBIDDEN", field: null, message: "No." },
    ],
    fields,
  );
  assert.deepEqual(found.fields, {
    batch: "Batch size must be at most 1000.",
    keys: "Item 2 of Projects must be a project key. Item 3 of Projects must be a project key.",
    name: "The project has an integration of this name already.",
    "schedule.cron": "Cron line must have five fields.",
  });
  assert.deepEqual(found.rest.map(({ message }) => message), ["Unknown setting.", "No."]);
  assert.deepEqual(Object.keys(without(found, "batch", "name").fields), ["keys", "schedule.cron"]);
});
