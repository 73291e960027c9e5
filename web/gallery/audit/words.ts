// The audit trail in words.
import { inWords } from "../kit/words";

const ofIntegrations = {
  "integration.create": "Connected an integration",
  "integration.update": "Changed an integration",
  "integration.delete": "Deleted an integration",
  "integration.adopt": "Took over an integration",
  "sync.start": "Started a sync",
  "sync.cancel": "Cancelled a sync",
  "sync.reset": "Reset a sync state",
  "sync_schedule.set": "Set a schedule",
  "sync_mappings.set": "Changed mappings",
  "webhook.register": "Registered a webhook",
  "webhook_secret.rotate": "Made a webhook secret",
  "webhook_delivery.replay": "Replayed a delivery",
  "settings.test": "Tried settings",
  "secrets.open": "Opened secrets",
  "mutation.denied": "Was refused a change",
};

const ofOrganisations = {
  "session.create": "Signed in",
  "api_key.create": "Made an API key",
  "api_key.revoke": "Revoked an API key or session",
  "project.create": "Made a project",
  "key.rotate": "Began to rotate the encryption key",
  "key.forget": "Forgot an encryption key",
};

/** What each action is called. The server may write others, which are shown as they are. */
const actions: Record<string, string> = { ...ofOrganisations, ...ofIntegrations };

/** Those that are known, or of them those that an integration may have. */
export function knownActions({ ofOne }: { ofOne: boolean }): string[] {
  return Object.keys(ofOne ? ofIntegrations : actions);
}

export function actionInWords(action: string): string {
  return actions[action] ?? action;
}

const names: Record<string, string> = {
  fields: "Changed",
  settings: "Settings",
  removedSettings: "Removed settings",
  opened: "Opened",
  begunWith: "With the API key",
  key: "Key",
  cron: "Cron",
  everyMinutes: "Every, in minutes",
  timeZone: "Time zone",
};

/** What an entry says of its change, each with a name; what is empty is left out. A field that was cleared is told as such. */
export function changesInWords(changes: Record<string, unknown>): [name: string, value: string][] {
  return Object.entries(changes)
    .map(([name, value]): [string, string] => [names[name] ?? inWords(name), brief(text(value))])
    .filter(([, value]) => value !== "");
}

/** Some are as long as a list of everything that was chosen. */
const longest = 300;

function brief(text: string): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

function text(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(text).join(", ");
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "object") {
    return Object.entries(value)
      .map(([name, each]) => `${name} ${text(each)}`)
      .join("; ");
  }
  return String(value);
}

/** Whoever acted, with what tells two of one name apart behind it: an API key's name and its first characters. */
export function actorInWords(actor: string): { name: string; detail: string | null } {
  const key = /^api-key:(\S+) \((.+)\)$/s.exec(actor);
  if (key?.[1] && key[2]) return { name: key[2], detail: `API key ${key[1]}…` };
  const person = /^oidc:(.+) \((.+)\)$/s.exec(actor);
  if (person?.[1] && person[2]) return { name: person[2], detail: person[1] };
  switch (actor) {
    case "system":
      return { name: "Patchbay", detail: "nobody asked for it" };
    case "operator":
      return { name: "Operator", detail: "by the command line" };
    default:
      return { name: actor, detail: null };
  }
}
