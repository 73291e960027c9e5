/**
 * Makes a run's end final: an answer that was on its way when a subscription told of the end would undo it, and nothing more is
 * told of a run that has ended. Returns what mends answers in place, before the cache takes them in.
 */
export function keepEnds(): (data: unknown) => void {
  const ends = new Map<unknown, Record<string, unknown>>();
  return function mend(data) {
    if (typeof data !== "object" || data === null) return;
    const fields = data as Record<string, unknown>;
    if (fields.__typename === "SyncRun" && "finishedAt" in fields) {
      const end = ends.get(fields.id);
      if (fields.finishedAt !== null) ends.set(fields.id, fields);
      else if (end) for (const name in fields) if (name in end) fields[name] = end[name];
    }
    Object.values(fields).forEach(mend);
  };
}
