import { type Exchange, type Operation, makeOperation, mapExchange } from "urql";

/** After how long an answer that was overtaken is asked for again, in milliseconds: news may come all the time. */
const againAfter = 1_000;

/** What subscriptions tell of, by the types that say so, in what they tell and in answers. */
const subjects: Record<string, string> = {
  IntegrationChange: "integrations",
  GalleryEntry: "integrations",
  PublicIntegration: "integrations",
  SyncState: "states",
  SyncRun: "runs",
};

function subjectsOf(data: unknown, found = new Set<string>()): Set<string> {
  if (typeof data !== "object" || data === null) return found;
  const subject = subjects[(data as { __typename?: string }).__typename ?? ""];
  if (subject) found.add(subject);
  for (const value of Object.values(data)) subjectsOf(value, found);
  return found;
}

/**
 * Asks again for what news overtook: an answer that a subscription told something newer than, while it was on its way, takes the
 * place of that, and nobody tells it twice. It belongs between the cache and the network.
 */
export const overtakenExchange: Exchange = (input) => {
  let now = 0; // counts news
  const told = new Map<string, number>(); // when last, by subject
  const asked = new WeakMap<Operation, number>(); // when each request was sent
  const again = new Map<number, ReturnType<typeof setTimeout>>();
  return mapExchange({
    onOperation(operation) {
      if (operation.kind === "query") asked.set(operation, now);
      if (operation.kind !== "teardown") return;
      clearTimeout(again.get(operation.key));
      again.delete(operation.key);
    },
    onResult({ operation, data }) {
      const { kind, key } = operation;
      if (kind === "subscription") {
        now++;
        for (const subject of subjectsOf(data)) told.set(subject, now);
        return;
      }
      const before = asked.get(operation);
      if (before === undefined || again.has(key)) return;
      if (![...subjectsOf(data)].some((subject) => (told.get(subject) ?? 0) > before)) return;
      const ask = () => {
        again.delete(key);
        input.client.reexecuteOperation(makeOperation("query", operation, { ...operation.context, requestPolicy: "network-only" }));
      };
      again.set(key, setTimeout(ask, againAfter));
    },
  })(input);
};
