// Who does the work: a Web Worker or, where a page may have none, the page itself.
import type { Answer, Question, Reply } from "./messages.js";

export interface Hand {
  /** One question at a time. Rejects when the hand broke, and it is of no further use then. */
  ask(question: Question): Promise<Answer>;
  /** Lets go of it, at once and in the middle of its work; whatever was asked is never answered. */
  end(): void;
  /** How large its wasm has grown. */
  memoryBytes(): number;
}

/** A hand that is ready to work. */
export async function hire(): Promise<Hand> {
  try {
    return await worker();
  } catch {
    // No workers here, or a policy that forbids this one; if it is for another reason, it shows below.
    return page();
  }
}

function worker(): Promise<Hand> {
  const started = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
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

async function page(): Promise<Hand> {
  const { answer, load } = await import("./engine.js");
  await load();
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
