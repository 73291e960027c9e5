import { inWords } from "./words";

/** What can be done with an integration, as the audit trail calls it. */
export const actions: Record<string, string> = {
  "integration.create": "Connected",
  "integration.adopt": "Adopted from another product",
  "integration.update": "Changed",
  "integration.delete": "Deleted",
  "secrets.open": "Secrets opened",
  "webhook_secret.rotate": "Webhook secret rotated",
  "webhook.register": "Webhook registered",
  "webhook_delivery.replay": "Delivery replayed",
  "sync.start": "Sync started",
  "sync.cancel": "Sync cancelled",
  "sync.reset": "Sync state reset",
  "sync_schedule.set": "Schedule set",
  "sync_mappings.set": "Mappings set",
};

/** A newer server may know of deeds that this page does not. */
export function deed(action: string): string {
  return actions[action] ?? action;
}

const longest = 300;

/** What changed, a line for each. */
export function said(changes: Record<string, unknown>): [name: string, value: string][] {
  return Object.entries(changes).map(([name, value]) => [inWords(name), brief(value)]);
}

function brief(value: unknown): string {
  const text = inText(value);
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

function inText(value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(inText).join(", ");
  if (typeof value === "object") {
    return Object.entries(value)
      .map(([name, each]) => `${name} ${inText(each)}`)
      .join("; ");
  }
  return String(value);
}
