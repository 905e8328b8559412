// Runs the image rules' wasm in whichever thread loads this: the Web Worker, or the page where there can be none.
import init, { checkSize, Preparation, solvePuzzle } from "preflight-wasm";
import { ConnectionBroken, connectionError, SetupError } from "../errors.js";
import { prepareEdited, prepareForeign } from "./foreign.js";
import type { Job, PreflightJob, PreflightResult } from "./messages.js";

let loading: ReturnType<typeof init> | undefined;

/** Compiles the wasm, once. Rejects with `ConnectionBroken` or `SetupError`, and the next call tries again. */
export async function load(wasm: string | URL = new URL("./preflight.wasm", import.meta.url)): Promise<void> {
  loading ??= compile(wasm);
  try {
    await loading;
  } catch (error) {
    loading = undefined;
    throw error;
  }
}

async function compile(wasm: string | URL): ReturnType<typeof init> {
  const remedy = "Check `assets` and the Content-Security-Policy.";
  const response = await fetch(wasm).catch(async () => {
    throw await connectionError(wasm, remedy);
  });
  if (!response.ok) throw new SetupError(`${response.url} answered ${response.status}. ${remedy}`);
  try {
    return await init({ module_or_path: response });
  } catch (error) {
    // A body that breaks off throws a TypeError.
    throw error instanceof TypeError ? new ConnectionBroken() : new SetupError(`${response.url}: ${error}. ${remedy}`);
  }
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
export async function memoryBytes(): Promise<number> {
  return loading ? (await loading).memory.buffer.byteLength : 0;
}
