import { type ComponentType, lazy } from "react";

type Load<P> = () => Promise<{ default: ComponentType<P> }>;

/** A page that was loaded anew is not loaded anew again for so long, in milliseconds. */
const trust = 60_000;

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * A part of the pages that is loaded when it is needed, or before by load. Browsers do not ask again for a module that they did
 * not get, and a server of a newer version has it no more: then the whole page is loaded anew, at the same address, once the
 * server can be reached.
 */
export function lazily<P extends object>(load: Load<P>) {
  const Part = lazy(() => load().catch(loadAnew));
  return Object.assign((props: P) => <Part {...props} />, { load });
}

/** Fails with the reason where that was in vain, or is not wanted. */
async function loadAnew(reason: unknown): Promise<never> {
  while (!(await reachable())) await pause(1_000);
  const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  if (navigation?.type === "reload" && performance.now() < trust) throw reason;
  location.reload();
  await pause(5_000); // for whoever rather keeps what was typed
  throw reason;
}

async function reachable(): Promise<boolean> {
  try {
    return (await fetch("/readyz", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
