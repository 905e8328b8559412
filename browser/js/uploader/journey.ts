// The way of one picture: its turn, the check, the keeping, attempts and the waits between them. What it ends in
// is the Uploader's affair.
import type { Effort } from "../codes.js";
import type { Keeper } from "../offline/keeper.js";
import type { Link } from "../offline/link.js";
import { preflight, type PreflightOptions } from "../preflight.js";
import { Refusal } from "../refusal.js";
import type { Uploaded } from "../sending/answer.js";
import { ConnectionBroken } from "../sending/broken.js";
import type { Edge } from "../sending/edge.js";
import { retryMs, wait, type RetryOptions } from "../sending/retry.js";
import type { ItemState, Task } from "./item.js";
import type { Turns } from "./turns.js";

export interface JourneyParts {
  edge: Edge;
  turns: Turns;
  retry: RetryOptions;
  check: { policy?: PreflightOptions["policy"]; language?: string | undefined; effort?: Effort | undefined; assets?: PreflightOptions["assets"] };
  /** Both only with the offline queue. */
  keeper?: Keeper | undefined;
  link?: Link | undefined;
  /** The task's state is another. */
  enter(task: Task, state: ItemState): void;
  /** More of it was sent. */
  sent(task: Task): void;
}

export class Journey {
  readonly #parts: JourneyParts;
  /** What the edge told one upload to wait, all wait. */
  #notBeforeMs = 0;

  constructor(parts: JourneyParts) {
    this.#parts = parts;
  }

  /** From its turn to its end. Rejects with `Refusal`, `ConnectionBroken`, `SetupError`, or the reason of the task's stop. */
  async travel(task: Task): Promise<Uploaded> {
    const { turns } = this.#parts;
    try {
      await turns.take(task);
      await this.#prepare(task);
      await this.#keep(task);
      for (;;) {
        try {
          return await this.#attempt(task);
        } catch (error) {
          task.stop.signal.throwIfAborted();
          await this.#recover(task, error);
        }
      }
    } finally {
      turns.stepOut(task);
      turns.give(task);
    }
  }

  async #prepare(task: Task): Promise<void> {
    if (task.payload) return;
    const { check, edge, enter } = this.#parts;
    enter(task, "preparing");
    const { signal } = task.stop;
    const policy = (await check.policy) ?? (await edge.policy());
    signal.throwIfAborted();
    const prepared = await preflight(task.file, {
      signal,
      assets: check.assets,
      ...(policy !== undefined && { policy }),
      ...(check.language !== undefined && { language: check.language }),
      ...(check.effort !== undefined && { effort: check.effort }),
    });
    task.prepared = prepared;
    task.payload = { blob: prepared.blob, fileName: prepared.fileName ?? task.name };
    task.totalBytes = prepared.blob.size;
  }

  /** Before the first attempt, so that a tab that is killed in the middle of it loses nothing. */
  async #keep(task: Task): Promise<void> {
    const { keeper } = this.#parts;
    if (!keeper || task.isKept || !task.payload) return;
    const release = await keeper.keep(task.id, task.addedMs, task.payload.blob, task.payload.fileName);
    task.isKept = release !== undefined;
    if (release) task.release = release;
  }

  async #attempt(task: Task): Promise<Uploaded> {
    const { edge, enter, sent } = this.#parts;
    await this.#untilItMayGo(task);
    task.attempts++;
    task.sentBytes = 0;
    enter(task, "sending");
    const onProgress = (sentBytes: number) => {
      task.sentBytes = sentBytes;
      sent(task);
    };
    return edge.send(task.payload!, { signal: task.stop.signal, onProgress });
  }

  /** Others have their turn while this one waits for the network or for the time that the edge named. */
  async #untilItMayGo(task: Task): Promise<void> {
    const { link, turns } = this.#parts;
    const { signal } = task.stop;
    for (;;) {
      const ms = this.#notBeforeMs - Date.now();
      if (ms <= 0 && !link?.isDown) return;
      if (link?.isDown) turns.lineUp(task);
      this.#stepBack(task);
      if (ms > 0) await wait(ms, signal);
      await link?.up(signal);
      await turns.take(task);
    }
  }

  /** Waits for what helps, or throws `error` when nothing does. */
  async #recover(task: Task, error: unknown): Promise<void> {
    const { edge, link, retry, turns } = this.#parts;
    const { signal } = task.stop;
    if (link && error instanceof ConnectionBroken && error.status === 0) {
      turns.lineUp(task);
      link.broke();
      this.#stepBack(task);
      // It was the network and not this picture: no attempt of its.
      if (await link.up(signal)) task.attempts = 0;
      if (task.attempts === 0) return turns.take(task);
    }
    const ms = retryMs(error, task.attempts, retry);
    if (ms === undefined) return edge.explain(error);
    this.#stepBack(task);
    if (error instanceof Refusal && error.retryAfterS !== undefined) {
      this.#notBeforeMs = Math.max(this.#notBeforeMs, Date.now() + ms);
    } else {
      await wait(ms, signal);
    }
    return turns.take(task);
  }

  #stepBack(task: Task): void {
    this.#parts.enter(task, "waiting");
    this.#parts.turns.give(task);
  }
}
