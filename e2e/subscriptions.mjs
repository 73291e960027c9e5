// Follows a run with one of the clients that people use, from where it stands to its end. Go plays the workers.
import { Client as Urql, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient as createSSE } from "graphql-sse";
import { createClient as createWS } from "graphql-ws";
import WebSocket from "ws";
import { ask, check, equal } from "./browser/browser.mjs";

const { CLIENT, PATCHBAY_URL, API_KEY, SHORT_KEY, RUN } = process.env;
const url = `${PATCHBAY_URL}/graphql`;
const headers = (key) => (key ? { Authorization: `Bearer ${key}` } : {});

/** A graphql-ws that shows its key as programs can, or as browsers have to. */
function webSocket(key, inHeader) {
  class WithKey extends WebSocket {
    constructor(address, protocols) {
      super(address, protocols, { headers: inHeader ? headers(key) : {} });
    }
  }
  return createWS({
    url: url.replace("http", "ws"),
    webSocketImpl: WithKey,
    connectionParams: inHeader ? undefined : headers(key),
    retryAttempts: Infinity,
    retryWait: pause,
    shouldRetry: () => true, // in Node.js a server that is not back yet is an error of another type
  });
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 200));

/** Each client: subscribes, hands on what it gets, and returns how to stop. */
const clients = {
  "graphql-sse": (key) => plain(createSSE({ url, headers: headers(key), retryAttempts: Infinity, retry: pause })),
  "graphql-ws": (key) => plain(webSocket(key, true)),
  "graphql-ws-init": (key) => plain(webSocket(key, false)),
  "urql-sse": (key) => urql(new Urql({ url, preferGetMethod: false, fetchOptions: { headers: headers(key) }, fetchSubscriptions: true, exchanges: [fetchExchange] })),
  "urql-ws": (key) => {
    const socket = webSocket(key, true);
    const forwardSubscription = ({ query, variables }) => ({
      subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
    });
    return urql(new Urql({ url, preferGetMethod: false, exchanges: [subscriptionExchange({ forwardSubscription })] }));
  },
};
// urql ends a subscription with its connection: to subscribe again is the application's.
const reconnects = !CLIENT.startsWith("urql-sse");

function plain(client) {
  return (query, variables, heard) =>
    client.subscribe({ query, variables }, { next: heard.next, error: heard.error, complete: heard.complete });
}

function urql(client) {
  return (query, variables, heard) => {
    const { unsubscribe } = client.subscription(query, variables).subscribe(({ data, error }) => {
      if (error) heard.error(error.graphQLErrors.length > 0 ? error.graphQLErrors : error);
      else heard.next({ data });
    });
    return unsubscribe;
  };
}

/** Subscribes and queues what comes, so that a check can wait for it. */
function follow(key, variables = { run: RUN }) {
  const query = "subscription Progress($run: UUID!) { syncRunProgress(runId: $run) { status processed total } }";
  const queue = [];
  let wake = () => {};
  const put = (event) => {
    queue.push(event);
    wake();
  };
  const stop = clients[CLIENT](key)(query, variables, {
    next: (result) => put(result.errors ? { errors: codes(result.errors) } : { run: result.data.syncRunProgress }),
    error: (error) => put({ errors: codes(error) }),
    complete: () => put({ complete: true }),
  });
  const next = async () => {
    while (queue.length === 0) {
      const late = new Promise((_, reject) => setTimeout(() => reject(new Error("nothing came within 20 s")), 20_000).unref());
      await Promise.race([new Promise((resolve) => (wake = resolve)), late]);
    }
    return queue.shift();
  };
  return { next, stop };
}

/** What an error says, however a client hands it on: GraphQL's errors, a closed WebSocket, or something thrown. */
function codes(error) {
  if (Array.isArray(error)) return error.map(({ extensions }) => extensions?.code);
  if (typeof error.code === "number") return [`closed ${error.code}`];
  if (error.networkError?.code) return [`closed ${error.networkError.code}`];
  return [String(error.networkError?.message ?? error.message ?? error)];
}

const at = (status, processed) => ({ run: { status, processed, total: status === "PENDING" ? null : 9 } });
const overSocket = CLIENT.includes("ws");

try {
  const progress = follow(API_KEY);
  await check("the first message is where the run stands", async () => equal(await progress.next(), at("PENDING", 0), "it"));
  await check("it advances", async () => {
    await ask("advance");
    equal(await progress.next(), at("RUNNING", 1), "the run");
    await ask("advance");
    equal(await progress.next(), at("RUNNING", 2), "the run");
  });
  await check("what happened while the server could not hear is told afterwards", async () => {
    await ask("advance quietly");
    await ask("cut");
    equal(await progress.next(), at("RUNNING", 3), "the run");
  });
  let last = progress;
  if (reconnects) {
    await check("the client connects again after the server has ended", async () => {
      await ask("restart");
      equal(await progress.next(), at("RUNNING", 3), "the run");
    });
  }
  await check("a revoked key ends its subscription", async () => {
    const short = follow(SHORT_KEY);
    equal(await short.next(), at("RUNNING", 3), "the run");
    await ask("revoke");
    equal(await short.next(), { errors: [overSocket ? "closed 4401" : "UNAUTHENTICATED"] }, "what comes");
    short.stop();
  });
  await check("what is not there cannot be followed", async () => {
    const other = follow(API_KEY, { run: process.env.PROJECT });
    equal(await other.next(), { errors: ["NOT_FOUND"] }, "what comes");
    other.stop();
  });
  await check("strangers cannot follow anything", async () => {
    const stranger = follow(null);
    equal(await stranger.next(), { errors: [overSocket ? "closed 4401" : "UNAUTHENTICATED"] }, "what comes");
    stranger.stop();
  });
  await check("the last message is the run's end", async () => {
    await ask("finish");
    equal(await last.next(), at("SUCCESS", 9), "the run");
    if (!CLIENT.startsWith("urql")) equal(await last.next(), { complete: true }, "what comes then");
    last.stop();
  });
} catch {
  process.exitCode = 1; // check has said why
}
process.exit();
