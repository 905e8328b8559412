// The events of the element beside those that every element has, and what templates may set on it.
import type { AssetUrls } from "../messages.js";
import type { Refusal } from "../refusal.js";
import type { Uploaded } from "../sending/answer.js";
import type { TokenSource } from "../sending/credentials.js";
import type { UploadItem } from "../uploader/item.js";
import type { ImageUpload } from "./image-upload.js";

/** `change` comes, as from other fields, whenever the value is another. */
export interface ImageUploadEventMap extends HTMLElementEventMap {
  uploaded: CustomEvent<{ item: UploadItem; image: Uploaded }>;
  refused: CustomEvent<{ item: UploadItem; error: Refusal }>;
  failed: CustomEvent<{ item: UploadItem; error: Error }>;
  /** A picture was taken off the list, by the person or by the page. It has a `key` when it was stored, an `item` when it came through this element. */
  removed: CustomEvent<{ key: string | undefined; item: UploadItem | undefined; isByPerson: boolean }>;
}

type Told = Pick<ImageUploadEventMap, "change" | "uploaded" | "refused" | "failed" | "removed">;

/** What a template may set on `<image-upload>` beside what every element takes. */
export interface ImageUploadProps extends ImageUploadListeners {
  endpoint?: string;
  token?: TokenSource | undefined;
  name?: string;
  formId?: string | undefined;
  "form-id"?: string;
  maxFiles?: number;
  "max-files"?: number | string;
  offline?: string | null | undefined;
  "on-remove"?: "keep" | "delete";
  required?: boolean;
  disabled?: boolean;
  value?: readonly string[];
  assets?: AssetUrls | undefined;
}

/** `onuploaded` and the like. */
export type ImageUploadListeners = {
  [Name in keyof Told as `on${Name}`]?: (event: Told[Name] & { readonly target: ImageUpload; readonly currentTarget: ImageUpload }) => void;
};
