import type { Client as Socket, Sink, SubscribePayload } from "graphql-ws";
import type { Link } from "./connection";
import { codes } from "./errors";

/** The browser's session, whose cookie says who asks, and whom to tell that it is over. */
export interface SignedIn {
  ended(): void;
  /** Calls back once somebody has signed in again; returns how not to. */
  back(callback: () => void): () => void;
}

// What the server closes a WebSocket with once nobody may use it: its key ended, or there was none.
const endings = new Set<unknown>([4401, 4403]);
export const ending = (reason: unknown) => typeof reason === "object" && reason !== null && "code" in reason && endings.has(reason.code);

/** How long to wait before trying again, in milliseconds: longer each time, and not all clients at once. */
export const backOff = (failures: number) => Math.min(15_000, 500 * 2 ** Math.min(failures, 5)) * (0.5 + Math.random());
/** How long a subscription may take to begin before what it would tell is asked for instead, in milliseconds. */
const beginsWithin = 3_000;
/** A subscription that lasted so long was no failure, in milliseconds. */
const wentWell = 30_000;

/**
 * A subscription for as long as it is wanted: what is refused or ends is asked for again, with the next session or after a while.
 * One of a run alone is over with that, or where there is no such run.
 */
export class Following {
  private readonly ofRun: boolean;
  private failures = 0;
  private over = false;
  private stop = () => {};
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly late: ReturnType<typeof setTimeout>;

  constructor(
    private readonly socket: Pick<Socket, "subscribe">,
    private readonly session: SignedIn,
    private readonly link: Link,
    private readonly payload: SubscribePayload,
    private readonly id: string,
    private readonly sink: Sink,
  ) {
    this.ofRun = payload.query.includes("syncRunProgress");
    link.asks(id, this.ofRun); // which tells first how things stand
    this.late = setTimeout(() => link.lapses(id), beginsWithin);
    this.begin();
  }

  /** Nobody wants it any more. */
  end() {
    this.over = true;
    clearTimeout(this.late);
    clearTimeout(this.timer);
    this.link.drops(this.id);
    this.stop();
  }

  private readonly begin = () => {
    const { link, id, sink } = this;
    const since = performance.now();
    this.stop = this.socket.subscribe(this.payload, {
      next: (answer) => {
        link.begins(id);
        sink.next(answer);
      },
      complete: () => {
        if (this.over) return; // that is the word for it, too
        if (!this.ofRun) return this.again();
        this.end();
        sink.complete();
      },
      error: (reason) => {
        if (this.over) return;
        if (performance.now() - since > wentWell) this.failures = 0;
        if (ending(reason)) {
          this.stop(); // else the WebSocket would wait for it
          this.stop = this.session.back(this.begin);
        } else if (this.ofRun && codes(reason).includes("NOT_FOUND")) {
          this.end();
          sink.error(reason);
        } else {
          this.again();
        }
      },
    });
  };

  private again() {
    this.link.lacks(this.id);
    this.timer = setTimeout(this.begin, backOff(this.failures++));
  }
}
