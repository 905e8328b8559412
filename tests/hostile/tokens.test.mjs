// Sends forged tokens of every known kind to the running Worker: each gets 401, and none causes a request to a URL in it.
// With CORPORA=/path the published examples of RFC 7515 and 8037 are sent as well.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { after, before, test } from "node:test";

import { algorithms, ISSUER, makeKey, mint, startKeyServer } from "../e2e/keys.mjs";
import { startServer } from "../e2e/server.mjs";
import { report } from "../faults/trial.mjs";
import { forgeries } from "./forgeries.mjs";

const AT_ONCE = 8;
/** A client IP may send 1,200 requests a minute. */
const PER_ADDRESS = 1000;

const keys = algorithms.map((alg) => makeKey(alg, `key-${alg}`));
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
let keyServer, trap, server;
before(async () => {
  keyServer = await startKeyServer(keys.map(({ jwk }) => jwk));
  // The trap publishes the keys that an attacker would sign with.
  trap = await startKeyServer(algorithms.map((alg) => makeKey(alg, `key-${alg}`).jwk));
  server = await startServer({ vars: { AUTH_JWKS_URL: keyServer.url, ...ISSUER, STRIKES_TO_BAN: 1000, IP_PER_MINUTE: 100_000 } });
});
after(async () => {
  agent.destroy();
  await Promise.all([server?.stop(), keyServer?.stop(), trap?.stop()]);
});

let sent = 0;
/** Uses node:http, because `fetch` refuses to send some of these tokens. */
function send(token) {
  const address = `198.18.3.${Math.floor(sent++ / PER_ADDRESS)}`;
  const headers = { Authorization: `Bearer ${token}`, "CF-Connecting-IP": address };
  return new Promise((resolve, reject) => {
    const asking = request(`${server.url}/images`, { agent, headers }, async (answer) => {
      const text = Buffer.concat(await answer.toArray()).toString();
      resolve({ status: answer.statusCode, code: JSON.parse(text).code });
    });
    asking.once("error", reject).end();
  });
}

async function assertAllRejected(tokens, expected) {
  const waiting = [...tokens];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { status, code } = await send(next[1]);
      assert.ok(status === 401 && expected.includes(code), `${status} ${code} for ${next[0]}: ${next[1].slice(0, 300)}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

test("the valid tokens that the forgeries modify get 200", async () => {
  for (const key of keys) {
    assert.equal((await send(mint(key))).status, 200, key.alg);
    assert.equal((await send(mint(key, { head: { kid: undefined, typ: "at+jwt", x5t: Buffer.alloc(20, 7).toString("base64url") }, claims: { aud: ["a", "images"], nbf: 0 } }))).status, 200, key.alg);
  }
});

test("each forged token gets 401 TOKEN_INVALID and causes no request to a URL in it", { timeout: 300_000 }, async (t) => {
  const all = [...forgeries(keys, trap.url)];
  const kinds = new Set(all.map(([what]) => what));
  const distinct = new Map(all.map(([what, token]) => [token, what]));
  assert.equal(kinds.size, all.length, "each kind occurs once");
  assert.ok(distinct.size >= 200, `${distinct.size} kinds`);
  await assertAllRejected(all, ["TOKEN_INVALID"]);
  assert.equal(trap.asked, 0, trap.paths.join());
  assert.deepEqual(new Set(keyServer.paths), new Set(["/jwks.json"]));
  report(t, "tokens", { forgedKinds: distinct.size, forgedTaken: 0, addressesAsked: trap.asked });
});

test("the published examples of the RFCs, whose keys are public, get 401", { skip: !process.env.CORPORA && "CORPORA is not set" }, async (t) => {
  const all = JSON.parse(readFileSync(`${process.env.CORPORA}/jwt/rfc/rfc7515_8037.json`));
  const examples = all.filter(({ compact }) => compact);
  await assertAllRejected(examples.map(({ id, compact }) => [id, compact]), ["TOKEN_INVALID", "TOKEN_EXPIRED"]);
  report(t, "tokens", { publishedExamples: examples.length, publishedTaken: 0 });
});
