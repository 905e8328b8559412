// What the element tells beside the events that every element has.
import type { Refusal } from "../refusal.js";
import type { Uploaded } from "../sending/answer.js";
import type { UploadItem } from "../uploader/item.js";

/** `change` comes, as from other fields, whenever the value is another. */
export interface ImageUploadEventMap extends HTMLElementEventMap {
  uploaded: CustomEvent<{ item: UploadItem; image: Uploaded }>;
  refused: CustomEvent<{ item: UploadItem; error: Refusal }>;
  failed: CustomEvent<{ item: UploadItem; error: Error }>;
}
