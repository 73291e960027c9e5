import assert from "node:assert/strict";
import test from "node:test";
import { isNarrowed, readFilters, times, writeFilters } from "./filters";

const now = new Date("2026-03-01T12:00:00Z");
const nothing = readFilters(new URLSearchParams());

test("the address keeps the filters, and what else it says", () => {
  const query = new URLSearchParams("project=p&action=sync.start&in=project&range=7d");
  const filters = readFilters(query);
  assert.deepEqual(filters, { ...nothing, action: "sync.start", projectOnly: true, range: "7d" });
  assert.equal(writeFilters(query, { ...filters, action: null, actor: "jane", projectOnly: false }).toString(), "project=p&range=7d&actor=jane");
  assert.equal(writeFilters(query, nothing).toString(), "project=p");
  assert.deepEqual([isNarrowed(nothing), isNarrowed(filters)], [false, true]);
});

test("a range is from, and before", () => {
  assert.deepEqual(times({ ...nothing, range: "7d" }, now), { since: "2026-02-22T12:00:00.000Z", until: null });
  assert.deepEqual(times({ ...nothing, range: "1h" }, now), { since: "2026-03-01T11:00:00.000Z", until: null });
  const { since, until } = times({ range: "days", first: "2026-02-27", last: "2026-02-28" }, now);
  assert.deepEqual([since, until], [new Date(2026, 1, 27).toISOString(), new Date(2026, 2, 1).toISOString()]);
});

test("what cannot be read does not narrow", () => {
  for (const range of [null, "", "soon", "7y", "days"]) assert.deepEqual(times({ range, first: "yesterday", last: null }, now), { since: null, until: null });
});
