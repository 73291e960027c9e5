import { plural } from "../kit/words";
import type { Target } from "./operations";

export const batchSizes = { min: 10, max: 1000 };

/** What a run may be told besides what to read. */
export interface Options {
  completed: boolean;
  archived: boolean;
  /** Empty while it is being typed. */
  batchSize: number | "";
}

/** What the integration's own settings say, as the providers name them, or their defaults. */
export function ownOptions({ settings, provider }: Pick<Target, "settings" | "provider">): Options {
  const { properties = {} } = provider.settingsSchema as { properties?: Record<string, { default?: unknown }> };
  const value = (wanted: RegExp) => {
    const name = Object.keys(properties).find((each) => wanted.test(each));
    return name === undefined ? undefined : (settings[name] ?? properties[name]?.default);
  };
  const size = value(/^batch_size$/);
  return {
    completed: value(/^import_completed/) === true,
    archived: value(/^import_archived/) === true,
    batchSize: typeof size === "number" ? size : 100,
  };
}

/** What is wrong with a batch size; null where nothing is. */
export function complaint(size: number | ""): string | null {
  const { min, max } = batchSizes;
  return size !== "" && Number.isInteger(size) && size >= min && size <= max ? null : `From ${min} to ${max.toLocaleString()}`;
}

/** "3 lists", "1 repository", "2 repositories". */
export function kinds(n: number, kind: string): string {
  const noun = n !== 1 && /[^aeiou]y$/.test(kind) ? `${kind.slice(0, -1)}ie` : kind;
  return plural(n, noun);
}
