// Defines <image-upload> when it is imported; on a server, which has no elements, the import does nothing. And its types for templates.
import type { TicketSource, TokenSource } from "../client/credentials.js";
import type { QueueKey } from "../offline/seal.js";
import type { AssetUrls } from "../preflight/messages.js";
import { ImageUpload, type ImageUploadEventMap } from "./image-upload.js";
import type { ImageUploadTexts } from "./texts.js";

export { ImageUpload, type ImageUploadEventMap } from "./image-upload.js";
export type { ImageUploadTexts } from "./texts.js";

/** The properties, attributes and listeners of `<image-upload>` in a template, beside those of every element. */
export interface ImageUploadProps extends ImageUploadListeners {
  endpoint?: string;
  token?: TokenSource | undefined;
  ticket?: TicketSource | undefined;
  name?: string;
  formId?: string | undefined;
  "form-id"?: string;
  maxFiles?: number;
  "max-files"?: number | string;
  offline?: string | null | undefined;
  offlineKey?: QueueKey | undefined;
  "on-remove"?: "keep" | "delete";
  required?: boolean;
  disabled?: boolean;
  directory?: boolean;
  sortable?: boolean;
  edit?: boolean | "" | "round" | null;
  texts?: ImageUploadTexts | undefined;
  value?: readonly string[];
  assets?: AssetUrls | undefined;
}

type Events = Pick<ImageUploadEventMap, "change" | "uploaded" | "refused" | "failed" | "removed">;

/** `onuploaded` and the like. */
export type ImageUploadListeners = {
  [Name in keyof Events as `on${Name}`]?: (event: Events[Name] & { readonly target: ImageUpload; readonly currentTarget: ImageUpload }) => void;
};

declare global {
  interface HTMLElementTagNameMap {
    "image-upload": ImageUpload;
  }
}

// A page may have two copies of the package; the first one counts.
if (globalThis.customElements?.get("image-upload") === undefined) globalThis.customElements?.define("image-upload", ImageUpload);
