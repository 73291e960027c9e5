import { actorInWords } from "../audit/words";
import { cause } from "../catalogue/state";
import { capital, plural } from "../kit/words";
import type { Run } from "../runs/operations";
import { type Missing, missed, sums } from "../runs/words";

/** What became of a run that has ended. */
export interface Outcome {
  words: string;
  reason: string | null;
  tone: "good" | "warn" | "bad" | "quiet";
  /** Null where no word is needed. */
  missing: Missing | null;
  /** The settings have to change before another try can do. */
  fix: boolean;
}

export function outcome(run: Pick<Run, "status" | "error" | "counts">): Outcome {
  const nothing = { reason: null, missing: null, fix: false };
  const failed = sums(run).failed;
  const couldNot = failed > 0 ? `${plural(failed, "item")} could not be imported` : null;
  switch (run.status) {
    case "SUCCESS":
      return { ...nothing, words: "Import finished", tone: "good" };
    case "CANCELLED":
      return { ...nothing, words: "Import cancelled", reason: sentence(run.error, "What was stored before stays."), tone: "quiet" };
    case "ERROR": {
      const { message, passing } = cause(run.error);
      return { ...nothing, words: "Import failed", reason: sentence(message, "What was stored before stays."), tone: "bad", fix: !passing };
    }
    default: {
      const missing = missed(run.error);
      const words = couldNot ?? (missing ? "Import finished, and deletions need your word" : "Import finished in part");
      return { ...nothing, words, reason: couldNot || missing ? null : run.error, tone: "warn", missing };
    }
  }
}

function sentence(text: string | null, rest: string): string {
  if (!text) return rest;
  text = capital(text);
  return `${/[.!?]$/.test(text) ? text : `${text}.`} ${rest}`;
}

/** What made a run begin. */
export function startedBy({ trigger, requestedBy }: Pick<Run, "trigger" | "requestedBy">, provider: string): string {
  switch (trigger) {
    case "SCHEDULE":
      return "by the schedule";
    case "WEBHOOK":
      return `because ${provider} told of changes`;
    default:
      return requestedBy ? `by ${actorInWords(requestedBy).name}` : "by hand";
  }
}
