// The Web Worker: runs one job after the other, a file to prepare or a puzzle to solve.
import { load, memoryBytes, run } from "./preflight/engine.js";
import type { Job, StartMessage, WorkerMessage } from "./preflight/messages.js";

self.addEventListener("message", async ({ data }: MessageEvent<StartMessage | Job>) => {
  try {
    if ("wasm" in data) {
      load(data.wasm);
      return post({ isReady: true });
    }
    const result = await run(data);
    const bytes = typeof result === "number" ? undefined : result.bytes;
    post({ result, memoryBytes: memoryBytes() }, bytes ? [bytes.buffer] : []);
  } catch (error) {
    post({ error });
  }
});

function post(message: WorkerMessage, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}
