// Defines <image-upload>: importing this is all it takes. On a server there is nothing to define, and the import does nothing.
import { ImageUpload } from "./image-upload.js";

export type { ImageUploadEventMap, ImageUploadListeners, ImageUploadProps } from "./events.js";
export { ImageUpload } from "./image-upload.js";

declare global {
  interface HTMLElementTagNameMap {
    "image-upload": ImageUpload;
  }
}

// A page may have two copies of the package; the first one counts.
if (globalThis.customElements?.get("image-upload") === undefined) globalThis.customElements?.define("image-upload", ImageUpload);
