import { useEffect, useRef, useSyncExternalStore } from "react";

/**
 * Whether what the page shows is kept true: by subscriptions, by asking every few seconds while those cannot be had, or not
 * at all while the server cannot be reached or nobody is signed in.
 */
export type Connection = "live" | "polling" | "offline" | "signed-out";

/** How often is asked while nothing is told, in milliseconds. */
const pollEvery = 5_000;

/** Knows how the server can be reached, by what came of trying. */
export class Link {
  private signedIn = true;
  private reachable = true;
  private streaming = true; // until it turns out otherwise
  private readonly subscriptions = new Map<string, "asked" | "begun" | "refused">();
  private missed = false; // something may have happened that nobody told
  /** How many times what nobody told is to be read, because all subscriptions that somebody wants have begun. */
  begun = 0;
  private readonly listeners = new Set<() => void>();

  get state(): Connection {
    if (!this.signedIn) return "signed-out";
    if (!this.reachable) return "offline";
    return this.streaming && !this.any("refused") ? "live" : "polling";
  }

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  /** A request was answered, or could not be sent. */
  answered(reachable: boolean) {
    this.set(() => (this.reachable = reachable));
  }

  /** The WebSocket is open, or was lost, and its subscriptions with it: they are asked for again. */
  streams(streaming: boolean) {
    this.set(() => {
      this.streaming = streaming;
      if (streaming) this.reachable = true;
      else for (const [id, standing] of this.subscriptions) if (standing === "begun") this.subscriptions.set(id, "asked");
    });
  }

  /** A subscription is wanted. */
  asks(id: string) {
    this.set(() => this.subscriptions.set(id, "asked"));
  }

  /** A subscription tells of all that happens from now on. */
  begins(id: string) {
    this.set(() => {
      if (!this.subscriptions.has(id)) return;
      this.subscriptions.set(id, "begun");
      this.missed = true;
    });
  }

  /** Whether a subscription has begun. */
  tells(id: string): boolean {
    return this.subscriptions.get(id) === "begun";
  }

  /** A subscription was refused, though the WebSocket is open. */
  refuses(id: string) {
    this.set(() => this.subscriptions.set(id, "refused"));
  }

  /** Nobody wants a subscription any more, or it is over. */
  drops(id: string) {
    this.set(() => this.subscriptions.delete(id));
  }

  /** A session has begun, or is over. */
  signs(signedIn: boolean) {
    this.set(() => (this.signedIn = signedIn));
  }

  private any(standing: "asked" | "refused"): boolean {
    return [...this.subscriptions.values()].includes(standing);
  }

  private set(change: () => void) {
    const { state, begun } = this;
    change();
    if (this.missed && !this.any("asked") && !this.any("refused")) {
      this.missed = false;
      this.begun++;
    }
    if (this.state !== state || this.begun !== begun) for (const listener of this.listeners) listener();
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
 * Reads again what subscriptions keep true: every few seconds while there are none, and once when they have begun, for what was
 * missed until then.
 */
export function useCatchUp(read: () => void) {
  const live = useConnection() === "live";
  const begun = useSyncExternalStore(link.subscribe, () => link.begun);
  const latest = useRef(read);
  const caughtUp = useRef(begun);
  useEffect(() => {
    latest.current = read;
  });
  useEffect(() => {
    if (caughtUp.current === begun) return;
    caughtUp.current = begun;
    latest.current();
  }, [begun]);
  usePolling(read, pollEvery, !live);
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
