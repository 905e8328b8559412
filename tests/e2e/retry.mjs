// Retries a request while the isolate is overloaded (BUSY), after Retry-After, as clients do.
import assert from "node:assert/strict";

/** Of a thousand concurrent uploads some dozens are processed at a time, so on a slow machine some need many retries. */
const MAX_RETRIES = 100;

/** Calls `send`, which returns `{ code, headers, … }`, until the code is not BUSY; returns its outcome and `retries`. */
export async function retryWhileBusy(send) {
  for (let retries = 0; ; retries += 1) {
    const outcome = await send();
    if (outcome.code !== "BUSY" || retries === MAX_RETRIES) return { ...outcome, retries };
    const retryAfterS = Number(outcome.headers.get("retry-after"));
    assert.ok(retryAfterS > 0, "BUSY has Retry-After");
    await new Promise((resolve) => setTimeout(resolve, retryAfterS * 1000));
  }
}
