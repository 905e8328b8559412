// The outbox: pictures in IndexedDB that survive a reload and a killed tab, limited in number, bytes and age. It never contains a token.
// Without IndexedDB (some private modes) nothing is kept, and uploads work from memory. With a key, pictures, their names and their keys at the edge
// are encrypted; owner, form, size and time are not, because records are found and limited by them.
import type { Uploaded } from "../client/api-client.js";
import { logForDevelopers } from "../errors.js";
import { type QueueKey, seal, type Sealed, unseal } from "./seal.js";

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
  /**
   * Encrypts the pictures, for devices that people share. Pictures of this owner, form and field that this key has not sealed cannot be sent any
   * more, and are deleted.
   */
  key?: QueueKey | undefined;
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

/** What is known of a picture. */
interface Facts {
  contentType: string;
  fileName: string | null;
  /** The response of the edge, once it is stored. */
  image?: Uploaded;
}

/** How a picture is found and limited. */
interface Label {
  id: string;
  /** Owner, endpoint, form and field, as JSON. */
  scope: string;
  sizeBytes: number;
  /** When it was added; different for each picture of a page. */
  addedMs: number;
}

/** A picture in the outbox. */
export interface OutboxEntry extends Facts, Label {
  /** Not a Blob: some browsers lose blobs in IndexedDB. */
  bytes: ArrayBuffer;
}

/** As it is written: with a key, facts and bytes are sealed. */
type OutboxRecord = OutboxEntry | (Label & Sealed);

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

  /** Writes a picture; false when a limit is reached, there is no key, or IndexedDB fails. */
  async put(id: string, addedMs: number, blob: Blob, fileName: string | null): Promise<boolean> {
    const bytes = await blob.arrayBuffer();
    const sizeBytes = bytes.byteLength;
    const { maxItems, maxBytes } = this.#options;
    const record = await this.#seal({ id, scope: this.#scope, sizeBytes, addedMs, bytes, contentType: blob.type, fileName });
    if (!record) return false;
    const isWritten = await this.#transaction("readwrite", async (store) => {
      const sizes = await sizesIn(store);
      const totalBytes = sizes.reduce((sum, size) => sum + size, sizeBytes);
      if (sizes.length >= maxItems || totalBytes > maxBytes) return false;
      await result(store.put(record));
      return true;
    });
    return isWritten ?? false;
  }

  /** The entries of this scope, the oldest first; none while there is no key. Expired entries of all scopes are deleted. */
  async list(): Promise<Label[]> {
    const oldestMs = Date.now() - this.#options.maxAgeMs;
    const hasKey = !this.#options.key || (await this.#key());
    const entries = await this.#transaction("readwrite", async (store) => {
      const expired = await result(store.index("addedMs").getAllKeys(IDBKeyRange.upperBound(oldestMs)));
      for (const id of expired) store.delete(id);
      return hasKey ? ((await result(store.index("scope").getAll(this.#scope))) as OutboxRecord[]) : [];
    });
    return (entries ?? []).sort((one, other) => one.addedMs - other.addedMs);
  }

  /** The entry as it is now; nothing when another tab has deleted it. One that the key does not open is deleted: nobody can send it. */
  async get(id: string): Promise<OutboxEntry | undefined> {
    const record = await this.#transaction("readonly", (store) => result<OutboxRecord | undefined>(store.get(id)));
    if (!record) return undefined;
    const isSealed = "iv" in record;
    if (!this.#options.key) return isSealed ? undefined : record;
    const key = await this.#key();
    if (!key) return undefined;
    try {
      const opened = isSealed && (await unseal<Facts>(key, contextOf(record), record));
      if (opened) return { ...record, ...opened.facts, bytes: opened.bytes };
      await this.delete(id);
    } catch (error) {
      logForDevelopers(error);
    }
    return undefined;
  }

  async markStored(id: string, image: Uploaded): Promise<void> {
    const entry = await this.get(id);
    const record = entry && (await this.#seal({ ...entry, image }));
    if (!record) return;
    await this.#transaction("readwrite", async (store) => {
      // Another tab may have deleted it meanwhile.
      if (await result(store.getKey(id))) await result(store.put(record));
    });
  }

  /** Deletes the pictures of an owner, for all endpoints, forms and fields; false when IndexedDB fails. */
  async clear(owner: string): Promise<boolean> {
    const prefix = `${JSON.stringify([owner]).slice(0, -1)},`;
    const isCleared = await this.#transaction("readwrite", async (store) => {
      const found = await result(store.index("scope").getAllKeys(IDBKeyRange.bound(prefix, `${prefix}\uffff`)));
      for (const id of found) store.delete(id);
      return true;
    });
    return isCleared ?? false;
  }

  async delete(id: string): Promise<void> {
    await this.#transaction("readwrite", (store) => {
      const deleted = result(store.delete(id));
      // The page may be unloading because its form was sent; without an explicit commit the deletion would be rolled back.
      store.transaction.commit();
      return deleted;
    });
  }

  /** The record to be written; nothing without a key where one is needed. */
  async #seal({ bytes, contentType, fileName, image, ...label }: OutboxEntry): Promise<OutboxRecord | undefined> {
    const facts: Facts = image ? { contentType, fileName, image } : { contentType, fileName };
    if (!this.#options.key) return { ...label, ...facts, bytes };
    const { id, scope, addedMs, sizeBytes } = label;
    const key = await this.#key();
    try {
      return key && { id, scope, addedMs, sizeBytes, ...(await seal(key, contextOf(label), { facts, bytes })) };
    } catch (error) {
      logForDevelopers(error);
      return undefined;
    }
  }

  async #key(): Promise<CryptoKey | undefined> {
    const { key } = this.#options;
    try {
      return typeof key === "function" ? await key() : key;
    } catch {
      return undefined;
    }
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

/**
 * Deletes the pictures of a user that wait on this device, in all fields and forms of this origin: for a log-out on a device that people share.
 * Close the user's Uploaders before; pages that are open send what they have in memory.
 */
export async function clearQueue({ owner }: { owner: string }): Promise<void> {
  const isCleared = await new Outbox("", OUTBOX).clear(owner);
  if (!isCleared && globalThis.indexedDB) throw new Error("The pictures on this device could not be deleted.");
}

/** What must not be changed in a record. */
const contextOf = ({ id, scope, addedMs }: Label) => JSON.stringify([id, scope, addedMs]);

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
