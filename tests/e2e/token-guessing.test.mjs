// A thousand tokens that were never issued (ten thousand in the long run): random bytes, valid tokens with a change, tokens signed
// with other keys. Each gets 401.
import assert from "node:assert/strict";
import { createHmac, createPublicKey, generateKeyPairSync, randomBytes, randomInt, sign } from "node:crypto";
import { Agent, request } from "node:http";
import { after, before, test } from "node:test";

import { report } from "../faults/trial.mjs";
import { startServer } from "./server.mjs";

const COUNT = Number(process.env.GUESSES ?? 1_000);
const AT_ONCE = 32;

let server;
let guest;
before(async () => {
  // High limits prevent bans, which have their own tests.
  server = await startServer({ vars: { STRIKES_TO_BAN: 1000, IP_PER_MINUTE: 100_000 } });
  guest = (await (await fetch(`${server.url}/auth/guest-token`)).json()).data.token;
});
after(() => server?.stop());

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const pick = (list) => list[randomInt(list.length)];
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Random bytes, some in the form of a token. */
function noise() {
  const part = () => randomBytes(randomInt(1, 90)).toString("base64url");
  return pick([() => randomBytes(randomInt(1, 200)).toString("base64url"), () => `${part()}.${part()}.${part()}`, () => `${encode({ alg: "HS256" })}.${part()}.${part()}`, () => ".".repeat(randomInt(1, 6))])();
}

/** A valid token with one character changed, or a part missing, repeated or taken from another token. */
function mutant() {
  const token = pick([server.token({ sub: "123" }), server.token({ sub: "boss", role: "ADMIN" }), guest]);
  const parts = token.split(".");
  const changed = pick([
    () => {
      const at = randomInt(token.length);
      const other = pick([...ALPHABET].filter((character) => character !== token[at]));
      return token[at] === "." ? `${token}x` : token.slice(0, at) + other + token.slice(at + 1);
    },
    () => token.slice(0, randomInt(1, token.length - 1)),
    () => `${parts[0]}.${parts[1]}.${guest.split(".")[2]}x`,
    () => `${parts[0]}.${encode({ ...JSON.parse(Buffer.from(parts[1], "base64url")), role: "ADMIN", sub: `n${randomInt(1e9)}` })}.${parts[2]}`,
    () => `${encode({ alg: pick(["none", "HS512", "ES384", "", null]) })}.${parts[1]}.${pick(["", parts[2]])}`,
  ])();
  return changed;
}

const unknownKeys = Array.from({ length: 4 }, () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);

/** Well-formed claims, signed with an unknown key or a guessed secret. */
function forgery() {
  const now = Math.floor(Date.now() / 1000);
  const head = JSON.parse(Buffer.from(guest.split(".")[0], "base64url"));
  const payload = encode({ sub: `f${randomInt(1e9)}`, role: pick(["USER", "ADMIN", "SERVICE"]), iss: "urn:the-form:images", iat: now, exp: now + 300 });
  if (randomInt(2)) {
    const text = `${encode(head)}.${payload}`;
    return `${text}.${sign("sha256", Buffer.from(text), { key: pick(unknownKeys), dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  }
  const text = `${encode({ alg: "HS256", typ: "JWT" })}.${payload}`;
  // Common secrets, a random one, and our own public key as a secret.
  const published = createPublicKey(server.signing).export({ type: "spki", format: "pem" });
  const secret = pick(["secret", "changeme", "", published, randomBytes(32)]);
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

const guess = () => pick([noise, mutant, forgery])();

const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
after(() => agent.destroy());

function send(token, turn) {
  // A hundred from each client IP, so that its rate limit does not answer instead.
  const address = `198.18.0.${turn % (COUNT / 100)}`;
  const headers = { Authorization: `Bearer ${token}`, "CF-Connecting-IP": address };
  return new Promise((resolve, reject) => {
    const asking = request(`${server.url}/images`, { agent, headers }, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      resolve({ status: answer.statusCode, ...JSON.parse(Buffer.concat(chunks).toString()) });
    });
    asking.once("error", reject).end();
  });
}

test(`${COUNT} tokens that were never issued get 401`, async (t) => {
  const answers = {};
  let turn = 0;
  const worker = async () => {
    while (turn < COUNT) {
      const mine = turn++;
      const token = guess();
      const { status, code } = await send(token, mine);
      assert.equal(status, 401, `${status} ${code} for ${token}`);
      answers[code] = (answers[code] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  assert.equal(Object.values(answers).reduce((sum, count) => sum + count, 0), COUNT);
  assert.ok(answers.TOKEN_INVALID > 0.99 * COUNT, JSON.stringify(answers));
  assert.deepEqual(server.rows(), []);
  report(t, "tokens", { guesses: COUNT, guessesTaken: 0 });
  // A valid token is still accepted.
  assert.equal((await send(server.token({ sub: "123" }), turn)).status, 200);
});
