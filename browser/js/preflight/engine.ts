// Runs the image rules' wasm in whichever thread loads this: the Web Worker, or the page where there can be none.
import { checkSize, initSync, Preparation, solvePuzzle } from "preflight-wasm";
import { prepareEdited, prepareForeign } from "./foreign.js";
import type { Job, PreflightJob, PreflightResult } from "./messages.js";

let memory: WebAssembly.Memory | undefined;

/** Starts the compiled wasm. */
export function load(module: WebAssembly.Module): void {
  ({ memory } = initSync({ module }));
}

/** Runs a job. Throws when the wasm panics; the engine cannot be used any more then. */
export async function run(job: Job, pause?: () => Promise<void>): Promise<PreflightResult | number> {
  if (!("salt" in job)) return prepare(job, pause);
  await pause?.();
  const number = solvePuzzle(job.salt, job.index, job.bits);
  if (number === undefined) throw new Error("The challenge has no solution.");
  return number;
}

/** Prepares one file, with a pause before each step, which takes some ten or hundred milliseconds. */
async function prepare(job: PreflightJob, pause?: () => Promise<void>): Promise<PreflightResult> {
  const { file, policy, language } = job;
  const tooLarge = checkSize(file, policy, language);
  if (tooLarge) return tooLarge;
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (job.edit) {
    // The file must pass the image rules, too; what a form asks of the size is checked after the edit.
    const anySize = { ...policy, minWidth: null, minHeight: null, aspectRatio: null };
    const found = new Preparation(file, bytes, anySize, language).result();
    if (found && "code" in found) return found;
    await pause?.();
    return prepareEdited(job, bytes, found && "mediaType" in found ? found.mediaType : file.type);
  }
  const preparation = new Preparation(file, bytes, policy, language);
  for (let hasNext = true; hasNext; hasNext = preparation.step()) {
    await pause?.().catch((reason: unknown) => {
      preparation.free();
      throw reason;
    });
  }
  const result = preparation.result()!;
  return "mediaType" in result ? prepareForeign(job, bytes, result) : result;
}

/** The size of the wasm's memory, which never shrinks. */
export const memoryBytes = (): number => memory?.buffer.byteLength ?? 0;
