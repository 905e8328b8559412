// The outbox: pictures in IndexedDB that survive a reload and a killed tab, limited in number, bytes and age. It never contains a token.
// Without IndexedDB (some private modes) nothing is kept, and uploads work from memory.
import type { Uploaded } from "../client/api-client.js";

export interface OutboxOptions {
  /** The id of your user: other users of this browser neither see nor send these pictures. Without it nothing is kept. */
  owner: string;
  /** The name of the field, for forms with several: each field has its own pictures. */
  field: string;
  /** Whether stored pictures, too, come back after a reload, until `markSent()`. */
  untilSent: boolean;
  /** The maximum number of pictures. */
  maxItems: number;
  /** The maximum of bytes of all pictures. */
  maxBytes: number;
  /** The maximum age of a picture. */
  maxAgeMs: number;
}

/** Fifty prepared photos are some 15 MB; few people are offline for longer than a week. */
export const OUTBOX: OutboxOptions = {
  owner: "",
  field: "",
  untilSent: false,
  maxItems: 50,
  maxBytes: 100 * 2 ** 20,
  maxAgeMs: 7 * 86_400_000,
};

/** A picture in the outbox. */
export interface OutboxEntry {
  id: string;
  /** Owner, endpoint, form and field, as JSON. */
  scope: string;
  /** Not a Blob: some browsers lose blobs in IndexedDB. */
  bytes: ArrayBuffer;
  contentType: string;
  fileName: string | null;
  sizeBytes: number;
  /** When it was added; different for each picture of a page. */
  addedMs: number;
  /** The response of the edge, once it is stored. */
  image?: Uploaded;
}

const DATABASE = "the-form-images";
/** Version 3 has `scope`. */
const VERSION = 3;
const STORE = "outbox";

export class Outbox {
  readonly #scope: string;
  readonly #options: OutboxOptions;
  #database: Promise<IDBDatabase> | undefined;

  constructor(scope: string, options: OutboxOptions) {
    this.#scope = scope;
    this.#options = options;
  }

  /** Writes a picture; false when a limit is reached or IndexedDB fails. */
  async put(id: string, addedMs: number, blob: Blob, fileName: string | null): Promise<boolean> {
    const bytes = await blob.arrayBuffer();
    const sizeBytes = bytes.byteLength;
    const { maxItems, maxBytes } = this.#options;
    const isWritten = await this.#transaction("readwrite", async (store) => {
      const sizes = await sizesIn(store);
      const totalBytes = sizes.reduce((sum, size) => sum + size, sizeBytes);
      if (sizes.length >= maxItems || totalBytes > maxBytes) return false;
      const entry: OutboxEntry = { id, scope: this.#scope, bytes, contentType: blob.type, fileName, sizeBytes, addedMs };
      await result(store.put(entry));
      return true;
    });
    return isWritten ?? false;
  }

  /** The entries of this scope, the oldest first. Expired entries of all scopes are deleted. */
  async list(): Promise<OutboxEntry[]> {
    const oldestMs = Date.now() - this.#options.maxAgeMs;
    const entries = await this.#transaction("readwrite", async (store) => {
      const expired = await result(store.index("addedMs").getAllKeys(IDBKeyRange.upperBound(oldestMs)));
      for (const id of expired) store.delete(id);
      return (await result(store.index("scope").getAll(this.#scope))) as OutboxEntry[];
    });
    return (entries ?? []).sort((one, other) => one.addedMs - other.addedMs);
  }

  /** The entry as it is now; nothing when another tab has deleted it. */
  get(id: string): Promise<OutboxEntry | undefined> {
    return this.#transaction("readonly", (store) => result<OutboxEntry | undefined>(store.get(id)));
  }

  async markStored(id: string, image: Uploaded): Promise<void> {
    await this.#transaction("readwrite", async (store) => {
      const entry = await result<OutboxEntry | undefined>(store.get(id));
      if (entry) await result(store.put({ ...entry, image }));
    });
  }

  async delete(id: string): Promise<void> {
    await this.#transaction("readwrite", (store) => {
      const deleted = result(store.delete(id));
      // The page may be unloading because its form was sent; without an explicit commit the deletion would be rolled back.
      store.transaction.commit();
      return deleted;
    });
  }

  /** Resolves with the result of `run` once the transaction is complete, or with undefined when it failed. */
  async #transaction<T>(mode: IDBTransactionMode, run: (store: IDBObjectStore) => Promise<T>): Promise<T | undefined> {
    try {
      const database = await (this.#database ??= open());
      const transaction = database.transaction(STORE, mode);
      const completed = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error);
      });
      const [value] = await Promise.all([run(transaction.objectStore(STORE)), completed]);
      return value;
    } catch {
      // No IndexedDB, a full disk, or a database that is being deleted: the picture is sent from memory, and the next one tries again.
      this.#database = undefined;
      return undefined;
    }
  }
}

async function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, VERSION);
  request.onupgradeneeded = ({ oldVersion }) => {
    // Older entries do not name their scope, so it is unknown whom they belong to.
    if (oldVersion > 0) request.result.deleteObjectStore(STORE);
    const store = request.result.createObjectStore(STORE, { keyPath: "id" });
    for (const name of ["scope", "addedMs", "sizeBytes"]) store.createIndex(name, name);
  };
  const database = await result(request);
  // Another tab opens a newer version, and an open connection would block its upgrade.
  database.onversionchange = () => database.close();
  return database;
}

/** The size of each entry, read from the index without the bytes. */
function sizesIn(store: IDBObjectStore): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const sizes: number[] = [];
    const request = store.index("sizeBytes").openKeyCursor();
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      if (!request.result) return resolve(sizes);
      sizes.push(request.result.key as number);
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
