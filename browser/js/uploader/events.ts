// What an Uploader tells, with types: `on("uploaded", ({ item, image }) => …)`.
import type { Uploaded } from "../sending/answer.js";
import type { Refusal } from "../refusal.js";
import type { UploadItem } from "./item.js";

export interface UploaderEvents {
  /** A picture was added, or found waiting from before. */
  added: { item: UploadItem };
  /** The item's `state` is another. */
  changed: { item: UploadItem };
  /** More of it was sent. An attempt after the first begins at nothing again. */
  progress: { item: UploadItem; sentBytes: number; totalBytes: number };
  uploaded: { item: UploadItem; image: Uploaded };
  /** The browser or the edge refused it: the same file will be refused again. */
  refused: { item: UploadItem; error: Refusal };
  /** It could not be sent, and nobody refused it: it may work later. */
  failed: { item: UploadItem; error: Error };
  removed: { item: UploadItem };
  /** Nothing is left to do. */
  idle: Record<string, never>;
}

type Listener<Detail> = (event: CustomEvent<Detail>) => void;

/** An `EventTarget` whose events are known. */
export interface TypedEventTarget<Events> extends EventTarget {
  addEventListener<Name extends keyof Events & string>(
    type: Name,
    listener: Listener<Events[Name]> | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

/** The plain `EventTarget`, seen with types. */
export const TypedEventTarget = EventTarget as { new <Events>(): TypedEventTarget<Events> };
