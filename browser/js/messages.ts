// What passes between the page and its Web Worker.
import type { Verdict } from "./verdict.js";

export interface Question {
  id: number;
  file: Blob;
  policy: string;
  language: string;
}

export type Reply = { id: number; verdict: Verdict } | { id: number; failure: string };
