import assert from "node:assert/strict";
import test from "node:test";
import { Link } from "./connection";

test("it is live only while everything is told", () => {
  const link = new Link();
  const told: string[] = [];
  link.subscribe(() => told.push(link.state));
  for (const id of ["a", "b"]) link.asks(id);
  for (const id of ["a", "b"]) link.refuses(id); // though the WebSocket is open
  link.begins("a");
  link.drops("b");
  link.streams(false);
  link.answered(false);
  link.streams(true);
  assert.deepEqual(told, ["polling", "live", "polling", "offline", "live"]);
});

test("what nobody told is read once all subscriptions have begun, and again after each that begins later", () => {
  const link = new Link();
  const after = (act: () => void) => {
    const { begun } = link;
    act();
    return link.begun - begun;
  };
  link.asks("a");
  link.asks("b");
  assert.equal(after(() => link.begins("a")), 0);
  assert.equal(after(() => link.begins("b")), 1);
  assert.equal(after(() => link.drops("b")), 0);
  link.asks("c");
  link.asks("d");
  assert.equal(after(() => link.begins("c")), 0);
  assert.equal(after(() => link.drops("d")), 1, "nobody waits for the other any more");
  // A WebSocket that is lost takes them with it.
  link.streams(false);
  assert.equal(after(() => link.streams(true)), 0);
  link.begins("a");
  assert.equal(after(() => link.begins("c")), 1);
  // One that is refused may yet begin.
  link.asks("e");
  link.refuses("e");
  assert.equal(after(() => link.begins("e")), 1);
  assert.equal(after(() => link.begins("unknown")), 0);
});

test("without a session nothing else counts", () => {
  const link = new Link();
  link.signs(false);
  link.answered(false);
  assert.equal(link.state, "signed-out");
  link.signs(true);
  assert.equal(link.state, "offline");
});
