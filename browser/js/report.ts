// What the image rules say of a file: the JSON of the Rust type `Report`.

export interface Report {
  /** The last five are decoded by the browser, and what else is in such a file is not known. */
  format: "jpeg" | "png" | "gif" | "webp" | "avif" | "bmp" | "heic" | "jxl" | "tiff";
  sizeBytes: number;
  /** Width and height as coded, before the orientation is applied. */
  width: number;
  height: number;
  /** The eight values of EXIF tag 0x0112. */
  orientation: number;
  frames: number;
  hasAlpha: boolean;
  bitDepth: number;
  color: "gray" | "rgb" | "palette" | "cmyk";
  progressive: boolean;
  lossless: boolean;
  /** Bytes of each kind. */
  metadata: Record<MetadataKind, number>;
}

/** Kinds of data that no one needs to see the picture. Of a colour profile (`icc`) only what is not colours is removed. */
export type MetadataKind =
  | "exif"
  | "gps"
  | "thumbnail"
  | "xmp"
  | "iptc"
  | "icc"
  | "comment"
  | "vendor"
  | "trailing";
