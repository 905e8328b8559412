// The face of the image rules: a file in, what is to be sent out. The work is done elsewhere (workshop.ts).
import { unless } from "./abort.js";
import type { Effort } from "./codes.js";
import type { Accepted, Answer, AssetUrls } from "./messages.js";
import { type GivenPolicy, numbers } from "./policy.js";
import { Refusal } from "./refusal.js";
import type { MetadataKind, Report } from "./report.js";
import { locate, open, order } from "./workshop.js";

export interface PreflightOptions {
  /**
   * What `GET /policy` answers, as text or read, or the promise of it. What it does not say is as the
   * edge's default has it; so is all of it when it cannot be had, for the edge has the last word anyway.
   */
  policy?: GivenPolicy;
  /** The language of sentences: a tag such as `ko`. Without it, the browser's. */
  language?: string;
  /** How much time to spend on making the bytes fewer. Without it, as the policy says. */
  effort?: Effort;
  signal?: AbortSignal;
  /**
   * Where `worker.js` and the wasm are. Bundlers that follow `new URL("…", import.meta.url)` need it not; esbuild does:
   * `{ worker: "/assets/worker.js", wasm: "/assets/preflight.wasm" }`.
   */
  assets?: AssetUrls | undefined;
}

/** A picture that the edge will take. */
export interface Prepared {
  /** What to send: shrunk, scrubbed, or the file itself when nothing had to change. */
  blob: Blob;
  /** The file's name, with another extension where the format has changed. */
  fileName: string | null;
  /** Of the file as it was chosen. */
  report: Report;
  /** Width and height of what is to be sent, upright. */
  width: number;
  height: number;
  contentType: string;
  /** Bytes of the file as it was chosen. */
  originalSize: number;
  /** Which kinds of private data were taken out. */
  removed: MetadataKind[];
  /** A thumbhash, base64: a blurred picture of some 25 bytes to show while the real one loads. */
  placeholder: string | null;
  /** How long it took, without the wait for files before it. */
  elapsedMs: number;
}

/**
 * Checks a file with the edge's own rules and makes of it what is to be sent.
 *
 * Rejects with a `Refusal` when the edge would refuse it, with the signal's reason when aborted, and with `ConnectionBroken`
 * or `SetupError` when worker or wasm cannot be loaded.
 */
export async function preflight(file: Blob, options: PreflightOptions = {}): Promise<Prepared> {
  const { signal, language = globalThis.navigator?.language ?? "" } = options;
  signal?.throwIfAborted();
  locate(options.assets);
  const policy = await unless(signal, numbers(options.policy, options.effort));
  const { answer, elapsedMs } = await order({ file, policy, language }, signal);
  return prepared(file, answer, elapsedMs);
}

/** Starts the worker and compiles the wasm, so that the first file need not wait for it. */
export function warmUp(assets?: AssetUrls): Promise<void> {
  locate(assets);
  return open();
}

function prepared(file: Blob, { told, bytes }: Answer, elapsedMs: number): Prepared {
  if ("code" in told) throw new Refusal(told.sentence, told.code);
  const { report, width, height, contentType, removed, placeholder } = told;
  return {
    blob: bytes ? new Blob([bytes], { type: contentType }) : file,
    fileName: file instanceof File ? named(file.name, told) : null,
    report,
    width,
    height,
    contentType,
    originalSize: file.size,
    removed,
    placeholder: placeholder.length > 0 ? btoa(String.fromCharCode(...placeholder)) : null,
    elapsedMs,
  };
}

/** A name says what is in the file, so another format takes another extension. */
function named(name: string, { report, contentType }: Accepted): string {
  const format = contentType.slice("image/".length);
  return format === report.format ? name : `${name.replace(/\.[^.]*$/, "")}.${format}`;
}
