// The Web Worker: answers one question after the other with the engine.
import { answer, load, memoryBytes } from "./engine.js";
import type { Question, Reply } from "./messages.js";

self.addEventListener("message", async ({ data }: MessageEvent<Question>) => {
  try {
    const answered = await answer(data);
    const moved = answered.bytes ? [answered.bytes.buffer] : [];
    post({ answer: answered, memoryBytes: await memoryBytes() }, moved);
  } catch (failure) {
    post({ failure });
  }
});

function post(reply: Reply, transfer: Transferable[] = []): void {
  self.postMessage(reply, { transfer });
}

// Not awaited at the top: bundlers make of this what is no module.
load().then(
  () => post({ ready: true }),
  (failure: unknown) => post({ failure }),
);
