import assert from "node:assert/strict";
import test from "node:test";
import { Client, fetchExchange, subscriptionExchange } from "urql";
import { cache } from "./cache";
import { Gallery, SyncStateChanged } from "./catalogue/operations";
import { graphql } from "./graphql";
import { Structure } from "./importing/operations";
import { newsExchange } from "./news";
import { IntegrationChanged } from "./shell/operations";

// The server's side: what is there, answers that are held back, and what subscriptions are told.
const variables = { orgId: "o", projectId: "p" };
const state = (status: string) => ({ __typename: "SyncState", id: "s", integrationId: "1", status, lastSyncAt: null, lastSuccessfulSync: null, error: null, totalSynced: 0, workspaceName: null, consecutiveFailures: 0, nextSyncAt: null, updatedAt: "", currentRun: null });
const run = { __typename: "SyncRun", id: "r", status: "RUNNING", trigger: "USER", step: null, waitingUntil: null, processed: 0, total: null, estimatedSecondsLeft: null };
const integration = { __typename: "PublicIntegration", id: "1", name: "clickup", displayName: "ClickUp", description: null, enabled: true, logoUrl: null, revision: 1, settings: {}, configuredSecrets: [], secretChanges: [], hasConfiguration: true, webhook: null };
const capabilities = { __typename: "ProviderCapabilities", supportsImport: true, supportsIncrementalSync: true, supportsWebhooks: true, supportsBidirectionalSync: false };
const provider = { __typename: "Provider", name: "clickup", displayName: "ClickUp", description: "", logoUrl: "", settingsSchema: {}, capabilities };
const gallery = (...integrations: object[]) => ({ gallery: [{ __typename: "GalleryEntry", provider, integrations }] });

const CancelledRun = graphql(`query CancelledRun { syncRun(id: "r") { id status finishedAt } }`);

const OneIntegration = graphql(`query OneIntegration { integrationById(id: "1") { id name } }`);

interface Server {
  client: Client;
  /** Answers the oldest request that is open. */
  answer(data: object): Promise<void>;
  /** Tells who subscribed to that. */
  tell(data: Record<string, unknown>): Promise<void>;
  /** How many requests are open. */
  open(): number;
}

/** Lets everything happen that is under way. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 10));

function server(): Server {
  const asked: ((data: object) => void)[] = [];
  const subscribers = new Set<(data: Record<string, unknown>) => void>();
  const client = new Client({
    url: "http://server/graphql",
    preferGetMethod: false,
    requestPolicy: "cache-and-network",
    fetch: () => new Promise((resolve) => asked.push((data) => resolve(new Response(JSON.stringify({ data }), { headers: { "Content-Type": "application/json" } })))),
    exchanges: [
      cache,
      newsExchange,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query }) => ({
          subscribe(sink) {
            const tell = (data: Record<string, unknown>) => {
              if (Object.keys(data).every((field) => query?.includes(field))) sink.next({ data });
            };
            subscribers.add(tell);
            return { unsubscribe: () => void subscribers.delete(tell) };
          },
        }),
      }),
    ],
  });
  return {
    client,
    open: () => asked.length,
    async answer(data) {
      await settled();
      const respond = asked.shift();
      assert.ok(respond, "nothing was asked");
      respond(data);
      await settled();
    },
    async tell(data) {
      await settled();
      for (const tell of subscribers) tell(data);
      await settled();
    },
  };
}

/** Shows the gallery, as its page does. */
function show({ client }: Server) {
  let shown: unknown;
  const ends = [
    client.query(Gallery, variables).subscribe(({ data }) => (shown = data?.gallery.flatMap(({ integrations }) => integrations.map(({ name, syncState }) => `${name} ${syncState.status}`)))),
    client.subscription(IntegrationChanged, variables).subscribe(() => {}),
    client.subscription(SyncStateChanged, variables).subscribe(() => {}),
  ];
  function end() {
    for (const { unsubscribe } of ends) unsubscribe();
  }
  return { shown: () => shown, end };
}

const connected = { integrationChanged: { __typename: "IntegrationChange", integrationId: "1", integration } };
const changed = (status: string) => ({ syncStateChanged: state(status) });
const deleted = { integrationChanged: { __typename: "IntegrationChange", integrationId: "1", integration: null } };
const known = (status: string) => gallery({ ...integration, syncState: state(status) });

/** What useCatchUp does. */
const readAgain = ({ client }: Server) => client.query(Gallery, variables, { requestPolicy: "network-only" }).subscribe(() => {});

test("an answer does not undo what was told while it was on its way", async () => {
  const s = server();
  const page = show(s);
  await s.answer(known("IDLE"));
  const reading = readAgain(s);
  await s.tell(changed("RUNNING"));
  await s.answer(known("IDLE"));
  assert.deepEqual(page.shown(), ["clickup RUNNING"]);
  assert.equal(s.open(), 0);

  // What is asked for after it was told is newer; and of two requests the older one may be answered last.
  const [older, newer] = [readAgain(s), readAgain(s)];
  await s.answer(known("SUCCESS"));
  assert.deepEqual(page.shown(), ["clickup SUCCESS"]);
  await s.tell(changed("ERROR"));
  await s.answer(known("SUCCESS"));
  assert.deepEqual(page.shown(), ["clickup ERROR"]);
  for (const { unsubscribe } of [reading, older, newer]) unsubscribe();
  page.end();
});

test("an answer without what was connected meanwhile, or with what was deleted, is asked for again", async () => {
  const s = server();
  const page = show(s);
  await s.tell(connected);
  await s.answer(gallery());
  assert.equal(s.open(), 1);
  await s.answer(known("IDLE"));
  assert.deepEqual([page.shown(), s.open()], [["clickup IDLE"], 0]);
  page.end();

  const other = server();
  const another = show(other);
  await other.tell(deleted);
  await other.answer(known("IDLE"));
  assert.equal(other.open(), 1);
  await other.answer(gallery());
  assert.deepEqual([another.shown(), other.open()], [[], 0]);
  another.end();
});

test("an answer with an integration that was deleted meanwhile is asked for again, whatever else it is of", async () => {
  const s = server();
  const page = show(s);
  await s.answer(gallery());
  let found: unknown;
  const one = s.client.query(OneIntegration, {}).subscribe(({ data }) => (found = data?.integrationById));
  await s.tell(deleted);
  await s.answer({ integrationById: { __typename: "PublicIntegration", id: "1", name: "clickup" } });
  await s.answer(gallery()); // which was forgotten with it
  await s.answer({ integrationById: null });
  assert.deepEqual([found, s.open()], [null, 0]);
  one.unsubscribe();
  page.end();
});

test("an answer that has what is told of is not asked for again", async () => {
  const s = server();
  const page = show(s);
  await s.tell({ integrationChanged: { ...connected.integrationChanged, integration: { ...integration, displayName: "Renamed" } } });
  await s.answer(known("IDLE"));
  assert.deepEqual([page.shown(), s.open()], [["clickup IDLE"], 0]);
  page.end();
});

test("a run that has ended in an answer stays so", async () => {
  const s = server();
  const page = show(s);
  await s.tell({ syncStateChanged: { ...state("RUNNING"), currentRun: run } });
  let status: unknown;
  const drawer = s.client.query(CancelledRun, {}).subscribe(({ data }) => (status = data?.syncRun?.status));
  await s.tell({ syncStateChanged: { ...state("RUNNING"), currentRun: { ...run, processed: 1 } } });
  await s.answer(known("RUNNING"));
  await s.answer({ syncRun: { __typename: "SyncRun", id: "r", status: "CANCELLED", finishedAt: "2026-01-01T00:00:00Z" } });
  assert.equal(status, "CANCELLED");
  drawer.unsubscribe();
  page.end();
});

test("what was told with fewer fields than are asked for leaves them", async () => {
  const s = server();
  const page = show(s);
  await s.answer(known("IDLE"));
  const reading = readAgain(s);
  await s.tell({ syncStateChanged: { ...state("RUNNING"), currentRun: { __typename: "SyncRun", id: "r", status: "RUNNING" } } });
  await s.answer(gallery({ ...integration, syncState: { ...state("IDLE"), currentRun: { ...run, id: "before" } } }));
  assert.deepEqual(page.shown(), ["clickup RUNNING"]);
  reading.unsubscribe();
  page.end();
});

test("what subscriptions do not tell of is not asked for again", async () => {
  const s = server();
  const page = show(s);
  await s.answer(gallery());
  const structure = s.client.query(Structure, { id: "1" }).subscribe(() => {});
  await s.tell(connected);
  await s.answer({ externalStructure: [] });
  await s.answer(known("IDLE")); // the gallery, for what it did not know
  assert.equal(s.open(), 0, "it costs the provider's budget");
  structure.unsubscribe();
  page.end();
});
