import type { Place, Structure } from "./structure";

/** The ids of the units that are selected. */
export type Chosen = ReadonlySet<string>;

/** What is selected by ids of places, each with all below it, null being everything; and the ids that are nowhere. */
export function resolve(structure: Structure, ids: readonly string[] | null): { chosen: Chosen; lost: string[] } {
  if (ids === null) return { chosen: all(structure), lost: [] };
  const chosen = new Set<string>();
  const lost: string[] = [];
  for (const id of ids) {
    const place = structure.byId.get(id);
    if (!place) lost.push(id);
    else for (const unit of structure.units.slice(place.first, place.end)) chosen.add(unit.id);
  }
  return { chosen, lost };
}

/** The fewest ids that say what is selected: null is everything. */
export function smallest(structure: Structure, chosen: Chosen): string[] | null {
  const ids: string[] = [];
  const walk = (places: readonly Place[]) => {
    for (const place of places) {
      const state = status(structure, place, chosen);
      if (state === "all" && place.selectable) ids.push(place.id);
      else if (state !== "none") walk(place.children);
    }
  };
  if (structure.units.every(({ id }) => chosen.has(id))) return null;
  walk(structure.roots);
  return ids;
}

export function all({ units }: Structure): Chosen {
  return new Set(units.map(({ id }) => id));
}

export type Status = "all" | "some" | "none";

/** How much of a place is selected. */
export function status({ units }: Structure, { first, end }: Place, chosen: Chosen): Status {
  let n = 0;
  for (let i = first; i < end; i++) if (chosen.has(units[i]?.id ?? "")) n++;
  if (n === 0) return "none";
  return n === end - first ? "all" : "some";
}

/** Selects places, or takes them out, with all that is below them. */
export function choose({ units }: Structure, chosen: Chosen, places: readonly Place[], selected: boolean): Chosen {
  const next = new Set(chosen);
  for (const { first, end } of places) {
    for (const { id } of units.slice(first, end)) {
      if (selected) next.add(id);
      else next.delete(id);
    }
  }
  return next;
}

/** Selects a place, unless all of it is selected. */
export function toggle(structure: Structure, chosen: Chosen, place: Place): Chosen {
  return choose(structure, chosen, [place], status(structure, place, chosen) !== "all");
}

export function same(a: Chosen, b: Chosen): boolean {
  return a.size === b.size && [...a].every((id) => b.has(id));
}

/** How much is selected. */
export interface Summary {
  /** How many units of each kind, in the structure's order. */
  kinds: [kind: string, n: number][];
  items: number;
  /** Units of which the provider does not tell how many items they have. */
  uncounted: number;
  /** Selected units that are left out because they are archived. */
  shelved: number;
}

export function summarise({ units }: Structure, chosen: Chosen, archived: boolean): Summary {
  const kinds = new Map<string, number>();
  const sum = { items: 0, uncounted: 0, shelved: 0 };
  for (const unit of units) {
    if (!chosen.has(unit.id)) continue;
    if (unit.shelved && !archived) {
      sum.shelved++;
      continue;
    }
    kinds.set(unit.kind, (kinds.get(unit.kind) ?? 0) + 1);
    if (unit.items === null) sum.uncounted++;
    else sum.items += unit.items;
  }
  return { kinds: [...kinds], ...sum };
}
