// The component and the composable of Vue 3, and <image-upload> in templates, where it is an element when `compilerOptions.isCustomElement` says so:
// the import defines the element and says its types.
import type { HTMLAttributes, PublicProps } from "vue";
import type { ImageUploadListeners, ImageUploadProps } from "./element/index.js";

export * from "./frameworks/vue.js";

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
