// With an invalid variable, or one that contradicts another, the Worker serves nothing and names the variable.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startServer } from "./server.mjs";

let server;
before(async () => {
  server = await startServer({ vars: { MAX_UPLOAD_BYTES: "5MB", INTENT_S: 100, STORAGE_TIMEOUT_MS: 8_000 } });
});
after(() => server.stop());

test("an invalid variable is named by /readyz and in the log, and requests get 503", async () => {
  const answer = await fetch(`${server.url}/readyz`);
  assert.equal(answer.status, 503);
  const { configuration } = await answer.json();
  assert.deepEqual(configuration.map(({ variable }) => variable), ["MAX_UPLOAD_BYTES", "INTENT_S"]);
  assert.match(configuration[1].expected, /12\.5 times STORAGE_TIMEOUT_MS/);
  assert.match(server.log(), /"variable":"MAX_UPLOAD_BYTES"/);
  assert.match(server.log(), /"variable":"INTENT_S"/);
  assert.equal((await fetch(`${server.url}/auth/guest-token`)).status, 503);
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
});
