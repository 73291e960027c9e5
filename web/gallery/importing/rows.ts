import type { Place, Structure } from "./structure";

/** A line of the tree. */
export interface Row {
  place: Place;
  open: boolean;
  /** Where it stands among those beside it, from 1, and how many they are. */
  position: number;
  among: number;
}

/** What the tree shows: the places that are searched for, with those above and below them, as far as they are open. */
export function rowsOf(structure: Structure, search: string, isOpen: (place: Place, onTheWay: boolean) => boolean): Row[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const rows: Row[] = [];
  const { shown, onTheWay } = find(structure, words);
  const walk = (places: readonly Place[]) => {
    const visible = shown ? places.filter((place) => shown.has(place)) : places;
    visible.forEach((place, i) => {
      const open = place.children.length > 0 && isOpen(place, onTheWay.has(place));
      rows.push({ place, open, position: i + 1, among: visible.length });
      if (open) walk(place.children);
    });
  };
  walk(structure.roots);
  return rows;
}

/** The places that have every word in their names or those above, and the ones that have to be open to see why. */
function find({ byId }: Structure, words: string[]): { shown: Set<Place> | null; onTheWay: Set<Place> } {
  const onTheWay = new Set<Place>();
  if (words.length === 0) return { shown: null, onTheWay };
  const shown = new Set<Place>();
  for (const place of byId.values()) {
    if (!words.every((word) => place.path.includes(word))) continue;
    shown.add(place);
    const name = place.name.toLowerCase();
    if (!words.some((word) => name.includes(word))) continue;
    for (let above = place.parent; above && !onTheWay.has(above); above = above.parent) {
      onTheWay.add(above);
      shown.add(above);
    }
  }
  return { shown, onTheWay };
}

/** The highest places that have every word in their names or those above. */
export function matches({ roots }: Structure, search: string): Place[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found: Place[] = [];
  const walk = (places: readonly Place[]) => {
    for (const place of places) {
      if (words.every((word) => place.path.includes(word))) found.push(place);
      else walk(place.children);
    }
  };
  walk(roots);
  return found;
}
