// What runs did, in words and numbers.
import { count, plural } from "../kit/words";
import type { ObjectType, Run } from "./operations";

/** What objects are called, whatever their provider calls them. In the order in which people look for them. */
export const objectTypes: Record<ObjectType, { one: string; many: string }> = {
  TASK: { one: "Task", many: "Tasks" },
  COMMENT: { one: "Comment", many: "Comments" },
  DOCUMENT: { one: "Document", many: "Documents" },
  COLLECTION: { one: "Collection", many: "Collections" },
  PROJECT: { one: "Project", many: "Projects" },
  USER: { one: "Person", many: "People" },
  ORGANIZATION: { one: "Workspace", many: "Workspaces" },
};

const types = Object.keys(objectTypes);
const kinds = ["created", "updated", "unchanged", "deleted", "failed"] as const;
type Column = (typeof kinds)[number];

const headings: Record<Column, string> = { created: "New", updated: "Updated", unchanged: "Unchanged", deleted: "Deleted", failed: "Failed" };

/** A table of what a run did, without what it did nowhere. */
export function table(counts: Run["counts"]): { columns: { column: Column; heading: string }[]; rows: Run["counts"] } {
  const rows = counts.filter((row) => kinds.some((kind) => row[kind] > 0)).sort((a, b) => types.indexOf(a.type) - types.indexOf(b.type));
  const columns = kinds.filter((kind) => rows.some((row) => row[kind] > 0)).map((column) => ({ column, heading: headings[column] }));
  return { columns, rows };
}

type Sums = Record<Column, number>;

/** What a run did to objects of all types. */
export function sums({ counts }: Pick<Run, "counts">): Sums {
  const all: Sums = { created: 0, updated: 0, unchanged: 0, deleted: 0, failed: 0 };
  for (const each of counts) {
    for (const kind of kinds) all[kind] += each[kind];
  }
  return all;
}

/** How many objects were not found any more, of how many. */
export interface Missing {
  gone: number;
  covered: number;
}

/** What the API says of a full run that marked nothing as deleted because too much was missing; null where no word is needed. */
export function missed(error: string | null): Missing | null {
  const found = /(\d+) of (\d+) objects were not found any more/.exec(error ?? "");
  return found && { gone: Number(found[1]), covered: Number(found[2]) };
}

/** The same for people. */
export function missedInWords({ gone, covered }: Missing): string {
  return `${count(gone)} of ${plural(covered, "object")} were not found any more.`;
}

/** Of how many objects a run's table tells: comments too, which are not among the items that a run counts as it goes. */
export function handled(run: Pick<Run, "counts">): number {
  return Object.values(sums(run)).reduce((sum, n) => sum + n, 0);
}

/** How long a run has been at work, in seconds; null where it never was. */
export function seconds({ startedAt, finishedAt }: Pick<Run, "startedAt" | "finishedAt">, now: Date): number | null {
  if (!startedAt) return null;
  const until = finishedAt ? new Date(finishedAt) : now;
  return Math.max(0, (until.getTime() - new Date(startedAt).getTime()) / 1000);
}

/** "0.4 s", "12 s", "3 min 12 s", "1 h 4 min". */
export function took(duration: number): string {
  return inUnits(duration).replaceAll(/(?<=\d) /g, "\u00a0"); // no line breaks between a number and its unit
}

function inUnits(duration: number): string {
  if (duration < 0.95) return `${Math.max(0.1, Math.round(duration * 10) / 10)} s`;
  const whole = Math.round(duration);
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min${whole % 60 ? ` ${whole % 60} s` : ""}`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
}
