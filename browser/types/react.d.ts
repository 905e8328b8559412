// The component and the hook of React, and <image-upload> in JSX: the import defines the element and says its types to React 19.
import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { ImageUpload as ImageUploadElement, ImageUploadProps } from "./element/index.js";

export * from "./frameworks/react.js";

type Known = DetailedHTMLProps<HTMLAttributes<ImageUploadElement>, ImageUploadElement>;

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "image-upload": Omit<Known, keyof ImageUploadProps> & ImageUploadProps;
    }
  }
}
