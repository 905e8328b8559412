// The messages between the page and its Web Worker, and the report of the image rules on a file (browser/src/lib.rs).
import type { Code, Policy } from "../codes.js";
import type { Edit } from "./edit.js";

/** The addresses of the package's own files, for bundlers that do not follow `new URL("…", import.meta.url)`. */
export interface AssetUrls {
  /** The address of `worker.js`; it must have the origin of the page. */
  worker?: string | URL | undefined;
  /** The address of the wasm. */
  wasm?: string | URL | undefined;
}

/** The first message to the worker. */
export interface StartMessage {
  wasm: WebAssembly.Module;
}

/** A file to prepare. */
export interface PreflightJob {
  file: Blob;
  /** The policy of the edge; what it leaves out, or has of another type, is as in the default policy. */
  policy: { [Name in keyof Policy]?: unknown };
  language: string;
  /** What to do with the picture before it is resized. */
  edit?: Edit | undefined;
}

/** A puzzle of a proof of work: the number whose hash with the salt begins with so many zero bits. */
export interface Puzzle {
  salt: Uint8Array;
  index: number;
  bits: number;
}

export type Job = PreflightJob | Puzzle;
export type ResultOf<J extends Job> = J extends Puzzle ? number : PreflightResult;

/** The result of a file that may be sent. */
export interface Accepted {
  report: Report;
  width: number;
  height: number;
  contentType: string;
  removed: MetadataKind[];
  /** A thumbhash. */
  placeholder: Uint8Array;
  /** What to send in place of the file; undefined to send the file itself. */
  bytes?: Uint8Array<ArrayBuffer>;
}

/** The result of a file that the image rules refuse. */
export interface Refused {
  code: Code;
  message: string;
  bytes?: undefined;
}

export type PreflightResult = Accepted | Refused;

/** A file of a type that the browser has to decode. */
export interface ForeignType {
  mediaType: string;
}

/** What the worker posts: that it is ready, and then one message for each job. */
export type WorkerMessage = { isReady: true } | { result: PreflightResult | number; memoryBytes: number } | { error: unknown };

/** What a file contains: the Rust type `Report`. */
export interface Report {
  /** The browser decodes the last five; of those files only the pixels are known. */
  format: "jpeg" | "png" | "gif" | "webp" | "avif" | "bmp" | "heic" | "jxl" | "tiff";
  sizeBytes: number;
  /** Width and height as coded, before the orientation is applied. */
  width: number;
  height: number;
  /** The value of EXIF tag 0x0112, 1 to 8. */
  orientation: number;
  frames: number;
  hasAlpha: boolean;
  bitDepth: number;
  color: "gray" | "rgb" | "palette" | "cmyk";
  progressive: boolean;
  lossless: boolean;
  /** How many bytes each kind takes. */
  metadata: Record<MetadataKind, number>;
}

/** Kinds of data that nobody needs to see the picture. Of a colour profile (`icc`) only what does not describe colours is removed. */
export type MetadataKind = "exif" | "gps" | "thumbnail" | "xmp" | "iptc" | "icc" | "comment" | "vendor" | "trailing";
