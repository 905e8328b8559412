// One picture on its way: what it is, how far it is, and the promise of its end. The Uploader moves it.
import type { Prepared } from "../preflight.js";
import type { Uploaded } from "../sending/answer.js";
import type { Payload } from "../sending/edge.js";

/**
 * `queued` waits for its turn, `preparing` is checked and shrunk, `sending` is on the wire, `waiting` waits for the network
 * or for a time to come back, `paused` was told to. The other four are the ends.
 */
export type ItemState =
  | "queued"
  | "preparing"
  | "sending"
  | "waiting"
  | "paused"
  | "uploaded"
  | "refused"
  | "failed"
  | "canceled";

/** A picture as listeners see it. */
export interface UploadItem {
  readonly id: string;
  readonly name: string | null;
  /** The file that was chosen; of a picture from before a reload, its shrunk bytes. */
  readonly file: Blob;
  readonly state: ItemState;
  /** What the check made of it; undefined until then, and for a picture from before a reload. */
  readonly prepared: Prepared | undefined;
  readonly sentBytes: number;
  readonly totalBytes: number;
  /** Whether it would survive the end of this page now. */
  readonly isKept: boolean;
  readonly image: Uploaded | undefined;
  readonly error: Error | undefined;
  /** The picture once it is stored; rejects with `Refusal`, `ConnectionBroken`, `SetupError`, or an `AbortError` when canceled. */
  readonly done: Promise<Uploaded>;
}

/** The same with what the Uploader needs to move it. */
export class Task implements UploadItem {
  readonly id: string;
  readonly name: string | null;
  readonly file: Blob;
  /** When it was chosen: earlier ones go first. */
  readonly addedMs: number;
  state: ItemState = "queued";
  prepared: Prepared | undefined;
  payload: Payload | undefined;
  sentBytes = 0;
  totalBytes: number;
  image: Uploaded | undefined;
  error: Error | undefined;
  isKept = false;
  /** How often it was tried since the network was last known to work. */
  attempts = 0;
  /** Ends whatever is under way for it: paused or canceled. */
  stop = new AbortController();
  /** The end of what is under way for it. */
  run: Promise<void> = Promise.resolve();
  /** Gives up what keeps other tabs from sending it. */
  release: () => void = () => {};
  done!: Promise<Uploaded>;
  resolve!: (image: Uploaded) => void;
  reject!: (error: unknown) => void;

  constructor(facts: { id: string; addedMs: number; file: Blob; name: string | null }) {
    this.id = facts.id;
    this.addedMs = facts.addedMs;
    this.file = facts.file;
    this.name = facts.name;
    this.totalBytes = facts.file.size;
    this.promise();
  }

  /** A new promise of an end, for a picture that is tried again after one. */
  promise(): void {
    this.done = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    // Whoever listens to events only must not be told of unhandled rejections.
    this.done.catch(() => {});
  }

  get isSettled(): boolean {
    return ["uploaded", "refused", "failed", "canceled"].includes(this.state);
  }
}
