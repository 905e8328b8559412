// Uploads many pictures: each is checked and resized, sent with progress, retried where that helps, and kept on the device if wanted. One upload
// is task.ts; this is what can be done with them.
import { abortable } from "../abort.js";
import { ApiClient, type ClientOptions, type PictureRecord, type TokenOrTicket, type Uploaded } from "../client/api-client.js";
import type { FormPolicy } from "../client/policy.js";
import { isAboutPicture, retry } from "../client/retry.js";
import { logForDevelopers, Refusal } from "../errors.js";
import { Connectivity } from "../offline/connectivity.js";
import type { OutboxOptions } from "../offline/outbox.js";
import { ResumeQueue, type Resumed } from "../offline/resume-queue.js";
import type { Edit } from "../preflight/edit.js";
import { warmUp } from "../preflight/preflight.js";
import { findDuplicate, hex } from "./duplicates.js";
import { Slots } from "./slots.js";
import { type TaskContext, type TaskOptions, type UploadItem, UploadTask } from "./task.js";

export interface UploaderOptions extends ClientOptions, TaskOptions {
  /** How many uploads run at once; 3 by default. */
  concurrency?: number | undefined;
  /** Keeps pictures on this device until they are sent. `owner`, your user's id, is required: it keeps the users of one browser apart. */
  offline?: false | (Partial<OutboxOptions> & Pick<OutboxOptions, "owner">) | undefined;
}

/** The progress of all pictures of a list. */
export interface ListProgress {
  /** The number of pictures, without canceled ones. */
  readonly total: number;
  readonly uploaded: number;
  /** Refused or failed. */
  readonly failed: number;
  /** The part that was sent, by bytes: 0 to 1. Pictures that were refused or failed count as sent. */
  readonly part: number;
}

export const NO_PROGRESS: ListProgress = Object.freeze({ total: 0, uploaded: 0, failed: 0, part: 0 });

/** The events of an Uploader: `on("uploaded", ({ item, image }) => …)`. */
export interface UploaderEvents {
  /** A picture was added, or found in the outbox. */
  added: { item: UploadItem };
  /** The item has another `state`. */
  changed: { item: UploadItem };
  /** More of it was sent. A later attempt starts at zero again. */
  progress: { item: UploadItem; sentBytes: number; totalBytes: number };
  uploaded: { item: UploadItem; image: Uploaded };
  /** The browser or the edge refused it: the same file will be refused again. */
  refused: { item: UploadItem; error: Refusal };
  /** It could not be sent; it may work later. */
  failed: { item: UploadItem; error: Error };
  removed: { item: UploadItem };
  /** All items are at their end or paused. */
  idle: Record<string, never>;
}

/** An `EventTarget` that knows its events. */
interface UploaderEventTarget extends EventTarget {
  addEventListener<Name extends keyof UploaderEvents>(
    type: Name,
    listener: ((event: CustomEvent<UploaderEvents[Name]>) => void) | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

/** More than three share the same uplink and only finish later. */
const CONCURRENCY = 3;
const PAUSED = Symbol("paused");
const NO_OWNER =
  '@the-form/preflight: `offline` needs an owner; without one no picture is kept on this device. Give your user\'s id: offline: { owner: userId }, or offline="user id" on <image-upload>.';

export class Uploader extends (EventTarget as new () => UploaderEventTarget) {
  readonly #tasks = new Map<string, UploadTask>();
  readonly #client: ApiClient;
  readonly #slots: Slots;
  readonly #context: TaskContext;
  readonly #resumeQueue: ResumeQueue | undefined;
  readonly #closing = new AbortController();
  #lastAddedMs = 0;
  #items: readonly UploadItem[] | undefined;

  /** `options` are read when they are needed: changes to the object take effect. */
  constructor(options: UploaderOptions & TokenOrTicket) {
    super();
    const client = new ApiClient(options);
    this.#client = client;
    this.#slots = new Slots(options.concurrency ?? CONCURRENCY);
    const { endpoint, formId = "", offline } = options;
    if (offline && offline.owner) this.#resumeQueue = new ResumeQueue(endpoint, formId, offline, (resumed) => this.#resumed(resumed));
    else if (offline) console.error(NO_OWNER);
    this.#context = {
      client,
      slots: this.#slots,
      options,
      resumeQueue: this.#resumeQueue,
      placeOf: (task) => this.items.filter(({ state }) => !["canceled", "failed", "refused"].includes(state)).indexOf(task) + 1,
      connectivity: this.#resumeQueue && new Connectivity(() => client.isReachable(), this.#closing.signal),
      notBeforeMs: 0,
      uploadsOff: undefined,
      onState: (item) => this.#emit("changed", { item }),
      onProgress: (item) => this.#emit("progress", { item, sentBytes: item.sentBytes, totalBytes: item.totalBytes }),
    };
    if (this.#resumeQueue) this.#startResuming(options.assets);
  }

  /** The user has changed: uploads from now on ask for a new token. */
  forgetToken(): void {
    this.#client.forgetToken();
  }

  /** The pictures in the order in which they were added: the same array until an event reports a change. */
  get items(): readonly UploadItem[] {
    return (this.#items ??= [...this.#tasks.values()].sort((one, other) => one.addedMs - other.addedMs));
  }

  /** The progress of the whole list. */
  get progress(): ListProgress {
    const items = this.items.filter(({ state }) => state !== "canceled");
    const count = (...states: UploadItem["state"][]) => items.filter(({ state }) => states.includes(state)).length;
    const [uploaded, failed] = [count("uploaded"), count("refused", "failed")];
    const bytes = items.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
    const isSettled = ({ state }: UploadItem) => ["uploaded", "refused", "failed"].includes(state);
    const sent = items.reduce((sum, item) => sum + (isSettled(item) ? item.totalBytes : item.sentBytes), 0);
    return { total: items.length, uploaded, failed, part: bytes > 0 ? sent / bytes : 0 };
  }

  /** Adds a listener; the function that it returns removes it. */
  on<Name extends keyof UploaderEvents>(type: Name, listener: (detail: UploaderEvents[Name]) => void): () => void {
    const listen = (event: CustomEvent<UploaderEvents[Name]>) => listener(event.detail);
    this.addEventListener(type, listen);
    return () => this.removeEventListener(type, listen as EventListener);
  }

  /** Adds a picture; `name` is for blobs, which have no name, and `edit` says how it is flipped, turned and cropped. */
  add(file: Blob, name = file instanceof File ? file.name : null, { edit }: { edit?: Edit | undefined } = {}): UploadItem {
    this.#lastAddedMs = Math.max(this.#lastAddedMs + 1, Date.now());
    const id = hex(crypto.getRandomValues(new Uint8Array(16))); // `randomUUID` exists in secure contexts only.
    const task = new UploadTask({ id, addedMs: this.#lastAddedMs, file, name, edit }, this.#context);
    this.#start(task);
    return task;
  }

  /** Pauses an item, or all. What was sent of it is sent again later. */
  pause(item?: UploadItem): void {
    if (!item) this.#slots.isPaused = true;
    for (const task of this.#tasksOf(item)) {
      if (task.isSettled || task.state === "paused") continue;
      task.stop.abort(PAUSED);
      task.setState("paused");
    }
    this.#emitIfIdle();
  }

  /** Resumes an item, or all. */
  resume(item?: UploadItem): void {
    if (!item) this.#slots.isPaused = false;
    for (const task of this.#tasksOf(item)) if (task.state === "paused") void this.#restart(task);
  }

  /** Tries a failed or refused item again; with a new token when its token was refused. A picture with `expiresAt` is also sent again once it is stored. */
  retry(item: UploadItem): void {
    for (const task of this.#tasksOf(item)) {
      const isPending = task.state === "uploaded" && task.image?.expiresAt;
      if (task.state !== "failed" && task.state !== "refused" && !isPending) continue;
      if (task.error instanceof Refusal && [401, 403].includes(task.error.status)) this.#client.forgetToken(true);
      task.renewPromise();
      task.image = undefined;
      task.error = undefined;
      task.attempts = 0;
      void this.#restart(task);
    }
  }

  /**
   * Uploads a stored picture once more that has `expiresAt`: the service then keeps it for longer. Its key changes if it has expired already, or
   * was sent by a guest whose token has expired. Undefined for an item that is not stored.
   */
  async renew(item: UploadItem): Promise<Uploaded | undefined> {
    const [task] = this.#tasksOf(item);
    const { payload } = task ?? {};
    if (!task || !payload || task.state !== "uploaded") return undefined;
    const image = await retry(() => this.#client.upload(payload), { signal: this.#closing.signal });
    if (task.state !== "uploaded") return undefined;
    task.image = image;
    return image;
  }

  /** Cancels an item, or all that are not at their end. */
  cancel(item?: UploadItem): void {
    for (const task of this.#tasksOf(item)) {
      if (task.isSettled) continue;
      const reason = new DOMException("The upload was canceled.", "AbortError");
      task.setState("canceled");
      task.stop.abort(reason);
      task.reject(reason);
      void this.#forget(task);
    }
    this.#emitIfIdle();
  }

  /** Removes an item from the list; one that is not at its end is canceled. */
  remove(item: UploadItem): void {
    for (const task of this.#tasksOf(item)) {
      this.cancel(task);
      this.#tasks.delete(task.id);
      void this.#forget(task);
      this.#emit("removed", { item: task });
    }
  }

  /**
   * Removes an item from the list and deletes its picture at the edge, if this item stored it (`image.isNew`): a picture that was there before
   * may belong to another answer.
   */
  async delete(item: UploadItem): Promise<void> {
    this.remove(item);
    const { image } = item;
    if (!image?.isNew) return;
    await retry(() => this.#client.delete(image.key)).catch((error) => {
      // Deleted by an earlier attempt whose response was lost, or by another client. A picture of an earlier guest expires by itself.
      const isGone = error instanceof Refusal && (error.code === "IMAGE_NOT_FOUND" || (error.code === "USER_MISMATCH" && image.expiresAt !== null));
      if (!isGone) throw error;
    });
  }

  /** The form was sent: with `offline.untilSent`, stored pictures do not come back after a reload. */
  markSent(): void {
    for (const task of this.#tasks.values()) if (task.state === "uploaded") void this.#forget(task);
  }

  /** What the form asks of pictures; undefined when that cannot be loaded. Rejects with `FORM_NOT_FOUND`. */
  policy(): Promise<FormPolicy | undefined> {
    return this.#client.policy();
  }

  /** The records of the caller's newest pictures of this form, by key. */
  records(): Promise<Map<string, PictureRecord>> {
    return this.#client.records();
  }

  /** Ends all uploads, as the end of the page would: every `done` settles, and what is kept stays kept for the next Uploader. */
  close(): void {
    const reason = new DOMException("The Uploader was closed.", "AbortError");
    this.#closing.abort(reason);
    for (const task of this.#tasks.values()) {
      task.stop.abort(reason);
      task.reject(reason);
      task.unlock();
    }
    this.#tasks.clear();
    this.#items = undefined;
  }

  #tasksOf(item: UploadItem | undefined): UploadTask[] {
    const tasks = [...this.#tasks.values()];
    return item ? tasks.filter((task) => task === item) : tasks;
  }

  #start(task: UploadTask): void {
    this.#tasks.set(task.id, task);
    this.#emit("added", { item: task });
    task.ended = this.#run(task);
  }

  async #restart(task: UploadTask): Promise<void> {
    const { stop } = task;
    task.setState("queued");
    // A stopped run may not have ended yet.
    await task.ended;
    if (task.state !== "queued" || task.stop !== stop || this.#closing.signal.aborted) return;
    task.stop = new AbortController();
    task.ended = this.#run(task);
  }

  async #run(task: UploadTask): Promise<void> {
    const { signal } = task.stop;
    try {
      const image = (await this.#imageOfDuplicate(task)) ?? (await task.upload());
      if (!(task.isKept && (await this.#resumeQueue?.markStored(task.id, image)))) await this.#forget(task);
      if (!task.isSettled) this.#uploaded(task, image);
    } catch (error) {
      // The caller that stopped it has set its state.
      if (signal.aborted) return;
      await this.#failed(task, error instanceof Error ? error : new Error(String(error)));
    } finally {
      // Canceled while it was written to the outbox.
      if (task.state === "canceled") void this.#forget(task);
      // Closed while it was written to the outbox: the next Uploader takes the lock.
      if (this.#closing.signal.aborted) task.unlock();
    }
    this.#emitIfIdle();
  }

  /** The image of an earlier task with the same bytes, once it is stored; nothing when there is none, or when that task does not get it stored. */
  async #imageOfDuplicate(task: UploadTask): Promise<Uploaded | undefined> {
    if (task.payload) return undefined;
    const { signal } = task.stop;
    const earlier = (this.items as UploadTask[]).filter(({ addedMs, edit, state }) => addedMs < task.addedMs && JSON.stringify(edit) === JSON.stringify(task.edit) && !["canceled", "failed", "refused"].includes(state));
    const duplicate = await findDuplicate(task, earlier);
    signal.throwIfAborted();
    if (!duplicate) return undefined;
    if (!duplicate.isSettled) task.setState("waiting");
    try {
      const image = await abortable(duplicate.done, signal);
      task.payload = (duplicate as UploadTask).payload;
      return image;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Refusal) throw error;
      return undefined;
    }
  }

  #uploaded(task: UploadTask, image: Uploaded): void {
    task.image = image;
    this.#context.uploadsOff = undefined;
    task.sentBytes = task.totalBytes;
    task.setState("uploaded");
    this.#emit("uploaded", { item: task, image });
    task.resolve(image);
  }

  async #failed(task: UploadTask, error: Error): Promise<void> {
    task.error = error;
    // Other refusals (a used-up quota, an expired session) may not last, so the picture stays in the outbox.
    if (isAboutPicture(error)) await this.#forget(task);
    if (error instanceof Refusal) {
      task.setState("refused");
      this.#emit("refused", { item: task, error });
    } else {
      logForDevelopers(error);
      task.setState("failed");
      this.#emit("failed", { item: task, error });
    }
    task.reject(error);
  }

  /** Deletes it from the outbox. */
  async #forget(task: UploadTask): Promise<void> {
    if (!task.isKept) return;
    task.isKept = false;
    await this.#resumeQueue?.delete(task.id);
    task.unlock();
  }

  /** Sends what waits in the outbox, now and whenever the network or the user comes back. */
  #startResuming(assets: UploaderOptions["assets"]): void {
    const { signal } = this.#closing;
    // Offline, the code of the check could not be loaded any more.
    void warmUp(assets).catch(() => {});
    const resume = () => {
      if (document.visibilityState === "visible") void this.#resumeQueue?.resume();
    };
    void this.#resumeQueue?.resume();
    addEventListener("online", resume, { signal });
    document.addEventListener("visibilitychange", resume, { signal });
  }

  #resumed({ entry, unlock }: Resumed): void {
    if (this.#closing.signal.aborted) return unlock();
    const { id, addedMs, fileName, image } = entry;
    const blob = new Blob([entry.bytes], { type: entry.contentType });
    const task = new UploadTask({ id, addedMs, file: blob, name: fileName }, this.#context);
    Object.assign(task, { payload: { blob, fileName }, isKept: true, unlock, state: "waiting" });
    // A guest's picture expires, and a reload starts a new guest session: it is sent again.
    if (image?.expiresAt === null) {
      Object.assign(task, { image, state: "uploaded", sentBytes: task.totalBytes });
      task.resolve(image);
      this.#tasks.set(id, task);
      return this.#emit("added", { item: task });
    }
    this.#slots.keepOrder(task);
    this.#start(task);
  }

  #emit<Name extends keyof UploaderEvents>(type: Name, detail: UploaderEvents[Name]): void {
    if (type !== "idle") this.#items = undefined;
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #emitIfIdle(): void {
    const isIdle = [...this.#tasks.values()].every((task) => task.isSettled || task.state === "paused");
    if (isIdle) this.#emit("idle", {});
  }
}
