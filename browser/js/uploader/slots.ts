// The concurrency limit of an Uploader: so many tasks at once, in the order in which they were added. Tasks that wait for the network are
// sent strictly in order, each after the end of the one before.

/** A task, as far as its slot is concerned. */
interface Holder {
  readonly addedMs: number;
  /** Ends the wait for a slot. */
  readonly stop: AbortController;
}

interface Waiting {
  holder: Holder;
  acquired(): void;
}

export class Slots {
  readonly #size: number;
  readonly #running = new Set<Holder>();
  readonly #ordered = new Set<Holder>();
  #waiting: Waiting[] = [];
  #isPaused = false;

  constructor(size: number) {
    this.#size = size;
  }

  /** Resolves once the holder has a slot; rejects with the reason of its stop. */
  acquire(holder: Holder): Promise<void> {
    const { signal } = holder.stop;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const abort = () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(signal.reason);
      };
      const acquired = () => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const waiting = { holder, acquired };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.push(waiting);
      this.#assign();
    });
  }

  release(holder: Holder): void {
    this.#running.delete(holder);
    this.#assign();
  }

  /** From now on it gets a slot only after the ordered holders that were added before it have ended. */
  keepOrder(holder: Holder): void {
    this.#ordered.add(holder);
  }

  /** The holder has ended: it has no slot and no place in the order. */
  leave(holder: Holder): void {
    this.#ordered.delete(holder);
    this.release(holder);
  }

  /** While paused, nobody gets a slot. */
  set isPaused(isPaused: boolean) {
    this.#isPaused = isPaused;
    this.#assign();
  }

  #assign(): void {
    this.#waiting.sort((one, other) => one.holder.addedMs - other.holder.addedMs);
    for (const waiting of [...this.#waiting]) {
      if (this.#isPaused || this.#running.size >= this.#size) return;
      const { holder } = waiting;
      if (this.#ordered.has(holder) && [...this.#ordered].some(({ addedMs }) => addedMs < holder.addedMs)) continue;
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      this.#running.add(holder);
      waiting.acquired();
    }
  }
}
