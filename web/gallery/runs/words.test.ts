import assert from "node:assert/strict";
import test from "node:test";
import { handled, seconds, table, took } from "./words";

test("durations are as exact as they are short", () => {
  assert.deepEqual([0, 0.44, 0.97, 12.4, 59.6, 192, 3_600, 3_840].map((each) => took(each).replaceAll("\u00a0", " ")), ["0.1 s", "0.4 s", "1 s", "12 s", "1 min", "3 min 12 s", "1 h", "1 h 4 min"]);
});

test("a run takes as long as it is at work", () => {
  const now = new Date("2026-03-01T12:00:10Z");
  assert.equal(seconds({ startedAt: null, finishedAt: null }, now), null);
  assert.equal(seconds({ startedAt: "2026-03-01T12:00:04Z", finishedAt: null }, now), 6);
  assert.equal(seconds({ startedAt: "2026-03-01T12:00:04Z", finishedAt: "2026-03-01T12:00:05Z" }, now), 1);
});

const none = { created: 0, updated: 0, unchanged: 0, deleted: 0, failed: 0 };

test("a table has no column for what happened nowhere, and tasks first", () => {
  const { columns, rows } = table([
    { type: "COLLECTION", ...none, created: 2 },
    { type: "TASK", ...none, created: 5, failed: 1 },
    { type: "USER", ...none },
  ]);
  assert.deepEqual([columns.map(({ heading }) => heading), rows.map(({ type }) => type)], [["New", "Failed"], ["TASK", "COLLECTION"]]);
});

test("what a run handled is the sum of its table", () => {
  const counts = [
    { type: "TASK" as const, ...none, created: 200, updated: 3, unchanged: 1, deleted: 2, failed: 1 },
    { type: "COMMENT" as const, ...none, created: 147 },
  ];
  assert.equal(handled({ counts }), 354);
});
