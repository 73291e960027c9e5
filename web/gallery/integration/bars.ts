import type { Run } from "../runs/operations";
import { seconds, sums } from "../runs/words";

export interface Bar {
  run: Run;
  /** From the bottom; what there was none of is left out. */
  pieces: { name: "created" | "updated" | "deleted" | "failed"; n: number }[];
  total: number;
  /** In seconds. */
  duration: number;
}

export function bars(runs: Run[], now: Date): Bar[] {
  return runs.map((run) => {
    const all = sums(run);
    const pieces = (["created", "updated", "deleted", "failed"] as const).map((name) => ({ name, n: all[name] })).filter(({ n }) => n > 0);
    return { run, pieces, total: pieces.reduce((sum, { n }) => sum + n, 0), duration: seconds(run, now) ?? 0 };
  });
}
