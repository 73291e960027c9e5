import { type Client as Socket, createClient, type Sink, type SubscribePayload } from "graphql-ws";
import { Client, type CombinedError, fetchExchange, mapExchange, subscriptionExchange } from "urql";
import { cache } from "./cache";
import { link } from "./connection";
import { newsExchange } from "./news";
import { keepEnds } from "./runs/ends";

/** The browser's session, whose cookie says who asks, and whom to tell that it is over. */
export interface SignedIn {
  ended(): void;
  /** Calls back once somebody has signed in again; returns how not to. */
  back(callback: () => void): () => void;
}

// What the server closes a WebSocket with once nobody may use it: its key ended, or there was none.
const endings = new Set([4401, 4403]);
const ending = (reason: unknown) => reason instanceof CloseEvent && endings.has(reason.code);

/** How long to wait before trying again, in milliseconds: longer each time, and not all clients at once. */
const backOff = (failures: number) => Math.min(15_000, 500 * 2 ** Math.min(failures, 5)) * (0.5 + Math.random());
/** How long a ping may go without its answer, in milliseconds. */
const pongWithin = 5_000;

const codes = (errors: readonly { extensions?: { [name: string]: unknown } | undefined }[]) => errors.map(({ extensions }) => extensions?.code);
/** What was shown may not, or does not exist, any more. */
const withdrawn = ({ graphQLErrors }: CombinedError) => codes(graphQLErrors).some((code) => code === "NOT_FOUND" || code === "FORBIDDEN" || code === "UNAUTHENTICATED");
/** A subscription was refused for a reason that may pass. */
const passing = (reason: unknown) => !Array.isArray(reason) || codes(reason).every((code) => code === "INTERNAL" || code === "RATE_LIMITED");

/** How long a subscription may take to begin before what it would tell is asked for instead, in milliseconds. */
const beginsWithin = 3_000;
/** A subscription that lasted so long was no failure, in milliseconds. */
const wentWell = 30_000;
/** Whether a subscription tells first how things stand, and is over with what it tells of. Those of a project begin with silence. */
const followsRun = ({ query }: SubscribePayload) => query.includes("syncRunProgress");

let followed = 0; // subscriptions, whose ids these are

/** Makes the client of one principal: what another one sees is not kept in it. Call close at the end. */
export function connect(session: SignedIn): { client: Client; close(): void } {
  let unanswered: ReturnType<typeof setTimeout> | undefined;
  const ids = new WeakMap<SubscribePayload, string>();
  const socket: Socket = createClient({
    url: () => `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql`,
    lazyCloseTimeout: 5_000, // from one page to the next
    generateID: (payload) => ids.get(payload) ?? "",
    keepAlive: 20_000,
    retryAttempts: Infinity,
    shouldRetry: (reason) => !ending(reason),
    retryWait: (retries) => new Promise((resolve) => setTimeout(resolve, backOff(retries))),
    on: {
      connected: () => link.streams(true),
      // A connection that is dead without a word is noticed by ours alone. The server's say which subscription has begun.
      ping: (received, payload) => {
        if (!received) unanswered = setTimeout(() => socket.terminate(), pongWithin);
        else if (typeof payload?.subscribed === "string") link.begins(payload.subscribed);
      },
      pong: (received) => {
        if (received) clearTimeout(unanswered);
      },
      closed: (event) => {
        clearTimeout(unanswered);
        if (ending(event)) session.ended();
        if ((event as { code: number }).code !== 1000) link.streams(false);
      },
    },
  });

  const mend = keepEnds();
  const known = new Map<number, unknown>(); // the last answer to each operation
  const lost = new Set<number>(); // operations that are asked again for want of their answer
  const client = new Client({
    url: "/graphql",
    preferGetMethod: false,
    requestPolicy: "cache-and-network",
    fetch: async (input, init) => {
      const headers = new Headers(init?.headers);
      headers.set("Accept", "application/graphql-response+json, application/json;q=0.9");
      try {
        const response = await fetch(input, {
          ...init,
          headers,
          credentials: "same-origin",
          cache: "no-store",
          redirect: "error",
        });
        link.answered(true);
        return response;
      } catch (error) {
        if (!(error instanceof DOMException && error.name === "AbortError")) link.answered(false);
        throw error;
      }
    },
    exchanges: [
      mapExchange({
        onError(error, operation) {
          if (!codes(error.graphQLErrors).includes("UNAUTHENTICATED")) return;
          session.ended();
          // What was asked in vain is asked again with the next session.
          if (operation.kind !== "query") return;
          session.back(() => client.reexecuteOperation(client.createRequestOperation("query", operation, { ...operation.context, requestPolicy: "network-only" })));
        },
        // What is known stays in sight where nothing better comes.
        onResult(result) {
          const { operation, error, data } = result;
          const { key, kind, context } = operation;
          if (kind !== "query" || (!error && context.requestPolicy === "cache-only")) return result;
          if (data) {
            known.set(key, data);
            lost.delete(key);
            return result;
          }
          if (error && withdrawn(error)) known.delete(key);
          // The cache was made to forget the answer while it was on its way.
          if (!error && !lost.has(key)) {
            lost.add(key);
            client.reexecuteOperation(client.createRequestOperation("query", operation, { ...context, requestPolicy: "network-only" }));
          }
          return { ...result, data: known.get(key) };
        },
      }),
      cache,
      mapExchange({ onResult: ({ data }) => mend(data) }),
      newsExchange,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe(sink) {
            const payload: SubscribePayload = { query: query ?? "", variables: variables as Record<string, unknown> };
            const id = String(++followed);
            ids.set(payload, id);
            return { unsubscribe: follow(socket, session, payload, id, sink as Sink) };
          },
        }),
      }),
    ],
  });
  return { client, close: () => void socket.dispose() };
}

/** Subscribes for as long as it is wanted: what is refused or ends is asked for again, with the next session or after a while. Returns how to end it. */
function follow(socket: Socket, session: SignedIn, payload: SubscribePayload, id: string, sink: Sink): () => void {
  const ofRun = followsRun(payload);
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let end = () => {};
  function again() {
    link.lacks(id);
    timer = setTimeout(begin, backOff(failures++));
  }
  function begin() {
    const since = performance.now();
    end = socket.subscribe(payload, {
      next: (answer) => {
        link.begins(id);
        sink.next(answer);
      },
      complete: () => {
        if (!ofRun) return again();
        link.drops(id); // the run has ended
        sink.complete();
      },
      error: (reason) => {
        if (performance.now() - since > wentWell) failures = 0;
        if (ending(reason)) {
          end = session.back(begin);
        } else if (passing(reason)) {
          again();
        } else {
          if (ofRun) link.drops(id); // there is no such run
          else link.lacks(id);
          sink.error(reason);
        }
      },
    });
  }
  link.asks(id, ofRun);
  const late = setTimeout(() => link.lapses(id), beginsWithin);
  begin();
  return () => {
    clearTimeout(late);
    clearTimeout(timer);
    link.drops(id);
    end();
  };
}
