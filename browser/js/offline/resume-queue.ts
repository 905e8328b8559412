// The resume queue: keeps pictures in the outbox until they are sent, and finds those that earlier pages and killed tabs have left there. The tab
// that holds the lock of a picture sends it.
import type { Uploaded } from "../client/api-client.js";
import { Outbox, OUTBOX, type OutboxEntry, type OutboxOptions } from "./outbox.js";

/** A picture from the outbox that this tab is to send. */
export interface Resumed {
  entry: OutboxEntry;
  /** Releases its lock. */
  unlock(): void;
}

export class ResumeQueue {
  readonly #scope: string;
  readonly #outbox: Outbox;
  readonly #onResumed: (resumed: Resumed) => void;
  readonly #untilSent: boolean;
  /** The pictures that this tab sends or waits for. */
  readonly #known = new Set<string>();

  constructor(endpoint: string, formId: string, options: Partial<OutboxOptions>, onResumed: (resumed: Resumed) => void) {
    const settled = { ...OUTBOX, ...options };
    this.#scope = JSON.stringify([settled.owner, endpoint, formId, settled.field]);
    this.#untilSent = settled.untilSent;
    this.#outbox = new Outbox(this.#scope, settled);
    this.#onResumed = onResumed;
  }

  /** Keeps a picture. Resolves with a function that releases its lock, or nothing when it cannot be kept. */
  async keep(id: string, addedMs: number, blob: Blob, fileName: string | null): Promise<(() => void) | undefined> {
    this.#known.add(id);
    // Before the entry is written: another tab would take the lock as soon as it finds the entry.
    const unlock = await lock(id);
    if (await this.#outbox.put(id, addedMs, blob, fileName)) return unlock;
    unlock();
    return undefined;
  }

  /** The picture is stored at the edge. Resolves with whether its entry stays until the form is sent. */
  async markStored(id: string, image: Uploaded): Promise<boolean> {
    if (this.#untilSent) await this.#outbox.markStored(id, image);
    return this.#untilSent;
  }

  async delete(id: string): Promise<void> {
    await this.#outbox.delete(id);
    this.#known.delete(id);
  }

  /** Resumes what waits in the outbox. One tab at a time does it, so that one tab gets all pictures and sends them in order. */
  async resume(): Promise<void> {
    await withLock(`resume ${this.#scope}`, async () => {
      for (const { id } of await this.#outbox.list()) {
        if (this.#known.has(id)) continue;
        this.#known.add(id);
        const unlock = await tryLock(id);
        if (unlock) await this.#offer(id, unlock);
        // Another tab sends it; this tab gets the lock if that one ends.
        else void lock(id).then((unlock) => this.#offer(id, unlock));
      }
    });
  }

  async #offer(id: string, unlock: () => void): Promise<void> {
    // Read again, because the tab that had the lock may have sent it.
    const entry = await this.#outbox.get(id);
    if (entry) return this.#onResumed({ entry, unlock });
    this.#known.delete(id);
    unlock();
  }
}

// Web Locks of the origin; a lock ends with its tab. Without them (browsers before 2022) every tab sends what it finds, and the edge recognises
// the same bytes.

const lockName = (name: string) => `the-form-images:${name}`;

async function withLock<T>(name: string, run: () => Promise<T>): Promise<T> {
  return navigator.locks ? ((await navigator.locks.request(lockName(name), run)) as T) : run();
}

/** Waits for a lock; resolves with a function that releases it. */
function lock(name: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    withLock(name, () => new Promise<void>((unlock) => resolve(unlock))).catch(reject);
  });
}

/** The same without waiting; resolves with nothing when another tab has the lock. */
function tryLock(name: string): Promise<(() => void) | undefined> {
  if (!navigator.locks) return Promise.resolve(() => {});
  return new Promise((resolve, reject) => {
    const hold = (lock: Lock | null) => (lock ? new Promise<void>((unlock) => resolve(unlock)) : resolve(undefined));
    navigator.locks.request(lockName(name), { ifAvailable: true }, hold).catch(reject);
  });
}
