import { useLocation, useSearch } from "wouter";

/** What the address says of a tab: what its list is narrowed to, and what it has open. */
interface Filters {
  get(name: string): string | null;
  /** The address with these changed: null takes one away. */
  href(changes: Record<string, string | null>): string;
  /** Goes there. What is only narrowed needs no step back of its own. */
  set(changes: Record<string, string | null>, options?: { replace?: boolean }): void;
}

export function useFilters(): Filters {
  const [path, go] = useLocation();
  const query = new URLSearchParams(useSearch());
  function href(changes: Record<string, string | null>) {
    // What is set meanwhile counts: a filter may be written a moment after it was typed.
    const next = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) next.delete(name);
      else next.set(name, value);
    }
    const text = next.toString();
    return text ? `${path}?${text}` : path;
  }
  return { get: (name) => query.get(name), href, set: (changes, options) => go(href(changes), options) };
}
