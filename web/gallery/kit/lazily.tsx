import { type ComponentType, lazy } from "react";
import { link } from "../connection";

type Load<P> = () => Promise<{ default: ComponentType<P> }>;

/**
 * A part of the pages that is loaded when it is needed, or before by load. While the server cannot be reached that is tried again;
 * what failed otherwise, as a part of a newer version does, is tried when it is needed the next time.
 */
export function lazily<P extends object>(load: Load<P>) {
  const begin = () =>
    lazy(() =>
      retrying(load).catch((error: unknown) => {
        Part = begin();
        throw error;
      }),
    );
  let Part = begin();
  return Object.assign((props: P) => <Part {...props} />, { load });
}

async function retrying<P>(load: Load<P>): ReturnType<Load<P>> {
  for (let tries = 1; ; tries++) {
    try {
      return await load();
    } catch (error) {
      if (tries >= 4 && link.state !== "offline") throw error;
      await new Promise((resolve) => setTimeout(resolve, 1_000 * Math.min(tries, 3)));
    }
  }
}
