import assert from "node:assert/strict";
import test from "node:test";
import { Link } from "./connection";

test("it is live only while everything is told", () => {
  const link = new Link();
  const told: string[] = [];
  link.subscribe(() => told.at(-1) !== link.state && told.push(link.state));
  for (const id of ["a", "b"]) link.asks(id, false);
  for (const id of ["a", "b"]) link.lacks(id); // refused, though the WebSocket is open
  link.begins("a");
  link.drops("b");
  link.lost();
  link.answered(false);
  link.answered(true);
  link.begins("a");
  link.asks("c", false);
  link.begins("c");
  for (const id of ["a", "c"]) link.lapses(id);
  link.asks("d", true);
  link.lapses("d");
  assert.deepEqual(told, ["polling", "live", "polling", "offline", "polling", "live", "polling"]);
});

test("what nobody told is read once all that is wanted is told", () => {
  const link = new Link();
  const after = (act: () => void) => {
    const { catchUps } = link;
    act();
    return link.catchUps - catchUps;
  };
  link.asks("a", false);
  link.asks("b", false);
  assert.equal(after(() => link.begins("a")), 0);
  assert.equal(after(() => link.begins("b")), 1);
  assert.equal(after(() => link.begins("b")), 0, "it is told all along");
  assert.equal(after(() => link.drops("b")), 0);
  link.asks("c", false);
  link.asks("d", false);
  assert.equal(after(() => link.begins("c")), 0);
  assert.equal(after(() => link.drops("d")), 1, "nobody waits for the other any more");
  link.asks("run", true);
  assert.equal(after(() => link.begins("run")), 0, "it tells from the start");
  // A WebSocket that is lost takes them with it.
  link.lost();
  link.begins("a");
  link.begins("run");
  assert.equal(after(() => link.begins("c")), 1);
  // One that is refused may yet begin.
  link.asks("e", false);
  link.lacks("e");
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
