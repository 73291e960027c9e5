import { useEffect, useRef, useSyncExternalStore } from "react";

/**
 * Whether what the page shows is kept true: by subscriptions, by asking every few seconds while those cannot be had, or not
 * at all while the server cannot be reached.
 */
export type Connection = "live" | "polling" | "offline";

/** How often is asked while nothing is told, in milliseconds. */
const pollEvery = 5_000;

/** Knows how the server can be reached, by what came of trying. */
export class Link {
  private reachable = true;
  private streaming = true; // until it turns out otherwise
  private readonly listeners = new Set<() => void>();

  get state(): Connection {
    if (!this.reachable) return "offline";
    return this.streaming ? "live" : "polling";
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
      if (streaming) this.reachable = true;
    });
  }

  private set(change: () => void) {
    const before = this.state;
    change();
    if (this.state !== before) for (const listener of this.listeners) listener();
  }
}

export const link = new Link();

export function useConnection(): Connection {
  return useSyncExternalStore(link.subscribe, () => link.state);
}

/**
 * Reads again what a subscription keeps true, while there is none: every few seconds, and once when it is back, for what
 * was missed meanwhile.
 */
export function useCatchUp(read: () => void) {
  const connection = useConnection();
  const latest = useRef(read);
  const missed = useRef(false);
  useEffect(() => {
    latest.current = read;
  });
  useEffect(() => {
    if (connection === "live") {
      if (missed.current) latest.current();
      missed.current = false;
      return;
    }
    missed.current = true;
    const timer = setInterval(() => latest.current(), pollEvery);
    return () => clearInterval(timer);
  }, [connection]);
}
