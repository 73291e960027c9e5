import type { Field } from "./fields";
import type { Integration } from "./operations";
import { offSchedule, type Schedule, scheduleOf } from "./schedule";

/** What a control holds: text (of a list, an item in each line) or whether it is on. */
export type Value = string | boolean;

/** A secret: what was typed, or that it is to be removed; undefined leaves it as it is. */
export type Secret = string | null | undefined;

/** All that the form holds. */
export interface Draft {
  name: string;
  displayName: string;
  description: string;
  settings: Record<string, Value>;
  secrets: Record<string, Secret>;
  webhookSecret: Secret;
  schedule: Schedule;
}

/** The form as it stands before anybody typed: of a new integration, or of one that is stored. */
export function draftOf(fields: Field[], from: Integration | { name: string; displayName: string }): Draft {
  const stored = "id" in from ? from : null;
  const plain = fields.filter(({ kind }) => kind !== "secret");
  return {
    name: from.name,
    displayName: from.displayName,
    description: stored?.description ?? "",
    settings: Object.fromEntries(plain.map((field) => [field.name, shown(field, stored?.settings[field.name] ?? field.standard)])),
    secrets: {},
    webhookSecret: undefined,
    schedule: stored ? scheduleOf(stored.syncState.schedule) : offSchedule,
  };
}

function shown({ kind }: Field, value: unknown): Value {
  if (kind === "switch") return value === true;
  if (value === undefined || value === null) return "";
  return Array.isArray(value) ? value.join("\n") : String(value);
}

/** A control's content as the API takes it; null where it is empty. What is no number goes as it is: the server says so. */
function sent({ kind }: Field, value: Value): unknown {
  if (typeof value === "boolean") return value;
  const text = value.trim();
  if (text === "") return null;
  if (kind === "number") return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
  if (kind === "list") return text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return text;
}

/** The settings that differ from where the form began, as the API takes them: null removes. */
export function settingsChange(fields: Field[], base: Draft, draft: Draft): Record<string, unknown> {
  const change: Record<string, unknown> = {};
  for (const field of fields) {
    const { name } = field;
    if (field.kind === "secret") {
      const secret = secretChange(draft.secrets[name], field.long);
      if (secret !== undefined) change[name] = secret;
    } else if (draft.settings[name] !== base.settings[name]) {
      change[name] = sent(field, draft.settings[name] ?? "");
    }
  }
  return change;
}

/** What is left empty stays as it is. Around a token, pasted white space is no part of it. */
export function secretChange(secret: Secret, long = false): string | null | undefined {
  if (typeof secret !== "string") return secret;
  return (long ? secret : secret.trim()) || undefined;
}

/** The settings that a new integration is made with: those that are removed have none. */
export function newSettings(fields: Field[], base: Draft, draft: Draft): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settingsChange(fields, base, draft)).filter(([, value]) => value !== null));
}

/** Whether something would be lost. */
export function isChanged(fields: Field[], base: Draft, draft: Draft): boolean {
  return (
    Object.keys(settingsChange(fields, base, draft)).length > 0 ||
    secretChange(draft.webhookSecret) !== undefined ||
    !same(base.schedule, draft.schedule) ||
    base.name !== draft.name ||
    base.displayName !== draft.displayName ||
    base.description !== draft.description
  );
}

export const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** The required settings that have no value. */
export function missing(fields: Field[], draft: Draft, configuredSecrets: string[]): Field[] {
  return fields.filter(({ name, kind, required, long }) => {
    if (!required) return false;
    if (kind !== "secret") return String(draft.settings[name] ?? "").trim() === "";
    const secret = secretChange(draft.secrets[name], long);
    return secret === null || (secret === undefined && !configuredSecrets.includes(name));
  });
}

/** What was typed, on top of what somebody else has saved meanwhile. */
export function rebase(draft: Draft, base: Draft, fresh: Draft): Draft {
  const settings = Object.entries(fresh.settings).map(([name, value]): [string, Value] => {
    const typed = draft.settings[name];
    return [name, typed === undefined || typed === base.settings[name] ? value : typed];
  });
  const pick = <K extends "name" | "displayName" | "description" | "schedule">(key: K) => (same(draft[key], base[key]) ? fresh[key] : draft[key]);
  return {
    name: pick("name"),
    displayName: pick("displayName"),
    description: pick("description"),
    schedule: pick("schedule"),
    settings: Object.fromEntries(settings),
    secrets: draft.secrets,
    webhookSecret: draft.webhookSecret,
  };
}

/** What the form calls the schedule. */
export const scheduleTitle = "Schedule";

/** What somebody else changed, as the form calls it. */
export function differences(fields: Field[], before: Integration, after: Integration): string[] {
  const [old, fresh] = [draftOf(fields, before), draftOf(fields, after)];
  const given = ({ secretChanges }: Integration, name: string) => secretChanges.find((change) => change.name === name)?.changedAt;
  const names = fields
    .filter(({ name, kind }) =>
      kind === "secret"
        ? given(before, name) !== given(after, name) || before.configuredSecrets.includes(name) !== after.configuredSecrets.includes(name)
        : old.settings[name] !== fresh.settings[name],
    )
    .map(({ title }) => title);
  if (before.displayName !== after.displayName) names.unshift("Display name");
  if (before.description !== after.description) names.push("Description");
  if (before.enabled !== after.enabled) names.push(after.enabled ? "Enabled" : "Disabled");
  if (!same(old.schedule, fresh.schedule)) names.push(scheduleTitle);
  return names;
}

/** A name that no integration of the project has, made from the words for people. */
export function freeName(words: string, taken: string[]): string {
  const slug = words
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\p{M}/gu, "")
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 46)
    .replace(/^-|-$/g, "");
  let name = slug;
  for (let n = 2; taken.includes(name); n++) name = `${slug}-${n}`;
  return name;
}
