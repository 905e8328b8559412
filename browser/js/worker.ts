// The Web Worker: answers one question after the other with the engine.
import { answer, load, memoryBytes } from "./engine.js";
import type { Question, Reply, Start } from "./messages.js";

self.addEventListener("message", async ({ data }: MessageEvent<Start | Question>) => {
  try {
    if ("wasm" in data) {
      await load(data.wasm);
      return post({ ready: true });
    }
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
