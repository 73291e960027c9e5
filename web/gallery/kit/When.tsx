import { useSyncExternalStore } from "react";
import { exact, relative } from "./words";

/** A time in words, with the exact one on hover. Keeps true while it is shown. */
export function When({ at }: { at: string }) {
  const now = useNow();
  const time = new Date(at);
  return (
    <time dateTime={at} title={exact(time)}>
      {relative(time, now)}
    </time>
  );
}

// One timer for the whole page.
const every = 15_000;
const listeners = new Set<() => void>();
let now = new Date();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void) {
  if (listeners.size === 0) {
    now = new Date();
    timer = setInterval(() => {
      now = new Date();
      for (const each of listeners) each();
    }, every);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) clearInterval(timer);
  };
}

/** The present, to a quarter of a minute. */
export function useNow(): Date {
  return useSyncExternalStore(subscribe, () => now);
}
