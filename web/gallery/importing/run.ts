import { cause, passing } from "../catalogue/state";
import { count, plural } from "../kit/words";
import type { ImportRun } from "./operations";

type Counts = ImportRun["counts"];
type ObjectType = Counts[number]["type"];

export function ended({ status }: Pick<ImportRun, "status">): boolean {
  return status !== "PENDING" && status !== "RUNNING";
}

// In the order of the table.
const names: Record<ObjectType, [one: string, many: string]> = {
  TASK: ["Task", "Tasks"],
  COMMENT: ["Comment", "Comments"],
  DOCUMENT: ["Document", "Documents"],
  COLLECTION: ["Collection", "Collections"],
  PROJECT: ["Project", "Projects"],
  ORGANIZATION: ["Workspace", "Workspaces"],
  USER: ["Person", "People"],
};
const types = Object.keys(names);

/** What a type is called among people. */
export function typeName(type: ObjectType, n = 1): string {
  return names[type][n === 1 ? 0 : 1];
}

const kinds = ["created", "updated", "unchanged", "deleted", "failed"] as const;
export type Column = (typeof kinds)[number];

const headings: Record<Column, string> = { created: "New", updated: "Updated", unchanged: "Unchanged", deleted: "Deleted", failed: "Failed" };

/** A table of what a run did, without what it did nowhere. */
export function table(counts: Counts): { columns: { column: Column; heading: string }[]; rows: Counts } {
  const rows = counts.filter((row) => kinds.some((kind) => row[kind] > 0)).sort((a, b) => types.indexOf(a.type) - types.indexOf(b.type));
  const columns = kinds.filter((kind) => rows.some((row) => row[kind] > 0)).map((column) => ({ column, heading: headings[column] }));
  return { columns, rows };
}

export function sum(counts: Counts, column: Column): number {
  return counts.reduce((total, row) => total + row[column], 0);
}

/** What became of a run that has ended. */
export interface Outcome {
  words: string;
  reason: string | null;
  tone: "good" | "warn" | "bad" | "quiet";
  /** How many objects were not found any more, of how many; null where no word is needed. */
  missing: { gone: number; covered: number } | null;
  /** The settings have to change before another try can do. */
  fix: boolean;
}

export function outcome(run: Pick<ImportRun, "status" | "error" | "counts">): Outcome {
  const nothing = { reason: null, missing: null, fix: false };
  const failed = sum(run.counts, "failed");
  const couldNot = failed > 0 ? `${plural(failed, "item")} could not be imported` : null;
  switch (run.status) {
    case "SUCCESS":
      return { ...nothing, words: "Import finished", tone: "good" };
    case "CANCELLED":
      return { ...nothing, words: "Import cancelled", reason: sentence(run.error, "What was stored before stays."), tone: "quiet" };
    case "ERROR": {
      const { message, code } = cause(run.error);
      const fix = !passing.has(code);
      return { ...nothing, words: "Import failed", reason: sentence(message, "What was stored before stays."), tone: "bad", fix };
    }
    default: {
      const missing = missed(run.error);
      const words = couldNot ?? (missing ? "Import finished, and deletions need your word" : "Import finished in part");
      return { ...nothing, words, reason: couldNot || missing ? null : run.error, tone: "warn", missing };
    }
  }
}

/** What the API says of a full run that marked nothing as deleted because too much was missing. */
function missed(error: string | null): Outcome["missing"] {
  const found = /(\d+) of (\d+) objects were not found any more/.exec(error ?? "");
  return found && { gone: Number(found[1]), covered: Number(found[2]) };
}

/** The API's reasons begin in lower case. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function sentence(text: string | null, rest: string): string {
  if (!text) return rest;
  text = capital(text);
  return `${/[.!?]$/.test(text) ? text : `${text}.`} ${rest}`;
}

/** "less than a second", "4 s", "3 min 12 s", "1 h 5 min". */
export function lasted(from: string, to: string): string {
  const seconds = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000));
  if (seconds < 1) return "less than a second";
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${count(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

/** What made a run begin. */
export function startedBy({ trigger, requestedBy }: Pick<ImportRun, "trigger" | "requestedBy">, provider: string): string {
  switch (trigger) {
    case "SCHEDULE":
      return "by the schedule";
    case "WEBHOOK":
      return `because ${provider} told of changes`;
    default:
      return requestedBy ? `by ${requestedBy}` : "by hand";
  }
}
