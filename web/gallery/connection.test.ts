import assert from "node:assert/strict";
import test from "node:test";
import { Link } from "./connection";

test("it is live only while everything is told", () => {
  const link = new Link();
  const told: string[] = [];
  link.subscribe(() => told.push(link.state));
  link.breaks("a", true); // refused, though the WebSocket is open
  link.breaks("b", true);
  link.breaks("a", false);
  link.breaks("b", false);
  link.streams(false);
  link.answered(false);
  link.streams(true);
  assert.deepEqual(told, ["polling", "live", "polling", "offline", "live"]);
});

test("each WebSocket that opens is told of, the first too", () => {
  const link = new Link();
  const told: number[] = [];
  link.subscribe(() => told.push(link.opened));
  link.answered(true);
  link.streams(true);
  link.streams(true);
  assert.deepEqual(told, [1, 2]);
});

test("without a session nothing else counts", () => {
  const link = new Link();
  link.signs(false);
  link.answered(false);
  assert.equal(link.state, "signed-out");
  link.signs(true);
  assert.equal(link.state, "offline");
});
