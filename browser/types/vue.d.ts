// <image-upload> in Vue 3: `import "@the-form/preflight/vue"` defines the element and says its types to templates, where it is
// an element when `compilerOptions.isCustomElement` says so.
import type { HTMLAttributes, PublicProps } from "vue";
import type { ImageUpload, ImageUploadListeners, ImageUploadProps } from "./element/index.js";

export * from "./element/index.js";

/** Vue calls the listener of `uploaded` `onUploaded`. */
type Listeners = {
  [Name in keyof ImageUploadListeners as Name extends `on${infer Event}` ? `on${Capitalize<Event>}` : never]: ImageUploadListeners[Name];
};
type Props = Omit<ImageUploadProps, keyof ImageUploadListeners> & Listeners;

declare module "vue" {
  interface GlobalComponents {
    "image-upload": new () => { $props: Omit<HTMLAttributes, keyof Props> & Props & PublicProps };
  }
}
