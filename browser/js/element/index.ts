// Defines <image-upload>: importing this is all it takes.
import { ImageUpload } from "./image-upload.js";

export type { ImageUploadEventMap } from "./events.js";
export { ImageUpload } from "./image-upload.js";

declare global {
  interface HTMLElementTagNameMap {
    "image-upload": ImageUpload;
  }
}

// A page may have two copies of the package; the first one counts.
if (!customElements.get("image-upload")) customElements.define("image-upload", ImageUpload);
