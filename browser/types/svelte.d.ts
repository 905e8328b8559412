// The component, the store and the action of Svelte 5, and <image-upload> in templates: the import defines the element and says its types.
import type { Component, Snippet } from "svelte";
import type { HTMLAttributes } from "svelte/elements";
import type { ImageUpload as ImageUploadElement, ImageUploadProps } from "./element/index.js";
import type { ImageUploadParameters } from "./frameworks/svelte.js";

export * from "./frameworks/svelte.js";

/** The properties of the component. `element` is the element, for `bind:element`. */
export interface ImageUploadComponentProps extends ImageUploadParameters, Omit<HTMLAttributes<ImageUploadElement>, keyof ImageUploadParameters | "children"> {
  element?: ImageUploadElement | undefined;
  children?: Snippet | undefined;
}

/** A field for pictures: `<ImageUpload bind:value={keys} endpoint="…" {token} />`. */
export const ImageUpload: Component<ImageUploadComponentProps, Record<string, never>, "value" | "element">;
/** The element, as `bind:element` gets it. */
export type ImageUpload = ImageUploadElement;

declare module "svelte/elements" {
  interface SvelteHTMLElements {
    "image-upload": Omit<HTMLAttributes<ImageUploadElement>, keyof ImageUploadProps> & ImageUploadProps;
  }
}
