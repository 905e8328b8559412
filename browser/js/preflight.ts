// Checks a file in a Web Worker, which is started at the first question and then reused.
import type { Question, Reply } from "./messages.js";
import type { Verdict } from "./verdict.js";

interface Waiting {
  resolve(verdict: Verdict): void;
  reject(error: Error): void;
}

let worker: Worker | undefined;
let lastId = 0;
const waiting = new Map<number, Waiting>();

export interface PreflightOptions {
  /** The text that `GET /policy` answers; without it the edge's default policy counts. */
  policy?: string;
  /** The language of the sentences: a tag such as `ko`. */
  language?: string;
}

/** What the image rules say of a file. */
export function preflight(file: Blob, options: PreflightOptions = {}): Promise<Verdict> {
  const { policy = "", language = "" } = options;
  worker ??= start();
  const question: Question = { id: ++lastId, file, policy, language };
  worker.postMessage(question);
  return new Promise((resolve, reject) => waiting.set(question.id, { resolve, reject }));
}

function start(): Worker {
  const started = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  started.addEventListener("message", ({ data }: MessageEvent<Reply>) => settle(data));
  started.addEventListener("error", (event) => abandon(event.message));
  return started;
}

function settle(reply: Reply): void {
  const asker = waiting.get(reply.id);
  waiting.delete(reply.id);
  if ("verdict" in reply) asker?.resolve(reply.verdict);
  else asker?.reject(new Error(reply.failure));
}

/** The worker itself broke: nobody may wait for ever, and the next question starts a new one. */
function abandon(reason: string): void {
  worker?.terminate();
  worker = undefined;
  for (const asker of waiting.values()) asker.reject(new Error(reason));
  waiting.clear();
}
