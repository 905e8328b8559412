// One upload, from its slot to its end: the check, the copy in the outbox, attempts and the delays between them. The Uploader decides what its
// end means.
import { delay } from "../abort.js";
import type { ApiClient, ClientOptions, Payload, Uploaded } from "../client/api-client.js";
import { RETRY, retryDelayMs, type RetryOptions, uploadsOffDelayMs } from "../client/retry.js";
import type { FormPolicy } from "../client/policy.js";
import type { Effort } from "../codes.js";
import { ConnectionBroken, Refusal } from "../errors.js";
import type { Connectivity } from "../offline/connectivity.js";
import type { ResumeQueue } from "../offline/resume-queue.js";
import type { Edit } from "../preflight/edit.js";
import { preflight, type Prepared, type PreflightOptions } from "../preflight/preflight.js";
import type { Slots } from "./slots.js";

/**
 * `queued` waits for a slot, `preparing` is checked and resized, `sending` is on its way, `waiting` waits for the network or for the time that
 * the edge has named, `paused` was paused. The other four are final.
 */
export type ItemState = "queued" | "preparing" | "sending" | "waiting" | "paused" | "uploaded" | "refused" | "failed" | "canceled";

/** An upload as listeners see it. */
export interface UploadItem {
  readonly id: string;
  readonly name: string | null;
  /** The file that was chosen; after a reload, the prepared bytes. */
  readonly file: Blob;
  /** What is done with the file before it is sent. */
  readonly edit: Edit | undefined;
  readonly state: ItemState;
  /** The result of the check; undefined before it, and after a reload. */
  readonly prepared: Prepared | undefined;
  readonly sentBytes: number;
  readonly totalBytes: number;
  /** Whether the outbox has it, so that it survives the end of this page. */
  readonly isKept: boolean;
  readonly image: Uploaded | undefined;
  /** Why it is `refused` or `failed`, or `waiting` because uploads are switched off. */
  readonly error: Error | undefined;
  /** Resolves once the picture is stored; rejects with `Refusal`, `ConnectionBroken`, `SetupError`, or an `AbortError` when canceled. */
  readonly done: Promise<Uploaded>;
}

export interface TaskOptions extends Pick<ClientOptions, "language"> {
  /** The policy of the check; by default that of the form, or of the edge when no form is named. */
  policy?: PreflightOptions["policy"];
  /** How much time to spend on fewer bytes. */
  effort?: Effort | undefined;
  /** Where worker and wasm are, for bundlers that do not follow `new URL("…", import.meta.url)`. */
  assets?: PreflightOptions["assets"];
  retry?: Partial<RetryOptions> | undefined;
}

/** What the tasks of one Uploader share. */
export interface TaskContext {
  readonly client: ApiClient;
  readonly slots: Slots;
  /** Read when they are needed. */
  readonly options: TaskOptions;
  /** These two exist only with the option `offline`. */
  readonly resumeQueue: ResumeQueue | undefined;
  readonly connectivity: Connectivity | undefined;
  /** When the edge asks one upload to wait, all wait. */
  notBeforeMs: number;
  /** Why they wait, while uploads are switched off. */
  uploadsOff: Refusal | undefined;
  /** The position of a task among those that are stored or on their way, from 1. */
  placeOf(task: UploadTask): number;
  onState(task: UploadTask): void;
  onProgress(task: UploadTask): void;
}

/** What is known of an upload before it starts. */
type Source = Pick<UploadTask, "id" | "addedMs" | "file" | "name"> & { edit?: Edit | undefined };

export class UploadTask implements UploadItem {
  readonly id: string;
  readonly name: string | null;
  readonly file: Blob;
  readonly edit: Edit | undefined;
  /** When it was added; different for each task of a page. */
  readonly addedMs: number;
  state: ItemState = "queued";
  prepared: Prepared | undefined;
  payload: Payload | undefined;
  sentBytes = 0;
  totalBytes: number;
  image: Uploaded | undefined;
  error: Error | undefined;
  isKept = false;
  /** Attempts since the network was last known to work. */
  attempts = 0;
  /** Stops what is under way: the task was paused, canceled or closed. */
  stop = new AbortController();
  /** Settles when what is under way has ended. */
  ended: Promise<void> = Promise.resolve();
  /** Releases the lock that keeps other tabs from sending it. */
  unlock: () => void = () => {};
  done!: Promise<Uploaded>;
  resolve!: (image: Uploaded) => void;
  reject!: (error: unknown) => void;
  readonly #context: TaskContext;

  constructor({ id, addedMs, file, name, edit }: Source, context: TaskContext) {
    this.id = id;
    this.addedMs = addedMs;
    this.file = file;
    this.name = name;
    this.edit = edit;
    this.totalBytes = file.size;
    this.#context = context;
    this.renewPromise();
  }

  /** A new `done`, for a task that is tried again after its end. */
  renewPromise(): void {
    this.done = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    // Code that listens to events only must not cause unhandled rejections.
    this.done.catch(() => {});
  }

  get isSettled(): boolean {
    return ["uploaded", "refused", "failed", "canceled"].includes(this.state);
  }

  setState(state: ItemState): void {
    if (this.state === state) return;
    this.state = state;
    this.#context.onState(this);
  }

  /** Uploads the picture. Rejects with `Refusal`, `ConnectionBroken`, `SetupError`, or the reason of `stop`. */
  async upload(): Promise<Uploaded> {
    const { slots } = this.#context;
    try {
      await slots.acquire(this);
      const payload = (this.payload ??= await this.#prepare());
      await this.#keep(payload);
      for (;;) {
        try {
          return await this.#attempt(payload);
        } catch (error) {
          this.stop.signal.throwIfAborted();
          await this.#recover(error);
        }
      }
    } finally {
      slots.leave(this);
    }
  }

  async #prepare(): Promise<Payload> {
    const { client, options } = this.#context;
    const { language, effort, assets } = options;
    const { signal } = this.stop;
    this.setState("preparing");
    const policy = (await options.policy) ?? (await client.policy());
    signal.throwIfAborted();
    const most = (policy as Partial<FormPolicy> | undefined)?.form?.maxFilesPerUser ?? Infinity;
    if (this.#context.placeOf(this) > most) throw new Refusal(tooMany(most, language ?? navigator.language), "FORM_FULL");
    const prepared = await preflight(this.file, { signal, assets, edit: this.edit, ...defined({ policy, language, effort }) });
    this.prepared = prepared;
    this.totalBytes = prepared.blob.size;
    return { blob: prepared.blob, fileName: prepared.fileName ?? this.name };
  }

  /** Before the first attempt, so that a tab that is killed during it loses nothing. */
  async #keep({ blob, fileName }: Payload): Promise<void> {
    if (this.isKept) return;
    const unlock = await this.#context.resumeQueue?.keep(this.id, this.addedMs, blob, fileName);
    if (!unlock) return;
    this.isKept = true;
    this.unlock = unlock;
  }

  async #attempt(payload: Payload): Promise<Uploaded> {
    await this.#waitForPermission();
    this.attempts++;
    this.sentBytes = 0;
    this.error = undefined;
    this.setState("sending");
    const onProgress = (sentBytes: number) => {
      this.sentBytes = sentBytes;
      this.#context.onProgress(this);
    };
    return this.#context.client.upload(payload, { signal: this.stop.signal, onProgress });
  }

  /** Waits for the network and for the time that the edge has named, without a slot. */
  async #waitForPermission(): Promise<void> {
    const { connectivity, slots } = this.#context;
    const { signal } = this.stop;
    for (;;) {
      const ms = this.#context.notBeforeMs - Date.now();
      if (ms <= 0 && !connectivity?.isDown) return;
      if (connectivity?.isDown) slots.keepOrder(this);
      this.error = this.#context.uploadsOff;
      this.#yieldSlot();
      if (ms > 0) await delay(ms, signal);
      await connectivity?.restored(signal);
      await slots.acquire(this);
    }
  }

  /** Waits until another attempt makes sense, or throws `error` when none does. */
  async #recover(error: unknown): Promise<void> {
    const { client, connectivity, options, slots } = this.#context;
    const { signal } = this.stop;
    if (connectivity && error instanceof ConnectionBroken && error.status === 0) {
      slots.keepOrder(this);
      connectivity.markDown();
      this.#yieldSlot();
      // The network was down, so the attempt does not count.
      if (await connectivity.restored(signal)) this.attempts = 0;
      if (this.attempts === 0) return slots.acquire(this);
    }
    this.#context.uploadsOff = error instanceof Refusal && error.code === "UPLOADS_OFF" ? error : undefined;
    if (this.#context.uploadsOff) {
      // That may last for hours, so it counts as no attempt.
      this.attempts = 0;
      this.#context.notBeforeMs = Date.now() + uploadsOffDelayMs(this.#context.uploadsOff);
      return;
    }
    const ms = retryDelayMs(error, this.attempts, { ...RETRY, ...options.retry });
    if (ms === undefined) return client.explain(error);
    this.#yieldSlot();
    if (error instanceof Refusal && error.retryAfterS !== undefined) {
      this.#context.notBeforeMs = Math.max(this.#context.notBeforeMs, Date.now() + ms);
    } else {
      await delay(ms, signal);
    }
    return slots.acquire(this);
  }

  #yieldSlot(): void {
    this.setState("waiting");
    this.#context.slots.release(this);
  }
}

/** The service would refuse it after the upload. */
function tooMany(most: number, language: string): string {
  if (/^ko\b/i.test(language)) return `이 설문에는 한 사람이 사진을 ${most}장까지 올릴 수 있습니다.`;
  return `This form takes at most ${most} ${most === 1 ? "picture" : "pictures"} of one person.`;
}

/** The properties that are not undefined. */
function defined<Values extends object>(values: Values): { [Name in keyof Values]?: Exclude<Values[Name], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as typeof values;
}
