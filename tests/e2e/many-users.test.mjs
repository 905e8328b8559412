// 500 concurrent uploads by 20 users. Each acknowledged image is stored byte for byte, each rejection has a code, each retry
// after BUSY succeeds in the end, and the bucket contains nothing else.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { retryWhileBusy } from "./retry.mjs";
import { gif } from "./pictures.mjs";
import { startServer } from "./server.mjs";

const USERS = 20;
const UPLOADS = 25;
const DAILY = 15;
const CUT = readFileSync(new URL("../fixtures/jpeg/baseline-420.jpg", import.meta.url)).subarray(0, 200);

let server;
before(async () => {
  server = await startServer({ vars: { RATE_PER_MINUTE: "1000", DAILY_COUNT: String(DAILY) } });
});
after(() => server.stop());

/** Uploads an image and retries after BUSY. Every fifth image of a user is truncated, and the others exceed the daily quota. */
async function upload(user, number) {
  const isCut = number % 5 === 4;
  const headers = {
    Authorization: `Bearer ${server.token({ sub: `user-${user}` })}`,
    "Content-Type": isCut ? "image/jpeg" : "image/gif",
    "CF-Connecting-IP": `198.51.100.${user}`,
  };
  const body = isCut ? CUT : gif(user * 1000 + number + 1);
  return retryWhileBusy(async () => {
    const answer = await fetch(`${server.url}/images`, { method: "POST", headers, body });
    const json = await answer.json();
    return { status: answer.status, headers: answer.headers, code: json.code, json, body, user };
  });
}

test("of 500 concurrent uploads by 20 users the acknowledged images are stored and nothing else", async (t) => {
  const began = Date.now();
  const all = [];
  for (let number = 0; number < UPLOADS; number++) for (let user = 0; user < USERS; user++) all.push(upload(user, number));
  const outcomes = await Promise.all(all);
  const seconds = (Date.now() - began) / 1000;
  const retries = outcomes.reduce((sum, outcome) => sum + outcome.retries, 0);
  const count = {};
  for (const { status, json } of outcomes) count[json.code ?? status] = (count[json.code ?? status] ?? 0) + 1;
  t.diagnostic(`${outcomes.length} uploads in ${seconds.toFixed(1)} s: ${JSON.stringify(count)}, ${retries} retries after BUSY`);

  const stored = outcomes.filter(({ status }) => status === 201);
  const objects = server.objects();
  for (const { json, body, user } of stored) {
    assert.ok(json.data.key.startsWith(`users/user-${user}/images/`));
    assert.deepEqual(objects.get(json.data.key), body);
    const served = await fetch(json.data.imageUrl);
    assert.deepEqual(Buffer.from(await served.arrayBuffer()), body);
  }
  assert.equal(objects.size, stored.length, "nothing else in the bucket");
  assert.deepEqual(server.rows().map(({ key }) => key).sort(), [...objects.keys()].sort());
  for (const code of Object.keys(count)) assert.ok(["201", "IMAGE_CORRUPT", "QUOTA_EXCEEDED"].includes(code), code);
  assert.ok(count.QUOTA_EXCEEDED > 0);
  for (let user = 0; user < USERS; user++) {
    const mine = stored.filter((outcome) => outcome.user === user).length;
    assert.ok(mine <= DAILY && mine > 0, `user ${user} stored ${mine}`);
  }
});
