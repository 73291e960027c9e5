/** An object of a result, as its fields. */
export type Fields = Record<string, unknown>;

/** Hands on each object in a result that says its type, the outer ones first. */
export function walk(data: unknown, act: (fields: Fields) => void) {
  if (typeof data !== "object" || data === null) return;
  if ("__typename" in data) act(data as Fields);
  for (const value of Object.values(data)) walk(value, act);
}
