// <image-upload> in JSX: `import "@the-form/preflight/react"` defines the element and says its types to React 19.
import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { ImageUpload, ImageUploadProps } from "./element/index.js";

export * from "./element/index.js";

type Known = DetailedHTMLProps<HTMLAttributes<ImageUpload>, ImageUpload>;

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "image-upload": Omit<Known, keyof ImageUploadProps> & ImageUploadProps;
    }
  }
}
