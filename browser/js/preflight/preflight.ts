// Checks a file with the image rules and makes what is to be sent. The job queue (queue.ts) runs the work elsewhere.
import { abortable } from "../abort.js";
import type { Effort, Policy } from "../codes.js";
import { Refusal } from "../errors.js";
import type { Edit } from "./edit.js";
import type { Accepted, AssetUrls, MetadataKind, PreflightJob, Report } from "./messages.js";
import { setAssets, start, submit } from "./queue.js";

/** What a caller may pass: the response of `GET /policy`, as text or parsed, or a promise of it. */
type PolicySource = Policy | string | Promise<Policy | string>;

export interface PreflightOptions {
  /**
   * The response of `GET /policy`, as text or parsed, or a promise of it. Limits that it leaves out are those of the default policy, and so are
   * all when it cannot be had: the edge checks every upload itself.
   */
  policy?: PolicySource;
  /** The language of sentences: a tag such as `ko`. By default the browser's. */
  language?: string;
  /** How much time to spend on fewer bytes. By default as the policy says. */
  effort?: Effort;
  /** Flips, turns and crops the picture before it is resized. Of an animation the first frame remains. */
  edit?: Edit | undefined;
  signal?: AbortSignal;
  /**
   * Where `worker.js` and the wasm are. Bundlers that follow `new URL("…", import.meta.url)` do not need it; esbuild does:
   * `{ worker: "/assets/worker.js", wasm: "/assets/preflight.wasm" }`.
   */
  assets?: AssetUrls | undefined;
}

/** A picture that the edge will accept. */
export interface Prepared {
  /** What to send: resized, without metadata, or the file itself when nothing had to change. */
  blob: Blob;
  /** The file's name, with another extension where the format has changed. */
  fileName: string | null;
  /** Describes the file as it was chosen. */
  report: Report;
  /** Width and height of what is to be sent, upright. */
  width: number;
  height: number;
  contentType: string;
  /** The size in bytes of the file as it was chosen. */
  originalSize: number;
  /** Which kinds of private data were removed. */
  removed: MetadataKind[];
  /** A thumbhash, base64: a blurred picture of about 25 bytes to show while the real one loads. */
  placeholder: string | null;
  /** How long it took, without the wait for files before it. */
  elapsedMs: number;
}

/**
 * Checks a file with the edge's own rules and makes what is to be sent.
 *
 * Rejects with a `Refusal` when the edge would refuse the file, with the signal's reason when aborted, and with `ConnectionBroken`
 * or `SetupError` when worker or wasm cannot be loaded.
 */
export async function preflight(file: Blob, options: PreflightOptions = {}): Promise<Prepared> {
  const { signal, effort, language = globalThis.navigator?.language ?? "" } = options;
  signal?.throwIfAborted();
  setAssets(options.assets);
  const policy = await abortable(readPolicy(options.policy), signal);
  const { result, elapsedMs } = await submit({ file, policy: effort ? { ...policy, effort } : policy, language, edit: options.edit && plain(options.edit) }, signal);
  if ("code" in result) throw new Refusal(result.message, result.code);
  const { bytes, placeholder, ...facts } = result;
  return {
    ...facts,
    blob: bytes ? new Blob([bytes], { type: result.contentType }) : file,
    fileName: file instanceof File ? withExtension(file.name, result) : null,
    originalSize: file.size,
    placeholder: placeholder.length > 0 ? btoa(String.fromCharCode(...placeholder)) : null,
    elapsedMs,
  };
}

/** Starts the worker and compiles the wasm, so that the first file does not wait for it. */
export function warmUp(assets?: AssetUrls): Promise<void> {
  setAssets(assets);
  return start();
}

/** A plain copy, because a reactive object of a framework cannot be posted to a worker; empty when there is no policy. */
async function readPolicy(source: PolicySource | undefined): Promise<PreflightJob["policy"]> {
  try {
    const policy = await source;
    return JSON.parse(typeof policy === "string" ? policy : JSON.stringify(policy)) ?? {};
  } catch {
    return {};
  }
}

/** Without a framework's reactive objects. */
function plain({ flip = false, rotate = 0, crop }: Edit): Edit {
  return { flip, rotate, ...(crop && { crop: { left: crop.left, top: crop.top, width: crop.width, height: crop.height } }) };
}

/** Gives the name the extension of another format where the format has changed. */
function withExtension(name: string, { report, contentType }: Accepted): string {
  const format = contentType.slice("image/".length);
  return format === report.format ? name : `${name.replace(/\.[^.]*$/, "")}.${format}`;
}
