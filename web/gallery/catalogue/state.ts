import { about, clock, count, relative } from "../kit/words";
import { missed, missedInWords } from "../runs/words";
import type { Integration, Provider, Run } from "./operations";

/** How good it is, beside the words. */
export type Tone = "quiet" | "good" | "busy" | "warn" | "bad";

/** What to do next. */
export type Action = "connect" | "continue" | "enable" | "import" | "sync" | "cancel" | "fix" | "failures" | "decide" | "configure";

export interface State {
  words: string;
  /** The same without numbers that change all the time, where there are some. */
  spoken?: string;
  /** Why, where the words do not say it. */
  reason: string | null;
  tone: Tone;
  action: Action;
  /** Null where nothing runs. */
  progress: { done: number; total: number | null; step: string | null } | null;
}

const labels: Record<Action, string> = {
  connect: "Connect",
  continue: "Continue",
  enable: "Enable",
  import: "Import",
  sync: "Sync now",
  cancel: "Cancel",
  fix: "Fix",
  failures: "See what failed",
  decide: "Decide",
  configure: "Configure",
};

export function label(action: Action): string {
  return labels[action];
}

/** Says how an integration stands, in words with a reason, and what follows from it. */
export function stateOf(provider: Provider, integration: Integration | null): State {
  if (!integration) return { words: "Not connected", reason: null, tone: "quiet", action: "connect", progress: null };
  const { syncState } = integration;
  if (syncState.currentRun) return running(provider, syncState.currentRun);
  if (!integration.enabled) return { words: "Disabled", reason: "It keeps its settings and data.", tone: "quiet", action: "enable", progress: null };
  if (!integration.hasConfiguration) {
    const names = missing(provider, integration);
    const words = names.length > 0 ? `Finish set-up: ${names.join(" and ")} missing` : "Finish set-up";
    return { words, reason: null, tone: "warn", action: "continue", progress: null };
  }
  const connected = syncState.workspaceName ? `Connected as ${syncState.workspaceName}` : "Connected";
  if (!provider.capabilities.supportsImport) {
    return { words: connected, reason: "Importing from it is not supported yet.", tone: "good", action: "configure", progress: null };
  }
  switch (syncState.status) {
    case "ERROR": {
      const { message, passing } = cause(syncState.error);
      // Another try may do where the provider did not answer; the settings have to change where it refused.
      return { words: `Last sync failed: ${message}`, reason: null, tone: "bad", action: passing ? "sync" : "fix", progress: null };
    }
    case "PARTIAL": {
      const missing = missed(syncState.error);
      if (missing) return { words: "Deletions need your word", reason: missedInWords(missing), tone: "warn", action: "decide", progress: null };
      const [words = "", ...rest] = (syncState.error ?? "Some items could not be imported").split(": ");
      return { words, reason: rest.join(": ") || null, tone: "warn", action: "failures", progress: null };
    }
    case "CANCELLED":
      return { words: "Last sync was cancelled", reason: "What was stored before stays.", tone: "quiet", action: "sync", progress: null };
    case "PENDING":
      return { words: connected, reason: "Nothing was imported yet.", tone: "good", action: "import", progress: null };
    default:
      return { words: connected, reason: null, tone: "good", action: "sync", progress: null };
  }
}

/** Says how a live run stands. */
export function running(provider: Pick<Provider, "displayName">, run: Run): State & { spoken: string } {
  const progress = { done: run.processed, total: run.total, step: run.step };
  const busy = { tone: "busy", action: "cancel", progress, spoken: "Syncing" } as const;
  if (run.waitingUntil) {
    const until = clock(new Date(run.waitingUntil));
    // The step says which of the two it is.
    const limited = !run.step || run.step.startsWith("waiting for the rate limit");
    const words = limited ? `Waiting for ${provider.displayName}'s rate limit until ${until}` : `Trying again at ${until}`;
    return {
      ...busy,
      tone: "warn",
      words,
      spoken: words,
      reason: limited ? null : cause(run.step).message,
    };
  }
  if (run.status === "PENDING") return { ...busy, words: "Waiting to start", spoken: "Waiting to start", reason: null };
  if (run.total !== null && run.total > 0) {
    const left = run.estimatedSecondsLeft === null ? "" : `, ${about(run.estimatedSecondsLeft)} left`;
    return { ...busy, words: `Syncing ${Math.min(100, Math.floor((run.processed / run.total) * 100))} %${left}`, reason: null };
  }
  return { ...busy, words: run.processed > 0 ? `Syncing: ${count(run.processed)} so far` : "Syncing", reason: null };
}

/** The codes of failures after which another try may do. */
const passing = new Set(["unavailable", "rate_limited"]);
/** What is said of a run that was tried several times: no settings help against the reason. */
const givenUp = /^(given up after \d+ attempts|the run stalled:)/;

/** An error without what the API adds for programs, such as "(PROVIDER_ERROR, auth_failed)", and whether another try may do. */
export function cause(error: string | null): { message: string; passing: boolean } {
  const text = error ?? "the reason is not known";
  const found = / \(([A-Z_]+)(?:, (\w+))?\)$/.exec(text); // and not why an item failed, such as "(gone)"
  return { message: found ? text.slice(0, found.index) : text, passing: givenUp.test(text) || passing.has(found?.[2] ?? "") };
}

/** The names of the settings that are required and have no value, as a form calls them. */
function missing(provider: Provider, integration: Integration): string[] {
  const schema = provider.settingsSchema as { required?: string[]; properties?: Record<string, { title?: string }> };
  return (schema.required ?? [])
    .filter((name) => !integration.configuredSecrets.includes(name) && (integration.settings[name] ?? null) === null)
    .map((name) => inSentence((schema.properties?.[name]?.title ?? name).replace(/ ID$/, "")));
}

/** "Workspace" is "workspace" within a sentence, and "API token" stays. */
function inSentence(title: string): string {
  return /^[A-Z][a-z]/.test(title) ? title.charAt(0).toLowerCase() + title.slice(1) : title;
}

/** When the next sync begins: "in 2 hours", or "due" once that has come. */
export function upcoming(at: Date, now: Date): string {
  return at.getTime() - now.getTime() > 5_000 ? relative(at, now) : "due";
}

export const filters = ["all", "connected", "attention"] as const;
export type Filter = (typeof filters)[number];

/** Whether a card is shown. Every word that is searched for has to be in it. */
export function matches(provider: Provider, integration: Integration | null, filter: Filter, search: string): boolean {
  if (filter === "connected" && !(integration?.hasConfiguration && integration.enabled)) return false;
  if (filter === "attention" && !needsAttention(provider, integration)) return false;
  const text = [provider.displayName, provider.name, provider.description, integration?.displayName, integration?.name, integration?.description]
    .filter(Boolean)
    .join(" ")
    .toLowerCase();
  return search.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

export function needsAttention(provider: Provider, integration: Integration | null): boolean {
  if (!integration) return false;
  const { action, tone } = stateOf(provider, integration);
  return tone === "bad" || action === "continue" || action === "failures" || action === "decide";
}
