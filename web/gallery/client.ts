import { type Client as Socket, createClient, type Sink, type SubscribePayload } from "graphql-ws";
import { Client, type CombinedError, fetchExchange, mapExchange, subscriptionExchange } from "urql";
import { cache } from "./cache";
import { link } from "./connection";
import { codes } from "./errors";
import { backOff, ending, Following, type SignedIn } from "./follow";
import { newsExchange } from "./news";
import { keepEnds } from "./runs/ends";

/** How long a ping may go without its answer, in milliseconds. */
const pongWithin = 5_000;

/** What was shown may not, or does not exist, any more. */
const withdrawn = ({ graphQLErrors }: CombinedError) => codes(graphQLErrors).some((code) => code === "NOT_FOUND" || code === "FORBIDDEN" || code === "UNAUTHENTICATED");

let followed = 0; // subscriptions, whose ids these are

/** Makes the client of one principal: what another one sees is not kept in it. Call close at the end. */
export function connect(session: SignedIn): { client: Client; close(): void } {
  let unanswered: ReturnType<typeof setTimeout> | undefined;
  const ids = new WeakMap<SubscribePayload, string>();
  let closed = false;
  const socket: Socket = createClient({
    url: () => `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql`,
    lazyCloseTimeout: 5_000, // from one page to the next
    generateID: (payload) => ids.get(payload) ?? "",
    keepAlive: 20_000,
    retryAttempts: Infinity,
    shouldRetry: (reason) => !ending(reason),
    retryWait: (retries) => new Promise((resolve) => setTimeout(resolve, backOff(retries))),
    on: {
      connected: () => closed || link.answered(true),
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
        if (closed) return;
        if (ending(event)) session.ended();
        link.lost();
      },
    },
  });

  const mend = keepEnds();
  const known = new Map<number, unknown>(); // the last answer to each operation
  const failed = new Map<number, CombinedError>(); // what the server said last, where it was no answer: the cache does not know
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
          const { operation, data } = result;
          const { key, kind, context } = operation;
          if (kind !== "query" || (!result.error && context.requestPolicy === "cache-only")) return result;
          const error = result.error ?? failed.get(key);
          if (data) {
            known.set(key, data);
            lost.delete(key);
            return { ...result, ...(error && { error }) };
          }
          if (error && withdrawn(error)) known.delete(key);
          // The cache was made to forget the answer while it was on its way.
          if (!error && !lost.has(key)) {
            lost.add(key);
            client.reexecuteOperation(client.createRequestOperation("query", operation, { ...context, requestPolicy: "network-only" }));
          }
          return { ...result, ...(error && { error }), data: known.get(key) };
        },
      }),
      cache,
      mapExchange({
        onResult({ operation: { kind, key }, data, error }) {
          mend(data);
          if (kind === "query" && error) failed.set(key, error);
          else failed.delete(key);
        },
      }),
      newsExchange,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe(sink) {
            const payload: SubscribePayload = { query: query ?? "", variables: variables as Record<string, unknown> };
            const id = String(++followed);
            ids.set(payload, id);
            const following = new Following(socket, session, link, payload, id, sink as Sink);
            return { unsubscribe: () => following.end() };
          },
        }),
      }),
    ],
  });
  function close() {
    closed = true;
    void socket.dispose();
  }
  return { client, close };
}
