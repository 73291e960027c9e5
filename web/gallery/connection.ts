import { useEffect, useRef, useSyncExternalStore } from "react";
import type { CombinedError } from "urql";
import { trouble } from "./errors";

/**
 * Whether what the page shows is kept true: by subscriptions, by asking every few seconds while those cannot be had, or not
 * at all while the server cannot be reached or nobody is signed in.
 */
export type Connection = "live" | "polling" | "offline" | "signed-out";

/** How often is asked while nothing is told, in milliseconds. */
const pollEvery = 5_000;

interface Subscription {
  standing: "asked" | "begun" | "missing";
  /** It tells first how things stand, so nothing is missed. */
  fromStart: boolean;
}

/** Knows how the server can be reached, by what came of trying. */
export class Link {
  private signedIn = true;
  private reachable = true;
  private readonly subscriptions = new Map<string, Subscription>(); // those that are wanted
  private missed = false; // something may have happened that nobody told
  /** How many times what nobody told was to be read, because all that somebody wants to be told is being told. */
  catchUps = 0;
  private readonly listeners = new Set<() => void>();

  get state(): Connection {
    if (!this.signedIn) return "signed-out";
    if (!this.reachable) return "offline";
    return this.any("missing") ? "polling" : "live";
  }

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  /** The server was heard, or could not be. */
  answered(reachable: boolean) {
    this.set(() => (this.reachable = reachable));
  }

  /** The WebSocket was lost, and all subscriptions with it, which are asked for again. */
  lost() {
    this.set(() => {
      for (const each of this.subscriptions.values()) each.standing = "missing";
    });
  }

  /** A subscription is wanted. */
  asks(id: string, fromStart: boolean) {
    this.set(() => this.subscriptions.set(id, { standing: "asked", fromStart }));
  }

  /** A subscription tells of all that happens from now on. */
  begins(id: string) {
    this.set(() => {
      const wanted = this.subscriptions.get(id);
      if (!wanted || wanted.standing === "begun") return;
      wanted.standing = "begun";
      if (!wanted.fromStart) this.missed = true;
    });
  }

  /** A subscription that is wanted was refused, or is over. */
  lacks(id: string) {
    this.set(() => {
      const wanted = this.subscriptions.get(id);
      if (wanted) wanted.standing = "missing";
    });
  }

  /** A subscription has had time to begin. */
  lapses(id: string) {
    if (this.subscriptions.get(id)?.standing === "asked") this.lacks(id);
  }

  /** Nobody wants a subscription any more. */
  drops(id: string) {
    this.set(() => this.subscriptions.delete(id));
  }

  /** A session has begun, or is over. */
  signs(signedIn: boolean) {
    this.set(() => (this.signedIn = signedIn));
  }

  private any(of: Subscription["standing"]): boolean {
    return [...this.subscriptions.values()].some(({ standing }) => standing === of);
  }

  private set(change: () => void) {
    const { state, catchUps } = this;
    change();
    if (this.missed && !this.any("asked") && !this.any("missing")) {
      this.missed = false;
      this.catchUps++;
    }
    if (this.state !== state || this.catchUps !== catchUps) for (const listener of this.listeners) listener();
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

/** What may pass by itself. */
const passing = ["OFFLINE", "INTERNAL", "RATE_LIMITED"];

/**
 * Reads again what subscriptions keep true: once when they have begun, for what was missed until then, and every few seconds while
 * one is missing, or while that could not be read.
 */
export function useCatchUp(read: () => void, error: CombinedError | undefined) {
  const live = useConnection() === "live";
  const catchUps = useSyncExternalStore(link.subscribe, () => link.catchUps);
  const latest = useRef(read);
  const caughtUp = useRef(catchUps);
  useEffect(() => {
    latest.current = read;
  });
  useEffect(() => {
    if (caughtUp.current === catchUps) return;
    caughtUp.current = catchUps;
    latest.current();
  }, [catchUps]);
  usePolling(read, pollEvery, !live || passing.includes(trouble(error)?.code ?? ""));
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
