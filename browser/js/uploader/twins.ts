// Recognises the same bytes chosen twice, so that they are sent once. Only files of one size are compared,
// so for most nothing is read.
import type { Task } from "./item.js";

export class Twins {
  readonly #digests = new WeakMap<Blob, Promise<string | undefined>>();

  /** The earliest of `others` with the same bytes as `task`. */
  async find(task: Task, others: Iterable<Task>): Promise<Task | undefined> {
    for (const other of others) {
      if (other === task || other.file.size !== task.file.size || other.file.type !== task.file.type) continue;
      const [own, its] = await Promise.all([this.#digest(task.file), this.#digest(other.file)]);
      if (own !== undefined && own === its) return other;
    }
    return undefined;
  }

  #digest(file: Blob): Promise<string | undefined> {
    let digest = this.#digests.get(file);
    if (!digest) this.#digests.set(file, (digest = sha256(file)));
    return digest;
  }
}

/** Undefined where it cannot be told: the edge recognises them then. */
async function sha256(file: Blob): Promise<string | undefined> {
  // Only pages from a secure origin have it.
  if (!globalThis.crypto?.subtle) return undefined;
  try {
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
  } catch {
    // A file that has gone since it was chosen; the check says so.
    return undefined;
  }
}
