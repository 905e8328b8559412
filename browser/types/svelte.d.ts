// <image-upload> in Svelte 5: `import "@the-form/preflight/svelte"` defines the element and says its types to templates.
import type { HTMLAttributes } from "svelte/elements";
import type { ImageUpload, ImageUploadProps } from "./element/index.js";

export * from "./element/index.js";

declare module "svelte/elements" {
  interface SvelteHTMLElements {
    "image-upload": Omit<HTMLAttributes<ImageUpload>, keyof ImageUploadProps> & ImageUploadProps;
  }
}
