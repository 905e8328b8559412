// Whether the edge can be reached: uploads that broke off wait here together, and while they wait only
// this asks, with a request of a few bytes instead of a picture each.
import { unless } from "../abort.js";
import { wait } from "../sending/retry.js";

const FIRST_MS = 500;
const MOST_MS = 30_000;

export class Link {
  readonly #answers: () => Promise<boolean>;
  readonly #closed: AbortSignal;
  #down: Promise<boolean> | undefined;

  /** `answers` asks the edge for a sign of life; `closed` ends the asking. */
  constructor(answers: () => Promise<boolean>, closed: AbortSignal) {
    this.#answers = answers;
    this.#closed = closed;
  }

  get isDown(): boolean {
    return this.#down !== undefined;
  }

  /** Something broke off: from now on everybody waits until the edge has answered. */
  broke(): void {
    this.#down ??= this.#watch();
  }

  /** Resolves as soon as the edge can be reached, as far as is known; with whether it could not be meanwhile. */
  async up(signal: AbortSignal): Promise<boolean> {
    return this.#down ? unless(signal, this.#down) : false;
  }

  async #watch(): Promise<boolean> {
    let wasDown = false;
    for (let ms = FIRST_MS; ; ms = Math.min(MOST_MS, ms * 2)) {
      await untilOnline(ms * (0.5 + Math.random() / 2));
      if (this.#closed.aborted) break;
      // Asked and not looked up in `navigator.onLine`, which knows some networks wrongly.
      if (await this.#answers()) break;
      wasDown = true;
    }
    this.#down = undefined;
    return wasDown;
  }
}

/** So long, or until the browser says that it is online again: a hint and no more. */
async function untilOnline(ms: number): Promise<void> {
  const sooner = new AbortController();
  const end = () => sooner.abort();
  addEventListener("online", end);
  await wait(ms, sooner.signal).catch(() => {});
  removeEventListener("online", end);
}
