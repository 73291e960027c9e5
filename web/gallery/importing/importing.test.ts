import assert from "node:assert/strict";
import test from "node:test";
import { complaint, kinds, ownOptions } from "./options";
import type { Node, PastRun } from "./operations";
import { expected } from "./pace";
import { refusal } from "./refusal";
import { matches, rowsOf } from "./rows";
import { outcome } from "./run";
import { all, choose, resolve, same, smallest, status, summarise, toggle } from "./selection";
import { build, type Place, type Structure } from "./structure";

function node(externalId: string, parentExternalId: string | null, kind: string, over: Partial<Node> = {}): Node {
  return { externalId, parentExternalId, kind, name: externalId, selectable: true, archived: false, itemCount: null, ...over };
}

const structure = build([
  node("w", null, "workspace", { name: "Acme" }),
  node("product", "w", "space", { name: "Product" }),
  node("plans", "product", "folder", { name: "Plans" }),
  node("roadmap", "plans", "list", { name: "Roadmap", itemCount: 1020 }),
  node("archive", "plans", "list", { name: "Archive", itemCount: 3100, archived: true }),
  node("bugs", "product", "list", { name: "Bugs", itemCount: 7 }),
  node("sales", "w", "space", { name: "Sales", archived: true }),
  node("leads", "sales", "list", { name: "Product leads" }),
]);

const at = (id: string): Place => {
  const place = structure.byId.get(id);
  if (!place) throw new Error(id);
  return place;
};
const chosen = (...ids: string[]) => resolve(structure, ids).chosen;

test("a hierarchy knows what is below, how much that is, and what is archived with something above it", () => {
  assert.deepEqual(structure.units.map(({ id }) => id), ["roadmap", "archive", "bugs", "leads"]);
  assert.deepEqual([at("plans").items, at("product").items, at("sales").items, at("w").items], [4120, 4127, null, 4127]);
  assert.deepEqual([at("archive").shelved, at("leads").shelved, at("bugs").shelved], [true, true, false]);
});

test("what names no known parent, or comes twice, does no harm", () => {
  const odd = build([node("b", "a", "list"), node("a", "b", "list"), node("b", null, "space"), node("c", "c", "list")]);
  assert.deepEqual(odd.roots.map(({ id }) => id), ["b", "c"]);
  assert.deepEqual(odd.units.map(({ id }) => id), ["a", "c"]);
});

test("a place that is selected includes all below it", () => {
  assert.ok(same(chosen("product"), new Set(["roadmap", "archive", "bugs"])));
  assert.deepEqual(["w", "product", "plans", "sales", "leads"].map((id) => status(structure, at(id), chosen("product"))), ["some", "all", "all", "none", "none"]);
});

test("the fewest ids are sent, and everything is null", () => {
  assert.deepEqual(smallest(structure, chosen("roadmap", "archive", "bugs")), ["product"]);
  assert.deepEqual(smallest(structure, chosen("archive", "roadmap", "leads")), ["plans", "sales"]);
  assert.deepEqual(smallest(structure, chosen()), []);
  assert.equal(smallest(structure, chosen("product", "sales")), null);
  assert.equal(smallest(structure, all(structure)), null);
  const given = chosen("bugs", "plans", "roadmap");
  assert.ok(same(chosen(...(smallest(structure, given) ?? [])), given));
});

test("what may not be named is selected by what is below it", () => {
  const grouped = build([
    node("g", null, "group", { selectable: false }),
    node("a", "g", "list"),
    node("b", "g", "list"),
    node("x", "g", "note", { selectable: false }),
    node("h", null, "group"),
    node("y", "h", "note", { selectable: false }),
  ]);
  assert.deepEqual(grouped.units.map(({ id }) => id), ["a", "b", "h"]);
  assert.deepEqual(smallest(grouped, new Set(["a", "b"])), ["a", "b"]);
  assert.equal(status(grouped, grouped.byId.get("g") as Place, new Set(["a", "b"])), "all");
});

test("a toggle completes what is selected in part, and empties what is selected", () => {
  const whole = toggle(structure, chosen("bugs"), at("product"));
  assert.deepEqual(smallest(structure, whole), ["product"]);
  assert.deepEqual(smallest(structure, toggle(structure, whole, at("plans"))), ["bugs"]);
  assert.deepEqual(smallest(structure, choose(structure, chosen("leads"), [at("plans"), at("bugs")], true)), null);
  assert.equal(toggle(structure, whole, at("product")).size, 0);
});

test("a selection from before is found again, and what is gone of it is told", () => {
  assert.deepEqual(resolve(structure, ["plans", "gone"]), { chosen: new Set(["roadmap", "archive"]), lost: ["gone"] });
  assert.ok(same(resolve(structure, null).chosen, all(structure)));
});

test("what is selected is counted, without what the options leave out", () => {
  assert.deepEqual(summarise(structure, all(structure), true), { kinds: [["list", 4]], items: 4127, uncounted: 1, shelved: 0 });
  assert.deepEqual(summarise(structure, all(structure), false), { kinds: [["list", 2]], items: 1027, uncounted: 0, shelved: 2 });
});

const seen = (search: string, s: Structure = structure) => rowsOf(s, search, (place, onTheWay) => onTheWay || place.depth === 0).map(({ place }) => place.id);

test("a search shows what has every word, by its name or those above, and opens the way there", () => {
  assert.deepEqual(seen(""), ["w", "product", "sales"]);
  assert.deepEqual(seen("roadmap"), ["w", "product", "plans", "roadmap"]);
  assert.deepEqual(seen("PROD bug"), ["w", "product", "bugs"]);
  assert.deepEqual(seen("product"), ["w", "product", "sales", "leads"]);
  assert.deepEqual(seen("nothing"), []);
  assert.deepEqual(matches(structure, "product").map(({ id }) => id), ["product", "leads"]);
  assert.deepEqual(rowsOf(structure, "leads", () => true).map(({ position, among }) => [position, among]), [[1, 1], [1, 1], [1, 1]]);
});

test("thousands of places are quick", () => {
  const nodes = [node("w", null, "workspace")];
  for (let s = 0; s < 50; s++) {
    nodes.push(node(`s${s}`, "w", "space"));
    for (let l = 0; l < 200; l++) nodes.push(node(`s${s}l${l}`, `s${s}`, "list", { itemCount: 3 }));
  }
  const began = performance.now();
  const large = build(nodes);
  for (let i = 0; i < 10; i++) {
    const some = toggle(large, all(large), large.byId.get("s7l9") as Place);
    assert.equal(smallest(large, some)?.length, 49 + 199);
    assert.equal(summarise(large, some, false).items, 3 * 9_999);
    assert.equal(rowsOf(large, "l19", (_, onTheWay) => onTheWay).length, 1 + 50 + 50 * 11);
  }
  assert.ok(performance.now() - began < 10_000, "a change takes longer than a second"); // a fiftieth is usual; what looks at all places for each takes minutes
});

test("options are the settings' own unless they are changed", () => {
  const settingsSchema = { properties: { batch_size: { default: 100 }, import_completed_tasks: { default: false } } };
  const provider = { name: "clickup", displayName: "ClickUp", settingsSchema, capabilities: { supportsImport: true, supportsIncrementalSync: true } };
  assert.deepEqual(ownOptions({ settings: {}, provider }), { completed: false, archived: false, batchSize: 100 });
  assert.deepEqual(ownOptions({ settings: { batch_size: 250, import_completed_tasks: true }, provider }), { completed: true, archived: false, batchSize: 250 });
  assert.deepEqual(([9, 10, 1000, 1001, 10.5, ""] as const).map((n) => complaint(n) === null), [false, true, true, false, false, false]);
  assert.deepEqual([kinds(1, "list"), kinds(2, "list"), kinds(2, "repository"), kinds(2, "key"), kinds(1, "repository")], ["1 list", "2 lists", "2 repositories", "2 keys", "1 repository"]);
});

const none = { created: 0, updated: 0, unchanged: 0, deleted: 0, failed: 0 };

test("a run that has ended says what became of it, and why", () => {
  const of = (status: "SUCCESS" | "PARTIAL" | "ERROR" | "CANCELLED", error: string | null = null, failed = 0) =>
    outcome({ status, error, counts: [{ type: "TASK", ...none, failed }] });
  assert.equal(of("SUCCESS").words, "Import finished");
  assert.equal(of("PARTIAL", "3 items could not be imported: task 1 (gone)", 3).words, "3 items could not be imported");
  const refused = of("ERROR", "ClickUp answered 401 to GET /api/v2/team (PROVIDER_ERROR, auth_failed)");
  assert.deepEqual([refused.reason, refused.fix], ["ClickUp answered 401 to GET /api/v2/team. What was stored before stays.", true]);
  assert.equal(of("ERROR", "given up after 8 attempts without progress: no answer (PROVIDER_ERROR, unavailable)").fix, false);
  assert.equal(of("CANCELLED", "the integration was disabled").reason, "The integration was disabled. What was stored before stays.");
});

test("deletions that need a word are told from failures", () => {
  const error = "1 item could not be imported: task 1 (x); 3100 of 4200 objects were not found any more: nothing was marked as deleted; if they were deleted indeed, start a full run with confirmDeletions";
  const run = { status: "PARTIAL" as const, error, counts: [{ type: "TASK" as const, ...none, failed: 1 }] };
  assert.deepEqual(outcome(run).missing, { gone: 3100, covered: 4200 });
  assert.equal(outcome({ ...run, counts: [] }).words, "Import finished, and deletions need your word");
});

test("an import takes as long for each item as the latest full one, if that succeeded", () => {
  const run = (seconds: number, over: Partial<PastRun> = {}): PastRun => ({
    id: "1", mode: "FULL", status: "SUCCESS", startedAt: "2026-03-01T12:00:00Z", finishedAt: new Date(Date.UTC(2026, 2, 1, 12, 0, seconds)).toISOString(), ...over,
  });
  const of = (items: number, uncounted = 0) => ({ kinds: [], items, uncounted, shelved: 0 });
  const whole = of(9_240);
  assert.equal(expected(whole, of(4_620), [run(1, { mode: "INCREMENTAL" }), run(60), run(1)]), 120);
  for (const runs of [[], [run(60, { status: "CANCELLED" }), run(60)], [run(60, { status: "RUNNING", finishedAt: null })]]) assert.equal(expected(whole, whole, runs), null);
  for (const [chosen, then] of [[of(0), whole], [whole, of(923)], [of(9_240, 1), whole], [whole, of(9_240, 1)]] as const) assert.equal(expected(chosen, then, [run(60)]), null);
});

test("why the structure cannot be read says whether other settings help, and else when another try does", () => {
  const of = (code: string, more: object = {}, message = "clickUp answered 401") => {
    const graphQLErrors = [{ message, extensions: { code, ...more } }];
    const { words, trouble, fix } = refusal({ graphQLErrors } as unknown as Parameters<typeof refusal>[0], "ClickUp", new Date("2026-03-01T12:00:00Z"));
    return { words, fix, message: trouble.message };
  };
  const refused = of("PROVIDER_ERROR", { reason: "auth_failed" }, "ClickUp refused the credentials: it answered 401 to GET /user");
  assert.deepEqual([refused.words, refused.fix], ["ClickUp refused the credentials", true]);
  assert.match(refused.message, /revoked or expired\. It answered 401 to GET \/user\.$/);
  const limited = of("PROVIDER_ERROR", { reason: "rate_limited", retryAfterSeconds: 90 });
  assert.equal(limited.fix, false);
  assert.match(limited.message, /^It takes requests again at \d+[:.]01/);
  assert.equal(of("PROVIDER_ERROR", { reason: "rate_limited" }).message, "ClickUp answered 401.");
  assert.deepEqual([of("CREDENTIALS_UNREADABLE").fix, of("PROVIDER_ERROR", { reason: "unavailable" }).fix, of("INTERNAL").fix], [true, false, false]);
});
