import assert from "node:assert/strict";
import test from "node:test";
import { about, inWords, plural, relative } from "./words";

const now = new Date("2026-03-01T12:00:00Z");
const at = (seconds: number) => new Date(now.getTime() + seconds * 1000);

test("times are said as distances, rounded down", () => {
  const said = [0, -59, -60, -3_599, -3_600, -86_400, -169_200, -1_123_200, -40_000_000, 4, 30, 90, 7_300].map((seconds) => relative(at(seconds), now));
  assert.deepEqual(said, [
    "just now", "just now", "1 minute ago", "59 minutes ago", "1 hour ago", "1 day ago", "1 day ago", "1 week ago", "1 year ago",
    "just now", "in a moment", "in 1 minute", "in 2 hours",
  ]);
});

test("durations are not more exact than they are known", () => {
  assert.deepEqual([1, 49, 50, 150, 5_399, 5_400, 90_000].map(about), [
    "less than a minute", "less than a minute", "about 1 minute", "about 3 minutes", "about 90 minutes", "about 2 hours", "about 25 hours",
  ]);
});

test("one is singular", () => {
  assert.deepEqual([0, 1, 2].map((n) => plural(n, "item")), ["0 items", "1 item", "2 items"]);
});

test("names of the API's become words, and others' stay", () => {
  assert.deepEqual(["dueDate", "status", "customId", "Story points", "ETA"].map(inWords), ["Due date", "Status", "Custom id", "Story points", "ETA"]);
});
