import assert from "node:assert/strict";
import test from "node:test";
import { keepEnds } from "./ends";

const run = (id: string, status: string, finishedAt: string | null) => ({ __typename: "SyncRun", id, status, finishedAt });

test("a run that has ended stays so, whatever an older answer says", () => {
  const mend = keepEnds();
  mend({ syncRunProgress: run("a", "SUCCESS", "2026-01-01T00:00:00Z") });
  const late = { gallery: [{ currentRun: run("a", "RUNNING", null) }, { currentRun: run("b", "RUNNING", null) }, null] };
  mend(late);
  assert.deepEqual(late, { gallery: [{ currentRun: run("a", "SUCCESS", "2026-01-01T00:00:00Z") }, { currentRun: run("b", "RUNNING", null) }, null] });
  const short = { startSync: { __typename: "SyncRun", id: "a" } };
  mend(short);
  assert.deepEqual(short, { startSync: { __typename: "SyncRun", id: "a" } });
});
