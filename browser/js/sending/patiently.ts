// Sends one picture and tries again where that helps, without a queue around it.
import type { Uploaded } from "./answer.js";
import type { AttemptOptions, Edge, Payload } from "./edge.js";
import { RETRY, retryMs, wait, type RetryOptions } from "./retry.js";

export interface PatientOptions extends AttemptOptions {
  retry?: Partial<RetryOptions> | undefined;
}

/** Rejects with `Refusal`, or `ConnectionBroken` when no attempt reached the edge. */
export async function sendPatiently(edge: Edge, payload: Payload, options: PatientOptions): Promise<Uploaded> {
  const retry = { ...RETRY, ...options.retry };
  for (let attempt = 1; ; attempt++) {
    try {
      return await edge.send(payload, options);
    } catch (error) {
      const ms = retryMs(error, attempt, retry);
      if (ms === undefined) throw error;
      await wait(ms, options.signal);
    }
  }
}
