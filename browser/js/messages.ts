// What passes between the page and its Web Worker, and what the wasm tells (browser/src/lib.rs).
import type { Code } from "./codes.js";
import type { MetadataKind, Report } from "./report.js";

/** Where the package's own files are, for bundlers that do not follow `new URL("…", import.meta.url)`. */
export interface AssetUrls {
  /** Of `worker.js`; it must have the origin of the page. */
  worker?: string | URL | undefined;
  /** Of the wasm. */
  wasm?: string | URL | undefined;
}

/** What the worker is given first: where the wasm is, unless it is where the package has it. */
export interface Start {
  wasm: string | undefined;
}

/** A file, and what to prepare it for. */
export interface Question {
  file: Blob;
  /** The edge's policy as numbers. */
  policy: Float64Array;
  language: string;
}

/** What the wasm says of a file that may be sent. */
export interface Accepted {
  report: Report;
  width: number;
  height: number;
  contentType: string;
  removed: MetadataKind[];
  /** The bytes of a thumbhash. */
  placeholder: number[];
}

export interface Refused {
  code: Code;
  sentence: string;
}

/** Of a type that the browser is to decode. */
export interface ForeignType {
  mediaType: string;
}

export type Told = Accepted | Refused;

/** What became of a file; `bytes` when something else is to be sent than the file itself. */
export interface Answer {
  told: Told;
  bytes?: Uint8Array<ArrayBuffer>;
}

/** What the worker posts: that it is there, and then one reply to each question. */
export type Reply = { ready: true } | { answer: Answer; memoryBytes: number } | { failure: unknown };
