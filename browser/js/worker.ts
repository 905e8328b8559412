// The Web Worker: loads the wasm once and answers every question with a verdict.
import init, { check } from "preflight-wasm";
import type { Question, Reply } from "./messages.js";

const ready = init();

self.addEventListener("message", async ({ data }: MessageEvent<Question>) => {
  try {
    await ready;
    const bytes = new Uint8Array(await data.file.arrayBuffer());
    reply({ id: data.id, verdict: JSON.parse(check(bytes, data.file.type, data.policy, data.language)) });
  } catch (error) {
    reply({ id: data.id, failure: String(error) });
  }
});

function reply(message: Reply): void {
  self.postMessage(message);
}
