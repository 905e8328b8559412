// The Web Worker: prepares one file after the other with the image rules.
import { load, memoryBytes, prepare } from "./preflight/engine.js";
import type { PreflightJob, StartMessage, WorkerMessage } from "./preflight/messages.js";

self.addEventListener("message", async ({ data }: MessageEvent<StartMessage | PreflightJob>) => {
  try {
    if ("wasm" in data) {
      await load(data.wasm);
      return post({ isReady: true });
    }
    const result = await prepare(data);
    post({ result, memoryBytes: await memoryBytes() }, result.bytes ? [result.bytes.buffer] : []);
  } catch (error) {
    post({ error });
  }
});

function post(message: WorkerMessage, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}
