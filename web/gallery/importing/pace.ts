import type { PastRun } from "./operations";
import type { Summary } from "./selection";

/** A run of less than this part of what is chosen tells too little: what each run has to do once would count for too much. */
const least = 0.1;

/**
 * How long it may take to import what is chosen, in seconds: by the latest full import, if it succeeded, with what it waited for
 * rate limits. Null where that tells nothing, or not everything is counted.
 *
 * What was chosen for it is remembered. So one count of the provider's is compared with another, whatever it counts: a run's own
 * numbers are of subtasks, comments and people too. It is assumed that places hold as much as then, that the options are the same,
 * and that as much of it is new.
 */
export function expected(chosen: Summary, remembered: Summary, runs: readonly PastRun[]): number | null {
  const last = runs.find(({ mode }) => mode === "FULL"); // one that failed may have been of something else than the one before
  if (last?.status !== "SUCCESS" || !last.startedAt || !last.finishedAt) return null;
  if (chosen.uncounted > 0 || remembered.uncounted > 0) return null;
  if (chosen.items === 0 || remembered.items < chosen.items * least) return null;
  const seconds = (new Date(last.finishedAt).getTime() - new Date(last.startedAt).getTime()) / 1000;
  return (seconds * chosen.items) / remembered.items;
}
