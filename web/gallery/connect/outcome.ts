import type { Trouble } from "../errors";
import { count, plural } from "../kit/words";
import type { Field } from "./fields";
import type { Result } from "./operations";

/** What a test found, in words. */
export function outcome({ ok, message, account, workspaces, latencyMs }: Result): string {
  if (!ok) return message;
  const found = [account ? `Works: signed in as ${account}` : "Works", workspaces.length > 0 ? plural(workspaces.length, "workspace") : null];
  return `${found.filter(Boolean).join(", ")} (${count(latencyMs)} ms)`;
}

/** What the server said of each input, and of none. */
export interface Complaints {
  fields: Record<string, string>;
  rest: Trouble[];
}

export const noComplaints: Complaints = { fields: {}, rest: [] };

/** The inputs that are no settings, as the form calls them. */
const inputs: Record<string, string> = {
  name: "Name",
  displayName: "Display name",
  description: "What it is for",
  webhookSecret: "Webhook secret",
  schedule: "Schedule",
  "schedule.everyMinutes": "Minutes between two syncs",
  "schedule.cron": "Cron line",
  "schedule.timeZone": "Time zone",
};

/** What the form calls an input. */
export function titleOf(key: string, fields: Field[]): string {
  return fields.find(({ name }) => name === key)?.title ?? inputs[key] ?? key;
}

/** Puts what the server said where it belongs, in the form's words: settings by their names, everything else by its path. */
export function complaintsOf(found: Trouble[], fields: Field[]): Complaints {
  const complaints: Complaints = { fields: {}, rest: [] };
  const add = (key: string, message: string) => {
    const before = complaints.fields[key];
    complaints.fields[key] = before ? `${before} ${message}` : message;
  };
  for (const trouble of found) {
    const [root, name = ""] = (trouble.field ?? "").split(".");
    const field = root === "settings" ? fields.find((each) => each.name === name) : undefined;
    const key = field?.name ?? (root !== "settings" && trouble.field !== null && trouble.field in inputs ? trouble.field : null);
    if (key !== null) add(key, byTitle(trouble.message, key, titleOf(key, fields)));
    else complaints.rest.push(trouble);
  }
  return complaints;
}

/** "Batch_size must be …" is "Batch size must be …" in a form. */
function byTitle(message: string, name: string, title: string): string {
  const beginning = new RegExp(`^(item \\d+ of )?(settings\\.)?${name.replace(".", "\\.")}\\b( \\(given as \\w+\\))?`, "i");
  return message.replace(beginning, (_, item: string | undefined) => (item ?? "") + title);
}

export function without({ fields, rest }: Complaints, ...keys: string[]): Complaints {
  return { fields: Object.fromEntries(Object.entries(fields).filter(([key]) => !keys.includes(key))), rest };
}
