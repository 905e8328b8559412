// Runs one request and tries it again where that helps, without a queue around it.
import { RETRY, retryMs, wait, type RetryOptions } from "./retry.js";

export interface PatientOptions {
  retry?: Partial<RetryOptions> | undefined;
  signal?: AbortSignal | undefined;
}

/** Rejects with `Refusal`, or `ConnectionBroken` when no attempt reached the edge. */
export async function patiently<T>(run: () => Promise<T>, options: PatientOptions = {}): Promise<T> {
  const retry = { ...RETRY, ...options.retry };
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      const ms = retryMs(error, attempt, retry);
      if (ms === undefined) throw error;
      await wait(ms, options.signal);
    }
  }
}
