import type { ApiKey } from "./operations";

// What an API key or session is worth now, and how long a new key lasts.

export type Group = "keys" | "sessions" | "ended";

type Ending = Pick<ApiKey, "revokedAt" | "expiresAt">;

/** When a key ended; null while it works. */
export function ended({ revokedAt, expiresAt }: Ending, now: Date): { how: "Revoked" | "Expired"; at: string } | null {
  if (revokedAt) return { how: "Revoked", at: revokedAt };
  if (expiresAt && new Date(expiresAt) <= now) return { how: "Expired", at: expiresAt };
  return null;
}

/** The keys by group, newest first. */
export function grouped(keys: readonly ApiKey[], now: Date): Record<Group, ApiKey[]> {
  const groups: Record<Group, ApiKey[]> = { keys: [], sessions: [], ended: [] };
  for (const key of keys.toReversed()) groups[ended(key, now) ? "ended" : key.sessionOf === null ? "keys" : "sessions"].push(key);
  return groups;
}

/** Whether a key that works ends within a week. */
export function endsSoon({ expiresAt }: Pick<ApiKey, "expiresAt">, now: Date): boolean {
  return expiresAt !== null && new Date(expiresAt).getTime() - now.getTime() < 7 * day;
}

/** Whom a key that was asked for runs as. */
export function subjectOf({ prefix, name }: Pick<ApiKey, "prefix" | "name">): string {
  return `api-key:${prefix} (${name})`;
}

const day = 86_400_000;

/** How long a new key may last: by days, for ever, or to the end of a day that is chosen. */
export const lifetimes = [
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "1 year" },
  { value: "never", label: "Does not end" },
  { value: "date", label: "By date" },
] as const;

export type Lifetime = (typeof lifetimes)[number]["value"];

/** When a key ends that is made now; null means never. date is such as 2030-12-31, by the reader's clock. */
export function expiry(lifetime: Lifetime, date: string, now: Date): Date | null {
  if (lifetime === "never") return null;
  if (lifetime === "date") return new Date(`${date}T23:59:59`);
  return new Date(now.getTime() + Number(lifetime) * day);
}
