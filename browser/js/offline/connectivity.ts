// Whether the edge can be reached. Uploads that broke off wait here together; meanwhile one small request asks, instead of one picture each.
import { abortable, delay } from "../abort.js";

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;

export class Connectivity {
  readonly #isReachable: () => Promise<boolean>;
  readonly #closed: AbortSignal;
  #outage: Promise<boolean> | undefined;

  /** `isReachable` sends one request; `closed` ends the requests. */
  constructor(isReachable: () => Promise<boolean>, closed: AbortSignal) {
    this.#isReachable = isReachable;
    this.#closed = closed;
  }

  get isDown(): boolean {
    return this.#outage !== undefined;
  }

  /** A request broke off: the edge counts as down until it has answered. */
  markDown(): void {
    this.#outage ??= this.#poll();
  }

  /** Resolves once the edge is reachable, as far as is known, with whether it was unreachable meanwhile. */
  async restored(signal: AbortSignal): Promise<boolean> {
    return this.#outage ? abortable(this.#outage, signal) : false;
  }

  async #poll(): Promise<boolean> {
    let wasDown = false;
    for (let ms = FIRST_DELAY_MS; ; ms = Math.min(MAX_DELAY_MS, ms * 2)) {
      await delayUntilOnline(ms * (0.5 + Math.random() / 2));
      if (this.#closed.aborted) break;
      // A request, because `navigator.onLine` is wrong on some networks.
      if (await this.#isReachable()) break;
      wasDown = true;
    }
    this.#outage = undefined;
    return wasDown;
  }
}

/** Ends early when the browser reports that it is online again. */
async function delayUntilOnline(ms: number): Promise<void> {
  const online = new AbortController();
  addEventListener("online", () => online.abort(), { signal: online.signal });
  await delay(ms, online.signal).catch(() => {});
  online.abort();
}
