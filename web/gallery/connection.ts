import { useEffect, useRef, useSyncExternalStore } from "react";

/**
 * Whether what the page shows is kept true: by subscriptions, by asking every few seconds while those cannot be had, or not
 * at all while the server cannot be reached or nobody is signed in.
 */
export type Connection = "live" | "polling" | "offline" | "signed-out";

/** How often is asked while nothing is told, in milliseconds. */
const pollEvery = 5_000;
/** How long after a WebSocket has opened its subscriptions are taken to be established, in milliseconds. */
const establishedAfter = 1_000;

/** Knows how the server can be reached, by what came of trying. */
export class Link {
  private signedIn = true;
  private reachable = true;
  private streaming = true; // until it turns out otherwise
  private readonly broken = new Set<unknown>();
  /** How many WebSockets have opened. */
  opened = 0;
  private readonly listeners = new Set<() => void>();

  get state(): Connection {
    if (!this.signedIn) return "signed-out";
    if (!this.reachable) return "offline";
    return this.streaming && this.broken.size === 0 ? "live" : "polling";
  }

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  /** A request was answered, or could not be sent. */
  answered(reachable: boolean) {
    this.set(() => (this.reachable = reachable));
  }

  /** The WebSocket is open, or was lost. */
  streams(streaming: boolean) {
    this.set(() => {
      this.streaming = streaming;
      if (!streaming) return;
      this.reachable = true;
      this.opened++;
    });
  }

  /** A subscription was refused, though the WebSocket is open; or it goes on, or nobody wants it any more. */
  breaks(subscription: unknown, broken: boolean) {
    this.set(() => (broken ? this.broken.add(subscription) : this.broken.delete(subscription)));
  }

  /** A session has begun, or is over. */
  signs(signedIn: boolean) {
    this.set(() => (this.signedIn = signedIn));
  }

  private set(change: () => void) {
    const { state, opened } = this;
    change();
    if (this.state !== state || this.opened !== opened) for (const listener of this.listeners) listener();
  }
}

export const link = new Link();

export function useConnection(): Connection {
  return useSyncExternalStore(link.subscribe, () => link.state);
}

/** Acts every so many milliseconds: while that is wanted, somebody is signed in, and the page is in sight. */
export function usePolling(act: () => void, every: number, wanted = true) {
  const latest = useRef(act);
  useEffect(() => {
    latest.current = act;
  });
  useEffect(() => {
    if (!wanted) return;
    const timer = setInterval(() => {
      if (!document.hidden && link.state !== "signed-out") latest.current();
    }, every);
    return () => clearInterval(timer);
  }, [every, wanted]);
}

/**
 * Reads again what a subscription keeps true, while there is none: every few seconds, and once when there is one, the first too,
 * for what was missed until then: it begins with silence. While a run is shown as live, now and then too: an answer that was on its
 * way may undo what was told of its end.
 */
export function useCatchUp(read: () => void, running = false) {
  const live = useConnection() === "live";
  const opened = useSyncExternalStore(link.subscribe, () => link.opened);
  const latest = useRef(read);
  const caughtUp = useRef<number | null>(opened); // with which WebSocket
  useEffect(() => {
    latest.current = read;
  });
  useEffect(() => {
    if (!live) caughtUp.current = null;
    if (!live || caughtUp.current === opened) return;
    const timer = setTimeout(() => {
      caughtUp.current = opened;
      latest.current();
    }, establishedAfter);
    return () => clearTimeout(timer);
  }, [live, opened]);
  usePolling(read, live ? 2 * pollEvery : pollEvery, !live || running);
}

/** How long is rested after acting on a change, in milliseconds. */
const restFor = 3_000;

/** Acts once something has become another than it was: at once, or a few seconds after the last time where it changes all the time. */
export function useWhenChanged(what: string, act: () => void) {
  const seen = useRef(what);
  const acted = useRef(-Infinity);
  const look = () => {
    const now = performance.now();
    if (seen.current === what || document.hidden || now - acted.current < restFor) return;
    seen.current = what;
    acted.current = now;
    act();
  };
  useEffect(look);
  usePolling(look, 500);
}
