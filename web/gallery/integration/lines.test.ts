import assert from "node:assert/strict";
import test from "node:test";
import { draftOf, faultsFor, faultsOf, inputOf, placesOf, same } from "./lines";
import type { Mapping, Node } from "./operations";

const mapping: Mapping = { kind: "LIST", externalId: "1", target: "2" };

test("what is sent has no blanks around it, and no keys of the page's", () => {
  const { lines } = draftOf([mapping]);
  const typed = lines.map((line) => ({ ...line, target: " 2 " }));
  assert.deepEqual(inputOf(typed), [mapping]);
  assert.ok(same(typed, [mapping]));
  assert.ok(!same(lines, []));
});

test("what the server says of a line stands at its field", () => {
  const { lines, rest } = faultsOf([
    { message: "Mappings.1.target must not be empty.", code: "BAD_USER_INPUT", field: "mappings.1.target" },
    { message: "Mappings.1.target must be another object.", code: "BAD_USER_INPUT", field: "mappings.1.target" },
    { message: "Mappings.1.externalId was mapped before as the same kind.", code: "BAD_USER_INPUT", field: "mappings.1.externalId" },
    { message: "The server cannot be reached.", code: "OFFLINE", field: null },
  ]);
  assert.deepEqual([...lines], [[1, { target: "This must not be empty.", externalId: "This was mapped before as the same kind." }]]);
  assert.deepEqual(rest.map(({ code }) => code), ["OFFLINE"]);
});

test("a fault goes with its line, and away once its field is changed", () => {
  const { lines: sent } = draftOf([mapping, { ...mapping, externalId: "3", target: "" }]);
  const { lines } = faultsOf([{ message: "mappings.1.target must not be empty", code: "BAD_USER_INPUT", field: "mappings.1.target" }]);
  const shown = (now: typeof sent) => now.map((line) => faultsFor(line, sent, lines));
  assert.deepEqual(shown(sent), [{}, { target: "This must not be empty" }]);
  assert.deepEqual(shown(sent.slice(1)), [{ target: "This must not be empty" }]);
  assert.deepEqual(shown(sent.map((line) => ({ ...line, target: "4" }))), [{}, {}]);
});

const node = (externalId: string, parentExternalId: string | null, kind: string, name: string, archived = false): Node => ({ externalId, parentExternalId, kind, name, archived });

test("places are called by what is above them, too", () => {
  const places = placesOf([node("w", null, "workspace", "Acme"), node("s", "w", "space", "Product"), node("l", "s", "list", "Old", true)]);
  assert.deepEqual(places("LIST").list, [{ value: "l", label: "Acme / Product / Old (archived)" }]);
  assert.deepEqual(places(null).list.map(({ value }) => value), ["w", "s", "l"]);
  assert.equal(places(null).byId.get("s")?.label, "Acme / Product");
});

test("a place is named once, however many lines ask for it", () => {
  let read = 0;
  const counted = (each: Node) => Object.defineProperty({ ...each }, "name", { get: () => (read++, each.name) });
  const places = placesOf([node("w", null, "workspace", "Acme"), node("l", "w", "list", "Old")].map(counted));
  const before = read;
  for (let line = 0; line < 50; line++) assert.equal(places("LIST"), places("LIST"));
  assert.deepEqual([places(null).list.length, read], [2, before]);
});
