import { type Exchange, makeOperation, mapExchange, type Operation } from "urql";
import { type Fields, walk } from "./results";
import { ended } from "./runs/ends";
import type { Run } from "./runs/operations";

/** What subscriptions tell of; each has an id. */
const entities = new Set(["PublicIntegration", "SyncState", "SyncRun"]);
/** What holds the project's integrations. */
const holders = new Set(["GalleryEntry", "PublicIntegrationConnection"]);
/** Of how many entities is remembered what was told last: it matters to answers that are on their way alone. */
const remembered = 1_000;

interface Presence {
  at: number;
  here: boolean;
}
/** A field as it was told, and when. */
type Told = Map<string, { at: number; value: unknown }>;

/**
 * Keeps what subscriptions tell from being undone by older answers, which were on their way when it was told: nobody tells it
 * twice. Such an answer gets the fields that were told, and is asked for again where integrations came or went. This belongs between
 * the cache and the network.
 */
export const newsExchange: Exchange = (input) => {
  let now = 0; // counts news
  const told = new Map<string, Told>();
  const here = new Map<string, Presence>(); // the integrations that were told of
  const asked = new WeakMap<Operation, number>(); // when each request was sent

  function hear(fields: Fields) {
    if (fields.__typename === "IntegrationChange") here.set(fields.integrationId as string, { at: now, here: fields.integration !== null });
    const key = keyOf(fields);
    if (!key) return;
    const known: Told = told.get(key) ?? new Map();
    for (const [name, value] of Object.entries(fields)) known.set(name, { at: now, value });
    told.delete(key); // so that it comes last
    told.set(key, known);
    if (told.size > remembered) told.delete(told.keys().next().value as string);
  }

  return mapExchange({
    onOperation(operation) {
      if (operation.kind === "query") asked.set(operation, now);
    },
    onResult({ operation, data }) {
      if (operation.kind === "subscription") {
        now++;
        walk(data, hear);
        return;
      }
      const before = asked.get(operation);
      if (before === undefined) return;
      let lists = false;
      const listed = new Set<string>();
      walk(data, (fields) => {
        const type = fields.__typename as string;
        if (holders.has(type)) lists = true;
        if (type === "PublicIntegration") listed.add(fields.id as string);
        if (type === "SyncRun" && ended(fields as Pick<Run, "status">)) return; // nothing is newer
        for (const [name, { at, value }] of told.get(keyOf(fields) ?? "") ?? []) {
          if (at > before && name in fields && fits(fields[name], value)) fields[name] = value;
        }
      });
      const wrong = ([id, last]: [string, Presence]) => last.at > before && (last.here ? lists && !listed.has(id) : listed.has(id));
      if ([...here].some(wrong)) {
        input.client.reexecuteOperation(makeOperation("query", operation, { ...operation.context, requestPolicy: "network-only" }));
      }
    },
  })(input);
};

function keyOf({ __typename: type, id }: Fields): string | null {
  return entities.has(type as string) ? `${type}:${id}` : null;
}

/** Whether what was told has all fields that are asked for. */
function fits(answered: unknown, value: unknown): boolean {
  if (Array.isArray(answered) && Array.isArray(value)) return answered.length === 0 || value.length === 0 || fits(answered[0], value[0]);
  const typed = (each: unknown): each is Fields => typeof each === "object" && each !== null && "__typename" in each;
  return !typed(answered) || !typed(value) || Object.keys(answered).every((name) => name in value);
}
