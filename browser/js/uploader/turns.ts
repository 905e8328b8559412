// Whose turn it is: so many at once, the first chosen first; those that waited for the network stand in a
// line, where each waits for the end of the one before.
import type { Task } from "./item.js";

interface Waiting {
  task: Task;
  take(): void;
}

export class Turns {
  readonly #most: number;
  readonly #running = new Set<Task>();
  readonly #line = new Set<Task>();
  #waiting: Waiting[] = [];
  #isHeld = false;

  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves when it is the task's turn; rejects with the reason of its stop. */
  take(task: Task): Promise<void> {
    const { signal } = task.stop;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const leave = () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(signal.reason);
      };
      const take = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const waiting = { task, take };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(waiting);
      this.#next();
    });
  }

  /** Its turn is over for now. */
  give(task: Task): void {
    this.#running.delete(task);
    this.#next();
  }

  /** From now on it goes after those that stand in line and were chosen before it. */
  lineUp(task: Task): void {
    this.#line.add(task);
  }

  /** It has come to an end. */
  stepOut(task: Task): void {
    this.#line.delete(task);
    this.#next();
  }

  /** Whether nobody new gets a turn. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#next();
  }

  #next(): void {
    this.#waiting.sort((one, other) => one.task.addedMs - other.task.addedMs);
    for (const waiting of [...this.#waiting]) {
      if (this.#isHeld || this.#running.size >= this.#most) return;
      if (this.#line.has(waiting.task) && this.#first() !== waiting.task) continue;
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      this.#running.add(waiting.task);
      waiting.take();
    }
  }

  #first(): Task | undefined {
    return [...this.#line].reduce((one, other) => (other.addedMs < one.addedMs ? other : one));
  }
}
