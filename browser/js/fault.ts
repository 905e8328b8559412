// Faults in how a page or the service is set up, told apart from a network that broke.
import { ConnectionBroken } from "./sending/broken.js";

/**
 * The page or the service is not set up as it has to be: a wrong endpoint, a missing file, a token source that gives no token.
 * The message is for the people who make the page: cause and remedy.
 */
export class SetupError extends Error {
  /** How loudly the console says it. */
  readonly level: "error" | "warn";

  constructor(message: string, level: "error" | "warn" = "error") {
    super(message);
    this.name = "SetupError";
    this.level = level;
  }
}

/** Longer than a slow radio needs for a few bytes. */
const PROBE_MS = 5_000;

/** Whether a request to `url` is answered at all, whatever the status. */
export function answers(url: string | URL): Promise<boolean> {
  return fetch(url, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PROBE_MS) }).then(
    () => true,
    () => false,
  );
}

/** Why a request to `url` got no answer: it is a set-up fault when the policy of the page forbids it or the page's own server answers. */
export async function unreached(url: string | URL, remedy: string): Promise<Error> {
  let isBlocked = false;
  const block = () => (isBlocked = true);
  addEventListener("securitypolicyviolation", block);
  const isThere = await answers(url);
  // The event is a task of its own.
  await new Promise((resolve) => setTimeout(resolve));
  removeEventListener("securitypolicyviolation", block);
  if (isThere || !(isBlocked || (await answers(location.href)))) return new ConnectionBroken();
  const fact = isBlocked ? "is blocked by the Content-Security-Policy" : "does not answer";
  return new SetupError(`${url} ${fact}. ${remedy}`);
}
