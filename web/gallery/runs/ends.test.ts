import assert from "node:assert/strict";
import test from "node:test";
import { keepEnds } from "./ends";

const run = (id: string, status: string, finishedAt: string | null) => ({ __typename: "SyncRun", id, status, finishedAt });
const short = (id: string, status: string) => ({ __typename: "SyncRun", id, status });

test("a run that has ended stays so, whatever is told late", () => {
  const mend = keepEnds();
  const mended = (data: object) => {
    mend(data);
    return data;
  };
  mend({ syncRunProgress: run("a", "SUCCESS", "2026-01-01T00:00:00Z") });
  assert.deepEqual(mended({ gallery: [{ currentRun: run("a", "RUNNING", null) }, { currentRun: run("b", "RUNNING", null) }, null] }), {
    gallery: [{ currentRun: run("a", "SUCCESS", "2026-01-01T00:00:00Z") }, { currentRun: run("b", "RUNNING", null) }, null],
  });
  assert.deepEqual(mended({ syncStateChanged: { currentRun: short("a", "RUNNING") } }), { syncStateChanged: { currentRun: short("a", "SUCCESS") } });
  assert.deepEqual(mended({ startSync: { __typename: "SyncRun", id: "a" } }), { startSync: { __typename: "SyncRun", id: "a" } });
  // One that is known by less loses nothing.
  mend({ cancelSync: short("a", "SUCCESS") });
  assert.deepEqual(mended({ syncRun: run("a", "RUNNING", null) }), { syncRun: run("a", "SUCCESS", "2026-01-01T00:00:00Z") });
});
