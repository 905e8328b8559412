// Uploads many pictures: each is checked and shrunk, sent with progress, tried again where that helps, and, if
// wanted, kept until it is sent. The way of one picture is journey.ts; here is what can be done with them.
import { unless } from "../abort.js";
import type { Effort } from "../codes.js";
import { SetupError } from "../fault.js";
import { Keeper, type Found, type OutboxOptions } from "../offline/keeper.js";
import { Link } from "../offline/link.js";
import { warmUp, type PreflightOptions } from "../preflight.js";
import { Refusal } from "../refusal.js";
import type { Uploaded } from "../sending/answer.js";
import { ConnectionBroken } from "../sending/broken.js";
import { Edge, type EdgeOptions } from "../sending/edge.js";
import { patiently } from "../sending/patiently.js";
import { isOfThePicture, RETRY, type RetryOptions } from "../sending/retry.js";
import { TypedEventTarget, type UploaderEvents } from "./events.js";
import { Task, type ItemState, type UploadItem } from "./item.js";
import { Journey } from "./journey.js";
import { Turns } from "./turns.js";
import { Twins } from "./twins.js";

export interface UploaderOptions extends EdgeOptions {
  /** What the check goes by; by default what the edge says at `/policy`. */
  policy?: PreflightOptions["policy"];
  /** How much time shrinking may take. */
  effort?: Effort | undefined;
  /** Where worker and wasm are, where the bundler does not follow `new URL("…", import.meta.url)`. */
  assets?: PreflightOptions["assets"];
  /** How many are under way at once; 3 by default. */
  concurrency?: number | undefined;
  retry?: Partial<RetryOptions> | undefined;
  /** Keeps pictures on this device until they are sent. `owner`, your user's id, is needed: it keeps users of one browser apart. */
  offline?: false | (Partial<OutboxOptions> & Pick<OutboxOptions, "owner">) | undefined;
}

/** More than three share the same uplink and only finish later. */
const CONCURRENCY = 3;
const PAUSED = Symbol("paused");
const NO_OWNER =
  '@the-form/preflight: `offline` needs an owner; without one no picture is kept on this device. Give your user\'s id: offline: { owner: userId }, or offline="user id" on <image-upload>.';

export class Uploader extends TypedEventTarget<UploaderEvents> {
  readonly #tasks = new Map<string, Task>();
  readonly #twins = new Twins();
  readonly #edge: Edge;
  readonly #turns: Turns;
  readonly #journey: Journey;
  readonly #keeper: Keeper | undefined;
  readonly #closing = new AbortController();
  #lastMs = 0;
  #items: readonly UploadItem[] | undefined;

  /** `options` are read when they are needed: what is changed in them holds from then on. */
  constructor(options: UploaderOptions) {
    super();
    const edge = new Edge(options);
    this.#edge = edge;
    this.#turns = new Turns(options.concurrency ?? CONCURRENCY);
    const { endpoint, formId = "", offline } = options;
    if (offline && offline.owner) this.#keeper = new Keeper(endpoint, formId, offline, (found) => this.#takeUp(found));
    else if (offline) console.error(NO_OWNER);
    this.#journey = new Journey({
      edge,
      turns: this.#turns,
      retry: { ...RETRY, ...options.retry },
      check: options,
      keeper: this.#keeper,
      link: this.#keeper ? new Link(() => edge.answers(), this.#closing.signal) : undefined,
      enter: (task, state) => this.#enter(task, state),
      sent: (task) => this.#emit("progress", { item: task, sentBytes: task.sentBytes, totalBytes: task.totalBytes }),
    });
    if (this.#keeper) this.#collect(options.assets);
  }

  /** Somebody logged in or out: what is sent from now on asks for a token anew. */
  forgetToken(): void {
    this.#edge.forgetToken();
  }

  /** The pictures in the order in which they were chosen: the same list until an event tells of a change. */
  get items(): readonly UploadItem[] {
    return (this.#items ??= [...this.#tasks.values()].sort((one, other) => one.addedMs - other.addedMs));
  }

  /** Listens; the answer ends it. */
  on<Name extends keyof UploaderEvents>(type: Name, listener: (detail: UploaderEvents[Name]) => void): () => void {
    const heard = (event: CustomEvent<UploaderEvents[Name]>) => listener(event.detail);
    this.addEventListener(type, heard);
    return () => this.removeEventListener(type, heard as EventListener);
  }

  /** Adds a picture; `name` is what to call it when the file has no name. */
  add(file: Blob, name = file instanceof File ? file.name : null): UploadItem {
    this.#lastMs = Math.max(this.#lastMs + 1, Date.now());
    const task = new Task({ id: randomId(), addedMs: this.#lastMs, file, name });
    this.#begin(task);
    return task;
  }

  /** Stops an item, or everything; what was sent of it is sent again later. */
  pause(item?: UploadItem): void {
    if (!item) this.#turns.hold(true);
    for (const task of this.#chosen(item)) {
      if (task.isSettled || task.state === "paused") continue;
      task.stop.abort(PAUSED);
      this.#enter(task, "paused");
    }
    this.#perhapsIdle();
  }

  /** Goes on with an item, or with everything. */
  resume(item?: UploadItem): void {
    if (!item) this.#turns.hold(false);
    for (const task of this.#chosen(item)) if (task.state === "paused") void this.#again(task);
  }

  /** Tries an item again that failed or was refused; with a fresh token when it was the token that was refused. */
  retry(item: UploadItem): void {
    for (const task of this.#chosen(item)) {
      if (task.state !== "failed" && task.state !== "refused") continue;
      if (task.error instanceof Refusal && [401, 403].includes(task.error.status)) this.#edge.forgetToken(true);
      task.promise();
      task.error = undefined;
      task.attempts = 0;
      void this.#again(task);
    }
  }

  /** Gives up an item, or all that are not at their end. */
  cancel(item?: UploadItem): void {
    for (const task of this.#chosen(item)) {
      if (task.isSettled) continue;
      const reason = new DOMException("The upload was canceled.", "AbortError");
      this.#enter(task, "canceled");
      task.stop.abort(reason);
      task.reject(reason);
      void this.#forget(task);
    }
    this.#perhapsIdle();
  }

  /** Takes an item off the list; one that is not at its end is canceled. */
  remove(item: UploadItem): void {
    for (const task of this.#chosen(item)) {
      this.cancel(task);
      this.#tasks.delete(task.id);
      void this.#forget(task);
      this.#emit("removed", { item: task });
    }
  }

  /**
   * Takes an uploaded item off the list and deletes its picture at the edge, if this item stored it (`image.isNew`): a picture that
   * was there before may belong to another answer. A guest's picture is not deleted; it expires by itself.
   */
  async delete(item: UploadItem): Promise<void> {
    this.remove(item);
    const imageId = item.image?.isNew ? item.image.imageId : null;
    if (imageId === null) return;
    await patiently(() => this.#edge.delete(imageId)).catch((error) => {
      // The answer to an earlier attempt was lost, or somebody else deleted it.
      if (!(error instanceof Refusal && error.code === "IMAGE_NOT_FOUND")) throw error;
    });
  }

  /** The form was sent: with `offline.untilSent`, what is stored does not come back after a reload. */
  markSent(): void {
    for (const task of this.#tasks.values()) if (task.state === "uploaded") void this.#forget(task);
  }

  /** The file names of the caller's newest pictures of this form, by key. */
  names(): Promise<Map<string, string | null>> {
    return this.#edge.names();
  }

  /** Ends it all as the end of the page would: what is kept stays kept for the next Uploader, every `done` settles. */
  close(): void {
    const reason = new DOMException("The Uploader was closed.", "AbortError");
    this.#closing.abort(reason);
    for (const task of this.#tasks.values()) {
      task.stop.abort(reason);
      task.reject(reason);
      task.release();
    }
    this.#tasks.clear();
    this.#items = undefined;
  }

  #chosen(item: UploadItem | undefined): Task[] {
    const tasks = [...this.#tasks.values()];
    return item ? tasks.filter((task) => task === item) : tasks;
  }

  #begin(task: Task): void {
    this.#tasks.set(task.id, task);
    this.#emit("added", { item: task });
    task.run = this.#run(task);
  }

  async #again(task: Task): Promise<void> {
    const { stop } = task;
    this.#enter(task, "queued");
    // Stopped as it may be, it is not over yet.
    await task.run;
    if (task.state !== "queued" || task.stop !== stop || this.#closing.signal.aborted) return;
    task.stop = new AbortController();
    task.run = this.#run(task);
  }

  async #run(task: Task): Promise<void> {
    const { signal } = task.stop;
    try {
      const image = (await this.#ofTwin(task)) ?? (await this.#journey.travel(task));
      if (!(task.isKept && (await this.#keeper?.stored(task.id, image)))) await this.#forget(task);
      if (!task.isSettled) this.#stored(task, image);
    } catch (error) {
      // Whoever stopped it has said what it is now.
      if (signal.aborted) return;
      await this.#broken(task, error instanceof Error ? error : new Error(String(error)));
    } finally {
      // Canceled while it was being kept.
      if (task.state === "canceled") void this.#forget(task);
      // Closed while it was being kept: the next Uploader takes its lock.
      if (this.#closing.signal.aborted) task.release();
    }
    this.#perhapsIdle();
  }

  /** The same bytes, chosen before: this one ends as that one does, unless that one is given up. */
  async #ofTwin(task: Task): Promise<Uploaded | undefined> {
    if (task.payload) return undefined;
    const before = this.items.filter((item) => (item as Task).addedMs < task.addedMs) as Task[];
    const living = before.filter(({ state }) => state !== "canceled" && state !== "failed" && state !== "refused");
    const twin = await this.#twins.find(task, living);
    task.stop.signal.throwIfAborted();
    if (!twin) return undefined;
    if (!twin.isSettled) this.#enter(task, "waiting");
    try {
      return await unless(task.stop.signal, twin.done);
    } catch (error) {
      task.stop.signal.throwIfAborted();
      if (error instanceof Refusal) throw error;
      return undefined;
    }
  }

  #stored(task: Task, image: Uploaded): void {
    task.image = image;
    task.sentBytes = task.totalBytes;
    this.#enter(task, "uploaded");
    this.#emit("uploaded", { item: task, image });
    task.resolve(image);
  }

  async #broken(task: Task, error: Error): Promise<void> {
    task.error = error;
    // Whatever else is refused (a quota used up, a session that has ended) may be taken another day.
    if (isOfThePicture(error)) await this.#forget(task);
    if (error instanceof Refusal) {
      this.#enter(task, "refused");
      this.#emit("refused", { item: task, error });
    } else {
      // People read that something is wrong here; what it is stands where those look who can mend it.
      const level = error instanceof SetupError ? error.level : "error";
      if (!(error instanceof ConnectionBroken)) console[level]("@the-form/preflight:", error);
      this.#enter(task, "failed");
      this.#emit("failed", { item: task, error });
    }
    task.reject(error);
  }

  #enter(task: Task, state: ItemState): void {
    if (task.state === state) return;
    task.state = state;
    this.#emit("changed", { item: task });
  }

  /** It need not be kept any longer. */
  async #forget(task: Task): Promise<void> {
    if (!task.isKept) return;
    task.isKept = false;
    await this.#keeper?.drop(task.id);
    task.release();
  }

  /** What waits from before is sent now, and again whenever the network or the user comes back. */
  #collect(assets: UploaderOptions["assets"]): void {
    const { signal } = this.#closing;
    // Without a network the check itself could not be loaded any more.
    void warmUp(assets).catch(() => {});
    const collect = () => {
      if (document.visibilityState === "visible") void this.#keeper?.collect();
    };
    void this.#keeper?.collect();
    addEventListener("online", collect, { signal });
    document.addEventListener("visibilitychange", collect, { signal });
  }

  #takeUp({ entry, release }: Found): void {
    if (this.#closing.signal.aborted) return release();
    const blob = new Blob([entry.bytes], { type: entry.contentType });
    const task = new Task({ id: entry.id, addedMs: entry.addedMs, file: blob, name: entry.fileName });
    Object.assign(task, { payload: { blob, fileName: entry.fileName }, isKept: true, release, state: "waiting" });
    // A guest's picture expires, and after a reload somebody else is the guest: it is sent again.
    if (entry.image?.expiresAt === null) return this.#restore(task, entry.image);
    this.#turns.lineUp(task);
    this.#begin(task);
  }

  /** An item that was stored before the reload. */
  #restore(task: Task, image: Uploaded): void {
    Object.assign(task, { image, state: "uploaded", sentBytes: task.totalBytes });
    task.resolve(image);
    this.#tasks.set(task.id, task);
    this.#emit("added", { item: task });
  }

  #emit<Name extends keyof UploaderEvents>(type: Name, detail: UploaderEvents[Name]): void {
    if (type !== "idle") this.#items = undefined;
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #perhapsIdle(): void {
    const isDone = [...this.#tasks.values()].every((task) => task.isSettled || task.state === "paused");
    if (isDone) this.#emit("idle", {});
  }
}

/** `randomUUID` is there only for pages from a secure origin. */
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
