// What the unit tests use of Node.js; its own types would give the pages' code globals that browsers have not.
declare module "node:test" {
  export default function test(name: string, act: () => void | Promise<void>): void;
}
declare module "node:assert/strict" {
  const assert: {
    ok(value: unknown, message?: string): asserts value;
    equal(actual: unknown, expected: unknown, message?: string): void;
    deepEqual(actual: unknown, expected: unknown, message?: string): void;
    match(actual: string, expected: RegExp, message?: string): void;
    throws(act: () => void, expected?: RegExp): void;
  };
  export default assert;
}
