import assert from "node:assert/strict";
import test from "node:test";
import { ended, endsSoon, expiry, grouped } from "./keys";
import type { ApiKey } from "./operations";

const now = new Date("2026-03-01T12:00:00Z");
const key = (id: string, more: Partial<ApiKey> = {}): ApiKey => ({
  id, name: id, prefix: "pb_abcdefgh", role: "ADMIN", projectIds: null, sessionOf: null, createdBy: "operator",
  createdAt: "2026-01-01T00:00:00Z", expiresAt: null, lastUsedAt: null, revokedAt: null, ...more,
});

test("keys, sessions and what has ended are told apart, the newest first", () => {
  const keys = [
    key("a"),
    key("b", { sessionOf: "jane", expiresAt: "2026-03-01T13:00:00Z" }),
    key("c", { expiresAt: "2026-03-01T12:00:00Z" }),
    key("d", { sessionOf: "jane", revokedAt: "2026-02-01T00:00:00Z" }),
    key("e"),
  ];
  const { keys: live, sessions, ended: over } = grouped(keys, now);
  assert.deepEqual([live, sessions, over].map((group) => group.map(({ id }) => id)), [["e", "a"], ["b"], ["d", "c"]]);
});

test("a key that was revoked before it expired was revoked", () => {
  assert.deepEqual(ended(key("a", { revokedAt: "2026-02-01T00:00:00Z", expiresAt: "2026-02-02T00:00:00Z" }), now), { how: "Revoked", at: "2026-02-01T00:00:00Z" });
  assert.equal(ended(key("a"), now), null);
});

test("a week is soon", () => {
  assert.deepEqual(["2026-03-08T11:59:59Z", "2026-03-08T12:00:00Z", null].map((expiresAt) => endsSoon({ expiresAt }, now)), [true, false, false]);
});

test("a key lasts as long as was chosen", () => {
  assert.equal(expiry("90", "", now)?.toISOString(), "2026-05-30T12:00:00.000Z");
  assert.equal(expiry("never", "2027-01-01", now), null);
  assert.equal(expiry("date", "2027-01-31", now)?.getDate(), 31); // by the reader's clock
  assert.ok(Number.isNaN(expiry("date", "", now)?.getTime()));
});
