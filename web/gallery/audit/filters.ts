// What the audit log is narrowed to, as the address says it.

export interface Filters {
  action: string | null;
  actor: string | null;
  integration: string | null;
  /** Only what concerns the project that is chosen. */
  projectOnly: boolean;
  /** Such as "7d"; or "days" with first and last, such as 2030-12-31, by the reader's clock. */
  range: string | null;
  first: string | null;
  last: string | null;
}

export const ranges = [
  { value: "1h", label: "Last hour" },
  { value: "24h", label: "Last 24 hours" },
  { value: "7d", label: "Last 7 days" },
  { value: "30d", label: "Last 30 days" },
  { value: "days", label: "From a day to a day" },
];

export function readFilters(query: URLSearchParams): Filters {
  return {
    action: query.get("action"),
    actor: query.get("actor"),
    integration: query.get("integration"),
    projectOnly: query.get("in") === "project",
    range: query.get("range"),
    first: query.get("first"),
    last: query.get("last"),
  };
}

export function writeFilters(query: URLSearchParams, { projectOnly, ...filters }: Filters): URLSearchParams {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries({ ...filters, in: projectOnly ? "project" : null })) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  return next;
}

export function isNarrowed({ action, actor, integration, projectOnly, range }: Filters): boolean {
  return Boolean(action || actor || integration || projectOnly || range);
}

/** The times that a range stands for: from, and before. What cannot be read does not narrow. */
export function times({ range, first, last }: Pick<Filters, "range" | "first" | "last">, now: Date): { since: string | null; until: string | null } {
  const back = /^(\d{1,4})([hd])$/.exec(range ?? "");
  if (back) return { since: new Date(now.getTime() - Number(back[1]) * (back[2] === "h" ? 3_600_000 : 86_400_000)).toISOString(), until: null };
  if (range !== "days") return { since: null, until: null };
  return { since: midnight(first, 0), until: midnight(last, 1) };
}

/** The beginning of a day, or of the one so many after it. */
function midnight(date: string | null, after: number): string | null {
  const day = /^(\d{4})-(\d{2})-(\d{2})$/.exec(date ?? "");
  return day ? new Date(Number(day[1]), Number(day[2]) - 1, Number(day[3]) + after).toISOString() : null;
}
