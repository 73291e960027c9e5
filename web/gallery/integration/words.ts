import { cause, type Tone } from "../catalogue/state";
import { fieldsOf } from "../connect/fields";
import { clock, count, plural } from "../kit/words";
import type { Run } from "../runs/operations";
import { missed, sums, took } from "../runs/words";
import type { Delivery, Integration } from "./operations";

export interface Said {
  words: string;
  tone: Tone;
}

/** How a run stands or ended. */
export function outcome({ status, waitingUntil, step, processed, total, error }: Run): Said {
  if (waitingUntil) {
    const until = clock(new Date(waitingUntil));
    const limited = !step || step.startsWith("waiting for the rate limit");
    return { words: limited ? `Waiting for the rate limit until ${until}` : `Paused until ${until}: ${cause(step).message}`, tone: "warn" };
  }
  switch (status) {
    case "PENDING":
      return { words: "Waiting to start", tone: "busy" };
    case "RUNNING":
      return { words: total ? `Running: ${count(processed)} of ${count(total)}` : processed > 0 ? `Running: ${count(processed)} so far` : "Running", tone: "busy" };
    case "SUCCESS":
      return { words: "Done", tone: "good" };
    case "PARTIAL":
      return { words: missed(error) ? "Done, but deletions need a word" : "Done, but for some items", tone: "warn" };
    case "ERROR":
      return { words: "Failed", tone: "bad" };
    case "CANCELLED":
      return { words: "Cancelled", tone: "quiet" };
  }
}

const triggers: Record<Run["trigger"], string> = { MANUAL: "started by hand", SCHEDULE: "by schedule", WEBHOOK: "by webhook" };

/** "Everything, by schedule". */
export function kind({ mode, trigger }: Run): string {
  return `${mode === "FULL" ? "Everything" : "What changed"}, ${triggers[trigger]}`;
}

/** "12 created, 1 failed"; what there was none of is left out. */
export function changes(run: Pick<Run, "counts">): string {
  const { created, updated, deleted, failed, unchanged } = sums(run);
  const said = Object.entries({ created, updated, deleted, failed })
    .filter(([, n]) => n > 0)
    .map(([what, n]) => `${count(n)} ${what}`);
  if (said.length > 0) return said.join(", ");
  return unchanged > 0 ? `Nothing new in ${plural(unchanged, "object")}` : "Nothing";
}

export function deliveryStatus(status: Delivery["status"]): Said {
  switch (status) {
    case "RECEIVED":
      return { words: "Waiting", tone: "busy" };
    case "PROCESSED":
      return { words: "Processed", tone: "good" };
    case "IGNORED":
      return { words: "Nothing to do", tone: "quiet" };
    case "FAILED":
      return { words: "Failed", tone: "bad" };
  }
}

/** Whether changes are told by webhook, and if not, what is missing. */
export function webhookHealth({ provider, webhook, enabled }: Pick<Integration, "provider" | "webhook" | "enabled">): Said & { reason: string | null } {
  const { displayName, capabilities } = provider;
  if (!capabilities.supportsWebhooks) return { words: "No webhooks", reason: `Webhooks of ${displayName} are not supported yet.`, tone: "quiet" };
  if (!webhook) return { words: "No webhooks", reason: "This server has no address that webhooks could reach: see PATCHBAY_WEBHOOK_URL.", tone: "quiet" };
  if (!enabled && (webhook.registered || webhook.lastDeliveryAt)) {
    return { words: "Resting", reason: "What comes is kept, and worked on once the integration is enabled.", tone: "quiet" };
  }
  if (webhook.registered) return { words: "Registered", reason: webhook.lastDeliveryAt ? null : "Nothing has come yet.", tone: "good" };
  if (webhook.lastDeliveryAt) return { words: "Set up by hand", reason: null, tone: "good" };
  return {
    words: "Not set up",
    reason: `Without it, changes in ${displayName} show after the next sync.`,
    tone: "quiet",
  };
}

/** The workspace that the settings name; null where they name none. */
export function chosenWorkspace({ provider, settings }: Pick<Integration, "settings"> & { provider: Pick<Integration["provider"], "settingsSchema"> }): string | null {
  const choice = fieldsOf(provider).find(({ fromWorkspaces }) => fromWorkspaces);
  const id = choice && settings[choice.name];
  return id === undefined || id === null ? null : String(id);
}

/** "Every 30 minutes", "Every day", "0 3 * * * (Europe/Berlin)". */
export function schedule(given: Integration["syncState"]["schedule"]): string {
  if (!given) return "By hand only";
  const { everyMinutes, cron, timeZone } = given;
  if (everyMinutes === null) return `Cron ${cron ?? ""} (${timeZone ?? "UTC"})`;
  for (const [minutes, unit] of [[10_080, "week"], [1_440, "day"], [60, "hour"], [1, "minute"]] as const) {
    if (everyMinutes % minutes === 0) return everyMinutes === minutes ? `Every ${unit}` : `Every ${plural(everyMinutes / minutes, unit)}`;
  }
  return "";
}

/** Properties that are milliseconds, as ClickUp tells times. */
const durations = new Set(["timeEstimate", "timeSpent"]);

/** A number among an object's properties. A short one is not grouped: it may be a year, or an id. */
export function quantity(name: string, value: number): string {
  if (durations.has(name) && value > 0) return took(value / 1_000);
  return value.toLocaleString(undefined, { useGrouping: Math.abs(value) >= 10_000 });
}
