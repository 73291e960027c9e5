import assert from "node:assert/strict";
import test from "node:test";
import { fieldsOf, safeLink } from "./fields";
import { schema } from "./sample";

test("a schema becomes fields in sections, what is required first", () => {
  const fields = fieldsOf({ settingsSchema: schema });
  assert.deepEqual(
    fields.map(({ name, kind, section }) => `${section} ${kind} ${name}`),
    ["credentials secret token", "credentials text site", "credentials secret pem", "workspace text workspace_id", "import list keys", "import switch comments", "import number batch"],
  );
  const [token, , , workspace, keys] = fields;
  assert.equal(token?.help, "https://example.com/token");
  assert.ok(workspace?.fromWorkspaces && workspace.required);
  assert.equal(keys?.example, "ENG\nOPS");
  assert.ok(fields.find(({ name }) => name === "pem")?.long);
});

test("a link leads to a web page, or is none", () => {
  assert.equal(fieldsOf({ settingsSchema: schema }).find(({ name }) => name === "pem")?.help, null);
  assert.equal(safeLink("http://example.com"), null);
  assert.equal(safeLink(null), null);
});

test("a provider that this server does not know has no fields", () => {
  assert.deepEqual(fieldsOf({ settingsSchema: {} }), []);
});
