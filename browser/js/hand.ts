// Who does the work: a Web Worker or, where a page may have none, the page itself.
import { answers, SetupError } from "./fault.js";
import type { Answer, AssetUrls, Question, Reply, Start } from "./messages.js";
import { ConnectionBroken } from "./sending/broken.js";

export interface Hand {
  /** One question at a time. Rejects when the hand broke, and it is of no further use then. */
  ask(question: Question): Promise<Answer>;
  /** Lets go of it, at once and in the middle of its work; whatever was asked is never answered. */
  end(): void;
  /** How large its wasm has grown. */
  memoryBytes(): number;
}

/** A hand that is ready to work. */
export async function hire({ worker: script, wasm }: AssetUrls): Promise<Hand> {
  // Relative to the page, from which the worker's own address differs.
  const start: Start = { wasm: wasm && new Request(wasm).url };
  try {
    return await worker(script, start);
  } catch {
    // No workers here, or a policy that forbids this one; if it is for another reason, it shows below.
    return page(start);
  }
}

function worker(script: string | URL | undefined, start: Start): Promise<Hand> {
  // Bundlers follow the second form only.
  const started = script
    ? new Worker(script, { type: "module" })
    : new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  started.postMessage(start);
  let grown = 0;
  let waiting: { resolve(answer: Answer): void; reject(reason: unknown): void } | undefined;
  let broken: { reason: unknown } | undefined;
  const hand: Hand = {
    ask: (question) =>
      new Promise((resolve, reject) => {
        if (broken) return reject(broken.reason);
        waiting = { resolve, reject };
        started.postMessage(question);
      }),
    end: () => started.terminate(),
    memoryBytes: () => grown,
  };
  return new Promise((resolve, reject) => {
    const broke = (reason: unknown) => {
      broken = { reason };
      started.terminate();
      reject(reason);
      waiting?.reject(reason);
    };
    started.addEventListener("error", (event) => broke(new Error(event.message || "The worker did not start.")));
    started.addEventListener("message", ({ data }: MessageEvent<Reply>) => {
      if ("failure" in data) return broke(data.failure);
      if ("ready" in data) return resolve(hand);
      grown = data.memoryBytes;
      waiting?.resolve(data.answer);
    });
  });
}

async function page({ wasm }: Start): Promise<Hand> {
  const { answer, load } = await import("./engine.js").catch(async (error: unknown) => {
    if (!(await answers(location.href))) throw new ConnectionBroken();
    throw new SetupError(`${error}. Are the files of this build still there?`);
  });
  await load(wasm);
  let ended = false;
  // A timer, so that whatever the page has to do comes first.
  const pause = async () => {
    await new Promise((resolve) => setTimeout(resolve));
    if (ended) throw new DOMException("Nobody waits for it.", "AbortError");
  };
  return {
    ask: (question) => answer(question, pause),
    end: () => {
      ended = true;
    },
    // Its memory is given back when the page is left, so how large it is makes no difference.
    memoryBytes: () => 0,
  };
}
