// Whether something that did not work is tried again, and when.
import { Refusal } from "../refusal.js";
import { ConnectionBroken } from "./broken.js";

export interface RetryOptions {
  /** How often one picture is tried in all. */
  attempts: number;
  /** The wait after the first failure; it doubles each time. */
  baseMs: number;
  /** The longest wait that is of our own choice. */
  mostMs: number;
  /** Whoever is told to come back later than this is told so instead of being kept waiting. */
  mostWaitS: number;
}

/** Half a second, 1, 2, 4: about eight seconds in all, which outlasts a tunnel's worth of bad radio. */
export const RETRY: RetryOptions = { attempts: 5, baseMs: 500, mostMs: 30_000, mostWaitS: 120 };

/** 408 and 429 ask for another try, 503 is over soon; 502 and 504 come from something between. */
const PASSING = [408, 429, 502, 503, 504];

/** How long to wait before the next attempt; undefined when there is to be none. `attempt` counts from 1. */
export function retryMs(error: unknown, attempt: number, options: RetryOptions, random = Math.random): number | undefined {
  if (attempt >= options.attempts || !isPassing(error)) return undefined;
  const own = Math.min(options.mostMs, options.baseMs * 2 ** (attempt - 1));
  if (error instanceof Refusal && error.retryAfterS !== undefined) {
    if (error.retryAfterS > options.mostWaitS) return undefined;
    // Never earlier than asked, and not all clients at the same moment.
    return error.retryAfterS * 1000 + random() * Math.min(1000, own);
  }
  // Between half of it and all of it: clients that broke together do not come back together.
  return own * (0.5 + random() / 2);
}

function isPassing(error: unknown): boolean {
  if (error instanceof ConnectionBroken) return error.status === 0 || PASSING.includes(error.status);
  return error instanceof Refusal && PASSING.includes(error.status);
}

/** Whether it is about the picture itself, so that another try can only end the same, whoever makes it and when. */
export function isOfThePicture(error: unknown): boolean {
  return error instanceof Refusal && /^(FILE_|INVALID_FILE_|IMAGE_)/.test(error.code);
}

/** Waits, unless `signal` ends it; then rejects with its reason. */
export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const end = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}
