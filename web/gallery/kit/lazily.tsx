import { type ComponentType, lazy } from "react";
import { link } from "../connection";
import { keep, kept } from "./kept";

type Load<P> = () => Promise<{ default: ComponentType<P> }>;

/** A part of the pages that cannot be had, not even by a page that was loaded anew. */
export class NotLoaded extends Error {
  override message = "A part of this page could not be loaded.";
}

/**
 * A part of the pages that is loaded when it is needed, or before by load. Browsers remember that they did not get a module, and
 * a server of a newer version has it no more: then the whole page is loaded anew, at the same address, as soon as the server can be
 * reached, and once.
 */
export function lazily<P extends object>(load: Load<P>) {
  const Part = lazy(() => loading(load));
  return Object.assign((props: P) => <Part {...props} />, { load });
}

/** A page that began so soon after another was given up is not given up, in milliseconds. */
const notAgainWithin = 60_000;
/** Under which name is kept when it was. */
const mark = "loaded-anew";

async function loading<P>(load: Load<P>): ReturnType<Load<P>> {
  try {
    return await load().catch(() => reachable().then(load)); // some browsers ask again
  } catch {
    const last = kept<{ at: number }>(mark)?.at ?? 0;
    if (performance.timeOrigin - last < notAgainWithin) throw new NotLoaded(); // this is the page that was loaded anew
    keep(mark, { at: Date.now() });
    if (!kept(mark)) throw new NotLoaded(); // the browser keeps nothing
    location.reload();
    await pause(5_000); // for whoever rather keeps what was typed
    throw new NotLoaded();
  }
}

/** Waits until something answers. */
async function reachable() {
  for (;;) {
    try {
      await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(5_000) });
      link.answered(true);
      return;
    } catch {
      link.answered(false);
      await pause(1_000);
    }
  }
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
