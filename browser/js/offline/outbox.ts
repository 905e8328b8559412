// The outbox: pictures in IndexedDB that survive a reload and a killed tab. Bounded in number, bytes and age; no token
// is ever in it. Where there is no IndexedDB (some private modes), nothing is kept and nothing fails.
import type { Uploaded } from "../sending/answer.js";

export interface OutboxOptions {
  /** Whose pictures: others that use this browser neither see nor send them. Give the user's id; without one nothing is kept. */
  owner: string;
  /** The field of the form, where a form has several: each has an outbox of its own. */
  field: string;
  /** Whether stored pictures come back after a reload, too, until `markSent()`. */
  untilSent: boolean;
  /** How many wait at most. */
  maxItems: number;
  /** How many bytes wait at most. */
  maxBytes: number;
  /** How long one waits at most. */
  maxAgeMs: number;
}

/** Fifty shrunk photos are some 15 MB; a week is longer than any trip out of reach. */
export const OUTBOX: OutboxOptions = {
  owner: "",
  field: "",
  untilSent: false,
  maxItems: 50,
  maxBytes: 100 * 2 ** 20,
  maxAgeMs: 7 * 86_400_000,
};

/** A picture in the outbox. The bytes are kept as such: some browsers lose blobs in IndexedDB. */
export interface Entry {
  id: string;
  /** Owner, edge, form and field, as JSON. */
  place: string;
  bytes: ArrayBuffer;
  contentType: string;
  fileName: string | null;
  sizeBytes: number;
  /** When it was chosen; no two of one page have the same. */
  addedMs: number;
  /** What the edge answered, once it is stored. */
  image?: Uploaded;
}

const DATABASE = "the-form-images";
const STORE = "outbox";

export class Outbox {
  readonly #place: string;
  readonly #options: OutboxOptions;
  #opened: Promise<IDBDatabase> | undefined;

  constructor(place: string, options: OutboxOptions) {
    this.#place = place;
    this.#options = options;
  }

  /** Keeps a picture; false when there is no room or no way to. */
  async keep(id: string, addedMs: number, blob: Blob, fileName: string | null): Promise<boolean> {
    const bytes = await blob.arrayBuffer();
    const sizeBytes = bytes.byteLength;
    const { maxItems, maxBytes } = this.#options;
    const kept = await this.#run("readwrite", async (store) => {
      const known = await sizes(store);
      const together = known.reduce((sum, size) => sum + size, sizeBytes);
      if (known.length >= maxItems || together > maxBytes) return false;
      const entry: Entry = { id, place: this.#place, bytes, contentType: blob.type, fileName, sizeBytes, addedMs };
      await result(store.put(entry));
      return true;
    });
    return kept ?? false;
  }

  /** Those of this place that wait, the first chosen first; what is too old goes, whosever it is. */
  async list(): Promise<Entry[]> {
    const oldest = Date.now() - this.#options.maxAgeMs;
    const entries = await this.#run("readwrite", async (store) => {
      const old = await result(store.index("addedMs").getAllKeys(IDBKeyRange.upperBound(oldest)));
      for (const id of old) store.delete(id);
      return (await result(store.index("place").getAll(this.#place))) as Entry[];
    });
    return (entries ?? []).sort((one, other) => one.addedMs - other.addedMs);
  }

  /** The entry as it is now; nothing when another tab has sent it. */
  get(id: string): Promise<Entry | undefined> {
    return this.#run("readonly", (store) => result<Entry | undefined>(store.get(id)));
  }

  /** Notes that it is stored. */
  async stored(id: string, image: Uploaded): Promise<void> {
    await this.#run("readwrite", async (store) => {
      const entry = await result<Entry | undefined>(store.get(id));
      if (entry) await result(store.put({ ...entry, image }));
    });
  }

  async drop(id: string): Promise<void> {
    await this.#run("readwrite", (store) => {
      const deleted = result(store.delete(id));
      // The page may be leaving, as when its form is sent: without this the deletion would be undone.
      store.transaction.commit();
      return deleted;
    });
  }

  async #run<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => Promise<T>): Promise<T | undefined> {
    try {
      const database = await (this.#opened ??= open());
      const transaction = database.transaction(STORE, mode);
      const ended = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error);
      });
      const [value] = await Promise.all([act(transaction.objectStore(STORE)), ended]);
      // Only what the disk has taken is kept.
      return value;
    } catch {
      // No IndexedDB, a full disk, a database that is being deleted: pictures are sent from memory, and the
      // next one tries anew.
      this.#opened = undefined;
      return undefined;
    }
  }
}

async function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 2);
  request.onupgradeneeded = ({ oldVersion }) => {
    // Entries of version 1 do not say which field they belong to, and may belong to anybody: they are dropped.
    if (oldVersion > 0) request.result.deleteObjectStore(STORE);
    const store = request.result.createObjectStore(STORE, { keyPath: "id" });
    for (const name of ["place", "addedMs", "sizeBytes"]) store.createIndex(name, name);
  };
  const database = await result(request);
  // Another tab with a newer version of this wants to open it.
  database.onversionchange = () => database.close();
  return database;
}

/** How large each is, read from the index alone. */
function sizes(store: IDBObjectStore): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const found: number[] = [];
    const request = store.index("sizeBytes").openKeyCursor();
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      if (!request.result) return resolve(found);
      found.push(request.result.key as number);
      request.result.continue();
    };
  });
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
