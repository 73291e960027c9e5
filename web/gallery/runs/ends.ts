import { type Fields, walk } from "../results";
import type { Run } from "./operations";

export function ended({ status }: Pick<Run, "status">): boolean {
  return status !== "PENDING" && status !== "RUNNING";
}

/**
 * Makes a run's end final: subscriptions that tell of the same run, the state's and its own, may overtake each other, and nothing
 * more is told of a run that has ended. Returns what mends results in place, before the cache takes them in.
 */
export function keepEnds(): (data: unknown) => void {
  const ends = new Map<unknown, Fields>();
  function mend(fields: Fields) {
    if (fields.__typename !== "SyncRun" || !("status" in fields)) return;
    const end = ends.get(fields.id);
    if (ended(fields as Pick<Run, "status">)) ends.set(fields.id, { ...end, ...fields });
    else if (end) for (const name in fields) if (name in end) fields[name] = end[name];
  }
  return (data) => walk(data, mend);
}
