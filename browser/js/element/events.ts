// The events of the element beside those that every element has.
import type { Refusal } from "../refusal.js";
import type { Uploaded } from "../sending/answer.js";
import type { UploadItem } from "../uploader/item.js";

/** `change` comes, as from other fields, whenever the value is another. */
export interface ImageUploadEventMap extends HTMLElementEventMap {
  uploaded: CustomEvent<{ item: UploadItem; image: Uploaded }>;
  refused: CustomEvent<{ item: UploadItem; error: Refusal }>;
  failed: CustomEvent<{ item: UploadItem; error: Error }>;
  /** A picture was taken off the list, by the person or by the page. It has a `key` when it was stored, an `item` when it came through this element. */
  removed: CustomEvent<{ key: string | undefined; item: UploadItem | undefined; isByPerson: boolean }>;
}
