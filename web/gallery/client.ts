import { createClient } from "graphql-ws";
import { Client, fetchExchange, mapExchange, subscriptionExchange } from "urql";
import { cache } from "./cache";
import { link } from "./connection";

/** The browser's session, whose cookie says who asks, and whom to tell that it is over. */
export interface SignedIn {
  ended(): void;
  /** Calls back once somebody has signed in again; returns how not to. */
  back(callback: () => void): () => void;
}

// What the server closes a WebSocket with once nobody may use it: its key ended, or there was none.
const endings = new Set([4401, 4403]);
const ending = (reason: unknown) => reason instanceof CloseEvent && endings.has(reason.code);
const longestWait = 15_000;

/** Makes the client of one principal: what another one sees is not kept in it. Call close at the end. */
export function connect(session: SignedIn): { client: Client; close(): void } {
  const socket = createClient({
    url: () => `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql`,
    lazyCloseTimeout: 5_000, // from one page to the next
    keepAlive: 20_000,
    retryAttempts: Infinity,
    shouldRetry: (reason) => !ending(reason),
    retryWait: (retries) => {
      const wait = Math.min(longestWait, 500 * 2 ** Math.min(retries, 5));
      return new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())));
    },
    on: {
      connected: () => link.streams(true),
      closed: (event) => {
        if (!(event instanceof CloseEvent)) return;
        if (ending(event)) session.ended();
        if (event.code !== 1000) link.streams(false);
      },
    },
  });

  const known = new Map<number, unknown>(); // the last answer to each operation
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
          if (!error.graphQLErrors.some(({ extensions }) => extensions.code === "UNAUTHENTICATED")) return;
          session.ended();
          // What was asked in vain is asked again with the next session.
          if (operation.kind !== "query") return;
          session.back(() => client.reexecuteOperation(client.createRequestOperation("query", operation, { ...operation.context, requestPolicy: "network-only" })));
        },
        // Without the server, what is known stays in sight.
        onResult(result) {
          const { operation, error, data } = result;
          if (operation.kind !== "query") return result;
          if (data) known.set(operation.key, data);
          return error?.networkError ? { ...result, data: known.get(operation.key) } : result;
        },
      }),
      cache,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: (sink) => {
            let end: () => void;
            const begin = () => {
              end = socket.subscribe(
                { query: query ?? "", variables: variables as Record<string, unknown> },
                {
                  next: (answer) => sink.next(answer as Parameters<typeof sink.next>[0]),
                  complete: () => sink.complete(),
                  // It goes on with the next session.
                  error: (reason) => (ending(reason) ? void (end = session.back(begin)) : sink.error(reason)),
                },
              );
            };
            begin();
            return { unsubscribe: () => end() };
          },
        }),
      }),
    ],
  });
  return { client, close: () => void socket.dispose() };
}
