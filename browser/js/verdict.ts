// What the image rules say of a file: the JSON of the Rust types `Report` and `ImageError`.
import type { Code } from "./codes.js";

export interface Report {
  format: "jpeg" | "png" | "gif" | "webp";
  sizeBytes: number;
  width: number;
  height: number;
  orientation: number;
  frames: number;
  hasAlpha: boolean;
  bitDepth: number;
  color: "gray" | "rgb" | "palette" | "cmyk";
  progressive: boolean;
  lossless: boolean;
  metadata: Record<MetadataKind, number>;
}

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

export interface Refusal {
  code: Code;
  /** What is wrong and what to do, in the language that was asked for. */
  sentence: string;
}

export type Verdict = { report: Report } | Refusal;
