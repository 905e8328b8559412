// The pictures of an Uploader as values that do not change, because frameworks compare by identity and an Uploader changes its items in place.
import { type ListProgress, type TokenOrTicket, type Uploaded, Uploader, type UploaderOptions, type UploadItem } from "../index.js";

export type ImageUploaderOptions = UploaderOptions & TokenOrTicket;

/** A picture of the list at one moment. */
export interface UploadedPicture {
  readonly id: string;
  /** The file name; null for a blob. */
  readonly name: string | null;
  readonly file: Blob;
  readonly state: UploadItem["state"];
  /** The part that was sent: 0 to 1. */
  readonly progress: number;
  /** The stored picture. */
  readonly image: Uploaded | undefined;
  /** Why it was refused, failed, or waits. */
  readonly error: Error | undefined;
  /** Whether it survives the end of this page. */
  readonly isKept: boolean;
}

/** What a page can do with the list. Pictures are named by their `id`. */
export interface ImageUploaderActions {
  /** Adds files: those of an input, of a drop, or a list of yours. */
  add(files: Iterable<Blob> | ArrayLike<Blob> | null | undefined): void;
  /** Sends a picture again that was refused or failed. */
  retry(id: string): void;
  /** Cancels a picture, or all that are not at their end. */
  cancel(id?: string): void;
  pause(id?: string): void;
  resume(id?: string): void;
  /** Removes a picture from the list; the service keeps it if it is stored. */
  remove(id: string): void;
  /** Removes a picture from the list, and deletes it at the service if it was stored by this list. */
  delete(id: string): Promise<void>;
  /** The user has changed: uploads from now on ask for a new token. */
  forgetToken(): void;
  /** The form was sent: with `offline.untilSent`, stored pictures do not come back after a reload. */
  markSent(): void;
}

export const NO_PICTURES: readonly UploadedPicture[] = Object.freeze([]);
const EVENTS = ["added", "changed", "progress", "removed"] as const;
const FINAL: readonly UploadItem["state"][] = ["uploaded", "refused", "failed", "canceled"];

export const keysOf = (pictures: readonly UploadedPicture[]): string[] => pictures.flatMap(({ image }) => image?.key ?? []);
export const isBusy = (pictures: readonly UploadedPicture[]): boolean => pictures.some(({ state }) => !FINAL.includes(state) && state !== "paused");

/** What an Uploader cannot change while it runs: with another value there is another one. */
export const identityOf = ({ endpoint, formId, concurrency, offline }: ImageUploaderOptions): string => JSON.stringify([endpoint, formId, concurrency, offline && offline.owner]);

export class UploadList implements ImageUploaderActions {
  #uploader: Uploader | undefined;
  #pictures = NO_PICTURES;
  #snapshots = new Map<string, UploadedPicture>();
  readonly #listeners = new Set<() => void>();

  /** Starts an Uploader with the options that `latest` returns, whenever they are needed. */
  open(latest: () => ImageUploaderOptions): void {
    this.close();
    const uploader = new Uploader(live(latest));
    this.#uploader = uploader;
    for (const event of EVENTS) uploader.on(event, () => this.#update());
    this.#update();
  }

  close(): void {
    this.#uploader?.close();
    this.#uploader = undefined;
    this.#update();
  }

  get isOpen(): boolean {
    return this.#uploader !== undefined;
  }

  /** The progress of the whole list. */
  readonly progress = (): ListProgress => this.#uploader?.progress ?? { total: 0, uploaded: 0, failed: 0, part: 0 };

  /** The same array until a picture changes. */
  readonly pictures = (): readonly UploadedPicture[] => this.#pictures;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly add = (files: Iterable<Blob> | ArrayLike<Blob> | null | undefined): void => {
    for (const file of Array.from(files ?? [])) this.#uploader?.add(file);
  };
  readonly retry = (id: string): void => this.#withItem(id, (uploader, item) => item && uploader.retry(item));
  readonly cancel = (id?: string): void => this.#withItem(id, (uploader, item) => uploader.cancel(item));
  readonly pause = (id?: string): void => this.#withItem(id, (uploader, item) => uploader.pause(item));
  readonly resume = (id?: string): void => this.#withItem(id, (uploader, item) => uploader.resume(item));
  readonly remove = (id: string): void => this.#withItem(id, (uploader, item) => item && uploader.remove(item));
  readonly delete = async (id: string): Promise<void> => {
    const item = this.#uploader?.items.find((item) => item.id === id);
    if (item) await this.#uploader?.delete(item);
  };
  readonly forgetToken = (): void => this.#uploader?.forgetToken();
  readonly markSent = (): void => this.#uploader?.markSent();

  /** Without an id, the action is about all pictures; an unknown one is about none. */
  #withItem(id: string | undefined, act: (uploader: Uploader, item: UploadItem | undefined) => void): void {
    const uploader = this.#uploader;
    const item = uploader?.items.find((item) => item.id === id);
    if (uploader && (id === undefined || item)) act(uploader, item);
  }

  #update(): void {
    const before = this.#snapshots;
    this.#snapshots = new Map();
    const pictures = (this.#uploader?.items ?? []).map((item) => {
      const { id, name, file, state, sentBytes, totalBytes, image, error, isKept } = item;
      const now = { id, name, file, state, progress: totalBytes > 0 ? sentBytes / totalBytes : 0, image, error, isKept };
      const last = before.get(id);
      const same = last && (Object.keys(now) as (keyof UploadedPicture)[]).every((key) => Object.is(now[key], last[key]));
      const snapshot = same ? last : Object.freeze(now);
      this.#snapshots.set(id, snapshot);
      return snapshot;
    });
    this.#pictures = pictures.length === 0 ? NO_PICTURES : Object.freeze(pictures);
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Options of a component change with each of its renderings: each use reads the latest ones. */
function live(latest: () => ImageUploaderOptions): ImageUploaderOptions {
  const get = (_: object, name: string | symbol): unknown => {
    const options = latest();
    // The Uploader keeps the function.
    if (name === "token" && typeof options.token === "function") return (request: { refresh: boolean }) => (latest().token as (asked: { refresh: boolean }) => unknown)(request);
    return Reflect.get(options, name);
  };
  return new Proxy<ImageUploaderOptions>({ endpoint: "", token: "" }, { get });
}
