// The resume queue: keeps pictures in the outbox until they are sent, and finds what earlier pages and dead tabs have
// left there. One picture belongs to one tab: the one that holds its lock.
import type { Uploaded } from "../sending/answer.js";
import { holding, take, takeIfFree } from "./locks.js";
import { Outbox, OUTBOX, type Entry, type OutboxOptions } from "./outbox.js";

export type { OutboxOptions } from "./outbox.js";

/** A picture that this tab is now to send. */
export interface Found {
  entry: Entry;
  /** Gives its lock back. */
  release(): void;
}

export class Keeper {
  readonly #place: string;
  readonly #outbox: Outbox;
  readonly #found: (found: Found) => void;
  /** Those that this tab has or waits for. */
  readonly #ours = new Set<string>();

  readonly #untilSent: boolean;

  constructor(edge: string, formId: string, options: Partial<OutboxOptions>, found: (found: Found) => void) {
    const settled = { ...OUTBOX, ...options };
    this.#place = JSON.stringify([settled.owner, edge, formId, settled.field]);
    this.#untilSent = settled.untilSent;
    this.#outbox = new Outbox(this.#place, settled);
    this.#found = found;
  }

  /** Keeps a picture; answers with what gives its lock back, or nothing when it cannot be kept. */
  async keep(id: string, addedMs: number, blob: Blob, fileName: string | null): Promise<(() => void) | undefined> {
    this.#ours.add(id);
    // Before it can be found, or another tab would have it first.
    const release = await take(id);
    if (await this.#outbox.keep(id, addedMs, blob, fileName)) return release;
    release();
    return undefined;
  }

  /** It is stored: answers with whether it stays until the form is sent. */
  async stored(id: string, image: Uploaded): Promise<boolean> {
    if (this.#untilSent) await this.#outbox.stored(id, image);
    return this.#untilSent;
  }

  /** It was sent, or will never be. */
  async drop(id: string): Promise<void> {
    await this.#outbox.drop(id);
    this.#ours.delete(id);
  }

  /** Looks for what waits; one tab at a time, so that one tab has them all and sends them in order. */
  async collect(): Promise<void> {
    await holding(`collect ${this.#place}`, async () => {
      for (const entry of await this.#outbox.list()) {
        if (this.#ours.has(entry.id)) continue;
        this.#ours.add(entry.id);
        const release = await takeIfFree(entry.id);
        if (release) await this.#offer(entry.id, release);
        // Another tab is sending it: ours only if that tab dies.
        else void take(entry.id).then((release) => this.#offer(entry.id, release));
      }
    });
  }

  async #offer(id: string, release: () => void): Promise<void> {
    const entry = await this.#outbox.get(id);
    if (entry) return this.#found({ entry, release });
    this.#ours.delete(id);
    release();
  }
}
