import assert from "node:assert/strict";
import test from "node:test";
import type { Sink, SubscribePayload } from "graphql-ws";
import { Link } from "./connection";
import { Following } from "./follow";

const project: SubscribePayload = { query: "subscription { syncStateChanged { id } }" };
const run: SubscribePayload = { query: "subscription { syncRunProgress { id } }" };
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A WebSocket as graphql-ws has it: who unsubscribes is told that it is complete. */
function server() {
  const subscribers: Sink[] = [];
  let asked = 0;
  const socket = {
    subscribe(_: SubscribePayload, sink: unknown) {
      asked++;
      subscribers.push(sink as Sink);
      let over = false;
      return () => {
        if (over) return;
        over = true;
        subscribers.splice(subscribers.indexOf(sink as Sink), 1);
        void Promise.resolve().then(() => (sink as Sink).complete());
      };
    },
  };
  const session = { ended() {}, back: () => () => {} };
  const heard: unknown[] = [];
  const sink: Sink = { next: (value) => heard.push(value), error: (reason) => heard.push(reason), complete: () => heard.push("complete") };
  const link = new Link();
  return {
    link,
    heard,
    asked: () => asked,
    /** Ends them as the server does. */
    end: (act: (sink: Sink) => void) => subscribers.splice(0).forEach(act),
    follow: (payload: SubscribePayload) => new Following(socket, session, link, payload, "1", sink),
  };
}
const refused = (code: string) => (sink: Sink) => sink.error([{ extensions: { code } }]);

test("what nobody wants any more is over for good", async () => {
  const s = server();
  for (const payload of [project, run]) s.follow(payload).end();
  const refusedBefore = s.follow(project);
  s.end(refused("INTERNAL"));
  assert.equal(s.link.state, "polling");
  refusedBefore.end();
  await pause(1_000); // longer than it waits the first time
  assert.deepEqual([s.asked(), s.heard, s.link.state], [3, [], "live"]);
});

test("a project's is asked for again, however it ended", async () => {
  for (const ends of [refused("INTERNAL"), refused("NOT_FOUND"), (sink: Sink) => sink.complete()]) {
    const s = server();
    const following = s.follow(project);
    s.end(ends);
    assert.equal(s.link.state, "polling");
    await pause(1_000);
    assert.equal(s.asked(), 2);
    s.link.begins("1");
    assert.deepEqual([s.heard, s.link.state], [[], "live"]);
    following.end();
  }
});

test("a run's is over with the run, and where there is none", async () => {
  for (const ends of [refused("NOT_FOUND"), (sink: Sink) => sink.complete()]) {
    const s = server();
    s.follow(run);
    s.end(ends);
    await pause(1_000);
    assert.deepEqual([s.asked(), s.heard.length, s.link.state], [1, 1, "live"]);
  }
});
