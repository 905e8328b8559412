// Comes again when it is told to, as clients do: an isolate that has too much to do says so.
import assert from "node:assert/strict";

/** A crowd of a thousand is served some dozens at a time; a slow machine turns some away many times. */
const MOST_TRIES = 100;

/** What `send` is answered in the end, with how often it was told to come again; `{ code, headers }` say that it is. */
export async function patiently(send) {
  for (let told = 0; ; told += 1) {
    const outcome = await send();
    if (outcome.code !== "BUSY" || told === MOST_TRIES) return { ...outcome, told };
    const retryAfterS = Number(outcome.headers.get("retry-after"));
    assert.ok(retryAfterS > 0, "told when to come again");
    await new Promise((resolve) => setTimeout(resolve, retryAfterS * 1000));
  }
}
