// Whether a failed request is tried again, and after which delay.
import { delay } from "../abort.js";
import { ConnectionBroken, Refusal } from "../errors.js";

export interface RetryOptions {
  /** How many attempts one picture gets in all. */
  attempts: number;
  /** The delay after the first failure; it doubles with each. */
  baseMs: number;
  /** The longest delay of the exponential backoff. */
  maxMs: number;
  /** A request whose `Retry-After` is longer than this fails at once. */
  maxRetryAfterS: number;
}

/** Half a second, 1, 2, 4: about eight seconds in all, longer than a short tunnel interrupts the connection. */
export const RETRY: RetryOptions = { attempts: 5, baseMs: 500, maxMs: 30_000, maxRetryAfterS: 120 };

/** 408, 429 and 503 ask for another attempt; 502 and 504 come from a proxy. */
const TEMPORARY = [408, 429, 502, 503, 504];

/** The delay before the next attempt; undefined when there is none. `attempt` counts from 1. */
export function retryDelayMs(error: unknown, attempt: number, options: RetryOptions, random = Math.random): number | undefined {
  if (attempt >= options.attempts || !isTemporary(error)) return undefined;
  const backoffMs = Math.min(options.maxMs, options.baseMs * 2 ** (attempt - 1));
  if (error instanceof Refusal && error.retryAfterS !== undefined) {
    if (error.retryAfterS > options.maxRetryAfterS) return undefined;
    // Never earlier than asked, and with jitter, so that clients do not return at the same moment.
    return error.retryAfterS * 1000 + random() * Math.min(1000, backoffMs);
  }
  return backoffMs * (0.5 + random() / 2);
}

/** How long a client waits that cannot read `Retry-After`. */
const UPLOADS_OFF_S = 300;

/** The delay while uploads are switched off, with jitter, so that clients do not return at the same moment. */
export function uploadsOffDelayMs({ retryAfterS = UPLOADS_OFF_S }: Refusal, random = Math.random): number {
  return retryAfterS * 1000 * (1 + random() / 10);
}

function isTemporary(error: unknown): boolean {
  if (error instanceof ConnectionBroken) return error.status === 0 || isTemporaryStatus(error.status);
  return error instanceof Refusal && isTemporaryStatus(error.status);
}

export function isTemporaryStatus(status: number): boolean {
  return TEMPORARY.includes(status);
}

/** Whether the picture itself is refused, so that every later attempt ends the same. */
export function isAboutPicture(error: unknown): boolean {
  return error instanceof Refusal && /^(FILE_|INVALID_FILE_|IMAGE_)/.test(error.code);
}

export interface RetriedOptions {
  retry?: Partial<RetryOptions> | undefined;
  signal?: AbortSignal | undefined;
}

/** Runs a request with retries. Rejects with the error of the last attempt. */
export async function retry<T>(run: () => Promise<T>, options: RetriedOptions = {}): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      const ms = retryDelayMs(error, attempt, { ...RETRY, ...options.retry });
      if (ms === undefined) throw error;
      await delay(ms, options.signal);
    }
  }
}
