import assert from "node:assert/strict";
import test from "node:test";
import { choiceOf, chosen, scheduleInput, scheduleOf, timeZones } from "./schedule";

test("a stored schedule comes back as it is sent", () => {
  for (const stored of [null, { everyMinutes: 30, cron: null, timeZone: null }, { everyMinutes: null, cron: "0 6 * * *", timeZone: "Europe/Berlin" }]) {
    const input = scheduleInput(scheduleOf(stored));
    assert.deepEqual(input && { everyMinutes: null, cron: null, timeZone: null, ...input }, stored);
  }
});

test("a choice leads to a schedule, and a schedule to its choice", () => {
  const off = scheduleOf(null);
  for (const choice of ["off", "30", "1440", "cron"]) assert.equal(choiceOf(chosen(choice, off, "UTC")), choice);
  assert.equal(choiceOf(chosen("every", off, "UTC")), "every");
  assert.deepEqual(chosen("every", { kind: "every", minutes: "60" }, "UTC"), { kind: "every", minutes: "60" });
  assert.deepEqual(chosen("cron", off, "Asia/Tokyo"), { kind: "cron", cron: "0 6 * * 1-5", timeZone: "Asia/Tokyo" });
});

test("what is no number is for the server to refuse", () => {
  assert.deepEqual(scheduleInput({ kind: "every", minutes: "soon" }), { everyMinutes: 0 });
});

test("the present time zone is offered, whatever the browser knows", () => {
  const zones = timeZones("Mars/Olympus");
  assert.ok(zones.includes("Mars/Olympus") && zones.includes("UTC") && zones.includes("Europe/Berlin"));
  assert.equal(new Set(zones).size, zones.length);
});
