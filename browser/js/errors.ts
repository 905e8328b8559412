// The errors that uploads end with: a refusal with its reason, a broken connection, a mistake in the set-up.
import type { Code } from "./codes.js";

/** The picture was refused, in the browser or by the service. The message says why and what to do, in the requested language. */
export class Refusal extends Error {
  readonly code: Code;
  /** The status of the service's response; 0 when the browser refused the picture and nothing was sent. */
  readonly status: number;
  /** The id of the request in the service's log. */
  readonly requestId?: string;
  /** How long the service asks the client to wait before it tries again. */
  readonly retryAfterS?: number;

  constructor(message: string, code: Code, response: { status?: number; requestId?: string; retryAfterS?: number } = {}) {
    super(message);
    this.name = "Refusal";
    this.code = code;
    this.status = response.status ?? 0;
    if (response.requestId !== undefined) this.requestId = response.requestId;
    if (response.retryAfterS !== undefined) this.retryAfterS = response.retryAfterS;
  }
}

/** The service was not reached, or a proxy answered in its place. The same request may work later. `status` is 0 without any response. */
export class ConnectionBroken extends Error {
  readonly status: number;

  constructor(status = 0) {
    super(status === 0 ? "The connection broke." : `A proxy answered ${status}.`);
    this.name = "ConnectionBroken";
    this.status = status;
  }
}

/**
 * The page or the service is set up incorrectly: a wrong endpoint, a missing file, a token source that returns no token.
 * The message is for developers and names the cause and the remedy.
 */
export class SetupError extends Error {
  /** The console method that logs it. */
  readonly level: "error" | "warn";

  constructor(message: string, level: "error" | "warn" = "error") {
    super(message);
    this.name = "SetupError";
    this.level = level;
  }
}

/** A slow mobile connection answers a request of a few bytes within this time. */
const PROBE_TIMEOUT_MS = 5_000;

/** Whether a request to `url` gets a response, whatever its status. */
export function responds(url: string | URL): Promise<boolean> {
  return fetch(url, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) }).then(
    () => true,
    () => false,
  );
}

/**
 * The error for a request to `url` that got no response: `SetupError` when the page's Content-Security-Policy blocks it or when the page's
 * own server still responds, otherwise `ConnectionBroken`.
 */
export async function connectionError(url: string | URL, remedy: string): Promise<Error> {
  let isBlocked = false;
  const onViolation = () => (isBlocked = true);
  addEventListener("securitypolicyviolation", onViolation);
  const isUp = await responds(url);
  // The browser dispatches the event in a task of its own.
  await new Promise((resolve) => setTimeout(resolve));
  removeEventListener("securitypolicyviolation", onViolation);
  if (isUp || !(isBlocked || (await responds(location.href)))) return new ConnectionBroken();
  return new SetupError(`${url} ${isBlocked ? "is blocked by the Content-Security-Policy" : "does not answer"}. ${remedy}`);
}

/** Writes an error that only developers can fix to the console, because people who upload read a general sentence instead. */
export function logForDevelopers(error: unknown): void {
  if (error instanceof Refusal || error instanceof ConnectionBroken) return;
  console[error instanceof SetupError ? error.level : "error"]("@the-form/preflight:", error);
}
