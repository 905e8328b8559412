// The image rules at work, in whichever thread loads this: in the Web Worker, or in the page where there
// can be none.
import init, { Job, type Outcome, too_large } from "preflight-wasm";
import { SetupError, unreached } from "./fault.js";
import { answerForeign } from "./foreign.js";
import type { Answer, ForeignType, Question, Told } from "./messages.js";
import { ConnectionBroken } from "./sending/broken.js";

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
    throw await unreached(wasm, remedy);
  });
  if (!response.ok) throw new SetupError(`${response.url} answered ${response.status}. ${remedy}`);
  try {
    return await init({ module_or_path: response });
  } catch (error) {
    // TypeError is what a body throws that breaks off.
    throw error instanceof TypeError ? new ConnectionBroken() : new SetupError(`${response.url}: ${error}. ${remedy}`);
  }
}

/**
 * Prepares one file, with a pause after each step: there are some ten milliseconds of work in one, or some hundred.
 * A breakdown of the wasm throws, and the engine is then of no further use.
 */
export async function answer(question: Question, pause?: () => Promise<void>): Promise<Answer> {
  const { file, policy, language } = question;
  const tooLarge = too_large(file.size, policy, language);
  if (tooLarge !== undefined) return { told: JSON.parse(tooLarge) };
  const bytes = new Uint8Array(await file.arrayBuffer());
  const outcome = await work(new Job(bytes, file.type, policy, language), pause);
  const told: Told | ForeignType = JSON.parse(outcome.told);
  const made = outcome.bytes();
  if ("mediaType" in told) return answerForeign(question, bytes, told);
  return made ? { told, bytes: made } : { told };
}

async function work(job: Job, pause?: () => Promise<void>): Promise<Outcome> {
  for (let further = true; further; further = job.step()) {
    await pause?.().catch((reason: unknown) => {
      job.free();
      throw reason;
    });
  }
  const outcome = job.outcome();
  if (!outcome) throw new Error("The work ended before it was done.");
  return outcome;
}

/** How large the memory of the wasm has grown; it never shrinks. */
export async function memoryBytes(): Promise<number> {
  return loading ? (await loading).memory.buffer.byteLength : 0;
}
