import type { Node } from "./operations";

/** A place of the provider's hierarchy, with what is below it. */
export interface Place {
  id: string;
  name: string;
  kind: string;
  archived: boolean;
  /** It, or something above it, is archived. */
  shelved: boolean;
  selectable: boolean;
  /** How many items are in it and below it, as far as the provider tells. */
  items: number | null;
  depth: number;
  parent: Place | null;
  children: Place[];
  /** Its own units, from `first` up to and without `end`. */
  first: number;
  end: number;
  /** Its name and those above it, in small letters. */
  path: string;
}

/**
 * A hierarchy. Its units are the lowest places that can be selected: whether one above is selected follows from them.
 */
export interface Structure {
  roots: Place[];
  units: Place[];
  byId: ReadonlyMap<string, Place>;
}

/** Makes a hierarchy of a flat list that has parents before children. What names no known parent stands at the top. */
export function build(nodes: readonly Node[]): Structure {
  const byId = new Map<string, Place>();
  const roots: Place[] = [];
  for (const node of nodes) {
    if (byId.has(node.externalId)) continue;
    const parent = (node.parentExternalId !== null && byId.get(node.parentExternalId)) || null;
    const place: Place = {
      id: node.externalId,
      name: node.name || `${node.kind} ${node.externalId}`,
      kind: node.kind,
      archived: node.archived,
      shelved: node.archived || (parent?.shelved ?? false),
      selectable: node.selectable,
      items: node.itemCount,
      depth: parent ? parent.depth + 1 : 0,
      parent,
      children: [],
      first: 0,
      end: 0,
      path: `${parent?.path ?? ""}\n${node.name.toLowerCase()}`,
    };
    byId.set(place.id, place);
    (parent?.children ?? roots).push(place);
  }
  const units: Place[] = [];
  for (const root of roots) number(root, units);
  return { roots, units, byId };
}

/** Counts a place's units and items. */
function number(place: Place, units: Place[]) {
  place.first = units.length;
  for (const child of place.children) number(child, units);
  if (place.selectable && units.length === place.first) units.push(place);
  place.end = units.length;
  const known = place.children.flatMap(({ items }) => items ?? []);
  if (place.items === null && known.length > 0) place.items = known.reduce((sum, n) => sum + n, 0);
}
