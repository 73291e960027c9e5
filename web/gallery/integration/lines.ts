import type { Trouble } from "../errors";
import { keep, kept } from "../kit/kept";
import type { Mapping, Node } from "./operations";

export type Kind = Mapping["kind"];

/** A mapping that is being edited. */
export interface Line extends Mapping {
  /** Tells it from the others while it has no ids. */
  key: number;
}

/** What is not saved yet, and what was saved when it began. */
export interface Draft {
  lines: Line[];
  base: Mapping[];
}

export const kinds: Record<Kind, { name: string; external: string; target: string; help: string }> = {
  SPACE: { name: "Space", external: "Space", target: "Goes below", help: "The object that becomes its parent." },
  FOLDER: { name: "Folder", external: "Folder", target: "Goes below", help: "The object that becomes its parent." },
  LIST: { name: "List", external: "List", target: "Goes below", help: "The object that becomes its parent." },
  USER: { name: "Person", external: "Person's id there", target: "User id here", help: "Kept as the property hostUserId." },
  CUSTOM_FIELD: { name: "Custom field", external: "Field's id there", target: "Property name here", help: "What its value is called." },
};

/** Whether both ends are things of the provider's structure, which have names. */
export function isPlace(kind: Kind): boolean {
  return kind === "SPACE" || kind === "FOLDER" || kind === "LIST";
}

let keys = 0;

export function line(mapping: Mapping): Line {
  return { ...mapping, key: keys++ };
}

export function draftOf(mappings: Mapping[]): Draft {
  return { lines: mappings.map(line), base: mappings };
}

/** What was left unsaved in this tab. */
export function draftKept(integrationId: string): Draft | null {
  const draft = kept<Draft>(`mappings:${integrationId}`);
  return draft && { ...draft, lines: draft.lines.map(line) };
}

/** Null forgets it. */
export function keepDraft(integrationId: string, draft: Draft | null) {
  keep(`mappings:${integrationId}`, draft);
}

export function inputOf(lines: Line[]): Mapping[] {
  return lines.map(({ kind, externalId, target }) => ({ kind, externalId: externalId.trim(), target: target.trim() }));
}

export function same(a: Mapping[], b: Mapping[]): boolean {
  const text = (mappings: Mapping[]) => JSON.stringify(inputOf(mappings as Line[]));
  return text(a) === text(b);
}

export type Faults = Partial<Record<"kind" | "externalId" | "target", string>>;

/** What the server says of each line; what it says of none of them is left in rest. */
export function faultsOf(troubles: Trouble[]): { lines: Map<number, Faults>; rest: Trouble[] } {
  const lines = new Map<number, Faults>();
  const rest: Trouble[] = [];
  for (const trouble of troubles) {
    const found = /^mappings\.(\d+)\.(kind|externalId|target)$/.exec(trouble.field ?? "");
    if (!found) {
      rest.push(trouble);
      continue;
    }
    const at = Number(found[1]);
    const words = trouble.message.replace(/^mappings\.\d+\.\w+/i, "This");
    lines.set(at, { [found[2] as keyof Faults]: words, ...lines.get(at) }); // the first fault of a field is its plainest
  }
  return { lines, rest };
}

const none: Faults = {};

/** The faults of a line among those that were sent, but for what was changed since. */
export function faultsFor(line: Line, sent: Line[], faults: Map<number, Faults>): Faults {
  const at = sent.findIndex(({ key }) => key === line.key);
  const [then, found] = [sent[at], faults.get(at)];
  if (!then || !found) return none; // the same one, so that a line without any need not be drawn again
  return Object.fromEntries(Object.entries(found).filter(([field]) => then[field as keyof Faults] === line[field as keyof Faults]));
}

export interface Place {
  value: string;
  label: string;
}

/** Places to choose from, and each by its id. */
export interface Places {
  list: Place[];
  byId: ReadonlyMap<string, Place>;
}

/** The places of a kind, or of every kind, with those above them in their names. Each is named once, however often it is asked for. */
export function placesOf(nodes: Node[]): (kind: Kind | null) => Places {
  const known = new Map(nodes.map((node) => [node.externalId, node]));
  const path = ({ name, parentExternalId }: Node, depth = 0): string => {
    const parent = parentExternalId === null || depth > 8 ? undefined : known.get(parentExternalId);
    return parent ? `${path(parent, depth + 1)} / ${name}` : name;
  };
  const all = nodes.map((node) => ({ kind: node.kind.toUpperCase(), place: { value: node.externalId, label: `${path(node)}${node.archived ? " (archived)" : ""}` } }));
  const found = new Map<Kind | null, Places>();
  return function of(kind) {
    const before = found.get(kind);
    if (before) return before;
    const list = all.filter((each) => kind === null || each.kind === kind).map(({ place }) => place);
    const places = { list, byId: new Map(list.map((place) => [place.value, place])) };
    found.set(kind, places);
    return places;
  };
}
