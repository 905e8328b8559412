// What passes between the page and its Web Worker, and what the wasm tells (browser/src/lib.rs).
import type { Code } from "./codes.js";
import type { MetadataKind, Report } from "./report.js";

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
